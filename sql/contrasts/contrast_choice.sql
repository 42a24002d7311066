-- Title: Which contrasts count under the time rule: in a network, and in the comparison by itself
-- Grain: contrast at a time point that the rule lets count
-- Key: contrast_id
-- Formula: The contrasts whose time point the rule lets count, with their places (`contrast_place`); most are alone at
--   the only time point: both places 1, two arms.
-- Caveats: Python asks it, too, with the contrasts and the rule of the question in place of `contrast` and `time_rule`.
--   A step of `analysis_contrast` and `comparison_contrast`.
-- Columns:
--   contrast_id: the contrast, see `contrast`
--   study, experiment, outcome, timepoint, timepoint_unit, measure: as in `contrast`
--   treatment_a, treatment_b, arm_a, arm_b, n_a, n_b: as in `contrast`
--   estimate, std_error: A minus B on the analysis scale
--   continuity, shared_arm, measurement_ids, origin, reported_contrast_id, block: as in `contrast`
--   rule: the rule, as written
--   network_place: 1 if the contrast counts in a network of the outcome and measure
--   comparison_place: 1 if the contrast counts in a meta-analysis of its two treatments
--   n_arms: arms that the study and experiment has at this time point, for this outcome and measure
create or replace view contrast_choice as
select
    contrast.contrast_id,
    contrast.study,
    contrast.experiment,
    contrast.outcome,
    contrast.timepoint,
    contrast.timepoint_unit,
    contrast.measure,
    contrast.treatment_a,
    contrast.treatment_b,
    contrast.arm_a,
    contrast.arm_b,
    contrast.n_a,
    contrast.n_b,
    contrast.estimate,
    contrast.std_error,
    contrast.continuity,
    contrast.shared_arm,
    contrast.measurement_ids,
    contrast.origin,
    contrast.reported_contrast_id,
    contrast.block,
    coalesce(time_rule.rule, 'last') as rule,
    coalesce(place.network_place, 1) as network_place,
    coalesce(place.comparison_place, 1) as comparison_place,
    coalesce(place.n_arms, 2) as n_arms
from contrast
left join time_rule on contrast.outcome = time_rule.outcome and contrast.measure = time_rule.measure
left join contrast_place as place
    on
        contrast.contrast_id = place.contrast_id
        and contrast.outcome = place.outcome
        and contrast.measure = place.measure
where coalesce(place.network_place, 1) > 0
