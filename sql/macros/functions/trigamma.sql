-- Title: Trigamma function
-- Formula: psi'(x), the second derivative of ln Gamma(x): six steps of psi'(x) = psi'(x + 1) + 1 / x^2, then the
--   asymptotic series. trigamma((n - 1) / 2) / 4 is the variance of the logarithm of the SD of n normal numbers.
-- Reference: Abramowitz and Stegun 1964, Handbook of Mathematical Functions, 6.4.6, 6.4.12. Variance: Bartlett MS,
--   Kendall DG (1946), Suppl J R Stat Soc 8:128-138.
-- Caveats: For x > 0; to 1e-9. The argument is evaluated several times.
create or replace macro trigamma(x) as
    1 / (x + 6) + 1 / (2 * power(x + 6, 2))
    + (1 / 6.0 - (1 / 30.0 - (1 / 42.0 - 1 / (30 * power(x + 6, 2))) / power(x + 6, 2)) / power(x + 6, 2))
    / power(x + 6, 3)
    + 1 / power(x, 2) + 1 / power(x + 1, 2) + 1 / power(x + 2, 2) + 1 / power(x + 3, 2) + 1 / power(x + 4, 2)
    + 1 / power(x + 5, 2)
