-- Title: Risk of bias of the studies behind the main effects of a run
-- Grain: run x model
-- Key: run_id, model
-- Formula: Of the studies that entered and were judged (n_judged), those at high risk (n_high, `high_risk_study`), and
--   those with the best answer throughout (n_low: by the overall judgement where there is one, else in every item, in
--   every tool). Of a pairwise run, share_high and share_low are the weight of these studies.
-- Caveats: A study without a judgement is not counted; shares are empty unless every study judged has a weight.
-- Columns:
--   run_id, model: the run, and the model of its effects
--   n_judged, n_high, n_low: studies
--   share_high, share_low: share of the weight, 0 to 1; empty for networks, whose studies have no one weight
create or replace view run_risk_of_bias as
with best as (
    select
        study,
        outcome,
        tool,
        case when domain = 'overall' then 1 else 0 end as is_overall,
        case when severity = 1 then 1 else 0 end as is_best,
        max(case when domain = 'overall' then 1 else 0 end) over (partition by study, outcome, tool) as has_overall
    from rob_by_outcome
    where severity is not null
),

judged as (
    select
        best.study,
        best.outcome,
        min(case when best.is_overall = best.has_overall then best.is_best end) as is_low,
        max(case when high.study is not null then 1 else 0 end) as is_high
    from best
    left join high_risk_study as high
        on best.study = high.study and best.outcome = high.outcome and best.tool = high.tool
    group by best.study, best.outcome
),

entered as (
    select distinct
        run_id,
        study
    from result_contrast
),

carried as (
    select
        weight.run_id,
        weight.model,
        weight.study,
        sum(weight.weight) as weight
    from result_weight as weight
    inner join result_run as run on weight.run_id = run.run_id and run.kind = 'pairwise'
    group by weight.run_id, weight.model, weight.study
),

modelled as (
    select distinct
        run_id,
        model
    from run_main_effect
)

select
    modelled.run_id,
    modelled.model,
    count(*) as n_judged,
    cast(sum(judged.is_high) as bigint) as n_high,
    cast(sum(judged.is_low) as bigint) as n_low,
    case when count(carried.weight) = count(*) then sum(judged.is_high * carried.weight) end as share_high,
    case when count(carried.weight) = count(*) then sum(judged.is_low * carried.weight) end as share_low
from modelled
inner join result_run as run on modelled.run_id = run.run_id
inner join entered on modelled.run_id = entered.run_id
inner join judged on entered.study = judged.study and run.outcome = judged.outcome
left join carried
    on modelled.run_id = carried.run_id and modelled.model = carried.model and entered.study = carried.study
group by modelled.run_id, modelled.model
