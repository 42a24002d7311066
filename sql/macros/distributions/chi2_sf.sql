-- Title: Upper tail of the chi-squared distribution
-- Formula: the incomplete gamma function Q(df / 2, x / 2): gamma_tail, or what it leaves of 1 where x < df
-- Reference: Abramowitz and Stegun 1964, Handbook of Mathematical Functions, 26.4.19
-- Caveats: Relative error below 1e-11 for df from 1 to 10,000, below 1e-10 from 0.5 to 1e6, as far as the
--   result is a normal number. NULL for NULL, NaN and df outside 0.1 to 1e9; 1 for negative x; df need not be whole.
create or replace macro chi2_sf(x, df) as
list_transform([struct_pack(x := cast(x as double), df := cast(df as double))], lambda q:
    case
        when q['x'] is null or isnan(q['x']) then null
        when q['df'] is null or isnan(q['df']) or q['df'] not between 0.1 and 1e9 then null
        when q['x'] < 1e-300 then 1e0
        when q['x'] > 20 * q['df'] + 3000 then 0e0
        -- Named once: a macro is planned wherever it stands.
        else list_transform([gamma_tail(q['x'] / 2, q['df'] / 2)], lambda tail:
            case when q['x'] >= q['df'] then tail else 1 - tail end
        )[1]
    end
)[1];
