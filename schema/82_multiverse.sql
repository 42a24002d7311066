-- Every defensible analysis of a planned question: rows of `evidence multiverse` and of the analysis of that name.

create table result_multiverse (
    run_id text not null references result_run (run_id),
    cell bigint not null,
    planned boolean not null,
    measure text not null,
    model text,
    treatment text,
    versus text,
    estimate double,
    std_error double,
    ci_lower double,
    ci_upper double,
    p_value double,
    tau double,
    n_studies bigint,
    conclusion text check (conclusion in ('above', 'below', 'not clear', 'not drawn')),
    rank bigint,
    sucra double,
    best text,
    options text not null,
    refused text
);
comment on table result_multiverse is 'Cells of a multiverse: one row a cell, treatment and comparator. Written by the analysis.';
comment on column result_multiverse.run_id is 'Analysis run the row belongs to. Written by the analysis.';
comment on column result_multiverse.cell is 'Number of the cell, from 1, the planned one. Written by the analysis.';
comment on column result_multiverse.planned is 'The cell that the plan has. Written by the analysis.';
comment on column result_multiverse.measure is 'Effect measure of the cell. Written by the analysis.';
comment on column result_multiverse.model is 'common or random effects; empty where the cell has no estimate. Written by the analysis.';
comment on column result_multiverse.treatment is 'Treatment. Written by the analysis.';
comment on column result_multiverse.versus is 'Comparator. Written by the analysis.';
comment on column result_multiverse.estimate is 'Effect of treatment minus comparator, on the analysis scale of the measure (natural log for ratios). Written by the analysis.';
comment on column result_multiverse.std_error is 'Standard error, or posterior standard deviation. Written by the analysis.';
comment on column result_multiverse.ci_lower is 'Lower limit of the 95 % interval. Written by the analysis.';
comment on column result_multiverse.ci_upper is 'Upper limit of the 95 % interval. Written by the analysis.';
comment on column result_multiverse.p_value is 'p-value, or twice the smaller posterior probability on either side of no effect. Written by the analysis.';
comment on column result_multiverse.tau is 'Between-study standard deviation; posterior median of a Bayesian cell; 0 with common effects. Written by the analysis.';
comment on column result_multiverse.n_studies is 'Studies in the cell. Written by the analysis.';
comment on column result_multiverse.conclusion is 'What the interval says of no effect; not drawn where it does not carry a conclusion. Written by the analysis.';
comment on column result_multiverse.rank is 'Rank of the treatment in the network, 1 the best. Written by the analysis.';
comment on column result_multiverse.sucra is 'SUCRA, or P-score, of the treatment, 0 to 1. Written by the analysis.';
comment on column result_multiverse.best is 'Treatment that ranks first. Written by the analysis.';
comment on column result_multiverse.options is 'What the cell changes of the planned options, as JSON. Written by the analysis.';
comment on column result_multiverse.refused is 'Why the cell has no estimate. Written by the analysis.';

create table result_multiverse_choice (
    run_id text not null references result_run (run_id),
    cell bigint not null,
    choice text not null,
    level text not null,
    position bigint not null,
    reason text
);
comment on table result_multiverse_choice is 'How each cell of a multiverse decides: one row a cell and choice. Written by the analysis.';
comment on column result_multiverse_choice.run_id is 'Analysis run the row belongs to. Written by the analysis.';
comment on column result_multiverse_choice.cell is 'Cell. Written by the analysis.';
comment on column result_multiverse_choice.choice is 'What could have been decided otherwise. Written by the analysis.';
comment on column result_multiverse_choice.level is 'How the cell decides it. Written by the analysis.';
comment on column result_multiverse_choice.position is 'Place of the level among those of its choice, 1 the planned one. Written by the analysis.';
comment on column result_multiverse_choice.reason is 'Why it can be defended; empty for the planned one. Written by the analysis.';
