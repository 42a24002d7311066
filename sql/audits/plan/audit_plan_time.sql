-- Title: Planned analyses whose time point no study has
-- Grain: analysis of the plan
-- Severity: error
-- Message: the time point asked for, and those that there are
-- Formula: Analyses that ask for one time, where the outcome and measure have contrasts and none of them is of that
--   time.
-- Columns:
--   severity: error
--   message: the analysis, what it asks for, and which time points there are
--   remedy: what to do
--   study: empty
--   source_file, source_line: review.toml
create or replace view audit_plan_time as
with measured as (
    select distinct
        outcome,
        measure,
        timepoint,
        timepoint_unit
    from contrast
),

compared as (
    select
        planned_time.analysis,
        planned_time.outcome,
        planned_time.rule,
        measured.timepoint,
        measured.timepoint_unit,
        case when abs(measured.timepoint - planned_time.value) <= 1e-9 * abs(measured.timepoint) then 1 else 0 end
            as at_time
    from planned_time
    inner join measured on planned_time.outcome = measured.outcome and planned_time.measure = measured.measure
    where planned_time.kind = 'value'
)

select
    'error' as severity,
    concat(
        'analysis ', analysis, ': no study has outcome ', outcome, ' at time point ', rule, '; there are ',
        coalesce(
            string_agg(concat_ws(' ', cast(timepoint as varchar), timepoint_unit), ', ' order by timepoint),
            'none with a time'
        )
    ) as message,
    'write a time point that there is, or the nearest one to it (nearest:24 h)' as remedy,
    cast(null as varchar) as study,
    'review.toml' as source_file,
    cast(null as integer) as source_line
from compared
group by analysis, outcome, rule
having max(at_time) = 0
