-- Title: Which effect is the better one
-- Grain: outcome x measure
-- Key: outcome, measure
-- Formula: by effect_measure.direction. outcome: lower_is_better of the outcome. higher: never the lower (a normalised
--   mean difference is percent of the way to health). event: the lower hazard ratio where the event is bad.
-- Reference: Parmar MKB, Torri V, Stewart L (1998), Stat Med 17:2815-2834 (a hazard ratio is of the event); Vesterinen
--   HM et al. (2014), J Neurosci Methods 221:92-102 (normalised mean difference)
-- Caveats: empty where the review does not say: then nothing is better. Measures of another kind of outcome are left
--   out.
-- Columns:
--   outcome, measure: what is compared, and how
--   lower_is_better: whether the lower effect of a minus b is better for a
create or replace view outcome_direction as
select
    outcome.outcome,
    effect_measure.measure,
    case effect_measure.direction
        when 'higher' then false
        when 'event' then outcome.event_is_bad
        when 'outcome' then outcome.lower_is_better
    end as lower_is_better
from outcome
inner join effect_measure on effect_measure.kind is null or outcome.kind = effect_measure.kind
