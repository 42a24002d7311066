-- Title: What was probably mistyped, the likely cause, and what would be right
-- Grain: suspicion
-- Key: suspicion
-- Formula: The slips that `suspect_spread`, `suspect_unit` and `suspect_value` find in a block of arms shut each other out, so
--   their odds against chance add up: score = ln(sum of exp(score)), each slip counted once, is the log odds that
--   something in the block is mistyped. Where it is above 0.3 (odds of 4 to 3) the likeliest slip is shown. Beside that
--   every row of `suspect_copy` and `suspect_outcome` with a score above 0; every
--   row of `suspect_score`.
-- Reference: see the views it is made of
-- Caveats: A suspicion is a reason to open the article at that page, not to change the number: see `mended_measurement` and
--   `evidence check` for what mending it would do to the pooled results. Results never use it.
-- Columns:
--   suspicion: what, where
--   cause: se_as_sd, se_divided, sd_as_se, spread_decimal, unit, swapped_arms, decimal, digits, sign, copied_row,
--     entered_twice, control_twice, impossible_mean, impossible_spread, all_se_as_sd, all_se_divided
--   study, experiment, outcome, timepoint: where; an outcome alone where it is in all studies
--   block: number of the study, experiment, outcome and time point
--   arm: the arm, empty if it is all of them
--   measurement_id, other_measurement_id: the row, and the row it was copied from or swapped with, where it is one row
--   column_name, typed, value: the number, and what it would be, where it is one number
--   factor: what the block's statistics are multiplied with, where it is all of them
--   score: log odds that it is no chance, with this cause or a less likely one; empty where it is impossible
--   likely: what probably happened, in words
--   remedy: what to check
--   source_file, source_line: where the first of the rows stands
create or replace view suspicion as
with numeric_slip as (
    select
        block,
        cause,
        arm,
        cast(null as bigint) as measurement_id,
        cast(null as bigint) as other_measurement_id,
        cast(null as varchar) as column_name,
        cast(null as double) as typed,
        cast(null as double) as value,
        factor,
        ratio,
        mended_ratio,
        score
    from suspect_spread
    union all
    select
        block,
        'unit' as cause,
        cast(null as varchar) as arm,
        cast(null as bigint) as measurement_id,
        cast(null as bigint) as other_measurement_id,
        cast(null as varchar) as column_name,
        cast(null as double) as typed,
        cast(null as double) as value,
        factor,
        ratio,
        mended_ratio,
        score
    from suspect_unit
    union all
    select
        block,
        cause,
        arm,
        measurement_id,
        other_measurement_id,
        column_name,
        typed,
        value,
        cast(null as double) as factor,
        distance as ratio,
        mended_distance as mended_ratio,
        score
    from suspect_value
),

-- A number is weighed in every pair of its arm: one slip, once.
distinct_slip as (
    select
        numeric_slip.*,
        row_number() over (
            partition by block, cause, arm, column_name, value, factor order by score desc, other_measurement_id asc
        ) as occurrence
    from numeric_slip
),

ranked as (
    select
        distinct_slip.*,
        sum(exp(least(score, 300))) over (partition by block) as odds,
        row_number() over (
            -- The same to six decimals is a tie: rounding does not choose.
            partition by block
            order by floor(1000000 * score + 0.5) desc, cause asc, arm asc, column_name asc, value asc, factor asc
        ) as place
    from distinct_slip
    where occurrence = 1
),

