-- Title: A name as part of an id whose parts are divided by bars
-- Grain: scalar
-- Formula: a backslash before every backslash and every bar, so that no two lists of names have one id
-- Caveats: A tool of `contrast` and others.
create or replace macro part_of_id(name) as replace(replace(name, '\', '\\'), '|', '\|')
