-- Title: 97.5 % point of Student's t distribution, from a kept one where there is one
-- Grain: scalar
-- Formula: kept up to 1,000 degrees of freedom; beyond, the expansion of the quantile in powers of 1 / df, whose rest
--   is below the last digit there
-- Reference: Abramowitz and Stegun 1964, Handbook of Mathematical Functions, 26.7.5
-- Caveats: kept is the row of `student_quantile` with these degrees of freedom. A tool of `pooling_sum` and others.
create or replace macro student_limit(kept, df) as
    case
        when df <= 1000 then kept
        else
            1.959963984540054
            + 2.372271230298562 / nullif(df, 0)
            + 2.8224986157396112 / nullif(power(df, 2), 0)
            + 2.555849679507722 / nullif(power(df, 3), 0)
            + 1.5895340533938225 / nullif(power(df, 4), 0)
    end