found as (
    select
        block,
        cause,
        arm,
        measurement_id,
        other_measurement_id,
        column_name,
        typed,
        value,
        factor,
        ratio,
        mended_ratio,
        ln(case when odds > 0 then odds end) as score
    from ranked
    where place = 1 and odds > exp(0.3)
    union all
    select
        block,
        cause,
        cast(null as varchar) as arm,
        measurement_id,
        other_measurement_id,
        cast(null as varchar) as column_name,
        cast(null as double) as typed,
        cast(null as double) as value,
        cast(null as double) as factor,
        cast(null as double) as ratio,
        cast(null as double) as mended_ratio,
        score
    from suspect_copy
    where score > 0
    union all
    select
        block,
        cause,
        cast(null as varchar) as arm,
        measurement_id,
        cast(null as bigint) as other_measurement_id,
        case when cause = 'impossible_mean' then 'mean' else 'sd' end as column_name,
        typed,
        nearest as value,
        cast(null as double) as factor,
        cast(null as double) as ratio,
        cast(null as double) as mended_ratio,
        cast(null as double) as score
    from suspect_score
),

first_row as (
    select
        block,
        min(measurement_id) as measurement_id
    from measurement_final
    group by block
),

placed as (
    select
        found.*,
        own.study,
        own.experiment,
        own.outcome,
        own.timepoint,
        own.n as own_n,
        own.source_file,
        own.source_line,
        case when found.measurement_id is null then found.arm else own.arm end as whose,
        other.study as other_study,
        other.experiment as other_experiment,
        other.arm as other_arm,
        other.outcome as other_outcome
    from found
    inner join first_row on found.block = first_row.block
    inner join measurement_final as own
        on coalesce(found.measurement_id, first_row.measurement_id) = own.measurement_id
    left join measurement_final as other on found.other_measurement_id = other.measurement_id
),

of_outcome as (
    select
        suspect_outcome.*,
        row_number() over (partition by outcome order by score desc, cause asc) as place
    from suspect_outcome
    where score > 0
)

