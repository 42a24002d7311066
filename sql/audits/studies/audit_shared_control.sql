-- Title: The same control group counts in several experiments
-- Grain: arm that is a shared control
-- Severity: warning
-- Message: where it counts twice
-- Caveats: Contrasts of different experiments are taken as independent of each other, which these are not.
-- Columns:
--   severity: warning
--   message: the arm and the outcome
--   remedy: how to make the dependence known
--   study: the study
--   source_file, source_line: the arm
create or replace view audit_shared_control as
with origin as (
    select
        shared.study,
        shared.experiment,
        shared.arm,
        shared.source_file,
        shared.source_line,
        origin.experiment as origin_experiment,
        origin.arm as origin_arm
    from arm as shared
    inner join arm as origin
        on
            shared.study = origin.study
            and shared.experiment <> origin.experiment
            and (
                shared.shared_control_of = origin.arm
                or (shared.shared_control_of = origin.experiment and shared.treatment = origin.treatment)
            )
)

select
    'warning' as severity,
    concat(
        'arm ', origin.arm, ' of experiment ', origin.experiment, ' is the same group as arm ', origin.origin_arm,
        ' of experiment ', origin.origin_experiment, ': both count for outcome ',
        string_agg(distinct one.outcome, ', ' order by one.outcome)
    ) as message,
    'make them one experiment of several arms, whose covariance is then known; or give each its share of the n'
        as remedy,
    origin.study,
    origin.source_file,
    origin.source_line
from origin
inner join measurement_standard as one
    on origin.study = one.study and origin.experiment = one.experiment and origin.arm = one.arm
inner join measurement_standard as two
    on
        origin.study = two.study
        and origin.origin_experiment = two.experiment
        and origin.origin_arm = two.arm
        and one.outcome = two.outcome
        and one.timepoint is not distinct from two.timepoint
group by
    origin.study, origin.experiment, origin.arm, origin.origin_experiment, origin.origin_arm, origin.source_file,
    origin.source_line
