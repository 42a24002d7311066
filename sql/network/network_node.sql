-- Title: Nodes of each network
-- Grain: outcome x measure x treatment
-- Key: outcome, measure, treatment
-- Columns:
--   outcome, measure: the network
--   treatment: the node
--   n_studies: studies with an arm of it
--   n_arms: arms of it
--   n_participants: animals or participants in these arms, as far as n is known
--   n_multi_arm: studies and experiments of three or more arms among them
create or replace view network_node as
select
    outcome,
    measure,
    treatment,
    count(distinct study) as n_studies,
    count(*) as n_arms,
    sum(n) as n_participants,
    count(distinct case when n_study_arms > 2 then concat(length(study), '|', study, experiment) end) as n_multi_arm
from network_arm
group by outcome, measure, treatment
