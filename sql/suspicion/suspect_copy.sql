-- Title: The same numbers twice
-- Grain: row of `measurement_final` that repeats an earlier one x cause
-- Key: measurement_id, cause
-- Formula: Rows of one outcome whose statistics are equal figure by figure. copied_row: two arms of one block (five
--   significant digits or more), or one arm under two outcomes or times (four). entered_twice: every arm of a block has
--   its like in one block of another study or experiment (eight digits in all). control_twice: a control's numbers
--   stand in another study or experiment (five digits), nothing says that it is shared, and the other arms differ.
--   score = 1.5 for each significant digit, less the log of the number of pairs that were compared.
-- Caveats: Digits that happen to agree are the likelier the fewer they are; zeros at either end do not count.
-- Columns:
--   measurement_id, block: the later row
--   other_measurement_id, other_block: the earlier row
--   cause: copied_row, entered_twice, control_twice
--   score: log odds that it is no chance
create or replace view suspect_copy as
with counted as (
    select
        final.measurement_id,
        final.block,
        final.study,
        final.experiment,
        final.arm,
        final.outcome,
        final.timepoint,
        arm.role,
        arm.shared_control_of,
        coalesce(final.mean, final.median) is not null as continuous,
        concat_ws(
            '/', final.n, final.mean, final.median, final.sd, final.se, final.q1, final.q3, final.min, final.max,
            final.ci_lower, final.ci_upper, final.events, final.exposure
        ) as numbers,
        length(trim(replace(cast(abs(coalesce(final.mean, final.median, final.events)) as varchar), '.', ''), '0'))
        + coalesce(length(trim(
            replace(cast(coalesce(final.sd, final.se, final.q3 - final.q1, final.max - final.min) as varchar), '.', ''),
            '0'
        )), 0)
        + case
            when final.events is not null
                then length(trim(replace(cast(coalesce(final.exposure, final.n) as varchar), '.', ''), '0'))
            else 0
        end as digits
    from measurement_final as final
    inner join arm
        on final.study = arm.study and final.experiment = arm.experiment and final.arm = arm.arm
    where
        coalesce(final.sd, final.se, final.q3, final.max, final.ci_upper, final.events) is not null
        and coalesce(final.mean, final.median, final.events) <> 0
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
    select
        ln(case when count(*) > 0 then count(*) end) as log_rows,
        ln(case when count(distinct block) > 0 then count(distinct block) end) as log_blocks
    from counted
),

block_twice as (
    select
        later.block,
        min(earlier.block) as other_block,
        max(1.5 * later.digits - 2 * size.log_blocks) as score
    from block_numbers as later
    inner join block_numbers as earlier
        on later.outcome = earlier.outcome and later.numbers = earlier.numbers and later.block > earlier.block
    cross join size
    where
        later.n_arms > 1 and later.digits >= 8
        and (later.study <> earlier.study or later.experiment <> earlier.experiment)
    group by later.block
),

paired as (
    select
        later.measurement_id,
        later.block,
        earlier.measurement_id as other_measurement_id,
        earlier.block as other_block,
        later.digits,
        case
            when
                later.block = earlier.block and later.digits >= case when later.continuous then 5 else 8 end
                then 'copied_row'
            when
                later.study = earlier.study and later.experiment = earlier.experiment and later.arm = earlier.arm
                and later.block <> earlier.block and later.continuous and later.digits >= 4
                then 'copied_row'
            when
                later.role = 'control' and earlier.role = 'control' and later.outcome = earlier.outcome
                and (later.study <> earlier.study or later.experiment <> earlier.experiment)
                and later.continuous and later.digits >= 5
                and later.shared_control_of is null and earlier.shared_control_of is null
                then 'control_twice'
        end as cause
    from counted as later
    inner join counted as earlier
        on later.numbers = earlier.numbers and later.measurement_id > earlier.measurement_id
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
        paired.cause is not null
        and not exists (
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
