-- Title: Quantile of the standard normal distribution
-- Formula: rational approximations in (p - 1/2)^2 and in sqrt(-ln of the smaller tail)
-- Reference: Wichura 1988, Applied Statistics 37:477-484 (algorithm AS 241, PPND16)
-- Caveats: Relative error below 1e-14 from p = 1e-300 on. NULL for NULL, NaN and p outside 0 to 1; minus infinity
--   at 0 and infinity at 1. A probability just below 1 has lost its digits before it gets here: use -normal_quantile
--   of the upper tail.
create or replace macro normal_quantile(p) as
list_transform([cast(p as double)], lambda q:
    case
        when q is null or isnan(q) or q < 0 or q > 1 then null
        when q = 0 then cast('-infinity' as double)
        when q = 1 then cast('infinity' as double)
        when abs(q - 0.5e0) <= 0.425e0 then
            list_transform([0.180625e0 - (q - 0.5e0) * (q - 0.5e0)], lambda r:
                (q - 0.5e0)
                * (((((((2.5090809287301227e3 * r + 3.3430575583588128e4) * r + 6.7265770927008701e4)
                    * r + 4.5921953931549871e4) * r + 1.3731693765509461e4) * r + 1.9715909503065514e3)
                    * r + 1.3314166789178438e2) * r + 3.3871328727963666e0)
                / (((((((5.2264952788528546e3 * r + 2.8729085735721943e4) * r + 3.9307895800092711e4)
                    * r + 2.1213794301586596e4) * r + 5.3941960214247511e3) * r + 6.8718700749205791e2)
                    * r + 4.2313330701600911e1) * r + 1e0)
            )[1]
        else
            list_transform([sqrt(-ln(least(q, 1e0 - q)))], lambda s:
                sign(q - 0.5e0)
                * case
                    when s <= 5 then
                        (((((((7.7454501427834141e-4 * (s - 1.6e0) + 2.2723844989269185e-2) * (s - 1.6e0)
                            + 2.4178072517745061e-1) * (s - 1.6e0) + 1.2704582524523684e0) * (s - 1.6e0)
                            + 3.6478483247632046e0) * (s - 1.6e0) + 5.7694972214606914e0) * (s - 1.6e0)
                            + 4.6303378461565453e0) * (s - 1.6e0) + 1.4234371107496836e0)
                        / (((((((1.0507500716444168e-9 * (s - 1.6e0) + 5.4759380849953449e-4) * (s - 1.6e0)
                            + 1.5198666563616457e-2) * (s - 1.6e0) + 1.4810397642748007e-1) * (s - 1.6e0)
                            + 6.8976733498510000e-1) * (s - 1.6e0) + 1.6763848301838038e0) * (s - 1.6e0)
                            + 2.0531916266377588e0) * (s - 1.6e0) + 1e0)
                    else
                        (((((((2.0103343992922881e-7 * (s - 5) + 2.7115555687434876e-5) * (s - 5)
                            + 1.2426609473880784e-3) * (s - 5) + 2.6532189526576123e-2) * (s - 5)
                            + 2.9656057182850489e-1) * (s - 5) + 1.7848265399172913e0) * (s - 5)
                            + 5.4637849111641144e0) * (s - 5) + 6.6579046435011038e0)
                        / (((((((2.0442631033899398e-15 * (s - 5) + 1.4215117583164459e-7) * (s - 5)
                            + 1.8463183175100547e-5) * (s - 5) + 7.8686913114561326e-4) * (s - 5)
                            + 1.4875361290850615e-2) * (s - 5) + 1.3692988092273581e-1) * (s - 5)
                            + 5.9983220655588794e-1) * (s - 5) + 1e0)
                end
            )[1]
    end
)[1];
