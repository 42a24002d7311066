-- Title: Upper tail of the standard normal distribution from z = 0.66 on
-- Formula: exp(-z^2 / 2) times a rational function of z, up to z = sqrt(32), or of 1/z^2 beyond
-- Reference: Cody 1969, Mathematics of Computation 23:631-637; Cody 1993, ACM Transactions on Mathematical Software
--   19:22-32 (algorithm 715)
-- Caveats: A tool of normal_sf, which covers every z.
create or replace macro normal_tail(z) as
case
    when z > 40 then 0e0
    when z < 5.656854249492380e0 then
        exp(-z * z / 2)
        * ((((((((1.0765576773720192e-8 * z + 3.9894151208813466e-1) * z + 8.8831497943883759e0)
            * z + 9.3506656132177856e1) * z + 5.9727027639480026e2) * z + 2.4945375852903727e3)
            * z + 6.8481904505362823e3) * z + 1.1602651437647350e4) * z + 9.8427148383839780e3)
        / ((((((((z + 2.2266688044328116e1) * z + 2.3538790178262500e2)
            * z + 1.5193775994075548e3) * z + 6.4855582982667608e3) * z + 1.8615571640885098e4)
            * z + 3.4900952721145978e4) * z + 3.8912003286093271e4) * z + 1.9685429676859991e4)
    else
        exp(-z * z / 2) / z
        * (3.9894228040143268e-1 - 1e0 / (z * z)
            * (((((2.3073441764940173e-2 / (z * z) + 2.1589853405795699e-1) / (z * z) + 1.2740116116024736e-1)
                / (z * z) + 2.2235277870649807e-2) / (z * z) + 1.4216191932278935e-3) / (z * z)
                + 2.9112874951168792e-5)
            / (((((1e0 / (z * z) + 1.2842600961449112e0) / (z * z) + 4.6823821248086512e-1)
                / (z * z) + 6.5988137868928552e-2) / (z * z) + 3.7823963320275824e-3) / (z * z)
                + 7.2975155508396621e-5))
end;
