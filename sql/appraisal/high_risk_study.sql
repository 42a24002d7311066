-- Title: Studies at high risk of bias
-- Grain: study x outcome x tool
-- Key: study, outcome, tool
-- Formula: By the tool's overall judgement where the study has one, else by any item, as each counts for the outcome
--   (see `rob_by_outcome`: consensus, else agreement, else the worst; a judgement for the outcome before one for all).
--   High is a severity of 3 or more; in tools that count points, that of any domain (`rob_points`).
-- Caveats: A study that nobody judged is not listed: it is not known to be at high risk. Nor is one whose answers say
--   nothing of how high the risk is: `rob_tool`.note says which those are.
-- Columns:
--   study, outcome, tool: what was judged, and with what
--   n_high: items judged so, or domains; an item counts once, however many assessors judged it
create or replace view high_risk_study as
with judged as (
    select
        study,
        outcome,
        tool,
        case when severity >= 3 then 1 else 0 end as is_high,
        case when domain = 'overall' then 1 else 0 end as is_overall,
        max(case when domain = 'overall' then 1 else 0 end) over (partition by study, outcome, tool) as has_overall
    from rob_by_outcome
)

select
    study,
    outcome,
    tool,
    count(*) as n_high
from judged
where is_high = 1 and is_overall = has_overall
group by study, outcome, tool
union all
select
    study,
    outcome,
    tool,
    count(*) as n_high
from rob_points
where severity >= 3
group by study, outcome, tool
