-- Title: Spreads that would be usual if one slip of the pen were undone
-- Grain: block of arms (all arms alike) or one arm of it x cause
-- Key: block, arm, cause
-- Formula: For all arms alike the mean log SD, or log SD / mean where all means are above 0 and that varies less between studies,
--   against the median of the outcome's blocks (five or more; scale 1.4826 times the median absolute deviation, 0.2 at
--   least). For one arm the same, and its log SD against the mean of the other arms of its block (scale 0.15 at least).
--   With r the distance and c what the slip has added, both in scales, score = the sum of
--   `slip_log_odds`(r, r - c), and the log of the prior odds. Prior odds of 1 to 20 for
--   root n, 1 to 60 for the others.
-- Reference: the slips: Cochrane Handbook, 6.5.2.2
-- Caveats: Only slips that, undone, leave the spread within 3 scales. Where animals are few (root n near the spread between studies) a standard error cannot be told from an SD: such
--   rows score low, whatever they are.
-- Columns:
--   block: the study, experiment, outcome and time point
--   arm: the arm, empty if all arms of the block look alike
--   cause: se_as_sd (typed as SD, is SE), se_divided (SE divided by root n where it was to be multiplied), sd_as_se,
--     spread_decimal (decimal point of the spread)
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
    where kind = 'continuous' and derivation in ('reported', 'se') and n >= 2
),

logged as materialized (
    select
        block,
        outcome,
        arm,
        derivation,
        ln(case when n > 0 then n end) / 2 as log_root_n,
        ln(case when sd > 0 then sd end) as log_sd,
        case when positive then ln(sd / nullif(mean, 0)) end as log_cv
    from usable
),

by_block as materialized (
    select
        block,
        outcome,
        min(derivation) as derivation,
        max(derivation) as other_derivation,
        count(*) as n_arms,
        avg(log_root_n) as log_root_n,
        avg(log_sd) as log_sd,
        avg(log_cv) as log_cv
    from logged
    group by block, outcome
),

typical as (
    select
        outcome,
        percentile_cont(0.5) within group (order by log_sd) as log_sd,
        percentile_cont(0.5) within group (order by log_cv) as log_cv
    from by_block
    group by outcome
    having count(*) >= 5
),

deviation as (
    select
        by_block.outcome,
        percentile_cont(0.5) within group (order by abs(by_block.log_sd - typical.log_sd)) as of_sd,
        percentile_cont(0.5) within group (order by abs(by_block.log_cv - typical.log_cv)) as of_cv
    from by_block
    inner join typical on by_block.outcome = typical.outcome
    group by by_block.outcome
),

between_blocks as (
    select
        by_block.block,
        by_block.log_root_n,
        by_block.derivation,
        by_block.n_arms,
        case
            when deviation.of_cv < deviation.of_sd then by_block.log_cv - typical.log_cv
            else by_block.log_sd - typical.log_sd
        end as distance,
        greatest(0.2, 1.4826 * least(deviation.of_sd, coalesce(deviation.of_cv, deviation.of_sd))) as scale
    from by_block
    inner join typical on by_block.outcome = typical.outcome
    inner join deviation on by_block.outcome = deviation.outcome
    where by_block.derivation = by_block.other_derivation
),

-- An arm against the others of its block, and against the outcome: with two arms only the second tells which is wrong.
against_others as (
    select
        logged.block,
        logged.outcome,
        logged.arm,
        logged.derivation,
        logged.log_root_n,
        logged.log_sd - (by_block.n_arms * by_block.log_sd - logged.log_sd) / nullif(by_block.n_arms - 1, 0) as distance,
        case
            when deviation.of_cv < deviation.of_sd then logged.log_cv - typical.log_cv
            else logged.log_sd - typical.log_sd
        end as outer_distance,
        greatest(0.2, 1.4826 * least(deviation.of_sd, coalesce(deviation.of_cv, deviation.of_sd))) as outer_scale
    from logged
    inner join by_block on logged.block = by_block.block
    inner join typical on logged.outcome = typical.outcome
    inner join deviation on logged.outcome = deviation.outcome
    where by_block.n_arms > 1
),

within_scale as (
    select
        outcome,
        greatest(0.15, 1.4826 * percentile_cont(0.5) within group (order by abs(distance))) as scale
    from against_others
    group by outcome
),

distant as (
    select
        block,
        cast(null as varchar) as arm,
        derivation,
        log_root_n,
        distance,
        scale,
        cast(0 as double) as outer_distance,
        cast(null as double) as outer_scale
    from between_blocks
    union all
    select
        against_others.block,
        against_others.arm,
        against_others.derivation,
        against_others.log_root_n,
        against_others.distance,
        within_scale.scale,
        against_others.outer_distance,
        against_others.outer_scale
    from against_others
    inner join within_scale on against_others.outcome = within_scale.outcome
),

slip (cause, derivation, root, decimals, log_prior) as (
    values
    ('se_as_sd', 'reported', -1, 0, -3.0),
    ('se_divided', 'reported', -2, 0, -4.1),
    ('sd_as_se', 'se', 1, 0, -3.0),
    ('spread_decimal', 'reported', 0, 1, -4.1),
    ('spread_decimal', 'reported', 0, -1, -4.1),
    ('spread_decimal', 'se', 0, 1, -4.1),
    ('spread_decimal', 'se', 0, -1, -4.1)
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
        distant.outer_distance,
        distant.outer_scale,
        slip.log_prior
    from distant
    inner join slip on distant.derivation = slip.derivation
    -- One arm alone: not more often than the decimal point.
    where distant.arm is null or slip.cause <> 'se_divided'
)

select
    block,
    arm,
    cause,
    case when cause = 'spread_decimal' then power(10.0, -decimals) end as factor,
    exp(distance) as ratio,
    exp(distance - added) as mended_ratio,
    slip_log_odds(distance / nullif(scale, 0), (distance - added) / nullif(scale, 0))
    + coalesce(
        slip_log_odds(outer_distance / nullif(outer_scale, 0), (outer_distance - added) / nullif(outer_scale, 0)), 0
    )
    + log_prior as score
from weighed
-- What does not become usual is something else.
where abs(distance - added) < 3 * scale
