-- Title: Records that lead nowhere
-- Grain: record, or study without a record
-- Severity: warning
-- Message: what is missing
-- Columns:
--   severity: warning
--   message: what is missing
--   remedy: what to add
--   study: the study, if any
--   source_file, source_line: the record, or the study
create or replace view audit_orphan_record as
select
    'warning' as severity,
    concat('record ', record.record, ' is included but belongs to no study') as message,
    'fill in its study, or exclude it with a reason' as remedy,
    cast(null as varchar) as study,
    record.source_file,
    record.source_line
from record
inner join screening_decision on record.record = screening_decision.record
where
    screening_decision.stage = 'full_text'
    and screening_decision.decision = 'include'
    and record.study is null
union all
select
    'warning' as severity,
    concat('record ', record, ' is a duplicate of ', duplicate_of, ', which is not among the records') as message,
    'correct duplicate_of' as remedy,
    study,
    source_file,
    source_line
from record
where duplicate_of is not null and duplicate_of not in (select original.record from record as original)
union all
select
    'warning' as severity,
    'no record that was found belongs to this study' as message,
    'fill in the study of its record, or add the record that it came from' as remedy,
    study,
    source_file,
    source_line
from study
where
    exists (
        select 1 from record
        where study is not null
    )
    and study not in (
        select study from record
        where study is not null
    )
