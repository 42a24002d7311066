-- Title: Weighted sums behind the pooled estimates, overall and by subgroup
-- Grain: analysis x outcome x measure x pair of treatments x variable x level
-- Key: analysis, outcome, measure, treatment_a, treatment_b, variable, level
-- Formula: With w = 1 / variance: common estimate m = sum(w y) / sum(w), Q = sum(w (y - m)^2),
--   tau2 = max(0, (Q - (k - 1)) / c), c = sum(w) - sum(w^2) / sum(w) (DerSimonian and Laird). With w* = 1 / (variance +
--   tau2): random weight sum(w*), deviation sum(w* (y - m)), square sum(w* (y - m)^2).
--   The sums are of differences from a centre found in a first pass, so that a large common offset costs no digit, and
--   corrected for that centre's own rounding. c is sum(w (sum of the other weights)) / sum(w), so that one overwhelming
--   weight costs none either.
-- Reference: DerSimonian and Laird 1986, Controlled Clinical Trials 7:177-188; Chan, Golub and LeVeque 1983, The American
--   Statistician 37:242-247 (corrected two-pass sums)
-- Caveats: A step of `pooling`. A study without a value of the variable is in none of its levels.
-- Columns:
--   analysis: pooled or subgroup
--   outcome, measure, treatment_a, treatment_b: the comparison, A minus B
--   variable, level: of subgroup, else empty text
--   k, n_studies, n_shared, study_ids: contrasts; studies; contrasts that share an arm with another one; the studies
--   common_estimate, common_weight: m and sum(w)
--   q, tau2: Cochran's Q and DerSimonian and Laird's tau2
--   random_weight, random_deviation, random_square: the sums with w*
create or replace view pooling_sum as
with effect as (
    select * from pooling_effect
),

member as (
    select
        'pooled' as analysis,
        effect.outcome,
        effect.measure,
        effect.treatment_a,
        effect.treatment_b,
        '' as variable,
        '' as level,
        effect.estimate,
        effect.variance,
        effect.study_once,
        effect.shares_arm
    from effect
    union all
    select
        'subgroup' as analysis,
        effect.outcome,
        effect.measure,
        effect.treatment_a,
        effect.treatment_b,
        study_variable.variable,
        study_variable.value as level,
        effect.estimate,
        effect.variance,
        effect.study_once,
        effect.shares_arm
    from effect
    inner join study_variable
        on effect.study = study_variable.study
),

centred as (
    select
        analysis,
        outcome,
        measure,
        treatment_a,
        treatment_b,
        variable,
        level,
        sum(estimate / variance) / sum(1 / variance) as centre,
        sum(1 / variance) as weight,
        min(variance) as least_variance
    from member
    group by analysis, outcome, measure, treatment_a, treatment_b, variable, level
),

common as (
    select
        member.analysis,
        member.outcome,
        member.measure,
        member.treatment_a,
        member.treatment_b,
        member.variable,
        member.level,
        count(*) as k,
        min(centred.weight) as weight,
        min(centred.centre) as centre,
        sum((member.estimate - centred.centre) / member.variance) as deviation,
        sum((member.estimate - centred.centre) * ((member.estimate - centred.centre) / member.variance)) as square,
        1 / min(centred.least_variance) as heaviest,
        sum(case when member.variance > centred.least_variance then 0 else 1 end) as k_heaviest,
        sum(case when member.variance > centred.least_variance then 1 / member.variance else 0 end) as lighter,
        sum(
            case
                when member.variance > centred.least_variance
                    then 1 / member.variance * ((centred.weight - 1 / member.variance) / centred.weight)
                else 0
            end
        ) as lighter_by_others
    from member
    inner join centred
        on
            member.analysis = centred.analysis
            and member.outcome = centred.outcome
            and member.measure = centred.measure
            and member.treatment_a = centred.treatment_a
            and member.treatment_b = centred.treatment_b
            and member.variable = centred.variable
            and member.level = centred.level
    group by
        member.analysis, member.outcome, member.measure, member.treatment_a, member.treatment_b, member.variable,
        member.level
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
)

select
    member.analysis,
    member.outcome,
    member.measure,
    member.treatment_a,
    member.treatment_b,
    member.variable,
    member.level,
    count(*) as k,
    count(member.study_once) as n_studies,
    cast(sum(member.shares_arm) as bigint) as n_shared,
    string_agg(member.study_once, ',' order by member.study_once) as study_ids,
    min(common.estimate) as common_estimate,
    min(common.weight) as common_weight,
    min(common.q) as q,
    min(common.tau2) as tau2,
    sum(1 / (member.variance + common.tau2)) as random_weight,
    sum((member.estimate - common.estimate) / (member.variance + common.tau2)) as random_deviation,
    sum(
        (member.estimate - common.estimate) * ((member.estimate - common.estimate) / (member.variance + common.tau2))
    ) as random_square
from member
inner join heterogeneity as common
    on
        member.analysis = common.analysis
        and member.outcome = common.outcome
        and member.measure = common.measure
        and member.treatment_a = common.treatment_a
        and member.treatment_b = common.treatment_b
        and member.variable = common.variable
        and member.level = common.level
group by
    member.analysis, member.outcome, member.measure, member.treatment_a, member.treatment_b, member.variable, member.level
