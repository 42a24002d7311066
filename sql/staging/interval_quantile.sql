-- Title: Quantiles of Student's t distribution that turn the review's confidence intervals into standard errors
-- Grain: confidence level x degrees of freedom
-- Key: level, freedom
-- Stored: when the file is built
-- Rows from: measurement.ci_lower, reported_contrast.ci_lower
-- Formula: t of 1 - (1 - level)/2 on n - 1 degrees of freedom for the interval of a mean, on n_a + n_b - 2 for that of
--   a difference, and on 4 where these n are not known (what `audit_reported_interval` grants such an interval).
-- Reference: Higgins JPT et al., Cochrane Handbook, 6.5.2.2 and 6.5.2.3.
-- Caveats: Only levels and degrees of freedom that the review has. A step of `measurement_standard`.
-- Columns:
--   level: confidence level, a share
--   freedom: degrees of freedom
--   t: quantile; empty where the level is no share
create or replace view interval_quantile as
with needed as (
    select
        coalesce(measurement.ci_level, 0.95) as level,
        coalesce(measurement.n, arm.n) - 1 as freedom
    from measurement
    inner join arm
        on
            measurement.study = arm.study
            and measurement.experiment = arm.experiment
            and measurement.arm = arm.arm
    where measurement.ci_lower is not null and measurement.ci_upper is not null and coalesce(measurement.n, arm.n) >= 2
    union
    select
        coalesce(reported.ci_level, 0.95) as level,
        case
            when side.first_n + side.second_n > 2 then side.first_n + side.second_n - 2
            else 4
        end as freedom
    from reported_contrast as reported
    inner join reported_contrast_side as side on reported.reported_contrast_id = side.reported_contrast_id
    where reported.ci_lower is not null and reported.ci_upper is not null and not side.is_ratio
)

select
    level,
    freedom,
    t_quantile(1 - (1 - level) / 2, freedom) as t
from needed
