-- Title: Negative means of what is positive everywhere else
-- Grain: measurement with such a mean
-- Severity: warning
-- Message: which mean
-- Formula: Of an outcome without a lower bound that has at least five positive means, most of them above their SD, and
--   one negative mean, or one more for every ten positive: a negative mean more than two standard errors below 0
-- Caveats: An outcome with a lower_bound in outcomes.csv is held to it when the folder is built; lower_bound = 0 says
--   that a quantity cannot be negative. A change from baseline may well be.
-- Columns:
--   severity: warning
--   message: which mean
--   remedy: what to check
--   study: the study
--   source_file, source_line: the row
create or replace view audit_sign as
with counted as (
    select
        measurement_standard.outcome,
        sum(case when measurement_standard.mean > 0 then 1 else 0 end) as n_positive,
        sum(case when measurement_standard.mean > measurement_standard.sd then 1 else 0 end) as n_clear,
        sum(case when measurement_standard.mean < 0 then 1 else 0 end) as n_negative
    from measurement_standard
    inner join outcome on measurement_standard.outcome = outcome.outcome
    where outcome.lower_bound is null
    group by measurement_standard.outcome
)

select
    'warning' as severity,
    concat(
        'arm ', measurement_standard.arm, ', outcome ', measurement_standard.outcome,
        ': the mean is negative, where ', cast(counted.n_positive as varchar), ' others are positive'
    ) as message,
    'look the sign up again; if it is right, and a change, give changes an outcome of their own' as remedy,
    measurement_standard.study,
    measurement_standard.source_file,
    measurement_standard.source_line
from measurement_standard
inner join counted on measurement_standard.outcome = counted.outcome
where
    measurement_standard.mean < 0
    and measurement_standard.mean * measurement_standard.mean * measurement_standard.n
    > 4 * measurement_standard.sd * measurement_standard.sd
    and counted.n_positive >= 5
    and 10 * (counted.n_negative - 1) < counted.n_positive
    and 2 * counted.n_clear > counted.n_positive
