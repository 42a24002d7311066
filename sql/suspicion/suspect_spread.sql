-- Title: Spreads that would be usual if one slip of the pen were undone
-- Grain: block of arms (all arms alike) or one arm of it x slip
-- Key: block, arm, cause, factor
-- Formula: x = log SD, freed of its bias at few animals, or log SD / mean where all means are above 0 and that varies
--   less between studies. Its sampling variance is trigamma((n - 1) / 2) / 4 (and, for the mean, the outcome's median
--   of (sd / mean)^2 over n). For all arms alike the mean x of the block is held against the median of the outcome's
--   blocks (five or more), with the variance tau2 between blocks, that of sampling, and that of the median. For one arm
--   x is held against what the other arms let expect, median + w (their mean - median) with w = tau2 / (tau2 + their
--   variance), with what is uncertain in that. tau2 is 1.4826 times the median absolute deviation, squared, less the
--   median sampling variance, mixed as k blocks to five with 0.3^2; the variance of arms within a block likewise with
--   0.15^2. With r the distance and c what the slip has added, both over the root of the variance, score =
--   `slip_log_odds`(r, r - c) and the log of the prior odds.
-- Reference: the slips: Cochrane Handbook, 6.5.2.2. Sampling of log SD: Bartlett MS, Kendall DG (1946), Suppl J R Stat
--   Soc 8:128-138; Nakagawa S and others (2015), Methods Ecol Evol 6:143-152, eq. 3.
-- Caveats: Only slips that, undone, leave the spread within 3 scales. Where animals are few (root n near the spread
--   between studies) a standard error cannot be told from an SD: such rows score low, whatever they are. A step of
--   `suspicion`.
-- Columns:
--   block: the study, experiment, outcome and time point
--   arm: the arm, empty if all arms of the block look alike
--   cause: se_as_sd (typed as SD, is SE), se_divided (SE divided by root n where it was to be multiplied), sd_as_se,
--     spread_decimal (decimal point of the spread, any number of places)
--   factor: what the typed spread is multiplied with to mend it; empty for sd_as_se and se_as_sd, which change columns
--   ratio: SD as typed over the usual one
--   mended_ratio: the same once mended
--   score: log odds that it is this slip and not chance
create or replace view suspect_spread as
with usable as materialized (
    select
        block,
        outcome,
        arm,
        derivation,
        n,
        mean,
        sd,
        min(mean) over (partition by outcome) > 0 as positive
    from measurement_standard
    where kind = 'continuous' and derivation in ('reported', 'se') and n >= 2 and sd > 0
),

logged as materialized (
    select
        block,
        outcome,
        arm,
        derivation,
        ln(case when n > 0 then n end) / 2 as log_root_n,
        ln(case when sd > 0 then sd end)
        - (digamma((n - 1) / 2) - ln(case when n > 1 then (n - 1) / 2 end)) / 2 as log_sd,
        case when positive then ln(case when mean > 0 then mean end) end as log_mean,
        trigamma((n - 1) / 2) / 4 as variance_sd,
        n
    from usable
),

-- For the sampling of means: what is typed here may be wrong.
usual_cv as (
    select
        outcome,
        exp(2 * percentile_cont(0.5) within group (order by log_sd - log_mean)) as cv2
    from logged
    where log_mean is not null
    group by outcome
),

-- Both ways to look at a spread; the one that varies less between blocks is taken.
measured as materialized (
    select
        logged.*,
        way.way,
        case when way.way = 'sd' then logged.log_sd else logged.log_sd - logged.log_mean end as x,
        case
            when way.way = 'sd' then logged.variance_sd
            else logged.variance_sd + usual_cv.cv2 / nullif(logged.n, 0)
        end as v
    from logged
    cross join (values ('cv'), ('sd')) as way (way)
    left join usual_cv on logged.outcome = usual_cv.outcome
    where way.way = 'sd' or logged.log_mean is not null
),

by_block as materialized (
    select
        way,
        block,
        outcome,
        min(derivation) as derivation,
        max(derivation) as other_derivation,
        count(*) as n_arms,
        avg(log_root_n) as log_root_n,
        avg(x) as x,
        sum(v) as sum_v,
        sum(v) / nullif(count(*) * count(*), 0) as v
    from measured
    group by way, block, outcome
),

typical as (
    select
        way,
        outcome,
        count(*) as k,
        percentile_cont(0.5) within group (order by x) as x,
        percentile_cont(0.5) within group (order by v) as v
    from by_block
    group by way, outcome
    having count(*) >= 5
),

deviation as (
    select
        typical.way,
        typical.outcome,
        min(typical.k) as k,
        min(typical.x) as x,
        min(typical.v) as v,
        power(1.4826 * percentile_cont(0.5) within group (order by abs(by_block.x - typical.x)), 2) as variance
    from by_block
    inner join typical on by_block.way = typical.way and by_block.outcome = typical.outcome
    group by typical.way, typical.outcome
),

