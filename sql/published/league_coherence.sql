-- Title: Coherence of printed league tables
-- Grain: publication x outcome x measure x triple of treatments
-- Key: publication, outcome, measure, treatment_1, treatment_2, treatment_3
-- Formula: residual = d_12 + d_23 - d_13, which a consistency model makes 0 but for rounding and Monte Carlo error;
--   residual_se = residual over the root mean square of the three standard errors; tolerance = 1.5 units of the last
--   digit, plus 6 times the table's own noise (the lower quartile of what exceeds rounding, over 0.3186), at most a
--   quarter of a standard error; a triangle of widths must close: no standard error above the sum of the other two
-- Reference: Lu G, Ades AE (2006), J Am Stat Assoc 101:447-459, doi 10.1198/016214505000001302 (consistency equations)
-- Caveats: says that one of three cells is wrong, not which: see league_cell_check; no noise can be told from one
--   triple alone
-- Columns:
--   publication, outcome, measure: the league table
--   treatment_1, treatment_2, treatment_3: the triple, in alphabetical order
--   cell_12, cell_23, cell_13: published_estimate_id of the three cells
--   residual: d_12 + d_23 - d_13 on the analysis scale
--   residual_se: the same in standard errors
--   tolerance: size of the residual that rounding and noise explain
--   verdict: coherent, incoherent, or widths impossible
create or replace view league_coherence as
with triple as (
    select
        one.publication,
        one.outcome,
        one.measure,
        one.treatment as treatment_1,
        one.versus as treatment_2,
        two.versus as treatment_3,
        one.published_estimate_id as cell_12,
        two.published_estimate_id as cell_23,
        three.published_estimate_id as cell_13,
        one.estimate + two.estimate - three.estimate as residual,
        one.std_error as se_12,
        two.std_error as se_23,
        three.std_error as se_13,
        sqrt(
            (one.std_error * one.std_error + two.std_error * two.std_error + three.std_error * three.std_error) / 3.0
        ) as typical_se,
        (one.rounding + two.rounding + three.rounding) / 2.0 as rounding
    from published_contrast as one
    inner join published_contrast as two
        on
            one.publication = two.publication
            and one.outcome = two.outcome
            and one.measure = two.measure
            and one.versus = two.treatment
            and one.treatment < one.versus
            and two.treatment < two.versus
    inner join published_contrast as three
        on
            one.publication = three.publication
            and one.outcome = three.outcome
            and one.measure = three.measure
            and one.treatment = three.treatment
            and two.versus = three.versus
),

excess as (
    select
        publication,
        outcome,
        measure,
        quantile_cont(
            case when abs(residual) > rounding then abs(residual) - rounding else 0.0 end / nullif(typical_se, 0), 0.25
        ) / 0.3186 as noise
    from triple
    group by publication, outcome, measure
),

judged as (
    select
        triple.publication,
        triple.outcome,
        triple.measure,
        triple.treatment_1,
        triple.treatment_2,
        triple.treatment_3,
        triple.cell_12,
        triple.cell_23,
        triple.cell_13,
        triple.residual,
        triple.residual / nullif(triple.typical_se, 0) as residual_se,
        triple.se_12,
        triple.se_23,
        triple.se_13,
        triple.rounding,
        triple.rounding * (1.0 + 1e-9)
        + coalesce(least(6.0 * excess.noise, 0.25) * triple.typical_se, 0.0) as tolerance
    from triple
    inner join excess
        on
            triple.publication = excess.publication
            and triple.outcome = excess.outcome
            and triple.measure = excess.measure
)

select
    publication,
    outcome,
    measure,
    treatment_1,
    treatment_2,
    treatment_3,
    cell_12,
    cell_23,
    cell_13,
    residual,
    residual_se,
    tolerance,
    case
        when abs(residual) > tolerance then 'incoherent'
        when 2.0 * greatest(se_12, se_23, se_13) > se_12 + se_23 + se_13 + rounding then 'widths impossible'
        else 'coherent'
    end as verdict
from judged
