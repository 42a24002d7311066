-- Title: What is known of each study, one row per study and variable
-- Grain: study x variable
-- Key: study, variable
-- Formula: The fixed columns of `study` that are filled in, and every row of `characteristic`; not the cells that say
--   why they are empty.
-- Caveats: Values are text. A characteristic named like a fixed column is left out in favour of the column. Cells that
--   say why they are empty (not reported, not applicable, unclear) are no values and have no row.
-- Columns:
--   study: the study
--   variable: column of studies.csv
--   value: what stands there, as text
create or replace view study_variable as
with fixed as (
    select
        study,
        'year' as variable,
        cast(year as varchar) as value
    from study
    union all
    select
        study,
        'design' as variable,
        design as value
    from study
    union all
    select
        study,
        'species' as variable,
        species as value
    from study
    union all
    select
        study,
        'strain' as variable,
        strain as value
    from study
    union all
    select
        study,
        'sex' as variable,
        sex as value
    from study
    union all
    select
        study,
        'age' as variable,
        age as value
    from study
    union all
    select
        study,
        'weight' as variable,
        weight as value
    from study
    union all
    select
        study,
        'model' as variable,
        model as value
    from study
    union all
    select
        study,
        'country' as variable,
        country as value
    from study
    union all
    select
        study,
        characteristic as variable,
        value
    from characteristic
    where characteristic not in ('year', 'design', 'species', 'strain', 'sex', 'age', 'weight', 'model', 'country')
)

select
    study,
    variable,
    value
from fixed
where value not in ('not reported', 'not applicable', 'unclear')
