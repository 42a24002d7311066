-- Title: Designs of a run: sets of treatments compared within a study
-- Grain: run x design
-- Key: run_id, design
-- Columns:
--   run_id: the run
--   design: treatments of a study and experiment, by name, joined by a colon
--   n_treatments: how many they are
--   n_studies: studies of this design
--   n_arms: their arms
create or replace view run_design as
with trial as (
    select
        run_id,
        study,
        experiment,
        string_agg(distinct treatment, ':' order by treatment) as design,
        count(distinct treatment) as n_treatments,
        count(*) as n_arms
    from run_arm
    group by run_id, study, experiment
)

select
    run_id,
    design,
    n_treatments,
    count(distinct study) as n_studies,
    cast(sum(n_arms) as bigint) as n_arms
from trial
group by run_id, design, n_treatments
