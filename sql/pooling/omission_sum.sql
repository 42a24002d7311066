-- Title: Weighted sums behind the pooled estimates with one study left out
-- Grain: outcome x measure x pair of treatments x omitted study
-- Key: outcome, measure, treatment_a, treatment_b, omitted_study
-- Formula: that of `pooling_sum`, over the contrasts of all studies but one. Everything is summed anew for each omission:
--   taking one study's share off the sums over all of them loses digits when that study is the heavy or the outlying one.
-- Reference: see `pooling_sum`
-- Caveats: A step of `pooling`. The work grows with the square of the number of contrasts in a comparison: 1,000 contrasts
--   take about half a second, 10,000 a minute. No row where nothing is left to pool.
-- Columns:
--   outcome, measure, treatment_a, treatment_b: the comparison, A minus B
--   omitted_study: the study left out
--   k, n_studies, n_shared, common_estimate, common_weight, q, tau2: as in `pooling_sum`
--   random_weight, random_deviation, random_square: as in `pooling_sum`
create or replace view omission_sum as
with effect as (
    select
        pooling_effect.*,
        dense_rank() over (partition by outcome, measure order by treatment_a, treatment_b) as comparison,
        dense_rank() over (partition by outcome, measure, treatment_a, treatment_b order by study) as position
    from pooling_effect
),

omission as (
    select
        outcome,
        measure,
        comparison,
        position,
        min(treatment_a) as treatment_a,
        min(treatment_b) as treatment_b,
        min(study) as omitted_study
    from effect
    group by outcome, measure, comparison, position
),

centred as (
    select
        omission.outcome,
        omission.measure,
        omission.comparison,
        omission.position,
        sum(effect.estimate / effect.variance) / sum(1 / effect.variance) as centre,
        sum(1 / effect.variance) as weight,
        min(effect.variance) as least_variance
    from omission
    inner join effect
        on
            omission.outcome = effect.outcome
            and omission.measure = effect.measure
            and omission.comparison = effect.comparison
            and omission.position <> effect.position
    group by omission.outcome, omission.measure, omission.comparison, omission.position
),

common as (
    select
        centred.outcome,
        centred.measure,
        centred.comparison,
        centred.position,
        count(*) as k,
        min(centred.weight) as weight,
        min(centred.centre) as centre,
        sum((effect.estimate - centred.centre) / effect.variance) as deviation,
        sum((effect.estimate - centred.centre) * ((effect.estimate - centred.centre) / effect.variance)) as square,
        1 / min(centred.least_variance) as heaviest,
        sum(case when effect.variance > centred.least_variance then 0 else 1 end) as k_heaviest,
        sum(case when effect.variance > centred.least_variance then 1 / effect.variance else 0 end) as lighter,
        sum(
            case
                when effect.variance > centred.least_variance
                    then 1 / effect.variance * ((centred.weight - 1 / effect.variance) / centred.weight)
                else 0
            end
        ) as lighter_by_others
    from centred
    inner join effect
        on
            centred.outcome = effect.outcome
            and centred.measure = effect.measure
            and centred.comparison = effect.comparison
            and centred.position <> effect.position
    group by centred.outcome, centred.measure, centred.comparison, centred.position
),

moment as (
    select
        common.*,
        centre + deviation / weight as estimate,
        case when k > 1 then greatest(square - deviation * (deviation / weight), 0) else 0 end as q,
        k_heaviest * (heaviest / weight) * (lighter + (k_heaviest - 1) * heaviest) + lighter_by_others as c
    from common
),

heterogeneity as (
    select
        moment.*,
        case when k > 1 and q > k - 1 then (q - (k - 1)) / c else 0 end as tau2
    from moment
),

random as (
    select
        common.outcome,
        common.measure,
        common.comparison,
        common.position,
        count(*) as k,
        count(effect.study_once) as n_studies,
        cast(sum(effect.shares_arm) as bigint) as n_shared,
        min(common.estimate) as common_estimate,
        min(common.weight) as common_weight,
        min(common.q) as q,
        min(common.tau2) as tau2,
        sum(1 / (effect.variance + common.tau2)) as random_weight,
        sum((effect.estimate - common.estimate) / (effect.variance + common.tau2)) as random_deviation,
        sum(
            (effect.estimate - common.estimate)
            * ((effect.estimate - common.estimate) / (effect.variance + common.tau2))
        ) as random_square
    from heterogeneity as common
    inner join effect
        on
            common.outcome = effect.outcome
            and common.measure = effect.measure
            and common.comparison = effect.comparison
            and common.position <> effect.position
    group by common.outcome, common.measure, common.comparison, common.position
)

select
    random.outcome,
    random.measure,
    omission.treatment_a,
    omission.treatment_b,
    omission.omitted_study,
    random.k,
    random.n_studies,
    random.n_shared,
    random.common_estimate,
    random.common_weight,
    random.q,
    random.tau2,
    random.random_weight,
    random.random_deviation,
    random.random_square
from random
inner join omission
    on
        random.outcome = omission.outcome
        and random.measure = omission.measure
        and random.comparison = omission.comparison
        and random.position = omission.position
