-- Title: Boxes of the PRISMA flow that do not add up
-- Grain: sum that does not hold
-- Severity: warning
-- Message: the boxes and their numbers
-- Formula: For databases and registers: records identified less those removed before screening = screened; screened
--   less excluded = sought; sought less not retrieved = assessed; reports excluded = sum of their reasons, records
--   excluded likewise. New studies and previous ones = total = rows of studies.csv.
-- Caveats: A sum is looked at only if its main boxes have a number; a box left out counts as 0.
--   Records that were counted without a search are screened as the others are. Before there is a study in
--   studies.csv, their number is not looked at.
-- Columns:
--   severity: warning
--   message: what does not add up
--   remedy: what to check
--   study: empty
--   source_file, source_line: flow.csv, if a box was typed
create or replace view audit_flow as
with box as (
    select
        max(case when box = 'database_results' then n end) as databases,
        max(case when box = 'register_results' then n end) as registers,
        max(case when box = 'citations_results' and origin = 'counted' then n end) as citations,
        max(case when box = 'duplicates' then n end) as duplicates,
        max(case when box = 'excluded_automatic' then n end) as automatic,
        max(case when box = 'excluded_other' then n end) as other,
        max(case when box = 'records_screened' then n end) as screened,
        max(case when box = 'records_excluded' and reason is null then n end) as excluded,
        sum(case when box = 'records_excluded' and reason is not null then n end) as early_reasons,
        max(case when box = 'dbr_sought_reports' then n end) as sought,
        max(case when box = 'dbr_notretrieved_reports' then n end) as not_retrieved,
        max(case when box = 'dbr_assessed' then n end) as assessed,
        max(case when box = 'dbr_excluded' and reason is null then n end) as reports_excluded,
        sum(case when box = 'dbr_excluded' and reason is not null then n end) as reasons,
        max(case when box = 'previous_studies' then n end) as previous,
        max(case when box = 'new_studies' then n end) as new,
        max(case when box = 'total_studies' and origin = 'typed' then n end) as total,
        min(case when origin = 'typed' then 'flow.csv' end) as source_file
    from prisma_flow
),

checked (message, wrong, source_file) as (
    select
        concat(
            'identified ', cast(coalesce(databases, 0) + coalesce(registers, 0) + coalesce(citations, 0) as varchar),
            ' less removed ',
            cast(coalesce(duplicates, 0) + coalesce(automatic, 0) + coalesce(other, 0) as varchar), ' is not screened ',
            cast(screened as varchar)
        ),
        coalesce(databases, registers) is not null
        and coalesce(databases, 0) + coalesce(registers, 0) + coalesce(citations, 0)
        - coalesce(duplicates, 0) - coalesce(automatic, 0) - coalesce(other, 0) <> screened,
        source_file
    from box
    union all
    select
        concat(
            'screened ', cast(screened as varchar), ' less excluded ', cast(excluded as varchar), ' is not sought ',
            cast(sought as varchar)
        ),
        screened - excluded <> sought,
        source_file
    from box
    union all
    select
        concat(
            'sought ', cast(sought as varchar), ' less not retrieved ', cast(coalesce(not_retrieved, 0) as varchar),
            ' is not assessed ', cast(assessed as varchar)
        ),
        sought - coalesce(not_retrieved, 0) <> assessed,
        source_file
    from box
    union all
    select
        concat(
            'the reasons of exclusion add up to ', cast(reasons as varchar), ', not to the ',
            cast(reports_excluded as varchar), ' reports excluded'
        ),
        reasons <> reports_excluded,
        source_file
    from box
    union all
    select
        concat(
            'the reasons given at title and abstract add up to ', cast(early_reasons as varchar), ', not to the ',
            cast(excluded as varchar), ' records excluded'
        ),
        early_reasons <> excluded,
        source_file
    from box
    union all
    select
        concat(
            'previous ', cast(coalesce(previous, 0) as varchar), ' and new ', cast(new as varchar),
            ' studies are not total ', cast(total as varchar)
        ),
        coalesce(previous, 0) + new <> total,
        source_file
    from box
    union all
    select
        concat(
            'it ends in ', cast(coalesce(total, coalesce(previous, 0) + new) as varchar), ' studies, studies.csv has ',
            cast((select count(*) from study) as varchar)
        ),
        coalesce(total, coalesce(previous, 0) + new) <> (select count(*) from study)
        and exists (select 1 from study),
        source_file
    from box
)

select
    'warning' as severity,
    concat('the flow does not add up: ', message) as message,
    'check the boxes in flow.csv, or the decisions in screening.csv' as remedy,
    cast(null as varchar) as study,
    source_file,
    cast(null as integer) as source_line
from checked
where wrong
