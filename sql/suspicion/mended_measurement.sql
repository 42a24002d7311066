-- Title: Measurements as they would be if a suspicion were right
-- Grain: suspicion x row of `measurement`
-- Key: suspicion, measurement_id
-- Formula: The row with that one slip undone. A copied row and an experiment entered twice leave; the n of a control
--   that counts twice is halved in both places; swapped arms change places.
-- Caveats: An impossible mean or spread cannot be mended without the article: it has no row here. No analysis reads
--   this view; `evidence check` shows what mending would do to the pooled results.
-- Columns:
--   suspicion: the suspicion, see `suspicion`
--   score: log odds that it is right
--   outcome: of what
--   measurement_id: the row
--   kept: false if the row would leave
--   n, mean, sd, se, median, q1, q3, min, max, ci_lower, ci_upper, events, exposure: as they would be typed
create or replace view mended_measurement as
with touched as (
    select
        suspicion.suspicion,
        suspicion.score,
        suspicion.outcome,
        suspicion.cause,
        suspicion.column_name,
        suspicion.value,
        suspicion.factor,
        final.measurement_id,
        case
            when suspicion.cause <> 'swapped_arms' then final.measurement_id
            when final.measurement_id = suspicion.measurement_id then suspicion.other_measurement_id
            else suspicion.measurement_id
        end as donor
    from suspicion
    inner join measurement_final as final
        on
            suspicion.outcome = final.outcome
            and (
                suspicion.block is null
                or (
                    suspicion.cause in ('se_as_sd', 'se_divided', 'sd_as_se', 'spread_decimal', 'unit')
                    and suspicion.block = final.block
                    and (suspicion.arm is null or suspicion.arm = final.arm)
                )
                or (
                    suspicion.cause in ('decimal', 'digits', 'sign', 'copied_row', 'entered_twice')
                    and suspicion.measurement_id = final.measurement_id
                )
                or (
                    suspicion.cause in ('swapped_arms', 'control_twice')
                    and (
                        suspicion.measurement_id = final.measurement_id
                        or suspicion.other_measurement_id = final.measurement_id
                    )
                )
            )
),

given as (
    select
        touched.suspicion,
        touched.score,
        touched.outcome,
        touched.cause,
        touched.column_name,
        touched.value,
        touched.measurement_id,
        case when touched.cause = 'unit' then touched.factor else 1 end as times,
        case when touched.cause in ('unit', 'spread_decimal') then touched.factor else 1 end as spread_times,
        coalesce(final.n, arm.n) as n,
        final.mean,
        final.sd,
        final.se,
        final.median,
        final.q1,
        final.q3,
        final.min,
        final.max,
        final.ci_lower,
        final.ci_upper,
        final.events,
        final.exposure
    from touched
    inner join measurement_final as final on touched.donor = final.measurement_id
    inner join arm
        on final.study = arm.study and final.experiment = arm.experiment and final.arm = arm.arm
)

select
    suspicion,
    score,
    outcome,
    measurement_id,
    cause not in ('copied_row', 'entered_twice') as kept,
    case
        when cause = 'control_twice' then n / 2
        when column_name = 'n' then value
        else n
    end as n,
    case when column_name = 'mean' then value else mean * times end as mean,
    case
        when cause in ('se_as_sd', 'se_divided', 'all_se_as_sd', 'all_se_divided') then cast(null as double)
        when cause = 'sd_as_se' then coalesce(sd, se)
        else sd * spread_times
    end as sd,
    case
        when cause in ('se_as_sd', 'all_se_as_sd') then coalesce(sd, se)
        when cause in ('se_divided', 'all_se_divided') then coalesce(sd * sqrt(n), se)
        when cause = 'sd_as_se' then cast(null as double)
        else se * spread_times
    end as se,
    median * times as median,
    q1 * times as q1,
    q3 * times as q3,
    min * times as min,
    max * times as max,
    ci_lower * times as ci_lower,
    ci_upper * times as ci_upper,
    case when column_name = 'events' then value else events end as events,
    exposure
from given
