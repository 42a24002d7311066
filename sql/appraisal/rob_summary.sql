-- Title: Risk of bias over all studies
-- Grain: tool x item x judgement
-- Key: tool, item, judgement
-- Formula: share: judgements of this kind over all judgements of the item, each study (and outcome, where judged by
--   outcome) with the same weight. weighted_share: each with the study's participants as its weight.
-- Caveats: Neither is the weight of the study in a meta-analysis. Studies without any n have no weight in
--   weighted_share: n_without_weight says how many.
-- Columns:
--   tool, item, position, domain, label: the item
--   judgement, judgement_label, answer_position, severity, symbol, color, color_blind_safe: the answer
--   n: judgements of this kind
--   n_judged: judgements of the item
--   share: n / n_judged
--   weighted_share: participants of these studies / participants of all studies judged; empty if no n is known
--   weights: what weighted_share is weighted by
--   n_without_weight: judgements of the item in studies without any n
create or replace view rob_summary as
with weighted as (
    select
        light.*,
        study_characteristics.n_participants
    from rob_traffic_light as light
    inner join study_characteristics on light.study = study_characteristics.study
),

counted as (
    select
        tool,
        item,
        position,
        domain,
        label,
        judgement,
        judgement_label,
        answer_position,
        severity,
        symbol,
        color,
        color_blind_safe,
        count(*) as n,
        coalesce(sum(n_participants), 0) as weight,
        count(case when n_participants is null then 1 end) as n_unknown
    from weighted
    group by
        tool, item, position, domain, label, judgement, judgement_label, answer_position, severity, symbol, color,
        color_blind_safe
)

select
    tool,
    item,
    position,
    domain,
    label,
    judgement,
    judgement_label,
    answer_position,
    severity,
    symbol,
    color,
    color_blind_safe,
    n,
    cast(sum(n) over of_item as bigint) as n_judged,
    n / cast(sum(n) over of_item as double) as share,
    weight / nullif(sum(weight) over of_item, 0) as weighted_share,
    'participants' as weights,
    cast(sum(n_unknown) over of_item as bigint) as n_without_weight
from counted
window of_item as (partition by tool, item)
