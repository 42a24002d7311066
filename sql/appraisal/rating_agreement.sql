-- Title: How far two people agree in their answers
-- Grain: kind of rating x scale x item x pair of people
-- Key: rating, scale, item, rater_a, rater_b
-- Formula: kappa = (p_o - p_e)/(1 - p_e), p_o the share of equal answers and p_e the sum over answers of the product of
--   both people's shares; its standard error sqrt(p_o (1 - p_o)/n)/(1 - p_e). Weighted kappa = 1 - observed/expected
--   mean disagreement, the disagreement of two answers being the distance of their places in the order (linear) or its
--   square (quadratic). AC1 = (p_o - p_e)/(1 - p_e) with p_e = sum of pi (1 - pi)/(q - 1) over the q answers that
--   occur, pi the mean of both shares.
-- Reference: Cohen J (1960), Educational and Psychological Measurement 20:37-46, and (1968), Psychological Bulletin
--   70:213-220; Gwet KL (2008), British Journal of Mathematical and Statistical Psychology 61:29-48.
-- Caveats: Kappa is empty where both give one and the same answer throughout: there is no agreement beyond chance to
--   measure; AC1 then is 1. Weighted kappa is over the pairs whose answers both have a place in the order (n_ordered).
-- Columns:
--   rating: screening or risk of bias
--   scale: the stage of screening, or the tool
--   item: the item of the tool; empty for screening
--   rater_a, rater_b: the two people, in alphabetical order
--   n: questions that both answered
--   n_agree: equal answers
--   agreement: n_agree/n
--   kappa, kappa_std_error: Cohen's kappa
--   ac1: Gwet's AC1
--   n_ordered: questions where both answers have a place in the order
--   weighted_kappa_linear, weighted_kappa_quadratic: kappa with weights
create or replace view rating_agreement as
with pair as (
    select
        *,
        dense_rank() over (order by rating, scale, item, rater_a, rater_b) as block
    from rating_pair
),

total as (
    select
        block,
        rating,
        scale,
        item,
        rater_a,
        rater_b,
        cast(count(*) as double) as n,
        cast(count(case when answer_a = answer_b then 1 end) as double) as n_agree,
        cast(count(position_a + position_b) as double) as n_ordered,
        sum(abs(position_a - position_b)) as distance,
        sum((position_a - position_b) * (position_a - position_b)) as squared
    from pair
    group by block, rating, scale, item, rater_a, rater_b
),

side as (
    select
        block,
        answer_a as answer,
        1 as by_a,
        0 as by_b
    from pair
    union all
    select
        block,
        answer_b as answer,
        0 as by_a,
        1 as by_b
    from pair
),

share as (
    select
        side.block,
        side.answer,
        sum(side.by_a) / nullif(total.n, 0) as of_a,
        sum(side.by_b) / nullif(total.n, 0) as of_b
    from side
    inner join total on side.block = total.block
    group by side.block, side.answer, total.n
),

chance as (
    select
        block,
        sum(of_a * of_b) as of_kappa,
        coalesce(sum((of_a + of_b) / 2 * (1 - (of_a + of_b) / 2)) / nullif(count(*) - 1, 0), 0) as of_ac1
    from share
    group by block
),

ordered as (
    select
        one.block,
        sum(one.n * other.n * abs(one.position_a - other.position_b)) as distance,
        sum(one.n * other.n * (one.position_a - other.position_b) * (one.position_a - other.position_b)) as squared
    from (
        select
            block,
            position_a,
            count(*) as n
        from pair
        where position_a + position_b is not null
        group by block, position_a
    ) as one
    inner join (
        select
            block,
            position_b,
            count(*) as n
        from pair
        where position_a + position_b is not null
        group by block, position_b
    ) as other on one.block = other.block
    group by one.block
)

select
    total.rating,
    total.scale,
    total.item,
    total.rater_a,
    total.rater_b,
    cast(total.n as bigint) as n,
    cast(total.n_agree as bigint) as n_agree,
    total.n_agree / nullif(total.n, 0) as agreement,
    (total.n_agree / nullif(total.n, 0) - chance.of_kappa) / nullif(1 - chance.of_kappa, 0) as kappa,
    sqrt(total.n_agree * (total.n - total.n_agree) / nullif(total.n * total.n * total.n, 0))
    / nullif(1 - chance.of_kappa, 0) as kappa_std_error,
    (total.n_agree / nullif(total.n, 0) - chance.of_ac1) / nullif(1 - chance.of_ac1, 0) as ac1,
    cast(total.n_ordered as bigint) as n_ordered,
    1 - total.n_ordered * total.distance / nullif(ordered.distance, 0) as weighted_kappa_linear,
    1 - total.n_ordered * total.squared / nullif(ordered.squared, 0) as weighted_kappa_quadratic
from total
inner join chance on total.block = chance.block
left join ordered on total.block = ordered.block
