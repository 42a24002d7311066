-- Title: What slips of the pen in one number of an arm are weighed by
-- Grain: arm x outcome x time point
-- Key: measurement_id
-- Formula: y is the log mean where all means of the outcome are above 0, else the mean; the log odds; the log rate (0.5
--   added to all counts).
-- Caveats: A step of `suspect_value`. Of what is typed either number may be wrong: the sampling of a log mean goes by
--   the outcome's median of (sd / mean)^2.
-- Columns:
--   measurement_id: the row of `measurement`
--   block: the study, experiment, outcome and time point
--   outcome, kind, arm, treatment, role, n, mean, events, exposure: as in `measurement_standard`
--   typed_mean: the mean in the unit typed
--   positive: whether all means of the outcome are above 0
--   y, v: the statistic and its sampling variance
--   rank: order of the arms of a block by role (active, control, sham), then by treatment
create or replace view suspect_arm as
with standard as materialized (
    select
        standard.block,
        standard.outcome,
        standard.kind,
        standard.arm,
        standard.treatment,
        standard.role,
        standard.measurement_id,
        standard.n,
        standard.mean,
        standard.sd,
        standard.events,
        standard.exposure,
        measurement.mean as typed_mean,
        min(standard.mean) over (partition by standard.outcome) > 0 as positive
    from measurement_standard as standard
    inner join measurement on standard.measurement_id = measurement.measurement_id
),

-- Of what is typed either number may be wrong: sampling goes by the outcome's median.
usual_cv as (
    select
        outcome,
        percentile_cont(0.5) within group (order by sd * sd / nullif(mean * mean, 0)) as cv2
    from standard
    where positive and kind = 'continuous'
    group by outcome
)

select
    standard.measurement_id,
    standard.block,
    standard.outcome,
    standard.kind,
    standard.arm,
    standard.treatment,
    standard.role,
    standard.n,
    standard.mean,
    standard.events,
    standard.exposure,
    standard.typed_mean,
    standard.positive,
    case
        when kind = 'binary' then ln((events + 0.5) / (n - events + 0.5))
        when kind = 'rate' then ln((events + 0.5) / exposure)
        when positive then ln(case when mean > 0 then mean end)
        else mean
    end as y,
    case
        when kind = 'binary' then 1 / (events + 0.5) + 1 / (n - events + 0.5)
        when kind = 'rate' then 1 / (events + 0.5)
        when positive then usual_cv.cv2 / n
        else sd * sd / n
    end as v,
    arm_rank(role, treatment) as rank
from standard
left join usual_cv on standard.outcome = usual_cv.outcome
