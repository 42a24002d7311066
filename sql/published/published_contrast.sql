-- Title: Printed network estimates on the analysis scale, in both directions
-- Grain: publication x outcome x ordered pair of treatments x printed cell
-- Key: published_estimate_id, reversed
-- Formula: additive measures as printed; ratios as their logarithm; std_error = (upper - lower) / (2 x 1.959964)
--   where none is printed; the reverse direction changes signs and exchanges the limits
-- Reference: Higgins JPT, Thomas J (eds), Cochrane Handbook, section 6.3 (standard errors from 95 % intervals)
-- Caveats: intervals are taken as 95 %; rounding is that of the coarsest reading, half of it either way
-- Columns:
--   published_estimate_id: the printed row
--   reversed: whether the direction is the opposite of the printed one
--   publication, outcome, measure: the league table it belongs to
--   treatment, versus: the effect is treatment minus versus
--   estimate, ci_lower, ci_upper, std_error: on the analysis scale
--   significant: the printed flag
--   rounding: width of one unit of the last printed digit, on the analysis scale
--   locator: where it is printed
create or replace view published_contrast as
with printed as (
    select
        cell.published_estimate_id,
        cell.publication,
        cell.outcome,
        cell.measure,
        cell.treatment,
        cell.versus,
        cell.significant,
        cell.locator,
        cell.estimate,
        cell.ci_lower,
        cell.ci_upper,
        cell.std_error,
        coalesce(effect_measure.scale = 'log', false) as is_ratio,
        min(printed_unit(cell.estimate)) over (
            partition by cell.publication, cell.outcome, cell.measure
        ) as last_digit
    from published_estimate as cell
    left join effect_measure on cell.measure = effect_measure.measure
    where
        cell.kind = 'network'
        and cell.estimate is not null
        and cell.versus is not null
        and (
            not coalesce(effect_measure.scale = 'log', false)
            or (cell.estimate > 0 and coalesce(cell.ci_lower, 1) > 0 and coalesce(cell.ci_upper, 1) > 0)
        )
),

scaled as (
    select
        published_estimate_id,
        publication,
        outcome,
        measure,
        treatment,
        versus,
        significant,
        locator,
        case when is_ratio then ln(case when estimate > 0 then estimate end) else estimate end as estimate,
        case when is_ratio then ln(case when ci_lower > 0 then ci_lower end) else ci_lower end as ci_lower,
        case when is_ratio then ln(case when ci_upper > 0 then ci_upper end) else ci_upper end as ci_upper,
        std_error,
        last_digit / case when is_ratio then estimate else 1.0 end as rounding
    from printed
),

directed as (
    select
        published_estimate_id,
        false as reversed,
        publication,
        outcome,
        measure,
        treatment,
        versus,
        estimate,
        ci_lower,
        ci_upper,
        std_error,
        significant,
        rounding,
        locator
    from scaled
    union all
    select
        published_estimate_id,
        true as reversed,
        publication,
        outcome,
        measure,
        versus as treatment,
        treatment as versus,
        -estimate as estimate,
        -ci_upper as ci_lower,
        -ci_lower as ci_upper,
        std_error,
        significant,
        rounding,
        locator
    from scaled
)

select
    published_estimate_id,
    reversed,
    publication,
    outcome,
    measure,
    treatment,
    versus,
    estimate,
    ci_lower,
    ci_upper,
    coalesce(std_error, (ci_upper - ci_lower) / (2.0 * 1.959963984540054)) as std_error,
    significant,
    rounding,
    locator
from directed
