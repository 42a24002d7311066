-- Title: Reviewers decide differently on a record
-- Grain: record x stage
-- Severity: warning
-- Message: who decided what
-- Columns:
--   severity: warning
--   message: the record, the stage and the decisions
--   remedy: what would settle it
--   study: the study the record belongs to, if any
--   source_file, source_line: the first of the decisions
create or replace view audit_screening_conflict as
select
    'warning' as severity,
    concat(
        'record ', screening.record, ', ', screening.stage, ': ',
        string_agg(concat(screening.reviewer, ' says ', screening.decision), ', ' order by screening.reviewer),
        '; it counts as ', screening_decision.decision
    ) as message,
    'agree, and add the decision with reviewer consensus' as remedy,
    screening_decision.study,
    min(screening.source_file) as source_file,
    min(screening.source_line) as source_line
from screening
inner join screening_decision
    on screening.record = screening_decision.record and screening.stage = screening_decision.stage
where screening_decision.conflict
group by screening.record, screening.stage, screening_decision.decision, screening_decision.study
