-- Title: Numbers that were probably mistyped
-- Grain: suspicion
-- Severity: warning
-- Message: the outcome, and what probably happened
-- Formula: see `suspicion`
-- Caveats: Reasons to look again, no proof.
-- Columns:
--   severity: warning
--   message: what looks wrong
--   remedy: what to check
--   study: the study, empty if it is all of them
--   source_file, source_line: the first of the rows
create or replace view audit_suspicion as
select
    'warning' as severity,
    concat(case when arm is null then '' else concat('arm ', arm, ', ') end, 'outcome ', outcome, ': ', likely)
        as message,
    remedy,
    study,
    source_file,
    source_line
from suspicion
