-- Title: Reported contrasts that are no contrast, or none in another measure
-- Grain: reported contrast x step that could not use it (x measure)
-- Key: stage, row_id, measure
-- Formula: Those that `contrast` does not give back. And what a study reports in one measure only, under every other
--   measure that the outcome has contrasts in or the plan asks for, unless the study gives the comparison in that
--   measure, too (stage 'other_measure').
-- Caveats: A step of `exclusion`, which has the words and the places.
-- Columns:
--   row_id: minus the number of the row of `reported_contrast`
--   measure: the effect measure that is lost
--   stage: contrast, or other_measure
--   code: what is wrong, see table `reason`
--   detail, more: what the words of that reason leave open
create or replace view unused_reported_contrast as
-- Measures that an outcome can be asked for: those it has contrasts in, and those of the plan.
with wanted as materialized (
    select
        outcome,
        measure
    from contrast
    union
    select
        outcome,
        measure
    from plan
),

-- Comparisons that a study gives in some measure.
available as materialized (
    select distinct
        study,
        experiment,
        outcome,
        measure,
        treatment_a,
        treatment_b
    from contrast
    where study in (select reported.study from reported_contrast_standard as reported)
),

reported_otherwise as materialized (
    select
        reported.*,
        wanted.measure as wanted_measure
    from reported_contrast_standard as reported
    inner join wanted on reported.outcome = wanted.outcome and reported.measure <> wanted.measure
    left join available
        on
            reported.study = available.study
            and reported.experiment = available.experiment
            and reported.outcome = available.outcome
            and wanted.measure = available.measure
            and reported.treatment_a = available.treatment_a
            and reported.treatment_b = available.treatment_b
    where
        available.study is null
        and (reported.problem is null or reported.problem not in ('superseded', 'same_treatment'))
)

select
    -reported_contrast_id as row_id,
    measure,
    'contrast' as stage,
    coalesce(problem, 'arms_give_it') as code,
    cast(null as varchar) as detail,
    cast(null as varchar) as more
from reported_contrast_standard
where
    problem is not null
    or reported_contrast_id not in (
        select contrast.reported_contrast_id from contrast
        where contrast.reported_contrast_id is not null
    )
union all
select
    -otherwise.reported_contrast_id as row_id,
    otherwise.wanted_measure as measure,
    'other_measure' as stage,
    'reported_only' as code,
    otherwise.measure as detail,
    coalesce(effect_measure.needs, 'the numbers of its arms') as more
from reported_otherwise as otherwise
left join effect_measure on otherwise.wanted_measure = effect_measure.measure
