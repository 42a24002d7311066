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

create table unit_alias (
    alias text primary key,
    unit text not null references unit (unit)
);
comment on table unit_alias is 'Other words for units, as people type them in a time rule. Reference data.';
comment on column unit_alias.alias is 'Word, in lower case. Reference data.';
comment on column unit_alias.unit is 'Unit that it stands for. Reference data.';

create table effect_measure (
    measure text primary key,
    label text not null,
    title text not null,
    sentence text not null,
    kind text check (kind in ('continuous', 'binary', 'rate', 'time_to_event')),
    scale text not null check (scale in ('additive', 'log')),
    unit text check (unit in ('outcome', '%')),
    analysis_unit text,
    direction text not null check (direction in ('outcome', 'higher', 'event')),
    given text not null check (given in ('arms', 'contrasts', 'table')),
    default_of_kind boolean not null,
    least_digits integer not null,
    effect_in_variance boolean not null,
    no_information text not null check (no_information in ('never', 'no events', 'no events or events only')),
    needs text not null,
    formula text not null,
    reference text
);
comment on table effect_measure is 'Measures of a treatment''s effect: all there is to say of each. Reference data, read by SQL, statistics, charts and reports.';
comment on column effect_measure.measure is 'Abbreviation. As metafor and meta write it.';
comment on column effect_measure.label is 'Name in running text. Reference data.';
comment on column effect_measure.title is 'Name on an axis or above a column. Reference data.';
comment on column effect_measure.sentence is 'What a Methods section calls the effects that were pooled. Reference data.';
comment on column effect_measure.kind is 'Kind of outcome it is for: continuous, binary, rate or time_to_event. Empty: any.';
comment on column effect_measure.scale is 'Scale it is analysed on. log for ratios: estimates are natural logarithms.';
comment on column effect_measure.unit is 'Unit in which it is printed: outcome for that of the outcome, or %. Empty: a ratio or a number without unit.';
comment on column effect_measure.analysis_unit is 'Unit of effects and of tau in words, where it is not that of the outcome. Empty for ratios, whose unit is the log of the measure.';
comment on column effect_measure.direction is 'Which effect of a minus b is better: as the outcome''s lower_is_better says, always the higher one, or by the event''s hazard. outcome, higher or event (outcome.event_is_bad).';
comment on column effect_measure.given is 'Where its data come from: computed from arms, reported in contrasts.csv, or only in a table that Python analyses. arms, contrasts or table.';
comment on column effect_measure.default_of_kind is 'Measure of a default analysis of its kind of outcome. One for each kind.';
comment on column effect_measure.least_digits is 'Least number of decimals in print. Reference data.';
comment on column effect_measure.effect_in_variance is 'The sampling variance depends on the effect, so that a funnel is lopsided without any bias (Pustejovsky and Rodgers 2019, Res Synth Methods 10:57). Reference data.';
comment on column effect_measure.no_information is 'Events of two arms about which it says nothing: no event in either, or the same and events only in both. never, no events, no events or events only.';
comment on column effect_measure.needs is 'What must be known to compute it. Reference data.';
comment on column effect_measure.formula is 'How it is computed from two arms, a minus b. Reference data.';
comment on column effect_measure.reference is 'Where the formula stands. Citation.';

create table event_word (
    word text primary key,
    sense text not null check (sense in ('time', 'bad', 'good')),
    whole boolean not null
);
comment on table event_word is 'Words by which the name of a time_to_event outcome tells what its event is. Reference data, read by the build where event_is_bad is empty.';
comment on column event_word.word is 'Word or part of one, in lower case. Reference data.';
comment on column event_word.sense is 'time: the name says a time without the event (survival, time to ...); bad: a bad event; good: a good event. Reference data.';
comment on column event_word.whole is 'It counts as a whole word only. Reference data.';

