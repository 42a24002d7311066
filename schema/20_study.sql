-- The review, its studies and what describes them.

create table review (
    review text primary key,
    title text not null,
    question text,
    citation text,
    licence text,
    source text,
    synthetic boolean not null default false
);

create table study (
    study text primary key,
    label text not null,
    year integer check (year between 1800 and 2200),
    design text,
    species text,
    strain text,
    sex text,
    age text,
    weight text,
    model text,
    country text,
    source_file text not null,
    source_line integer not null
);

create table report (
    report_id bigint primary key,
    study text not null references study (study),
    doi text,
    pmid text,
    title text,
    authors text,
    journal text,
    year integer check (year between 1800 and 2200),
    url text,
    source_file text not null,
    source_line integer not null
);

create table characteristic (
    study text not null references study (study),
    characteristic text not null,
    value text not null,
    source_file text not null,
    source_line integer not null,
    primary key (study, characteristic)
);

-- Cells that say why they are empty: not reported, not applicable, unclear.
create table missing_value (
    source_file text not null,
    source_line integer not null,
    column_name text not null,
    study text,
    code text not null references missing_code (code),
    primary key (source_file, source_line, column_name)
);
