-- Title: Main effects of a run
-- Grain: run x model x treatment x versus
-- Key: run_id, model, treatment, versus
-- Formula: The effect over all studies of a pairwise run, and the effect of every treatment against the reference of a
--   network, as far as they have an interval.
-- Caveats: Rows stand in the direction in which they are kept: the reference may be the treatment of a row.
-- Columns:
--   run_id, model: the run, and the model of the effect
--   treatment, versus: the comparison
--   pi_lower, pi_upper: its prediction interval, on the analysis scale
--   kind: pairwise or network
--   side: 1 if the interval lies above no effect, -1 if below, 0 if it includes it
--   concludes: 1 if the run draws its conclusion from this interval itself, 0 where it has another (adhoc_lower) or
--     draws none (no_verdict)
create or replace view run_main_effect as
select
    estimate.run_id,
    estimate.model,
    estimate.treatment,
    estimate.versus,
    estimate.pi_lower,
    estimate.pi_upper,
    run.kind,
    case when estimate.ci_lower > 0 then 1 when estimate.ci_upper < 0 then -1 else 0 end as side,
    case when estimate.adhoc_lower is null and estimate.no_verdict is null then 1 else 0 end as concludes
from result_estimate as estimate
inner join result_run as run on estimate.run_id = run.run_id
where
    estimate.level is null
    and estimate.ci_lower is not null
    and estimate.ci_upper > estimate.ci_lower
    and (
        run.kind = 'pairwise'
        or estimate.evidence = 'network'
        and (estimate.versus = run.reference or estimate.treatment = run.reference)
    )
