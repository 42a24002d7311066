-- Title: Log likelihood ratio of a slip of the pen
-- Formula: With r the distance of a number from the usual one in robust scales, and m that distance once the slip is
--   undone, 3.5 (ln(1 + r^2 / 6) - ln(1 + m^2 / 6)): the log of the ratio of two densities of Student's distribution
--   with 6 degrees of freedom, whose tails forgive a study that is merely unusual.
-- Reference: Lange KL, Little RJA, Taylor JMG (1989), J Am Stat Assoc 84:881-896
-- Caveats: A tool of the views of `suspicion`.
create or replace macro slip_log_odds(distance, mended_distance) as
    3.5 * (ln(1 + distance * distance / 6) - ln(1 + mended_distance * mended_distance / 6))
