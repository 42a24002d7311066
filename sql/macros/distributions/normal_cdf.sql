-- Title: Standard normal distribution function
-- Formula: the upper tail at -z, so that small probabilities keep their digits
-- Reference: Cody 1969, Mathematics of Computation 23:631-637
-- Caveats: NULL for NULL and NaN. Near 1, take normal_sf for what is missing to 1.
create or replace macro normal_cdf(z) as normal_sf(-cast(z as double));
