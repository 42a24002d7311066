-- Title: Effect statistic of each arm, on the scale where a contrast is a difference
-- Grain: arm x outcome x time point x measure
-- Key: study, experiment, arm, outcome, timepoint, measure
-- Stored: when the file is built
-- Rows from: measurement
-- Formula: y and its sampling variance v, with e events of n, m the mean, s the SD, T the exposure.
--   MD: m; s^2 / n. ROM: ln(m); s^2 / (n m^2).
--   NMD: 100 (C - m) / (C - S); (100 / (C - S))^2 s^2 / n, C and S the means of the control and the sham arm.
--   OR: ln(e / (n - e)); 1 / e + 1 / (n - e). RR: ln(e / n); 1 / e - 1 / n. RD: e / n; e (n - e) / n^3.
--   IRR: ln(e / T); 1 / e. IRD: e / T; e / T^2.
--   If any arm of a study (that is: study, experiment, outcome, time point) has no event, or events only (OR, RR, RD),
--   0.5 is added to the events and to the non-events of all arms of that study, and of no other study.
-- Reference: Viechtbauer W (2010), J Stat Softw 36(3), function escalc (add = 1/2, to = "only0", also for RD and IRD).
--   NMD: Vesterinen HM et al. (2014), J Neurosci Methods 221:92-102. ROM: Hedges LV et al. (1999), Ecology
--   80:1150-1156.
-- Caveats: In a study of three or more arms the zero-cell rule looks at all arms, as a network needs consistent
--   contrasts (netmeta does the same); a tool that looks at one pair at a time adds 0.5 to fewer pairs. Studies without
--   any event are left out of OR, RR and IRR, those with events only out of OR (`effect_measure`.no_information); RR
--   keeps these, and RD and IRD keep all. ROM needs means above 0. NMD needs exactly one control and one sham arm with
--   different means in the same study, and takes both means as known. All that is left out stands in `exclusion`.
-- Columns:
--   study, experiment, arm: in whom
--   treatment, role: the arm's treatment and that treatment's role
--   outcome, timepoint, timepoint_unit: what was measured, when
--   n: animals or participants; may be empty for rates
--   measure: MD, ROM, NMD (continuous), OR, RR, RD (binary), IRR, IRD (rate)
--   y: the arm's statistic; treatment A minus treatment B is the effect
--   v: sampling variance of y
--   continuity: what was added to the events (and non-events) of the arm: 0.5 where the study has a zero cell, else 0
--   unit: unit of the outcome's means
--   measurement_id: the row of `measurement`
--   block: number of the study, experiment, outcome and time point: arms of one block are compared
create or replace view arm_effect as
with standard as (
    select * from measurement_standard
),

scale as (
    select
        block,
        max(case when role = 'control' then mean end) as control_mean,
        max(case when role = 'sham' then mean end) as sham_mean
    from standard
    where kind = 'continuous' and role in ('control', 'sham')
    group by block
    having
        count(case when role = 'control' then 1 end) = 1
        and count(case when role = 'sham' then 1 end) = 1
        and max(case when role = 'control' then mean end) <> max(case when role = 'sham' then mean end)
),

continuous as (
    select
        standard.*,
        scale.control_mean,
        100 / nullif(scale.control_mean - scale.sham_mean, 0) as percent
    from standard
    left join scale on standard.block = scale.block
    where standard.kind = 'continuous'
),

counted as (
    select
        standard.*,
        max(case when events = 0 or (kind = 'binary' and events = n) then 0.5 else 0.0 end) over arms_of_block
            as increment,
        sum(events) over arms_of_block = 0 as no_event,
        kind = 'binary' and sum(events) over arms_of_block = sum(n) over arms_of_block as only_events
    from standard
    where kind in ('binary', 'rate')
    window arms_of_block as (partition by block)
),

corrected as (
    select
        counted.*,
        events + increment as e,
        n - events + increment as f,
        n + 2 * increment as total
    from counted
),

statistic as (
    select
        measurement_id,
        'MD' as measure,
        mean as y,
        sd * sd / nullif(n, 0) as v,
        0.0 as continuity
    from continuous
    union all
    select
        measurement_id,
        'ROM' as measure,
        ln(case when mean > 0 then mean end) as y,
        sd * sd / nullif(n * mean * mean, 0) as v,
        0.0 as continuity
    from continuous
    where mean > 0
    union all
    select
        measurement_id,
        'NMD' as measure,
        percent * (control_mean - mean) as y,
        percent * percent * sd * sd / nullif(n, 0) as v,
        0.0 as continuity
    from continuous
    where percent is not null
    union all
    select
        measurement_id,
        'OR' as measure,
        ln(case when e > 0 and f > 0 then e / f end) as y,
        1 / nullif(e, 0) + 1 / nullif(f, 0) as v,
        increment as continuity
    from corrected
    where kind = 'binary' and not no_event and not only_events
    union all
    select
        measurement_id,
        'RR' as measure,
        ln(case when e > 0 and total > 0 then e / total end) as y,
        1 / nullif(e, 0) - 1 / nullif(total, 0) as v,
        increment as continuity
    from corrected
    where kind = 'binary' and not no_event
    union all
    select
        measurement_id,
        'RD' as measure,
        e / nullif(total, 0) as y,
        e * f / nullif(power(total, 3), 0) as v,
        increment as continuity
    from corrected
    where kind = 'binary'
    union all
    select
        measurement_id,
        'IRR' as measure,
        ln(case when e > 0 and exposure > 0 then e / exposure end) as y,
        1 / nullif(e, 0) as v,
        increment as continuity
    from corrected
    where kind = 'rate' and not no_event
    union all
    select
        measurement_id,
        'IRD' as measure,
        e / nullif(exposure, 0) as y,
        e / nullif(exposure * exposure, 0) as v,
        increment as continuity
    from corrected
    where kind = 'rate'
)

select
    standard.study,
    standard.experiment,
    standard.arm,
    standard.treatment,
    standard.role,
    standard.outcome,
    standard.timepoint,
    standard.timepoint_unit,
    standard.n,
    statistic.measure,
    statistic.y,
    statistic.v,
    statistic.continuity,
    standard.unit,
    standard.measurement_id,
    standard.block
from statistic
inner join standard on statistic.measurement_id = standard.measurement_id
