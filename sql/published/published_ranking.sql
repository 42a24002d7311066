-- Title: Ranking that a printed league table implies
-- Grain: publication x outcome x measure x treatment
-- Key: publication, outcome, measure, treatment
-- Formula: sucra = mean over the other treatments of P(better) = normal_cdf of the difference over its standard error,
--   signed by `outcome_direction`; mean_rank = 1 + (T - 1) (1 - sucra); position = order of sucra, 1 = best
-- Reference: Ruecker G, Schwarzer G (2015), BMC Med Res Methodol 15:58, doi 10.1186/s12874-015-0060-8 (P-score; the
--   same number as SUCRA under a normal posterior); Salanti G et al. (2011), J Clin Epidemiol 64:163-171
-- Caveats: takes the printed posterior as normal; outcomes without a direction of benefit are left out; a treatment
--   that lacks a cell with another is ranked by the cells there are (n_compared says how many); where n_incoherent is
--   not 0, cells of the table contradict each other and the ranks are not to be relied on (see league_cell_check)
-- Columns:
--   publication, outcome, measure: the league table
--   treatment: the node
--   n_compared: other treatments with a cell
--   sucra: 0 to 1, 1 = best
--   mean_rank: expected rank, 1 = best
--   position: place in the order of sucra, 1 = best
--   n_incoherent: triples of the table's cells that do not close: 0 where the ranks can be relied on
create or replace view published_ranking as
with better as (
    select
        cell.publication,
        cell.outcome,
        cell.measure,
        cell.treatment,
        normal_cdf(
            case when direction.lower_is_better then -1.0 else 1.0 end * cell.estimate / nullif(cell.std_error, 0)
        ) as probability
    from published_contrast as cell
    inner join outcome_direction as direction on cell.outcome = direction.outcome and cell.measure = direction.measure
    where direction.lower_is_better is not null
),

scored as (
    select
        publication,
        outcome,
        measure,
        treatment,
        count(probability) as n_compared,
        avg(probability) as sucra
    from better
    group by publication, outcome, measure, treatment
),

contradiction as (
    select
        publication,
        outcome,
        measure,
        count(*) as n_incoherent
    from league_coherence
    where verdict <> 'coherent'
    group by publication, outcome, measure
)

select
    scored.publication,
    scored.outcome,
    scored.measure,
    scored.treatment,
    scored.n_compared,
    scored.sucra,
    1.0 + scored.n_compared * (1.0 - scored.sucra) as mean_rank,
    rank()
        over (partition by scored.publication, scored.outcome, scored.measure order by scored.sucra desc)
        as position,
    coalesce(contradiction.n_incoherent, 0) as n_incoherent
from scored
left join contradiction
    on
        scored.publication = contradiction.publication
        and scored.outcome = contradiction.outcome
        and scored.measure = contradiction.measure
