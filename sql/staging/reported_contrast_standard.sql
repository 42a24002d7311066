-- Title: Reported contrasts that count, in the outcome's unit and in the order of all contrasts
-- Grain: reported contrast: pair of arms x outcome x time point x measure
-- Key: reported_contrast_id
-- Formula: Of several extractors 'consensus' counts, else the first by name. The sign is turned where the second arm comes
--   first by role (active, control, sham), then by treatment. SE as reported, else from the confidence interval:
--   (upper - lower) / (2 z). MD (and its SE) is multiplied by the typed unit's factor and divided by the outcome's.
-- Caveats: Ratios are typed, as everywhere, on the log scale. A contrast without SE and interval has a problem.
-- Columns:
--   reported_contrast_id: the row of `reported_contrast`
--   study, experiment, outcome, timepoint, timepoint_unit, measure: what was compared, when
--   treatment_a, treatment_b, arm_a, arm_b, n_a, n_b: the two sides, n of the contrast, else of the arm
--   estimate, std_error: A minus B on the analysis scale
--   variance_base, base_arm: sampling variance of the second arm as typed, and which arm that is; empty if not reported
--   problem: a word for why the contrast cannot be used, empty if it can
--   source_file, source_line: where it is typed
--   block: number of the study, experiment, outcome and time point, below 0
create or replace view reported_contrast_standard as
with typed as (
    select
        reported.*,
        first_arm.treatment as first_treatment,
        second_arm.treatment as second_treatment,
        concat(case first_role.role when 'active' then '1' when 'control' then '2' else '3' end, first_arm.treatment)
            as first_rank,
        concat(case second_role.role when 'active' then '1' when 'control' then '2' else '3' end, second_arm.treatment)
            as second_rank,
        coalesce(reported.n_a, first_arm.n) as first_n,
        coalesce(reported.n_b, second_arm.n) as second_n,
        case
            when outcome_timepoint.converted
                then floor(reported.timepoint * time_unit.factor / day.factor * 1000000000 + 0.5) / 1000000000
            else reported.timepoint
        end as common_timepoint,
        outcome_timepoint.timepoint_unit as common_timepoint_unit,
        coalesce(outcome_timepoint.converted, false)
        and reported.timepoint is not null and time_unit.factor is null as unknown_time,
        case
            when reported.measure <> 'MD' or reported.unit is null or outcome.unit is null or reported.unit = outcome.unit
                then 1.0
            when from_unit.dimension = to_unit.dimension then from_unit.factor / to_unit.factor
        end as multiplier
    from reported_contrast as reported
    inner join outcome on reported.outcome = outcome.outcome
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
    left join outcome_timepoint on reported.outcome = outcome_timepoint.outcome
    left join unit as time_unit on reported.timepoint_unit = time_unit.unit
    cross join (select max(case when unit = 'd' then factor end) as factor from unit) as day
    left join unit as from_unit on reported.unit = from_unit.unit
    left join unit as to_unit on outcome.unit = to_unit.unit
),

ranked as (
    select
        typed.*,
        first_rank <= second_rank as as_typed,
        case when first_rank <= second_rank then arm_a else arm_b end as arm_first,
        case when first_rank <= second_rank then arm_b else arm_a end as arm_second,
        coalesce(ci_level, 0.95) as level
    from typed
),

chosen as (
    select
        ranked.*,
        row_number() over (
            partition by study, experiment, outcome, common_timepoint, measure, arm_first, arm_second
            order by case when extractor = 'consensus' then 0 else 1 end, extractor, reported_contrast_id
        ) as choice,
        -min(reported_contrast_id) over (partition by study, experiment, outcome, common_timepoint) as block
    from ranked
),

normal as (
    select
        level,
        normal_quantile(1 - (1 - level) / 2) as z
    from (
        select distinct level
        from chosen
        where se is null and ci_lower is not null and ci_upper is not null
    ) as distinct_level
)

select
    reported_contrast_id,
    study,
    experiment,
    outcome,
    common_timepoint as timepoint,
    case when common_timepoint is not null then common_timepoint_unit end as timepoint_unit,
    measure,
    case when as_typed then first_treatment else second_treatment end as treatment_a,
    case when as_typed then second_treatment else first_treatment end as treatment_b,
    arm_first as arm_a,
    arm_second as arm_b,
    case when as_typed then first_n else second_n end as n_a,
    case when as_typed then second_n else first_n end as n_b,
    case when as_typed then estimate else -estimate end * multiplier as estimate,
    coalesce(se, (ci_upper - ci_lower) / (2 * z)) * multiplier as std_error,
    var_base * multiplier * multiplier as variance_base,
    case when var_base is not null then arm_b end as base_arm,
    case
        when choice > 1 then 'superseded'
        when unknown_time then 'time_unit'
        when multiplier is null then 'unit'
        when first_treatment = second_treatment then 'same_treatment'
        when coalesce(se, ci_upper - ci_lower) is null then 'no_std_error'
        when coalesce(se, ci_upper - ci_lower) <= 0 then 'zero_spread'
    end as problem,
    source_file,
    source_line,
    block
from chosen
left join normal on chosen.level = normal.level
