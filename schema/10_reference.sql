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
comment on table unit is 'Units that convert into each other. Reference data; a review adds its own in units.csv.';
comment on column unit.unit is 'Unit as it is written in a review. Letters, case and slash count: ng/mL, not ng/ml.';
comment on column unit.dimension is 'Quantity it measures: only units of one dimension convert into each other. Fold change, relative mRNA and relative protein are dimensions of their own.';
comment on column unit.factor is 'Size of the unit in the base unit of its dimension: value in b = value in a x factor of a / factor of b. A pure factor; no unit whose conversion has an offset or depends on a substance belongs here.';
comment on column unit.label is 'Name in words. Singular.';
comment on column unit.note is 'Caveat. What the factor does not cover, such as temperature or method.';
comment on column unit.source is 'Where the factor stands. Citation.';

create table effect_measure (
    measure text primary key,
    label text not null,
    kind text not null check (kind in ('continuous', 'binary', 'rate', 'time_to_event')),
    scale text not null check (scale in ('additive', 'log')),
    higher_is_better boolean,
    formula text,
    reference text
);
comment on table effect_measure is 'Measures of a treatment''s effect. Reference data.';
comment on column effect_measure.measure is 'Abbreviation. As metafor and meta write it.';
comment on column effect_measure.label is 'Name in words. Reference data.';
comment on column effect_measure.kind is 'Kind of outcome it is for. continuous, binary, rate or time_to_event.';
comment on column effect_measure.scale is 'Scale it is analysed on. log for ratios: estimates are natural logarithms.';
comment on column effect_measure.higher_is_better is 'Empty: direction of benefit belongs to the outcome. Reference data.';
comment on column effect_measure.formula is 'How it is computed from two arms, a minus b. Reference data.';
comment on column effect_measure.reference is 'Where the formula stands. Citation.';

create table column_alias (
    file text not null,
    alias text not null,
    column_name text not null,
    tool text not null,
    note text,
    primary key (file, alias, tool)
);
comment on table column_alias is 'Names that other tools give to a column. Reference data, read by the importers.';
comment on column column_alias.file is 'Shape of the table: arm level or contrast level. Reference data.';
comment on column column_alias.alias is 'Name of the column there; case does not matter. Reference data.';
comment on column column_alias.column_name is 'Column of a review folder it stands for. Reference data.';
comment on column column_alias.tool is 'Tool whose name it is. Reference data.';
comment on column column_alias.note is 'What to look out for. Reference data.';

create table missing_code (
    code text primary key,
    meaning text not null check (meaning in ('not reported', 'not applicable', 'unclear'))
);
comment on table missing_code is 'Codes that say why a cell is empty. Reference data.';
comment on column missing_code.code is 'Code as typed in a cell. An empty cell is simply missing.';
comment on column missing_code.meaning is 'not reported, not applicable or unclear. Stays apart from the others in missing_value.';

create table rob_tool (
    tool text primary key,
    label text not null,
    citation text not null
);
comment on table rob_tool is 'Instruments for risk of bias. Reference data.';
comment on column rob_tool.tool is 'Short name. As in risk_of_bias.csv.';
comment on column rob_tool.label is 'Full name. Reference data.';
comment on column rob_tool.citation is 'Paper that defines it. Reference data.';

create table rob_item (
    tool text not null references rob_tool (tool),
    item text not null,
    position integer not null,
    domain text not null,
    label text not null,
    question text,
    primary key (tool, item)
);
comment on table rob_item is 'Items or domains that an instrument judges. Reference data.';
comment on column rob_item.tool is 'Instrument. Reference data.';
comment on column rob_item.item is 'Key of the item: its number in SYRCLE''s tool, D1, D2 ... and Overall in the others. As in risk_of_bias.csv.';
comment on column rob_item.position is 'Order in the instrument, from 1. Reference data.';
comment on column rob_item.domain is 'Domain or type of bias. SYRCLE''s ten items fall into six types.';
comment on column rob_item.label is 'Name of the item. Reference data.';
comment on column rob_item.question is 'Signalling question, where one settles the item. Reference data.';

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
comment on table rob_answer is 'Judgements an instrument knows. Reference data.';
comment on column rob_answer.tool is 'Instrument. Reference data.';
comment on column rob_answer.judgement is 'Key of the judgement. As in risk_of_bias.csv.';
comment on column rob_answer.label is 'Name of the judgement. Reference data.';
comment on column rob_answer.severity is 'Order from 1 (low) up; empty where nothing can be said. Reference data.';
comment on column rob_answer.symbol is 'Symbol in a traffic-light plot; it carries the meaning, colour repeats it. Reference data.';
comment on column rob_answer.color is 'Colour of the Cochrane set. Reference data.';
comment on column rob_answer.color_blind_safe is 'Colour of a set that colour-blind readers can tell apart. Reference data.';

create table prisma_box (
    box text primary key,
    position integer not null,
    section text not null,
    label text not null
);
comment on table prisma_box is 'Boxes of the PRISMA 2020 flow diagram. Reference data (Page et al. 2021, BMJ 372:n71).';
comment on column prisma_box.box is 'Key of the box, as in the PRISMA2020 package. As in flow.csv.';
comment on column prisma_box.position is 'Order in the diagram, from 1. Reference data.';
comment on column prisma_box.section is 'identification, screening or included. Reference data.';
comment on column prisma_box.label is 'Text of the box. Reference data.';
