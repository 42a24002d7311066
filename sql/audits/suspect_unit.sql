-- Title: Blocks of arms whose values would be usual in another unit
-- Grain: block of arms x factor
-- Key: block, factor
-- Formula: The mean log of the arms' means against the median of the outcome's blocks (five or more, all means above 0; scale
--   1.4826 times the median absolute deviation, 0.25 at least), where typed values may be too large or too small by 10,
--   60, 100 or 1,000. score = `slip_log_odds` and the log of the prior odds of 1 to 100 for each factor. Only
--   factors that leave the means within 3 scales.
-- Reference: see `slip_log_odds`
-- Caveats: Outcomes whose means range over more than a power of ten between studies hide such slips; outcomes with means of
--   0 or less are not looked at, a mean there says nothing of its unit.
-- Columns:
--   block: the study, experiment, outcome and time point
--   factor: what every statistic of the block is multiplied with to mend it
--   ratio: mean as typed over the usual one
--   mended_ratio: the same once mended
--   score: log odds that it is this slip and not chance
create or replace view suspect_unit as
with by_block as (
    select
        block,
        outcome,
        avg(ln(case when mean > 0 then mean end)) as log_mean,
        min(mean) as least
    from measurement_standard
    where kind = 'continuous'
    group by block, outcome
),

typical as (
    select
        outcome,
        percentile_cont(0.5) within group (order by log_mean) as log_mean
    from by_block
    group by outcome
    having count(*) >= 5 and min(least) > 0
),

distant as (
    select
        by_block.block,
        by_block.outcome,
        by_block.log_mean - typical.log_mean as distance
    from by_block
    inner join typical on by_block.outcome = typical.outcome
),

scaled as (
    select
        outcome,
        greatest(0.25, 1.4826 * percentile_cont(0.5) within group (order by abs(distance))) as scale
    from distant
    group by outcome
),

slip (factor, log_factor) as (
    select
        cast(direction.up * size.size + direction.down / nullif(size.size, 0) as double) as factor,
        (direction.up - direction.down) * ln(case when size.size > 0 then size.size end) as log_factor
    from (values (10.0), (60.0), (100.0), (1000.0)) as size (size)
    cross join (values (1.0, 0.0), (0.0, 1.0)) as direction (up, down)
)

select
    distant.block,
    slip.factor,
    exp(distant.distance) as ratio,
    exp(distant.distance) * slip.factor as mended_ratio,
    slip_log_odds(
        distant.distance / nullif(scaled.scale, 0),
        (distant.distance + slip.log_factor) / nullif(scaled.scale, 0)
    ) - 4.6 as score
from distant
inner join scaled on distant.outcome = scaled.outcome
cross join slip
where abs(distant.distance + slip.log_factor) < 3 * scaled.scale
