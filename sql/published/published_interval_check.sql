-- Title: Printed intervals against their estimates and their flags
-- Grain: printed estimate with an interval
-- Key: published_estimate_id
-- Formula: asymmetry = (estimate - middle of the interval) / half of its width, on the analysis scale; an interval that
--   leaves out no effect (0, or a ratio of 1) is significant
-- Reference: Altman DG, Bland JM (2011), BMJ 343:d2090, doi 10.1136/bmj.d2090
-- Caveats: a skewed posterior has an asymmetric interval without any error; 5 % of the half-width, or one and a half
--   units of the last digit, are allowed
-- Columns:
--   published_estimate_id, publication, outcome, treatment, versus, measure, kind, locator: the printed row
--   estimate, ci_lower, ci_upper: on the analysis scale
--   significant: the printed flag
--   excludes_no_effect: whether the interval leaves out no effect
--   asymmetry: as a share of the half-width
--   verdict: agrees, estimate outside, flag contradicts interval, or asymmetric
create or replace view published_interval_check as
with scaled as (
    select
        printed.published_estimate_id,
        printed.publication,
        printed.outcome,
        printed.treatment,
        printed.versus,
        printed.measure,
        printed.kind,
        printed.locator,
        printed.significant,
        case
            when coalesce(effect_measure.scale, 'additive') = 'additive' then printed.estimate
            else ln(case when printed.estimate > 0 then printed.estimate end)
        end as estimate,
        case
            when coalesce(effect_measure.scale, 'additive') = 'additive' then printed.ci_lower
            else ln(case when printed.ci_lower > 0 then printed.ci_lower end)
        end as ci_lower,
        case
            when coalesce(effect_measure.scale, 'additive') = 'additive' then printed.ci_upper
            else ln(case when printed.ci_upper > 0 then printed.ci_upper end)
        end as ci_upper,
        least(printed_unit(printed.estimate), printed_unit(printed.ci_lower), printed_unit(printed.ci_upper))
        / case
            when coalesce(effect_measure.scale, 'additive') = 'additive' then 1.0
            when printed.ci_lower > 0 then printed.ci_lower
        end as rounding
    from published_estimate as printed
    left join effect_measure on printed.measure = effect_measure.measure
    where printed.estimate is not null and printed.ci_lower is not null and printed.ci_upper is not null
),

measured as (
    select
        published_estimate_id,
        publication,
        outcome,
        treatment,
        versus,
        measure,
        kind,
        locator,
        significant,
        estimate,
        ci_lower,
        ci_upper,
        rounding,
        ci_lower > 0 or ci_upper < 0 as excludes_no_effect,
        (estimate - (ci_lower + ci_upper) / 2.0) / nullif((ci_upper - ci_lower) / 2.0, 0) as asymmetry,
        (ci_upper - ci_lower) / 2.0 as half_width
    from scaled
)

select
    published_estimate_id,
    publication,
    outcome,
    treatment,
    versus,
    measure,
    kind,
    locator,
    estimate,
    ci_lower,
    ci_upper,
    significant,
    excludes_no_effect,
    asymmetry,
    case
        when estimate < ci_lower or estimate > ci_upper then 'estimate outside'
        when significant <> excludes_no_effect then 'flag contradicts interval'
        when abs(asymmetry) * half_width > 1.5 * rounding and abs(asymmetry) > 0.05 then 'asymmetric'
        else 'agrees'
    end as verdict
from measured
