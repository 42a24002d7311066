-- Title: The likeliest slip of each block of arms, each copied row and each impossible number
-- Grain: block of arms, or row of `suspect_copy` or `suspect_score`
-- Key: block, cause, measurement_id, other_measurement_id, column_name
-- Formula: The slips that `suspect_spread`, `suspect_unit` and `suspect_value` find in a block of arms shut each other
--   out, so their odds against chance add up: score = ln(sum of exp(score)), each slip counted once, is the log odds
--   that something in the block is mistyped. Where it is above 0.3 (odds of 4 to 3) the likeliest slip is shown. Beside
--   that every row of `suspect_copy` with a score above 0; every row of `suspect_score`.
-- Reference: see the views it is made of
-- Caveats: A step of `suspicion`, which says it in words.
-- Columns:
--   block: number of the study, experiment, outcome and time point
--   cause: see `suspicion`
--   arm: the arm, empty if it is all of them or the row says it
--   measurement_id, other_measurement_id: the row, and the row it was copied from or swapped with, where it is one row
--   column_name, typed, value: the number, and what it would be, where it is one number
--   factor: what the block's statistics are multiplied with, where it is all of them
--   ratio, mended_ratio: over the usual one (for a swap or one number: distance from it in scales), as typed and mended
--   score: log odds that it is no chance; empty where it is impossible
create or replace view likely_slip as
with numeric_slip as (
    select
        block,
        cause,
        arm,
        cast(null as bigint) as measurement_id,
        cast(null as bigint) as other_measurement_id,
        cast(null as varchar) as column_name,
        cast(null as double) as typed,
        cast(null as double) as value,
        factor,
        ratio,
        mended_ratio,
        score
    from suspect_spread
    union all
    select
        block,
        'unit' as cause,
        cast(null as varchar) as arm,
        cast(null as bigint) as measurement_id,
        cast(null as bigint) as other_measurement_id,
        cast(null as varchar) as column_name,
        cast(null as double) as typed,
        cast(null as double) as value,
        factor,
        ratio,
        mended_ratio,
        score
    from suspect_unit
    union all
    select
        block,
        cause,
        arm,
        measurement_id,
        other_measurement_id,
        column_name,
        typed,
        value,
        cast(null as double) as factor,
        distance as ratio,
        mended_distance as mended_ratio,
        score
    from suspect_value
),

-- A number is weighed in every pair of its arm: one slip, once.
distinct_slip as (
    select
        numeric_slip.*,
        row_number() over (
            partition by block, cause, arm, column_name, value, factor order by score desc, other_measurement_id asc
        ) as occurrence
    from numeric_slip
),

ranked as (
    select
        distinct_slip.*,
        sum(exp(least(score, 300))) over (partition by block) as odds,
        row_number() over (
            -- The same to six decimals is a tie: rounding does not choose.
            partition by block
            order by floor(1000000 * score + 0.5) desc, cause asc, arm asc, column_name asc, value asc, factor asc
        ) as place
    from distinct_slip
    where occurrence = 1
)

select
    block,
    cause,
    arm,
    measurement_id,
    other_measurement_id,
    column_name,
    typed,
    value,
    factor,
    ratio,
    mended_ratio,
    ln(case when odds > 0 then odds end) as score
from ranked
where place = 1 and odds > exp(0.3)
union all
select
    block,
    cause,
    cast(null as varchar) as arm,
    measurement_id,
    other_measurement_id,
    cast(null as varchar) as column_name,
    cast(null as double) as typed,
    cast(null as double) as value,
    cast(null as double) as factor,
    cast(null as double) as ratio,
    cast(null as double) as mended_ratio,
    score
from suspect_copy
where score > 0
union all
select
    block,
    cause,
    cast(null as varchar) as arm,
    measurement_id,
    cast(null as bigint) as other_measurement_id,
    case when cause = 'impossible_mean' then 'mean' else 'sd' end as column_name,
    typed,
    nearest as value,
    cast(null as double) as factor,
    cast(null as double) as ratio,
    cast(null as double) as mended_ratio,
    cast(null as double) as score
from suspect_score
