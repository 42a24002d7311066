-- Title: exp(x) - 1, accurate for small x
-- Formula: 2 exp(x/2) sinh(x/2)
-- Reference: Abramowitz and Stegun 1964, Handbook of Mathematical Functions, 4.5.1
-- Caveats: A tool of the distribution macros; arguments are evaluated several times.
create or replace macro exp_m1(x) as
case when abs(x) < 1 then 2e0 * exp(x / 2) * sinh(x / 2) else exp(x) - 1e0 end;
