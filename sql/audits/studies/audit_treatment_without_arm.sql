-- Title: Treatments that nobody was given
-- Grain: treatment
-- Severity: warning
-- Message: which treatment has no arm
-- Columns:
--   severity: warning
--   message: the treatment
--   remedy: what to do
--   study: empty
--   source_file, source_line: the treatment
create or replace view audit_treatment_without_arm as
select
    'warning' as severity,
    concat('treatment ', treatment, ' has no arm') as message,
    'delete it, or check the treatment of the arms that should have it' as remedy,
    cast(null as varchar) as study,
    source_file,
    source_line
from treatment
where treatment not in (select treatment from arm)
