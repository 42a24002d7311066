-- Title: Means whose SE or SD does not fit their confidence interval
-- Grain: measurement with a mean, an interval, and SE or SD
-- Severity: warning
-- Message: which of them is too large or too small
-- Formula: (upper - lower)/(2 q) differs from SE, or SD/sqrt(n), by more than 3 % and 1.5 standard deviations of what
--   rounding to the digits printed does, for q the normal quantile, that of Student's t on n - 1 degrees of freedom,
--   and all between.
-- Reference: Cochrane Handbook 6.5.2.2.
-- Caveats: Trailing zeros are not stored. The interval of a median is not looked at.
-- Columns:
--   severity: warning
--   message: which of them is too large or too small
--   remedy: what to check
--   study: the study
--   source_file, source_line: the row
create or replace view audit_mean_interval as
with typed as (
    select
        measurement.study,
        measurement.arm,
        measurement.outcome,
        measurement.source_file,
        measurement.source_line,
        measurement.ci_lower,
        measurement.ci_upper,
        coalesce(measurement.n, arm.n) as animals,
        coalesce(measurement.ci_level, 0.95) as level,
        case when measurement.se is not null then 'SE' else 'SD' end as what,
        coalesce(measurement.se, measurement.sd / sqrt(coalesce(measurement.n, arm.n))) as error,
        coalesce(
            printed_unit(measurement.se) / 2, printed_unit(measurement.sd) / (2 * sqrt(coalesce(measurement.n, arm.n)))
        ) as error_room,
        least(printed_unit(measurement.ci_lower), printed_unit(measurement.ci_upper)) / 2 as room
    from measurement
    inner join arm
        on
            measurement.study = arm.study
            and measurement.experiment = arm.experiment
            and measurement.arm = arm.arm
    where
        measurement.mean is not null
        and measurement.ci_lower < measurement.ci_upper
        and coalesce(measurement.n, arm.n) >= 2
),

quantile as (
    select
        level,
        normal_quantile(1 - (1 - level) / 2) as z
    from (
        select distinct level
        from typed
        where error > 0
    ) as distinct_level
),

compared as (
    select
        typed.*,
        (typed.ci_upper - typed.ci_lower) / (2 * quantile.z) as largest,
        (typed.ci_upper - typed.ci_lower) / (2 * student.t) as smallest,
        -- Errors of rounding are uniform, with SD half a unit over sqrt(3).
        1.5 * sqrt(
            (typed.error_room * typed.error_room + typed.room * typed.room / (2 * quantile.z * quantile.z)) / 3
        ) as slack
    from typed
    inner join quantile on typed.level = quantile.level
    inner join interval_quantile as student
        on typed.animals - 1 = student.freedom and typed.level = student.level
    where typed.error > 0
)

select
    'warning' as severity,
    concat(
        'arm ', arm, ', outcome ', outcome, ': the ', what, ' is ',
        case when error > largest then 'larger' else 'smaller' end, ' than the confidence interval says'
    ) as message,
    'look them up again, also n and the level of the interval; keep the one that the article prints' as remedy,
    study,
    source_file,
    source_line
from compared
where error > 1.03 * largest + slack or error < 0.97 * smallest - slack
