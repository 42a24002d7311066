-- Title: Size of a run: what entered it
-- Grain: run
-- Key: run_id
-- Formula: Counts over `run_arm`. A group of animals that serves several contrasts or experiments counts once.
-- Columns:
--   run_id: the run
--   n_studies: studies
--   n_arms: arms
--   n_treatments: treatments
--   n_participants: animals or participants, as far as n is known
--   n_unknown: arms whose n is not known
--   n_multi_arm: studies and experiments of three or more treatments
create or replace view run_size as
with arms as (
    select * from run_arm
),

people as (
    select
        run_id,
        sum(n) as n_participants
    from (
        select
            run_id,
            study,
            animals,
            max(n) as n
        from arms
        group by run_id, study, animals
    ) as each_group
    group by run_id
),

counted as (
    select
        run_id,
        count(distinct study) as n_studies,
        count(*) as n_arms,
        count(distinct treatment) as n_treatments,
        count(case when n is null then 1 end) as n_unknown,
        count(
            distinct case
                when n_study_treatments > 2 then concat(length(study), '|', study, experiment)
            end
        ) as n_multi_arm
    from arms
    group by run_id
)

select
    counted.run_id,
    counted.n_studies,
    counted.n_arms,
    counted.n_treatments,
    people.n_participants,
    counted.n_unknown,
    counted.n_multi_arm
from counted
inner join people on counted.run_id = people.run_id
