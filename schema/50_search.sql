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
comment on table search is 'Searches. One row per database and day.';
comment on column search.search is 'Short name. Empty stands for database and date.';
comment on column search.source is 'Database or register searched. Column database of searches.csv.';
comment on column search.date is 'Day of the search. Year-month-day.';
comment on column search.query is 'Query as typed there. Whole, so that somebody else can run it.';
comment on column search.hits is 'Number of records found. Before duplicates were removed.';
comment on column search.source_file is 'File of the review folder that the row was loaded from. Written by the build.';
comment on column search.source_line is 'Line of that file on which the row begins; the header is line 1. Written by the build.';

create table record (
    record text primary key,
    search text references search (search),
    doi text,
    pmid text,
    title text,
    authors text,
    journal text,
    year integer,
    type text,
    volume text,
    issue text,
    pages text,
    abstract text,
    keywords text,
    url text,
    duplicate_of text,
    study text references study (study),
    source_file text not null,
    source_line integer not null
);
comment on table record is 'Records found by the searches. One row per record as exported, duplicates included.';
comment on column record.record is 'Key of the record. Identifier of the reference manager.';
comment on column record.search is 'Search that found it. Short name from searches.csv.';
comment on column record.doi is 'Digital object identifier. Begins with 10.';
comment on column record.pmid is 'PubMed identifier. Digits alone.';
comment on column record.title is 'Title. As exported.';
comment on column record.authors is 'Authors. Separated by semicolons.';
comment on column record.journal is 'Journal. As exported.';
comment on column record.year is 'Year of publication. Four digits.';
comment on column record.type is 'Kind of publication. In words: journal article, conference paper, book chapter.';
comment on column record.volume is 'Volume. As exported.';
comment on column record.issue is 'Issue. As exported.';
comment on column record.pages is 'Pages, or the number of the article. First and last page, with a hyphen between.';
comment on column record.abstract is 'Abstract. As exported, in one line.';
comment on column record.keywords is 'Keywords. Separated by semicolons.';
comment on column record.url is 'Address. As exported.';
comment on column record.duplicate_of is 'Record that was kept in its place. Empty if this one was kept.';
comment on column record.study is 'Study it became, if it was included. Short name from studies.csv.';
comment on column record.source_file is 'File of the review folder that the row was loaded from. Written by the build.';
comment on column record.source_line is 'Line of that file on which the row begins; the header is line 1. Written by the build.';

create table record_pair (
    record text not null references record (record),
    other text not null references record (record),
    same boolean not null,
    evidence text,
    source_file text not null,
    source_line integer not null,
    primary key (record, other)
);
comment on table record_pair is 'Pairs of records that a person compared. One row per pair: what was answered is not asked again.';
comment on column record_pair.record is 'The record that stands later. Key from records.csv.';
comment on column record_pair.other is 'The record that it was compared with. Key from records.csv.';
comment on column record_pair.same is 'Whether they are the same reference. true or false.';
comment on column record_pair.evidence is 'What spoke for it, and what against. As proposed.';
comment on column record_pair.source_file is 'File of the review folder that the row was loaded from. Written by the build.';
comment on column record_pair.source_line is 'Line of that file on which the row begins; the header is line 1. Written by the build.';

create table screening (
    record text not null references record (record),
    stage text not null check (stage in ('title_abstract', 'full_text', 'listed')),
    reviewer text not null,
    decision text not null check (decision in ('include', 'exclude', 'unclear', 'not_retrieved')),
    reason text,
    source_file text not null,
    source_line integer not null,
    primary key (record, stage, reviewer)
);
comment on table screening is 'Screening decisions. One row per record, stage and reviewer.';
comment on column screening.record is 'Record. Key from records.csv.';
comment on column screening.stage is 'Stage. title_abstract or full_text; listed for what a published review lists, which is never all of them and stays out of the flow.';
comment on column screening.reviewer is 'Who decided. Initials; consensus for what two agreed on.';
comment on column screening.decision is 'Decision. include, exclude, unclear or not_retrieved.';
comment on column screening.reason is 'Reason for exclusion. One of the protocol''s reasons, the same words each time.';
comment on column screening.source_file is 'File of the review folder that the row was loaded from. Written by the build.';
comment on column screening.source_line is 'Line of that file on which the row begins; the header is line 1. Written by the build.';

create table retraction (
    retraction_id bigint primary key,
    doi text,
    pmid text,
    nature text not null check (nature in ('retraction', 'expression_of_concern', 'correction', 'reinstatement')),
    date date,
    reason text,
    notice_doi text,
    notice_pmid text,
    title text,
    source text,
    source_file text not null,
    source_line integer not null,
    check (doi is not null or pmid is not null)
);
comment on table retraction is 'Notices that publications were retracted, corrected or doubted. One row per publication and notice; `evidence import retractions` takes those of this review from a list such as Retraction Watch''s.';
comment on column retraction.retraction_id is 'Number of the row. Written by the build.';
comment on column retraction.doi is 'DOI of the publication that the notice is about. Not that of the notice; with or without https://doi.org/.';
comment on column retraction.pmid is 'PubMed identifier of that publication. Digits alone; a row needs this or the DOI: nothing is matched by its title.';
comment on column retraction.nature is 'What the notice is. retraction, expression_of_concern, correction or reinstatement.';
comment on column retraction.date is 'Day of the notice. Year-month-day.';
comment on column retraction.reason is 'Reasons given. As listed.';
comment on column retraction.notice_doi is 'DOI of the notice. As listed.';
comment on column retraction.notice_pmid is 'PubMed identifier of the notice. As listed.';
comment on column retraction.title is 'Title of the publication. For the reader: it decides nothing.';
comment on column retraction.source is 'List that it was taken from. Its file.';
comment on column retraction.source_file is 'File of the review folder that the row was loaded from. Written by the build.';
comment on column retraction.source_line is 'Line of that file on which the row begins; the header is line 1. Written by the build.';

create table flow (
    box text not null references prisma_box (box),
    n bigint check (n >= 0),
    reason text,
    source_file text not null,
    source_line integer not null
);
comment on table flow is 'Boxes of the flow diagram typed in, where there are no records to count. One row per box, or per box and reason.';
comment on column flow.box is 'Box. Key from prisma_box.';
comment on column flow.n is 'Number in it. As printed.';
comment on column flow.reason is 'Reason, for boxes that list reasons. As printed.';
comment on column flow.source_file is 'File of the review folder that the row was loaded from. Written by the build.';
comment on column flow.source_line is 'Line of that file on which the row begins; the header is line 1. Written by the build.';
