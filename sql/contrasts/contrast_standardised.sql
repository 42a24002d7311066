-- Title: Contrasts standardised by the SD of all arms of their study
-- Grain: contrast of measure SMD, from arms
-- Key: contrast_id
-- Stored: when the file is built
-- Rows from: measurement
-- Formula: d = (mean_a - mean_b) / s, s the SD pooled over all arms of the study, s^2 = sum (n_i - 1) s_i^2 / (N - k)
--   over its k arms, N = sum n_i; g = J(N - k) d. A study here is a study, experiment, outcome and time point.
-- Reference: Crippa A, Orsini N (2016), BMC Med Res Methodol 16:91, equation 5.
-- Caveats: A step of `contrast_network`.
-- Columns:
--   contrast_id: the contrast, see `contrast`
--   outcome, measure: as in `contrast`
--   n_study: N, animals or participants in all arms of the study
--   d, g: Cohen's d and Hedges' g
create or replace view contrast_standardised as
with mean_effect as (
    select *
    from arm_effect
    where measure = 'MD'
),

pooled_sd as (
    select
        block,
        sum(n) as n_total,
        sum(n) - count(*) as df,
        -- In a fixed order, so that the last digit does not depend on that of the rows.
        sqrt(sum((n - 1) * n * v order by arm) / nullif(sum(n) - count(*), 0)) as sd
    from mean_effect
    group by block
)

select
    contrast.contrast_id,
    contrast.outcome,
    contrast.measure,
    pooled_sd.n_total as n_study,
    (a.y - b.y) / nullif(pooled_sd.sd, 0) as d,
    hedges_correction(pooled_sd.df) * (a.y - b.y) / nullif(pooled_sd.sd, 0) as g
from contrast
inner join mean_effect as a on contrast.block = a.block and contrast.arm_a = a.arm
inner join mean_effect as b on contrast.block = b.block and contrast.arm_b = b.arm
inner join pooled_sd on contrast.block = pooled_sd.block
where contrast.measure = 'SMD'
