-- Title: Measurements and reported contrasts of time points that the plan does not analyse
-- Grain: measurement or reported contrast (x measure)
-- Key: stage, row_id, measure
-- Formula: What is in a contrast, and in none that a network (`analysis_contrast`) or a comparison by itself
--   (`comparison_contrast`) takes.
-- Caveats: A step of `exclusion`, which has the words and the places.
-- Columns:
--   row_id: the row of `measurement`, or minus the number of the row of `reported_contrast`
--   measure: the effect measure that is lost; empty if all are
--   stage: analysis_contrast
--   code: what is wrong, see table `reason`
--   detail: the time point that is analysed
--   more: the rule that picked it
create or replace view unused_time as
-- In a network, or in a comparison by itself.
with of_analysis as materialized (
    select
        block,
        measure
    from contrast_choice
    where network_place = 1 or comparison_place = 1
    group by block, measure
),

-- Nearly every time point is analysed in every measure: only the others are looked at arm by arm.
unanalysed as materialized (
    select
        given.block,
        given.measure
    from (
        select
            block,
            measure
        from contrast
        group by block, measure
    ) as given
    left join of_analysis on given.block = of_analysis.block and given.measure = of_analysis.measure
    where of_analysis.block is null
),

side as materialized (
    select
        contrast.block,
        contrast.measure,
        contrast.arm_a as arm
    from contrast
    inner join unanalysed on contrast.block = unanalysed.block and contrast.measure = unanalysed.measure
    union
    select
        contrast.block,
        contrast.measure,
        contrast.arm_b as arm
    from contrast
    inner join unanalysed on contrast.block = unanalysed.block and contrast.measure = unanalysed.measure
),

analysed_report as materialized (
    select reported_contrast_id
    from contrast_choice
    where reported_contrast_id is not null and (network_place = 1 or comparison_place = 1)
),

-- In no analysed contrast at all; in none of one measure; reported, and not analysed.
other_time as materialized (
    select distinct
        standard.measurement_id as row_id,
        standard.study,
        standard.experiment,
        standard.outcome,
        case when standard.block in (select other.block from of_analysis as other) then side.measure end as measure
    from measurement_standard as standard
    inner join side on standard.block = side.block and standard.arm = side.arm
    union all
    select
        -reported.reported_contrast_id as row_id,
        reported.study,
        reported.experiment,
        reported.outcome,
        reported.measure
    from reported_contrast_standard as reported
    inner join contrast on reported.reported_contrast_id = contrast.reported_contrast_id
    where reported.reported_contrast_id not in (select analysed.reported_contrast_id from analysed_report as analysed)
),

taken as materialized (
    select distinct
        study,
        experiment,
        outcome,
        measure,
        timepoint,
        rule
    from contrast_choice
    where (network_place = 1 or comparison_place = 1) and study in (select other_time.study from other_time)
),

at_other_time as materialized (
    select
        other_time.row_id,
        other_time.measure,
        min(taken.rule) as rule,
        min(taken.timepoint) as first_timepoint,
        max(taken.timepoint) as last_timepoint
    from other_time
    left join taken
        on
            other_time.study = taken.study
            and other_time.experiment = taken.experiment
            and other_time.outcome = taken.outcome
            and (other_time.measure is null or other_time.measure = taken.measure)
    group by other_time.row_id, other_time.measure
)

select
    row_id,
    measure,
    'analysis_contrast' as stage,
    case
        when rule is null then 'not_at_time'
        when first_timepoint = last_timepoint then 'other_time'
        else 'other_times'
    end as code,
    cast(last_timepoint as varchar) as detail,
    rule as more
from at_other_time
