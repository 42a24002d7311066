-- Results are rows. A run is keyed by the hash of its inputs, specification, seed and versions.

create table result_run (
    run_id text primary key,
    analysis text,
    kind text not null check (kind in ('pairwise', 'network')),
    engine text not null,
    outcome text not null,
    measure text not null,
    scale text not null check (scale in ('additive', 'log')),
    unit text,
    lower_is_better boolean,
    treatment text,
    versus text,
    reference text,
    timepoint text,
    subgroup text,
    where_sql text,
    seed bigint,
    n_studies bigint,
    n_arms bigint,
    n_treatments bigint,
    specification text not null,
    input_hash text not null,
    versions text not null,
    synthetic boolean not null default false,
    content_hash text,
    computed_from text,
    rows_hash text
);
comment on table result_run is 'Runs of analyses: what was computed from what. Written by the analysis.';
comment on column result_run.run_id is 'Hash of inputs, specification, seed and versions: the same run has the same key. Written by the analysis.';
comment on column result_run.analysis is 'Planned analysis it carries out; empty for a run by hand. Written by the analysis.';
comment on column result_run.kind is 'pairwise or network. Written by the analysis.';
comment on column result_run.engine is 'Engine that computed it, see table engine. Written by the analysis.';
comment on column result_run.outcome is 'Outcome. Written by the analysis.';
comment on column result_run.measure is 'Effect measure. Written by the analysis.';
comment on column result_run.scale is 'Scale of its estimates: log means natural logarithms. Written by the analysis.';
comment on column result_run.unit is 'Unit of its estimates; empty for ratios and SMD. Written by the analysis.';
comment on column result_run.lower_is_better is 'Direction of benefit used for rankings. Written by the analysis.';
comment on column result_run.treatment is 'Treatment of a pairwise run. Written by the analysis.';
comment on column result_run.versus is 'Its comparator. Written by the analysis.';
comment on column result_run.reference is 'Treatment that a network''s results are given against. Written by the analysis.';
comment on column result_run.timepoint is 'Rule that picked the time points, a number with its unit of time. Written by the analysis.';
comment on column result_run.subgroup is 'Study variable whose levels were pooled apart. Written by the analysis.';
comment on column result_run.where_sql is 'Condition that studies met. Written by the analysis.';
comment on column result_run.seed is 'Seed. Written by the analysis.';
comment on column result_run.n_studies is 'Number of studies. Written by the analysis.';
comment on column result_run.n_arms is 'Number of arms. Written by the analysis.';
comment on column result_run.n_treatments is 'Number of treatments. Written by the analysis.';
comment on column result_run.specification is 'Every option of the run, as JSON. Written by the analysis.';
comment on column result_run.input_hash is 'Hash of the rows it read. Written by the analysis.';
comment on column result_run.versions is 'Versions of the software, as JSON. Written by the analysis.';
comment on column result_run.synthetic is 'The data are simulated. Written by the analysis.';
comment on column result_run.content_hash is 'Hash of the review that it read, as in build_info; audit_result_data compares. Written by the analysis.';
comment on column result_run.computed_from is 'Fingerprints of everything that its rows follow from, as JSON: what enters and what is said of it, options, versions, code. A later analysis with the same takes the rows over. Written by the analysis.';
comment on column result_run.rows_hash is 'Hash of its rows in the other tables of results: rows that were changed since are not taken over. Written by the analysis.';

