-- Title: Studies that no comparison uses
-- Grain: study
-- Severity: warning
-- Message: that the study adds to no result
-- Columns:
--   severity: warning
--   message: what the study lacks
--   remedy: where to look
--   study: the study
--   source_file, source_line: the study
create or replace view audit_study_without_contrast as
select
    'warning' as severity,
    case
        when
            study.study in (select study from measurement)
            or study.study in (select study from reported_contrast)
            then 'the study has numbers, but none that gives a comparison'
        else 'the study has no numbers at all'
    end as message,
    'see its rows in exclusion; a study without numbers is right if it is only described' as remedy,
    study.study,
    study.source_file,
    study.source_line
from study
where study.study not in (select study from contrast)
