-- The protocol's plan: one row per planned analysis, compiled from review.toml.
-- Written by `python -m evidence.folder.options` from the options declared there; do not edit.

create table plan (
    analysis text primary key,
    position integer not null,
    kind text not null check (kind in ('pairwise', 'network')),
    outcome text not null references outcome (outcome),
    measure text not null references effect_measure (measure),
    treatment text,
    versus text references treatment (treatment),
    reference text references treatment (treatment),
    treatments text,
    timepoint text not null default 'last',
    engine text not null default 'frequentist',
    model text not null default 'both' check (model in ('common', 'random', 'both')),
    tau2 text not null default 'REML',
    ci text not null default 'HK',
    method text,
    dependence text references dependence (dependence),
    tau_prior text,
    effect_prior_sd double check (effect_prior_sd > 0),
    subgroup text,
    moderators text,
    reference_levels text,
    permutations bigint,
    covariates text,
    slopes text,
    centre text,
    slope_prior_sd text,
    at_values text,
    where_sql text,
    exclude_high_rob boolean not null default false,
    smd text not null default 'd' check (smd in ('d', 'g')),
    node_split boolean not null default false,
    leave_one_out boolean not null default false,
    sensitivity text,
    cumulative text,
    sequential boolean not null default false,
    anticipated_effect double,
    alpha double,
    power double,
    diversity double,
    predictor text,
    anyway boolean not null default false,
    side text,
    selection_step double,
    selection_direction text,
    subsets bigint,
    contribution_method text,
    margin double,
    decision text,
    plausible_bias double,
    refit bigint,
    other_tau_priors text,
    other_effect_prior_sds text,
    likelihood text,
    link text,
    class_effects boolean not null default false,
    class_sd_prior text,
    baseline_sd_prior text,
    draws bigint,
    tau double,
    tune bigint,
    max_draws bigint,
    criterion text,
    absolute text,
    multiverse text,
    chains boolean not null default false,
    funnel_order text,
    seed bigint not null default 1,
    origin text not null check (origin in ('plan', 'default'))
);
comment on table plan is 'Planned analyses. From [[protocol.analysis]] of review.toml; the usual ones where none are planned.';
comment on column plan.analysis is 'Name of the analysis. name in review.toml.';
comment on column plan.position is 'Order in the plan, from 1. Written by the build.';
comment on column plan.kind is 'pairwise or network. kind in review.toml.';
comment on column plan.outcome is 'Outcome. Short name from outcomes.csv.';
comment on column plan.measure is 'Effect measure. One that fits the outcome''s kind.';
comment on column plan.treatment is 'Treatment of a pairwise analysis, or a class of them pooled. Short name or class from treatments.csv.';
comment on column plan.versus is 'Its comparator. Short name from treatments.csv.';
comment on column plan.reference is 'Treatment that a network''s results are given against. Short name from treatments.csv.';
comment on column plan.treatments is 'Treatments that take part, as a JSON list, or "all outcomes" for those that every outcome of the plan compares; empty for all. treatments in review.toml.';
comment on column plan.timepoint is 'Rule that picks one time point per study; a number with its unit of time. first, last, 24 h, or nearest:24 h. A number without unit is taken in the unit that all time points of the outcome are typed in.';
comment on column plan.engine is 'Engine of a network, see table engine. engine in review.toml.';
comment on column plan.model is 'common, random or both. model in review.toml.';
comment on column plan.tau2 is 'Estimator of the between-study variance. REML, DL, PM, ML, HE, HS, SJ or EB.';
comment on column plan.ci is 'Interval of the pooled effect. HK for Hartung and Knapp, or Wald.';
comment on column plan.method is 'How effects are pooled. inverse_variance where it is empty; MH, Peto and others.';
comment on column plan.dependence is 'What is done about several effects of one study (arms of one treatment, experiments). combine, multilevel, CR2 or independent; empty for the default: CR2 after ci = CR2, else combine.';
comment on column plan.tau_prior is 'Prior of the between-study standard deviation (Bayesian engines). For example uniform(0, 5), in the outcome''s unit.';
comment on column plan.effect_prior_sd is 'Standard deviation of the treatment effects'' normal prior (Bayesian engines). In the outcome''s unit.';
comment on column plan.subgroup is 'Variable whose levels are pooled apart. Column of studies.csv, arms.csv, measurements.csv or contrasts.csv.';
comment on column plan.moderators is 'Variables of a meta-regression, as a JSON list; empty for none. moderators in review.toml: columns of studies.csv, arms.csv, measurements.csv or contrasts.csv.';
comment on column plan.reference_levels is 'Level that the others of a moderator are compared with, as a JSON object by variable; the most frequent where it is not said. reference_levels in review.toml.';
comment on column plan.permutations is 'Permutations behind a further test of each coefficient of a meta-regression. Whole number; all orders where there are no more; no such test where it is empty.';
comment on column plan.covariates is 'Variables of a network meta-regression, as a JSON list; empty for none. covariates in review.toml: columns of studies.csv, the same in all arms; engines exact and mcmc.';
comment on column plan.slopes is 'One slope for all treatments against the reference, or one for each. common or by_treatment; common where it is empty.';
comment on column plan.centre is 'Values that numeric covariates are centred at, as a JSON object by covariate. Numbers; the mean where there is none.';
comment on column plan.slope_prior_sd is 'Standard deviation of the normal prior of slopes, as a JSON object by covariate. Numbers; that of the effects over the covariate''s own where there is none.';
comment on column plan.at_values is 'Values of the variables of a meta-regression at which effects are given too, as a JSON object. at in review.toml: a value of each moderator; of numeric covariates in networks (exact).';
comment on column plan.where_sql is 'Condition that studies, or effects, must meet. where in review.toml: SQL on columns of studies.csv, arms.csv, measurements.csv or contrasts.csv.';
comment on column plan.exclude_high_rob is 'Studies at high risk of bias stay out (view high_risk_study). true or false.';
comment on column plan.smd is 'Form of the SMD in networks: Cohen''s d or Hedges''s g. d unless there is a reason.';
comment on column plan.node_split is 'Direct and indirect evidence are compared. true or false.';
comment on column plan.leave_one_out is 'The analysis is repeated without each study. true or false.';
comment on column plan.sensitivity is 'Analyses of sensitivity that are kept, as a JSON list; empty for all that apply, of a network for none. Pairwise egger, begg, peters, harbord, trim_fill, pet_peese, selection, influence, baujat, outliers, table_tests, gosh, estimators, bayes, multiverse; network contributions, paths, hat, net_heat, small_study, prior_sensitivity, leave_one_treatment_out, thresholds, multiverse; or "all". Tests of a funnel are kept whatever is named.';
comment on column plan.cumulative is 'Variable in whose order the studies are added one by one; precision for the most precise first. A numeric column of studies.csv, arms.csv, measurements.csv or contrasts.csv, or precision.';
comment on column plan.sequential is 'The evidence is held against bounds for looking at it after every year with new studies (trial sequential analysis). true or false.';
comment on column plan.anticipated_effect is 'Of a sequential analysis: the effect worth finding. A ratio of ratio measures (0.8), else in the effect''s unit; the outcome''s smallest important difference where it is empty.';
comment on column plan.alpha is 'Of a sequential analysis: two-sided error of all looks together. Between 0 and 1; 0.05 where it is empty.';
comment on column plan.power is 'Of a sequential analysis: probability of showing the anticipated effect. Between 0 and 1; 0.9 where it is empty.';
comment on column plan.diversity is 'Of a sequential analysis: share by which heterogeneity is to enlarge the required information, 1 / (1 - diversity) times. From 0 to below 1; D2 of the studies where it is empty.';
comment on column plan.predictor is 'What Egger''s test regresses the effects on. se, variance, n, 1/n, sqrt(n), 1/sqrt(n), sqrt(1/n1+1/n2); empty for se, or sqrt(1/n1+1/n2) where the standard error holds the effect; in networks one of these two.';
comment on column plan.anyway is 'Analyses of sensitivity are carried out where they do not hold, with a note that says so: below ten effects, or of a measure whose standard error depends on the effect. true or false.';
comment on column plan.side is 'Side on which trim and fill takes studies to be missing. left or right; by Egger''s slope where it is empty.';
comment on column plan.selection_step is 'One-sided p-value at which the selection model''s probability of publication changes. Between 0 and 1; 0.025 where it is empty.';
comment on column plan.selection_direction is 'Direction of effects that the selection model takes to be favoured. greater or less; that of the common effect where it is empty.';
comment on column plan.subsets is 'Most subsets that gosh fits. Whole number; 1,000,000 where it is empty.';
comment on column plan.contribution_method is 'How contributions are found. random walk or shortest path; random walk where it is empty.';
comment on column plan.margin is 'By how much a treatment is to be better for the probability of that to be given. On the analysis scale; the outcome''s smallest important difference where it is empty.';
comment on column plan.decision is 'Decision that thresholds are of. best, top 2, important, "A better than B by 0.5"; best where it is empty.';
comment on column plan.plausible_bias is 'Bias that a study may well have, which thresholds are held against. On the analysis scale.';
comment on column plan.refit is 'How many of the nearest thresholds are found again with tau estimated anew. Whole number; 0 where it is empty.';
comment on column plan.other_tau_priors is 'Priors of tau of prior_sensitivity, as a JSON list. As tau_prior.';
comment on column plan.other_effect_prior_sds is 'Standard deviations of the effects'' prior of prior_sensitivity, as a JSON list. Numbers.';
comment on column plan.likelihood is 'Likelihood of the engines counts and mcmc. As the engine has them; that of the outcome where it is empty.';
comment on column plan.link is 'Link of the engines counts and mcmc. As the engine has them; that of the measure where it is empty.';
comment on column plan.class_effects is 'Effects of treatments of one class are taken as alike: exchangeable about a mean of the class. true or false; engine mcmc, classes of treatments.csv.';
comment on column plan.class_sd_prior is 'Prior of the standard deviation within classes. As tau_prior, which it is where it is empty.';
comment on column plan.baseline_sd_prior is 'Prior of the standard deviation of baselines, which are then exchangeable. As tau_prior; engine mcmc; baselines of studies are unrelated where it is empty.';
comment on column plan.draws is 'Draws of an engine that draws. Whole number; the engine''s own where it is empty.';
comment on column plan.tau is 'Between-study standard deviation that is taken as known (frequentist, exact). In the outcome''s unit; estimated where it is empty.';
comment on column plan.tune is 'Draws of each chain that go before and are thrown away (mcmc). Whole number; the engine''s own where it is empty.';
comment on column plan.max_draws is 'Most draws of each chain, where they do not converge before (mcmc). Whole number; the engine''s own where it is empty.';
comment on column plan.criterion is 'When chains have converged (mcmc). rank-normalised (Vehtari et al. 2021), or psrf (Brooks and Gelman 1998, up to 1.05); rank-normalised where it is empty.';
comment on column plan.absolute is 'Baseline at which effects are given as risks, rates or means, too. A number (risk from 0 to 1, rate, or mean in the outcome''s unit), or median: that of the comparator''s arms.';
comment on column plan.multiverse is 'What the choices of the analysis `multiverse` are, as a JSON object. measures: effect measures, a list; timepoints: rules of time, a list; tau2: estimators of the between-study variance, a list; ci: intervals of the pooled effect, a list; tau_priors: priors of the heterogeneity in the outcome''s unit, a list; where: SQL conditions that studies may have to meet, each by a name, a table; leave_out: variables of studies whose values are left out one by one, a list; without: choices that are none, a list of their names; most: most cells, a whole number; without them those of the field.';
comment on column plan.chains is 'The posterior is drawn by Markov chains too, to show how they converge. true or false; engine exact.';
comment on column plan.funnel_order is 'Order of treatments that gives the comparison-adjusted funnel plot its direction, an earlier minus a later one (for instance newest first), as a JSON list; empty for that of treatments.csv, active treatments first. funnel_order in review.toml.';
comment on column plan.seed is 'Seed of anything drawn at random. Whole number.';
comment on column plan.origin is 'plan if it was planned, default if it was derived. Written by the build.';