create table result_contrast (
    run_id text not null references result_run (run_id),
    contrast_id text not null,
    reported_contrast_id bigint,
    study text not null,
    experiment text not null,
    timepoint double,
    timepoint_unit text,
    treatment_a text not null,
    treatment_b text not null,
    arm_a text not null,
    arm_b text not null,
    n_a double,
    n_b double,
    estimate double,
    std_error double,
    mean_a double,
    mean_b double,
    sd_a double,
    sd_b double,
    events_a double,
    events_b double,
    exposure_a double,
    exposure_b double,
    animals_a text not null,
    animals_b text not null,
    measurement_ids text,
    continuity double,
    level text,
    variables text
);
comment on table result_contrast is 'Contrasts that entered a run, as they were analysed: nodes, edges and counts of the run follow from them (run_arm, run_node, run_edge, run_design, run_size). Written by the analysis.';
comment on column result_contrast.run_id is 'Analysis run the row belongs to. Written by the analysis.';
comment on column result_contrast.contrast_id is 'Contrast, as in the view contrast. Written by the analysis.';
comment on column result_contrast.reported_contrast_id is 'Row of contrasts.csv it was reported in; empty where it was computed from arms. Written by the analysis.';
comment on column result_contrast.study is 'Study. Written by the analysis.';
comment on column result_contrast.experiment is 'Experiment of the study. Written by the analysis.';
comment on column result_contrast.timepoint is 'Time point that was used. Written by the analysis.';
comment on column result_contrast.timepoint_unit is 'Unit of the time point. Written by the analysis.';
comment on column result_contrast.treatment_a is 'Treatment of the first arm, A in A minus B. Written by the analysis.';
comment on column result_contrast.treatment_b is 'Treatment of the second arm. Written by the analysis.';
comment on column result_contrast.arm_a is 'First arm. Written by the analysis.';
comment on column result_contrast.arm_b is 'Second arm. Written by the analysis.';
comment on column result_contrast.n_a is 'Animals or participants in the first arm. Written by the analysis.';
comment on column result_contrast.n_b is 'Animals or participants in the second arm. Written by the analysis.';
comment on column result_contrast.estimate is 'Effect of A minus B as it entered, on the analysis scale (natural log for ratios). Written by the analysis.';
comment on column result_contrast.std_error is 'Its standard error as it entered. Written by the analysis.';
comment on column result_contrast.mean_a is 'Mean of the first arm, where it has one. Written by the analysis.';
comment on column result_contrast.mean_b is 'Mean of the second arm. Written by the analysis.';
comment on column result_contrast.sd_a is 'Standard deviation of the first arm. Written by the analysis.';
comment on column result_contrast.sd_b is 'Standard deviation of the second arm. Written by the analysis.';
comment on column result_contrast.events_a is 'Events in the first arm, for counts. Written by the analysis.';
comment on column result_contrast.events_b is 'Events in the second arm. Written by the analysis.';
comment on column result_contrast.exposure_a is 'Exposure of the first arm, for rates. Written by the analysis.';
comment on column result_contrast.exposure_b is 'Exposure of the second arm. Written by the analysis.';
comment on column result_contrast.animals_a is 'Group of animals of the first arm: equal within a study where arms of several experiments are one group. Written by the analysis.';
comment on column result_contrast.animals_b is 'Group of animals of the second arm. Written by the analysis.';
comment on column result_contrast.measurement_ids is 'Measurements behind it, separated by commas. Written by the analysis.';
comment on column result_contrast.continuity is 'What was added to the counts of each arm because a cell was empty; 0 or empty where nothing was. Written by the analysis.';
comment on column result_contrast.level is 'Level of the run''s subgroup variable; empty where it has none. Written by the analysis.';
comment on column result_contrast.variables is 'Values of the other variables that the run used, as JSON. Written by the analysis.';

