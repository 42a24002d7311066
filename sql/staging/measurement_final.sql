-- Title: The measurements that count
-- Grain: arm x outcome x time point
-- Key: study, experiment, arm, outcome, timepoint
-- Formula: The one reading of each measurement that counts, see `measurement_reading`.
-- Caveats: The readings that do not count stand in `exclusion`; what extractors disagree about in
--   `audit_extractor_disagreement`. A step of `measurement_standard`.
-- Columns:
--   measurement_id: the row of `measurement`
--   study, experiment, arm, outcome: what was measured in whom
--   timepoint, timepoint_unit: in the outcome's unit of time, see `outcome_timepoint`
--   n, mean, sd, se, median, q1, q3, min, max, ci_lower, ci_upper, ci_level, events, exposure: as reported
--   unit: as reported
--   adjusted, source, locator, method, extractor, note: how and where it was read
--   source_file, source_line: where the row stands in the review folder
--   block: number of the study, experiment, outcome and time point
create or replace view measurement_final as
select
    measurement_id,
    study,
    experiment,
    arm,
    outcome,
    timepoint,
    timepoint_unit,
    n,
    mean,
    sd,
    se,
    median,
    q1,
    q3,
    min,
    max,
    ci_lower,
    ci_upper,
    ci_level,
    events,
    exposure,
    unit,
    adjusted,
    source,
    locator,
    method,
    extractor,
    note,
    source_file,
    source_line,
    block
from measurement_reading
where measurement_id = final_measurement_id
