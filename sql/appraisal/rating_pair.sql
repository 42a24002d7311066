-- Title: What two people answered to the same question
-- Grain: screened record x stage, or judged study x tool x item (x outcome), x pair of people who answered
-- Formula: Every pair of answers to the same question, of the two people in alphabetical order.
-- Caveats: What was agreed on ('consensus') is nobody's own answer and is left out.
-- Key: rating, scale, item, subject, outcome, rater_a, rater_b
-- Columns:
--   rating: screening or risk of bias
--   scale: the stage of screening, or the tool
--   item: the item of the tool; empty for screening
--   subject: the record, or the study
--   outcome: the outcome that the judgement is for, if for one
--   rater_a, rater_b: the two people
--   answer_a, answer_b: their answers
--   position_a, position_b: place of the answers in their order; empty for answers outside it, such as no information
create or replace view rating_pair as
with answer as (
    select
        'screening' as rating,
        stage as scale,
        cast(null as varchar) as item,
        record as subject,
        cast(null as varchar) as outcome,
        reviewer as rater,
        decision as answer,
        case decision when 'exclude' then 1 when 'unclear' then 2 when 'include' then 3 end as position
    from screening
    union all
    select
        'risk of bias' as rating,
        judged.tool as scale,
        judged.item,
        judged.study as subject,
        judged.outcome,
        judged.assessor as rater,
        judged.judgement as answer,
        rob_answer.severity as position
    from rob_judgement as judged
    inner join rob_answer on judged.tool = rob_answer.tool and judged.judgement = rob_answer.judgement
)

select
    a.rating,
    a.scale,
    a.item,
    a.subject,
    a.outcome,
    a.rater as rater_a,
    b.rater as rater_b,
    a.answer as answer_a,
    b.answer as answer_b,
    a.position as position_a,
    b.position as position_b
from answer as a
inner join answer as b
    on
        a.rating = b.rating
        and a.scale = b.scale
        and a.item is not distinct from b.item
        and a.subject = b.subject
        and a.outcome is not distinct from b.outcome
        and a.rater < b.rater
where a.rater <> 'consensus' and b.rater <> 'consensus'
