-- Title: Effects far from the usual one of their comparison
-- Grain: pair of arms of a block
-- Key: measurement_id_a, measurement_id_b
-- Formula: The effect y_a - y_b of two arms, the control last, is held against the median of the comparison where that
--   has five or more pairs, else of all pairs with a control, else against 0. The scale is the root of the variance
--   between pairs, of the pair's own sampling variance, and of that of the median; between pairs 1.4826 times the
--   median absolute deviation, squared, less the median sampling variance, mixed as k pairs to five with half of that
--   median. Pairs more than 2 scales away.
-- Caveats: A step of `suspect_value`.
-- Columns:
--   block: the study, experiment, outcome and time point
--   measurement_id_a, measurement_id_b: the rows of the two arms
--   estimate: y_a - y_b, see `suspect_arm`
--   usual, scale: the usual effect, and what distances from it are measured in
create or replace view unusual_effect as
with arm_value as materialized (
    select * from suspect_arm
),

effect as materialized (
    select
        a.block,
        a.measurement_id as measurement_id_a,
        b.measurement_id as measurement_id_b,
        a.y - b.y as estimate,
        sqrt(a.v + b.v) as std_error,
        case
            when count(*) over (partition by a.outcome, a.treatment, b.treatment) >= 5
                then concat(
                    'pair|', length(a.outcome), '|', length(a.treatment), '|', a.outcome, a.treatment, b.treatment
                )
            when b.role = 'control' then concat('control|', a.outcome)
            else concat('any|', a.outcome)
        end as peers
    from arm_value as a
    inner join arm_value as b on a.block = b.block and a.rank < b.rank
),

centre as (
    select
        peers,
        case when peers like 'any|%' then 0 else percentile_cont(0.5) within group (order by estimate) end as usual,
        percentile_cont(0.5) within group (order by std_error * std_error) as v,
        count(*) as k
    from effect
    group by peers
    having count(*) >= 5
),

deviation as (
    select
        effect.peers,
        min(centre.usual) as usual,
        min(centre.v) as v,
        min(centre.k) as k,
        power(1.4826 * percentile_cont(0.5) within group (order by abs(effect.estimate - centre.usual)), 2) as variance
    from effect
    inner join centre on effect.peers = centre.peers
    group by effect.peers
),

scaled as (
    select
        effect.block,
        effect.measurement_id_a,
        effect.measurement_id_b,
        effect.estimate,
        deviation.usual,
        sqrt(
            (deviation.k * greatest(deviation.variance - deviation.v, 0) + 2.5 * deviation.v)
            / nullif(deviation.k + 5, 0)
            + 1.5707963267948966 * greatest(deviation.variance, deviation.v) / nullif(deviation.k, 0)
            + effect.std_error * effect.std_error
        ) as scale
    from effect
    inner join deviation on effect.peers = deviation.peers
)

select *
from scaled
where abs(estimate - usual) > 2 * scale
