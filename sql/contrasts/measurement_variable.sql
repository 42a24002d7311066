-- Title: Variables of each measurement, and of each arm of a reported contrast
-- Grain: measurement, or arm of a reported contrast, x variable
-- Key: measurement_id, reported_contrast_id, arm, variable
-- Formula: Own columns of measurements.csv (of contrasts.csv for a reported contrast: the same for both arms), variables of
--   the arm (`arm_variable`), variables of the study (`study_variable`). The finest level that has a value counts.
-- Caveats: Codes for missing (not reported, not applicable, unclear) are no values: such a cell has no row. A dose is as
--   typed, see the variable dose_unit.
-- Columns:
--   measurement_id: the measurement; empty for reported contrasts
--   reported_contrast_id: the reported contrast; empty for measurements
--   study, experiment, arm: whose
--   outcome: of what
--   variable: name of the column
--   level: what the value describes: measurement, contrast (reported), arm or study
--   type: numeric or category, see table `variable`
--   value: the value, as text
--   number: the same as a number; numeric variables only
create or replace view measurement_variable as
with side as (
    select
        measurement_id,
        cast(null as bigint) as reported_contrast_id,
        study,
        experiment,
        arm,
        outcome
    from measurement
    union all
    select
        cast(null as bigint) as measurement_id,
        reported_contrast_id,
        study,
        experiment,
        arm_a as arm,
        outcome
    from reported_contrast
    union all
    select
        cast(null as bigint) as measurement_id,
        reported_contrast_id,
        study,
        experiment,
        arm_b as arm,
        outcome
    from reported_contrast
),

given as (
    select
        side.*,
        own.characteristic as variable,
        own.value,
        'measurement' as level,
        1 as fineness
    from side
    inner join measurement_characteristic as own on side.measurement_id = own.measurement_id
    union all
    select
        side.*,
        own.characteristic as variable,
        own.value,
        'contrast' as level,
        1 as fineness
    from side
    inner join contrast_characteristic as own on side.reported_contrast_id = own.reported_contrast_id
    union all
    select
        side.*,
        arm_variable.variable,
        arm_variable.value,
        'arm' as level,
        2 as fineness
    from side
    inner join arm_variable
        on side.study = arm_variable.study and side.experiment = arm_variable.experiment and side.arm = arm_variable.arm
    union all
    select
        side.*,
        study_variable.variable,
        study_variable.value,
        'study' as level,
        3 as fineness
    from side
    inner join study_variable on side.study = study_variable.study
),

ranked as (
    select
        given.*,
        row_number() over (
            partition by measurement_id, reported_contrast_id, arm, variable
            order by fineness
        ) as choice
    from given
    where value not in ('not reported', 'not applicable', 'unclear')
)

select
    ranked.measurement_id,
    ranked.reported_contrast_id,
    ranked.study,
    ranked.experiment,
    ranked.arm,
    ranked.outcome,
    ranked.variable,
    ranked.level,
    coalesce(variable.type, 'category') as type,
    ranked.value,
    case when variable.type = 'numeric' then cast(ranked.value as double) end as number
from ranked
left join variable on ranked.variable = variable.variable
where ranked.choice = 1
