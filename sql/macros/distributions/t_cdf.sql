-- Title: Distribution function of Student's t
-- Formula: the upper tail at -t, so that small probabilities keep their digits
-- Reference: see t_tail
-- Caveats: NULL for NULL, NaN and df below 0.1. Near 1, take t_sf for what is missing to 1.
create or replace macro t_cdf(t, df) as t_sf(-cast(t as double), df);
