-- Title: More measured than there were in the arm
-- Grain: measurement
-- Severity: warning
-- Message: both numbers
-- Columns:
--   severity: warning
--   message: n of the measurement and of the arm
--   remedy: what to check
--   study: the study
--   source_file, source_line: the measurement
create or replace view audit_n_above_arm as
select
    'warning' as severity,
    concat(
        'arm ', measurement.arm, ', outcome ', measurement.outcome, ': n is ', cast(measurement.n as varchar),
        ', but the arm has ', cast(arm.n as varchar)
    ) as message,
    'look both up: n of the arm is the number randomised, n of the measurement the number measured' as remedy,
    measurement.study,
    measurement.source_file,
    measurement.source_line
from measurement
inner join arm
    on
        measurement.study = arm.study
        and measurement.experiment = arm.experiment
        and measurement.arm = arm.arm
where measurement.n > arm.n
