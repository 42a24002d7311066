-- Title: Arms without numbers
-- Grain: arm
-- Severity: warning
-- Message: which arm has neither measurement nor reported contrast
-- Caveats: Only arms of studies of which other arms have numbers.
-- Columns:
--   severity: warning
--   message: the arm
--   remedy: what to do
--   study: the study
--   source_file, source_line: the arm
create or replace view audit_arm_without_data as
with used as (
    select
        study,
        experiment,
        arm
    from measurement
    union
    select
        study,
        experiment,
        arm_a
    from reported_contrast
    union
    select
        study,
        experiment,
        arm_b
    from reported_contrast
)

select
    'warning' as severity,
    concat('arm ', arm.arm, ' has no measurement and is in no reported contrast') as message,
    'add its numbers; if the article gives none, leave it as it is' as remedy,
    arm.study,
    arm.source_file,
    arm.source_line
from arm
left join used on arm.study = used.study and arm.experiment = used.experiment and arm.arm = used.arm
where used.arm is null and arm.study in (select other.study from used as other)
