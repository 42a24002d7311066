-- Title: Pooled estimates
-- Grain: outcome x measure x pair of treatments
-- Key: outcome, measure, treatment_a, treatment_b
-- Stored: when the file is built
-- Formula: common effect by inverse variance, random effects by DerSimonian and Laird, Hartung-Knapp, and the
--   prediction interval of Higgins, Thompson and Spiegelhalter (t, k - 2 degrees of freedom): see `pooling`
-- Reference: see `pooling`
-- Caveats: Contrasts of one study (arms of one treatment, experiments) are pooled as if they were independent: where k
--   is above n_studies the intervals are too narrow (of a nominal 95 %, some 75 % with three arms a study), and
--   analysis.pairwise, which combines them within the study first, gives another answer. Where k = n_studies it gives
--   the same. With one contrast only the estimate and its interval are filled in.
-- Columns:
--   outcome, measure, treatment_a, treatment_b: the comparison, A minus B
--   k, n_studies, n_shared: contrasts; studies; contrasts that share an arm with another one of the comparison
--   common_estimate, common_std_error, common_ci_lower, common_ci_upper, common_z, common_p_value: common effect
--   random_estimate, random_std_error, random_ci_lower, random_ci_upper, random_z, random_p_value: random effects
--   hk_std_error, hk_ci_lower, hk_ci_upper, hk_t, hk_p_value: Hartung-Knapp interval and test of the random effect
--   pi_lower, pi_upper: prediction interval for the effect in a new study
--   Q, df, p_Q, I2, H2, tau2: heterogeneity; I2 is a share
--   study_ids: the studies, comma separated
create or replace view pooled as
select
    outcome,
    measure,
    treatment_a,
    treatment_b,
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
    tau2,
    study_ids
from pooling
where analysis = 'pooled'
