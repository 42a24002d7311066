-- Title: Reported contrasts that count, in the outcome's unit and in the order of all contrasts
-- Grain: reported contrast: pair of arms x outcome x time point x measure
-- Key: reported_contrast_id
-- Stored: when the file is built
-- Rows from: reported_contrast
-- Formula: Ratios are put on the log scale: estimate and limits by ln where their scale is natural, an SE of the ratio
--   itself (se_scale natural) by SE / ratio. A log-rank test gives ln HR (or Peto's ln OR) = (O - E)/V with SE
--   1/sqrt(V). SE as reported, else (upper - lower) / (2 q) of the interval: q is the quantile of Student's t on n_a +
--   n_b - 2 degrees of freedom for a mean difference whose n are known, else the normal one. Of several readings that
--   of extractor 'consensus' counts, else the most cautious (largest SE, then smallest absolute estimate). The sign is
--   turned where the second arm comes first by role (active, control, sham), then by treatment. MD (and its SE) is
--   multiplied by the typed unit's factor and divided by the outcome's.
-- Reference: Higgins JPT et al., Cochrane Handbook, 6.5.2.3 (t for mean differences) and 6.3.2 (ratios); Parmar, Torri
--   and Stewart (1998), Stat Med 17:2815; Yusuf et al. (1985), Prog Cardiovasc Dis 27:335 (Peto). SE of a ratio: delta
--   method.
-- Caveats: A ratio typed without a scale is a logarithm. A contrast without SE and interval has a problem. An SE beside
--   a ratio and its interval whose se_scale is not said is not used: the interval is.
-- Columns:
--   reported_contrast_id: the row of `reported_contrast`
--   study, experiment, outcome, timepoint, timepoint_unit, measure: what was compared, when
--   treatment_a, treatment_b, arm_a, arm_b, n_a, n_b: the two sides, n of the contrast, else of the arm
--   estimate, std_error: A minus B on the analysis scale
--   derivation: where std_error came from: reported, ratio_se (SE of the ratio itself), ci_t or ci_normal (interval, by
--     t or the normal distribution), log_rank
--   variance_base, base_arm: sampling variance of the second arm as typed, and which arm that is; empty if not reported
--   problem: a word for why the contrast cannot be used, empty if it can
--   source_file, source_line: where it is typed
--   block: number of the study, experiment, outcome and time point, below 0
create or replace view reported_contrast_standard as
with typed as (
    select
        reported.*,
        side.first_treatment,
        side.second_treatment,
        side.first_rank,
        side.second_rank,
        side.first_n,
        side.second_n,
        case
            when outcome_timepoint.converted
                then floor(reported.timepoint * time_unit.factor / day.factor * 1000000000 + 0.5) / 1000000000
            else reported.timepoint
        end as common_timepoint,
        outcome_timepoint.timepoint_unit as common_timepoint_unit,
        coalesce(outcome_timepoint.converted, false)
        and reported.timepoint is not null and time_unit.factor is null as unknown_time,
        case
            when
                reported.measure <> 'MD' or reported.unit is null or outcome.unit is null
                or reported.unit = outcome.unit
                then 1.0
            when from_unit.dimension = to_unit.dimension then from_unit.factor / to_unit.factor
        end as multiplier,
        side.is_ratio and coalesce(reported.scale, 'log') = 'natural' as as_ratio,
        side.is_ratio and reported.se_scale = 'natural' as se_of_ratio,
        coalesce(reported.ci_level, 0.95) as level
    from reported_contrast as reported
    inner join reported_contrast_side as side on reported.reported_contrast_id = side.reported_contrast_id
    inner join outcome on reported.outcome = outcome.outcome
    left join outcome_timepoint on reported.outcome = outcome_timepoint.outcome
    left join unit as time_unit on reported.timepoint_unit = time_unit.unit
    cross join (select max(case when unit = 'd' then factor end) as factor from unit) as day
    left join unit as from_unit on reported.unit = from_unit.unit
    left join unit as to_unit on outcome.unit = to_unit.unit
),

analysed as (
    select
        typed.*,
        case
            when estimate is null then o_minus_e / nullif(variance, 0)
            when not as_ratio then estimate
            when estimate > 0 then ln(estimate)
        end as effect,
        case
            when not as_ratio then ci_lower
            when ci_lower > 0 then ln(ci_lower)
        end as lower_limit,
        case
            when not as_ratio then ci_upper
            when ci_upper > 0 then ln(ci_upper)
        end as upper_limit,
        case
            when measure = 'MD' and first_n + second_n > 2 then first_n + second_n - 2
        end as freedom
    from typed
),

coded as (
    select
        analysed.*,
        case
            when se_of_ratio and abs(effect) < 700 then se / exp(effect)
            when se_of_ratio or (as_ratio and se_scale is null) then null
            else se
        end as typed_se,
        case
            when estimate is null and variance > 0 then 'log_rank'
            when se_of_ratio and se is not null then 'ratio_se'
            when se is not null and not (as_ratio and se_scale is null) then 'reported'
            when lower_limit is not null and upper_limit is not null and freedom is not null then 'ci_t'
            when lower_limit is not null and upper_limit is not null then 'ci_normal'
        end as derivation
    from analysed
),

normal as (
    select
        level,
        normal_quantile(1 - (1 - level) / 2) as z
    from (
        select distinct level
        from coded
        where derivation = 'ci_normal'
    ) as distinct_level
),

solved as (
    select
        coded.*,
        case derivation
            when 'log_rank' then 1 / sqrt(variance)
            when 'reported' then typed_se
            when 'ratio_se' then typed_se
            when 'ci_t' then (upper_limit - lower_limit) / (2 * student.t)
            when 'ci_normal' then (upper_limit - lower_limit) / (2 * normal.z)
        end as solved_se,
        first_rank <= second_rank as as_typed,
        case when first_rank <= second_rank then arm_a else arm_b end as arm_first,
        case when first_rank <= second_rank then arm_b else arm_a end as arm_second
    from coded
    left join interval_quantile as student
        on coded.derivation = 'ci_t' and coded.level = student.level and coded.freedom = student.freedom
    left join normal on coded.derivation = 'ci_normal' and coded.level = normal.level
),

chosen as (
    select
        solved.*,
        row_number() over (
            partition by study, experiment, outcome, common_timepoint, measure, arm_first, arm_second
            order by
                case when extractor = 'consensus' then 0 else 1 end,
                solved_se * multiplier desc nulls last,
                abs(effect * multiplier) asc nulls last,
                reported_contrast_id asc
        ) as choice,
        -min(reported_contrast_id) over (partition by study, experiment, outcome, common_timepoint) as block
    from solved
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
    case when as_typed then effect else -effect end * multiplier as estimate,
    solved_se * multiplier as std_error,
    derivation,
    var_base * multiplier * multiplier as variance_base,
    case when var_base is not null then arm_b end as base_arm,
    case
        when choice > 1 then 'superseded'
        when unknown_time then 'time_unit'
        when multiplier is null then 'unit'
        when first_treatment = second_treatment then 'same_treatment'
        when effect is null or solved_se is null then 'no_std_error'
        when solved_se <= 0 then 'zero_spread'
    end as problem,
    source_file,
    source_line,
    block
from chosen
