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
with standard as materialized (
    select
        measurement_id,
        study,
        experiment,
        arm,
        outcome,
        block
    from measurement_standard
),

compared as materialized (
    select * from contrast
),

side as materialized (
    select
        block,
        measure,
        arm_a as arm
    from compared
    union
    select
        block,
        measure,
        arm_b as arm
    from compared
),

-- In a network, or in a comparison by itself.
analysed as materialized (
    select *
    from contrast_choice
    where network_place = 1 or comparison_place = 1
),

of_analysis as materialized (
    select distinct
        block,
        measure
    from analysed
),

taken as materialized (
    select distinct
        study,
        experiment,
        outcome,
        measure,
        timepoint,
        rule
    from analysed
),

-- In no analysed contrast at all; in none of one measure; reported, and not analysed.
other_time as materialized (
    select distinct
        standard.measurement_id as row_id,
        standard.study,
        standard.experiment,
        standard.outcome,
        case when standard.block in (select other.block from of_analysis as other) then side.measure end as measure
    from standard
    inner join side on standard.block = side.block and standard.arm = side.arm
    left join of_analysis on side.block = of_analysis.block and side.measure = of_analysis.measure
    where of_analysis.block is null
    union all
    select
        -reported.reported_contrast_id as row_id,
        reported.study,
        reported.experiment,
        reported.outcome,
        reported.measure
    from reported_contrast_standard as reported
    inner join compared on reported.reported_contrast_id = compared.reported_contrast_id
    where
        reported.reported_contrast_id not in (
            select analysed.reported_contrast_id from analysed
            where analysed.reported_contrast_id is not null
        )
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
