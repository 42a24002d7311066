-- Title: How far two reviewers agree in screening
-- Grain: stage x pair of reviewers
-- Key: stage, reviewer_a, reviewer_b
-- Formula: Over the records that both decided on, kappa = (p_o - p_e)/(1 - p_e) with p_o the share of equal decisions and
--   p_e the sum over decisions of the product of both reviewers' shares; AC1 the same with p_e = sum of pi (1 - pi)/(q - 1)
--   over the q decisions that occur, pi the mean of both shares. std_error of kappa = sqrt(p_o (1 - p_o)/n)/(1 - p_e).
-- Reference: Cohen J (1960), Educational and Psychological Measurement 20:37-46; Gwet KL (2008), British Journal of
--   Mathematical and Statistical Psychology 61:29-48.
-- Caveats: Reviewer 'consensus' is left out. Kappa is empty where both give one and the same decision throughout: there is no
--   agreement beyond chance to measure. AC1 then is 1.
-- Columns:
--   stage: title_abstract or full_text
--   reviewer_a, reviewer_b: the two, in alphabetical order
--   n: records that both decided on
--   n_agree: records with equal decisions
--   agreement: n_agree/n
--   kappa, kappa_std_error: Cohen's kappa
--   ac1: Gwet's AC1
create or replace view screening_agreement as
with pair as (
    select
        a.stage,
        a.reviewer as reviewer_a,
        b.reviewer as reviewer_b,
        a.decision as decision_a,
        b.decision as decision_b
    from screening as a
    inner join screening as b on a.record = b.record and a.stage = b.stage and a.reviewer < b.reviewer
    where a.reviewer <> 'consensus' and b.reviewer <> 'consensus'
),

total as (
    select
        stage,
        reviewer_a,
        reviewer_b,
        count(*) as n,
        count(case when decision_a = decision_b then 1 end) as n_agree
    from pair
    group by stage, reviewer_a, reviewer_b
),

side as (
    select
        stage,
        reviewer_a,
        reviewer_b,
        decision_a as decision,
        1 as by_a,
        0 as by_b
    from pair
    union all
    select
        stage,
        reviewer_a,
        reviewer_b,
        decision_b,
        0 as by_a,
        1 as by_b
    from pair
),

margin as (
    select
        side.stage,
        side.reviewer_a,
        side.reviewer_b,
        side.decision,
        cast(sum(side.by_a) as double) / nullif(min(total.n), 0) as share_a,
        cast(sum(side.by_b) as double) / nullif(min(total.n), 0) as share_b
    from side
    inner join total
        on side.stage = total.stage and side.reviewer_a = total.reviewer_a and side.reviewer_b = total.reviewer_b
    group by side.stage, side.reviewer_a, side.reviewer_b, side.decision
),

chance as (
    select
        stage,
        reviewer_a,
        reviewer_b,
        sum(share_a * share_b) as of_kappa,
        case when count(*) > 1 then sum((share_a + share_b) / 2 * (1 - (share_a + share_b) / 2)) / nullif(count(*) - 1, 0) else 0 end
            as of_ac1
    from margin
    group by stage, reviewer_a, reviewer_b
)

select
    total.stage,
    total.reviewer_a,
    total.reviewer_b,
    total.n,
    total.n_agree,
    cast(total.n_agree as double) / nullif(total.n, 0) as agreement,
    (cast(total.n_agree as double) / nullif(total.n, 0) - chance.of_kappa) / nullif(1 - chance.of_kappa, 0) as kappa,
    sqrt(cast(total.n_agree as double) * (total.n - total.n_agree) / nullif(total.n, 0) / nullif(total.n, 0) / nullif(total.n, 0))
    / nullif(1 - chance.of_kappa, 0) as kappa_std_error,
    (cast(total.n_agree as double) / nullif(total.n, 0) - chance.of_ac1) / nullif(1 - chance.of_ac1, 0) as ac1
from total
inner join chance
    on total.stage = chance.stage and total.reviewer_a = chance.reviewer_a and total.reviewer_b = chance.reviewer_b
