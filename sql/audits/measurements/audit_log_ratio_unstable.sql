-- Title: Means too close to 0 for a log ratio
-- Grain: measurement
-- Severity: warning
-- Message: the mean in standard errors
-- Formula: mean / (SD / root n) below 3, where the plan asks for ROM.
-- Reference: Lajeunesse MJ (2015), Ecology 96:2056-2063 (Geary's test).
-- Columns:
--   severity: warning
--   message: the arm and how close its mean is to 0
--   remedy: what to do
--   study: the study
--   source_file, source_line: the measurement
create or replace view audit_log_ratio_unstable as
select
    'warning' as severity,
    concat(
        'arm ', arm, ', outcome ', outcome,
        ': the mean is less than 3 standard errors from 0, so that the log ratio of means is not normal'
    ) as message,
    'check the result of the planned ROM against one without this study' as remedy,
    study,
    source_file,
    source_line
from measurement_standard
where
    mean > 0
    and mean * sqrt(n) < 3 * sd
    and outcome in (
        select outcome from plan
        where measure = 'ROM'
    )
