-- Title: Mean and SD of every measurement, or why there is none
-- Grain: measurement of `measurement_final`
-- Key: measurement_id
-- Stored: when the file is built
-- Rows from: measurement
-- Formula: The first of these that is possible. SD as reported; SD = SE * sqrt(n); SD from the confidence interval of a
--   mean, sqrt(n) * (upper - lower) / (2 * t) with t the quantile of Student's distribution on n - 1 degrees of
--   freedom; SD from quartiles and range (a = minimum, b = maximum, z1 and z2 the normal quantiles of (n - 0.375) / (n
--   + 0.25) and (0.75 n - 0.125) / (n + 0.25)): S1, range: (b - a) / (2 z1); S2, quartiles: (q3 - q1) / (2 z2); S3,
--   both: half the sum of the two. A missing mean from the median m and S1: w (a + b) / 2 + (1 - w) m, w = 4 / (4 +
--   n^0.75); S2: w (q1 + q3) / 2 + (1 - w) m, w = 0.7 + 0.39 / n; S3: w1 (a + b) / 2 + w2 (q1 + q3) / 2 + (1 - w1 - w2)
--   m, w1 = 2.2 / (2.2 + n^0.75), w2 = 0.7 - 0.72 / n^0.55. Means and SDs are multiplied by the typed unit's factor and
--   divided by that of the outcome's unit.
-- Reference: SD of quartiles and range: Wan X et al. (2014), BMC Med Res Methodol 14:135, equations 9, 15, 12. Mean:
--   Luo D et al. (2018), Stat Methods Med Res 27:1785-1805, equations 7, 11, 15. SE and interval: Higgins JPT et al.,
--   Cochrane Handbook, 6.5.2.2.
-- Caveats: The formulas for quartiles and range take the values for roughly normal. A standard error or a confidence
--   interval beside a median, not a mean, is not used. The unit of a measurement typed without one is the outcome's. A
--   step of `measurement_standard`.
-- Columns:
--   measurement_id: the row of `measurement`
--   study, experiment, arm: in whom
--   treatment, role: the arm's treatment and that treatment's role
--   outcome, kind: what was measured, and its kind
--   timepoint, timepoint_unit: in the outcome's unit of time
--   n: animals or participants, of the measurement, else of the arm
--   mean, sd: in the outcome's unit; continuous outcomes only
--   events: of n or in exposure; binary and rate outcomes only
--   exposure: time at risk; rate outcomes only
--   unit: the outcome's, else the one typed
--   unit_typed: as reported
--   derivation: reported, se, ci, range, quartiles, quartiles_range (where the SD came from; the mean is reported), or
--     median_range, median_quartiles, median_quartiles_range (the mean came from the median)
--   flags: comma list of n_from_arm, unit_converted, luo2018 (mean estimated), wan2014 (SD estimated), sd_reported
--     (reported SD beside an estimated mean)
--   problem: a word for why the measurement cannot be used, empty if it can
--   source, locator, source_file, source_line: where it was read and where it is typed
--   block: number of the study, experiment, outcome and time point
create or replace view measurement_derived as
with typed as (
    select
        final.*,
        arm.treatment,
        treatment.role,
        outcome.kind,
        outcome.kind = 'continuous' as continuous,
        coalesce(final.n, arm.n) as animals,
        coalesce(final.ci_level, 0.95) as level,
        coalesce(outcome.unit, final.unit) as common_unit,
        case
            when final.unit is null or outcome.unit is null or final.unit = outcome.unit then 1.0
            when from_unit.dimension = to_unit.dimension then from_unit.factor
        end as multiplier,
        case
            when final.unit is null or outcome.unit is null or final.unit = outcome.unit then 1.0
            else to_unit.factor
        end as divisor,
        case
            when q1 is not null and q3 is not null and min is not null and max is not null then 'quartiles_range'
            when q1 is not null and q3 is not null then 'quartiles'
            when min is not null and max is not null then 'range'
        end as scenario
    from measurement_final as final
    inner join arm
        on final.study = arm.study and final.experiment = arm.experiment and final.arm = arm.arm
    inner join treatment on arm.treatment = treatment.treatment
    inner join outcome on final.outcome = outcome.outcome
    left join unit as from_unit on final.unit = from_unit.unit
    left join unit as to_unit on outcome.unit = to_unit.unit
),

