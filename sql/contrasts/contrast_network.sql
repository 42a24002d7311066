-- Title: Contrasts as a network needs them
-- Grain: contrast: pair of arms x outcome x time point x measure
-- Key: contrast_id
-- Stored: when the file is built
-- Formula: As `contrast`, but for SMD from arms, where A - B + B - C = A - C must hold within a study: Cohen's d with
--   the SD pooled over all arms of the study, s^2 = sum (n_i - 1) s_i^2 / (N - k) over its k arms, N = sum n_i,
--   variance 1 / n_a + 1 / n_b + d^2 / (2 N). Beside it Hedges' g = J(N - k) d, variance 1 / n_a + 1 / n_b + g^2 / (2
--   N). A study here is a study, experiment, outcome and time point.
-- Reference: Crippa A, Orsini N (2016), BMC Med Res Methodol 16:91, equation 5; d is what netmeta's pairwise gives.
-- Caveats: d is biased away from 0 in small samples (by 13 % with 4 against 4 animals); g is not.
-- Columns:
--   contrast_id: the contrast, see `contrast`
--   study, experiment, outcome, timepoint, timepoint_unit, measure: as in `contrast`
--   treatment_a, treatment_b, arm_a, arm_b, n_a, n_b: as in `contrast`
--   estimate, std_error: A minus B; for SMD d
--   estimate_g, std_error_g: for SMD g, for other measures the same as estimate and std_error
--   n_study: N, animals or participants in all arms of the study; SMD from arms only
--   continuity, shared_arm, measurement_ids, origin, reported_contrast_id, block: as in `contrast`
create or replace view contrast_network as
with mean_effect as (
    select *
    from arm_effect
    where measure = 'MD'
),

pooled_sd as (
    select
        block,
        sum(n) as n_total,
        sum(n) - count(*) as df,
        -- In a fixed order, so that the last digit does not depend on that of the rows.
        sqrt(sum((n - 1) * n * v order by arm) / nullif(sum(n) - count(*), 0)) as sd
    from mean_effect
    group by block
),

standardised as (
    select
        contrast.contrast_id,
        pooled_sd.n_total,
        (a.y - b.y) / nullif(pooled_sd.sd, 0) as d,
        hedges_correction(pooled_sd.df) * (a.y - b.y) / nullif(pooled_sd.sd, 0) as g
    from contrast
    inner join mean_effect as a on contrast.block = a.block and contrast.arm_a = a.arm
    inner join mean_effect as b on contrast.block = b.block and contrast.arm_b = b.arm
    inner join pooled_sd on contrast.block = pooled_sd.block
    where contrast.measure = 'SMD'
)

select
    contrast.contrast_id,
    contrast.study,
    contrast.experiment,
    contrast.outcome,
    contrast.timepoint,
    contrast.timepoint_unit,
    contrast.measure,
    contrast.treatment_a,
    contrast.treatment_b,
    contrast.arm_a,
    contrast.arm_b,
    contrast.n_a,
    contrast.n_b,
    coalesce(d, contrast.estimate) as estimate,
    coalesce(sqrt(1 / n_a + 1 / n_b + d * d / (2 * n_total)), contrast.std_error) as std_error,
    coalesce(g, contrast.estimate) as estimate_g,
    coalesce(sqrt(1 / n_a + 1 / n_b + g * g / (2 * n_total)), contrast.std_error) as std_error_g,
    standardised.n_total as n_study,
    contrast.continuity,
    contrast.shared_arm,
    contrast.measurement_ids,
    contrast.origin,
    contrast.reported_contrast_id,
    contrast.block
from contrast
left join standardised on contrast.contrast_id = standardised.contrast_id
