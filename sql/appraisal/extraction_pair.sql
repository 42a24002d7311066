-- Title: What two extractors read in the same place
-- Grain: arm x outcome x time point x statistic x pair of extractors
-- Key: study, experiment, arm, outcome, timepoint, statistic, extractor_a, extractor_b
-- Formula: Every statistic that at least one of two extractors gives for a measurement that both read; difference =
--   value_a - value_b.
-- Caveats: Extractor 'consensus' is left out, but settled says whether there is one; the analyses then read that.
--   Numbers are compared as typed, so those in different units have no difference.
-- Columns:
--   study, experiment, arm, outcome: what was measured in whom
--   timepoint, timepoint_unit: when, see `outcome_timepoint`
--   statistic: column of measurements.csv
--   extractor_a, extractor_b: the two, in alphabetical order
--   value_a, value_b: what they read; empty if only the other gives it
--   unit_a, unit_b: units of these values
--   difference: value_a - value_b
--   equal: the values are the same, in the same unit
--   settled: there is a reading of extractor consensus
--   measurement_id_a, measurement_id_b: the rows of `measurement`
create or replace view extraction_pair as
with reading as (
    select
        *,
        max(case when extractor = 'consensus' then 1 else 0 end) over (partition by final_measurement_id) as agreed
    from measurement_reading
    where final_measurement_id is not null
),

pair as (
    select
        a.study,
        a.experiment,
        a.arm,
        a.outcome,
        a.timepoint,
        a.timepoint_unit,
        a.extractor as extractor_a,
        b.extractor as extractor_b,
        a.unit as unit_a,
        b.unit as unit_b,
        a.agreed = 1 as settled,
        a.measurement_id as measurement_id_a,
        b.measurement_id as measurement_id_b,
        a.n as n_a,
        b.n as n_b,
        a.mean as mean_a,
        b.mean as mean_b,
        a.sd as sd_a,
        b.sd as sd_b,
        a.se as se_a,
        b.se as se_b,
        a.median as median_a,
        b.median as median_b,
        a.q1 as q1_a,
        b.q1 as q1_b,
        a.q3 as q3_a,
        b.q3 as q3_b,
        a.min as min_a,
        b.min as min_b,
        a.max as max_a,
        b.max as max_b,
        a.ci_lower as ci_lower_a,
        b.ci_lower as ci_lower_b,
        a.ci_upper as ci_upper_a,
        b.ci_upper as ci_upper_b,
        a.events as events_a,
        b.events as events_b,
        a.exposure as exposure_a,
        b.exposure as exposure_b
    from reading as a
    inner join reading as b on a.final_measurement_id = b.final_measurement_id and a.extractor < b.extractor
    where a.extractor <> 'consensus' and b.extractor <> 'consensus'
),

long as (
    select
        pair.*,
        'n' as statistic,
        n_a as value_a,
        n_b as value_b
    from pair
    union all
    select
        pair.*,
        'mean' as statistic,
        mean_a as value_a,
        mean_b as value_b
    from pair
    union all
    select
        pair.*,
        'sd' as statistic,
        sd_a as value_a,
        sd_b as value_b
    from pair
    union all
    select
        pair.*,
        'se' as statistic,
        se_a as value_a,
        se_b as value_b
    from pair
    union all
    select
        pair.*,
        'median' as statistic,
        median_a as value_a,
        median_b as value_b
    from pair
    union all
    select
        pair.*,
        'q1' as statistic,
        q1_a as value_a,
        q1_b as value_b
    from pair
    union all
    select
        pair.*,
        'q3' as statistic,
        q3_a as value_a,
        q3_b as value_b
    from pair
    union all
    select
        pair.*,
        'min' as statistic,
        min_a as value_a,
        min_b as value_b
    from pair
    union all
    select
        pair.*,
        'max' as statistic,
        max_a as value_a,
        max_b as value_b
    from pair
    union all
    select
        pair.*,
        'ci_lower' as statistic,
        ci_lower_a as value_a,
        ci_lower_b as value_b
    from pair
    union all
    select
        pair.*,
        'ci_upper' as statistic,
        ci_upper_a as value_a,
        ci_upper_b as value_b
    from pair
    union all
    select
        pair.*,
        'events' as statistic,
        events_a as value_a,
        events_b as value_b
    from pair
    union all
    select
        pair.*,
        'exposure' as statistic,
        exposure_a as value_a,
        exposure_b as value_b
    from pair
),

compared as (
    select
        long.*,
        coalesce(unit_a, '') = coalesce(unit_b, '') or statistic in ('n', 'events') as comparable
    from long
)

select
    study,
    experiment,
    arm,
    outcome,
    timepoint,
    timepoint_unit,
    statistic,
    extractor_a,
    extractor_b,
    value_a,
    value_b,
    unit_a,
    unit_b,
    case when comparable then value_a - value_b end as difference,
    comparable and coalesce(value_a = value_b, false) as equal,
    settled,
    measurement_id_a,
    measurement_id_b
from compared
where value_a is not null or value_b is not null
