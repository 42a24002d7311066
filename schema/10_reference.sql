-- Reference data: what a review may refer to. Filled from schema/reference/*.csv, same for every review
-- (units may be extended by a review's own units.csv).

create table unit (
    unit text primary key,
    dimension text not null,
    factor double not null check (factor > 0),
    label text,
    note text,
    source text
);

create table effect_measure (
    measure text primary key,
    label text not null,
    kind text not null check (kind in ('continuous', 'binary', 'rate', 'time_to_event')),
    scale text not null check (scale in ('additive', 'log')),
    higher_is_better boolean,
    formula text,
    reference text
);

create table column_alias (
    file text not null,
    alias text not null,
    column_name text not null,
    tool text not null,
    note text,
    primary key (file, alias, tool)
);

create table missing_code (
    code text primary key,
    meaning text not null check (meaning in ('not reported', 'not applicable', 'unclear'))
);

create table rob_tool (
    tool text primary key,
    label text not null,
    citation text not null
);

create table rob_item (
    tool text not null references rob_tool (tool),
    item text not null,
    position integer not null,
    domain text not null,
    label text not null,
    question text,
    primary key (tool, item)
);

create table rob_answer (
    tool text not null references rob_tool (tool),
    judgement text not null,
    label text not null,
    severity integer,
    symbol text not null,
    color text not null,
    color_blind_safe text not null,
    primary key (tool, judgement)
);

create table prisma_box (
    box text primary key,
    position integer not null,
    section text not null,
    label text not null
);