select
    concat_ws(
        '|',
        cause,
        replace(replace(study, '\', '\\'), '|', '\|'),
        replace(replace(experiment, '\', '\\'), '|', '\|'),
        replace(replace(outcome, '\', '\\'), '|', '\|'),
        coalesce(cast(timepoint as varchar), ''),
        coalesce(replace(replace(whose, '\', '\\'), '|', '\|'), ''),
        cast(other_measurement_id as varchar)
    ) as suspicion,
    cause,
    study,
    experiment,
    outcome,
    timepoint,
    block,
    case when cause = 'swapped_arms' then cast(null as varchar) else whose end as arm,
    measurement_id,
    other_measurement_id,
    column_name,
    typed,
    value,
    factor,
    score,
    case
        when cause = 'se_as_sd'
            then concat(
                'the SD is ', cast(cast(100 * ratio as bigint) as varchar), ' % of the usual one, and ',
                cast(cast(100 * mended_ratio as integer) as varchar), ' % if it is a standard error'
            )
        when cause = 'se_divided'
            then concat(
                'the SD is ', cast(cast(100 * ratio as bigint) as varchar), ' % of the usual one, and ',
                cast(cast(100 * mended_ratio as integer) as varchar),
                ' % if a standard error was divided by root n where it was to be multiplied'
            )
        when cause = 'sd_as_se'
            then concat(
                'the SD computed from the SE is ', cast(cast(100 * ratio as bigint) as varchar),
                ' % of the usual one, and ', cast(cast(100 * mended_ratio as integer) as varchar),
                ' % if the SE is a standard deviation'
            )
        when cause = 'spread_decimal'
            then concat(
                'the spread is ', cast(cast(100 * ratio as bigint) as varchar), ' % of the usual one, and ',
                cast(cast(100 * mended_ratio as integer) as varchar), ' % with the decimal point elsewhere (times ',
                cast(factor as varchar), ')'
            )
        when cause = 'unit'
            then concat(
                'the means are ', cast(cast(100 * ratio as bigint) as varchar), ' % of the usual ones, and ',
                cast(cast(100 * mended_ratio as integer) as varchar), ' % in a unit ',
                case
                    when factor > 1 then concat(cast(cast(factor as integer) as varchar), ' times as large')
                    else concat(cast(cast(1 / factor as integer) as varchar), ' times as small')
                end
            )
        when cause = 'swapped_arms'
            then concat(
                'the effect is ', cast(cast(10 * abs(ratio) as integer) / 10.0 as varchar),
                ' usual deviations from the others and ', cast(cast(10 * abs(mended_ratio) as integer) / 10.0 as varchar),
                ' if the arms ', whose, ' and ', other_arm, ' are swapped'
            )
        when cause in ('decimal', 'digits', 'sign')
            then concat(
                'the effect is ', cast(cast(10 * abs(ratio) as integer) / 10.0 as varchar),
                ' usual deviations from the others and ', cast(cast(10 * abs(mended_ratio) as integer) / 10.0 as varchar),
                ' if ', column_name, ' ', cast(typed as varchar), ' is ', cast(floor(1000000 * value + 0.5) / 1000000 as varchar),
                case cause
                    when 'decimal' then ' (decimal point)'
                    when 'digits' then ' (two digits the wrong way round)'
                    else ' (minus sign)'
                end
            )
        when cause = 'copied_row'
            then concat('the same numbers as of arm ', other_arm, ', outcome ', other_outcome)
        when cause = 'entered_twice'
            then concat('the same numbers as of study ', other_study, ', experiment ', other_experiment)
        when cause = 'control_twice'
            then concat(
                'this control has the numbers of control ', other_arm, ' of study ', other_study, ', experiment ',
                other_experiment, ': one group of animals counted twice'
            )
        when cause = 'impossible_mean'
            then concat(
                'no ', cast(own_n as varchar), ' readings in whole steps have the mean ', cast(typed as varchar),
                '; the nearest they can have is ', cast(cast(10000 * value as bigint) / 10000.0 as varchar)
            )
        when cause = 'impossible_spread'
            then concat(
                'the SD ', cast(typed as varchar), ' is larger than the ends of the scale allow, ',
                cast(cast(10000 * value as bigint) / 10000.0 as varchar)
            )
    end as likely,
    case
        when cause in ('se_as_sd', 'se_divided', 'sd_as_se')
            then 'look up what the article calls its error bars, and type the number as it is printed into that column'
        when cause = 'unit' then 'look up the unit, and type it into the column unit'
        when cause = 'copied_row' then 'look the numbers up, and type those of this row'
        when cause = 'entered_twice'
            then 'if both report one experiment, keep one and name the other publication in reports.csv'
        when cause = 'control_twice'
            then 'if it is one group, make the arms one experiment, or name the group in shared_control_of'
        when cause in ('impossible_mean', 'impossible_spread') then 'look up mean, spread and n'
        else 'look the number up'
    end as remedy,
    source_file,
    source_line
from placed
union all
select
    concat_ws(
        '|', of_outcome.cause, replace(replace(of_outcome.outcome, '\', '\\'), '|', '\|')
    ) as suspicion,
    of_outcome.cause,
    cast(null as varchar) as study,
    cast(null as varchar) as experiment,
    of_outcome.outcome,
    cast(null as double) as timepoint,
    cast(null as bigint) as block,
    cast(null as varchar) as arm,
    cast(null as bigint) as measurement_id,
    cast(null as bigint) as other_measurement_id,
    cast(null as varchar) as column_name,
    cast(null as double) as typed,
    cast(null as double) as value,
    cast(null as double) as factor,
    of_outcome.score,
    concat(
        'half of the standardised differences are above ',
        cast(cast(10 * of_outcome.typical as integer) / 10.0 as varchar), ', and above ',
        cast(cast(10 * of_outcome.mended_typical as integer) / 10.0 as varchar),
        case of_outcome.cause
            when 'all_se_as_sd' then ' if the SDs are standard errors'
            else ' if the SDs are standard errors that were divided by root n where they were to be multiplied'
        end
    ) as likely,
    'look up what the articles call their error bars; type standard errors as printed into the column se' as remedy,
    outcome.source_file,
    outcome.source_line
from of_outcome
inner join outcome on of_outcome.outcome = outcome.outcome
where of_outcome.place = 1
