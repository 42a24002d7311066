-- Title: Constant of the t distribution, a = df/2
-- Formula: Gamma(a + 1/2) / (Gamma(a + 1) sqrt(pi))
-- Reference: Abramowitz and Stegun 1964, Handbook of Mathematical Functions, 26.7.1
-- Caveats: A tool of the t distribution's macros; a must be positive.
create or replace macro t_scale(a) as
exp(
    0.5e0 - 5.7236494292470009e-1 + stirling_remainder(a + 0.5e0) - stirling_remainder(a + 1e0)
    - 0.5e0 * ln(a + 0.5e0) - (a + 0.5e0) * ln_1p(0.5e0 / (a + 0.5e0))
);
