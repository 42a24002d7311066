-- Title: Components of each network: treatments that can be compared at all
-- Grain: outcome x measure x treatment
-- Key: outcome, measure, treatment
-- Stored: when the file is built
-- Formula: Two treatments are of one component if a chain of direct comparisons links them. Components are numbered
--   from the largest (most treatments, then most studies, then first by name).
-- Caveats: A network of more than one component is disconnected: no comparison across components exists.
-- Columns:
--   outcome, measure: the network
--   component: number of the component, 1 the largest
--   treatment: a treatment in it
--   n_components: components of the network
--   n_treatments: treatments in the component
--   n_studies: studies in the component
--   n_arms: arms in the component
--   n_participants: animals or participants in them, as far as n is known
--   n_multi_arm: studies and experiments of three or more arms in the component
create or replace view network_component as
with recursive arms as (
    select * from network_arm
),

compared as (
    select distinct
        outcome,
        measure,
        treatment_a,
        treatment_b
    from analysis_contrast
),

link as (
    select
        outcome,
        measure,
        treatment_a as treatment_from,
        treatment_b as treatment_to
    from compared
    union
    select
        outcome,
        measure,
        treatment_b as treatment_from,
        treatment_a as treatment_to
    from compared
),

reach (outcome, measure, root, treatment) as (
    select distinct
        outcome,
        measure,
        treatment_from as root,
        treatment_from as treatment
    from link
    union
    select
        reach.outcome,
        reach.measure,
        reach.root,
        link.treatment_to
    from reach
    inner join link
        on
            reach.outcome = link.outcome
            and reach.measure = link.measure
            and reach.treatment = link.treatment_from
),

member as (
    select
        outcome,
        measure,
        treatment,
        min(root) as first_treatment
    from reach
    group by outcome, measure, treatment
),

component as (
    select
        member.outcome,
        member.measure,
        member.first_treatment,
        count(distinct arms.treatment) as n_treatments,
        count(distinct arms.study) as n_studies,
        count(*) as n_arms,
        sum(arms.n) as n_participants,
        count(
            distinct case
                when arms.n_study_arms > 2 then concat(length(arms.study), '|', arms.study, arms.experiment)
            end
        ) as n_multi_arm
    from member
    inner join arms
        on
            member.outcome = arms.outcome
            and member.measure = arms.measure
            and member.treatment = arms.treatment
    group by member.outcome, member.measure, member.first_treatment
),

numbered as (
    select
        component.*,
        row_number() over (
            partition by outcome, measure
            order by n_treatments desc, n_studies desc, first_treatment asc
        ) as component,
        count(*) over (partition by outcome, measure) as n_components
    from component
)

select
    numbered.outcome,
    numbered.measure,
    numbered.component,
    member.treatment,
    numbered.n_components,
    numbered.n_treatments,
    numbered.n_studies,
    numbered.n_arms,
    numbered.n_participants,
    numbered.n_multi_arm
from numbered
inner join member
    on
        numbered.outcome = member.outcome
        and numbered.measure = member.measure
        and numbered.first_treatment = member.first_treatment
