-- Title: Quantile of Student's t distribution
-- Formula: t = sqrt(df (exp(v^2) - 1)), with v by Newton's method from the normal quantile over sqrt(df): on the
--   logarithm of both tails where these hold less than half of the probability, on the middle elsewhere
-- Reference: the equations of t_tail
-- Caveats: Relative error below 1e-12 for df from 0.5 to 1e6 and p from 1e-300 on. NULL for NULL, NaN, df below 0.1,
--   p outside 0 to 1 and p between 0 and 1e-300; minus infinity at 0 and infinity at 1. Costs as much as a dozen
--   distribution functions: take it once per df.
create or replace macro t_quantile(p, df) as
list_transform( -- noqa: PRS
    [struct_pack(p := cast(p as double), df := cast(df as double), tails := 2e0 * least(p, 1 - p))],
    lambda q:
        case
            when q['p'] is null or isnan(q['p']) or q['p'] < 0 or q['p'] > 1 then null
            when q['df'] is null or isnan(q['df']) or q['df'] < 0.1 then null
            when q['p'] = 0 or q['p'] = 1 or q['df'] >= 1e18 then normal_quantile(q['p'])
            when q['p'] = 0.5 then 0e0
            when q['p'] < 1e-300 then null
            else
                sign(q['p'] - 0.5e0) * list_transform(
                    [
                        list_reduce(
                            range(5),
                            lambda v, step: v + t_step(v, q['df'], q['tails']),
                            abs(normal_quantile(q['p'])) / sqrt(q['df'])
                        )
                    ],
                    lambda v: sqrt(q['df'] * exp_m1(v * v))
                )[1]
        end
)[1];
