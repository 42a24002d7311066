-- Title: Digamma function
-- Formula: psi(x), the derivative of ln Gamma(x): six steps of psi(x) = psi(x + 1) - 1 / x, then the asymptotic series
-- Reference: Abramowitz and Stegun 1964, Handbook of Mathematical Functions, 6.3.5, 6.3.18
-- Caveats: For x > 0; to 1e-10. The argument is evaluated several times.
create or replace macro digamma(x) as
    ln(x + 6) - 1 / (2 * (x + 6))
    - (1 / 12.0 - (1 / 120.0 - (1 / 252.0 - 1 / (240 * power(x + 6, 2))) / power(x + 6, 2)) / power(x + 6, 2))
    / power(x + 6, 2)
    - 1 / x - 1 / (x + 1) - 1 / (x + 2) - 1 / (x + 3) - 1 / (x + 4) - 1 / (x + 5)