create table result_estimate (
    run_id text not null references result_run (run_id),
    engine text not null,
    model text not null,
    treatment text not null,
    versus text not null,
    estimate double,
    std_error double,
    ci_lower double,
    ci_upper double,
    pi_lower double,
    pi_upper double,
    p_value double,
    evidence text not null check (evidence in ('network', 'direct', 'indirect')),
    rests_on text check (rests_on in ('direct only', 'indirect only', 'direct and indirect')),
    n_studies bigint,
    subgroup text,
    level text,
    adhoc_lower double,
    adhoc_upper double,
    no_verdict text
);
comment on table result_estimate is 'Pooled effects of treatments against each other. Written by the analysis.';
comment on column result_estimate.run_id is 'Analysis run the row belongs to. Written by the analysis.';
comment on column result_estimate.engine is 'Engine that computed it, see table engine. Written by the analysis.';
comment on column result_estimate.model is 'common or random effects. Written by the analysis.';
comment on column result_estimate.treatment is 'Treatment of the comparison, A in A minus versus. Written by the analysis.';
comment on column result_estimate.versus is 'Comparator. Written by the analysis.';
comment on column result_estimate.estimate is 'Effect of treatment minus versus, on the analysis scale (natural log for ratios). Written by the analysis.';
comment on column result_estimate.std_error is 'Standard error; posterior standard deviation for Bayesian engines. Written by the analysis.';
comment on column result_estimate.ci_lower is 'Lower end of the 95 % interval, equal-tailed; credible for Bayesian engines. Written by the analysis.';
comment on column result_estimate.ci_upper is 'Upper end of the 95 % interval, equal-tailed; credible for Bayesian engines. Written by the analysis.';
comment on column result_estimate.pi_lower is 'Lower end of the 95 % prediction interval of a new study''s effect. Written by the analysis.';
comment on column result_estimate.pi_upper is 'Upper end of the 95 % prediction interval of a new study''s effect. Written by the analysis.';
comment on column result_estimate.p_value is 'Two-sided p-value of no effect; empty for Bayesian engines. Written by the analysis.';
comment on column result_estimate.evidence is 'What it rests on: network, direct or indirect. Written by the analysis.';
comment on column result_estimate.rests_on is 'Evidence behind an estimate of the whole network: direct only, indirect only, or direct and indirect. Written by the analysis.';
comment on column result_estimate.n_studies is 'Number of studies that compare the two directly. Written by the analysis.';
comment on column result_estimate.subgroup is 'Variable whose levels were pooled apart; empty for all studies. Written by the analysis.';
comment on column result_estimate.level is 'Level of that variable. Written by the analysis.';
comment on column result_estimate.adhoc_lower is 'Lower end of the Hartung-Knapp interval with its factor kept at 1, where it is below 1 or the interval would have no width. Written by the analysis.';
comment on column result_estimate.adhoc_upper is 'Upper end of that interval. Written by the analysis.';
comment on column result_estimate.no_verdict is 'Why no conclusion in words is drawn. Where empty it is drawn from adhoc_lower and adhoc_upper if given, else from the interval. Written by the analysis.';

create table result_heterogeneity (
    run_id text not null references result_run (run_id),
    engine text not null,
    model text not null,
    subgroup text,
    level text,
    method text,
    tau double,
    tau_lower double,
    tau_upper double,
    tau2 double,
    tau2_lower double,
    tau2_upper double,
    i2 double,
    i2_lower double,
    i2_upper double,
    h2 double,
    h2_lower double,
    h2_upper double,
    q double,
    df double,
    p_value double,
    interval_method text
);
comment on table result_heterogeneity is 'Heterogeneity between studies. Written by the analysis.';
comment on column result_heterogeneity.run_id is 'Analysis run the row belongs to. Written by the analysis.';
comment on column result_heterogeneity.engine is 'Engine that computed it, see table engine. Written by the analysis.';
comment on column result_heterogeneity.model is 'common or random effects. Written by the analysis.';
comment on column result_heterogeneity.subgroup is 'Variable whose levels were pooled apart; empty for all studies. Written by the analysis.';
comment on column result_heterogeneity.level is 'Level of that variable. Written by the analysis.';
comment on column result_heterogeneity.method is 'Estimator of tau2. Written by the analysis.';
comment on column result_heterogeneity.tau is 'Between-study standard deviation on the analysis scale. Written by the analysis.';
comment on column result_heterogeneity.tau_lower is 'Lower end of tau''s 95 % interval. Written by the analysis.';
comment on column result_heterogeneity.tau_upper is 'Upper end of tau''s 95 % interval. Written by the analysis.';
comment on column result_heterogeneity.tau2 is 'Between-study variance on the analysis scale. Written by the analysis.';
comment on column result_heterogeneity.tau2_lower is 'Lower end of tau2''s 95 % interval. Written by the analysis.';
comment on column result_heterogeneity.tau2_upper is 'Upper end of tau2''s 95 % interval. Written by the analysis.';
comment on column result_heterogeneity.i2 is 'I2 as a share, 0 to 1: part of the variation that is not sampling error. Written by the analysis.';
comment on column result_heterogeneity.i2_lower is 'Lower end of I2''s 95 % interval. Written by the analysis.';
comment on column result_heterogeneity.i2_upper is 'Upper end of I2''s 95 % interval. Written by the analysis.';
comment on column result_heterogeneity.h2 is 'H2: total variation over sampling variation. Written by the analysis.';
comment on column result_heterogeneity.h2_lower is 'Lower end of H2''s 95 % interval. Written by the analysis.';
comment on column result_heterogeneity.h2_upper is 'Upper end of H2''s 95 % interval. Written by the analysis.';
comment on column result_heterogeneity.q is 'Cochran''s Q. Written by the analysis.';
comment on column result_heterogeneity.df is 'Degrees of freedom of Q. Written by the analysis.';
comment on column result_heterogeneity.p_value is 'p-value of Q. Written by the analysis.';
comment on column result_heterogeneity.interval_method is 'How the intervals of tau, tau2, I2 and H2 were made, which may be another way than the estimate''s. Written by the analysis.';

