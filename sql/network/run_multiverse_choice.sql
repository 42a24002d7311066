-- Title: How much each choice moves the cells of a multiverse
-- Grain: run x treatment x versus x choice
-- Key: run_id, treatment, versus, choice
-- Formula: First-order index: variance of the means by level, each weighted by its cells, over the variance of all
--   cells; of estimate / std_error (z_share), and of whether the planned conclusion is kept, 0 or 1 (kept_share).
-- Reference: Saltelli et al. 2008, Global Sensitivity Analysis, section 1.2.7
-- Caveats: What is missing to 1 is joint. Cells to which a choice does not apply (an interval of common effects) are a
--   level of their own. Empty where all cells agree.
-- Columns:
--   run_id: the run
--   treatment, versus: the comparison
--   choice: what could have been decided otherwise
--   z_share: share of the variance of estimate over standard error, 0 to 1
--   kept_share: share of the variance of whether the interval says what the planned one says, 0 to 1
create or replace view run_multiverse_choice as
with
choice as (
    select distinct
        run_id,
        choice
    from result_multiverse_choice
),

decided as (
    select
        cell.run_id,
        cell.treatment,
        cell.versus,
        choice.choice,
        coalesce(level.level, '') as level,
        cell.estimate / nullif(cell.std_error, 0) as z,
        case when cell.conclusion = planned.conclusion then 1.0 else 0.0 end as kept
    from result_multiverse as cell
    inner join result_multiverse as planned
        on
            cell.run_id = planned.run_id
            and cell.treatment = planned.treatment
            and cell.versus = planned.versus
            and planned.planned
    inner join choice on cell.run_id = choice.run_id
    left join result_multiverse_choice as level
        on
            cell.run_id = level.run_id
            and cell.cell = level.cell
            and choice.choice = level.choice
    where cell.refused is null and planned.refused is null and cell.std_error > 0
),

of_level as (
    select
        run_id,
        treatment,
        versus,
        choice,
        level,
        count(*) as n,
        avg(z) as z,
        avg(kept) as kept
    from decided
    group by run_id, treatment, versus, choice, level
),

of_all as (
    select
        run_id,
        treatment,
        versus,
        choice,
        count(*) as n,
        avg(z) as z,
        avg(kept) as kept,
        var_pop(z) as z_variance,
        var_pop(kept) as kept_variance
    from decided
    group by run_id, treatment, versus, choice
)

select
    of_all.run_id,
    of_all.treatment,
    of_all.versus,
    of_all.choice,
    sum(of_level.n * power(of_level.z - of_all.z, 2))
    / nullif(of_all.n * case when of_all.z_variance > 1e-24 * (1 + power(of_all.z, 2)) then of_all.z_variance end, 0)
        as z_share,
    sum(of_level.n * power(of_level.kept - of_all.kept, 2))
    / nullif(of_all.n * case when of_all.kept_variance > 1e-12 then of_all.kept_variance end, 0) as kept_share
from of_all
inner join of_level
    on
        of_all.run_id = of_level.run_id
        and of_all.treatment = of_level.treatment
        and of_all.versus = of_level.versus
        and of_all.choice = of_level.choice
group by
    of_all.run_id, of_all.treatment, of_all.versus, of_all.choice, of_all.n, of_all.z, of_all.kept, of_all.z_variance,
    of_all.kept_variance
