-- Title: The unit of time of each outcome
-- Grain: outcome
-- Key: outcome
-- Stored: when the file is built
-- Formula: The unit typed, where all time points of an outcome are typed in one unit (or in none); else days, unit 'd'.
-- Caveats: A time point typed without a unit, beside others with one, cannot be converted: its measurement stands in
--   `exclusion`. Outcomes without any time point do not appear. A step of `measurement_standard`.
-- Columns:
--   outcome: the outcome
--   timepoint_unit: unit in which every view gives the time points of this outcome; empty where none was typed
--   converted: true if the time points were typed in several units and are converted to days
create or replace view outcome_timepoint as
with typed as (
    select
        outcome,
        timepoint_unit
    from measurement
    where timepoint is not null
    union all
    select
        outcome,
        timepoint_unit
    from reported_contrast
    where timepoint is not null
)

select
    outcome,
    case when count(distinct coalesce(timepoint_unit, '')) = 1 then min(timepoint_unit) else 'd' end as timepoint_unit,
    count(distinct coalesce(timepoint_unit, '')) > 1 as converted
from typed
group by outcome