create table result_ranking (
    run_id text not null references result_run (run_id),
    engine text not null,
    model text not null,
    treatment text not null,
    mean_rank double,
    sucra double,
    p_score double,
    p_best double
);
comment on table result_ranking is 'Ranking of the treatments. Written by the analysis.';
comment on column result_ranking.run_id is 'Analysis run the row belongs to. Written by the analysis.';
comment on column result_ranking.engine is 'Engine that computed it, see table engine. Written by the analysis.';
comment on column result_ranking.model is 'common or random effects. Written by the analysis.';
comment on column result_ranking.treatment is 'Treatment. Written by the analysis.';
comment on column result_ranking.mean_rank is 'Expected rank; 1 is best. Written by the analysis.';
comment on column result_ranking.sucra is 'Surface under the cumulative ranking curve, 0 to 1. Written by the analysis.';
comment on column result_ranking.p_score is 'P-score, 0 to 1: SUCRA''s frequentist twin. Written by the analysis.';
comment on column result_ranking.p_best is 'Probability of being best. Written by the analysis.';

create table result_rank_probability (
    run_id text not null references result_run (run_id),
    engine text not null,
    model text not null,
    treatment text not null,
    rank integer not null,
    probability double,
    std_error double
);
comment on table result_rank_probability is 'Probability of each rank. Written by the analysis.';
comment on column result_rank_probability.run_id is 'Analysis run the row belongs to. Written by the analysis.';
comment on column result_rank_probability.engine is 'Engine that computed it, see table engine. Written by the analysis.';
comment on column result_rank_probability.model is 'common or random effects. Written by the analysis.';
comment on column result_rank_probability.treatment is 'Treatment. Written by the analysis.';
comment on column result_rank_probability.rank is 'Rank; 1 is best. Written by the analysis.';
comment on column result_rank_probability.probability is 'Probability that the treatment holds it. Written by the analysis.';
comment on column result_rank_probability.std_error is 'Monte Carlo error of that probability; empty or 0 where it is exact. Written by the analysis.';

create table result_inconsistency (
    run_id text not null references result_run (run_id),
    engine text not null,
    model text not null,
    method text not null,
    component text,
    treatment text,
    versus text,
    direct double,
    direct_std_error double,
    indirect double,
    indirect_std_error double,
    difference double,
    difference_std_error double,
    ci_lower double,
    ci_upper double,
    proportion_direct double,
    dic_difference double,
    q double,
    df double,
    p_value double,
    note text
);
comment on table result_inconsistency is 'Agreement of direct and indirect evidence. Written by the analysis.';
comment on column result_inconsistency.run_id is 'Analysis run the row belongs to. Written by the analysis.';
comment on column result_inconsistency.engine is 'Engine that computed it, see table engine. Written by the analysis.';
comment on column result_inconsistency.model is 'common or random effects. Written by the analysis.';
comment on column result_inconsistency.method is 'Method, such as node-split or design-by-treatment interaction. Written by the analysis.';
comment on column result_inconsistency.component is 'Part of the network it is about, for methods that split Q. Written by the analysis.';
comment on column result_inconsistency.treatment is 'Treatment of the comparison, A in A minus versus. Written by the analysis.';
comment on column result_inconsistency.versus is 'Comparator. Written by the analysis.';
comment on column result_inconsistency.direct is 'Direct estimate. Written by the analysis.';
comment on column result_inconsistency.direct_std_error is 'Its standard error. Written by the analysis.';
comment on column result_inconsistency.indirect is 'Indirect estimate. Written by the analysis.';
comment on column result_inconsistency.indirect_std_error is 'Its standard error. Written by the analysis.';
comment on column result_inconsistency.difference is 'Direct minus indirect. Written by the analysis.';
comment on column result_inconsistency.difference_std_error is 'Its standard error. Written by the analysis.';
comment on column result_inconsistency.ci_lower is 'Lower end of the difference''s 95 % interval. Written by the analysis.';
comment on column result_inconsistency.ci_upper is 'Upper end of the difference''s 95 % interval. Written by the analysis.';
comment on column result_inconsistency.proportion_direct is 'Share of direct evidence in the network estimate. Written by the analysis.';
comment on column result_inconsistency.dic_difference is 'DIC of the consistency model less that of unrelated mean effects: above 0 where the data ask for inconsistency. Written by the analysis.';
comment on column result_inconsistency.q is 'Cochran''s Q. Written by the analysis.';
comment on column result_inconsistency.df is 'Degrees of freedom of Q. Written by the analysis.';
comment on column result_inconsistency.p_value is 'p-value, two-sided for estimates, upper tail for Q. Written by the analysis.';
comment on column result_inconsistency.note is 'What should be known about the row. Written by the analysis.';

