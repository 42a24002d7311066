-- Title: A time in days
-- Grain: scalar
-- Formula: `hours` / 24
-- Caveats: See `hours`.
create or replace macro days(moment, time_unit) as hours(moment, time_unit) / 24
