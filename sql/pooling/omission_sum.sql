-- Title: Weighted sums behind the pooled estimates with one study left out
-- Grain: outcome x measure x pair of treatments x omitted study
-- Key: outcome, measure, treatment_a, treatment_b, omitted_study
-- Formula: that of `pooling_sum`, over the contrasts of all studies but one. What is weighed is summed anew for each
--   omission: taking one study's share off the sums over all of them loses digits when that study is the heavy or the
--   outlying one.
-- Reference: see `pooling_sum`
-- Caveats: A step of `pooling`. The work grows with the square of the number of contrasts in a comparison (half a
--   second for 1,000), so comparisons of more than 1,000 studies have no row: one of them no longer shows in the pooled
--   effect. No row where nothing is left to pool.
-- Columns:
--   outcome, measure, treatment_a, treatment_b: the comparison, A minus B
--   omitted_study: the study left out
--   k, n_studies, n_shared, common_estimate, common_variance, q, tau2: as in `pooling_sum`
--   random_estimate, random_variance, residual_variance, confidence_quantile, prediction_quantile: as in `pooling_sum`
create or replace view omission_sum as
-- Conditions on the comparison reach the scans of effect, so that only what was asked for is worked out.
with numbered as (
    select
        pooling_effect.*,
        dense_rank() over (partition by outcome, measure, treatment_a, treatment_b order by study) as position
    from pooling_effect
),

counted as (
    select
        numbered.*,
        max(position) over (partition by outcome, measure, treatment_a, treatment_b) as n_positions
    from numbered
),

effect as materialized (
    select *
    from counted
    where n_positions <= 1000
),

omission as not materialized (
    select
        outcome,
        measure,
        treatment_a,
        treatment_b,
        position,
        min(study) as omitted_study,
        count(*) as k,
        count(study_once) as n_studies,
        sum(shares_arm) as n_shared,
        min(variance) as least_variance,
        min(estimate) as lowest,
        max(estimate) as highest,
        min(scale_origin) as scale_origin,
        min(scale_length) as scale_length,
        sum(fixed_point(scale_weight * scale_place)) as scale_sum,
        sum(fixed_point(scale_weight)) as scale_weight
    from effect
    group by outcome, measure, treatment_a, treatment_b, position
),

-- What whole numbers, the least and the greatest are without an omission is known from those of the others: no
-- digit is lost.
ranged as not materialized (
    select
        outcome,
        measure,
        treatment_a,
        treatment_b,
        position,
        omitted_study,
        scale_origin,
        scale_length,
        cast(sum(k) over every - k as bigint) as k,
        cast(sum(n_studies) over every - n_studies as bigint) as n_studies,
        cast(sum(n_shared) over every - n_shared as bigint) as n_shared,
        least(min(least_variance) over before, min(least_variance) over after) as least_variance,
        least(min(lowest) over before, min(lowest) over after) as lowest,
        greatest(max(highest) over before, max(highest) over after) as highest,
        cast(sum(scale_sum) over every - scale_sum as double)
        / nullif(cast(sum(scale_weight) over every - scale_weight as double), 0) as scale_mean
    from omission
    window
        every as (partition by outcome, measure, treatment_a, treatment_b),
        before as (
            partition by outcome, measure, treatment_a, treatment_b
            order by position rows between unbounded preceding and 1 preceding
        ),
        after as (
            partition by outcome, measure, treatment_a, treatment_b
            order by position rows between 1 following and unbounded following
        )
),

-- Once per number of degrees of freedom, not per row; none has no quantile.
quantile as (
    select
        distinct_df.df,
        student_limit(student_quantile.t, distinct_df.df) as t
    from (
        select k - 1 as df from ranged
        union
        select k - 2 as df from ranged
    ) as distinct_df
    left join student_quantile on distinct_df.df = student_quantile.df
),

placed as not materialized (
    select
        ranged.*,
        coalesce(nullif(highest - lowest, 0), 1) as length,
        greatest(lowest, least(highest, scale_origin + scale_length * coalesce(scale_mean, 0))) as centre
    from ranged
    where k > 0
),

