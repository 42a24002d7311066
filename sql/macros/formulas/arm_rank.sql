-- Title: Place of an arm among those it is compared with
-- Grain: scalar
-- Formula: 1 for an active treatment, 2 for a control, 3 for a sham operation, followed by the treatment's name
-- Caveats: The arm with the lower rank, as text, is the first of a contrast: the control stands last. A tool of
--   `arm_pair` and others.
create or replace macro arm_rank(role, treatment) as
    concat(case role when 'active' then '1' when 'control' then '2' else '3' end, treatment)
