-- Title: Variables of each measurement, and of each arm of a reported contrast
-- Grain: measurement, or arm of a reported contrast, x variable
-- Key: measurement_id, reported_contrast_id, arm, variable
-- Formula: Own columns of measurements.csv (of contrasts.csv for a reported contrast: the same for both arms),
--   variables of the arm (`arm_variable`), variables of the study (`study_variable`). The finest level that has a value
--   counts. Values with a unit (dose and dose_unit) are converted into the unit that most have, where both are of one
--   dimension (`variable_unit`), to 12 digits, so that what was typed in two units makes one level.
-- Caveats: Codes for missing (not reported, not applicable, unclear) are no values: such a cell has no row. Units that
--   cannot be converted stay apart, see the variable dose_unit: compare values of one unit only.
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

said as (
    select *
    from given
    where value not in ('not reported', 'not applicable', 'unclear')
),

-- Most variables are of one level: only those of several are looked at row by row.
repeated as (
    select variable
    from said
    group by variable
    having min(fineness) < max(fineness)
),

finest as (
    select
        said.measurement_id,
        said.reported_contrast_id,
        said.arm,
        said.variable,
        min(said.fineness) as fineness
    from said
    inner join repeated on said.variable = repeated.variable
    group by said.measurement_id, said.reported_contrast_id, said.arm, said.variable
),

chosen as (
    select
        said.*,
        coalesce(variable.type, 'category') as type
    from said
    left join finest
        on
            said.measurement_id is not distinct from finest.measurement_id
            and said.reported_contrast_id is not distinct from finest.reported_contrast_id
            and said.arm = finest.arm
            and said.variable = finest.variable
    left join variable on said.variable = variable.variable
    where finest.fineness is null or said.fineness = finest.fineness
),

-- The unit beside a number that can be converted.
companion as (
    select
        measurement_id,
        reported_contrast_id,
        arm,
        variable,
        value
    from chosen
    where variable in (select concat(convertible.variable, '_unit') from variable_unit as convertible)
),

converted as (
    select
        chosen.*,
        case
            when of_value.converted_unit is not null then cast(chosen.value as double) * of_value.factor
        end as product,
        of_unit.converted_unit
    from chosen
    left join companion
        on
            chosen.measurement_id is not distinct from companion.measurement_id
            and chosen.reported_contrast_id is not distinct from companion.reported_contrast_id
            and chosen.arm = companion.arm
            and concat(chosen.variable, '_unit') = companion.variable
            and chosen.type = 'numeric'
    left join variable_unit as of_value
        on companion.value = of_value.unit and chosen.variable = of_value.variable
    left join variable_unit as of_unit
        on chosen.variable = concat(of_unit.variable, '_unit') and chosen.value = of_unit.unit
),

digits as (
    select
        converted.*,
        power(
            10,
            case
                when abs(product) > 1e-280 then greatest(0, 11 - floor(ln(abs(product)) / ln(10)))
                else 0
            end
        ) as digit
    from converted
)

select
    measurement_id,
    reported_contrast_id,
    study,
    experiment,
    arm,
    outcome,
    variable,
    level,
    type,
    coalesce(cast(round(product * digit) / digit as varchar), converted_unit, value) as value,
    case when type = 'numeric' then coalesce(round(product * digit) / digit, cast(value as double)) end as number
from digits
