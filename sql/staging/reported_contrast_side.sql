-- Title: The two sides of each reported contrast, as typed
-- Grain: reported contrast
-- Key: reported_contrast_id
-- Formula: n of the contrast, else of the arm.
-- Caveats: A step of `reported_contrast_standard`, where the sides stand in the order of all contrasts.
-- Columns:
--   reported_contrast_id: the row of `reported_contrast`
--   first_treatment, second_treatment: what arm_a and arm_b were given
--   first_rank, second_rank: their places, see `arm_rank`
--   first_n, second_n: animals or participants; empty if neither the contrast nor the arm says how many
--   is_ratio: whether the measure is analysed as a logarithm
create or replace view reported_contrast_side as
select
    reported.reported_contrast_id,
    first_arm.treatment as first_treatment,
    second_arm.treatment as second_treatment,
    arm_rank(first_role.role, first_arm.treatment) as first_rank,
    arm_rank(second_role.role, second_arm.treatment) as second_rank,
    coalesce(reported.n_a, first_arm.n) as first_n,
    coalesce(reported.n_b, second_arm.n) as second_n,
    effect_measure.scale = 'log' as is_ratio
from reported_contrast as reported
inner join effect_measure on reported.measure = effect_measure.measure
inner join arm as first_arm
    on
        reported.study = first_arm.study
        and reported.experiment = first_arm.experiment
        and reported.arm_a = first_arm.arm
inner join arm as second_arm
    on
        reported.study = second_arm.study
        and reported.experiment = second_arm.experiment
        and reported.arm_b = second_arm.arm
inner join treatment as first_role on first_arm.treatment = first_role.treatment
inner join treatment as second_role on second_arm.treatment = second_role.treatment
