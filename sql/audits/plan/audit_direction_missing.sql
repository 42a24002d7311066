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
    case
        when kind = 'time_to_event'
            then concat('outcome ', outcome, ' does not say whether its event is bad: a hazard ratio has no direction')
        else concat('outcome ', outcome, ' does not say whether lower is better: treatments cannot be ranked on it')
    end as message,
    case
        when kind = 'time_to_event' then 'fill in event_is_bad in outcomes.csv: true for death, false for healing'
        else 'fill in lower_is_better in outcomes.csv'
    end as remedy,
    cast(null as varchar) as study,
    source_file,
    source_line
from outcome
where case when kind = 'time_to_event' then event_is_bad else lower_is_better end is null
