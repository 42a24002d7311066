-- Title: One publication for two studies
-- Grain: publication (DOI, else PubMed number)
-- Severity: warning
-- Message: which studies share it
-- Caveats: One article may report two studies; if it does not, a study is counted twice.
-- Columns:
--   severity: warning
--   message: the publication and its studies
--   remedy: what would be right
--   study: the study first by name
--   source_file, source_line: the first of the reports
create or replace view audit_same_report as
with identified as (
    select
        report.*,
        case when doi is not null then concat('doi ', lower(doi)) else concat('PubMed ', pmid) end as publication
    from report
    where doi is not null or pmid is not null
)

select
    'warning' as severity,
    concat(publication, ' is a report of ', string_agg(distinct study, ', ' order by study)) as message,
    'if they are one study, merge them and tell its parts apart as experiments' as remedy,
    min(study) as study,
    min(source_file) as source_file,
    min(source_line) as source_line
from identified
group by publication
having count(distinct study) > 1
