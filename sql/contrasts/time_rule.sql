-- Title: The rule that picks one time point of a study, for each outcome and measure
-- Grain: outcome x measure
-- Key: outcome, measure
-- Stored: when the file is built
-- Formula: That of the plan's first analysis of the outcome and measure, else of its first analysis of the outcome.
-- Caveats: An outcome that no analysis is planned of is not listed: its last time point counts, see `contrast_choice`.
--   A step of `contrast_choice`.
-- Columns:
--   outcome, measure: what the rule is for
--   rule, kind, value, days: the rule, see `planned_time`
create or replace view time_rule as
with ranked as (
    select
        planned_time.*,
        row_number() over (partition by outcome, measure order by position, analysis) as of_measure,
        row_number() over (partition by outcome order by position, analysis) as of_outcome
    from planned_time
),

taken as (
    select
        ranked.outcome,
        effect_measure.measure,
        ranked.rule,
        ranked.kind,
        ranked.value,
        ranked.days,
        row_number() over (
            partition by ranked.outcome, effect_measure.measure
            order by case when ranked.measure = effect_measure.measure then 0 else 1 end
        ) as choice
    from ranked
    cross join effect_measure
    where
        (ranked.measure = effect_measure.measure and ranked.of_measure = 1)
        or (ranked.measure <> effect_measure.measure and ranked.of_outcome = 1)
)

select
    outcome,
    measure,
    rule,
    kind,
    value,
    days
from taken
where choice = 1
