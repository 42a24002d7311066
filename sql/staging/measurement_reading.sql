-- Title: Every reading of a measurement, and which one counts
-- Grain: row of `measurement`
-- Key: measurement_id
-- Formula: Rows of the same arm, outcome and time point are readings of one measurement. That of extractor 'consensus'
--   counts, else that of the extractor first by name, else the row typed first. Time points are equal if they are so
--   once converted to one unit: 1 week and 7 days are one. Converted time points are rounded to 1e-9 days, so that rounding
--   in the last digit keeps no two apart.
-- Columns:
--   measurement_id: the row of `measurement`
--   study, experiment, arm, outcome: what was measured in whom
--   timepoint, timepoint_unit: in the outcome's unit of time, see `outcome_timepoint`
--   n, mean, sd, se, median, q1, q3, min, max, ci_lower, ci_upper, ci_level, events, exposure: as reported
--   unit: as reported
--   adjusted, source, locator, method, extractor, note: how and where it was read
--   source_file, source_line: where the row stands in the review folder
--   final_measurement_id: the reading that counts; empty if the time point has no unit beside others that have one
create or replace view measurement_reading as
with timed as (
    select
        measurement.*,
        case
            when outcome_timepoint.converted
                then floor(measurement.timepoint * typed.factor / day.factor * 1000000000 + 0.5) / 1000000000
            else measurement.timepoint
        end as common_timepoint,
        case when measurement.timepoint is not null then outcome_timepoint.timepoint_unit end as common_unit,
        case
            when outcome_timepoint.converted and measurement.timepoint is not null and typed.factor is null then 0
            else 1
        end as comparable
    from measurement
    left join outcome_timepoint on measurement.outcome = outcome_timepoint.outcome
    left join unit as typed on measurement.timepoint_unit = typed.unit
    left join unit as day on day.unit = 'd'
)

select
    measurement_id,
    study,
    experiment,
    arm,
    outcome,
    common_timepoint as timepoint,
    common_unit as timepoint_unit,
    n,
    mean,
    sd,
    se,
    median,
    q1,
    q3,
    min,
    max,
    ci_lower,
    ci_upper,
    ci_level,
    events,
    exposure,
    unit,
    adjusted,
    source,
    locator,
    method,
    extractor,
    note,
    source_file,
    source_line,
    case
        when comparable = 1
            then first_value(measurement_id) over (
                partition by study, experiment, arm, outcome, common_timepoint, comparable
                order by case when extractor = 'consensus' then 0 else 1 end, extractor, measurement_id
            )
    end as final_measurement_id
from timed
