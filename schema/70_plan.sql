-- The protocol's plan: one row per planned analysis, compiled from review.toml.

create table plan (
    analysis text primary key,
    position integer not null,
    kind text not null check (kind in ('pairwise', 'network')),
    outcome text not null references outcome (outcome),
    measure text not null references effect_measure (measure),
    treatment text references treatment (treatment),
    versus text references treatment (treatment),
    reference text references treatment (treatment),
    treatments text,
    timepoint text not null default 'last',
    engine text not null default 'frequentist',
    model text not null default 'both' check (model in ('common', 'random', 'both')),
    tau2 text not null default 'REML',
    ci text not null default 'HK',
    tau_prior text,
    effect_prior_sd double check (effect_prior_sd > 0),
    subgroup text,
    where_sql text,
    smd text not null default 'd' check (smd in ('d', 'g')),
    node_split boolean not null default false,
    leave_one_out boolean not null default false,
    seed bigint not null default 1,
    origin text not null check (origin in ('plan', 'default'))
);
