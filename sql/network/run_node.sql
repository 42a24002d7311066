-- Title: Treatments of a run, and what there is of each
-- Grain: run x treatment
-- Key: run_id, treatment
-- Formula: Counts over `run_arm`. A group of animals that serves several contrasts or experiments counts once.
-- Columns:
--   run_id: the run
--   treatment: the treatment
--   n_studies: studies with an arm of it
--   n_arms: arms of it
--   n_participants: animals or participants in these arms, as far as n is known
--   n_unknown: arms whose n is not known
--   n_multi_arm: studies and experiments of three or more treatments among them
create or replace view run_node as
with arms as (
    select * from run_arm
),

people as (
    select
        run_id,
        treatment,
        sum(n) as n_participants
    from (
        select
            run_id,
            treatment,
            study,
            animals,
            max(n) as n
        from arms
        group by run_id, treatment, study, animals
    ) as each_group
    group by run_id, treatment
),

counted as (
    select
        run_id,
        treatment,
        count(distinct study) as n_studies,
        count(*) as n_arms,
        count(case when n is null then 1 end) as n_unknown,
        count(
            distinct case
                when n_study_treatments > 2 then concat(length(study), '|', study, experiment)
            end
        ) as n_multi_arm
    from arms
    group by run_id, treatment
)

select
    counted.run_id,
    counted.treatment,
    counted.n_studies,
    counted.n_arms,
    people.n_participants,
    counted.n_unknown,
    counted.n_multi_arm
from counted
inner join people on counted.run_id = people.run_id and counted.treatment = people.treatment
