-- Title: The figures of each measurement as one text
-- Grain: row of `measurement_final` with a spread or events
-- Key: measurement_id
-- Formula: digits counts the significant digits of the mean (median, events) and of the spread, or of the events and
--   their n or exposure.
-- Caveats: Zeros at either end do not count as digits. Rows without figures that could be copied are left out. A step
--   of `suspicion`.
-- Columns:
--   measurement_id, block: the row
--   study, experiment, arm, outcome, timepoint: whose, of what, when
--   role, shared_control_of: of the arm
--   continuous: whether there is a mean or a median
--   numbers: all its statistics, divided by a slash
--   digits: significant digits
create or replace view measurement_figures as
select
    final.measurement_id,
    final.block,
    final.study,
    final.experiment,
    final.arm,
    final.outcome,
    final.timepoint,
    arm.role,
    arm.shared_control_of,
    coalesce(final.mean, final.median) is not null as continuous,
    concat_ws(
        '/', final.n, final.mean, final.median, final.sd, final.se, final.q1, final.q3, final.min, final.max,
        final.ci_lower, final.ci_upper, final.events, final.exposure
    ) as numbers,
    length(trim(replace(cast(abs(coalesce(final.mean, final.median, final.events)) as varchar), '.', ''), '0'))
    + coalesce(length(trim(
        replace(cast(coalesce(final.sd, final.se, final.q3 - final.q1, final.max - final.min) as varchar), '.', ''),
        '0'
    )), 0)
    + case
        when final.events is not null
            then length(trim(replace(cast(coalesce(final.exposure, final.n) as varchar), '.', ''), '0'))
        else 0
    end as digits
from measurement_final as final
inner join arm
    on final.study = arm.study and final.experiment = arm.experiment and final.arm = arm.arm
where
    coalesce(final.sd, final.se, final.q3, final.max, final.ci_upper, final.events) is not null
    and coalesce(final.mean, final.median, final.events) <> 0
