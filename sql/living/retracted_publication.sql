-- Title: Publications of the review that were retracted, corrected or doubted
-- Grain: report or record x notice
-- Key: found_in, source_line, retraction_id
-- Formula: A row of `report` or `record` and one of `retraction` with the same DOI (from its 10. on, in small letters,
--   without a stop at its end) or the same PubMed identifier. reinstated: a reinstatement of the same publication, not
--   earlier than the notice; one without a date counts.
-- Caveats: Nothing is matched by a title. A DOI can stand for a whole supplement: matched_by says what agreed.
-- Columns:
--   retraction_id: the notice
--   found_in: report or record
--   study: the study it is a publication of; of a record, its own or that of the record kept in its place, or empty
--   record: the record; empty for a report
--   matched_by: doi, pmid or both
--   doi, pmid, title: of the publication, as the review has them
--   nature: retraction, expression_of_concern, correction or reinstatement
--   date, reason, notice_doi, notice_pmid: of the notice
--   reinstated: whether a later notice took it back
--   source_file, source_line: where the publication stands
create or replace view retracted_publication as
with publication as (
    select
        'report' as found_in,
        study,
        cast(null as varchar) as record,
        doi,
        pmid,
        title,
        source_file,
        source_line
    from report
    union all
    select
        'record' as found_in,
        coalesce(record.study, kept.study) as study,
        record.record,
        record.doi,
        record.pmid,
        record.title,
        record.source_file,
        record.source_line
    from record
    left join record as kept on record.duplicate_of = kept.record
),

own as (
    select
        *,
        case
            when position('10.' in plain) > 0 then rtrim(substr(plain, position('10.' in plain)), '.,;:')
        end as plain_doi,
        nullif(trim(pmid), '') as plain_pmid
    from (
        select
            *,
            replace(lower(trim(doi)), '%2f', '/') as plain
        from publication
    ) as written
),

listed as (
    select
        *,
        case
            when position('10.' in plain) > 0 then rtrim(substr(plain, position('10.' in plain)), '.,;:')
        end as plain_doi,
        nullif(trim(pmid), '') as plain_pmid
    from (
        select
            *,
            replace(lower(trim(doi)), '%2f', '/') as plain
        from retraction
    ) as written
),

-- One condition a join: two joined by "or" would compare every pair.
agreeing as (
    select
        own.found_in,
        own.source_line,
        listed.retraction_id,
        1 as by_doi,
        0 as by_pmid
    from own
    inner join listed on own.plain_doi = listed.plain_doi
    union all
    select
        own.found_in,
        own.source_line,
        listed.retraction_id,
        0 as by_doi,
        1 as by_pmid
    from own
    inner join listed on own.plain_pmid = listed.plain_pmid
),

matched as (
    select
        found_in,
        source_line,
        retraction_id,
        max(by_doi) as by_doi,
        max(by_pmid) as by_pmid
    from agreeing
    group by found_in, source_line, retraction_id
),

taken_back as (
    select distinct
        matched.found_in,
        matched.source_line,
        listed.date
    from matched
    inner join listed on matched.retraction_id = listed.retraction_id
    where listed.nature = 'reinstatement'
)

select
    matched.retraction_id,
    own.found_in,
    own.study,
    own.record,
    case
        when matched.by_doi + matched.by_pmid = 2 then 'doi and pmid'
        when matched.by_doi = 1 then 'doi'
        else 'pmid'
    end as matched_by,
    own.doi,
    own.pmid,
    own.title,
    listed.nature,
    listed.date,
    listed.reason,
    listed.notice_doi,
    listed.notice_pmid,
    listed.nature <> 'reinstatement' and exists (
        select 1 from taken_back
        where
            taken_back.found_in = matched.found_in
            and taken_back.source_line = matched.source_line
            and (taken_back.date is null or listed.date is null or taken_back.date >= listed.date)
    ) as reinstated,
    own.source_file,
    own.source_line
from matched
inner join own on matched.found_in = own.found_in and matched.source_line = own.source_line
inner join listed on matched.retraction_id = listed.retraction_id
