-- Title: Measurements that a step on the way to a contrast could not use
-- Grain: reading or measurement x step that could not use it (x measure)
-- Key: stage, row_id, measure
-- Formula: What one of the steps measurement -> measurement_final -> measurement_standard -> arm_effect -> contrast
--   takes in and does not give back.
-- Caveats: A step of `exclusion`, which has the words and the places. NMD is asked for only where the outcome was
--   measured in a sham arm somewhere.
-- Columns:
--   row_id: the row of `measurement`
--   measure: the effect measure that is lost; empty if all are
--   stage: the view that does not have the row
--   code: what is wrong, see table `reason`
--   detail, more: what the words of that reason leave open
create or replace view unused_measurement as
-- Materialized, every one: with some inlined and some not, DuckDB 1.5 can wait for itself for ever.
with standard as materialized (
    select
        measurement_id,
        block,
        arm,
        role,
        treatment,
        kind,
        outcome,
        events
    from measurement_standard
),

-- Measures that the arms of an outcome are asked for, beyond the one that every arm has.
expected as materialized (
    select
        asked.outcome,
        measure_of.measure
    from (
        select
            outcome,
            min(kind) as kind,
            count(case when role = 'sham' then 1 end) as n_sham
        from standard
        group by outcome
    ) as asked
    inner join (
        values ('continuous', 'ROM'), ('continuous', 'NMD'), ('binary', 'OR'), ('binary', 'RR'), ('rate', 'IRR')
    ) as measure_of (kind, measure)
        on asked.kind = measure_of.kind and (measure_of.measure <> 'NMD' or asked.n_sham > 0)
),

expected_count as materialized (
    select
        outcome,
        count(*) as n_expected
    from expected
    group by outcome
),

effect_count as materialized (
    select
        measurement_id,
        count(case when measure in ('ROM', 'NMD', 'OR', 'RR', 'IRR') then 1 end) as n_given
    from arm_effect
    group by measurement_id
),

-- Nearly every measurement has all measures: only the others are looked at one by one.
incomplete as materialized (
    select
        standard.measurement_id,
        standard.block,
        standard.outcome
    from standard
    inner join expected_count on standard.outcome = expected_count.outcome
    left join effect_count on standard.measurement_id = effect_count.measurement_id
    where coalesce(effect_count.n_given, 0) < expected_count.n_expected
),

lost as materialized (
    select
        incomplete.measurement_id,
        incomplete.block,
        expected.measure
    from incomplete
    inner join expected on incomplete.outcome = expected.outcome
    left join arm_effect
        on incomplete.measurement_id = arm_effect.measurement_id and expected.measure = arm_effect.measure
    where arm_effect.measurement_id is null
),

of_block as materialized (
    select
        block,
        count(*) as n_arms,
        min(treatment) as first_treatment,
        max(treatment) as last_treatment,
        count(case when role = 'control' then 1 end) as n_control,
        count(case when role = 'sham' then 1 end) as n_sham,
        max(events) as most_events
    from standard
    where
        block in (select lost.block from lost)
        or block in (select single.block from unpaired_measurement as single)
    group by block
)

select
    reading.measurement_id as row_id,
    cast(null as varchar) as measure,
    'measurement_final' as stage,
    case
        when reading.final_measurement_id is null then 'no_time_unit'
        when reading.extractor = final.extractor then 'typed_twice'
        when final.extractor = 'consensus' then 'consensus'
        else 'cautious_reading'
    end as code,
    final.extractor as detail,
    concat(final.source_file, ':', cast(final.source_line as varchar)) as more
from measurement_reading as reading
left join measurement as final on reading.final_measurement_id = final.measurement_id
where reading.final_measurement_id is null or reading.final_measurement_id <> reading.measurement_id
union all
select
    measurement_id as row_id,
    cast(null as varchar) as measure,
    'measurement_standard' as stage,
    problem as code,
    unit_typed as detail,
    unit as more
from measurement_derived
where problem is not null
union all
select
    lost.measurement_id as row_id,
    lost.measure,
    'arm_effect' as stage,
    case
        when measure = 'ROM' then 'mean_not_positive'
        when measure = 'NMD' and n_sham = 0 then 'no_sham'
        when measure = 'NMD' and n_control = 0 then 'no_control'
        when measure = 'NMD' and (n_sham > 1 or n_control > 1) then 'several_controls'
        when measure = 'NMD' then 'no_lesion'
        when most_events = 0 then 'no_event'
        else 'only_events'
    end as code,
    case
        when measure = 'IRR' then 'IRD'
        when most_events = 0 then 'RD'
        else 'RR and RD'
    end as detail,
    cast(null as varchar) as more
from lost
inner join of_block on lost.block = of_block.block
union all
select
    single.measurement_id as row_id,
    single.measure,
    'contrast' as stage,
    case
        when measure = 'MD' then 'mixed_units'
        when measure is not null then 'no_partner'
        when n_arms = 1 then 'no_other_arm'
        when first_treatment = last_treatment then 'one_treatment'
        else 'other_units'
    end as code,
    cast(null as varchar) as detail,
    cast(null as varchar) as more
from unpaired_measurement as single
inner join of_block on single.block = of_block.block
