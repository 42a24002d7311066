-- Title: Studies a publication of which was retracted, corrected or doubted
-- Grain: study x notice
-- Key: study, retraction_id
-- Formula: The rows of `retracted_publication` that belong to a study, each notice once: a report before a record, the
--   first line first. in_evidence: the study has rows of `measurement` or `reported_contrast`.
-- Caveats: A study can have other publications that stand.
-- Columns:
--   study: the study
--   label: its printed name
--   retraction_id: the notice
--   nature: retraction, expression_of_concern, correction or reinstatement
--   date, reason, notice_doi, notice_pmid: of the notice
--   reinstated: whether a later notice took it back
--   matched_by: doi, pmid or both
--   doi, pmid, title: of the publication
--   in_evidence: whether numbers of the study are in the evidence
--   source_file, source_line: where the publication stands
create or replace view retracted_study as
with ordered as (
    select
        *,
        row_number() over (
            partition by study, retraction_id
            order by case when found_in = 'report' then 0 else 1 end, source_line
        ) as place
    from retracted_publication
    where study is not null
)

select
    ordered.study,
    study.label,
    ordered.retraction_id,
    ordered.nature,
    ordered.date,
    ordered.reason,
    ordered.notice_doi,
    ordered.notice_pmid,
    ordered.reinstated,
    ordered.matched_by,
    ordered.doi,
    ordered.pmid,
    ordered.title,
    ordered.study in (
        select study from measurement
        union
        select study from reported_contrast
    ) as in_evidence,
    ordered.source_file,
    ordered.source_line
from ordered
inner join study on ordered.study = study.study
where ordered.place = 1
