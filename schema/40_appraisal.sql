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
comment on table rob_judgement is 'Risk of bias as judged. One row per study, item and assessor, and per outcome where the judgement depends on it.';
comment on column rob_judgement.rob_judgement_id is 'Number of the row in risk_of_bias.csv. Written by the build.';
comment on column rob_judgement.study is 'Study. Short name from studies.csv.';
comment on column rob_judgement.tool is 'Instrument. A tool of rob_tool.';
comment on column rob_judgement.item is 'Item judged. A key of rob_item.';
comment on column rob_judgement.judgement is 'Judgement. A key of rob_answer.';
comment on column rob_judgement.support is 'What it rests on. A quotation or a sentence, with its page.';
comment on column rob_judgement.assessor is 'Who judged. Initials; consensus for what two agreed on.';
comment on column rob_judgement.outcome is 'Outcome the judgement is for; empty for all. Short name from outcomes.csv.';
comment on column rob_judgement.source_file is 'File of the review folder that the row was loaded from. Written by the build.';
comment on column rob_judgement.source_line is 'Line of that file on which the row begins; the header is line 1. Written by the build.';