create table result_leave_one_out (
    run_id text not null references result_run (run_id),
    engine text not null,
    model text not null,
    study text not null,
    treatment text not null,
    versus text not null,
    estimate double,
    std_error double,
    ci_lower double,
    ci_upper double,
    tau double,
    i2 double,
    q double,
    note text
);
comment on table result_leave_one_out is 'Results without each study. Written by the analysis.';
comment on column result_leave_one_out.run_id is 'Analysis run the row belongs to. Written by the analysis.';
comment on column result_leave_one_out.engine is 'Engine that computed it, see table engine. Written by the analysis.';
comment on column result_leave_one_out.model is 'common or random effects. Written by the analysis.';
comment on column result_leave_one_out.study is 'Study left out. Written by the analysis.';
comment on column result_leave_one_out.treatment is 'Treatment of the comparison, A in A minus versus. Written by the analysis.';
comment on column result_leave_one_out.versus is 'Comparator. Written by the analysis.';
comment on column result_leave_one_out.estimate is 'Effect of treatment minus versus, on the analysis scale (natural log for ratios). Written by the analysis.';
comment on column result_leave_one_out.std_error is 'Standard error; posterior standard deviation for Bayesian engines. Written by the analysis.';
comment on column result_leave_one_out.ci_lower is 'Lower end of the 95 % interval, equal-tailed; credible for Bayesian engines. Written by the analysis.';
comment on column result_leave_one_out.ci_upper is 'Upper end of the 95 % interval, equal-tailed; credible for Bayesian engines. Written by the analysis.';
comment on column result_leave_one_out.tau is 'Between-study standard deviation on the analysis scale. Written by the analysis.';
comment on column result_leave_one_out.i2 is 'I2 as a share, 0 to 1: part of the variation that is not sampling error. Written by the analysis.';
comment on column result_leave_one_out.q is 'Cochran''s Q. Written by the analysis.';
comment on column result_leave_one_out.note is 'What should be known about the row. Written by the analysis.';

create table result_weight (
    run_id text not null references result_run (run_id),
    engine text not null,
    model text not null,
    treatment text not null,
    versus text not null,
    study text not null,
    experiment text,
    contrast_id text,
    estimate double,
    std_error double,
    weight double,
    measurement_ids text
);
comment on table result_weight is 'How much each contrast counts in an estimate. Written by the analysis.';
comment on column result_weight.run_id is 'Analysis run the row belongs to. Written by the analysis.';
comment on column result_weight.engine is 'Engine that computed it, see table engine. Written by the analysis.';
comment on column result_weight.model is 'common or random effects. Written by the analysis.';
comment on column result_weight.treatment is 'Treatment of the comparison, A in A minus versus. Written by the analysis.';
comment on column result_weight.versus is 'Comparator. Written by the analysis.';
comment on column result_weight.study is 'Study. Written by the analysis.';
comment on column result_weight.experiment is 'Experiment of the study. Written by the analysis.';
comment on column result_weight.contrast_id is 'Contrast, as in the view contrast. Written by the analysis.';
comment on column result_weight.estimate is 'The contrast''s own effect. Written by the analysis.';
comment on column result_weight.std_error is 'Its standard error. Written by the analysis.';
comment on column result_weight.weight is 'Its share, 0 to 1; shares of one estimate sum to 1. Written by the analysis.';
comment on column result_weight.measurement_ids is 'Measurements behind it, separated by commas. Written by the analysis.';

