-- Title: Covariance of contrasts of one study
-- Grain: pair of contrasts of one study, outcome, time point and measure that share an arm, or, for SMD from arms, the
--   SD of the study (contrast_1 < contrast_2)
-- Key: contrast_1, contrast_2
-- Stored: when the file is built
-- Formula: With c the shared arm and sign = +1 if it stands on the same side of both contrasts, else -1:
--   additive measures: sign * v_c. SMD (as in `contrast_network`): sign / n_c + d_1 d_2 / (2 N); for g the same with g.
--   Without a common arm SMD of one study still share the SD that standardises them: d_1 d_2 / (2 N).
--   Reported contrasts: sign * V_c, V_c the variance of arm c as reported (var_base), else, where the third side of the
--   triangle is reported too, V_c = (SE_1^2 + SE_2^2 - SE_3^2) / 2.
-- Reference: Crippa A, Orsini N (2016), BMC Med Res Methodol 16:91, equation 6; Franchini AJ et al. (2012), Res Synth
--   Methods 3:142-160.
-- Caveats: Contrasts of four different arms are independent and not listed, but for SMD from arms. Reported contrasts
--   that give neither V_c nor the third side have no covariance: `audit_reported_covariance` names the study, as it
--   does where V_c comes out negative.
-- Columns:
--   study, experiment, outcome, timepoint, measure: where
--   contrast_1, contrast_2: contrast_id of the two
--   arm_shared: the arm in both; empty where SMD share the SD of their study only
--   covariance: for the two contrasts as they stand in `contrast_network`
--   covariance_g: for SMD that of the two g, else the same as covariance
create or replace view contrast_covariance as
with shared as (
    select *
    from contrast_network
    where shared_arm
),

paired as (
    select
        one.study,
        one.experiment,
        one.outcome,
        one.timepoint,
        one.measure,
        one.origin,
        one.block,
        one.contrast_id as contrast_1,
        two.contrast_id as contrast_2,
        case
            when one.arm_a in (two.arm_a, two.arm_b) then one.arm_a
            when one.arm_b in (two.arm_a, two.arm_b) then one.arm_b
        end as arm_shared,
        case when one.arm_a in (two.arm_a, two.arm_b) then one.n_a else one.n_b end as n_shared,
        case when one.arm_a in (two.arm_a, two.arm_b) then one.arm_b else one.arm_a end as arm_1,
        case when two.arm_a in (one.arm_a, one.arm_b) then two.arm_b else two.arm_a end as arm_2,
        case when one.arm_a = two.arm_a or one.arm_b = two.arm_b then 1 else -1 end as sign,
        one.estimate * two.estimate / (2 * one.n_study) as of_pooled_sd,
        one.estimate_g * two.estimate_g / (2 * one.n_study) as of_pooled_sd_g,
        one.std_error * one.std_error as variance_1,
        two.std_error * two.std_error as variance_2,
        one.reported_contrast_id as reported_1,
        two.reported_contrast_id as reported_2
    from shared as one
    inner join shared as two
        on
            one.block = two.block
            and one.measure = two.measure
            and one.contrast_id < two.contrast_id
    where
        one.arm_a in (two.arm_a, two.arm_b)
        or one.arm_b in (two.arm_a, two.arm_b)
        or (one.measure = 'SMD' and one.origin <> 'reported' and two.origin <> 'reported')
),

reported as (
    select *
    from shared
    where origin = 'reported'
),

base as (
    select
        reported_contrast_id,
        base_arm,
        variance_base
    from reported_contrast_standard
    where variance_base is not null
),

variance as (
    select
        paired.*,
        arm_effect.v,
        coalesce(
            base_1.variance_base,
            base_2.variance_base,
            (paired.variance_1 + paired.variance_2 - third.std_error * third.std_error) / 2
        ) as v_reported
    from paired
    left join arm_effect
        on
            paired.block = arm_effect.block
            and paired.measure = arm_effect.measure
            and paired.arm_shared = arm_effect.arm
    left join base as base_1
        on paired.reported_1 = base_1.reported_contrast_id and paired.arm_shared = base_1.base_arm
    left join base as base_2
        on paired.reported_2 = base_2.reported_contrast_id and paired.arm_shared = base_2.base_arm
    left join reported as third
        on
            paired.block = third.block
            and paired.measure = third.measure
            and least(paired.arm_1, paired.arm_2) = least(third.arm_a, third.arm_b)
            and greatest(paired.arm_1, paired.arm_2) = greatest(third.arm_a, third.arm_b)
),

signed as (
    select
        variance.*,
        sign * case
            when arm_shared is null then 0
            when origin = 'reported' then case when v_reported >= 0 then v_reported end
            when measure = 'SMD' then 1 / n_shared
            else v
        end as of_arm
    from variance
)

select
    study,
    experiment,
    outcome,
    timepoint,
    measure,
    contrast_1,
    contrast_2,
    arm_shared,
    of_arm + coalesce(of_pooled_sd, 0) as covariance,
    of_arm + coalesce(of_pooled_sd_g, 0) as covariance_g
from signed
where of_arm is not null
