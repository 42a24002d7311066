-- Title: How far two extractors agree in the numbers they read
-- Grain: outcome x statistic x pair of extractors
-- Key: outcome, statistic, extractor_a, extractor_b
-- Formula: Concordance correlation = 2 s_ab/(s_a^2 + s_b^2 + (mean_a - mean_b)^2), moments with divisor n. Limits of
--   agreement: mean difference +/- 1.96 standard deviations (divisor n - 1) of the differences.
-- Reference: Lin LI-K (1989), Biometrics 45:255-268; Bland JM, Altman DG (1986), Lancet 327:307-310.
-- Caveats: Over all arms, studies and time points, so that studies weigh by their arms. Rows in different units, and
--   those that only one of the two gives, are counted in n_one_sided alone. Concordance is empty where both read one
--   and the same number throughout.
-- Columns:
--   outcome, statistic: what was read
--   extractor_a, extractor_b: the two, in alphabetical order
--   n: numbers that both give in the same unit
--   n_equal: those that are equal
--   n_one_sided: numbers that only one gives, or that are in different units
--   agreement: n_equal/n
--   concordance: Lin's concordance correlation coefficient
--   mean_difference: mean of a - b, in the unit as typed
--   sd_difference: standard deviation of the differences
--   limit_lower, limit_upper: 95 % limits of agreement
create or replace view extraction_agreement as
with moment as (
    select
        outcome,
        statistic,
        extractor_a,
        extractor_b,
        count(difference) as n,
        count(case when difference is not null and equal then 1 end) as n_equal,
        count(*) - count(difference) as n_one_sided,
        avg(case when difference is not null then value_a end) as mean_a,
        avg(case when difference is not null then value_b end) as mean_b,
        var_pop(case when difference is not null then value_a end) as var_a,
        var_pop(case when difference is not null then value_b end) as var_b,
        var_pop(difference) as var_difference,
        avg(difference) as mean_difference,
        stddev_samp(difference) as sd_difference
    from extraction_pair
    group by outcome, statistic, extractor_a, extractor_b
)

select
    outcome,
    statistic,
    extractor_a,
    extractor_b,
    n,
    n_equal,
    n_one_sided,
    cast(n_equal as double) / nullif(n, 0) as agreement,
    -- 2 s_ab = s_a^2 + s_b^2 - s_(a-b)^2
    (var_a + var_b - var_difference)
    / nullif(var_a + var_b + (mean_a - mean_b) * (mean_a - mean_b), 0) as concordance,
    mean_difference,
    sd_difference,
    mean_difference - 1.959963984540054 * sd_difference as limit_lower,
    mean_difference + 1.959963984540054 * sd_difference as limit_upper
from moment