residual as (
    select
        placed.outcome,
        placed.measure,
        placed.treatment_a,
        placed.treatment_b,
        placed.position,
        placed.least_variance / effect.variance as weight,
        (effect.estimate - placed.centre) / placed.length as deviation,
        case when effect.variance > placed.least_variance then 1 else 0 end as lighter
    from placed
    inner join effect
        on
            placed.outcome = effect.outcome
            and placed.measure = effect.measure
            and placed.treatment_a = effect.treatment_a
            and placed.treatment_b = effect.treatment_b
            and placed.position <> effect.position
),

summed as (
    select
        outcome,
        measure,
        treatment_a,
        treatment_b,
        position,
        cast(sum(fixed_point(weight)) as double) / 1e30 as weight,
        cast(sum(fixed_point(weight * deviation)) as double) / 1e30 as deviation,
        cast(sum(fixed_point(weight * deviation * deviation)) as double) / 1e30 as square,
        sum(lighter) as k_lighter,
        cast(sum(fixed_point(weight * lighter)) as double) / 1e30 as lighter_weight,
        cast(sum(fixed_point(weight * weight * lighter)) as double) / 1e30 as lighter_square
    from residual
    group by outcome, measure, treatment_a, treatment_b, position
),

moment as (
    select
        placed.*,
        weight,
        centre + length * (deviation / weight) as estimate,
        case
            when k > 1
                then greatest(0, length * (length / least_variance) * (square - deviation * (deviation / weight)))
            else 0
        end as q,
        (k - k_lighter) * ((k - k_lighter - 1 + lighter_weight) / weight)
        + lighter_weight - lighter_square / weight as c
    from placed
    inner join summed
        on
            placed.outcome = summed.outcome
            and placed.measure = summed.measure
            and placed.treatment_a = summed.treatment_a
            and placed.treatment_b = summed.treatment_b
            and placed.position = summed.position
),

heterogeneity as materialized (
    select
        moment.*,
        case when k > 1 and q > k - 1 then (q - (k - 1)) * (least_variance / c) else 0 end as tau2
    from moment
),

random_residual as (
    select
        common.outcome,
        common.measure,
        common.treatment_a,
        common.treatment_b,
        common.position,
        (common.least_variance + common.tau2) / (effect.variance + common.tau2) as random_weight,
        (effect.estimate - common.estimate) / common.length as random_deviation
    from heterogeneity as common
    inner join effect
        on
            common.outcome = effect.outcome
            and common.measure = effect.measure
            and common.treatment_a = effect.treatment_a
            and common.treatment_b = effect.treatment_b
            and common.position <> effect.position
),

random_summed as (
    select
        outcome,
        measure,
        treatment_a,
        treatment_b,
        position,
        cast(sum(fixed_point(random_weight)) as double) / 1e30 as random_weight,
        cast(sum(fixed_point(random_weight * random_deviation)) as double) / 1e30 as deviation,
        cast(sum(fixed_point(random_weight * random_deviation * random_deviation)) as double) / 1e30 as square
    from random_residual
    group by outcome, measure, treatment_a, treatment_b, position
)

select
    common.outcome,
    common.measure,
    common.treatment_a,
    common.treatment_b,
    common.omitted_study,
    common.k,
    common.n_studies,
    common.n_shared,
    common.estimate as common_estimate,
    common.least_variance / common.weight as common_variance,
    common.q,
    common.tau2,
    common.estimate + common.length * (deviation / random_weight) as random_estimate,
    (common.least_variance + common.tau2) / random_weight as random_variance,
    common.length * (
        common.length * (greatest(0, square - deviation * (deviation / random_weight)) / random_weight)
    ) as residual_variance,
    confidence.t as confidence_quantile,
    prediction.t as prediction_quantile
from heterogeneity as common
inner join random_summed
    on
        common.outcome = random_summed.outcome
        and common.measure = random_summed.measure
        and common.treatment_a = random_summed.treatment_a
        and common.treatment_b = random_summed.treatment_b
        and common.position = random_summed.position
inner join quantile as confidence on common.k - 1 = confidence.df
inner join quantile as prediction on common.k - 2 = prediction.df
