-- Title: Every pooled estimate: over all studies, by subgroup, and with one study left out
-- Grain: analysis x outcome x measure x pair of treatments x variable x level x omitted study
-- Key: analysis, outcome, measure, treatment_a, treatment_b, variable, level, omitted_study
-- Formula: From the sums of `pooling_sum` and `omission_sum`.
--   Common effect: m, standard error 1 / sqrt(sum(w)). Random effects: sum(w* y) / sum(w*), 1 / sqrt(sum(w*)).
--   Both with normal (Wald) intervals. Hartung-Knapp: the random-effects estimate with variance
--   sum(w* (y - estimate)^2) / ((k - 1) sum(w*)) and t with k - 1 degrees of freedom, without the ad hoc correction;
--   but where the effects agree so closely that this is less than 1e-6 / sum(w*), with 1 / sum(w*) in its place.
--   Prediction interval: estimate -/+ t(k - 2) sqrt(tau2 + std_error^2), of Higgins, Thompson and Spiegelhalter.
--   I2 = max(0, (Q - df) / Q); H2 = Q / df, not below 1; p_Q: upper tail of chi-squared with df.
-- Reference: DerSimonian and Laird 1986, Controlled Clinical Trials 7:177-188; Hartung and Knapp 2001, Statistics in
--   Medicine 20:1771-1782; Higgins, Thompson and Spiegelhalter 2009, Journal of the Royal Statistical Society A
--   172:137-159; Higgins and Thompson 2002, Statistics in Medicine 21:1539-1558
-- Caveats: Contrasts of one study are pooled as if they were independent: where k is above n_studies the intervals are
--   too narrow, and the Python module analysis.pairwise, which combines them within the study first, gives another
--   answer. With one contrast heterogeneity cannot be seen: tau2 is 0, the random-effects estimate is the common one,
--   and everything that needs more is empty; so is the prediction interval below three. Intervals hold 95 %. A step of
--   `pooled`, `subgroup` and `leave_one_out`, which read better.
-- Columns:
--   analysis: pooled, subgroup or leave_one_out
--   outcome, measure, treatment_a, treatment_b: the comparison, A minus B
--   variable, level: of subgroup, else empty text
--   omitted_study: of leave_one_out, else empty text
--   k, n_studies, n_shared: contrasts; studies; contrasts that share an arm with another one of the comparison
--   common_estimate, common_std_error, common_ci_lower, common_ci_upper, common_z, common_p_value: common effect
--   random_estimate, random_std_error, random_ci_lower, random_ci_upper, random_z, random_p_value: random effects
--   hk_std_error, hk_ci_lower, hk_ci_upper, hk_t, hk_p_value: Hartung-Knapp
--   pi_lower, pi_upper: prediction interval for the effect in a new study
--   Q, df, p_Q, I2, H2, tau2: heterogeneity; I2 is a share
--   study_ids: the studies, comma separated; empty for leave_one_out
create or replace view pooling as
with summed as (
    select
        analysis,
        outcome,
        measure,
        treatment_a,
        treatment_b,
        variable,
        level,
        '' as omitted_study,
        k,
        n_studies,
        n_shared,
        study_ids,
        common_estimate,
        common_variance,
        q,
        tau2,
        random_estimate,
        random_variance,
        residual_variance,
        confidence_quantile,
        prediction_quantile
    from pooling_sum
    union all
    select
        'leave_one_out' as analysis,
        outcome,
        measure,
        treatment_a,
        treatment_b,
        '' as variable,
        '' as level,
        omitted_study,
        k,
        n_studies,
        n_shared,
        cast(null as varchar) as study_ids,
        common_estimate,
        common_variance,
        q,
        tau2,
        random_estimate,
        random_variance,
        residual_variance,
        confidence_quantile,
        prediction_quantile
    from omission_sum
),

estimated as (
    select
        summed.*,
        k - 1 as df,
        sqrt(common_variance) as common_std_error,
        sqrt(random_variance) as random_std_error,
        case
            when k > 1 and residual_variance < 1e-6 * (k - 1) * random_variance then sqrt(random_variance)
            when k > 1 then sqrt(residual_variance / (k - 1))
        end as hk_std_error,
        sqrt(tau2 + random_variance) as pi_std_error,
        normal_quantile(0.975) as wald_quantile
    from summed
),

tested as (
    select
        estimated.*,
        common_estimate / common_std_error as common_z,
        random_estimate / random_std_error as random_z,
        random_estimate / nullif(hk_std_error, 0) as hk_t
    from estimated
)

select
    analysis,
    outcome,
    measure,
    treatment_a,
    treatment_b,
    variable,
    level,
    omitted_study,
    k,
    n_studies,
    n_shared,
    common_estimate,
    common_std_error,
    common_estimate - wald_quantile * common_std_error as common_ci_lower,
    common_estimate + wald_quantile * common_std_error as common_ci_upper,
    common_z,
    2 * normal_sf(abs(common_z)) as common_p_value,
    random_estimate,
    random_std_error,
    random_estimate - wald_quantile * random_std_error as random_ci_lower,
    random_estimate + wald_quantile * random_std_error as random_ci_upper,
    random_z,
    2 * normal_sf(abs(random_z)) as random_p_value,
    hk_std_error,
    random_estimate - confidence_quantile * hk_std_error as hk_ci_lower,
    random_estimate + confidence_quantile * hk_std_error as hk_ci_upper,
    hk_t,
    2 * t_sf(abs(hk_t), df) as hk_p_value,
    random_estimate - prediction_quantile * pi_std_error as pi_lower,
    random_estimate + prediction_quantile * pi_std_error as pi_upper,
    q as Q, -- noqa: CP02,AL09
    df,
    chi2_sf(q, nullif(df, 0)) as p_Q, -- noqa: CP02
    case when df > 0 then greatest(0, (q - df) / nullif(q, 0)) end as I2, -- noqa: CP02
    case when df > 0 then greatest(1, q / df) end as H2, -- noqa: CP02
    tau2,
    study_ids
from tested
