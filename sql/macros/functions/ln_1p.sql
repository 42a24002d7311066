-- Title: ln(1 + x), accurate for small x
-- Formula: x ln(u) / (u - 1) with u = 1 + x as rounded; x itself where u is 1
-- Reference: Kahan's device, in Goldberg 1991, ACM Computing Surveys 23:5-48, theorem 4
-- Caveats: NULL where x is -1 or less. A tool of the distribution macros; arguments are evaluated several times.
create or replace macro ln_1p(x) as
case
    when x <= -1 then null
    when 1e0 + x = 1e0 then x
    else x * ln(1e0 + x) / ((1e0 + x) - 1e0)
end;
