-- Title: Weighted sums behind the pooled estimates, overall and by subgroup
-- Grain: analysis x outcome x measure x pair of treatments x variable x level
-- Key: analysis, outcome, measure, treatment_a, treatment_b, variable, level
-- Formula: With w = 1 / variance: common estimate m = sum(w y) / sum(w), Q = sum(w (y - m)^2), tau2 = max(0, (Q - (k -
--   1)) / c), c = sum(w) - sum(w^2) / sum(w) (DerSimonian and Laird); then the like sums with w* = 1 / (variance +
--   tau2). Worked out so that no digit is lost and none depends on the order of rows or on the unit: weights relative
--   to the heaviest; differences from a centre found in a first pass and corrected for its own rounding, relative to
--   the spread of the estimates; c as sum(w (sum of the other weights)) / sum(w); sums in whole numbers, see
--   `fixed_point`.
-- Reference: DerSimonian and Laird 1986, Controlled Clinical Trials 7:177-188; Chan, Golub and LeVeque 1983, The
--   American Statistician 37:242-247 (corrected two-pass sums)
-- Caveats: A step of `pooling`. A study without a value of the variable is in none of its levels.
-- Columns:
--   analysis: pooled or subgroup
--   outcome, measure, treatment_a, treatment_b: the comparison, A minus B
--   variable, level: of subgroup, else empty text
--   k, n_studies, n_shared, study_ids: contrasts; studies; contrasts that share an arm with another one; the studies
--   common_estimate, common_variance: m and 1 / sum(w)
--   q, tau2: Cochran's Q and DerSimonian and Laird's tau2
--   random_estimate, random_variance: sum(w* y) / sum(w*) and 1 / sum(w*)
--   residual_variance: sum(w* (y - random_estimate)^2) / sum(w*)
--   confidence_quantile, prediction_quantile: 97.5 % points of t with k - 1 and k - 2 degrees of freedom
create or replace view pooling_sum as
with effect as (
    select * from pooling_effect
),

numbered as (
    select
        study,
        variable,
        value,
        dense_rank() over (order by variable, value) as subset
    from study_variable
),

member as (
    select
        'pooled' as analysis,
        '' as variable,
        '' as level,
        0 as subset,
        effect.*
    from effect
    union all
    select
        'subgroup' as analysis,
        study_variable.variable,
        study_variable.value as level,
        study_variable.subset,
        effect.*
    from effect
    inner join numbered as study_variable
        on effect.study = study_variable.study
),

