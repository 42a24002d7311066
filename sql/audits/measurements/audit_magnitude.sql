-- Title: Numbers of another order of magnitude than the rest
-- Grain: measurement with such a mean or SD; row with an impossible n
-- Severity: error if n is above 10 thousand million; else warning
-- Message: which number
-- Formula: Of at least five SDs of an outcome and unit, one more than 100 times the median SD, or less than a hundredth
--   of it; likewise a mean above 100 times the median of max(|mean|, SD). Where the SDs themselves spread widely, only
--   beyond six median absolute deviations of their logarithms. An n above 10 million, or not whole.
-- Caveats: Slips by a smaller factor are judged by `suspicion`. Means near 0 are no slip by themselves.
-- Columns:
--   severity: error or warning
--   message: which number
--   remedy: what to check
--   study: the study
--   source_file, source_line: the row
create or replace view audit_magnitude as
with sized as (
    select
        'SD' as what,
        study,
        arm,
        source_file,
        source_line,
        outcome,
        concat('SD|', length(outcome), '|', outcome, unit) as block,
        case when sd > 0 then ln(sd) end as size,
        case when sd > 0 then ln(sd) end as yardstick,
        1 as both_ways
    from measurement_standard
    where sd > 0
    union all
    select
        'mean' as what,
        study,
        arm,
        source_file,
        source_line,
        outcome,
        concat('mean|', length(outcome), '|', outcome, unit) as block,
        case when mean <> 0 then ln(abs(mean)) end as size,
        case when greatest(abs(mean), sd) > 0 then ln(greatest(abs(mean), sd)) end as yardstick,
        0 as both_ways
    from measurement_standard
    where mean <> 0 and sd > 0
),

middle as (
    select
        block,
        percentile_disc(0.5) within group (order by yardstick) as center
    from sized
    group by block
    having count(*) >= 5
),

distant as (
    select
        sized.*,
        sized.size - middle.center as distance
    from sized
    inner join middle on sized.block = middle.block
),

spread as (
    select
        block,
        percentile_disc(0.5) within group (order by abs(distance)) as deviation
    from distant
    where both_ways = 1
    group by block
),

-- Means are held against the spread of the SDs of their outcome.
far as (
    select
        distant.*,
        abs(distant.distance) > greatest(4.605170185988092, 6 * 1.4826 * coalesce(spread.deviation, 0)) as is_far
    from distant
    left join spread
        on substr(spread.block, 4) = substr(distant.block, case when distant.both_ways = 1 then 4 else 6 end)
),

sizes as (
    select
        study,
        concat('arm ', arm) as whose,
        n,
        source_file,
        source_line
    from arm
    union all
    select
        study,
        concat('arm ', arm, ', outcome ', outcome) as whose,
        n,
        source_file,
        source_line
    from measurement
    -- The build has warned of those that are not whole.
    where n > 10000000
    union all
    select
        study,
        concat('arm ', arm_a, ', outcome ', outcome) as whose,
        n_a as n,
        source_file,
        source_line
    from reported_contrast
    union all
    select
        study,
        concat('arm ', arm_b, ', outcome ', outcome) as whose,
        n_b as n,
        source_file,
        source_line
    from reported_contrast
)

select
    'warning' as severity,
    concat(
        'arm ', arm, ', outcome ', outcome, ': the ', what, ' is ',
        case when distance > 0 then 'more than 100 times the usual' else 'less than a hundredth of the usual' end
    ) as message,
    'look the value, its decimal point and its unit up again' as remedy,
    study,
    source_file,
    source_line
from far
where is_far and (both_ways = 1 or distance > 0)
union all
select
    case when n > 10000000000 then 'error' else 'warning' end as severity,
    concat(whose, ': n is ', case when n > 10000000 then 'above 10 million' else 'no whole number' end) as message,
    case
        when n > 10000000 then 'look n up again'
        else 'right if it is an effective sample size'
    end as remedy,
    study,
    source_file,
    source_line
from sizes
where n > 10000000 or n <> floor(n)
