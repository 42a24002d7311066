-- Title: Which reading of a measurement counts, and what it is compared with
-- Grain: row of `measurement`
-- Key: measurement_id
-- Stored: when the file is built
-- Rows from: measurement
-- Formula: Rows of the same arm, outcome and time point are readings of one measurement. That of extractor 'consensus'
--   counts; without one, the most cautious: the reading that gives the arm the least weight, which has the largest
--   standard error (SD, else SE, interval, quartiles or range, over the square root of n, in one unit), then the
--   smallest n. What is equal in both is told apart by the smallest mean, median, events and exposure, so that neither
--   the names of the extractors nor the order of the rows decide. Time points are equal if they are so once converted
--   to one unit: 1 week and 7 days are one. Converted time points are rounded to 1e-9 days, so that rounding in the
--   last digit keeps no two apart.
-- Caveats: The order of the spreads takes an SD for interval width sqrt(n)/3.92, quartiles' distance/1.35, range/4. A
--   disagreement without consensus is listed in `audit_extractor_disagreement`. A step of `measurement_reading`.
-- Columns:
--   measurement_id: the row of `measurement`
--   timepoint, timepoint_unit: in the outcome's unit of time, see `outcome_timepoint`
--   final_measurement_id: the reading that counts; empty if the time point has no unit beside others that have one
--   block: number of the study, experiment, outcome and time point, the smallest measurement_id of it
create or replace view measurement_choice as
with timed as (
    select
        measurement.measurement_id,
        measurement.study,
        measurement.experiment,
        measurement.arm,
        measurement.outcome,
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
    cross join (select max(case when unit = 'd' then factor end) as factor from unit) as day
),

first_row as (
    select
        study,
        experiment,
        outcome,
        common_timepoint,
        comparable,
        min(measurement_id) as block
    from timed
    group by study, experiment, outcome, common_timepoint, comparable
),

blocked as (
    select
        timed.measurement_id,
        timed.arm,
        timed.common_timepoint,
        timed.common_unit,
        timed.comparable,
        first_row.block
    from timed
    inner join first_row
        on
            timed.study = first_row.study
            and timed.experiment = first_row.experiment
            and timed.outcome = first_row.outcome
            and timed.common_timepoint is not distinct from first_row.common_timepoint
            and timed.comparable = first_row.comparable
),

-- Most measurements are read once: only the others are ranked.
repeated as (
    select
        block,
        arm
    from blocked
    group by block, arm
    having count(*) > 1
),

chosen as (
    select
        measurement.measurement_id,
        first_value(measurement.measurement_id) over (
            partition by blocked.block, blocked.arm
            order by
                case when measurement.extractor = 'consensus' then 0 else 1 end,
                case when coalesce(measurement.mean, measurement.median, measurement.events) is null then 1 else 0 end,
                coalesce(
                    measurement.sd / sqrt(coalesce(measurement.n, arm.n)),
                    measurement.se,
                    (measurement.ci_upper - measurement.ci_lower) / 3.92,
                    (measurement.q3 - measurement.q1) / (1.35 * sqrt(coalesce(measurement.n, arm.n))),
                    (measurement.max - measurement.min) / (4 * sqrt(coalesce(measurement.n, arm.n)))
                ) * coalesce(unit.factor, 1) desc nulls last,
                coalesce(measurement.n, arm.n) asc nulls last,
                measurement.mean asc nulls last,
                measurement.median asc nulls last,
                measurement.events asc nulls last,
                measurement.exposure asc nulls last,
                measurement.measurement_id asc
        ) as final_measurement_id
    from blocked
    inner join repeated on blocked.block = repeated.block and blocked.arm = repeated.arm
    inner join measurement on blocked.measurement_id = measurement.measurement_id
    inner join arm
        on
            measurement.study = arm.study
            and measurement.experiment = arm.experiment
            and measurement.arm = arm.arm
    left join unit on measurement.unit = unit.unit
)

select
    blocked.measurement_id,
    blocked.common_timepoint as timepoint,
    blocked.common_unit as timepoint_unit,
    case
        when blocked.comparable = 1 then coalesce(chosen.final_measurement_id, blocked.measurement_id)
    end as final_measurement_id,
    blocked.block
from blocked
left join chosen on blocked.measurement_id = chosen.measurement_id
