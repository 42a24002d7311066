-- Title: Upper tail of Student's t distribution
-- Formula: half of t_tail at v = sqrt(ln(1 + t^2 / df)); the normal distribution from df = 1e18 on
-- Reference: see t_tail
-- Caveats: Relative error below 1e-12 for df from 0.5 to 1e6 as far as the result is a normal number. NULL for NULL,
--   NaN and df below 0.1; df need not be whole.
create or replace macro t_sf(t, df) as
list_transform([struct_pack(t := cast(t as double), df := cast(df as double))], lambda q:
    case
        when q['t'] is null or isnan(q['t']) or q['df'] is null or isnan(q['df']) or q['df'] < 0.1 then null
        when q['t'] = 0 then 0.5e0
        when q['df'] >= 1e18 then normal_sf(q['t'])
        when isinf(q['t']) then case when q['t'] > 0 then 0e0 else 1e0 end
        else
            list_transform([least(abs(q['t']) / sqrt(q['df']), 1e308)], lambda r:
                list_transform(
                    [
                        t_tail(
                            sqrt(case when r > 1 then 2 * ln(r) + ln_1p(1 / r / r) else ln_1p(r * r) end), q['df']
                        ) / 2
                    ],
                    lambda tail: case when q['t'] < 0 then 1 - tail else tail end
                )[1]
            )[1]
    end
)[1];
