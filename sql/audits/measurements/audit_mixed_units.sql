-- Title: One outcome, several units
-- Grain: outcome
-- Severity: warning
-- Message: which units an outcome without a unit of its own is typed in
-- Columns:
--   severity: warning
--   message: the outcome and its units
--   remedy: what would allow raw mean differences
--   study: empty
--   source_file, source_line: the outcome
create or replace view audit_mixed_units as
select
    'warning' as severity,
    concat(
        'outcome ', outcome.outcome, ' has no unit and is measured in ',
        string_agg(distinct measurement.unit, ', ' order by measurement.unit),
        ': SMD and ROM are given for it, MD is not'
    ) as message,
    'give the outcome a unit if all of them can be converted to it; else split it, or use SMD or ROM' as remedy,
    cast(null as varchar) as study,
    outcome.source_file,
    outcome.source_line
from outcome
inner join outcome_unit on outcome.outcome = outcome_unit.outcome
inner join measurement on outcome.outcome = measurement.outcome
where outcome_unit.mixed
group by outcome.outcome, outcome.source_file, outcome.source_line
