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
with reported as (
    select *
    from contrast
    where origin = 'reported' and shared_arm
)

select
    'error' as severity,
    concat(
        one.arm_a, ' against ', one.arm_b, ' and ', two.arm_a, ' against ', two.arm_b, ' (', one.measure, ' of outcome ',
        one.outcome, ') share an arm, and the variance they share is not known, or comes out negative'
    ) as message,
    'add var_base (the variance of the arm in arm_b), or the contrast of the two other arms; check the SEs' as remedy,
    one.study,
    reported_contrast.source_file,
    reported_contrast.source_line
from reported as one
inner join reported as two
    on
        one.study = two.study
        and one.experiment = two.experiment
        and one.outcome = two.outcome
        and one.timepoint is not distinct from two.timepoint
        and one.measure = two.measure
        and one.contrast_id < two.contrast_id
        and (one.arm_a in (two.arm_a, two.arm_b) or one.arm_b in (two.arm_a, two.arm_b))
inner join reported_contrast on one.reported_contrast_id = reported_contrast.reported_contrast_id
left join contrast_covariance
    on one.contrast_id = contrast_covariance.contrast_1 and two.contrast_id = contrast_covariance.contrast_2
where contrast_covariance.covariance is null
