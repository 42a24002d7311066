-- Title: Extractors read different numbers
-- Grain: arm x outcome x time point read more than once, with different numbers and no consensus
-- Severity: warning
-- Message: which statistics differ, and between whom
-- Caveats: Numbers in different units are compared as typed, so the unit is among what may differ. A statistic that
--   only one of them gives is no disagreement.
-- Columns:
--   severity: warning
--   message: which statistics differ, and between whom
--   remedy: what would settle it
--   study: the study
--   source_file, source_line: the row that counts
create or replace view audit_extractor_disagreement as
with repeated as (
    select final_measurement_id
    from measurement_reading
    group by final_measurement_id
    having count(*) > 1
),

cell as (
    select
        final_measurement_id,
        study,
        arm,
        outcome,
        count(*) as n_readings,
        string_agg(distinct extractor, ', ' order by extractor) as extractors,
        min(case when extractor = 'consensus' then 0 else 1 end) as unsettled,
        concat_ws(
            ', ',
            case when min(n) <> max(n) then 'n' end,
            case when min(mean) <> max(mean) then 'mean' end,
            case when min(sd) <> max(sd) then 'sd' end,
            case when min(se) <> max(se) then 'se' end,
            case when min(median) <> max(median) then 'median' end,
            case when min(q1) <> max(q1) then 'q1' end,
            case when min(q3) <> max(q3) then 'q3' end,
            case when min(min) <> max(min) then 'min' end,
            case when min(max) <> max(max) then 'max' end,
            case when min(ci_lower) <> max(ci_lower) then 'ci_lower' end,
            case when min(ci_upper) <> max(ci_upper) then 'ci_upper' end,
            case when min(events) <> max(events) then 'events' end,
            case when min(exposure) <> max(exposure) then 'exposure' end,
            case when min(unit) <> max(unit) then 'unit' end
        ) as differing
    from measurement_reading
    where final_measurement_id in (select final_measurement_id from repeated)
    group by final_measurement_id, study, arm, outcome
)

select
    'warning' as severity,
    concat(
        'arm ', cell.arm, ', outcome ', cell.outcome, ': ', cast(cell.n_readings as varchar), ' readings (',
        cell.extractors, ') differ in ', cell.differing, '; until they are settled, the most cautious counts, that of ',
        final.extractor
    ) as message,
    'look it up, and add the right reading with extractor consensus' as remedy,
    cell.study,
    final.source_file,
    final.source_line
from cell
inner join measurement as final on cell.final_measurement_id = final.measurement_id
where cell.unsettled = 1 and cell.differing <> ''
