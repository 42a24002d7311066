-- Title: Arms in a network
-- Grain: arm x outcome x measure
-- Key: outcome, measure, study, experiment, arm
-- Formula: The arms of all contrasts that count in a network (`contrast_choice`, network_place 1), each once.
-- Caveats: Arms are counted as typed. A control group that serves several experiments stands in each of them.
-- Columns:
--   outcome, measure: the network
--   study, experiment, arm: the arm
--   treatment: its node
--   n: animals or participants; may be empty for rates and reported contrasts
--   n_study_arms: arms of the same study and experiment in this network
create or replace view network_arm as
with side as (
    select
        outcome,
        measure,
        study,
        experiment,
        arm_a as arm,
        treatment_a as treatment,
        n_a as n,
        n_arms
    from contrast_choice
    where network_place = 1
    union all
    select
        outcome,
        measure,
        study,
        experiment,
        arm_b as arm,
        treatment_b as treatment,
        n_b as n,
        n_arms
    from contrast_choice
    where network_place = 1
)

select
    outcome,
    measure,
    study,
    experiment,
    arm,
    treatment,
    max(n) as n,
    max(n_arms) as n_study_arms
from side
group by outcome, measure, study, experiment, arm, treatment
