-- Title: A share in whole per cent
-- Grain: scalar
-- Formula: 100 x, rounded, as text without the sign
-- Caveats: None.
create or replace macro percent_text(x) as cast(cast(100 * x as bigint) as varchar)
