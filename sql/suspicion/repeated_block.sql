-- Title: Blocks of arms all of whose figures stand in another study or experiment
-- Grain: block of two or more arms that repeats an earlier one
-- Key: block
-- Formula: Blocks of one outcome whose texts of `measurement_figures`, in one order, are equal; eight digits in all.
--   score = 1.5 for each significant digit, less the log of the number of pairs of blocks.
-- Caveats: Of several earlier ones the first is named. A step of `suspicion`.
-- Columns:
--   block: the later block
--   other_block: the first block of another study or experiment that has the same figures
--   score: log odds that it is no chance
create or replace view repeated_block as
with counted as (
    select * from measurement_figures
),

block_numbers as (
    select
        block,
        study,
        experiment,
        outcome,
        string_agg(numbers, ' ' order by numbers) as numbers,
        sum(digits) as digits,
        count(*) as n_arms
    from counted
    group by block, study, experiment, outcome
),

size as (
    select ln(case when count(*) > 0 then count(*) end) as log_blocks
    from block_numbers
),

-- Only what repeats is looked at. Of many alike, the first ones are enough to find the first that differs in place.
block_repeated as (
    select
        outcome,
        numbers
    from block_numbers
    group by outcome, numbers
    having count(*) > 1
),

block_unit as (
    select
        block_numbers.outcome,
        block_numbers.numbers,
        block_numbers.study,
        block_numbers.experiment,
        min(block_numbers.block) as block,
        row_number() over (
            partition by block_numbers.outcome, block_numbers.numbers
            order by min(block_numbers.block)
        ) as turn
    from block_numbers
    inner join block_repeated
        on block_numbers.outcome = block_repeated.outcome and block_numbers.numbers = block_repeated.numbers
    group by block_numbers.outcome, block_numbers.numbers, block_numbers.study, block_numbers.experiment
)

select
    later.block,
    min(earlier.block) as other_block,
    max(1.5 * later.digits - 2 * size.log_blocks) as score
from block_numbers as later
inner join block_unit as earlier
    on later.outcome = earlier.outcome and later.numbers = earlier.numbers and later.block > earlier.block
cross join size
where
    later.n_arms > 1 and later.digits >= 8 and earlier.turn <= 2
    and (later.study <> earlier.study or later.experiment <> earlier.experiment)
group by later.block
