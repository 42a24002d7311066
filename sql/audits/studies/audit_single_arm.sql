-- Title: Measured in one arm only
-- Grain: study x experiment x outcome x time point
-- Severity: warning
-- Message: that no comparison can be made
-- Columns:
--   severity: warning
--   message: which outcome and time point has one usable arm
--   remedy: what to check
--   study: the study
--   source_file, source_line: the measurement
create or replace view audit_single_arm as
select
    'warning' as severity,
    concat(
        'outcome ', outcome, case when timepoint is not null then concat(' at ', cast(timepoint as varchar), ' ') end,
        timepoint_unit, ': only arm ', min(arm), ' can be used, so there is nothing to compare it with'
    ) as message,
    'add the other arm, or check that study, experiment, outcome and time point are typed alike in both' as remedy,
    study,
    min(source_file) as source_file,
    min(source_line) as source_line
from measurement_standard
group by study, experiment, outcome, timepoint, timepoint_unit
having count(*) = 1
