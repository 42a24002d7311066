-- Title: Outcomes without a direction of benefit
-- Grain: outcome
-- Severity: warning
-- Message: which outcome
-- Columns:
--   severity: warning
--   message: the outcome
--   remedy: what to add
--   study: empty
--   source_file, source_line: the outcome
create or replace view audit_direction_missing as
select
    'warning' as severity,
    concat('outcome ', outcome, ' does not say whether lower is better: treatments cannot be ranked on it') as message,
    'fill in lower_is_better in outcomes.csv' as remedy,
    cast(null as varchar) as study,
    source_file,
    source_line
from outcome
where lower_is_better is null
