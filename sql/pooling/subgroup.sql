-- Title: Pooled estimates by subgroup, and the test for subgroup differences
-- Grain: outcome x measure x pair of treatments x variable x level
-- Key: outcome, measure, treatment_a, treatment_b, variable, level
-- Formula: `pooled` over the studies of each level of each variable, each with its own tau2. Differences: with e the
--   levels' estimates and s their standard errors, q_between = sum((e - m)^2 / s^2), m = sum(e / s^2) / sum(1 / s^2),
--   on levels - 1 degrees of freedom; for the random-effects estimates (q_between, as RevMan and meta do by default)
--   and for the common-effect ones (q_between_common).
-- Reference: Borenstein and Higgins 2013, Prevention Science 14:134-143; and see `pooling`
-- Caveats: A test with one tau2 for all levels, by meta-regression, gives other numbers: see analysis.pairwise. Studies
--   without a value of the variable are in no level. Contrasts of one study are pooled as if they were independent.
--   Subgroups that were not planned find something in one test out of twenty.
-- Columns:
--   outcome, measure, treatment_a, treatment_b: the comparison, A minus B
--   variable, level: see `study_variable`
--   k, n_studies, n_shared: contrasts; studies; contrasts that share an arm with another one of the comparison
--   common_estimate, common_std_error, common_ci_lower, common_ci_upper, common_z, common_p_value: common effect
--   random_estimate, random_std_error, random_ci_lower, random_ci_upper, random_z, random_p_value: random effects
--   hk_std_error, hk_ci_lower, hk_ci_upper, hk_t, hk_p_value: Hartung-Knapp interval and test of the random effect
--   pi_lower, pi_upper: prediction interval for the effect in a new study
--   Q, df, p_Q, I2, H2, tau2: heterogeneity; I2 is a share
--   study_ids: the studies, comma separated
--   q_between, df_between, p_between: differences between the levels' random-effects estimates; empty for one level
--   q_between_common, p_between_common: differences between the levels' common-effect estimates, on df_between
create or replace view subgroup as
with level_estimate as (
    select * from pooling
    where analysis = 'subgroup'
),

centre as (
    select
        outcome,
        measure,
        treatment_a,
        treatment_b,
        variable,
        count(*) - 1 as df_between,
        sum(random_estimate / (random_std_error * random_std_error) order by level)
        / sum(1 / (random_std_error * random_std_error) order by level) as random_estimate,
        sum(common_estimate / (common_std_error * common_std_error) order by level)
        / sum(1 / (common_std_error * common_std_error) order by level) as common_estimate
    from level_estimate
    group by outcome, measure, treatment_a, treatment_b, variable
),

difference as (
    select
        centre.outcome,
        centre.measure,
        centre.treatment_a,
        centre.treatment_b,
        centre.variable,
        centre.df_between,
        sum(
            power((level_estimate.random_estimate - centre.random_estimate) / level_estimate.random_std_error, 2)
            order by level_estimate.level
        ) as q_between,
        sum(
            power((level_estimate.common_estimate - centre.common_estimate) / level_estimate.common_std_error, 2)
            order by level_estimate.level
        ) as q_between_common
    from centre
    inner join level_estimate
        on
            centre.outcome = level_estimate.outcome
            and centre.measure = level_estimate.measure
            and centre.treatment_a = level_estimate.treatment_a
            and centre.treatment_b = level_estimate.treatment_b
            and centre.variable = level_estimate.variable
    where centre.df_between > 0
    group by
        centre.outcome, centre.measure, centre.treatment_a, centre.treatment_b, centre.variable, centre.df_between
),

tested as (
    select
        difference.*,
        chi2_sf(q_between, df_between) as p_between,
        chi2_sf(q_between_common, df_between) as p_between_common
    from difference
)

select
    level_estimate.outcome,
    level_estimate.measure,
    level_estimate.treatment_a,
    level_estimate.treatment_b,
    level_estimate.variable,
    level_estimate.level,
    level_estimate.k,
    level_estimate.n_studies,
    level_estimate.n_shared,
    level_estimate.common_estimate,
    level_estimate.common_std_error,
    level_estimate.common_ci_lower,
    level_estimate.common_ci_upper,
    level_estimate.common_z,
    level_estimate.common_p_value,
    level_estimate.random_estimate,
    level_estimate.random_std_error,
    level_estimate.random_ci_lower,
    level_estimate.random_ci_upper,
    level_estimate.random_z,
    level_estimate.random_p_value,
    level_estimate.hk_std_error,
    level_estimate.hk_ci_lower,
    level_estimate.hk_ci_upper,
    level_estimate.hk_t,
    level_estimate.hk_p_value,
    level_estimate.pi_lower,
    level_estimate.pi_upper,
    level_estimate.Q, -- noqa: CP02
    level_estimate.df,
    level_estimate.p_Q, -- noqa: CP02
    level_estimate.I2, -- noqa: CP02
    level_estimate.H2, -- noqa: CP02
    level_estimate.tau2,
    level_estimate.study_ids,
    tested.q_between,
    tested.df_between,
    tested.p_between,
    tested.q_between_common,
    tested.p_between_common
from level_estimate
left join tested
    on
        level_estimate.outcome = tested.outcome
        and level_estimate.measure = tested.measure
        and level_estimate.treatment_a = tested.treatment_a
        and level_estimate.treatment_b = tested.treatment_b
        and level_estimate.variable = tested.variable
