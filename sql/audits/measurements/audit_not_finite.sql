-- Title: Contrasts that are no numbers
-- Grain: contrast
-- Severity: error
-- Message: which contrast
-- Caveats: These contrasts are in no pooled estimate, as the square of such a standard error is no number. Arms seldom
--   give one, as means and SDs beyond these limits stand in `exclusion`; reported contrasts can.
-- Columns:
--   severity: error
--   message: the contrast
--   remedy: what to do
--   study: the study
--   source_file, source_line: empty
create or replace view audit_not_finite as
select
    'error' as severity,
    concat(
        'contrast ', contrast_id,
        ' has no finite estimate, or a standard error too small or too large to weight it by'
    ) as message,
    'look the estimate and its error up again' as remedy,
    study,
    cast(null as varchar) as source_file,
    cast(null as integer) as source_line
from contrast_network
where not coalesce(
    abs(estimate) < 1e300 and std_error between 1e-150 and 1e150
    and abs(estimate_g) < 1e300 and std_error_g between 1e-150 and 1e150,
    false
)
