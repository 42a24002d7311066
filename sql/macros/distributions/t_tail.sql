-- Title: Both tails of the t distribution together, as a function of v = sqrt(ln(1 + t^2 / df))
-- Formula: The incomplete beta function I_x(a, 1/2), a = df/2 and x = exp(-v^2), raised once by its recurrence in a:
--   t_scale(a) (x^a sqrt(1 - x) + (a + 1/2) integral of t_shape from v on, with b = a + 3/4). The integrand is close to
--   a normal density for every df, so one Gauss rule over the stretch on which it falls by e^-36 serves all of them.
-- Reference: Abramowitz and Stegun 1964, Handbook of Mathematical Functions, 26.5.16 and 26.7.1
-- Caveats: A tool of t_sf and t_quantile, for v of 0 or more and positive, finite df.
create or replace macro t_tail(v, df) as
list_transform([struct_pack(v := v, a := df / 2, b := df / 2 + 0.75e0)], lambda p:
    t_scale(p['a']) * (
        exp(-p['a'] * p['v'] * p['v']) * sqrt(-exp_m1(-p['v'] * p['v']))
        + (p['a'] + 0.5e0) * t_area(
            p['v'], 36 / (p['b'] * p['v'] + sqrt(p['b'] * (p['b'] * p['v'] * p['v'] + 36))), p['b']
        )
    )
)[1];
