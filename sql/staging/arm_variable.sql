-- Title: What is known of each arm, one row per arm and variable
-- Grain: arm x variable
-- Key: study, experiment, arm, variable
-- Formula: dose, its unit, route and timing of `arm` where they are filled in, and every row of `arm_characteristic`;
--   not the cells that say why they are empty.
-- Caveats: Values are text. A dose is as typed: `dose_unit` says in what. Cells that say why they are empty (not
--   reported, not applicable, unclear) are no values and have no row.
-- Columns:
--   study, experiment, arm: the arm
--   variable: column of arms.csv
--   value: what stands there, as text
create or replace view arm_variable as
with fixed as (
    select
        study,
        experiment,
        arm,
        'dose' as variable,
        cast(dose as varchar) as value
    from arm
    union all
    select
        study,
        experiment,
        arm,
        'dose_unit' as variable,
        dose_unit as value
    from arm
    union all
    select
        study,
        experiment,
        arm,
        'route' as variable,
        route as value
    from arm
    union all
    select
        study,
        experiment,
        arm,
        'timing' as variable,
        timing as value
    from arm
    union all
    select
        study,
        experiment,
        arm,
        characteristic as variable,
        value
    from arm_characteristic
)

select
    study,
    experiment,
    arm,
    variable,
    value
from fixed
where value not in ('not reported', 'not applicable', 'unclear')
