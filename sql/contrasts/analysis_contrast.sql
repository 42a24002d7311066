-- Title: Contrasts of a network, at the time point of the plan
-- Grain: pair of arms x outcome x measure
-- Key: study, experiment, outcome, measure, arm_a, arm_b
-- Formula: For each study, experiment, outcome and measure the contrasts of one time point: of those with the most arms
--   the one that `time_rule` puts first. See `contrast_choice`.
-- Caveats: An arm that was not measured at that time point is not in the network; an analysis names it. Two treatments
--   by themselves are compared in `comparison_contrast`, at the time point that they have. All others remain in
--   `contrast`.
-- Columns:
--   contrast_id: the contrast, see `contrast`
--   study, experiment, outcome, timepoint, timepoint_unit, measure: as in `contrast`
--   treatment_a, treatment_b, arm_a, arm_b, n_a, n_b: as in `contrast`
--   estimate, std_error: A minus B on the analysis scale
--   continuity, shared_arm, measurement_ids, origin, reported_contrast_id, block: as in `contrast`
--   rule: the rule that picked the time point
create or replace view analysis_contrast as
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
where network_place = 1