create table result_diagnostic (
    run_id text not null references result_run (run_id),
    engine text not null,
    model text not null,
    parameter text not null,
    rhat double,
    ess_bulk double,
    ess_tail double,
    mcse double,
    divergences bigint,
    note text
);
comment on table result_diagnostic is 'Whether the chains of a Bayesian run converged. Written by the analysis.';
comment on column result_diagnostic.run_id is 'Analysis run the row belongs to. Written by the analysis.';
comment on column result_diagnostic.engine is 'Engine that computed it, see table engine. Written by the analysis.';
comment on column result_diagnostic.model is 'common or random effects. Written by the analysis.';
comment on column result_diagnostic.parameter is 'Parameter. Written by the analysis.';
comment on column result_diagnostic.rhat is 'Potential scale reduction factor, rank-normalised. Written by the analysis.';
comment on column result_diagnostic.ess_bulk is 'Effective sample size of the bulk. Written by the analysis.';
comment on column result_diagnostic.ess_tail is 'Effective sample size of the tails. Written by the analysis.';
comment on column result_diagnostic.mcse is 'Monte Carlo error of the mean. Written by the analysis.';
comment on column result_diagnostic.divergences is 'Number of divergent transitions in the run. Written by the analysis.';
comment on column result_diagnostic.note is 'What should be known about the row. Written by the analysis.';

create table result_convergence (
    run_id text not null references result_run (run_id),
    model text not null,
    parameter text not null,
    iteration bigint not null,
    psrf double,
    psrf_upper double
);
comment on table result_convergence is 'Potential scale reduction factor as the chains grow. Written by the analysis.';
comment on column result_convergence.run_id is 'Analysis run the row belongs to. Written by the analysis.';
comment on column result_convergence.model is 'common or random effects. Written by the analysis.';
comment on column result_convergence.parameter is 'Parameter. Written by the analysis.';
comment on column result_convergence.iteration is 'Number of iterations used. Written by the analysis.';
comment on column result_convergence.psrf is 'Potential scale reduction factor at that point. Written by the analysis.';
comment on column result_convergence.psrf_upper is 'Upper limit of its 97.5 % interval. Written by the analysis.';

create table result_fit (
    run_id text not null references result_run (run_id),
    engine text not null,
    model text not null,
    study text,
    quantity text not null,
    value double,
    note text
);
comment on table result_fit is 'How well a model fits. Written by the analysis.';
comment on column result_fit.run_id is 'Analysis run the row belongs to. Written by the analysis.';
comment on column result_fit.engine is 'Engine that computed it, see table engine. Written by the analysis.';
comment on column result_fit.model is 'common or random effects. Written by the analysis.';
comment on column result_fit.study is 'Study; empty for the whole model. Written by the analysis.';
comment on column result_fit.quantity is 'What the value is. Written by the analysis.';
comment on column result_fit.value is 'The value. Written by the analysis.';
comment on column result_fit.note is 'What should be known about the row. Written by the analysis.';

create table result_sensitivity (
    run_id text not null references result_run (run_id),
    engine text not null,
    model text not null,
    method text not null,
    item text not null,
    study text,
    quantity text not null,
    value double,
    note text
);
comment on table result_sensitivity is 'Results of sensitivity analyses: influence, small-study effects and others. Written by the analysis.';
comment on column result_sensitivity.run_id is 'Analysis run the row belongs to. Written by the analysis.';
comment on column result_sensitivity.engine is 'Engine that computed it, see table engine. Written by the analysis.';
comment on column result_sensitivity.model is 'common or random effects. Written by the analysis.';
comment on column result_sensitivity.method is 'Method. Written by the analysis.';
comment on column result_sensitivity.item is 'What was varied. Written by the analysis.';
comment on column result_sensitivity.study is 'Study it is about, if one. Written by the analysis.';
comment on column result_sensitivity.quantity is 'What the value is. Written by the analysis.';
comment on column result_sensitivity.value is 'The value. Written by the analysis.';
comment on column result_sensitivity.note is 'What should be known about the row. Written by the analysis.';

