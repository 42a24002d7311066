-- Title: n of an arm differs widely between its outcomes
-- Grain: arm
-- Severity: warning
-- Message: smallest and largest n
-- Caveats: Only where the largest n is more than twice the smallest.
-- Columns:
--   severity: warning
--   message: smallest and largest n of the arm's measurements
--   remedy: what to check
--   study: the study
--   source_file, source_line: the first measurement of the arm
create or replace view audit_n_inconsistent as
select
    'warning' as severity,
    concat(
        'arm ', arm, ': n is ', cast(min(n) as varchar), ' for one outcome or time point and ', cast(max(n) as varchar),
        ' for another'
    ) as message,
    'check that n is that of this arm alone, not of the study, and of animals, not of samples' as remedy,
    study,
    min(source_file) as source_file,
    min(source_line) as source_line
from measurement_final
group by study, experiment, arm
having max(n) > 2 * min(n)
