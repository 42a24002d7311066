-- Title: Upper tail of the standard normal distribution
-- Formula: erfc(z / sqrt(2)) / 2 by Cody's rational approximations on three ranges of |z|
-- Reference: Cody 1969, Mathematics of Computation 23:631-637; Cody 1993, ACM Transactions on Mathematical Software
--   19:22-32 (algorithm 715)
-- Caveats: Relative error below 1e-13 as far as the result is a normal number (z up to 37.5). NULL for NULL and NaN.
create or replace macro normal_sf(z) as
list_transform([cast(z as double)], lambda x:
    case
        when x is null or isnan(x) then null
        when abs(x) <= 0.66291e0 then
            0.5e0 - x
            * ((((6.5682337918207449e-2 * x * x + 2.2352520354606839e0) * x * x + 1.6102823106855588e2)
                * x * x + 1.0676894854603710e3) * x * x + 1.8154981253343561e4)
            / ((((x * x + 4.7202581904688242e1) * x * x + 9.7609855173777669e2)
                * x * x + 1.0260932208618978e4) * x * x + 4.5507789335026730e4)
        when x < 0 then 1e0 - normal_tail(-x)
        else normal_tail(x)
    end
)[1];
