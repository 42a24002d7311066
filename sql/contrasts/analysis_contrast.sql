-- Title: Contrasts at the time point of the plan
-- Grain: pair of arms x outcome x measure
-- Key: study, experiment, outcome, measure, arm_a, arm_b
-- Formula: For each study, experiment, outcome and measure the contrasts of one time point: the one that the plan's first
--   analysis of that outcome and measure asks for (else its first analysis of that outcome, else 'last').
--   last, first: the study's last or first time point that gives a contrast; a number: that time point alone;
--   nearest:VALUE: the time point nearest to it, the earlier of two as near.
-- Caveats: Time points that were not typed come in only where a study has no other, and never where the plan asks for a
--   number. Contrasts at other time points stand in `exclusion`; they remain in `contrast`.
-- Columns:
--   contrast_id: the contrast, see `contrast`
--   study, experiment, outcome, timepoint, timepoint_unit, measure: as in `contrast`
--   treatment_a, treatment_b, arm_a, arm_b, n_a, n_b: as in `contrast`
--   estimate, std_error: A minus B on the analysis scale
--   continuity, shared_arm, measurement_ids, origin, reported_contrast_id, block: as in `contrast`
--   rule: the rule that picked the time point
create or replace view analysis_contrast as
with every_contrast as (
    select * from contrast
),

planned as (
    select
        outcome,
        measure,
        timepoint as rule,
        row_number() over (partition by outcome, measure order by position, analysis) as of_measure,
        row_number() over (partition by outcome order by position, analysis) as of_outcome
    from plan
),

measured as (
    select distinct
        study,
        experiment,
        outcome,
        timepoint,
        measure,
        block
    from every_contrast
),

ruled as (
    select
        measured.*,
        coalesce(for_measure.rule, for_outcome.rule, 'last') as rule
    from measured
    left join planned as for_measure
        on
            measured.outcome = for_measure.outcome
            and measured.measure = for_measure.measure
            and for_measure.of_measure = 1
    left join planned as for_outcome
        on measured.outcome = for_outcome.outcome and for_outcome.of_outcome = 1
),

distant as (
    select
        ruled.*,
        case
            when rule = 'last' then -timepoint
            when rule = 'first' then timepoint
            when rule like 'nearest:%' then abs(timepoint - cast(substring(rule, 9) as double))
            when abs(timepoint - cast(rule as double)) <= 1e-9 * abs(timepoint) then 0
        end as distance,
        case when rule in ('last', 'first') or rule like 'nearest:%' then 1 else 0 end as any_time
    from ruled
),

ranked as (
    select
        block,
        measure,
        rule,
        row_number() over (
            partition by study, experiment, outcome, measure
            order by case when distance is null then 1 else 0 end, distance, timepoint
        ) as choice
    from distant
    where any_time = 1 or distance is not null
)

select
    every_contrast.contrast_id,
    every_contrast.study,
    every_contrast.experiment,
    every_contrast.outcome,
    every_contrast.timepoint,
    every_contrast.timepoint_unit,
    every_contrast.measure,
    every_contrast.treatment_a,
    every_contrast.treatment_b,
    every_contrast.arm_a,
    every_contrast.arm_b,
    every_contrast.n_a,
    every_contrast.n_b,
    every_contrast.estimate,
    every_contrast.std_error,
    every_contrast.continuity,
    every_contrast.shared_arm,
    every_contrast.measurement_ids,
    every_contrast.origin,
    every_contrast.reported_contrast_id,
    every_contrast.block,
    ranked.rule
from every_contrast
inner join ranked on every_contrast.block = ranked.block and every_contrast.measure = ranked.measure
where ranked.choice = 1
