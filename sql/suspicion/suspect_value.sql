-- Title: Effects that would be usual if one slip of the pen were undone
-- Grain: pair of arms of a block x slip
-- Key: measurement_id, other_measurement_id, cause, column_name, value
-- Formula: For the pairs of `unusual_effect` each slip is undone in turn: the two arms swapped; a decimal point up to
--   nine places off; two neighbouring digits in the wrong order; a minus sign lost. score = `slip_log_odds` and the log
--   of the prior odds: 1 to 12 for a swap; 1 to 150 for one place, for two digits, for a sign, less for more places.
--   Only slips that, undone, leave the effect within 3 scales. What is compared is y of `suspect_arm`.
-- Reference: see `slip_log_odds`
-- Caveats: Digits are those of the number as it was read: trailing zeros are gone. A slip that leaves the effect within
--   the usual range cannot be seen, and does little harm. A step of `suspicion`.
-- Columns:
--   block: the study, experiment, outcome and time point
--   cause: swapped_arms, decimal, digits, sign
--   arm: whose number it is; for swapped_arms one of the two
--   column_name: mean, events or n, empty for swapped_arms
--   measurement_id: the row of that number; for swapped_arms one of the two
--   other_measurement_id: the row of the other arm
--   typed, value: as it is, and as it would be usual
--   distance, mended_distance: from the usual effect, in scales
--   score: log odds that it is this slip and not chance
create or replace view suspect_value as
with arm_value as materialized (
    select * from suspect_arm
),

unusual as materialized (
    select * from unusual_effect
),

-- Each arm of a pair seen from its own side: the effect is its y less the other's, times the direction.
sided (measurement_id, other_measurement_id, direction, block, estimate, usual, scale) as materialized (
    select
        measurement_id_a,
        measurement_id_b,
        1,
        block,
        estimate,
        usual,
        scale
    from unusual
    union all
    select
        measurement_id_b,
        measurement_id_a,
        -1,
        block,
        estimate,
        usual,
        scale
    from unusual
),

number (measurement_id, column_name, typed) as (
    select
        measurement_id,
        'mean' as column_name,
        typed_mean as typed
    from arm_value
    where typed_mean <> 0
    union all
    select
        measurement_id,
        'events' as column_name,
        events as typed
    from arm_value
    where events > 0
    union all
    select
        measurement_id,
        'n' as column_name,
        n as typed
    from arm_value
    where kind = 'binary'
),

suspect_number as materialized (
    select number.*
    from number
    where measurement_id in (select measurement_id from sided)
),

place (place) as (
    values (1), (2), (3), (4), (5), (6), (7), (8), (9)
),

digits as (
    select
        suspect_number.*,
        place.place,
        rtrim(rtrim(cast(cast(abs(suspect_number.typed) as decimal(18, 6)) as varchar), '0'), '.') as text
    from suspect_number
    cross join place
    where abs(suspect_number.typed) < 1e9 and abs(suspect_number.typed) >= 1e-4
),

-- Neighbours of a decimal point are two places apart.
neighbours as (
    select
        digits.*,
        case when substr(text, place + 1, 1) = '.' then place + 2 else place + 1 end as next_place
    from digits
    where place < length(text) and substr(text, place, 1) <> '.'
),

rewritten as (
    select
        measurement_id,
        column_name,
        typed,
        -5.0 as log_prior,
        'digits' as cause,
        case when typed < 0 then -1 else 1 end * cast(
            concat(
                substr(text, 1, place - 1), substr(text, next_place, 1),
                case when next_place = place + 2 then '.' else '' end, substr(text, place, 1),
                substr(text, next_place + 1)
            ) as double
        ) as value
    from neighbours
    where next_place <= length(text) and substr(text, next_place, 1) <> substr(text, place, 1)
    union all
    select
        suspect_number.*,
        shift.log_prior,
        'decimal' as cause,
        suspect_number.typed * shift.up / nullif(shift.down, 0) as value
    from suspect_number
    cross join (
        values
        (1e1, 1.0, -5.0), (1e2, 1.0, -6.0), (1e3, 1.0, -6.0), (1e4, 1.0, -7.0), (1e5, 1.0, -7.0), (1e6, 1.0, -7.0),
        (1e7, 1.0, -8.0), (1e8, 1.0, -8.0), (1e9, 1.0, -8.0), (1.0, 1e1, -5.0), (1.0, 1e2, -6.0), (1.0, 1e3, -6.0),
        (1.0, 1e4, -7.0), (1.0, 1e5, -7.0), (1.0, 1e6, -7.0), (1.0, 1e7, -8.0), (1.0, 1e8, -8.0), (1.0, 1e9, -8.0)
    ) as shift (up, down, log_prior)
    union all
    select
        suspect_number.*,
        -5.0 as log_prior,
        'sign' as cause,
        -suspect_number.typed as value
    from suspect_number
    where suspect_number.column_name = 'mean'
),

undone as (
    select
        rewritten.*,
        arm_value.arm,
        arm_value.kind,
        arm_value.positive,
        case when column_name = 'mean' then value * arm_value.mean / nullif(typed, 0) else arm_value.mean end as mean,
        case when column_name = 'events' then value else arm_value.events end as events,
        case when column_name = 'n' then value else arm_value.n end as n,
        arm_value.exposure,
        arm_value.y
    from rewritten
    inner join arm_value on rewritten.measurement_id = arm_value.measurement_id
    where column_name = 'mean' or value = floor(value)
),

recomputed as (
    select
        undone.*,
        case
            when kind = 'binary' and events <= n then ln((events + 0.5) / (n - events + 0.5))
            when kind = 'binary' then null
            when kind = 'rate' then ln((events + 0.5) / exposure)
            when positive then ln(case when mean > 0 then mean end)
            else mean
        end - y as change
    from undone
),

every_slip as (
    select
        sided.block,
        recomputed.cause,
        recomputed.arm,
        recomputed.column_name,
        sided.measurement_id,
        sided.other_measurement_id,
        recomputed.typed,
        recomputed.value,
        (sided.estimate - sided.usual) / nullif(sided.scale, 0) as distance,
        (sided.estimate + sided.direction * recomputed.change - sided.usual) / nullif(sided.scale, 0)
            as mended_distance,
        recomputed.log_prior
    from recomputed
    inner join sided on recomputed.measurement_id = sided.measurement_id
    where recomputed.change is not null
    union all
    select
        sided.block,
        'swapped_arms' as cause,
        arm_value.arm,
        cast(null as varchar) as column_name,
        sided.measurement_id,
        sided.other_measurement_id,
        cast(null as double) as typed,
        cast(null as double) as value,
        (sided.estimate - sided.usual) / nullif(sided.scale, 0) as distance,
        (-sided.estimate - sided.usual) / nullif(sided.scale, 0) as mended_distance,
        -2.5 as log_prior
    from sided
    inner join arm_value on sided.measurement_id = arm_value.measurement_id
    where sided.direction = 1
)

select
    block,
    cause,
    arm,
    column_name,
    measurement_id,
    other_measurement_id,
    typed,
    value,
    distance,
    mended_distance,
    slip_log_odds(distance, mended_distance) + log_prior as score
from every_slip
where abs(mended_distance) < 3