ranked as (
    select
        deviation.*,
        row_number() over (partition by outcome order by variance asc, way desc) as place
    from deviation
),

between_blocks as materialized (
    select
        way,
        outcome,
        x,
        (k * greatest(variance - v, 0) + 5 * 0.09) / nullif(k + 5, 0) as tau2,
        -- Of a median: pi / 2 times that of a mean.
        1.5707963267948966 * greatest(variance, v) / nullif(k, 0) as uncertain
    from ranked
    where place = 1
),

against_others as materialized (
    select
        measured.block,
        measured.outcome,
        measured.arm,
        measured.derivation,
        measured.log_root_n,
        measured.x,
        measured.v,
        by_block.n_arms - 1 as others,
        (by_block.n_arms * by_block.x - measured.x) / nullif(by_block.n_arms - 1, 0) as others_x,
        (by_block.sum_v - measured.v) / nullif((by_block.n_arms - 1) * (by_block.n_arms - 1), 0) as others_v
    from measured
    inner join between_blocks on measured.way = between_blocks.way and measured.outcome = between_blocks.outcome
    inner join by_block on measured.way = by_block.way and measured.block = by_block.block
    where by_block.n_arms > 1
),

within_blocks as (
    select
        outcome,
        (
            count(*) * greatest(
                power(1.4826 * percentile_cont(0.5) within group (order by abs(x - others_x)), 2)
                - percentile_cont(0.5) within group (order by v + others_v),
                0
            ) / 2 + 10 * 0.0225
        ) / nullif(count(*) + 10, 0) as omega2
    from against_others
    group by outcome
),

-- How sure the other arms are of the block's level.
expected as (
    select
        against_others.*,
        between_blocks.x as centre,
        between_blocks.tau2,
        between_blocks.uncertain,
        within_blocks.omega2,
        between_blocks.tau2 / nullif(
            between_blocks.tau2 + against_others.others_v + within_blocks.omega2 / nullif(against_others.others, 0), 0
        ) as share
    from against_others
    inner join between_blocks on against_others.outcome = between_blocks.outcome
    inner join within_blocks on against_others.outcome = within_blocks.outcome
),

distant as (
    select
        by_block.block,
        cast(null as varchar) as arm,
        by_block.derivation,
        by_block.log_root_n,
        by_block.x - between_blocks.x as distance,
        sqrt(between_blocks.tau2 + between_blocks.uncertain + by_block.v) as scale
    from by_block
    inner join between_blocks on by_block.way = between_blocks.way and by_block.outcome = between_blocks.outcome
    where by_block.derivation = by_block.other_derivation
    union all
    select
        block,
        arm,
        derivation,
        log_root_n,
        x - centre - share * (others_x - centre) as distance,
        sqrt(v + omega2 + (1 - share) * tau2 + power(1 - share, 2) * uncertain) as scale
    from expected
),

-- Two and more places happen less often than one, and slips of one arm's column less often than of a whole block's.
slip (cause, derivation, root, decimals, log_prior, log_prior_arm) as (
    values
    ('se_as_sd', 'reported', -1, 0, -3.0, -5.0),
    ('se_divided', 'reported', -2, 0, -4.1, null),
    ('sd_as_se', 'se', 1, 0, -3.0, -5.0)
    union all
    select
        'spread_decimal' as cause,
        derivation.derivation,
        0 as root,
        sign.sign * places.places as decimals,
        places.log_prior,
        places.log_prior as log_prior_arm
    from (values ('reported'), ('se')) as derivation (derivation)
    cross join (values (1), (-1)) as sign (sign)
    cross join (
        values (1, -4.1), (2, -6.0), (3, -6.0), (4, -7.0), (5, -7.0), (6, -7.0), (7, -8.0), (8, -8.0), (9, -8.0)
    ) as places (places, log_prior)
),

weighed as (
    select
        distant.block,
        distant.arm,
        slip.cause,
        slip.decimals,
        distant.distance,
        slip.root * distant.log_root_n + slip.decimals * 2.302585092994046 as added,
        distant.scale,
        case when distant.arm is null then slip.log_prior else slip.log_prior_arm end as log_prior
    from distant
    inner join slip on distant.derivation = slip.derivation
    where distant.arm is null or slip.log_prior_arm is not null
)

select
    block,
    arm,
    cause,
    case when cause = 'spread_decimal' then power(10.0, -decimals) end as factor,
    exp(distance) as ratio,
    exp(distance - added) as mended_ratio,
    slip_log_odds(distance / nullif(scale, 0), (distance - added) / nullif(scale, 0)) + log_prior as score
from weighed
-- What does not become usual is something else.
where abs(distance - added) < 3 * scale
