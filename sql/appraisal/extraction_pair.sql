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

long as (
    select
        a.study,
        a.experiment,
        a.arm,
        a.outcome,
        a.timepoint,
        a.timepoint_unit,
        named.statistic,
        a.extractor as extractor_a,
        b.extractor as extractor_b,
        case named.statistic
            when 'n' then a.n
            when 'mean' then a.mean
            when 'sd' then a.sd
            when 'se' then a.se
            when 'median' then a.median
            when 'q1' then a.q1
            when 'q3' then a.q3
            when 'min' then a.min
            when 'max' then a.max
            when 'ci_lower' then a.ci_lower
            when 'ci_upper' then a.ci_upper
            when 'events' then a.events
            when 'exposure' then a.exposure
        end as value_a,
        case named.statistic
            when 'n' then b.n
            when 'mean' then b.mean
            when 'sd' then b.sd
            when 'se' then b.se
            when 'median' then b.median
            when 'q1' then b.q1
            when 'q3' then b.q3
            when 'min' then b.min
            when 'max' then b.max
            when 'ci_lower' then b.ci_lower
            when 'ci_upper' then b.ci_upper
            when 'events' then b.events
            when 'exposure' then b.exposure
        end as value_b,
        a.unit as unit_a,
        b.unit as unit_b,
        a.agreed = 1 as settled,
        a.measurement_id as measurement_id_a,
        b.measurement_id as measurement_id_b
    from reading as a
    inner join reading as b on a.final_measurement_id = b.final_measurement_id and a.extractor < b.extractor
    cross join (
        values
        ('n'), ('mean'), ('sd'), ('se'), ('median'), ('q1'), ('q3'),
        ('min'), ('max'), ('ci_lower'), ('ci_upper'), ('events'), ('exposure')
    ) as named (statistic)
    where a.extractor <> 'consensus' and b.extractor <> 'consensus'
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
