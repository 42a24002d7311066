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
comment on table published_estimate is 'Estimates that a publication printed, for its audit. As printed, right or wrong.';
comment on column published_estimate.published_estimate_id is 'Number of the row in published_estimates.csv. Written by the build.';
comment on column published_estimate.publication is 'Publication. Short citation.';
comment on column published_estimate.outcome is 'Outcome. Short name from outcomes.csv where there is one.';
comment on column published_estimate.treatment is 'Treatment, A in A minus versus. As printed, or short name.';
comment on column published_estimate.versus is 'Comparator. As printed, or short name.';
comment on column published_estimate.measure is 'Effect measure. As printed.';
comment on column published_estimate.kind is 'What sort of estimate it is. For example pairwise, subgroup, league, sucra.';
comment on column published_estimate.estimate is 'Estimate. As printed: ratios are not logarithms here.';
comment on column published_estimate.ci_lower is 'Lower limit. As printed.';
comment on column published_estimate.ci_upper is 'Upper limit. As printed.';
comment on column published_estimate.std_error is 'Standard error. As printed.';
comment on column published_estimate.significant is 'Printed as significant. true where a star or bold type says so.';
comment on column published_estimate.n_studies is 'Number of studies behind it. As printed.';
comment on column published_estimate.unit is 'Unit. As printed.';
comment on column published_estimate.locator is 'Place. Page, table and cell.';
comment on column published_estimate.note is 'Anything else. One sentence.';
comment on column published_estimate.source_file is 'File of the review folder that the row was loaded from. Written by the build.';
comment on column published_estimate.source_line is 'Line of that file on which the row begins; the header is line 1. Written by the build.';

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
comment on table published_count is 'Counts and other facts that a publication printed, for its audit. As printed, right or wrong.';
comment on column published_count.published_count_id is 'Number of the row in published_counts.csv. Written by the build.';
comment on column published_count.publication is 'Publication. Short citation.';
comment on column published_count.variable is 'What was counted. For example species.';
comment on column published_count.level is 'Level of it. For example rat.';
comment on column published_count.statistic is 'What the value is. count, percentage, i2 and the like; empty stands for count.';
comment on column published_count.value is 'Value. Number as printed.';
comment on column published_count.value_text is 'Value that is no number. As printed.';
comment on column published_count.denominator is 'Of how many. As printed.';
comment on column published_count.unit is 'Unit. As printed.';
comment on column published_count.locator is 'Place. Page, table and cell.';
comment on column published_count.note is 'Anything else. One sentence.';
comment on column published_count.source_file is 'File of the review folder that the row was loaded from. Written by the build.';
comment on column published_count.source_line is 'Line of that file on which the row begins; the header is line 1. Written by the build.';

create table claim (
    claim text primary key,
    kind text not null default 'claim' check (kind in ('claim', 'check')),
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
comment on table claim is 'Sentences of a publication, with a query that tests each. One row per claim.';
comment on column claim.claim is 'Key of the claim. Short name.';
comment on column claim.kind is 'claim for what is said, check for what a reader would ask of it. Empty stands for claim.';
comment on column claim.publication is 'Publication; empty for a sentence of the review''s own. Short citation.';
comment on column claim.text is 'What it says. In your own words or as a short quotation.';
comment on column claim.query is 'Query whose result decides. SQL that returns one value, or rows for is empty.';
comment on column claim.operator is 'How result and expectation are compared. =, <>, <, <=, >, >=, between, is empty, is true, is false.';
comment on column claim.expected is 'What the claim says the result is. One value; two, with a comma or and, for between.';
comment on column claim.tolerance is 'Largest difference that still counts as equal. Half a unit of the last printed digit.';
comment on column claim.needs is 'What a check would need, where there is no query or it gives nothing. In words.';
comment on column claim.locator is 'Place. Page and line.';
comment on column claim.source_file is 'File of the review folder that the row was loaded from. Written by the build.';
comment on column claim.source_line is 'Line of that file on which the row begins; the header is line 1. Written by the build.';

create table claim_result (
    claim text primary key references claim (claim),
    verdict text not null check (verdict in ('holds', 'does not hold', 'cannot be checked')),
    found text,
    expected text,
    needs text
);
comment on table claim_result is 'What became of every claim when this file was built or analysed. Written by the build.';
comment on column claim_result.claim is 'Claim. Short name from claims.csv.';
comment on column claim_result.verdict is 'holds, does not hold, or cannot be checked. Written by the build.';
comment on column claim_result.found is 'What the query gave, as text. Written by the build.';
comment on column claim_result.expected is 'Operator and expected value in words. Written by the build.';
comment on column claim_result.needs is 'What would be needed to check it, or why its query failed. Written by the build.';
