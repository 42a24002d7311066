-- Title: Designs of each network: sets of treatments compared within a study
-- Grain: outcome x measure x design
-- Key: outcome, measure, design
-- Columns:
--   outcome, measure: the network
--   design: treatments of a study and experiment, by name, joined by a colon; a colon or backslash within a name has a
--     backslash before it
--   n_treatments: how many they are
--   n_studies: studies of this design
--   n_arms: their arms
--   n_participants: animals or participants in them, as far as n is known
--   n_multi_arm: studies and experiments of three or more arms among them
create or replace view network_design as
with trial as (
    select
        outcome,
        measure,
        study,
        experiment,
        string_agg(distinct name, ':' order by name) as design,
        count(distinct treatment) as n_treatments,
        count(*) as n_arms,
        sum(n) as n_participants
    from (
        select
            network_arm.*,
            replace(replace(treatment, '\', '\\'), ':', '\:') as name
        from network_arm
    ) as arms
    group by outcome, measure, study, experiment
)

select
    outcome,
    measure,
    design,
    n_treatments,
    count(distinct study) as n_studies,
    cast(sum(n_arms) as bigint) as n_arms,
    sum(n_participants) as n_participants,
    count(case when n_arms > 2 then 1 end) as n_multi_arm
from trial
group by outcome, measure, design, n_treatments
