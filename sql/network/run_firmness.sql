-- Title: How firm the main effects of a run are
-- Grain: run x model x aspect
-- Key: run_id, model, aspect
-- Formula: Main effects are those of `run_main_effect`. Aspects:
--   heterogeneity: value is tau, share I2;
--   prediction: of the main effects whose interval excludes no effect (n_of), those whose prediction interval includes
--   it (n); of a pairwise run, lower and upper are that interval;
--   leave one out: of the studies left out one by one (n_of), those without which the interval of a main effect
--   comes to lie elsewhere: above no effect, below, or around it (n); of a pairwise run, lower and upper are the least
--   and the largest effect;
--   high, low risk of bias: of the studies judged (n_of), those so judged (n), and of a pairwise run the share of their
--   weight, as in `run_risk_of_bias`;
--   inconsistency: of the comparisons whose direct and indirect evidence were set against each other (n_of), those with
--   p below 0.05 (n); p_value is that of the design-by-treatment test.
-- Caveats: No aspect stands where the run has no rows for it. No effect is said to come to another side where the run
--   draws no conclusion from its interval itself (no_verdict, adhoc_lower). A study without a judgement is not in n_of.
-- Columns:
--   run_id, model: the run, and the model of its effects
--   aspect: what is asked
--   n: how many of n_of
--   n_of: among how many
--   share: I2 or a share of weight, 0 to 1
--   value: tau on the analysis scale
--   lower, upper: least and largest effect, on the analysis scale
--   p_value: of the test
create or replace view run_firmness as
with main as (
    select * from run_main_effect
),

predicted as (
    select
        run_id,
        model,
        count(case when side <> 0 and pi_lower <= 0 and pi_upper >= 0 then 1 end) as n,
        count(case when side <> 0 then 1 end) as n_of,
        max(case when kind = 'pairwise' then pi_lower end) as lower,
        max(case when kind = 'pairwise' then pi_upper end) as upper
    from main
    where pi_lower is not null and pi_upper is not null
    group by run_id, model
),

without as (
    select
        main.run_id,
        main.model,
        gone.study,
        min(main.concludes) as concludes,
        max(
            case
                when main.side <> case when gone.ci_lower > 0 then 1 when gone.ci_upper < 0 then -1 else 0 end then 1
                else 0
            end
        ) as turns,
        min(case when main.kind = 'pairwise' then gone.estimate end) as lower,
        max(case when main.kind = 'pairwise' then gone.estimate end) as upper
    from result_leave_one_out as gone
    inner join main
        on
            gone.run_id = main.run_id
            and gone.model = main.model
            and gone.treatment = main.treatment
            and gone.versus = main.versus
    where gone.ci_lower is not null and gone.ci_upper is not null
    group by main.run_id, main.model, gone.study
),

omitted as (
    select
        run_id,
        model,
        case when min(concludes) = 1 then sum(turns) end as n,
        count(*) as n_of,
        min(lower) as lower,
        max(upper) as upper
    from without
    group by run_id, model
),

disagreed as (
    select
        run_id,
        model,
        count(case when p_value < 0.05 and method <> 'design-by-treatment' then 1 end) as n,
        nullif(count(case when method <> 'design-by-treatment' then 1 end), 0) as n_of,
        max(case when method = 'design-by-treatment' then p_value end) as p_value
    from result_inconsistency
    where p_value is not null and method in ('design-by-treatment', 'node-split', 'back-calculation')
    group by run_id, model
)

select
    run_id,
    model,
    'heterogeneity' as aspect,
    cast(null as bigint) as n,
    cast(null as bigint) as n_of,
    i2 as share,
    tau as value,
    cast(null as double) as lower,
    cast(null as double) as upper,
    cast(null as double) as p_value
from result_heterogeneity
where level is null and (tau is not null or i2 is not null)
union all
select
    run_id,
    model,
    'prediction' as aspect,
    n,
    n_of,
    null as share,
    null as value,
    lower,
    upper,
    null as p_value
from predicted
union all
select
    run_id,
    model,
    'leave one out' as aspect,
    cast(n as bigint) as n,
    n_of,
    null as share,
    null as value,
    lower,
    upper,
    null as p_value
from omitted
union all
select
    run_id,
    model,
    'high risk of bias' as aspect,
    n_high as n,
    n_judged as n_of,
    share_high as share,
    null as value,
    null as lower,
    null as upper,
    null as p_value
from run_risk_of_bias
union all
select
    run_id,
    model,
    'low risk of bias' as aspect,
    n_low as n,
    n_judged as n_of,
    share_low as share,
    null as value,
    null as lower,
    null as upper,
    null as p_value
from run_risk_of_bias
union all
select
    run_id,
    model,
    'inconsistency' as aspect,
    case when n_of is not null then n end as n,
    n_of,
    null as share,
    null as value,
    null as lower,
    null as upper,
    p_value
from disagreed
