-- Title: The time rule of each planned analysis, taken apart
-- Grain: analysis of the plan
-- Key: analysis
-- Stored: when the file is built
-- Formula: A number is converted from the unit written beside it into the unit in which the time points of the outcome
--   are given (see `outcome_timepoint`); days are rounded to 1e-9, as they are there.
-- Caveats: A number without a unit is taken as it stands where all time points of the outcome are typed in one unit (or
--   in none), and means nothing where they are not; the build asks for the unit there. A step of `time_rule`.
-- Columns:
--   analysis, position, outcome, measure: the analysis, see table `plan`
--   rule: as written: first, last, a time with its unit (24 h), or nearest:24 h
--   kind: first, last, value or nearest
--   value: the time, in the outcome's unit of time; empty for first and last
--   days: length in days of the outcome's unit of time; 1 where it has none
create or replace view planned_time as
with typed as (
    select
        analysis,
        position,
        outcome,
        measure,
        timepoint as rule,
        case
            when timepoint in ('first', 'last') then timepoint
            when timepoint like 'nearest:%' then 'nearest'
            else 'value'
        end as kind,
        case
            when timepoint like 'nearest:%' then trim(substring(timepoint, 9))
            when timepoint not in ('first', 'last') then trim(timepoint)
        end as time_typed
    from plan
),

parted as (
    select
        typed.*,
        cast(split_part(time_typed, ' ', 1) as double precision) as number,
        nullif(split_part(time_typed, ' ', 2), '') as number_unit
    from typed
),

converted as (
    select
        parted.*,
        coalesce(own.factor, 1) as days,
        coalesce(outcome_timepoint.converted, false) as in_days,
        case
            when parted.number_unit is not null then parted.number * meant.factor / nullif(own.factor, 0)
            when not coalesce(outcome_timepoint.converted, false) then parted.number
        end as exact
    from parted
    left join outcome_timepoint on parted.outcome = outcome_timepoint.outcome
    left join unit as own on outcome_timepoint.timepoint_unit = own.unit
    left join unit as meant on parted.number_unit = meant.unit
)

select
    analysis,
    position,
    outcome,
    measure,
    rule,
    kind,
    case when in_days then floor(exact * 1000000000 + 0.5) / 1000000000 else exact end as value,
    days
from converted