create table measure_form (
    measure text not null references effect_measure (measure),
    form text not null,
    name text not null,
    label text not null,
    title text not null,
    sentence text not null,
    reference text not null,
    primary key (measure, form)
);
comment on table measure_form is 'Forms in which a measure can be computed, where there are several. Reference data.';
comment on column measure_form.measure is 'Effect measure. Reference data.';
comment on column measure_form.form is 'Key of the form: g or d. As in the option smd of a plan.';
comment on column measure_form.name is 'Name of the form itself. Reference data.';
comment on column measure_form.label is 'Name of the measure in this form, in running text. Reference data.';
comment on column measure_form.title is 'Name on an axis or above a column. Reference data.';
comment on column measure_form.sentence is 'What a Methods section calls the effects that were pooled. Reference data.';
comment on column measure_form.reference is 'Where the formula stands. Citation.';

create table measure_name (
    tool text not null,
    name text not null,
    measure text not null references effect_measure (measure),
    written boolean not null
);
comment on table measure_name is 'Names of the measures in other tools. Reference data, read by importers and exporters.';
comment on column measure_name.tool is 'The tool. Reference data.';
comment on column measure_name.name is 'Name there; case and blanks do not matter when it is read. Reference data.';
comment on column measure_name.measure is 'Effect measure. Reference data.';
comment on column measure_name.written is 'The name that an exporter writes. False for names that are only understood.';

create table engine (
    engine text primary key,
    label text not null,
    sentence text not null,
    framework text not null check (framework in ('frequentist', 'Bayesian')),
    interval text not null,
    interval_word text not null,
    score text not null,
    likelihood text not null,
    needs text,
    offers text,
    most_refits integer,
    is_default boolean not null
);
comment on table engine is 'Engines of network meta-analysis. Reference data.';
comment on column engine.engine is 'Key. As in a plan and on the command line.';
comment on column engine.label is 'Name in a line. Reference data.';
comment on column engine.sentence is 'What a Methods section says of it. Reference data.';
comment on column engine.framework is 'frequentist or Bayesian. Reference data.';
comment on column engine.interval is 'Abbreviation of its interval. CI or CrI.';
comment on column engine.interval_word is 'Word before interval. confidence or credible.';
comment on column engine.score is 'Score by which it ranks. p_score or sucra, see ranking_score.';
comment on column engine.likelihood is 'Likelihoods it knows. Separated by commas.';
comment on column engine.needs is 'Packages beyond the plain installation. Separated by commas.';
comment on column engine.offers is 'Analyses, options and rows for charts that not every engine has. Separated by commas.';
comment on column engine.most_refits is 'Most studies that it leaves out in turn, fitting anew each time. Empty where one fit finds them all.';
comment on column engine.is_default is 'The engine of an analysis that names none. Reference data.';

create table ranking_score (
    score text primary key,
    label text not null,
    plural text not null
);
comment on table ranking_score is 'Scores that rank treatments. Reference data.';
comment on column ranking_score.score is 'Column of result_ranking. Reference data.';
comment on column ranking_score.label is 'Printed name. Reference data.';
comment on column ranking_score.plural is 'Printed name of several. Reference data.';

create table estimator (
    estimator text primary key,
    label text not null,
    pairwise boolean not null,
    network boolean not null,
    usual boolean not null,
    stata text,
    stata_network text,
    reference text not null
);
comment on table estimator is 'Estimators of the between-study variance. Reference data; the first is the default.';
comment on column estimator.estimator is 'Abbreviation. As metafor writes it.';
comment on column estimator.label is 'Printed name. Reference data.';
comment on column estimator.pairwise is 'Pairwise analyses have it. Reference data.';
comment on column estimator.network is 'The frequentist network has it. Reference data.';
comment on column estimator.usual is 'Recommended or usual (Veroniki et al. 2016, Res Synth Methods 7:55): one of those that a multiverse takes. Reference data.';
comment on column estimator.stata is 'Name in Stata''s meta summarize; its empirical Bayes is Paule and Mandel''s. Reference data.';
comment on column estimator.stata_network is 'Name in Stata''s network meta; empty where it has none (mvmeta has no moments for a heterogeneity that comparisons share). Reference data.';
comment on column estimator.reference is 'Where it stands. Citation.';

