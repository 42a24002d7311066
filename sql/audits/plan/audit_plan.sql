-- Title: Planned analyses that the evidence cannot give
-- Grain: analysis of the plan
-- Severity: warning
-- Message: what is missing
-- Formula: Analyses whose outcome and measure (and treatments or their class, if pairwise) have no contrast, and
--   planned networks that are disconnected.
-- Columns:
--   severity: warning
--   message: the analysis and what it lacks
--   remedy: what to do
--   study: empty
--   source_file, source_line: review.toml
create or replace view audit_plan as
with component as (
    select
        outcome,
        measure,
        max(n_components) as n_components,
        string_agg(treatment, ', ' order by treatment) filter (where component > 1) as apart
    from network_component
    group by outcome, measure
),

checked as (
    select
        plan.analysis,
        plan.kind,
        plan.outcome,
        plan.measure,
        plan.treatment,
        plan.versus,
        component.n_components,
        component.apart,
        plan.treatment is null
        or plan.versus is null
        or exists (
            select 1 from comparison_contrast
            inner join treatment as a on comparison_contrast.treatment_a = a.treatment
            inner join treatment as b on comparison_contrast.treatment_b = b.treatment
            where
                comparison_contrast.outcome = plan.outcome
                and comparison_contrast.measure = plan.measure
                and (
                    (plan.treatment in (a.treatment, a.class) and b.treatment = plan.versus)
                    or (a.treatment = plan.versus and plan.treatment in (b.treatment, b.class))
                )
        ) as compared
    from plan
    left join component on plan.outcome = component.outcome and plan.measure = component.measure
)

select
    'warning' as severity,
    case
        when n_components is null
            then concat('analysis ', analysis, ': there is no contrast of outcome ', outcome, ' by ', measure)
        when kind = 'pairwise'
            then concat('analysis ', analysis, ': no study compares ', treatment, ' with ', versus)
        else
            concat(
                'analysis ', analysis, ': the network is disconnected, as nothing links it with ', apart
            )
    end as message,
    case
        when n_components is null then 'see exclusion for what was left out; choose another measure'
        when kind = 'pairwise' then 'take it out of the plan, or compare them in a network'
        else 'analyse each component by itself (treatments), or add a study that links them'
    end as remedy,
    cast(null as varchar) as study,
    'review.toml' as source_file,
    cast(null as integer) as source_line
from checked
where n_components is null or (kind = 'pairwise' and not compared) or (kind = 'network' and n_components > 1)
