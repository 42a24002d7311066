-- Title: What could not be used, why, and what would make it usable
-- Grain: row typed in the review folder x step that could not use it (x measure)
-- Key: stage, measurement_id, reported_contrast_id, measure
-- Stored: when the file is built
-- Formula: Every reading, measurement or reported contrast that one step of measurement -> measurement_final ->
--   measurement_standard -> arm_effect -> contrast -> analysis_contrast takes in and the next does not give back. What
--   a study reports in one measure only is listed under every other measure that the outcome has contrasts in or the
--   plan asks for, unless the study gives the comparison in that measure, too (stage 'other_measure'). The steps are
--   `unused_measurement`, `unused_reported_contrast` and `unused_time`; the words are rows of `reason`.
-- Caveats: A row left out by one step is not listed again by the steps after it. NMD is asked for only where the
--   outcome was measured in a sham arm somewhere.
-- Columns:
--   source_file, source_line: where the row stands in the review folder
--   study, experiment, arm: whose; for a reported contrast both arms
--   outcome: of what
--   timepoint, timepoint_unit: when, in the outcome's unit of time
--   measure: the effect measure that is lost; empty if all are
--   stage: the view that does not have the row; other_measure if it is there in another measure only
--   reason: what is wrong
--   remedy: what would make it usable
--   measurement_id, reported_contrast_id: the row
create or replace view exclusion as
with found as (
    select * from unused_measurement
    union all
    select * from unused_reported_contrast
    union all
    select * from unused_time
),

entered as (
    select
        measurement_id as row_id,
        source_file,
        source_line,
        study,
        experiment,
        arm,
        outcome,
        timepoint,
        timepoint_unit
    from measurement_reading
    union all
    select
        -reported_contrast_id as row_id,
        source_file,
        source_line,
        study,
        experiment,
        concat(arm_a, ', ', arm_b) as arm,
        outcome,
        timepoint,
        timepoint_unit
    from reported_contrast_standard
)

select
    entered.source_file,
    entered.source_line,
    entered.study,
    entered.experiment,
    entered.arm,
    entered.outcome,
    entered.timepoint,
    entered.timepoint_unit,
    found.measure,
    found.stage,
    coalesce(filled_text(reason.reason, found.detail, found.more, found.measure), found.code) as reason,
    coalesce(
        filled_text(reason.remedy, found.detail, found.more, found.measure), 'look the numbers up again'
    ) as remedy,
    case when found.row_id > 0 then found.row_id end as measurement_id,
    case when found.row_id < 0 then -found.row_id end as reported_contrast_id
from found
inner join entered on found.row_id = entered.row_id
left join reason on found.stage = reason.stage and found.code = reason.code
