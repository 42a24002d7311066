-- Title: Risk of bias of each study as it counts for each outcome
-- Grain: study x outcome x tool x item
-- Key: study, outcome, tool, item
-- Formula: The judgement of `rob_traffic_light` for the outcome itself where there is one, else the one for all
--   outcomes.
-- Caveats: Every outcome of the review is listed, whether the study measured it or not.
-- Columns:
--   study, study_label: as in `rob_traffic_light`
--   outcome: outcome that the judgement counts for
--   tool, item, position, domain, label: as in `rob_traffic_light`
--   judged_for: outcome if it was judged for this outcome, study if for all of them
--   judgement, judgement_label, answer_position, severity, symbol, color, color_blind_safe: as in `rob_traffic_light`
--   assessor, n_assessors, settled_by, judgements, support, rob_judgement_id: as in `rob_traffic_light`
create or replace view rob_by_outcome as
with ranked as (
    select
        light.*,
        outcome.outcome as for_outcome,
        row_number() over (
            partition by light.study, light.tool, light.item, outcome.outcome
            order by case when light.outcome is null then 1 else 0 end
        ) as choice
    from rob_traffic_light as light
    inner join outcome on light.outcome is null or light.outcome = outcome.outcome
)

select
    study,
    study_label,
    for_outcome as outcome,
    tool,
    item,
    position,
    domain,
    label,
    case when outcome is null then 'study' else 'outcome' end as judged_for,
    judgement,
    judgement_label,
    answer_position,
    severity,
    symbol,
    color,
    color_blind_safe,
    assessor,
    n_assessors,
    settled_by,
    judgements,
    support,
    rob_judgement_id
from ranked
where choice = 1
