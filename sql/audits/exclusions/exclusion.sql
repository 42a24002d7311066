-- Title: What could not be used, why, and what would make it usable
-- Grain: row typed in the review folder x step that could not use it (x measure)
-- Key: stage, measurement_id, reported_contrast_id, measure
-- Stored: when the file is built
-- Formula: Every reading, measurement or reported contrast that one step of
--   measurement -> measurement_final -> measurement_standard -> arm_effect -> contrast -> analysis_contrast
--   takes in and the next does not give back.
--   What a study reports in one measure only is listed under every other measure that the outcome has contrasts in or the
--   plan asks for, unless the study gives the comparison in that measure, too (stage 'other_measure').
-- Caveats: The words are rows of `reason`. A row left out by one step is not listed again by the steps after it. NMD is asked for only where the outcome
--   was measured in a sham arm somewhere.
-- Columns:
--   source_file, source_line: where the row stands in the review folder
--   study, experiment, arm: whose; for a reported contrast both arms
--   outcome: of what
--   timepoint, timepoint_unit: when, in the outcome's unit of time
--   measure: the effect measure that is lost; empty if all are
--   stage: the view that does not have the row; other_measure if it is there in another measure only
--   reason: what is wrong
--   remedy: what would make it usable
--   measurement_id, reported_contrast_id: the row
create or replace view exclusion as
-- Materialized, every one: with some inlined and some not, DuckDB 1.5 can wait for itself for ever.
with reading as materialized (
    select
        reading.*,
        final.extractor as final_extractor,
        final.source_file as final_file,
        final.source_line as final_line
    from measurement_reading as reading
    left join measurement as final on reading.final_measurement_id = final.measurement_id
    where reading.final_measurement_id is null or reading.final_measurement_id <> reading.measurement_id
),

derived as materialized (
    select * from measurement_derived
),

standard as materialized (
    select
        derived.*,
        count(*) over arms_of_block as n_arms,
        min(treatment) over arms_of_block as first_treatment,
        max(treatment) over arms_of_block as last_treatment,
        count(case when role = 'control' then 1 end) over arms_of_block as n_control,
        count(case when role = 'sham' then 1 end) over arms_of_block as n_sham,
        max(events) over arms_of_block as most_events
    from derived
    where problem is null
    window arms_of_block as (partition by block)
),

expected (kind, measure) as materialized (
    values ('continuous', 'ROM'), ('continuous', 'NMD'), ('binary', 'OR'), ('binary', 'RR'), ('rate', 'IRR')
),

effect as materialized (
    select
        measurement_id,
        measure
    from arm_effect
),

