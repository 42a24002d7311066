-- Title: Means and spreads that no sample of that size can have
-- Grain: row of `measurement_final` x cause
-- Key: measurement_id, cause
-- Formula: impossible_mean: on an outcome read in steps (outcome.step) the sum over n animals is a whole number of
--   steps, so a mean printed with d decimals must lie within half a unit of the last of them of some k step / n (GRIM).
--   impossible_spread: on an outcome with both bounds the SD cannot exceed sqrt((upper - mean) (mean - lower) n / (n -
--   1)).
-- Reference: GRIM: Brown NJL, Heathers JAJ (2017), Soc Psychol Personal Sci 8:363-369. Spread: Bhatia R, Davis C
--   (2000), Am Math Mon 107:353-357.
-- Caveats: Not for numbers read off a figure or adjusted ones, nor where n is not whole. Trailing zeros of a mean are
--   gone, so that 3.10 is tried as 3.1: some impossible means pass, none is accused wrongly. A step of `suspicion`.
-- Columns:
--   measurement_id, block: the row
--   cause: impossible_mean, impossible_spread
--   typed: the mean, or the SD
--   nearest: the nearest possible mean, or the largest possible SD
create or replace view suspect_score as
with typed as (
    select
        final.measurement_id,
        final.block,
        final.mean,
        final.sd,
        final.n,
        outcome.step,
        outcome.lower_bound,
        outcome.upper_bound,
        case
            when position('.' in cast(final.mean as varchar)) > 0 and cast(final.mean as varchar) not like '%.0'
                then length(cast(final.mean as varchar)) - position('.' in cast(final.mean as varchar))
            else 0
        end as decimals
    from measurement_final as final
    inner join outcome on final.outcome = outcome.outcome
    where
        outcome.kind = 'continuous'
        and final.mean is not null
        and final.n = floor(final.n)
        and final.adjusted is null
        and coalesce(final.method, '') <> 'figure'
        and (final.unit is null or final.unit = outcome.unit)
),

nearest as (
    select
        typed.*,
        coalesce(lower_bound, 0)
        + floor((mean - coalesce(lower_bound, 0)) * n / nullif(step, 0) + 0.5) * step / nullif(n, 0) as possible_mean,
        case
            when n > 1 and mean >= lower_bound and mean <= upper_bound
                then sqrt((upper_bound - mean) * (mean - lower_bound) * n / (n - 1))
        end as largest_sd
    from typed
)

select
    measurement_id,
    block,
    'impossible_mean' as cause,
    mean as typed,
    possible_mean as nearest
from nearest
where step is not null and abs(mean - possible_mean) > 0.5000001 * power(10.0, -decimals)
union all
select
    measurement_id,
    block,
    'impossible_spread' as cause,
    sd as typed,
    largest_sd as nearest
from nearest
-- One unit in the third digit is rounding.
where sd > 1.01 * largest_sd
