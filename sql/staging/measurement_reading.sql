-- Title: Every reading of a measurement, and which one counts
-- Grain: row of `measurement`
-- Key: measurement_id
-- Formula: The rows of `measurement`, with the time point in the outcome's unit of time, and the reading that counts:
--   see `measurement_choice`.
-- Caveats: A disagreement without consensus is listed in `audit_extractor_disagreement`.
-- Columns:
--   measurement_id: the row of `measurement`
--   study, experiment, arm, outcome: what was measured in whom
--   timepoint, timepoint_unit: in the outcome's unit of time, see `outcome_timepoint`
--   n, mean, sd, se, median, q1, q3, min, max, ci_lower, ci_upper, ci_level, events, exposure: as reported
--   unit: as reported
--   adjusted, source, locator, method, extractor, note: how and where it was read
--   source_file, source_line: where the row stands in the review folder
--   final_measurement_id: the reading that counts; empty if the time point has no unit beside others that have one
--   block: number of the study, experiment, outcome and time point, the smallest measurement_id of it
create or replace view measurement_reading as
select
    measurement.measurement_id,
    measurement.study,
    measurement.experiment,
    measurement.arm,
    measurement.outcome,
    choice.timepoint,
    choice.timepoint_unit,
    measurement.n,
    measurement.mean,
    measurement.sd,
    measurement.se,
    measurement.median,
    measurement.q1,
    measurement.q3,
    measurement.min,
    measurement.max,
    measurement.ci_lower,
    measurement.ci_upper,
    measurement.ci_level,
    measurement.events,
    measurement.exposure,
    measurement.unit,
    measurement.adjusted,
    measurement.source,
    measurement.locator,
    measurement.method,
    measurement.extractor,
    measurement.note,
    measurement.source_file,
    measurement.source_line,
    choice.final_measurement_id,
    choice.block
from measurement
inner join measurement_choice as choice on measurement.measurement_id = choice.measurement_id
