-- Title: Blocks of arms whose values would be usual in another unit
-- Grain: block of arms x factor
-- Key: block, factor
-- Formula: The mean log of the arms' means against the median of the outcome's blocks (five or more, all means above
--   0), where typed values may be too large or too small by 10, 60, 100, 1,000, 1,000,000 or 1,000,000,000. The scale
--   is the root of the variance between blocks, of that of sampling (the median of (sd / mean)^2 over n), and of that
--   of the median; between blocks 1.4826 times the median absolute deviation, squared, less the median sampling
--   variance, mixed as k blocks to five with 0.5^2. score = `slip_log_odds` and the log of the prior odds of 1 to 100
--   for each factor, 1 to 400 for the two largest. Only factors that leave the means within 3 scales.
-- Reference: see `slip_log_odds`
-- Caveats: Outcomes whose means range over more than a power of ten between studies hide such slips; outcomes with
--   means of 0 or less are not looked at, a mean there says nothing of its unit. A step of `suspicion`.
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
        percentile_cont(0.5) within group (order by sd * sd / nullif(mean * mean, 0)) as cv2,
        sum(1 / nullif(n, 0)) / nullif(count(*) * count(*), 0) as of_n,
        min(mean) as least
    from measurement_standard
    where kind = 'continuous'
    group by block, outcome
),

typical as (
    select
        outcome,
        count(*) as k,
        percentile_cont(0.5) within group (order by log_mean) as log_mean,
        percentile_cont(0.5) within group (order by cv2) as cv2,
        percentile_cont(0.5) within group (order by of_n) as of_n
    from by_block
    group by outcome
    having count(*) >= 5 and min(least) > 0
),

distant as (
    select
        by_block.block,
        by_block.outcome,
        typical.cv2 * by_block.of_n as v,
        typical.k,
        typical.cv2 * typical.of_n as typical_v,
        by_block.log_mean - typical.log_mean as distance
    from by_block
    inner join typical on by_block.outcome = typical.outcome
),

between_blocks as (
    select
        outcome,
        min(k) as k,
        min(typical_v) as v,
        power(1.4826 * percentile_cont(0.5) within group (order by abs(distance)), 2) as variance
    from distant
    group by outcome
),

scaled as (
    select
        distant.block,
        distant.distance,
        sqrt(
            (between_blocks.k * greatest(between_blocks.variance - between_blocks.v, 0) + 5 * 0.25)
            / nullif(between_blocks.k + 5, 0)
            + 1.5707963267948966 * greatest(between_blocks.variance, between_blocks.v) / nullif(between_blocks.k, 0)
            + distant.v
        ) as scale
    from distant
    inner join between_blocks on distant.outcome = between_blocks.outcome
),

slip (log_prior, factor, log_factor) as (
    select
        size.log_prior,
        cast(direction.up * size.size + direction.down / nullif(size.size, 0) as double) as factor,
        (direction.up - direction.down) * ln(case when size.size > 0 then size.size end) as log_factor
    from (
        values (10.0, -4.6), (60.0, -4.6), (100.0, -4.6), (1000.0, -4.6), (1000000.0, -6.0), (1000000000.0, -6.0)
    ) as size (size, log_prior)
    cross join (values (1.0, 0.0), (0.0, 1.0)) as direction (up, down)
)

select
    scaled.block,
    slip.factor,
    exp(scaled.distance) as ratio,
    exp(scaled.distance) * slip.factor as mended_ratio,
    slip_log_odds(
        scaled.distance / nullif(scaled.scale, 0),
        (scaled.distance + slip.log_factor) / nullif(scaled.scale, 0)
    ) + slip.log_prior as score
from scaled
cross join slip
where abs(scaled.distance + slip.log_factor) < 3 * scaled.scale
