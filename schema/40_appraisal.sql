-- Risk of bias as judged, one row per study, item, outcome and assessor.

create table rob_judgement (
    rob_judgement_id bigint primary key,
    study text not null references study (study),
    tool text not null references rob_tool (tool),
    item text not null,
    judgement text not null,
    support text,
    assessor text not null default 'assessor',
    outcome text references outcome (outcome),
    source_file text not null,
    source_line integer not null,
    foreign key (tool, item) references rob_item (tool, item),
    foreign key (tool, judgement) references rob_answer (tool, judgement)
);
