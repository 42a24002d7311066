-- What changed between two states of a review. Filled by `evidence diff OLD NEW -o FILE` and reports `--since`.

create table change_state (
    side text primary key check (side in ('old', 'new')),
    name text not null,
    title text not null,
    content_hash text,
    package_version text,
    duckdb_version text,
    n_study bigint not null,
    n_arm bigint not null,
    n_measurement bigint not null,
    n_reported_contrast bigint not null,
    n_rob_judgement bigint not null,
    n_record bigint not null,
    n_result_run bigint not null,
    n_refused bigint not null
);

create table change_evidence (
    change_id bigint primary key,
    table_name text not null,
    row_key text not null,
    change text not null check (change in ('added', 'removed', 'changed', 'relabelled', 'converted')),
    column_name text,
    before text,
    after text,
    source_file text,
    source_line integer,
    old_file text,
    old_line integer,
    study text,
    outcome text,
    arm text
);

create table change_result (
    change_id bigint primary key,
    analysis text not null,
    kind text not null check (kind in ('pairwise', 'network')),
    outcome text not null,
    change text not null check (change in ('added', 'removed', 'changed')),
    quantity text not null,
    model text,
    treatment text,
    versus text,
    evidence text,
    level text,
    main boolean not null,
    measure_before text,
    measure_after text,
    unit_before text,
    unit_after text,
    factor double not null,
    before double,
    before_lower double,
    before_upper double,
    after double,
    after_lower double,
    after_upper double,
    run_before text,
    run_after text
);

create table change_conclusion (
    change_id bigint primary key,
    kind text not null check (
        kind in ('analysis', 'effect', 'importance', 'best', 'order', 'claim', 'audit')
    ),
    analysis text,
    outcome text,
    treatment text,
    versus text,
    about text not null,
    before text,
    after text,
    sentence_before text,
    sentence_after text,
    run_before text,
    run_after text
);

create table change_because (
    change_id bigint primary key,
    analysis text not null,
    quantity text not null,
    model text,
    treatment text,
    versus text,
    evidence text,
    level text,
    main boolean not null,
    movement double,
    set_number bigint,
    position bigint not null,
    because text not null,
    part double,
    method text not null check (
        method in ('Shapley', 'without it', 'remainder', 'names and units', 'chains', 'alone', 'together')
    ),
    changed_table text,
    study text,
    outcome text,
    arm text,
    n_changes bigint,
    n_refits bigint not null,
    note text
);

comment on table change_state is 'Both states that were compared. Empty in a file that was built; written by the comparison.';
comment on column change_state.side is 'old or new: which this file is of. Written by the comparison.';
comment on column change_state.name is 'What it was called by: a folder, file, bundled name, or REVIEW@REVISION. Written by the comparison.';
comment on column change_state.title is 'Title of the review. Written by the comparison.';
comment on column change_state.content_hash is 'Hash of its content, see build_info. Written by the comparison.';
comment on column change_state.package_version is 'Version of this package that built it. Written by the comparison.';
comment on column change_state.duckdb_version is 'Version of DuckDB that built it. Written by the comparison.';
comment on column change_state.n_study is 'Studies. Written by the comparison.';
comment on column change_state.n_arm is 'Arms. Written by the comparison.';
comment on column change_state.n_measurement is 'Measurements. Written by the comparison.';
comment on column change_state.n_reported_contrast is 'Contrasts reported as such. Written by the comparison.';
comment on column change_state.n_rob_judgement is 'Judgements of risk of bias. Written by the comparison.';
comment on column change_state.n_record is 'Records found. Written by the comparison.';
comment on column change_state.n_result_run is 'Analyses carried out. Written by the comparison.';
comment on column change_state.n_refused is 'Planned analyses that were refused. Written by the comparison.';

comment on table change_evidence is 'Rows and cells of the review folder that differ between two states, matched by what they are. Written by the comparison.';
comment on column change_evidence.change_id is 'Number, in the order of files and keys. Written by the comparison.';
comment on column change_evidence.table_name is 'Table of the row. Written by the comparison.';
comment on column change_evidence.row_key is 'The row in words: study, arm, outcome, time point; in the new names, but of a removed row. Written by the comparison.';
comment on column change_evidence.change is 'added, removed, changed, relabelled (a name became another) or converted (the same in another unit). Written by the comparison.';
comment on column change_evidence.column_name is 'The cell; empty for a whole row. Written by the comparison.';
comment on column change_evidence.before is 'What stood there; of a removed row what it said. Written by the comparison.';
comment on column change_evidence.after is 'What stands there; of an added row what it says. Written by the comparison.';
comment on column change_evidence.source_file is 'File it stands in now, or stood in. Written by the comparison.';
comment on column change_evidence.source_line is 'Line there; empty for review.toml. Written by the comparison.';
comment on column change_evidence.old_file is 'File it stood in; empty of what is new. Written by the comparison.';
comment on column change_evidence.old_line is 'Line there. Written by the comparison.';
comment on column change_evidence.study is 'Study it is of, if of one. Written by the comparison.';
comment on column change_evidence.outcome is 'Outcome it is of, if of one. Written by the comparison.';
comment on column change_evidence.arm is 'Arm it is of, if of one. Written by the comparison.';

