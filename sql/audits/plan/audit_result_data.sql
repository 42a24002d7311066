-- Title: Results of other data than the file has
-- Grain: run, or arm or reported contrast that entered a run
-- Severity: error
-- Message: which run, and what is not as it was
-- Formula: Runs that read a review of other content than `build_info` names (content_hash). And what entered a run
--   (`result_contrast`): an arm for which `measurement_standard` has no row today with the same mean, SD, events and
--   exposure, a reported contrast that is gone or has another estimate (relative difference above 1e-9).
-- Caveats: A file that is built anew has no results, and results are not kept beside other data than they were computed
--   from: this finds files that were changed by other means. n is not compared, as a run may share a control's out
--   among its contrasts; a row that was added by other means is not found.
-- Columns:
--   severity: error
--   message: the run, and what is not as it was
--   remedy: what to do
--   study: the study of what entered; empty where the whole review changed
--   source_file, source_line: empty
create or replace view audit_result_data as
with entered as (
    select
        result_run.outcome,
        coalesce(result_run.analysis, concat('run ', result_run.run_id)) as run,
        result_contrast.*
    from result_contrast
    inner join result_run on result_contrast.run_id = result_run.run_id
),

side as (
    select
        run,
        outcome,
        study,
        experiment,
        measurement_ids,
        arm_a as arm,
        mean_a as mean,
        sd_a as sd,
        events_a as events,
        exposure_a as exposure
    from entered
    union
    select
        run,
        outcome,
        study,
        experiment,
        measurement_ids,
        arm_b as arm,
        mean_b as mean,
        sd_b as sd,
        events_b as events,
        exposure_b as exposure
    from entered
),

changed_arm as (
    select
        side.run,
        side.study,
        side.arm
    from side
    left join measurement_standard as today
        on
            side.study = today.study
            and side.experiment = today.experiment
            and side.arm = today.arm
            and side.outcome = today.outcome
            and concat(',', replace(side.measurement_ids, ' ', ''), ',') like concat('%,', today.measurement_id, ',%')
    where side.mean is not null or side.events is not null
    group by side.run, side.study, side.arm
    having
        count(
            case
                when
                    coalesce(abs(side.mean - today.mean) <= 1e-9 * abs(side.mean), side.mean is null)
                    and coalesce(abs(side.sd - today.sd) <= 1e-9 * abs(side.sd), side.sd is null)
                    and coalesce(side.events = today.events, side.events is null)
                    and coalesce(
                        abs(side.exposure - today.exposure) <= 1e-9 * abs(side.exposure), side.exposure is null
                    )
                    and today.measurement_id is not null
                    then 1
            end
        ) = 0
),

changed_contrast as (
    select
        entered.run,
        entered.study,
        entered.arm_a,
        entered.arm_b
    from entered
    left join reported_contrast_standard as today on entered.reported_contrast_id = today.reported_contrast_id
    where
        entered.reported_contrast_id is not null
        and not coalesce(
            abs(abs(entered.estimate) - abs(today.estimate)) <= 1e-9 * abs(today.estimate), false
        )
),

found as (
    select
        concat(
            coalesce(result_run.analysis, concat('run ', result_run.run_id)),
            ': its results are of a review with other content than this file was built from'
        ) as message,
        cast(null as varchar) as study
    from result_run
    inner join build_info on build_info.key = 'content_hash'
    where result_run.content_hash <> build_info.value
    union all
    select
        concat(run, ': its results are of other data: arm ', arm, ' is not as it was when it entered') as message,
        study
    from changed_arm
    union all
    select
        concat(
            run, ': its results are of other data: the reported contrast of ', arm_a, ' and ', arm_b,
            ' is not as it was when it entered'
        ) as message,
        study
    from changed_contrast
)

select
    'error' as severity,
    message,
    'run it again: evidence analyse FILE, or pool and nma with --save' as remedy,
    study,
    cast(null as varchar) as source_file,
    cast(null as integer) as source_line
from found
