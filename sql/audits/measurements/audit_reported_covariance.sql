-- Title: Reported contrasts of one study whose covariance is not known
-- Grain: pair of reported contrasts that share an arm
-- Severity: error
-- Message: what is missing or contradictory
-- Columns:
--   severity: error
--   message: the two contrasts
--   remedy: what to add
--   study: the study
--   source_file, source_line: the first of the two
create or replace view audit_reported_covariance as
with shared as (
    select
        contrast.*,
        standard.variance_base,
        standard.base_arm,
        standard.source_file,
        standard.source_line
    from contrast
    inner join reported_contrast_standard as standard
        on contrast.reported_contrast_id = standard.reported_contrast_id
    where contrast.shared_arm
),

paired as (
    select
        one.*,
        two.arm_a as other_arm_a,
        two.arm_b as other_arm_b,
        two.base_arm as other_base_arm,
        two.std_error as other_std_error,
        case when one.arm_a in (two.arm_a, two.arm_b) then one.arm_a else one.arm_b end as arm_shared,
        case when one.arm_a in (two.arm_a, two.arm_b) then one.arm_b else one.arm_a end as arm_1,
        case when two.arm_a in (one.arm_a, one.arm_b) then two.arm_b else two.arm_a end as arm_2
    from shared as one
    inner join shared as two
        on
            one.block = two.block
            and one.measure = two.measure
            and one.contrast_id < two.contrast_id
            and (one.arm_a in (two.arm_a, two.arm_b) or one.arm_b in (two.arm_a, two.arm_b))
)

select
    'error' as severity,
    concat(
        paired.arm_a, ' against ', paired.arm_b, ' and ', paired.other_arm_a, ' against ', paired.other_arm_b, ' (',
        paired.measure, ' of outcome ', paired.outcome, ') share arm ', paired.arm_shared,
        case
            when third.contrast_id is null then ', whose variance is not known'
            else ', whose variance comes out negative by the three standard errors'
        end
    ) as message,
    'add var_base (the variance of the arm in arm_b), or the contrast of the two other arms; check the SEs' as remedy,
    paired.study,
    paired.source_file,
    paired.source_line
from paired
left join shared as third
    on
        paired.block = third.block
        and paired.measure = third.measure
        and least(paired.arm_1, paired.arm_2) = least(third.arm_a, third.arm_b)
        and greatest(paired.arm_1, paired.arm_2) = greatest(third.arm_a, third.arm_b)
where
    coalesce(paired.base_arm = paired.arm_shared, false) = false
    and coalesce(paired.other_base_arm = paired.arm_shared, false) = false
    and coalesce(
        paired.std_error * paired.std_error + paired.other_std_error * paired.other_std_error
        - third.std_error * third.std_error < 0,
        true
    )
