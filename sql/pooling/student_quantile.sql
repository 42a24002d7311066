-- Title: 97.5 % points of Student's t distribution
-- Grain: degrees of freedom, 1 to 1,000
-- Key: df
-- Stored: when the empty file is made
-- Formula: `t_quantile`(0.975, df). Beyond 1,000 degrees of freedom `student_limit` takes the expansion
--   of the quantile in powers of 1 / df, whose rest is below the last digit there.
-- Reference: Abramowitz M, Stegun IA (1964), Handbook of Mathematical Functions, 26.7.5
-- Caveats: Two-sided 95 %. Kept because the formula takes longer to plan than all else of a meta-analysis. A tool of
--   `pooling_sum` and others.
-- Columns:
--   df: degrees of freedom
--   t: quantile
create or replace view student_quantile as
with digit (digit) as (
    values (0), (1), (2), (3), (4), (5), (6), (7), (8), (9)
),

whole as (
    select 100 * hundreds.digit + 10 * tens.digit + ones.digit + 1 as df
    from digit as hundreds
    cross join digit as tens
    cross join digit as ones
)

select
    df,
    t_quantile(0.975, df) as t
from whole
