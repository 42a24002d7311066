-- Title: Flow of records, reports and studies (PRISMA 2020)
-- Grain: box x reason (source, for the records of one database)
-- Key: box, reason
-- Formula: Where records.csv has rows, the boxes that records and screening decisions give are counted: identified
--   (each source), duplicates, screened, excluded (with reasons, where a decision on title and abstract has one),
--   sought, not retrieved, assessed, excluded with reasons, new reports and new studies. All other boxes, and all boxes
--   where there are no records, are taken from flow.csv. Studies in the evidence base, if there are any, are counted
--   for total_studies unless flow.csv has that box.
-- Reference: Page MJ et al. (2021), BMJ 372:n71.
-- Caveats: Decisions are those of `screening_decision`. A record counts as screened once it has a decision on title and
--   abstract; as sought if that decision is not exclude, or if it has a full-text decision; as assessed if sought,
--   retrieved and decided on. Records without a search count under 'other methods' (citations_results). What a
--   published review lists (stage listed) is never all of them: a record of which nothing else is known is not counted.
-- Columns:
--   box, position, section, label: the box
--   reason: reason of exclusion, or source of the records; empty for the box itself
--   n: how many; empty if typed as unknown
--   origin: counted or typed
create or replace view prisma_flow as
with found as (
    select
        record.record,
        record.duplicate_of,
        search.source,
        case when search.search is null then 'other' else 'dbr' end as route,
        title.decision as title_decision,
        title.reason as title_reason,
        full_text.decision as full_text_decision,
        full_text.reason as full_text_reason,
        record.study
    from record
    left join search on record.search = search.search
    left join screening_decision as title on record.record = title.record and title.stage = 'title_abstract'
    left join screening_decision as full_text on record.record = full_text.record and full_text.stage = 'full_text'
    where
        search.search is not null
        or title.record is not null
        or full_text.record is not null
        or not exists (
            select 1 from screening
            where screening.record = record.record and screening.stage = 'listed'
        )
),

staged as (
    select
        found.*,
        full_text_decision is not null or (title_decision is not null and title_decision <> 'exclude') as sought,
        full_text_decision is not null and full_text_decision <> 'not_retrieved' as assessed
    from found
),

counted (box, reason, n) as (
    select
        'database_results',
        null,
        count(case when route = 'dbr' then 1 end)
    from staged
    union all
    select
        'database_specific_results',
        source,
        count(*)
    from staged
    where route = 'dbr'
    group by source
    union all
    select
        'citations_results',
        null,
        count(*)
    from staged
    where route = 'other'
    having count(*) > 0
    union all
    select
        'duplicates',
        null,
        count(duplicate_of)
    from staged
    union all
    select
        'records_screened',
        null,
        count(title_decision)
    from staged
    union all
    select
        'records_excluded',
        null,
        count(case when title_decision = 'exclude' and not sought then 1 end)
    from staged
    union all
    select
        'records_excluded',
        coalesce(title_reason, 'no reason given'),
        count(*)
    from staged
    where
        title_decision = 'exclude' and not sought
        and exists (
            select 1 from staged as given
            where given.title_reason is not null
        )
    group by coalesce(title_reason, 'no reason given')
    union all
    select
        concat(route, '_sought_reports'),
        null,
        count(case when sought then 1 end)
    from staged
    group by route
    union all
    select
        concat(route, '_notretrieved_reports'),
        null,
        count(case when full_text_decision = 'not_retrieved' then 1 end)
    from staged
    group by route
    union all
    select
        concat(route, '_assessed'),
        null,
        count(case when assessed then 1 end)
    from staged
    group by route
    union all
    select
        concat(route, '_excluded'),
        null,
        count(case when full_text_decision = 'exclude' then 1 end)
    from staged
    group by route
    union all
    select
        concat(route, '_excluded'),
        coalesce(full_text_reason, 'no reason given'),
        count(*)
    from staged
    where full_text_decision = 'exclude'
    group by route, coalesce(full_text_reason, 'no reason given')
    union all
    select
        'new_reports',
        null,
        count(case when full_text_decision = 'include' then 1 end)
    from staged
    union all
    select
        'new_studies',
        null,
        count(distinct study)
    from staged
    where full_text_decision = 'include'
    having count(study) > 0
),

boxed as (
    select
        box,
        reason,
        n,
        'counted' as origin
    from counted
    where exists (select 1 from found)
    union all
    select
        box,
        reason,
        n,
        'typed' as origin
    from flow
    where
        not exists (select 1 from found)
        or box not in (select box from counted)
    union all
    select
        'total_studies' as box,
        null as reason,
        count(*) as n,
        'counted' as origin
    from study
    where
        not exists (
            select 1 from flow
            where box = 'total_studies'
        )
    having count(*) > 0
)

select
    boxed.box,
    prisma_box.position,
    prisma_box.section,
    prisma_box.label,
    boxed.reason,
    boxed.n,
    boxed.origin
from boxed
inner join prisma_box on boxed.box = prisma_box.box
