-- Title: Pooled estimates with one study left out
-- Grain: outcome x measure x pair of treatments x omitted study
-- Key: outcome, measure, treatment_a, treatment_b, omitted_study
-- Formula: `pooled` over all studies but one, worked out anew for each: see `pooling`
-- Reference: see `pooling`
-- Caveats: All contrasts of the omitted study leave together. The work grows with the square of the contrasts in a
--   comparison: one of more than 1,000 studies has no row here (analysis.pairwise leaves out of up to 20,000), nor has
--   one of a single study. The studies that are left are those of `pooled` but one.
-- Columns:
--   outcome, measure, treatment_a, treatment_b: the comparison, A minus B
--   omitted_study: the study left out
--   k, n_studies, n_shared: contrasts; studies; contrasts that share an arm with another one of the comparison
--   common_estimate, common_std_error, common_ci_lower, common_ci_upper, common_z, common_p_value: common effect
--   random_estimate, random_std_error, random_ci_lower, random_ci_upper, random_z, random_p_value: random effects
--   hk_std_error, hk_ci_lower, hk_ci_upper, hk_t, hk_p_value: Hartung-Knapp interval and test of the random effect
--   pi_lower, pi_upper: prediction interval for the effect in a new study
--   Q, df, p_Q, I2, H2, tau2: heterogeneity; I2 is a share
create or replace view leave_one_out as
select
    outcome,
    measure,
    treatment_a,
    treatment_b,
    omitted_study,
    k,
    n_studies,
    n_shared,
    common_estimate,
    common_std_error,
    common_ci_lower,
    common_ci_upper,
    common_z,
    common_p_value,
    random_estimate,
    random_std_error,
    random_ci_lower,
    random_ci_upper,
    random_z,
    random_p_value,
    hk_std_error,
    hk_ci_lower,
    hk_ci_upper,
    hk_t,
    hk_p_value,
    pi_lower,
    pi_upper,
    Q, -- noqa: CP02
    df,
    p_Q, -- noqa: CP02
    I2, -- noqa: CP02
    H2, -- noqa: CP02
    tau2
from pooling
where analysis = 'leave_one_out'
