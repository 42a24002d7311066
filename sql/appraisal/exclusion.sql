-- Title: What could not be used, why, and what would make it usable
-- Grain: row typed in the review folder x step that could not use it (x measure)
-- Key: stage, measurement_id, reported_contrast_id, measure
-- Formula: Every reading, measurement or reported contrast that one step of
--   measurement -> measurement_final -> measurement_standard -> arm_effect -> contrast -> analysis_contrast
--   takes in and the next does not give back.
-- Caveats: A row left out by one step is not listed again by the steps after it. NMD is asked for only where the outcome
--   was measured in a sham arm somewhere.
-- Columns:
--   source_file, source_line: where the row stands in the review folder
--   study, experiment, arm: whose; for a reported contrast both arms
--   outcome: of what
--   timepoint, timepoint_unit: when, in the outcome's unit of time
--   measure: the effect measure that is lost; empty if all are
--   stage: the view that does not have the row
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

analysed as materialized (
    select * from analysis_contrast
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
)

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
        when final_measurement_id is null
            then 'the time point has no unit, while other time points of this outcome have different ones'
        when extractor = final_extractor
            then
                concat(
                    'the same arm, outcome and time point is typed twice by ', extractor, '; the more cautious row counts (',
                    final_file, ':', cast(final_line as varchar), ')'
                )
        else
            concat(
                case when final_extractor = 'consensus' then 'another' else 'a more cautious' end,
                ' reading of the same arm, outcome and time point counts, that of ', final_extractor, ' (',
                final_file, ':', cast(final_line as varchar), ')'
            )
    end as reason,
    case
        when final_measurement_id is null then 'give its timepoint_unit'
        when extractor = final_extractor
            then 'delete one row, or tell them apart by outcome, time point or experiment'
        else 'none needed; to decide otherwise add a row with extractor consensus'
    end as remedy,
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
    case problem
        when 'unit' then concat('the unit ', unit_typed, ' cannot be converted into ', unit, ', the unit of the outcome')
        when 'no_mean' then 'there is neither a mean nor a median'
        when 'no_n' then 'there is no n, neither in the measurement nor in the arm'
        when 'n_below_2' then 'n is below 2: a single animal or participant has no spread'
        when 'median_only' then 'there is a median without both quartiles or minimum and maximum'
        when 'no_spread' then 'there is no SD, SE, confidence interval, quartiles or range'
        when 'zero_spread' then 'the spread is 0: a printed error of 0 would give this arm infinite weight'
        when 'negative_spread' then 'the limits of the interval, quartiles or range stand in the wrong order'
        when 'no_events' then 'there is no number of events'
        when 'no_exposure' then 'there is no exposure'
        when 'events_above_n' then 'there are more events than animals or participants'
        when 'time_to_event' then 'a time-to-event outcome cannot be compared by the numbers of one arm'
        when 'not_finite' then 'the numbers are too large or too small to compute with'
    end as reason,
    case problem
        when 'unit' then 'type the value in a unit of the same dimension, or give it an outcome of its own'
        when 'no_mean' then 'add the mean, or the median with quartiles or range'
        when 'no_n' then 'add n to measurements.csv or arms.csv'
        when 'n_below_2' then 'check n; leave the study out if it is right'
        when 'median_only' then 'add q1 and q3, or min and max; or ask the authors for mean and SD'
        when 'no_spread' then 'add one of them; or ask the authors'
        when 'zero_spread' then 'look the value up again: it is often rounded off, or the SE of a value scaled to the control'
        when 'negative_spread' then 'look the values up again'
        when 'no_events' then 'add events (and n for a binary outcome, exposure for a rate)'
        when 'no_exposure' then 'add exposure, the time at risk summed over animals or participants'
        when 'events_above_n' then 'look both numbers up again'
        when 'time_to_event' then 'type the hazard ratio with its SE or interval in contrasts.csv (on the log scale)'
        when 'not_finite' then 'look the values up again, or choose another unit for the outcome'
    end as remedy,
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
        when measure = 'ROM' then 'the mean is 0 or negative: it has no logarithm'
        when measure = 'NMD' and n_sham = 0 then 'the study has no sham arm for this outcome and time point'
        when measure = 'NMD' and n_control = 0 then 'the study has no control arm for this outcome and time point'
        when measure = 'NMD' and (n_sham > 1 or n_control > 1)
            then 'the study has several control or sham arms for this outcome and time point'
        when measure = 'NMD' then 'control and sham have the same mean: there is no lesion to normalise by'
        when most_events = 0 then 'no arm of the study has an event: the ratio is unknown'
        else 'all animals or participants of all arms have the event: the ratio is unknown'
    end as reason,
    case
        when measure = 'ROM' then 'use MD or SMD for this outcome'
        when measure = 'NMD' and (n_sham > 1 or n_control > 1)
            then 'make an experiment of each control with the arms that belong to it'
        when measure = 'NMD' then 'use SMD or ROM, or add the missing arm'
        when measure = 'IRR' then 'none; the study counts in the characteristics only'
        else 'use RD, or a model of the counts that needs no correction'
    end as remedy,
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
        when measure = 'MD'
            then 'the outcome has no unit and is measured in several: raw means cannot be compared between studies'
        when measure is not null
            then concat('no arm with another treatment in the same study and experiment gives ', measure)
        when n_arms = 1 then 'no other arm of the same study and experiment has this outcome at this time point'
        when first_treatment = last_treatment
            then 'all arms of the study and experiment that have this outcome were given the same treatment'
        else 'the other arms measured this outcome in other units, and the outcome has no unit to convert to'
    end as reason,
    case
        when measure = 'MD' then 'use SMD or ROM, or give the outcome a unit to which all can be converted'
        when measure is not null then 'see why the other arms were left out; use another measure'
        when n_arms = 1
            then 'add the other arm, or check that study, experiment, outcome and time point are typed alike in both'
        when first_treatment = last_treatment then 'give the arms different treatments, if they differ'
        else 'give the outcome a unit'
    end as remedy,
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
    case reported.problem
        when 'superseded' then 'another reading of the same reported contrast counts'
        when 'time_unit' then 'the time point has no unit, while other time points of this outcome have different ones'
        when 'unit' then 'the unit cannot be converted into that of the outcome'
        when 'same_treatment' then 'both arms were given the same treatment'
        when 'no_std_error' then 'there is neither a standard error nor a confidence interval'
        when 'zero_spread' then 'the interval has no width, or its limits stand in the wrong order'
        else 'the arms of this study give this outcome, time point and measure'
    end as reason,
    case reported.problem
        when 'superseded' then 'none needed; to decide otherwise add a row with extractor consensus'
        when 'time_unit' then 'give its timepoint_unit'
        when 'unit' then 'type the contrast in a unit of the same dimension'
        when 'same_treatment' then 'give the arms different treatments, if they differ'
        when 'no_std_error' then 'add the SE or the interval'
        when 'zero_spread' then 'look the interval up again'
        else 'delete the reported contrast, or the measurements, whichever is less trustworthy'
    end as remedy,
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
        when rule is null then 'the study has no contrast at the time point that the plan asks for'
        when first_timepoint = last_timepoint
            then
                concat(
                    'another time point of the study, ', cast(last_timepoint as varchar),
                    ', is analysed by the rule ', rule
                )
        else concat('another time point of the study is analysed by the rule ', rule)
    end as reason,
    'none needed; the contrast view has it, and the time point of an analysis can be chosen' as remedy,
    measurement_id,
    reported_contrast_id
from at_other_time
