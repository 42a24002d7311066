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
with derived as materialized (
    select * from measurement_derived
),

standard as materialized (
    select
        derived.*,
        count(*) over arms_of_block as n_arms,
        min(treatment) over arms_of_block as first_treatment,
        max(treatment) over arms_of_block as last_treatment,
        count(case when role = 'control' then 1 end) over arms_of_block as n_control,
        count(case when role = 'sham' then 1 end) over arms_of_block as n_sham,
        max(events) over arms_of_block as most_events
    from derived
    where problem is null
    window arms_of_block as (partition by block)
),

expected (kind, measure) as materialized (
    values ('continuous', 'ROM'), ('continuous', 'NMD'), ('binary', 'OR'), ('binary', 'RR'), ('rate', 'IRR')
),

effect as materialized (
    select
        measurement_id,
        measure
    from arm_effect
),

lost as materialized (
    select
        standard.*,
        expected.measure
    from standard
    inner join expected on standard.kind = expected.kind
    left join effect on standard.measurement_id = effect.measurement_id and expected.measure = effect.measure
    where
        effect.measurement_id is null
        and (
            expected.measure <> 'NMD'
            or standard.outcome in (
                select sham.outcome from standard as sham
                where sham.role = 'sham'
            )
        )
),

side as materialized (
    select
        block,
        measure,
        arm_a as arm
    from contrast
    union
    select
        block,
        measure,
        arm_b as arm
    from contrast
),

pair as materialized (
    select
        standard.measurement_id,
        side.measure
    from standard
    inner join side on standard.block = side.block and standard.arm = side.arm
),

-- Compared in no measure at all; not in this one.
single as materialized (
    select
        standard.*,
        cast(null as varchar) as measure
    from standard
    where
        measurement_id in (select measurement_id from effect)
        and measurement_id not in (select measurement_id from pair)
    union all
    select
        standard.*,
        effect.measure
    from standard
    inner join effect on standard.measurement_id = effect.measurement_id
    left join pair on effect.measurement_id = pair.measurement_id and effect.measure = pair.measure
    where
        pair.measurement_id is null
        and effect.measurement_id in (select other.measurement_id from pair as other)
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
from derived
where problem is not null
union all
select
    measurement_id as row_id,
    measure,
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
union all
select
    measurement_id as row_id,
    measure,
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
from single