create table result_threshold (
    run_id text not null references result_run (run_id),
    engine text not null,
    model text not null,
    decision text not null,
    decided text not null,
    level text not null check (level in ('study', 'comparison')),
    study text,
    experiment text,
    treatment text not null,
    versus text not null,
    n_arms integer,
    n_studies integer,
    estimate double,
    std_error double,
    ci_lower double,
    ci_upper double,
    lower double,
    lower_decision text,
    upper double,
    upper_decision text,
    invariant_lower double,
    invariant_upper double,
    nearest double,
    plausible_bias double,
    refitted boolean not null,
    refitted_lower double,
    refitted_lower_decision text,
    refitted_upper double,
    refitted_upper_decision text
);
comment on table result_threshold is 'Change of what studies found at which another decision would be taken, tau held as it was found. Written by the analysis.';
comment on column result_threshold.run_id is 'Analysis run the row belongs to. Written by the analysis.';
comment on column result_threshold.engine is 'Engine that computed it, see table engine. Written by the analysis.';
comment on column result_threshold.model is 'common or random effects. Written by the analysis.';
comment on column result_threshold.decision is 'What is decided: best, top 2, important 0.5, or a claim; margins on the analysis scale. Written by the analysis.';
comment on column result_threshold.decided is 'The decision on the data as they are: treatments with commas between; of a claim holds or does not hold. Written by the analysis.';
comment on column result_threshold.level is 'What would change: a study''s effect, or all that studies say of one comparison. Written by the analysis.';
comment on column result_threshold.study is 'Study; empty for comparisons. Written by the analysis.';
comment on column result_threshold.experiment is 'Experiment of the study. Written by the analysis.';
comment on column result_threshold.treatment is 'Treatment of the effect, A in A minus versus; in a study of several arms the arm that changes against all its others. Written by the analysis.';
comment on column result_threshold.versus is 'Comparator; in a study of several arms the one that the estimate is given against. Written by the analysis.';
comment on column result_threshold.n_arms is 'Arms of the study. Written by the analysis.';
comment on column result_threshold.n_studies is 'Studies that make the comparison. Written by the analysis.';
comment on column result_threshold.estimate is 'The study''s effect, or the direct estimate, on the analysis scale (natural log for ratios). Written by the analysis.';
comment on column result_threshold.std_error is 'Its standard error, which stays as it is. Written by the analysis.';
comment on column result_threshold.ci_lower is 'Lower end of its 95 % interval. Written by the analysis.';
comment on column result_threshold.ci_upper is 'Upper end of its 95 % interval. Written by the analysis.';
comment on column result_threshold.lower is 'Change below 0 at which another decision would be taken; empty where none would. Written by the analysis.';
comment on column result_threshold.lower_decision is 'Decision beyond it. Written by the analysis.';
comment on column result_threshold.upper is 'Change above 0 at which another decision would be taken; empty where none would. Written by the analysis.';
comment on column result_threshold.upper_decision is 'Decision beyond it. Written by the analysis.';
comment on column result_threshold.invariant_lower is 'Estimate at the lower threshold: the invariant interval''s lower end. Written by the analysis.';
comment on column result_threshold.invariant_upper is 'Estimate at the upper threshold: the invariant interval''s upper end. Written by the analysis.';
comment on column result_threshold.nearest is 'The smaller of both changes, without its sign; empty where there is neither. Written by the analysis.';
comment on column result_threshold.plausible_bias is 'Bias that a study may well have, if one was named. Written by the analysis.';
comment on column result_threshold.refitted is 'Whether the thresholds were sought again with tau estimated anew. Written by the analysis.';
comment on column result_threshold.refitted_lower is 'Lower threshold with tau estimated anew; empty where there is none within ten times the largest effect of a study. Written by the analysis.';
comment on column result_threshold.refitted_lower_decision is 'Decision beyond it. Written by the analysis.';
comment on column result_threshold.refitted_upper is 'Upper threshold with tau estimated anew; empty as that. Written by the analysis.';
comment on column result_threshold.refitted_upper_decision is 'Decision beyond it. Written by the analysis.';

create table result_note (
    run_id text not null references result_run (run_id),
    severity text not null check (severity in ('info', 'warning')),
    message text not null
);
comment on table result_note is 'What a run has to say about itself. Written by the analysis.';
comment on column result_note.run_id is 'Analysis run the row belongs to. Written by the analysis.';
comment on column result_note.severity is 'info or warning. Written by the analysis.';
comment on column result_note.message is 'Message. Written by the analysis.';
