-- How the studies were found: searches, records, screening decisions, or the boxes of a flow diagram typed in.

create table search (
    search text primary key,
    source text not null,
    date date,
    query text,
    hits bigint check (hits >= 0),
    source_file text not null,
    source_line integer not null
);

create table record (
    record text primary key,
    search text references search (search),
    doi text,
    pmid text,
    title text,
    authors text,
    journal text,
    year integer,
    duplicate_of text,
    study text references study (study),
    source_file text not null,
    source_line integer not null
);

create table screening (
    record text not null references record (record),
    stage text not null check (stage in ('title_abstract', 'full_text')),
    reviewer text not null,
    decision text not null check (decision in ('include', 'exclude', 'unclear', 'not_retrieved')),
    reason text,
    source_file text not null,
    source_line integer not null,
    primary key (record, stage, reviewer)
);

create table flow (
    box text not null references prisma_box (box),
    n bigint check (n >= 0),
    reason text,
    source_file text not null,
    source_line integer not null
);
