-- Title: Printed counts that must add up
-- Grain: publication x variable
-- Key: publication, variable
-- Formula: total = sum of the levels' counts, to equal the denominator that is printed for them
-- Caveats: only variables whose counts share one denominator and exclude each other; a variable in which a study may
--   count twice has no denominator in published_counts.csv
-- Columns:
--   publication, variable: what was counted
--   n_levels: levels with a count
--   total: their sum
--   denominator: what they are printed to be out of
--   verdict: adds up, or differs
create or replace view published_count_check as
with summed as (
    select
        publication,
        variable,
        count(*) as n_levels,
        sum(value) as total,
        min(denominator) as denominator,
        count(distinct denominator) as n_denominators,
        count(denominator) as n_with_denominator
    from published_count
    where statistic = 'count' and value is not null
    group by publication, variable
)

select
    publication,
    variable,
    n_levels,
    total,
    denominator,
    case when total = denominator then 'adds up' else 'differs' end as verdict
from summed
where n_denominators = 1 and n_with_denominator = n_levels
