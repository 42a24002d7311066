-- Title: Which cell of a printed league table does not belong
-- Grain: publication x outcome x measure x printed cell
-- Key: published_estimate_id
-- Formula: rebuilt = mean over all third treatments c of d_ac + d_cb; a wrong cell breaks every triple it is in, a
--   right one only the triples that hold the wrong one
-- Reference: Lu G, Ades AE (2006), J Am Stat Assoc 101:447-459, doi 10.1198/016214505000001302
-- Caveats: with three treatments there is one triple, and each of its cells is a suspect
-- Columns:
--   published_estimate_id, publication, outcome, measure, treatment, versus, locator: the printed cell
--   estimate: as printed, on the analysis scale
--   rebuilt: what the other cells imply
--   n_triples: triples the cell is in
--   n_incoherent: triples of these that do not close
--   verdict: coherent, suspect (more than half of its triples do not close), or not checked (no triple)
create or replace view league_cell_check as
with membership as (
    select
        cell_12 as published_estimate_id,
        verdict
    from league_coherence
    union all
    select
        cell_23 as published_estimate_id,
        verdict
    from league_coherence
    union all
    select
        cell_13 as published_estimate_id,
        verdict
    from league_coherence
),

counted as (
    select
        published_estimate_id,
        count(*) as n_triples,
        sum(case when verdict = 'incoherent' then 1 else 0 end) as n_incoherent
    from membership
    group by published_estimate_id
),

path as (
    select
        one.publication,
        one.outcome,
        one.measure,
        one.treatment,
        two.versus,
        avg(one.estimate + two.estimate) as rebuilt
    from published_contrast as one
    inner join published_contrast as two
        on
            one.publication = two.publication
            and one.outcome = two.outcome
            and one.measure = two.measure
            and one.versus = two.treatment
            and one.treatment <> two.versus
    group by one.publication, one.outcome, one.measure, one.treatment, two.versus
)

select
    cell.published_estimate_id,
    cell.publication,
    cell.outcome,
    cell.measure,
    cell.treatment,
    cell.versus,
    cell.locator,
    cell.estimate,
    path.rebuilt,
    coalesce(counted.n_triples, 0) as n_triples,
    coalesce(counted.n_incoherent, 0) as n_incoherent,
    case
        when counted.n_triples is null then 'not checked'
        when 2 * counted.n_incoherent > counted.n_triples then 'suspect'
        else 'coherent'
    end as verdict
from published_contrast as cell
left join counted on cell.published_estimate_id = counted.published_estimate_id
left join path
    on
        cell.publication = path.publication
        and cell.outcome = path.outcome
        and cell.measure = path.measure
        and cell.treatment = path.treatment
        and cell.versus = path.versus
where not cell.reversed
