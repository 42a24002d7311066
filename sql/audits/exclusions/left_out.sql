-- Title: Rows that no analysis can use, and what to do about each
-- Grain: row typed in the review folder
-- Key: place
-- Formula: `exclusion` of all measures, without the rows whose remedy is that none is needed (another time point or
--   another reading of the same thing counts), in as few columns as can be read on a terminal
-- Caveats: A row that some effect measures can use and others cannot is not here: `exclusion` has it. Experiments other
--   than main stand behind the study, after a slash.
-- Columns:
--   study, arm, outcome: whose number, and of what; of a reported contrast both arms
--   place: file and line
--   reason: what is wrong
--   remedy: what would make it usable
create or replace view left_out as
select
    case when experiment = 'main' then study else concat(study, ' / ', experiment) end as study,
    arm,
    outcome,
    concat(source_file, ':', source_line) as place,
    reason,
    remedy
from exclusion
where measure is null and remedy not like 'none needed%'
