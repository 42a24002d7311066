-- Title: The pages behind each pooled estimate
-- Grain: pooled estimate x contrast x row of the review folder that it was computed from
-- Key: contrast_id, measurement_id, reported_contrast_id
-- Formula: the contrasts that `pooled` pools, each with the measurements of its two arms, or with the reported contrast
--   that it is. random_weight = random_std_error^2 / (variance + tau2), the share of the contrast in the random-effects
--   estimate: shares add up to 1 over the contrasts of a pooled estimate.
-- Caveats: A contrast of two arms stands twice, with the page of either arm: count its weight once. What a normalised
--   mean difference takes from sham and control arms beside its own two is not listed. Of what `analyse` kept,
--   `result_weight` has the weights, and the command trace the pages.
-- Columns:
--   outcome, measure, treatment_a, treatment_b: the pooled estimate, A minus B
--   study, experiment: where the contrast comes from
--   arm: the arm measured; of a reported contrast both
--   estimate, std_error: of the contrast, on the analysis scale
--   random_weight: its share in the random-effects estimate
--   source, locator: publication, and page, table or figure in it
--   method, extractor: read in text, table or figure, or given by the author; and by whom it was read
--   source_file, source_line: file of the review folder, and line in it
--   contrast_id: the contrast, see `comparison_contrast`
--   measurement_id, reported_contrast_id: the row; one of the two is empty
create or replace view evidence_page as
with pooled_contrast as (
    select
        pooling_effect.outcome,
        pooling_effect.measure,
        pooling_effect.treatment_a,
        pooling_effect.treatment_b,
        pooling_effect.contrast_id,
        pooled.random_std_error * pooled.random_std_error
        / nullif(pooling_effect.variance + pooled.tau2, 0) as random_weight
    from pooling_effect
    inner join pooled
        on
            pooling_effect.outcome = pooled.outcome
            and pooling_effect.measure = pooled.measure
            and pooling_effect.treatment_a = pooled.treatment_a
            and pooling_effect.treatment_b = pooled.treatment_b
),

traced as (
    select
        pooled_contrast.*,
        contrast.study,
        contrast.experiment,
        contrast.estimate,
        contrast.std_error,
        concat(',', contrast.measurement_ids, ',') as measurement_list,
        contrast.reported_contrast_id
    from pooled_contrast
    inner join contrast on pooled_contrast.contrast_id = contrast.contrast_id
)

select
    traced.outcome,
    traced.measure,
    traced.treatment_a,
    traced.treatment_b,
    traced.study,
    traced.experiment,
    measurement.arm,
    traced.estimate,
    traced.std_error,
    traced.random_weight,
    measurement.source,
    measurement.locator,
    measurement.method,
    measurement.extractor,
    measurement.source_file,
    measurement.source_line,
    traced.contrast_id,
    measurement.measurement_id,
    cast(null as integer) as reported_contrast_id
from traced
inner join measurement
    on
        traced.study = measurement.study
        and traced.measurement_list like concat('%,', measurement.measurement_id, ',%')
union all
select
    traced.outcome,
    traced.measure,
    traced.treatment_a,
    traced.treatment_b,
    traced.study,
    traced.experiment,
    concat(reported_contrast.arm_a, ', ', reported_contrast.arm_b) as arm,
    traced.estimate,
    traced.std_error,
    traced.random_weight,
    reported_contrast.source,
    reported_contrast.locator,
    reported_contrast.method,
    reported_contrast.extractor,
    reported_contrast.source_file,
    reported_contrast.source_line,
    traced.contrast_id,
    cast(null as integer) as measurement_id,
    reported_contrast.reported_contrast_id
from traced
inner join reported_contrast on traced.reported_contrast_id = reported_contrast.reported_contrast_id
