-- Title: A share in whole per cent
-- Grain: scalar
-- Formula: 100 x, rounded, as text without the sign
-- Caveats: A tool of `suspicion` and others.
create or replace macro percent_text(x) as cast(cast(100 * x as bigint) as varchar)