comment on table change_result is 'Numbers of planned analyses that differ between two states. Written by the comparison.';
comment on column change_result.change_id is 'Number, in the order of the plan. Written by the comparison.';
comment on column change_result.analysis is 'Planned analysis, by its new name. Written by the comparison.';
comment on column change_result.kind is 'pairwise or network. Written by the comparison.';
comment on column change_result.outcome is 'Outcome. Written by the comparison.';
comment on column change_result.change is 'changed, added or removed. Written by the comparison.';
comment on column change_result.quantity is 'estimate, tau, i2, mean_rank, sucra, p_score, p_best or n_studies. Written by the comparison.';
comment on column change_result.model is 'common or random. Written by the comparison.';
comment on column change_result.treatment is 'Treatment. Written by the comparison.';
comment on column change_result.versus is 'Its comparator. Written by the comparison.';
comment on column change_result.evidence is 'network, direct or indirect; see result_estimate. Written by the comparison.';
comment on column change_result.level is 'Level of the subgroup. Written by the comparison.';
comment on column change_result.main is 'Whether a summary of the analysis shows it: the main model, all studies, against the reference. Written by the comparison.';
comment on column change_result.measure_before is 'Effect measure before. Written by the comparison.';
comment on column change_result.measure_after is 'Effect measure after. Written by the comparison.';
comment on column change_result.unit_before is 'Unit of the numbers before; empty for ratios and SMD. Written by the comparison.';
comment on column change_result.unit_after is 'Unit of the numbers after. Written by the comparison.';
comment on column change_result.factor is 'By what numbers before are multiplied to be in the unit of those after: 1 where that is the same. Written by the comparison.';
comment on column change_result.before is 'Number before, on the analysis scale. Written by the comparison.';
comment on column change_result.before_lower is 'Lower end of its interval. Written by the comparison.';
comment on column change_result.before_upper is 'Upper end of its interval. Written by the comparison.';
comment on column change_result.after is 'Number after, on the analysis scale. Written by the comparison.';
comment on column change_result.after_lower is 'Lower end of its interval. Written by the comparison.';
comment on column change_result.after_upper is 'Upper end of its interval. Written by the comparison.';
comment on column change_result.run_before is 'Run of the old state, which is not in this file. Written by the comparison.';
comment on column change_result.run_after is 'Run of this file, see result_run. Written by the comparison.';

comment on table change_conclusion is 'Conclusions that turned between two states, each with its sentence before and after. Written by the comparison.';
comment on column change_conclusion.change_id is 'Number, in the order of print. Written by the comparison.';
comment on column change_conclusion.kind is 'analysis, effect, importance (the smallest important difference), best, order, claim or audit. Written by the comparison.';
comment on column change_conclusion.analysis is 'Planned analysis, by its new name. Written by the comparison.';
comment on column change_conclusion.outcome is 'Outcome. Written by the comparison.';
comment on column change_conclusion.treatment is 'Treatment, if of one. Written by the comparison.';
comment on column change_conclusion.versus is 'The other treatment. Written by the comparison.';
comment on column change_conclusion.about is 'What it is about, in words; a claim, or the study of an audit. Written by the comparison.';
comment on column change_conclusion.before is 'State it was in; empty where there was none. Written by the comparison.';
comment on column change_conclusion.after is 'State it is in; empty where there is none. Written by the comparison.';
comment on column change_conclusion.sentence_before is 'As the report said it. Written by the comparison.';
comment on column change_conclusion.sentence_after is 'As the report says it. Written by the comparison.';
comment on column change_conclusion.run_before is 'Run of the old state, which is not in this file. Written by the comparison.';
comment on column change_conclusion.run_after is 'Run of this file, see result_run. Written by the comparison.';

comment on table change_because is 'Numbers and conclusions that moved, attributed to what changed by exact refits. Written by the comparison.';
comment on column change_because.change_id is 'Number, in the order of the plan. Written by the comparison.';
comment on column change_because.analysis is 'Planned analysis, by its new name. Written by the comparison.';
comment on column change_because.quantity is 'Quantity of change_result, or effect, importance, best or order: the kind of a conclusion. Written by the comparison.';
comment on column change_because.model is 'common or random; empty of a conclusion. Written by the comparison.';
comment on column change_because.treatment is 'Treatment. Written by the comparison.';
comment on column change_because.versus is 'Its comparator, or the other treatment. Written by the comparison.';
comment on column change_because.evidence is 'network, direct or indirect; see result_estimate. Written by the comparison.';
comment on column change_because.level is 'Level of the subgroup. Written by the comparison.';
comment on column change_because.main is 'Whether a summary of the analysis shows it. Written by the comparison.';
comment on column change_because.movement is 'Number after less number before, in the unit after, on the analysis scale; empty of a conclusion. Written by the comparison.';
comment on column change_because.set_number is 'Of a conclusion: which of the smallest sets of changes that turn it the row is of. Written by the comparison.';
comment on column change_because.position is 'Place among the parts, the largest first; or within the set. Written by the comparison.';
comment on column change_because.because is 'The changes: a study, a cell where one study alone changed, or a row of another table; else what the rest is. Written by the comparison.';
comment on column change_because.part is 'Its part of the movement: the parts sum to it; empty of a conclusion. Written by the comparison.';
comment on column change_because.method is 'Shapley (all subsets refitted), without it (one at a time), remainder, names and units, chains; of a conclusion alone or together. Written by the comparison.';
comment on column change_because.changed_table is 'Table of the row that changed; study for all rows of a study. Written by the comparison.';
comment on column change_because.study is 'Study that changed. Written by the comparison.';
comment on column change_because.outcome is 'Outcome, of a cell or row of one. Written by the comparison.';
comment on column change_because.arm is 'Arm, of a cell of one. Written by the comparison.';
comment on column change_because.n_changes is 'Rows of change_evidence that it stands for. Written by the comparison.';
comment on column change_because.n_refits is 'Refits behind it. Written by the comparison.';
comment on column change_because.note is 'Why a number has a remainder, or what was not tried. Written by the comparison.';
