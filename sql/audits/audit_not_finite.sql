-- Title: Contrasts that are no numbers
-- Grain: contrast
-- Severity: error
-- Message: which contrast
-- Caveats: Returns no row unless a view is wrong.
-- Columns:
--   severity: error
--   message: the contrast
--   remedy: what to do
--   study: the study
--   source_file, source_line: empty
create or replace view audit_not_finite as
select
    'error' as severity,
    concat('contrast ', contrast_id, ' has no finite estimate, or no standard error above 0') as message,
    'look at the numbers of both arms in measurement_standard; report it, as this should not happen' as remedy,
    study,
    cast(null as varchar) as source_file,
    cast(null as integer) as source_line
from contrast_network
where not coalesce(
    abs(estimate) < 1e300 and std_error > 0 and std_error < 1e300
    and abs(estimate_g) < 1e300 and std_error_g > 0 and std_error_g < 1e300,
    false
)