create table interval_method (
    subject text not null check (subject in ('effect', 'prediction', 'tau2')),
    method text not null,
    short text not null,
    label text not null,
    primary key (subject, method)
);
comment on table interval_method is 'Intervals of pairwise analyses. Reference data.';
comment on column interval_method.subject is 'What it is an interval of. effect (random effects), prediction or tau2.';
comment on column interval_method.method is 'Key. As in options.';
comment on column interval_method.short is 'Name in a sentence. Reference data.';
comment on column interval_method.label is 'Name with quantiles and degrees of freedom. Reference data.';

create table dependence (
    dependence text primary key,
    label text not null
);
comment on table dependence is 'What a pairwise analysis does about several effects of one study. Reference data; the first is the default.';
comment on column dependence.dependence is 'Key. As in options.';
comment on column dependence.label is 'What is done, after a colon. Reference data.';

create table pooling_method (
    method text primary key,
    label text not null,
    measures text,
    rests_on text not null check (rests_on in ('effects', 'tables', 'likelihood'))
);
comment on table pooling_method is 'How pairwise analyses put studies together. Reference data.';
comment on column pooling_method.method is 'Key. As in the option method.';
comment on column pooling_method.label is 'Name with its models. Reference data.';
comment on column pooling_method.measures is 'Effect measures it gives, separated by commas. Empty: all.';
comment on column pooling_method.rests_on is 'What it takes of a study: effects with variances, the table of events, or the likelihood of the counts. Reference data.';

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

create table group_word (
    word text primary key,
    side integer not null check (side in (1, 2)),
    label text,
    note text
);
comment on table group_word is 'Words in names of columns for the treated group and the control group. Reference data, read by the importers.';
comment on column group_word.word is 'Key. The word, in small letters. Reference data.';
comment on column group_word.side is 'Treated (1) or control (2). Reference data.';
comment on column group_word.label is 'What the group is called, where the word says more. Reference data.';
comment on column group_word.note is 'What the word stands for. Reference data.';

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
    citation text,
    aliases text,
    note text
);
comment on table rob_tool is 'Instruments for risk of bias. Reference data; a review adds its own in rob_tools.csv.';
comment on column rob_tool.tool is 'Short name. As in risk_of_bias.csv.';
comment on column rob_tool.label is 'Full name. Reference data.';
comment on column rob_tool.citation is 'Paper that defines it. Reference data.';
comment on column rob_tool.aliases is 'Other names that it goes by, parted by |. Reference data, read by the importer robvis.';
comment on column rob_tool.note is 'When a study is one at high risk by it, where not each answer says how high the risk is. Reference data.';

create table rob_item (
    tool text not null references rob_tool (tool),
    item text not null,
    position integer not null,
    domain text not null,
    label text not null,
    question text,
    answers text,
    optional boolean not null default false,
    aliases text,
    primary key (tool, item)
);
comment on table rob_item is 'Items or domains that an instrument judges. Reference data; a review adds those of its own tools in rob_items.csv.';
comment on column rob_item.tool is 'Instrument. Reference data.';
comment on column rob_item.item is 'Key of the item: its number in checklists, D1, D2 ... and Overall in tools with domains. As in risk_of_bias.csv.';
comment on column rob_item.position is 'Order in the instrument, from 1. Reference data.';
comment on column rob_item.domain is 'Domain or type of bias; overall for the judgement of the whole, applicability for what is no bias. SYRCLE''s ten items fall into six types.';
comment on column rob_item.label is 'Name of the item. Reference data.';
comment on column rob_item.question is 'Signalling question, where one settles the item. Reference data.';
comment on column rob_item.answers is 'The only answers that the item takes, parted by |; empty if it takes all of the instrument. Keys of rob_answer.';
comment on column rob_item.optional is 'Whether an assessment is complete without it. Reference data.';
comment on column rob_item.aliases is 'Other names that tables give it, parted by |. Reference data, read by the importer robvis.';

