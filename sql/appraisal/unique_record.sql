-- Title: References without their duplicates
-- Grain: record that was kept
-- Key: record
-- Formula: Every record that is not marked as a duplicate. What it does not say itself is taken from its duplicates: of
--   several that say it, the greatest text (the latest year), so that the order of rows decides nothing.
-- Caveats: Volume, issue and pages can come from different duplicates. Decisions are those of `screening_decision`.
-- Columns:
--   record: the record that was kept
--   n_found: how often the reference was found, this record included
--   sources: databases in which it was found, separated by semicolons
--   doi, pmid, title, authors, journal, year, type, volume, issue, pages, abstract, keywords, url: as in `record`
--   study: study that it became
--   title_abstract, full_text: decision at each stage; empty where there is none
create or replace view unique_record as
with copy as (
    select
        duplicate_of,
        max(doi) as doi,
        max(pmid) as pmid,
        max(title) as title,
        max(authors) as authors,
        max(journal) as journal,
        max(year) as year,
        max(type) as type,
        max(volume) as volume,
        max(issue) as issue,
        max(pages) as pages,
        max(abstract) as abstract,
        max(keywords) as keywords,
        max(url) as url,
        max(study) as study
    from record
    where duplicate_of is not null
    group by duplicate_of
),

found as (
    select
        coalesce(record.duplicate_of, record.record) as record,
        count(*) as n_found,
        string_agg(distinct search.source, '; ' order by search.source) as sources
    from record
    left join search on record.search = search.search
    group by coalesce(record.duplicate_of, record.record)
)

select
    record.record,
    found.n_found,
    found.sources,
    coalesce(record.doi, copy.doi) as doi,
    coalesce(record.pmid, copy.pmid) as pmid,
    coalesce(record.title, copy.title) as title,
    coalesce(record.authors, copy.authors) as authors,
    coalesce(record.journal, copy.journal) as journal,
    coalesce(record.year, copy.year) as year,
    coalesce(record.type, copy.type) as type,
    coalesce(record.volume, copy.volume) as volume,
    coalesce(record.issue, copy.issue) as issue,
    coalesce(record.pages, copy.pages) as pages,
    coalesce(record.abstract, copy.abstract) as abstract,
    coalesce(record.keywords, copy.keywords) as keywords,
    coalesce(record.url, copy.url) as url,
    coalesce(record.study, copy.study) as study,
    title.decision as title_abstract,
    full_text.decision as full_text
from record
inner join found on record.record = found.record
left join copy on record.record = copy.duplicate_of
left join screening_decision as title on record.record = title.record and title.stage = 'title_abstract'
left join screening_decision as full_text on record.record = full_text.record and full_text.stage = 'full_text'
where record.duplicate_of is null
