-- Title: A spread that looks like a standard error typed as SD, or an SD typed as SE
-- Grain: study x outcome
-- Severity: warning
-- Message: how far the spread is from that of the other studies, and what it would be if read the other way
-- Formula: The spread of a study is the geometric mean over its arms of the SD, or of SD / mean where all means of the
--   outcome are above 0. It is doubtful if it is less than a third (SE typed as SD) or more than three times (SD typed as SE)
--   of the median study's, and within a factor of two of it once multiplied or divided by root n.
-- Caveats: Only where five studies or more have the outcome. A study of quite different subjects can be right.
-- Columns:
--   severity: warning
--   message: what looks wrong
--   remedy: what would be right
--   study: the study
--   source_file, source_line: its first measurement of the outcome
create or replace view audit_sd_or_se as
with usable as (
    select
        *,
        min(mean) over (partition by outcome) > 0 as positive
    from measurement_standard
    where kind = 'continuous' and derivation in ('reported', 'se')
),

spread as (
    select
        study,
        outcome,
        derivation,
        avg(ln(case when positive then sd / nullif(abs(mean), 0) else sd end)) as log_spread,
        avg(ln(n)) / 2 as log_root_n,
        min(source_file) as source_file,
        min(source_line) as source_line
    from usable
    group by study, outcome, derivation
),

typical as (
    select
        outcome,
        percentile_cont(0.5) within group (order by log_spread) as log_typical
    from spread
    group by outcome
    having count(distinct study) >= 5
),

compared as (
    select
        spread.*,
        spread.log_spread - typical.log_typical as distance,
        case spread.derivation when 'reported' then 1 else -1 end * spread.log_root_n as correction
    from spread
    inner join typical on spread.outcome = typical.outcome
)

select
    'warning' as severity,
    case derivation
        when 'reported'
            then
                concat(
                    'outcome ', outcome, ': the SD is ', cast(cast(100 * exp(distance) as integer) as varchar),
                    ' % of that of the median study, and ',
                    cast(cast(100 * exp(distance + correction) as integer) as varchar),
                    ' % if it is a standard error'
                )
        else
            concat(
                'outcome ', outcome, ': the SD computed from the SE is ',
                cast(cast(100 * exp(distance) as integer) as varchar), ' % of that of the median study, and ',
                cast(cast(100 * exp(distance + correction) as integer) as varchar),
                ' % if the SE is a standard deviation'
            )
    end as message,
    'look up what the article calls its error bars, and move the number to the other column if need be' as remedy,
    study,
    source_file,
    source_line
from compared
where
    case derivation when 'reported' then -distance else distance end > ln(3)
    and abs(distance + correction) < ln(2)
