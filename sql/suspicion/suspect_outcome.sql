-- Title: Outcomes all of whose spreads look like standard errors
-- Grain: outcome x cause
-- Key: outcome, cause
-- Formula: The median size of the standardised mean differences with an SD typed as such (five studies or more),
--   against what it would be if what is typed were the SE (divided by the root of n), or the SE divided by root n
--   (divided by n). Typical sizes are taken as log-normal about 1 with 0.6 for the SD of the log; score = log odds with
--   1 to 7 before.
-- Reference: the medians of nine published data sets of trials and of animal experiments lie between 0.2 and 1.7
-- Caveats: Where the error is in every study no study differs from the others: only the size of the effects tells. A
--   step of `suspicion`.
-- Columns:
--   outcome: the outcome
--   cause: all_se_as_sd (typed as SD, are SE), all_se_divided (SE divided by root n where it was to be multiplied)
--   typical: median absolute SMD as typed
--   mended_typical: the same once mended
--   score: log odds that it is this slip and not large effects
create or replace view suspect_outcome as
with standard as materialized (
    select
        block,
        study,
        outcome,
        arm,
        n,
        mean,
        sd
    from measurement_standard
    where kind = 'continuous' and derivation = 'reported' and n >= 2
),

effect as (
    select
        a.outcome,
        a.study,
        abs(a.mean - b.mean)
        / sqrt(((a.n - 1) * a.sd * a.sd + (b.n - 1) * b.sd * b.sd) / nullif(a.n + b.n - 2, 0)) as size,
        (a.n + b.n) / 2 as n
    from standard as a
    inner join standard as b on a.block = b.block and a.arm < b.arm
),

slip (cause, root) as (
    values ('all_se_as_sd', 0.5), ('all_se_divided', 1.0)
),

typical as (
    select
        effect.outcome,
        slip.cause,
        percentile_cont(0.5) within group (order by effect.size) as typical,
        percentile_cont(0.5) within group (order by effect.size / nullif(power(effect.n, slip.root), 0))
            as mended_typical
    from effect
    cross join slip
    group by effect.outcome, slip.cause
    having count(distinct effect.study) >= 5
)

select
    outcome,
    cause,
    typical,
    mended_typical,
    (
        power(ln(case when typical > 0 then typical end), 2)
        - power(ln(case when mended_typical > 0 then mended_typical end), 2)
    ) / (2 * 0.6 * 0.6) - 2 as score
from typical
