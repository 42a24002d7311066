-- Title: Shape of the t distribution's density in the variable s = sqrt(ln(1 + t^2 / df))
-- Formula: 2 exp(-b s^2) sqrt((s^2/2) / sinh(s^2/2)), b = df/2 - 1/4
-- Reference: DiDonato and Morris 1992, ACM Transactions on Mathematical Software 18:360-373
-- Caveats: A tool of the t distribution's macros; s must be positive.
create or replace macro t_shape(s, b) as
2 * exp(-b * s * s) * sqrt(s * s / 2 / sinh(least(s * s / 2, 700)));