create table rob_answer (
    tool text not null references rob_tool (tool),
    judgement text not null,
    label text not null,
    position integer not null,
    severity integer,
    symbol text not null,
    color text not null,
    color_blind_safe text not null,
    codes text,
    points double,
    primary key (tool, judgement)
);
comment on table rob_answer is 'Judgements an instrument knows. Reference data; a review adds those of its own tools in rob_answers.csv.';
comment on column rob_answer.tool is 'Instrument. Reference data.';
comment on column rob_answer.judgement is 'Key of the judgement. As in risk_of_bias.csv.';
comment on column rob_answer.label is 'Name of the judgement. Reference data.';
comment on column rob_answer.position is 'Order in which answers are drawn, from 1 for the best. Reference data.';
comment on column rob_answer.severity is 'Risk of bias from 1 (low) up, 3 and more being high; empty where the answer does not say how high it is. Reference data.';
comment on column rob_answer.symbol is 'Symbol in a traffic-light plot; it carries the meaning, colour repeats it. Reference data.';
comment on column rob_answer.color is 'Colour of the Cochrane set. Reference data.';
comment on column rob_answer.color_blind_safe is 'Colour of a set that colour-blind readers can tell apart. Reference data.';
comment on column rob_answer.codes is 'Abbreviations that tables write for it, parted by |. Reference data, read by the importer robvis.';
comment on column rob_answer.points is 'What it counts in a sum, in tools that count: stars. Reference data.';

create table rob_threshold (
    tool text not null references rob_tool (tool),
    domain text not null,
    sum_item text not null,
    good_from double not null,
    poor_below double not null,
    source text not null,
    primary key (tool, domain)
);
comment on table rob_threshold is 'From which points on a domain is good or poor, in tools that count. Reference data, read by the view rob_points.';
comment on column rob_threshold.tool is 'Instrument. Reference data.';
comment on column rob_threshold.domain is 'Domain whose items are counted. Reference data.';
comment on column rob_threshold.sum_item is 'Item that holds their sum, where it was typed in place of them. Reference data.';
comment on column rob_threshold.good_from is 'Points from which on it is good. Reference data.';
comment on column rob_threshold.poor_below is 'Points below which it is poor; between the two it is fair. Reference data.';
comment on column rob_threshold.source is 'Where the threshold stands. Citation.';

create table rob_symbol (
    tool text not null references rob_tool (tool),
    chart text not null,
    symbol text not null,
    judgement text not null,
    primary key (tool, chart, symbol, judgement)
);
comment on table rob_symbol is 'What the charts of other programs mean by a symbol. Reference data, read by the importer robvis where the symbols of rob_answer do not explain a table.';
comment on column rob_symbol.tool is 'Instrument. Reference data.';
comment on column rob_symbol.chart is 'Program that draws it so. Reference data.';
comment on column rob_symbol.symbol is 'The symbol. Reference data.';
comment on column rob_symbol.judgement is 'What it stands for. A key of rob_answer.';

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

create table reason (
    stage text not null,
    code text not null,
    reason text not null,
    remedy text not null,
    detail text,
    more text,
    primary key (stage, code)
);
comment on table reason is 'Why something that was entered is not used, and what would make it usable. Reference data, read by the view exclusion and by the analyses.';
comment on column reason.stage is 'Step that could not use it: a view, or a choice of the analysis. Reference data.';
comment on column reason.code is 'Word for the reason, unique within the stage. Reference data.';
comment on column reason.reason is 'What is wrong, in words. <detail>, <more> and <measure> stand for what the case fills in.';
comment on column reason.remedy is 'What would make it usable, true for the question asked; begins with none where nothing is needed. The same placeholders.';
comment on column reason.detail is 'What <detail> stands for. Empty if nothing.';
comment on column reason.more is 'What <more> stands for. Empty if nothing.';
