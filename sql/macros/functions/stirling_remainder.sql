-- Title: What Stirling's formula leaves of the logarithm of the gamma function
-- Formula: ln Gamma(a) - ((a - 1/2) ln(a) - a + ln(2 pi)/2); from a = 16 on by its asymptotic series, so that
--   ratios of gamma functions of a million keep their digits
-- Reference: Abramowitz and Stegun 1964, Handbook of Mathematical Functions, 6.1.41
-- Caveats: For a > 0. A tool of the distribution macros; arguments are evaluated several times.
create or replace macro stirling_remainder(a) as
case
    when a < 16 then lgamma(a) - ((a - 0.5e0) * ln(a) - a + 9.1893853320467274e-1)
    else (1e0 / 12 - (1e0 / 360 - (1e0 / 1260 - (1e0 / 1680 - 1e0 / 1188 / (a * a)) / (a * a)) / (a * a)) / (a * a)) / a
end;
