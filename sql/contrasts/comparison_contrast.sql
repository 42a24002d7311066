-- Title: Contrasts of each comparison by itself, at the time point of the plan
-- Grain: pair of arms x outcome x measure
-- Key: study, experiment, outcome, measure, arm_a, arm_b
-- Formula: For each study, experiment, outcome, measure and pair of treatments the contrasts of one time point: of
--   those that have the comparison the one that `time_rule` puts first. See `contrast_choice`.
-- Caveats: What `pooled` and its relatives pool. Two comparisons of one study may be of different time points; a
--   network takes one for all, see `analysis_contrast`.
-- Columns:
--   contrast_id: the contrast, see `contrast`
--   study, experiment, outcome, timepoint, timepoint_unit, measure: as in `contrast`
--   treatment_a, treatment_b, arm_a, arm_b, n_a, n_b: as in `contrast`
--   estimate, std_error: A minus B on the analysis scale
--   continuity, shared_arm, measurement_ids, origin, reported_contrast_id, block: as in `contrast`
--   rule: the rule that picked the time point
create or replace view comparison_contrast as
select
    contrast_id,
    study,
    experiment,
    outcome,
    timepoint,
    timepoint_unit,
    measure,
    treatment_a,
    treatment_b,
    arm_a,
    arm_b,
    n_a,
    n_b,
    estimate,
    std_error,
    continuity,
    shared_arm,
    measurement_ids,
    origin,
    reported_contrast_id,
    block,
    rule
from contrast_choice
where comparison_place = 1
