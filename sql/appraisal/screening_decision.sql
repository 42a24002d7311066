-- Title: What was decided on each record
-- Grain: record x stage
-- Key: record, stage
-- Formula: The decision of reviewer 'consensus' counts. Else, where reviewers differ, the more inclusive one: a record
--   goes on if any reviewer includes it, else if any is unclear; it is excluded, or not retrieved, if all that is left
--   says so.
-- Caveats: Records marked as duplicates are left out: their decisions belong to the record they duplicate. Where
--   reviewers differ and there is no consensus, conflict is true and `audit_screening_conflict` lists the record.
-- Columns:
--   record: the record
--   stage: title_abstract or full_text
--   decision: include, unclear, not_retrieved or exclude
--   reason: reason of exclusion, of the consensus, else of the reviewer first by name who gave one
--   n_reviewers: reviewers who decided
--   conflict: true if they differ and there is no consensus
--   study: the study that the record belongs to, as typed
create or replace view screening_decision as
with voted as (
    select
        screening.record,
        screening.stage,
        screening.reviewer,
        screening.decision,
        screening.reason,
        record.study,
        case when screening.reviewer = 'consensus' then 0 else 1 end as rank,
        case screening.decision when 'include' then 1 when 'unclear' then 2 when 'not_retrieved' then 3 else 4 end
            as strictness,
        min(case when screening.reviewer = 'consensus' then 0 else 1 end) over of_record as best_rank,
        count(*) over of_record as n_reviewers
    from screening
    inner join record on screening.record = record.record
    where record.duplicate_of is null
    window of_record as (partition by screening.record, screening.stage)
),

ranked as (
    select
        voted.*,
        row_number() over (
            partition by record, stage
            order by rank, strictness, case when reason is null then 1 else 0 end, reviewer
        ) as choice,
        best_rank = 1
        and min(strictness) over (partition by record, stage) <> max(strictness) over (partition by record, stage)
            as conflict
    from voted
)

select
    record,
    stage,
    decision,
    case when decision in ('exclude', 'not_retrieved') then reason end as reason,
    n_reviewers,
    conflict,
    study
from ranked
where choice = 1
