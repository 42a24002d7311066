-- Title: The unit of each outcome
-- Grain: outcome
-- Key: outcome
-- Stored: when the file is built
-- Formula: The outcome's own unit; where it has none, the unit its measurements are typed in, if that is one.
-- Caveats: An outcome without a unit whose measurements are typed in several (a behaviour scored by different tests)
--   cannot be compared as raw means between studies: `contrast` gives SMD and ROM for it, never MD. A step of
--   `measurement_standard`.
-- Columns:
--   outcome: the outcome
--   unit: unit of its means, and so of every MD; empty if unknown or mixed
--   mixed: true if the outcome has no unit and its measurements are typed in more than one
create or replace view outcome_unit as
select
    outcome.outcome,
    coalesce(outcome.unit, case when count(distinct measurement.unit) = 1 then min(measurement.unit) end) as unit,
    outcome.unit is null and count(distinct measurement.unit) > 1 as mixed
from outcome
left join measurement on outcome.outcome = measurement.outcome
group by outcome.outcome, outcome.unit
