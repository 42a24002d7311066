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
    synthetic boolean not null default false
);

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
    n_studies bigint,
    subgroup text,
    level text
);

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
    q double,
    df double,
    p_value double
);

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

create table result_rank_probability (
    run_id text not null references result_run (run_id),
    engine text not null,
    model text not null,
    treatment text not null,
    rank integer not null,
    probability double,
    std_error double
);

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
    q double,
    df double,
    p_value double,
    note text
);

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

create table result_convergence (
    run_id text not null references result_run (run_id),
    model text not null,
    parameter text not null,
    iteration bigint not null,
    psrf double,
    psrf_upper double
);

create table result_fit (
    run_id text not null references result_run (run_id),
    engine text not null,
    model text not null,
    study text,
    quantity text not null,
    value double,
    note text
);

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

create table result_note (
    run_id text not null references result_run (run_id),
    severity text not null check (severity in ('info', 'warning')),
    message text not null
);