coded as (
    select
        typed.*,
        case
            when mean is not null then 'mean'
            when median is not null and animals >= 2 then scenario
        end as center,
        case
            when sd is not null then 'reported'
            when mean is not null and se is not null then 'se'
            when mean is not null and ci_lower is not null and ci_upper is not null then 'ci'
            else scenario
        end as spread
    from typed
),

normal as (
    select
        animals as size,
        normal_quantile((animals - 0.375) / (animals + 0.25)) as z_range,
        normal_quantile((0.75 * animals - 0.125) / (animals + 0.25)) as z_quartiles
    from (
        -- Of all that could be needed: a measurement without its own n has that of its arm.
        select n as animals
        from measurement_final
        where n >= 2 and (q1 is not null or min is not null)
        union
        select n as animals
        from arm
        where n >= 2
    ) as distinct_n
),

solved as (
    select
        coded.*,
        case
            when not continuous then null
            when center = 'mean' then mean
            when center = 'range'
                then
                    4 / (4 + power(animals, 0.75)) * (min + max) / 2
                    + (1 - 4 / (4 + power(animals, 0.75))) * median
            when center = 'quartiles'
                then (0.7 + 0.39 / animals) * (q1 + q3) / 2 + (0.3 - 0.39 / animals) * median
            when center = 'quartiles_range'
                then
                    2.2 / (2.2 + power(animals, 0.75)) * (min + max) / 2
                    + (0.7 - 0.72 / power(animals, 0.55)) * (q1 + q3) / 2
                    + (0.3 + 0.72 / power(animals, 0.55) - 2.2 / (2.2 + power(animals, 0.75))) * median
        end * multiplier / divisor as common_mean,
        case
            when not continuous then null
            when spread = 'reported' then sd
            when spread = 'se' then se * sqrt(animals)
            when spread = 'ci' then sqrt(animals) * (ci_upper - ci_lower) / (2 * student.t)
            when spread = 'range' then (max - min) / (2 * normal.z_range)
            when spread = 'quartiles' then (q3 - q1) / (2 * normal.z_quartiles)
            when spread = 'quartiles_range'
                then (max - min) / (4 * normal.z_range) + (q3 - q1) / (4 * normal.z_quartiles)
        end * multiplier / divisor as common_sd
    from coded
    left join interval_quantile as student
        on coded.spread = 'ci' and coded.animals - 1 = student.freedom and coded.level = student.level
    left join normal on coded.animals = normal.size
)

select
    measurement_id,
    study,
    experiment,
    arm,
    treatment,
    role,
    outcome,
    kind,
    timepoint,
    timepoint_unit,
    animals as n,
    common_mean as mean,
    common_sd as sd,
    case when kind in ('binary', 'rate') then events end as events,
    case when kind = 'rate' then exposure end as exposure,
    common_unit as unit,
    unit as unit_typed,
    case
        when not continuous then 'reported'
        when center = 'mean' then spread
        else concat('median_', center)
    end as derivation,
    concat_ws(
        ',',
        case when n is null and animals is not null then 'n_from_arm' end,
        case when continuous and unit <> common_unit then 'unit_converted' end,
        case when continuous and center <> 'mean' then 'luo2018' end,
        case when continuous and spread in ('range', 'quartiles', 'quartiles_range') then 'wan2014' end,
        case when continuous and center <> 'mean' and spread = 'reported' then 'sd_reported' end
    ) as flags,
    case
        when kind = 'time_to_event' then 'time_to_event'
        when kind in ('binary', 'rate') and events is null then 'no_events'
        when kind = 'rate' and exposure is null then 'no_exposure'
        when kind = 'rate' then null
        when continuous and multiplier is null then 'unit'
        when continuous and mean is null and median is null then 'no_mean'
        when animals is null then 'no_n'
        when kind = 'binary' and events > animals then 'events_above_n'
        when kind = 'binary' then null
        when animals < 2 then 'n_below_2'
        when mean is null and scenario is null then 'median_only'
        when spread is null then 'no_spread'
        when common_sd = 0 then 'zero_spread'
        when common_sd < 0 then 'negative_spread'
        -- Beyond these a square, and so a variance, would overflow or vanish.
        when abs(common_mean) > 1e150 or common_sd > 1e150 or common_sd < 1e-150 then 'not_finite'
    end as problem,
    source,
    locator,
    source_file,
    source_line,
    block
from solved
