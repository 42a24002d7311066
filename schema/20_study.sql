-- The review, its studies and what describes them.

create table review (
    review text primary key,
    title text not null,
    question text,
    citation text,
    licence text,
    source text,
    language text,
    synthetic boolean not null default false
);
comment on table review is 'The review: one row. From review.toml.';
comment on column review.review is 'Name of the review folder. Written by the build.';
comment on column review.title is 'Title. title in review.toml.';
comment on column review.question is 'Question it asks. Population, intervention, comparison, outcome in one sentence.';
comment on column review.citation is 'Publication the data come from. Full citation with doi.';
comment on column review.licence is 'Terms under which the data may be used. As the source states them.';
comment on column review.source is 'Where the numbers were taken from. File or package with version.';
comment on column review.language is 'Language of the report''s fixed texts. en, de, fr, es or zh; English where there is none.';
comment on column review.synthetic is 'The data are simulated, and no report may hide it. true for generated reviews.';

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
comment on table study is 'Studies. One row per study, not per publication: several reports of one experiment are one study.';
comment on column study.study is 'Short name, the key everywhere. First author and year; a letter where two would be the same.';
comment on column study.label is 'Name in tables and figures. Empty stands for the short name.';
comment on column study.year is 'Year of the first publication. Four digits.';
comment on column study.design is 'Design. For example randomised trial, controlled animal experiment.';
comment on column study.species is 'Species. One word, the same in every study: mouse, rat.';
comment on column study.strain is 'Strain or breed. As the supplier writes it: C57BL/6.';
comment on column study.sex is 'Sex of the participants or animals. male, female, both, or NR.';
comment on column study.age is 'Age as printed. With its unit.';
comment on column study.weight is 'Body weight as printed. With its unit.';
comment on column study.model is 'Disease model, or condition of the patients. Inducer, dose and route in one phrase.';
comment on column study.country is 'Country where it was done. English name; NA means not applicable, not Namibia.';
comment on column study.source_file is 'File of the review folder that the row was loaded from. Written by the build.';
comment on column study.source_line is 'Line of that file on which the row begins; the header is line 1. Written by the build.';

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
comment on table report is 'Publications of the studies. One row per publication.';
comment on column report.report_id is 'Number of the row in reports.csv. Written by the build.';
comment on column report.study is 'Study it reports. Short name from studies.csv.';
comment on column report.doi is 'Digital object identifier. Begins with 10.';
comment on column report.pmid is 'PubMed identifier. Digits alone.';
comment on column report.title is 'Title. As printed.';
comment on column report.authors is 'Authors. Separated by semicolons.';
comment on column report.journal is 'Journal, volume and pages. As printed.';
comment on column report.year is 'Year of publication. Four digits.';
comment on column report.url is 'Where it can be read. Leave empty where there is a doi.';
comment on column report.source_file is 'File of the review folder that the row was loaded from. Written by the build.';
comment on column report.source_line is 'Line of that file on which the row begins; the header is line 1. Written by the build.';

create table characteristic (
    study text not null references study (study),
    characteristic text not null,
    value text not null,
    source_file text not null,
    source_line integer not null,
    primary key (study, characteristic)
);
comment on table characteristic is 'Further characteristics of the studies. Every column of studies.csv that is not a column of study.';
comment on column characteristic.study is 'Study. Short name.';
comment on column characteristic.characteristic is 'Name of the column. Header in studies.csv.';
comment on column characteristic.value is 'Its value. Text; the same word for the same thing, since each value is a subgroup.';
comment on column characteristic.source_file is 'File of the review folder that the row was loaded from. Written by the build.';
comment on column characteristic.source_line is 'Line of that file on which the row begins; the header is line 1. Written by the build.';

create table variable (
    variable text primary key,
    type text not null check (type in ('numeric', 'category')),
    declared boolean not null,
    files text not null
);
comment on table variable is 'What describes studies, arms, measurements and reported contrasts, and can be a moderator, a subgroup or a condition. One row per name; written by the build.';
comment on column variable.variable is 'Name of the column. Header in the file.';
comment on column variable.type is 'numeric: every value is a number, and a moderator has a slope; category: each value is a level. Declared under [variables] in review.toml, else found from the cells.';
comment on column variable.declared is 'Whether review.toml says the type. Without it, all values being numbers makes a variable numeric.';
comment on column variable.files is 'Files that have the column, comma separated. Written by the build.';

create table variable_unit (
    variable text not null,
    unit text not null,
    converted_unit text not null,
    factor double not null,
    primary key (variable, unit)
);
comment on table variable_unit is 'Units of variables that are converted into another, which most values of the same dimension have. Written by the build from a column and the one beside it that ends in _unit (dose, dose_unit).';
comment on column variable_unit.variable is 'The variable. Header of its column.';
comment on column variable_unit.unit is 'Unit as typed. From the column of units.';
comment on column variable_unit.converted_unit is 'Unit that moderators, subgroups and conditions have. Written by the build.';
comment on column variable_unit.factor is 'What values are multiplied by. From the table unit.';

-- Cells that say why they are empty: not reported, not applicable, unclear.
create table missing_value (
    source_file text not null,
    source_line integer not null,
    column_name text not null,
    study text,
    code text not null references missing_code (code),
    primary key (source_file, source_line, column_name)
);
comment on table missing_value is 'Cells that say why they hold no value. A code from missing_code in a column of numbers or names.';
comment on column missing_value.source_file is 'File of the review folder that the row was loaded from. Written by the build.';
comment on column missing_value.source_line is 'Line of that file on which the row begins; the header is line 1. Written by the build.';
comment on column missing_value.column_name is 'Column of the cell. Written by the build.';
comment on column missing_value.study is 'Study of the row. Written by the build.';
comment on column missing_value.code is 'Code as typed. Written by the build.';
