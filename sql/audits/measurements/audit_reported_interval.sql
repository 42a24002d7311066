-- Title: Reported contrasts whose estimate, interval and SE do not fit
-- Grain: reported contrast x kind of misfit
-- Severity: error if the estimate is outside its interval; else warning
-- Message: what does not fit
-- Formula: On the scale of the analysis (ratios by ln). Outside: the estimate is beyond a limit by more than rounding
--   to different digits explains. Off centre: it is further from the middle than rounding and a tenth of the half
--   width. SE: (upper - lower)/(2 q) differs from the SE by more than rounding and 3 %, for the normal quantile q and
--   for that of Student's t on n_a + n_b - 2 degrees of freedom (of a difference; on 4 where n is not known) and all
--   between. Rounding is half a unit of the last digit.
-- Reference: Cochrane Handbook 6.3.2 and 6.5.2.3.
-- Caveats: Trailing zeros are not stored; the finest of the three numbers says how far they are rounded. Exact and
--   bootstrap intervals are not symmetric.
-- Columns:
--   severity: error or warning
--   message: what does not fit
--   remedy: what to check
--   study: the study
--   source_file, source_line: the row
create or replace view audit_reported_interval as
with typed as (
    select
        reported.*,
        side.is_ratio,
        side.is_ratio and coalesce(reported.scale, 'log') = 'natural' as as_ratio,
        coalesce(reported.ci_level, 0.95) as level,
        side.first_n + side.second_n as total,
        least(printed_unit(reported.estimate), printed_unit(reported.ci_lower), printed_unit(reported.ci_upper)) / 2
            as room,
        printed_unit(reported.se) / 2 as se_room,
        -- Rounding to the same digits keeps the order of numbers.
        case
            when printed_unit(reported.estimate) <> printed_unit(reported.ci_lower)
                then (printed_unit(reported.estimate) + printed_unit(reported.ci_lower)) / 2
            else 0
        end as low_gap,
        case
            when printed_unit(reported.estimate) <> printed_unit(reported.ci_upper)
                then (printed_unit(reported.estimate) + printed_unit(reported.ci_upper)) / 2
            else 0
        end as high_gap
    from reported_contrast as reported
    inner join reported_contrast_side as side on reported.reported_contrast_id = side.reported_contrast_id
    where
        reported.estimate is not null and reported.ci_lower is not null and reported.ci_upper is not null
        and reported.ci_lower < reported.ci_upper
),

placed as (
    select
        typed.*,
        case when not as_ratio then estimate when estimate > 0 then ln(estimate) end as effect,
        case when not as_ratio then ci_lower when ci_lower > 0 then ln(ci_lower) end as low,
        case when not as_ratio then ci_upper when ci_upper > 0 then ln(ci_upper) end as high,
        -- How far rounding can have moved each of them.
        case when not as_ratio then room when estimate > 0 then room / nullif(estimate, 0) end as effect_room,
        case when not as_ratio then room when ci_lower > 0 then room / nullif(ci_lower, 0) end as low_room,
        case when not as_ratio then room when ci_upper > 0 then room / nullif(ci_upper, 0) end as high_room,
        case
            when is_ratio then null
            when total > 2 then total - 2
            else 4
        end as freedom
    from typed
),

quantile as (
    select
        level,
        normal_quantile(1 - (1 - level) / 2) as z
    from (
        select distinct level
        from placed
    ) as distinct_level
),

-- The SE may be that of the logarithm or, unless said, of the ratio itself.
meant as (
    select
        placed.*,
        case
            when not is_ratio then se
            when se_scale = 'natural' then se / nullif(case when abs(effect) < 700 then exp(effect) end, 0)
            else se
        end as error,
        case
            when is_ratio and as_ratio and se_scale is null
                then se / nullif(case when abs(effect) < 700 then exp(effect) end, 0)
        end as other_error
    from placed
),

measured as (
    select
        meant.*,
        (low + high) / 2 as middle,
        (high - low) / 2 as half,
        (high - low) / (2 * quantile.z) as largest_se,
        (high - low) / (2 * coalesce(student.t, quantile.z)) as smallest_se,
        (low_room + high_room) / (2 * quantile.z)
        + case when se_scale = 'natural' and is_ratio then se_room / nullif(se, 0) * error else se_room end as slack
    from meant
    inner join quantile on meant.level = quantile.level
    left join interval_quantile as student
        on meant.level = student.level and meant.freedom = student.freedom
),

found as (
    select
        measured.*,
        ci_lower - estimate > low_gap or estimate - ci_upper > high_gap as outside,
        abs(effect - middle) > effect_room + (low_room + high_room) / 2 + 0.1 * half as off_centre,
        (
            error > 1.03 * largest_se + slack or error < 0.97 * smallest_se - slack
        ) and (
            other_error is null
            or other_error > 1.03 * largest_se + slack or other_error < 0.97 * smallest_se - slack
        ) as other_se
    from measured
)

select
    'error' as severity,
    concat(
        measure, ' of ', outcome, ', ', arm_a, ' against ', arm_b, ': the interval does not hold its estimate'
    ) as message,
    'look the three numbers up again; a ratio and its interval are on one scale' as remedy,
    study,
    source_file,
    source_line
from found
where outside
union all
select
    'warning' as severity,
    concat(
        measure, ' of ', outcome, ', ', arm_a, ' against ', arm_b,
        ': the estimate is not in the middle of its interval', case when is_ratio then ' on the log scale' else '' end
    ) as message,
    'look the three numbers up again; right for an exact or bootstrap interval, whose SE should then be given'
        as remedy,
    study,
    source_file,
    source_line
from found
where off_centre and not outside
union all
select
    'warning' as severity,
    concat(
        measure, ' of ', outcome, ', ', arm_a, ' against ', arm_b, ': the SE is ',
        case when error > largest_se then 'larger' else 'smaller' end, ' than the interval says'
    ) as message,
    'look both up again, also the level of the interval; a ratio''s SE needs its se_scale' as remedy,
    study,
    source_file,
    source_line
from found
where other_se
