-- What a publication printed: estimates, counts and claims, each with its place.

create table published_estimate (
    published_estimate_id bigint primary key,
    publication text not null,
    outcome text,
    treatment text not null,
    versus text,
    measure text,
    kind text not null,
    estimate double,
    ci_lower double,
    ci_upper double,
    std_error double,
    significant boolean,
    n_studies bigint,
    unit text,
    locator text,
    note text,
    source_file text not null,
    source_line integer not null
);

create table published_count (
    published_count_id bigint primary key,
    publication text not null,
    variable text not null,
    level text not null,
    statistic text not null default 'count',
    value double,
    value_text text,
    denominator double,
    unit text,
    locator text,
    note text,
    source_file text not null,
    source_line integer not null
);

create table claim (
    claim text primary key,
    publication text,
    text text not null,
    query text,
    operator text check (operator in ('=', '<>', '<', '<=', '>', '>=', 'between', 'is empty', 'is true', 'is false')),
    expected text,
    tolerance double check (tolerance >= 0),
    needs text,
    locator text,
    source_file text not null,
    source_line integer not null
);
