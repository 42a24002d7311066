-- Title: Newton's step towards the v at which both tails of the t distribution hold a given probability
-- Formula: t_tail falls with v at the rate df/2 t_scale(df/2) t_shape(v, df/2 - 1/4). Where the tails hold less than
--   half, the step is that of their logarithm, which is nearly quadratic in v; elsewhere that of the middle, 1 - tails,
--   which keeps its digits near the median.
-- Reference: see t_tail
-- Caveats: A tool of t_quantile.
create or replace macro t_step(v, df, tails) as
list_transform(
    [struct_pack(v := v, df := df, tails := tails, b := df / 2 - 0.25e0, scale := df / 2 * t_scale(df / 2))],
    lambda p:
        case
            when p['tails'] < 0.5 then
                list_transform([t_tail(p['v'], p['df'])], lambda tail: tail * ln(tail / p['tails']))[1] / p['scale']
            else (1 - p['tails']) / p['scale'] - t_area(0, p['v'], p['b'])
        end / t_shape(p['v'], p['b'])
)[1];
