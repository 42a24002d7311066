-- Title: Variables of each contrast: of its study, its arms and its own rows
-- Grain: contrast x variable
-- Key: contrast_id, variable
-- Formula: The value of `measurement_variable` on side a, that of the treated arm where a treatment is compared with a
--   control, and beside it that on side b; and the time point of the contrast.
-- Caveats: Where treatment b is the one asked about, its value is value_b. Codes for missing (not reported, not
--   applicable, unclear) are no values: where the cell is such a code, or empty, there is no row, or value is empty.
-- Columns:
--   contrast_id: the contrast, see `contrast`
--   study, outcome, measure: as in `contrast`
--   variable: name of the column, or timepoint
--   level: what the value describes: measurement, contrast (reported), arm or study
--   type: numeric or category, see table `variable`
--   value: value on side a, as text
--   number: the same as a number; numeric variables only
--   value_b, number_b: the same on side b
create or replace view contrast_variable as
with every_contrast as (
    select
        contrast.*,
        cast(nullif(split_part(measurement_ids, ',', 1), '') as bigint) as measurement_a,
        cast(nullif(split_part(measurement_ids, ',', 2), '') as bigint) as measurement_b
    from contrast
),

known as (
    select * from measurement_variable
),

given as (
    select
        every_contrast.contrast_id,
        'a' as side,
        known.variable,
        known.level,
        known.type,
        known.value,
        known.number
    from every_contrast
    inner join known on every_contrast.measurement_a = known.measurement_id
    union all
    select
        every_contrast.contrast_id,
        'b' as side,
        known.variable,
        known.level,
        known.type,
        known.value,
        known.number
    from every_contrast
    inner join known on every_contrast.measurement_b = known.measurement_id
    union all
    select
        every_contrast.contrast_id,
        case when known.arm = every_contrast.arm_a then 'a' else 'b' end as side,
        known.variable,
        known.level,
        known.type,
        known.value,
        known.number
    from every_contrast
    inner join known on every_contrast.reported_contrast_id = known.reported_contrast_id
    union all
    select
        every_contrast.contrast_id,
        both_sides.side,
        'timepoint' as variable,
        'measurement' as level,
        'numeric' as type,
        cast(every_contrast.timepoint as varchar) as value,
        every_contrast.timepoint as number
    from every_contrast
    cross join (
        select 'a' as side
        union all
        select 'b' as side
    ) as both_sides
    where every_contrast.timepoint is not null
),

sides as (
    select
        contrast_id,
        variable,
        min(level) as level,
        min(type) as type,
        max(case when side = 'a' then value end) as value,
        max(case when side = 'a' then number end) as number,
        max(case when side = 'b' then value end) as value_b,
        max(case when side = 'b' then number end) as number_b
    from given
    group by contrast_id, variable
)

select
    sides.contrast_id,
    every_contrast.study,
    every_contrast.outcome,
    every_contrast.measure,
    sides.variable,
    sides.level,
    sides.type,
    sides.value,
    sides.number,
    sides.value_b,
    sides.number_b
from sides
inner join every_contrast on sides.contrast_id = every_contrast.contrast_id
