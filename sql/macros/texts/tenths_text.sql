-- Title: A number to one decimal place
-- Grain: scalar
-- Formula: 10 x, rounded, over 10, as text
-- Caveats: A tool of `suspicion` and others.
create or replace macro tenths_text(x) as cast(cast(10 * x as integer) / 10.0 as varchar)
