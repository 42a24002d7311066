-- Title: Arms in a network
-- Grain: arm x outcome x measure
-- Key: outcome, measure, study, experiment, arm
-- Stored: when the file is built
-- Formula: The arms of all contrasts of `analysis_contrast`, each once.
-- Caveats: Arms are counted as typed. A control group that serves several experiments stands in each of them.
-- Columns:
--   outcome, measure: the network
--   study, experiment, arm: the arm
--   treatment: its node
--   n: animals or participants; may be empty for rates and reported contrasts
--   n_study_arms: arms of the same study and experiment in this network
create or replace view network_arm as
with compared as (
    select * from analysis_contrast
),

side as (
    select
        outcome,
        measure,
        study,
        experiment,
        arm_a as arm,
        treatment_a as treatment,
        n_a as n
    from compared
    union
    select
        outcome,
        measure,
        study,
        experiment,
        arm_b as arm,
        treatment_b as treatment,
        n_b as n
    from compared
),

arms as (
    select
        outcome,
        measure,
        study,
        experiment,
        arm,
        treatment,
        max(n) as n
    from side
    group by outcome, measure, study, experiment, arm, treatment
)

select
    outcome,
    measure,
    study,
    experiment,
    arm,
    treatment,
    n,
    count(*) over (partition by outcome, measure, study, experiment) as n_study_arms
from arms