lost as materialized (
    select
        standard.*,
        expected.measure
    from standard
    inner join expected on standard.kind = expected.kind
    left join effect on standard.measurement_id = effect.measurement_id and expected.measure = effect.measure
    where
        effect.measurement_id is null
        and (expected.measure <> 'NMD' or standard.outcome in (select sham.outcome from standard as sham where sham.role = 'sham'))
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

pair as materialized (
    select
        standard.measurement_id,
        side.measure
    from standard
    inner join side on standard.block = side.block and standard.arm = side.arm
),

single as materialized (
    select
        standard.*,
        cast(null as varchar) as measure
    from standard
    where
        measurement_id in (select measurement_id from effect)
        and measurement_id not in (select measurement_id from pair)
    union all
    select
        standard.*,
        effect.measure
    from standard
    inner join effect on standard.measurement_id = effect.measurement_id
    left join pair on effect.measurement_id = pair.measurement_id and effect.measure = pair.measure
    where
        pair.measurement_id is null
        and effect.measurement_id in (select other.measurement_id from pair as other)
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
    select
        standard.source_file,
        standard.source_line,
        standard.study,
        standard.experiment,
        standard.arm,
        standard.outcome,
        standard.timepoint,
        standard.timepoint_unit,
        cast(null as varchar) as measure,
        standard.measurement_id,
        cast(null as bigint) as reported_contrast_id
    from standard
    where
        standard.measurement_id in (select measurement_id from pair)
        and standard.block not in (select of_analysis.block from of_analysis)
    union all
    select
        standard.source_file,
        standard.source_line,
        standard.study,
        standard.experiment,
        standard.arm,
        standard.outcome,
        standard.timepoint,
        standard.timepoint_unit,
        pair.measure,
        standard.measurement_id,
        cast(null as bigint) as reported_contrast_id
    from standard
    inner join pair on standard.measurement_id = pair.measurement_id
    left join of_analysis on standard.block = of_analysis.block and pair.measure = of_analysis.measure
    where
        of_analysis.block is null
        and standard.block in (select other.block from of_analysis as other)
    union all
    select
        reported.source_file,
        reported.source_line,
        reported.study,
        reported.experiment,
        concat(reported.arm_a, ', ', reported.arm_b) as arm,
        reported.outcome,
        reported.timepoint,
        reported.timepoint_unit,
        reported.measure,
        cast(null as bigint) as measurement_id,
        reported.reported_contrast_id
    from reported_contrast_standard as reported
    inner join compared on reported.reported_contrast_id = compared.reported_contrast_id
    where
        reported.reported_contrast_id not in (
            select reported_contrast_id from analysed where reported_contrast_id is not null
        )
),

at_other_time as materialized (
    select
        other_time.source_file,
        other_time.source_line,
        other_time.study,
        other_time.experiment,
        other_time.arm,
        other_time.outcome,
        other_time.timepoint,
        other_time.timepoint_unit,
        other_time.measure,
        other_time.measurement_id,
        other_time.reported_contrast_id,
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
    group by
        other_time.source_file, other_time.source_line, other_time.study, other_time.experiment, other_time.arm,
        other_time.outcome, other_time.timepoint, other_time.timepoint_unit, other_time.measure,
        other_time.measurement_id, other_time.reported_contrast_id
),

-- Measures that an outcome can be asked for: those it has contrasts in, and those of the plan.
wanted as materialized (
    select
        outcome,
        measure
    from compared
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
    from compared
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
),

found as (
    select
        source_file,
        source_line,
        study,
        experiment,
        arm,
        outcome,
        timepoint,
        timepoint_unit,
        cast(null as varchar) as measure,
        'measurement_final' as stage,
        case
            when final_measurement_id is null then 'no_time_unit'
            when extractor = final_extractor then 'typed_twice'
            when final_extractor = 'consensus' then 'consensus'
            else 'cautious_reading'
        end as code,
        final_extractor as detail,
        concat(final_file, ':', cast(final_line as varchar)) as more,
        measurement_id,
        cast(null as bigint) as reported_contrast_id
    from reading
    union all
    select
        source_file,
        source_line,
        study,
        experiment,
        arm,
        outcome,
        timepoint,
        timepoint_unit,
        cast(null as varchar) as measure,
        'measurement_standard' as stage,
        problem as code,
        unit_typed as detail,
        unit as more,
        measurement_id,
        cast(null as bigint) as reported_contrast_id
    from derived
    where problem is not null
    union all
    select
        source_file,
        source_line,
        study,
        experiment,
        arm,
        outcome,
        timepoint,
        timepoint_unit,
        measure,
        'arm_effect' as stage,
        case
            when measure = 'ROM' then 'mean_not_positive'
            when measure = 'NMD' and n_sham = 0 then 'no_sham'
            when measure = 'NMD' and n_control = 0 then 'no_control'
            when measure = 'NMD' and (n_sham > 1 or n_control > 1) then 'several_controls'
            when measure = 'NMD' then 'no_lesion'
            when most_events = 0 then 'no_event'
            else 'only_events'
        end as code,
        case
            when measure = 'IRR' then 'IRD'
            when most_events = 0 then 'RD'
            else 'RR and RD'
        end as detail,
        cast(null as varchar) as more,
        measurement_id,
        cast(null as bigint) as reported_contrast_id
    from lost
    union all
    select
        source_file,
        source_line,
        study,
        experiment,
        arm,
        outcome,
        timepoint,
        timepoint_unit,
        measure,
        'contrast' as stage,
        case
            when measure = 'MD' then 'mixed_units'
            when measure is not null then 'no_partner'
            when n_arms = 1 then 'no_other_arm'
            when first_treatment = last_treatment then 'one_treatment'
            else 'other_units'
        end as code,
        cast(null as varchar) as detail,
        cast(null as varchar) as more,
        measurement_id,
        cast(null as bigint) as reported_contrast_id
    from single
    union all
    select
        reported.source_file,
        reported.source_line,
        reported.study,
        reported.experiment,
        concat(reported.arm_a, ', ', reported.arm_b) as arm,
        reported.outcome,
        reported.timepoint,
        reported.timepoint_unit,
        reported.measure,
        'contrast' as stage,
        coalesce(reported.problem, 'arms_give_it') as code,
        cast(null as varchar) as detail,
        cast(null as varchar) as more,
        cast(null as bigint) as measurement_id,
        reported.reported_contrast_id
    from reported_contrast_standard as reported
    where
        reported.problem is not null
        or reported.reported_contrast_id not in (
            select reported_contrast_id from compared where reported_contrast_id is not null
        )
    union all
    select
        otherwise.source_file,
        otherwise.source_line,
        otherwise.study,
        otherwise.experiment,
        concat(otherwise.arm_a, ', ', otherwise.arm_b) as arm,
        otherwise.outcome,
        otherwise.timepoint,
        otherwise.timepoint_unit,
        otherwise.wanted_measure as measure,
        'other_measure' as stage,
        'reported_only' as code,
        otherwise.measure as detail,
        coalesce(effect_measure.needs, 'the numbers of its arms') as more,
        cast(null as bigint) as measurement_id,
        otherwise.reported_contrast_id
    from reported_otherwise as otherwise
    left join effect_measure on otherwise.wanted_measure = effect_measure.measure
    union all
    select
        source_file,
        source_line,
        study,
        experiment,
        arm,
        outcome,
        timepoint,
        timepoint_unit,
        measure,
        'analysis_contrast' as stage,
        case
            when rule is null then 'not_at_time'
            when first_timepoint = last_timepoint then 'other_time'
            else 'other_times'
        end as code,
        cast(last_timepoint as varchar) as detail,
        rule as more,
        measurement_id,
        reported_contrast_id
    from at_other_time
)

select
    found.source_file,
    found.source_line,
    found.study,
    found.experiment,
    found.arm,
    found.outcome,
    found.timepoint,
    found.timepoint_unit,
    found.measure,
    found.stage,
    coalesce(
        replace(
            replace(
                replace(reason.reason, '<detail>', coalesce(found.detail, '')),
                '<more>', coalesce(found.more, '')
            ),
            '<measure>', coalesce(found.measure, '')
        ),
        found.code
    ) as reason,
    coalesce(
        replace(
            replace(
                replace(reason.remedy, '<detail>', coalesce(found.detail, '')),
                '<more>', coalesce(found.more, '')
            ),
            '<measure>', coalesce(found.measure, '')
        ),
        'look the numbers up again'
    ) as remedy,
    found.measurement_id,
    found.reported_contrast_id
from found
left join reason on found.stage = reason.stage and found.code = reason.code
