-- Title: Edges of each network: direct comparisons
-- Grain: outcome x measure x pair of treatments (in the order of `contrast`: control last)
-- Key: outcome, measure, treatment_a, treatment_b
-- Columns:
--   outcome, measure: the network
--   treatment_a, treatment_b: the comparison
--   n_studies: studies that make it
--   n_arms: arms that take part
--   n_participants: animals or participants in these arms, as far as n is known
--   n_multi_arm: studies and experiments of three or more arms among them
--   n_contrasts: contrasts, of which several may be of one study
create or replace view network_edge as
with compared as (
    select
        outcome,
        measure,
        study,
        experiment,
        treatment_a,
        treatment_b,
        arm_a,
        arm_b,
        n_a,
        n_b,
        shared_arm
    from analysis_contrast
),

side as (
    select
        outcome,
        measure,
        treatment_a,
        treatment_b,
        study,
        experiment,
        arm_a as arm,
        n_a as n
    from compared
    union
    select
        outcome,
        measure,
        treatment_a,
        treatment_b,
        study,
        experiment,
        arm_b as arm,
        n_b as n
    from compared
),

arms as (
    select
        outcome,
        measure,
        treatment_a,
        treatment_b,
        count(distinct concat(length(study), '|', length(experiment), '|', study, experiment, arm)) as n_arms,
        sum(n) as n_participants
    from side
    group by outcome, measure, treatment_a, treatment_b
),

edges as (
    select
        outcome,
        measure,
        treatment_a,
        treatment_b,
        count(distinct study) as n_studies,
        count(distinct case when shared_arm then concat(length(study), '|', study, experiment) end) as n_multi_arm,
        count(*) as n_contrasts
    from compared
    group by outcome, measure, treatment_a, treatment_b
)

select
    edges.outcome,
    edges.measure,
    edges.treatment_a,
    edges.treatment_b,
    edges.n_studies,
    arms.n_arms,
    arms.n_participants,
    edges.n_multi_arm,
    edges.n_contrasts
from edges
inner join arms
    on
        edges.outcome = arms.outcome
        and edges.measure = arms.measure
        and edges.treatment_a = arms.treatment_a
        and edges.treatment_b = arms.treatment_b
