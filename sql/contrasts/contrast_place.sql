-- Title: Where the time rule chooses: the place of each contrast that is not simply taken
-- Grain: contrast at one of several time points, or of several at its time point, or that the rule leaves out
-- Key: contrast_id
-- Stored: when the file is built
-- Formula: The rule is that of `time_rule`. Time points are put in order: last and first by time, nearest by the
--   distance (rounded to 1e-8 days) and then the earlier one; a rule that is a time lets that time point alone count.
--   Time points that were not typed come last. comparison_place: place of the time point among those of the study and
--   experiment that have this comparison of two treatments. network_place: the same among all its time points, where
--   those with more arms come before those with fewer: all arms of a study and experiment enter a network at one time
--   point, and as many of them as can be.
-- Caveats: The only text of the rule: Python asks it too, with the contrasts and the rule of the question in place of
--   `contrast` and `time_rule`. A contrast that is not here has both places 1 and two arms. A step of
--   `contrast_choice`.
-- Columns:
--   contrast_id: the contrast, see `contrast`
--   outcome, measure: as in `contrast`
--   network_place, comparison_place: as in `contrast_choice`; 0 if the rule does not let the time point count
--   n_arms: arms that the study and experiment has at this time point, for this outcome and measure
create or replace view contrast_place as
with ruled as (
    select
        contrast.contrast_id,
        contrast.study,
        contrast.experiment,
        contrast.outcome,
        contrast.measure,
        contrast.treatment_a,
        contrast.treatment_b,
        contrast.arm_a,
        contrast.arm_b,
        contrast.block,
        contrast.timepoint,
        time_rule.value,
        time_rule.days,
        coalesce(time_rule.kind, 'last') as kind
    from contrast
    left join time_rule on contrast.outcome = time_rule.outcome and contrast.measure = time_rule.measure
),

distant as (
    select
        ruled.*,
        case when timepoint is null then 1 else 0 end as untyped,
        case
            when kind = 'last' then -timepoint
            when kind = 'first' then timepoint
            when kind = 'nearest' then floor(abs(timepoint - value) * days * 100000000 + 0.5)
            when abs(timepoint - value) <= 1e-9 * abs(timepoint) then 0
        end as distance
    from ruled
),

judged as (
    select
        distant.*,
        kind <> 'value' or distance is not null as counts
    from distant
),

considered as (
    select *
    from judged
    where counts
),

-- A contrast that is alone at its time point has two arms: only the arms of the others are counted.
several as (
    select
        block,
        measure
    from considered
    group by block, measure
    having count(*) > 1
),

side as (
    select
        considered.block,
        considered.measure,
        considered.arm_a as arm
    from considered
    inner join several on considered.block = several.block and considered.measure = several.measure
    union
    select
        considered.block,
        considered.measure,
        considered.arm_b as arm
    from considered
    inner join several on considered.block = several.block and considered.measure = several.measure
),

size as (
    select
        block,
        measure,
        count(*) as n_arms
    from side
    group by block, measure
),

-- Most were measured once: only where there is a choice are time points ranked.
repeated as (
    select
        study,
        experiment,
        outcome
    from considered
    group by study, experiment, outcome
    having min(block) <> max(block)
),

placed as (
    select
        considered.contrast_id,
        dense_rank() over (
            partition by considered.study, considered.experiment, considered.outcome, considered.measure
            order by considered.untyped, -coalesce(size.n_arms, 2), considered.distance, considered.timepoint
        ) as network_place,
        dense_rank() over (
            partition by
                considered.study, considered.experiment, considered.outcome, considered.measure,
                considered.treatment_a, considered.treatment_b
            order by considered.untyped, considered.distance, considered.timepoint
        ) as comparison_place
    from considered
    inner join repeated
        on
            considered.study = repeated.study
            and considered.experiment = repeated.experiment
            and considered.outcome = repeated.outcome
    left join size on considered.block = size.block and considered.measure = size.measure
)

select
    judged.contrast_id,
    judged.outcome,
    judged.measure,
    case when judged.counts then coalesce(placed.network_place, 1) else 0 end as network_place,
    case when judged.counts then coalesce(placed.comparison_place, 1) else 0 end as comparison_place,
    coalesce(size.n_arms, 2) as n_arms
from judged
left join size on judged.block = size.block and judged.measure = size.measure
left join placed on judged.contrast_id = placed.contrast_id
where not judged.counts or size.block is not null or placed.contrast_id is not null
