-- Title: One unit of the last digit of a printed number
-- Grain: scalar
-- Formula: the largest of 1, 0.1, ... 0.000001 that the number is a whole multiple of
-- Caveats: trailing zeros are lost when a number is read: 5.00 counts as 5; take the smallest over a table. A tool of
--   `suspicion` and others.
create or replace macro printed_unit(x) as
case
    when abs(x - round(x)) < 1e-9 * greatest(1.0, abs(x)) then 1.0
    when abs(x * 10.0 - round(x * 10.0)) < 1e-9 * greatest(1.0, abs(x)) * 10.0 then 0.1
    when abs(x * 100.0 - round(x * 100.0)) < 1e-9 * greatest(1.0, abs(x)) * 100.0 then 0.01
    when abs(x * 1000.0 - round(x * 1000.0)) < 1e-9 * greatest(1.0, abs(x)) * 1000.0 then 0.001
    when abs(x * 10000.0 - round(x * 10000.0)) < 1e-9 * greatest(1.0, abs(x)) * 10000.0 then 0.0001
    when abs(x * 100000.0 - round(x * 100000.0)) < 1e-9 * greatest(1.0, abs(x)) * 100000.0 then 0.00001
    when x is not null then 0.000001
end
