-- Title: Risk of bias of each study, item by item
-- Grain: study x tool x item (x outcome, where a judgement is for one outcome)
-- Key: study, tool, item, outcome
-- Formula: Where several assessors judged, the judgement of 'consensus' counts, else that of the assessor first by name.
-- Caveats: What assessors disagree about is in `audit_assessor_disagreement`, items not judged in `audit_item_not_judged`.
-- Columns:
--   study, study_label: the study
--   tool, item: what was judged
--   position, domain, label: place of the item in its tool, its domain, its text
--   outcome: outcome the judgement is for; empty if it is for all
--   judgement, judgement_label: the answer
--   severity: 1 the lowest risk; empty for no information
--   symbol, color, color_blind_safe: how it is drawn
--   assessor: whose judgement it is
--   n_assessors: how many judged
--   support: what the judgement rests on
--   rob_judgement_id: the row of `rob_judgement`
create or replace view rob_traffic_light as
with ranked as (
    select
        rob_judgement.*,
        row_number() over (
            partition by study, tool, item, outcome
            order by case when assessor = 'consensus' then 0 else 1 end, assessor, rob_judgement_id
        ) as choice,
        count(*) over (partition by study, tool, item, outcome) as n_assessors
    from rob_judgement
)

select
    ranked.study,
    study.label as study_label,
    ranked.tool,
    ranked.item,
    rob_item.position,
    rob_item.domain,
    rob_item.label,
    ranked.outcome,
    ranked.judgement,
    rob_answer.label as judgement_label,
    rob_answer.severity,
    rob_answer.symbol,
    rob_answer.color,
    rob_answer.color_blind_safe,
    ranked.assessor,
    ranked.n_assessors,
    ranked.support,
    ranked.rob_judgement_id
from ranked
inner join study on ranked.study = study.study
inner join rob_item on ranked.tool = rob_item.tool and ranked.item = rob_item.item
inner join rob_answer on ranked.tool = rob_answer.tool and ranked.judgement = rob_answer.judgement
where ranked.choice = 1
