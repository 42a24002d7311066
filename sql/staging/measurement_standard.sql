-- Title: Usable measurements, standardised
-- Grain: arm x outcome x time point
-- Key: study, experiment, arm, outcome, timepoint
-- Formula: Means and SDs in the outcome's unit, however they were reported: see `measurement_derived`.
-- Caveats: Measurements that cannot be used stand in `exclusion`, with what would make them usable.
-- Columns:
--   study, experiment, arm: in whom; an experiment of a study is the unit of randomisation
--   treatment, role: the arm's treatment, and that treatment's role (active, control, sham)
--   outcome, kind: what was measured (continuous, binary, rate)
--   timepoint, timepoint_unit: as typed where all time points of the outcome are in one unit, else in days
--   n: animals or participants
--   mean, sd: in the outcome's unit; continuous outcomes
--   events: binary outcomes (of n) and rates (in exposure)
--   exposure: time at risk; rates
--   unit: unit of mean and sd
--   derivation: how mean and sd were got, one word; see `measurement_derived`
--   flags: comma list of what else was done; see `measurement_derived`
--   measurement_id: the row of `measurement`
--   source, locator: publication and place in it
--   source_file, source_line: where the row stands in the review folder
--   block: number of the study, experiment, outcome and time point: arms of one block are compared
create or replace view measurement_standard as
select
    study,
    experiment,
    arm,
    treatment,
    role,
    outcome,
    kind,
    timepoint,
    timepoint_unit,
    n,
    mean,
    sd,
    events,
    exposure,
    unit,
    derivation,
    flags,
    measurement_id,
    source,
    locator,
    source_file,
    source_line,
    block
from measurement_derived
where problem is null
