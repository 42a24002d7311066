-- Title: What was probably mistyped, the likely cause, and what would be right
-- Grain: suspicion
-- Key: suspicion
-- Formula: Every row of `likely_slip`, and the likeliest of each outcome in `suspect_outcome` with a score above 0, in
--   words.
-- Reference: see the views it is made of
-- Caveats: A suspicion is a reason to open the article at that page, not to change the number: see `mended_measurement`
--   and `evidence check` for what mending it would do to the pooled results. Results never use it.
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
with first_row as (
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
    from likely_slip as found
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
        part_of_id(study),
        part_of_id(experiment),
        part_of_id(outcome),
        coalesce(cast(timepoint as varchar), ''),
        coalesce(part_of_id(whose), ''),
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
                'the SD is ', percent_text(ratio), ' % of the usual one, and ',
                percent_text(mended_ratio), ' % if it is a standard error'
            )
        when cause = 'se_divided'
            then concat(
                'the SD is ', percent_text(ratio), ' % of the usual one, and ',
                percent_text(mended_ratio),
                ' % if a standard error was divided by root n where it was to be multiplied'
            )
        when cause = 'sd_as_se'
            then concat(
                'the SD computed from the SE is ', percent_text(ratio),
                ' % of the usual one, and ', percent_text(mended_ratio),
                ' % if the SE is a standard deviation'
            )
        when cause = 'spread_decimal'
            then concat(
                'the spread is ', percent_text(ratio), ' % of the usual one, and ',
                percent_text(mended_ratio), ' % with the decimal point elsewhere (times ',
                cast(factor as varchar), ')'
            )
        when cause = 'unit'
            then concat(
                'the means are ', percent_text(ratio), ' % of the usual ones, and ',
                percent_text(mended_ratio), ' % in a unit ',
                case
                    when factor > 1 then concat(cast(cast(factor as integer) as varchar), ' times as large')
                    else concat(cast(cast(1 / factor as integer) as varchar), ' times as small')
                end
            )
        when cause = 'swapped_arms'
            then concat(
                'the effect is ', tenths_text(abs(ratio)),
                ' usual deviations from the others and ', tenths_text(abs(mended_ratio)),
                ' if the arms ', whose, ' and ', other_arm, ' are swapped'
            )
        when cause in ('decimal', 'digits', 'sign')
            then concat(
                'the effect is ', tenths_text(abs(ratio)),
                ' usual deviations from the others and ', tenths_text(abs(mended_ratio)),
                ' if ', column_name, ' ', cast(typed as varchar), ' is ',
                cast(floor(1000000 * value + 0.5) / 1000000 as varchar),
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
        '|', of_outcome.cause, part_of_id(of_outcome.outcome)
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
        tenths_text(of_outcome.typical), ', and above ',
        tenths_text(of_outcome.mended_typical),
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
