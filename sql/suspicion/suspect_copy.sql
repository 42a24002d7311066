-- Title: The same numbers twice
-- Grain: row of `measurement_final` that repeats an earlier one x cause
-- Key: measurement_id, cause
-- Formula: Rows of one outcome whose statistics are equal figure by figure. copied_row: two arms of one block (five
--   significant digits or more), or one arm under two outcomes or times (four). entered_twice: every arm of a block has
--   its like in one block of another study or experiment (eight digits in all). control_twice: a control's numbers
--   stand in another study or experiment (five digits), nothing says that it is shared, and the other arms differ.
--   score = 1.5 for each significant digit, less the log of the number of pairs that were compared.
-- Caveats: Digits that happen to agree are the likelier the fewer they are; zeros at either end do not count. A step of
--   `suspicion`.
-- Columns:
--   measurement_id, block: the later row
--   other_measurement_id, other_block: the earlier row
--   cause: copied_row, entered_twice, control_twice
--   score: log odds that it is no chance
create or replace view suspect_copy as
with counted as (
    select * from measurement_figures
),

block_twice as (
    select * from repeated_block
),

size as (
    select ln(case when count(*) > 0 then count(*) end) as log_rows
    from counted
),

-- Only what repeats is looked at. Of many alike, the first ones are enough to find the first that differs in place.
repeated as (
    select numbers
    from counted
    group by numbers
    having count(*) > 1
),

copied as (
    select counted.*
    from counted
    inner join repeated on counted.numbers = repeated.numbers
),

control as (
    select
        measurement_id,
        block,
        study,
        experiment,
        outcome,
        numbers,
        digits,
        row_number() over (partition by numbers, outcome, study, experiment, block order by measurement_id) as of_block
    from copied
    where role = 'control' and continuous and digits >= 5 and shared_control_of is null
),

-- The first row of the first two blocks of each study and experiment.
control_first as (
    select
        control.*,
        row_number() over (
            partition by numbers, outcome, study, experiment
            order by measurement_id
        ) as of_unit,
        min(measurement_id) over (partition by numbers, outcome, study, experiment) as unit
    from control
    where of_block = 1
),

control_ranked as (
    select
        control_first.*,
        dense_rank() over (partition by numbers, outcome order by unit) as turn
    from control_first
    where of_unit <= 2
),

paired as (
    select
        later.measurement_id,
        later.block,
        earlier.measurement_id as other_measurement_id,
        earlier.block as other_block,
        later.digits,
        'copied_row' as cause
    from copied as later
    inner join copied as earlier
        on
            later.numbers = earlier.numbers
            and later.block = earlier.block
            and later.measurement_id > earlier.measurement_id
    where later.digits >= case when later.continuous then 5 else 8 end
    union all
    select
        later.measurement_id,
        later.block,
        earlier.measurement_id as other_measurement_id,
        earlier.block as other_block,
        later.digits,
        'copied_row' as cause
    from copied as later
    inner join copied as earlier
        on
            later.numbers = earlier.numbers
            and later.study = earlier.study
            and later.experiment = earlier.experiment
            and later.arm = earlier.arm
            and later.block <> earlier.block
            and later.measurement_id > earlier.measurement_id
    where later.continuous and later.digits >= 4
    union all
    select
        later.measurement_id,
        later.block,
        earlier.measurement_id as other_measurement_id,
        earlier.block as other_block,
        later.digits,
        'control_twice' as cause
    from control as later
    inner join control_ranked as earlier
        on
            later.numbers = earlier.numbers
            and later.outcome = earlier.outcome
            and later.measurement_id > earlier.measurement_id
    where earlier.turn <= 3 and (later.study <> earlier.study or later.experiment <> earlier.experiment)
),

of_rows as (
    select
        paired.measurement_id,
        paired.block,
        min(paired.other_measurement_id) as other_measurement_id,
        min(paired.other_block) as other_block,
        paired.cause,
        max(1.5 * paired.digits - case when paired.block = paired.other_block then 1 else 2 end * size.log_rows)
            as score
    from paired
    cross join size
    where
        not exists (
            select 1 from block_twice
            where block_twice.block = paired.block and block_twice.other_block = paired.other_block
        )
    group by paired.measurement_id, paired.block, paired.cause
)

select
    measurement_id,
    block,
    other_measurement_id,
    other_block,
    cause,
    score
from of_rows
union all
select
    counted.measurement_id,
    counted.block,
    min(other.measurement_id) as other_measurement_id,
    block_twice.other_block,
    'entered_twice' as cause,
    block_twice.score
from block_twice
inner join counted on block_twice.block = counted.block
inner join counted as other on block_twice.other_block = other.block and counted.numbers = other.numbers
group by counted.measurement_id, counted.block, block_twice.other_block, block_twice.score
