-- Title: Assessors judge differently
-- Grain: study x tool x item (x outcome)
-- Severity: warning
-- Message: who judged what
-- Columns:
--   severity: warning
--   message: the item and its judgements
--   remedy: what would settle it
--   study: the study
--   source_file, source_line: the first of the judgements
create or replace view audit_assessor_disagreement as
select
    'warning' as severity,
    concat(
        tool, ' item ', item, case when outcome is not null then concat(', outcome ', outcome) end, ': ',
        string_agg(concat(assessor, ' says ', judgement), ', ' order by assessor),
        '; until they agree, the worst counts'
    ) as message,
    'agree, and add the judgement with assessor consensus' as remedy,
    study,
    min(source_file) as source_file,
    min(source_line) as source_line
from rob_judgement
group by study, tool, item, outcome
having
    count(distinct judgement) > 1
    and count(case when assessor = 'consensus' then 1 end) = 0
