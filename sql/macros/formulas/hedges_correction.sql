-- Title: Hedges' small-sample correction J
-- Formula: J(m) = gamma(m / 2) / (sqrt(m / 2) gamma((m - 1) / 2)), by the logarithms of the gamma function up to 200
--   degrees of freedom, where these lose no digit that counts, and by the asymptotic series of the ratio above.
-- Reference: Hedges LV (1981), J Educ Stat 6:107-128. Series: NIST Digital Library of Mathematical Functions, 5.11.13.
-- Caveats: Empty for m of 1 or less. `lgamma` is built into DuckDB and into PostgreSQL from version 18.
create or replace macro hedges_correction(m) as
case
    when m > 200 then
        sqrt((m - 1) / m) * (
            1
            - (1 / (m - 1)) / 4
            + power(1 / (m - 1), 2) / 32
            + power(1 / (m - 1), 3) * 5 / 128
            - power(1 / (m - 1), 4) * 21 / 2048
            - power(1 / (m - 1), 5) * 399 / 8192
        )
    when m > 1 then exp(lgamma(m / 2) - lgamma((m - 1) / 2)) / sqrt(m / 2)
end
