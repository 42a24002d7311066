-- Title: Pooled estimates of the contrasts one asks for
-- Grain: outcome x measure x pair of treatments
-- Formula: Those of `pooled`, with its columns, over the rows of `contrast` whose id is in the list: common effect by
--   inverse variance, random effects by DerSimonian and Laird, Hartung-Knapp, the prediction interval of Higgins,
--   Thompson and Spiegelhalter. See `pooling`.
--   from pool_contrasts((select list(contrast_id) from contrast where hours(timepoint, timepoint_unit) <= 24))
-- Reference: see `pooling`
-- Caveats: Contrasts are pooled as if they were independent: where a list has several time points or arms of one study,
--   k is above n_studies, n_shared says how many share an arm, and the intervals are too narrow. Contrasts without an
--   estimate or a standard error are left out. `pool_studies` takes one time point a study, as `pooled` does.
create or replace macro pool_contrasts(chosen) as table
    with effect as (
        select
            outcome,
            measure,
            treatment_a,
            treatment_b,
            study,
            contrast_id,
            estimate,
            std_error * std_error as variance,
            count(*) over side_a > 1 or count(*) over side_b > 1 as shares_arm
        from contrast
        where list_contains(chosen, contrast_id) and estimate is not null and std_error between 1e-150 and 1e150
        window
            side_a as (partition by outcome, measure, treatment_a, treatment_b, study, experiment, arm_a),
            side_b as (partition by outcome, measure, treatment_a, treatment_b, study, experiment, arm_b)
    ),

    placed as (
        select
            effect.*,
            count(*) over comparison as k,
            (max(estimate) over comparison + min(estimate) over comparison) / 2 as centre,
            min(variance) over comparison as least_variance,
            estimate - (max(estimate) over comparison + min(estimate) over comparison) / 2 as distance,
            min(variance) over comparison / variance as weight
        from effect
        window comparison as (partition by outcome, measure, treatment_a, treatment_b)
    ),

    -- The order of a sum is that of the ids, whatever that of the rows, so that equal questions have equal answers.
    common as (
        select
            placed.*,
            sum(weight) over comparison as total,
            sum(weight * distance) over comparison / sum(weight) over comparison as shift,
            sum(weight) over comparison - sum(weight * weight) over comparison / sum(weight) over comparison as c
        from placed
        window comparison as (
            partition by outcome, measure, treatment_a, treatment_b
            order by contrast_id rows between unbounded preceding and unbounded following
        )
    ),

    squared as (
        select
            common.*,
            sum(weight * power(distance - shift, 2)) over comparison / least_variance as q
        from common
        window comparison as (
            partition by outcome, measure, treatment_a, treatment_b
            order by contrast_id rows between unbounded preceding and unbounded following
        )
    ),

    spread as (
        select
            squared.*,
            case when k > 1 and q > k - 1 then (q - (k - 1)) * least_variance / c else 0 end as tau2
        from squared
    ),

    estimated as (
        select
            outcome,
            measure,
            treatment_a,
            treatment_b,
            min(k) as k,
            count(distinct study) as n_studies,
            count(*) filter (where shares_arm) as n_shared,
            string_agg(distinct study, ',' order by study) as study_ids,
            min(centre + shift) as common_estimate,
            sqrt(min(least_variance / total)) as common_std_error,
            case when min(k) > 1 then min(q) else 0 end as q,
            min(tau2) as tau2,
            min(centre) as centre,
            sum(distance / (variance + tau2) order by contrast_id) / sum(1 / (variance + tau2) order by contrast_id)
                as random_shift,
            1 / sum(1 / (variance + tau2) order by contrast_id) as random_variance,
            list({ 'd': distance, 'w': 1 / (variance + tau2) } order by contrast_id) as members
        from spread
        group by outcome, measure, treatment_a, treatment_b
    ),

    quantified as (
        select
            estimated.*,
            k - 1 as df,
            centre + random_shift as random_estimate,
            sqrt(random_variance) as random_std_error,
            random_variance * list_sum(list_transform(members, lambda x: x.w * power(x.d - random_shift, 2)))
                as residual_variance,
            (
                select student_limit(max(t), estimated.k - 1) from student_quantile
                where df = estimated.k - 1
            ) as t_confidence,
            (
                select student_limit(max(t), estimated.k - 2) from student_quantile
                where df = estimated.k - 2
            ) as t_prediction
        from estimated
    ),

    corrected as (
        select
            quantified.*,
            case
                when k > 1 and residual_variance < 1e-6 * df * random_variance then random_std_error
                when k > 1 then sqrt(residual_variance / df)
            end as hk_std_error,
            normal_quantile(0.975) as z
        from quantified
    )

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
        common_estimate - z * common_std_error as common_ci_lower,
        common_estimate + z * common_std_error as common_ci_upper,
        common_estimate / common_std_error as common_z,
        2 * normal_sf(abs(common_estimate / common_std_error)) as common_p_value,
        random_estimate,
        random_std_error,
        random_estimate - z * random_std_error as random_ci_lower,
        random_estimate + z * random_std_error as random_ci_upper,
        random_estimate / random_std_error as random_z,
        2 * normal_sf(abs(random_estimate / random_std_error)) as random_p_value,
        hk_std_error,
        random_estimate - t_confidence * hk_std_error as hk_ci_lower,
        random_estimate + t_confidence * hk_std_error as hk_ci_upper,
        random_estimate / nullif(hk_std_error, 0) as hk_t,
        2 * t_sf(abs(random_estimate / nullif(hk_std_error, 0)), df) as hk_p_value,
        random_estimate - t_prediction * sqrt(tau2 + random_variance) as pi_lower,
        random_estimate + t_prediction * sqrt(tau2 + random_variance) as pi_upper,
        q as Q, -- noqa: CP02,AL09
        df,
        chi2_sf(q, nullif(df, 0)) as p_Q, -- noqa: CP02
        case when df > 0 then greatest(0, (q - df) / nullif(q, 0)) end as I2, -- noqa: CP02
        case when df > 0 then greatest(1, q / df) end as H2, -- noqa: CP02
        tau2,
        study_ids
    from corrected
