-- Title: Studies at high risk of bias
-- Grain: study x outcome x tool
-- Key: study, outcome, tool
-- Formula: by the tool's overall judgement where the study has one, else by any item; a judgement without an outcome
--   counts for all outcomes. High is a severity of 3 or more.
-- Caveats: A study that nobody judged is not listed: it is not known to be at high risk.
-- Columns:
--   study, outcome, tool: what was judged, and with what
--   n_high: judgements that say so
create or replace view high_risk_study as
with judged as (
    select
        judgement.study,
        outcome.outcome,
        judgement.tool,
        case when item.domain = 'overall' then 1 else 0 end as is_overall,
        case when answer.severity >= 3 then 1 else 0 end as is_high
    from rob_judgement as judgement
    inner join outcome on judgement.outcome is null or judgement.outcome = outcome.outcome
    inner join rob_item as item on judgement.tool = item.tool and judgement.item = item.item
    inner join rob_answer as answer
        on judgement.tool = answer.tool and judgement.judgement = answer.judgement
),

tool as (
    select
        study,
        outcome,
        tool,
        max(is_overall) as has_overall
    from judged
    group by study, outcome, tool
)

select
    judged.study,
    judged.outcome,
    judged.tool,
    count(*) as n_high
from judged
inner join tool on judged.study = tool.study and judged.outcome = tool.outcome and judged.tool = tool.tool
where judged.is_high = 1 and judged.is_overall = tool.has_overall
group by judged.study, judged.outcome, judged.tool
