-- Title: Direct comparisons of a run
-- Grain: run x pair of treatments
-- Key: run_id, treatment_a, treatment_b
-- Formula: Counts over `result_contrast`. A group of animals that serves several contrasts or experiments counts once.
-- Columns:
--   run_id: the run
--   treatment_a, treatment_b: the comparison, in the order of the run's contrasts
--   n_studies: studies that make it
--   n_arms: arms that take part
--   n_participants: animals or participants in these arms, as far as n is known
--   n_multi_arm: studies and experiments of three or more treatments among them
--   n_contrasts: contrasts, of which several may be of one study
create or replace view run_edge as
with compared as (
    select * from result_contrast
),

side as (
    select
        run_id,
        treatment_a,
        treatment_b,
        study,
        experiment,
        arm_a as arm,
        animals_a as animals,
        n_a as n
    from compared
    union all
    select
        run_id,
        treatment_a,
        treatment_b,
        study,
        experiment,
        arm_b as arm,
        animals_b as animals,
        n_b as n
    from compared
),

arms as (
    select
        run_id,
        treatment_a,
        treatment_b,
        count(distinct concat(length(study), '|', length(experiment), '|', study, experiment, arm)) as n_arms
    from side
    group by run_id, treatment_a, treatment_b
),

people as (
    select
        run_id,
        treatment_a,
        treatment_b,
        sum(n) as n_participants
    from (
        select
            run_id,
            treatment_a,
            treatment_b,
            study,
            animals,
            max(n) as n
        from side
        group by run_id, treatment_a, treatment_b, study, animals
    ) as each_group
    group by run_id, treatment_a, treatment_b
),

unit as (
    select distinct
        run_id,
        study,
        experiment
    from run_arm
    where n_study_treatments > 2
),

edges as (
    select
        compared.run_id,
        compared.treatment_a,
        compared.treatment_b,
        count(distinct compared.study) as n_studies,
        count(
            distinct case
                when unit.study is not null
                    then concat(length(compared.study), '|', compared.study, compared.experiment)
            end
        ) as n_multi_arm,
        count(*) as n_contrasts
    from compared
    left join unit
        on
            compared.run_id = unit.run_id
            and compared.study = unit.study
            and compared.experiment = unit.experiment
    group by compared.run_id, compared.treatment_a, compared.treatment_b
)

select
    edges.run_id,
    edges.treatment_a,
    edges.treatment_b,
    edges.n_studies,
    arms.n_arms,
    people.n_participants,
    edges.n_multi_arm,
    edges.n_contrasts
from edges
inner join arms
    on
        edges.run_id = arms.run_id
        and edges.treatment_a = arms.treatment_a
        and edges.treatment_b = arms.treatment_b
inner join people
    on
        edges.run_id = people.run_id
        and edges.treatment_a = people.treatment_a
        and edges.treatment_b = people.treatment_b
