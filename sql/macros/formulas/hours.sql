-- Title: A time in hours
-- Grain: scalar
-- Formula: moment times the days that its unit has (table `unit`, dimension time), times 24
-- Caveats: Empty without a unit, or with one that is none of time. A month is a twelfth of a year of 365.25 days.
--   where hours(timepoint, timepoint_unit) between 24 and 72 holds in whatever unit the rows are typed.
create or replace macro hours(moment, time_unit) as
    24 * moment * (
        select max(known.days_each)
        from (
            select
                unit as known_unit,
                factor as days_each
            from unit
            where dimension = 'time'
        ) as known
        where known.known_unit = time_unit
    )
