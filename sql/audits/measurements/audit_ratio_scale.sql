-- Title: Reported ratios that look written on the other scale
-- Grain: outcome x measure x scale with such ratios
-- Severity: warning
-- Message: what the numbers look like
-- Formula: Of all intervals of one outcome, measure and scale together: the squares of (estimate - middle)/(half
--   width), on the scale they are said to be on and on the other. Named where the mean square is above 0.01 and ten
--   times that on the other scale. A logarithm outside -7 to 7 would be a ratio above 1,000 or below 1/1,000.
-- Caveats: Narrow intervals are symmetric on both scales and tell nothing. What is above 0 alone can be compared.
-- Columns:
--   severity: warning
--   message: what the numbers look like
--   remedy: what would be right
--   study: the first of the studies
--   source_file, source_line: the first of the rows
create or replace view audit_ratio_scale as
with typed as (
    select
        reported.outcome,
        reported.measure,
        coalesce(reported.scale, 'log') as scale,
        reported.study,
        reported.source_file,
        reported.source_line,
        reported.estimate,
        reported.ci_lower,
        reported.ci_upper,
        reported.estimate > 0 and reported.ci_lower > 0 and reported.ci_upper > reported.ci_lower as whole
    from reported_contrast as reported
    inner join effect_measure on reported.measure = effect_measure.measure
    where effect_measure.scale = 'log' and reported.estimate is not null
),

placed as (
    select
        typed.*,
        case when whole then (2 * estimate - ci_lower - ci_upper) / nullif(ci_upper - ci_lower, 0) end as as_typed,
        case
            when whole
                then (2 * ln(estimate) - ln(ci_lower) - ln(ci_upper)) / nullif(ln(ci_upper) - ln(ci_lower), 0)
        end as as_logarithm
    from typed
),

judged as (
    select
        outcome,
        measure,
        scale,
        count(*) as n,
        avg(as_typed * as_typed) as off_as_typed,
        avg(as_logarithm * as_logarithm) as off_as_logarithm,
        max(case when scale = 'log' and abs(estimate) > 7 then 1 else 0 end) as absurd,
        min(study) as study,
        min(source_file) as source_file,
        min(source_line) as source_line
    from placed
    group by outcome, measure, scale
),

named as (
    select
        judged.*,
        case
            when scale = 'log' and off_as_typed > 0.01 and off_as_typed > 10 * off_as_logarithm
                then 'the intervals are symmetric as those of ratios as printed are, and scale says log'
            when scale = 'log' and absurd = 1
                then 'a logarithm outside -7 to 7 would be a ratio above 1,000 or below 1/1,000'
            when scale = 'natural' and off_as_logarithm > 0.01 and off_as_logarithm > 10 * off_as_typed
                then 'the intervals are symmetric as those of logarithms are, and scale says natural'
        end as finding
    from judged
)

select
    'warning' as severity,
    concat(measure, ' of ', outcome, ' (', cast(n as varchar), ' reported): ', finding) as message,
    case
        when scale = 'log' then 'look the numbers up again; for ratios as printed write natural in the column scale'
        else 'look the numbers up again; for logarithms write log in the column scale'
    end as remedy,
    study,
    source_file,
    source_line
from named
where finding is not null
