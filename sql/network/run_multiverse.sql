-- Title: What the cells of a multiverse keep of the planned conclusion
-- Grain: run x treatment x versus
-- Key: run_id, treatment, versus
-- Formula: Of the cells of `result_multiverse` that have an estimate, those whose interval says of no effect what that
--   of the planned cell says (n_kept), and those that say the opposite (n_opposite); n_best: those in which the
--   treatment ranks first that does so in the planned one.
-- Reference: Steegen et al. 2016, Perspect Psychol Sci 11:702-712
-- Caveats: Cells are choices, not data: their share is no probability. Comparisons that the planned cell lacks are
--   left out.
-- Columns:
--   run_id: the run
--   treatment, versus: the comparison
--   planned: what the interval of the planned cell says: above, below, not clear, not drawn
--   n_cells: cells with an estimate of it
--   n_kept, n_opposite: how many say the same, and the opposite
--   best: treatment that ranks first in the planned cell; empty without ranks
--   n_best: cells in which it does
create or replace view run_multiverse as
select
    planned.run_id,
    planned.treatment,
    planned.versus,
    planned.conclusion as planned,
    count(*) as n_cells,
    sum(case when cell.conclusion = planned.conclusion then 1 else 0 end) as n_kept,
    sum(
        case
            when planned.conclusion = 'above' and cell.conclusion = 'below' then 1
            when planned.conclusion = 'below' and cell.conclusion = 'above' then 1
            else 0
        end
    ) as n_opposite,
    planned.best,
    sum(case when cell.best = planned.best then 1 else 0 end) as n_best
from result_multiverse as planned
inner join result_multiverse as cell
    on
        planned.run_id = cell.run_id
        and planned.treatment = cell.treatment
        and planned.versus = cell.versus
where planned.planned and planned.refused is null and cell.refused is null
group by planned.run_id, planned.treatment, planned.versus, planned.conclusion, planned.best
