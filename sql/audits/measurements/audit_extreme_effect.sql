-- Title: Effects too large to believe
-- Grain: contrast
-- Severity: warning
-- Message: the standardised mean difference
-- Formula: SMD below -5 or above 5.
-- Caveats: Real in few fields (a gene switched off); in all others mostly a standard error typed as SD, or a decimal
--   comma.
-- Columns:
--   severity: warning
--   message: the contrast and its size
--   remedy: what to check
--   study: the study
--   source_file, source_line: the measurement of the first arm
create or replace view audit_extreme_effect as
with extreme as (
    select *
    from contrast
    where measure = 'SMD' and origin = 'arms' and abs(estimate) > 5
)

select
    'warning' as severity,
    concat(
        extreme.arm_a, ' against ', extreme.arm_b, ', outcome ', extreme.outcome, ': the means are ',
        cast(cast(abs(extreme.estimate) as integer) as varchar), ' standard deviations apart'
    ) as message,
    'check that the spread is a standard deviation, not a standard error, and the decimal points' as remedy,
    extreme.study,
    measurement_standard.source_file,
    measurement_standard.source_line
from extreme
inner join measurement_standard
    on extreme.block = measurement_standard.block and extreme.arm_a = measurement_standard.arm
