-- Title: Arms that entered a run
-- Grain: run x study x experiment x arm
-- Key: run_id, study, experiment, arm
-- Formula: The arms of the run's contrasts (`result_contrast`), each once.
-- Caveats: What entered, under the run's own time point, condition and treatments: not what the review holds. A step of
--   `run_node`.
-- Columns:
--   run_id: the run
--   study, experiment, arm: the arm
--   treatment: its treatment
--   n: animals or participants; may be empty for rates and reported contrasts
--   events: events, for counts
--   animals: same within a study where arms of several experiments are one group of animals (`shared_control_of`)
--   n_study_arms: arms of the same study and experiment in this run
--   n_study_treatments: treatments among them
create or replace view run_arm as
with side as (
    select
        run_id,
        study,
        experiment,
        arm_a as arm,
        treatment_a as treatment,
        n_a as n,
        events_a as events,
        animals_a as animals
    from result_contrast
    union all
    select
        run_id,
        study,
        experiment,
        arm_b as arm,
        treatment_b as treatment,
        n_b as n,
        events_b as events,
        animals_b as animals
    from result_contrast
),

arms as (
    select
        run_id,
        study,
        experiment,
        arm,
        min(treatment) as treatment,
        max(n) as n,
        max(events) as events,
        min(animals) as animals
    from side
    group by run_id, study, experiment, arm
),

unit as (
    select
        run_id,
        study,
        experiment,
        count(*) as n_study_arms,
        count(distinct treatment) as n_study_treatments
    from arms
    group by run_id, study, experiment
)

select
    arms.run_id,
    arms.study,
    arms.experiment,
    arms.arm,
    arms.treatment,
    arms.n,
    arms.events,
    arms.animals,
    unit.n_study_arms,
    unit.n_study_treatments
from arms
inner join unit
    on arms.run_id = unit.run_id and arms.study = unit.study and arms.experiment = unit.experiment
