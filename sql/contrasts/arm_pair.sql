-- Title: Pairs of arms of one study
-- Grain: pair of arms x outcome x time point x measure that is additive over arms
-- Key: study, experiment, outcome, timepoint, measure, arm_a, arm_b
-- Formula: Every two arms of one study and experiment that were given different treatments and were measured at the
--   same time, once. The first arm, a, is the one whose treatment comes first by role (active, control, sham), then by
--   name: the control stands last.
-- Caveats: Two arms of the same treatment are no pair. What an outcome without a unit was measured in must be the same
--   in both arms. A step of `contrast`.
-- Columns:
--   study, experiment, outcome, timepoint, timepoint_unit: where and when both were measured
--   measure: as in `arm_effect`
--   treatment_a, treatment_b: the two treatments, A compared with B
--   arm_a, arm_b: the arm that was given A; the one that was given B
--   n_a, n_b: animals or participants
--   y_a, y_b, v_a, v_b: statistic of each arm with its sampling variance
--   continuity: what was added to the events of both arms, see `arm_effect`
--   measurement_id_a, measurement_id_b: the rows of `measurement`
--   block: number of the study, experiment, outcome and time point
create or replace view arm_pair as
with ordered as (
    select
        arm_effect.*,
        arm_rank(role, treatment) as rank
    from arm_effect
)

select
    a.study,
    a.experiment,
    a.outcome,
    a.timepoint,
    a.timepoint_unit,
    a.measure,
    a.treatment as treatment_a,
    b.treatment as treatment_b,
    a.arm as arm_a,
    b.arm as arm_b,
    a.n as n_a,
    b.n as n_b,
    a.y as y_a,
    b.y as y_b,
    a.v as v_a,
    b.v as v_b,
    a.continuity,
    a.measurement_id as measurement_id_a,
    b.measurement_id as measurement_id_b,
    a.block
from ordered as a
inner join ordered as b
    on
        a.block = b.block
        and a.measure = b.measure
        and a.rank < b.rank
where a.unit is not distinct from b.unit
