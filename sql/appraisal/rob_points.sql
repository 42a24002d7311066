-- Title: Domains of tools that count points, by the thresholds of the field
-- Grain: study x outcome x tool x domain
-- Key: study, outcome, tool, domain
-- Formula: points: the sum that was typed for the domain, else that of its items, where all of them were judged.
--   severity: 1 (good) from `rob_threshold`.good_from on, 3 (poor) below poor_below, 2 (fair) between them.
-- Reference: the column source of `rob_threshold`.
-- Caveats: A domain of which some items alone were judged has no points. A sum over all domains has no threshold, and
--   is not looked at. A step of `rob_by_outcome`.
-- Columns:
--   study, outcome, tool, domain: what was judged, as it counts for the outcome (see `rob_by_outcome`)
--   points: stars of the domain
--   severity: 1 good, 2 fair, 3 poor
create or replace view rob_points as
with judged as (
    select
        counts.study,
        counts.outcome,
        counts.tool,
        counts.item,
        counts.domain,
        rob_answer.points
    from rob_by_outcome as counts
    inner join rob_answer on counts.tool = rob_answer.tool and counts.judgement = rob_answer.judgement
    where rob_answer.points is not null
),

size as (
    select
        tool,
        domain,
        count(*) as n_items
    from rob_item
    group by tool, domain
),

summed as (
    select
        judged.study,
        judged.outcome,
        judged.tool,
        threshold.domain,
        threshold.good_from,
        threshold.poor_below,
        max(case when judged.item = threshold.sum_item then judged.points end) as typed,
        sum(case when judged.domain = threshold.domain then judged.points end) as counted,
        count(case when judged.domain = threshold.domain then 1 end) as n_judged
    from judged
    inner join rob_threshold as threshold
        on
            judged.tool = threshold.tool
            and (judged.domain = threshold.domain or judged.item = threshold.sum_item)
    group by
        judged.study, judged.outcome, judged.tool, threshold.domain, threshold.good_from, threshold.poor_below
),

known as (
    select
        summed.*,
        coalesce(typed, case when n_judged = n_items then counted end) as points
    from summed
    inner join size on summed.tool = size.tool and summed.domain = size.domain
)

select
    study,
    outcome,
    tool,
    domain,
    points,
    case when points >= good_from then 1 when points >= poor_below then 2 else 3 end as severity
from known
where points is not null
