-- Title: Risk of bias of each study, item by item
-- Grain: study x tool x item (x outcome, where a judgement is for one outcome)
-- Key: study, tool, item, outcome
-- Formula: Where several assessors judged, the judgement of 'consensus' counts; without one, the judgement they agree
--   on, else the worst of theirs. No information is worse than a low risk, and better than any other answer; of
--   answers that say nothing of how high the risk is, the worst is the last in the tool's order.
-- Caveats: What assessors disagree about is in `audit_assessor_disagreement`, items not judged in
--   `audit_item_not_judged`. Which of these judgements counts for an outcome says `rob_by_outcome`.
-- Columns:
--   study, study_label: the study
--   tool, item: what was judged
--   position, domain, label: place of the item in its tool, its domain, its text
--   outcome: outcome the judgement is for; empty if it is for all
--   judgement, judgement_label: the answer
--   answer_position: order in which answers are drawn, 1 for the best
--   severity: risk of bias, 1 the lowest; empty where the answer does not say how high it is
--   symbol, color, color_blind_safe: how it is drawn
--   assessor: whose judgement it is; of several who judge the same, the one typed first
--   n_assessors: how many judged
--   settled_by: consensus, agreement, single (one assessor alone) or worst (they differ, and there is no consensus)
--   judgements: who judged what, in the order typed
--   support: what the judgement rests on
--   rob_judgement_id: the row of `rob_judgement`
create or replace view rob_traffic_light as
with told as (
    select
        study,
        tool,
        item,
        outcome,
        count(*) as n_assessors,
        count(distinct judgement) as n_answers,
        string_agg(concat(assessor, ': ', judgement), ', ' order by rob_judgement_id) as judgements
    from rob_judgement
    group by study, tool, item, outcome
),

ranked as (
    select
        judged.*,
        rob_answer.label as judgement_label,
        rob_answer.position as answer_position,
        rob_answer.severity,
        rob_answer.symbol,
        rob_answer.color,
        rob_answer.color_blind_safe,
        row_number() over (
            partition by judged.study, judged.tool, judged.item, judged.outcome
            order by
                case when judged.assessor = 'consensus' then 0 else 1 end asc,
                coalesce(rob_answer.severity, 1.5) desc,
                rob_answer.position desc,
                judged.rob_judgement_id asc
        ) as choice
    from rob_judgement as judged
    inner join rob_answer on judged.tool = rob_answer.tool and judged.judgement = rob_answer.judgement
)

select
    ranked.study,
    study.label as study_label,
    ranked.tool,
    ranked.item,
    rob_item.position,
    rob_item.domain,
    rob_item.label,
    ranked.outcome,
    ranked.judgement,
    ranked.judgement_label,
    ranked.answer_position,
    ranked.severity,
    ranked.symbol,
    ranked.color,
    ranked.color_blind_safe,
    ranked.assessor,
    told.n_assessors,
    case
        when ranked.assessor = 'consensus' then 'consensus'
        when told.n_assessors = 1 then 'single'
        when told.n_answers = 1 then 'agreement'
        else 'worst'
    end as settled_by,
    told.judgements,
    ranked.support,
    ranked.rob_judgement_id
from ranked
inner join told
    on
        ranked.study = told.study
        and ranked.tool = told.tool
        and ranked.item = told.item
        and ranked.outcome is not distinct from told.outcome
inner join study on ranked.study = study.study
inner join rob_item on ranked.tool = rob_item.tool and ranked.item = rob_item.item
where ranked.choice = 1
