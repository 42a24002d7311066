-- Title: The contrasts that are pooled
-- Grain: contrast
-- Key: contrast_id
-- Formula: comparison_contrast with its sampling variance, the square of the standard error
-- Caveats: A contrast without an estimate or without a positive standard error cannot be weighted and is left out; so
--   is a standard error beyond 1e150 either way, whose square is no number. A step of `pooled`.
-- Columns:
--   outcome, measure, treatment_a, treatment_b: the comparison, A minus B
--   comparison: number of the comparison within outcome and measure
--   study: the study
--   contrast_id: the contrast, see `comparison_contrast`
--   estimate, variance: A minus B on the analysis scale, and its sampling variance
--   study_once: the study, at its first contrast in the comparison only, so that counting this column counts studies
--   shares_arm: 1 if another contrast of the same comparison has one of the two arms, else 0
--   scale_origin, scale_length: middle and length of the range of the comparison's estimates
--   scale_place, scale_weight: distance of the estimate from that middle over that length, and weight over the greatest
--     one, neither beyond 1
create or replace view pooling_effect as
with effect as (
    select
        outcome,
        measure,
        treatment_a,
        treatment_b,
        study,
        experiment,
        arm_a,
        arm_b,
        contrast_id,
        estimate,
        std_error * std_error as variance
    from comparison_contrast
    where estimate is not null and std_error between 1e-150 and 1e150
),

comparison as (
    select
        outcome,
        measure,
        treatment_a,
        treatment_b,
        (min(estimate) + max(estimate)) / 2 as scale_origin,
        max(estimate) - min(estimate) as scale_length,
        min(variance) as least_variance,
        row_number() over (partition by outcome, measure order by treatment_a, treatment_b) as comparison
    from effect
    group by outcome, measure, treatment_a, treatment_b
),

several as (
    select
        outcome,
        measure,
        treatment_a,
        treatment_b,
        study
    from effect
    group by outcome, measure, treatment_a, treatment_b, study
    having count(*) > 1
),

one_of_several as (
    select
        effect.contrast_id,
        row_number() over (
            partition by effect.outcome, effect.measure, effect.treatment_a, effect.treatment_b, effect.study
            order by effect.contrast_id
        ) as turn,
        count(*) over (
            partition by
                effect.outcome, effect.measure, effect.treatment_a, effect.treatment_b, effect.study, effect.experiment,
                effect.arm_a
        ) as uses_of_a,
        count(*) over (
            partition by
                effect.outcome, effect.measure, effect.treatment_a, effect.treatment_b, effect.study, effect.experiment,
                effect.arm_b
        ) as uses_of_b
    from effect
    inner join several
        on
            effect.outcome = several.outcome
            and effect.measure = several.measure
            and effect.treatment_a = several.treatment_a
            and effect.treatment_b = several.treatment_b
            and effect.study = several.study
)

select
    effect.outcome,
    effect.measure,
    effect.treatment_a,
    effect.treatment_b,
    comparison.comparison,
    effect.study,
    effect.contrast_id,
    effect.estimate,
    effect.variance,
    case when coalesce(one_of_several.turn, 1) = 1 then effect.study end as study_once,
    case when one_of_several.uses_of_a > 1 or one_of_several.uses_of_b > 1 then 1 else 0 end as shares_arm,
    comparison.scale_origin,
    comparison.scale_length,
    coalesce((effect.estimate - comparison.scale_origin) / nullif(comparison.scale_length, 0), 0) as scale_place,
    comparison.least_variance / effect.variance as scale_weight
from effect
inner join comparison
    on
        effect.outcome = comparison.outcome
        and effect.measure = comparison.measure
        and effect.treatment_a = comparison.treatment_a
        and effect.treatment_b = comparison.treatment_b
left join one_of_several
    on effect.contrast_id = one_of_several.contrast_id