ranged as (
    select
        analysis,
        outcome,
        measure,
        comparison,
        subset,
        min(treatment_a) as treatment_a,
        min(treatment_b) as treatment_b,
        min(variable) as variable,
        min(level) as level,
        count(*) as k,
        min(variance) as least_variance,
        min(estimate) as lowest,
        max(estimate) as highest,
        min(scale_origin) as scale_origin,
        min(scale_length) as scale_length,
        cast(sum(fixed_point(scale_weight * scale_place)) as double)
        / nullif(cast(sum(fixed_point(scale_weight)) as double), 0) as scale_mean
    from member
    group by analysis, outcome, measure, comparison, subset
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

placed as (
    select
        ranged.*,
        coalesce(nullif(highest - lowest, 0), 1) as length,
        greatest(lowest, least(highest, scale_origin + scale_length * coalesce(scale_mean, 0))) as centre
    from ranged
),

residual as (
    select
        placed.analysis,
        placed.outcome,
        placed.measure,
        placed.comparison,
        placed.subset,
        placed.centre,
        placed.length,
        placed.least_variance,
        placed.least_variance / member.variance as weight,
        (member.estimate - placed.centre) / placed.length as deviation,
        case when member.variance > placed.least_variance then 1 else 0 end as lighter
    from member
    inner join placed
        on
            member.analysis = placed.analysis
            and member.outcome = placed.outcome
            and member.measure = placed.measure
            and member.comparison = placed.comparison
            and member.subset = placed.subset
),

summed as (
    select
        analysis,
        outcome,
        measure,
        comparison,
        subset,
        count(*) as k,
        min(centre) as centre,
        min(length) as length,
        min(least_variance) as least_variance,
        cast(sum(fixed_point(weight)) as double) / 1e30 as weight,
        cast(sum(fixed_point(weight * deviation)) as double) / 1e30 as deviation,
        cast(sum(fixed_point(weight * deviation * deviation)) as double) / 1e30 as square,
        sum(lighter) as k_lighter,
        cast(sum(fixed_point(weight * lighter)) as double) / 1e30 as lighter_weight,
        cast(sum(fixed_point(weight * weight * lighter)) as double) / 1e30 as lighter_square
    from residual
    group by analysis, outcome, measure, comparison, subset
),

moment as (
    select
        summed.*,
        centre + length * (deviation / weight) as estimate,
        case
            when k > 1
                then greatest(0, length * (length / least_variance) * (square - deviation * (deviation / weight)))
            else 0
        end as q,
        (k - k_lighter) * ((k - k_lighter - 1 + lighter_weight) / weight)
        + lighter_weight - lighter_square / weight as c
    from summed
),

heterogeneity as (
    select
        moment.*,
        case when k > 1 and q > k - 1 then (q - (k - 1)) * (least_variance / c) else 0 end as tau2
    from moment
),

random_residual as (
    select
        common.*,
        member.study_once,
        member.shares_arm,
        (common.least_variance + common.tau2) / (member.variance + common.tau2) as random_weight,
        (member.estimate - common.estimate) / common.length as random_deviation
    from member
    inner join heterogeneity as common
        on
            member.analysis = common.analysis
            and member.outcome = common.outcome
            and member.measure = common.measure
            and member.comparison = common.comparison
            and member.subset = common.subset
),

random_summed as (
    select
        analysis,
        outcome,
        measure,
        comparison,
        subset,
        count(*) as k,
        count(study_once) as n_studies,
        sum(shares_arm) as n_shared,
        string_agg(study_once, ',' order by study_once) as study_ids,
        min(estimate) as estimate,
        min(length) as length,
        min(least_variance) as least_variance,
        min(weight) as weight,
        min(q) as q,
        min(tau2) as tau2,
        cast(sum(fixed_point(random_weight)) as double) / 1e30 as random_weight,
        cast(sum(fixed_point(random_weight * random_deviation)) as double) / 1e30 as deviation,
        cast(sum(fixed_point(random_weight * random_deviation * random_deviation)) as double) / 1e30 as square
    from random_residual
    group by analysis, outcome, measure, comparison, subset
)

select
    ranged.analysis,
    ranged.outcome,
    ranged.measure,
    ranged.treatment_a,
    ranged.treatment_b,
    ranged.variable,
    ranged.level,
    random_summed.k,
    random_summed.n_studies,
    cast(random_summed.n_shared as bigint) as n_shared,
    random_summed.study_ids,
    random_summed.estimate as common_estimate,
    random_summed.least_variance / random_summed.weight as common_variance,
    random_summed.q,
    random_summed.tau2,
    random_summed.estimate + random_summed.length * (random_summed.deviation / random_summed.random_weight)
        as random_estimate,
    (random_summed.least_variance + random_summed.tau2) / random_summed.random_weight as random_variance,
    random_summed.length * (
        random_summed.length * (
            greatest(
                0,
                random_summed.square
                - random_summed.deviation * (random_summed.deviation / random_summed.random_weight)
            ) / random_summed.random_weight
        )
    ) as residual_variance,
    confidence.t as confidence_quantile,
    prediction.t as prediction_quantile
from random_summed
inner join ranged
    on
        random_summed.analysis = ranged.analysis
        and random_summed.outcome = ranged.outcome
        and random_summed.measure = ranged.measure
        and random_summed.comparison = ranged.comparison
        and random_summed.subset = ranged.subset
inner join quantile as confidence on random_summed.k - 1 = confidence.df
inner join quantile as prediction on random_summed.k - 2 = prediction.df
