-- Title: Measurements that no contrast compares, at all or in one measure
-- Grain: measurement x measure that no contrast has
-- Key: measurement_id, measure
-- Formula: Rows of `arm_effect` whose arm stands on no side of a contrast of its block in that measure.
-- Caveats: A step of `exclusion`. Where each arm of a block is compared with each other one, k arms have k (k - 1) / 2
--   contrasts, and nothing is looked up arm by arm.
-- Columns:
--   measurement_id: the row of `measurement`
--   block: number of the study, experiment, outcome and time point
--   measure: the measure; empty if the measurement is compared in none
create or replace view unpaired_measurement as
-- Materialized, every one: with some inlined and some not, DuckDB 1.5 can wait for itself for ever.
with block_effect as materialized (
    select
        block,
        measure,
        count(*) as n_arms
    from arm_effect
    group by block, measure
),

block_contrast as materialized (
    select
        block,
        measure,
        count(*) as n_contrasts
    from contrast
    group by block, measure
),

-- Where each arm is compared with each other one, none is without a partner.
unequal as materialized (
    select
        block_effect.block,
        block_effect.measure
    from block_effect
    left join block_contrast
        on block_effect.block = block_contrast.block and block_effect.measure = block_contrast.measure
    where
        block_effect.n_arms = 1
        or 2 * coalesce(block_contrast.n_contrasts, 0) <> block_effect.n_arms * (block_effect.n_arms - 1)
),

side as materialized (
    select
        block,
        measure,
        arm_a as arm
    from contrast
    where block in (select unequal.block from unequal)
    union
    select
        block,
        measure,
        arm_b as arm
    from contrast
    where block in (select unequal.block from unequal)
),

compared as materialized (
    select distinct
        block,
        arm
    from side
),

unpaired as materialized (
    select
        arm_effect.measurement_id,
        arm_effect.block,
        arm_effect.arm,
        arm_effect.measure
    from arm_effect
    inner join unequal on arm_effect.block = unequal.block and arm_effect.measure = unequal.measure
    left join side
        on
            arm_effect.block = side.block
            and arm_effect.measure = side.measure
            and arm_effect.arm = side.arm
    where side.block is null
)

select distinct
    unpaired.measurement_id,
    unpaired.block,
    case when compared.block is not null then unpaired.measure end as measure
from unpaired
left join compared on unpaired.block = compared.block and unpaired.arm = compared.arm
