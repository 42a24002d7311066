-- The evidence: what was compared, in whom, and what was measured, as reported.

create table treatment (
    treatment text primary key,
    label text not null,
    class text,
    role text not null default 'active' check (role in ('active', 'control', 'sham')),
    description text,
    source_file text not null,
    source_line integer not null
);
comment on table treatment is 'Treatments: the nodes of the network. One row per node; doses and routes stay with the arms unless they are nodes of their own.';
comment on column treatment.treatment is 'Short name, the key everywhere. Letter by letter the same in every file.';
comment on column treatment.label is 'Name in tables and figures. Empty stands for the short name.';
comment on column treatment.class is 'Class of treatments it belongs to. For example cell source or drug class.';
comment on column treatment.role is 'What it is in a comparison. active; control for placebo, vehicle or no treatment; sham for animals without the disease.';
comment on column treatment.description is 'What it is. One sentence.';
comment on column treatment.source_file is 'File of the review folder that the row was loaded from. Written by the build.';
comment on column treatment.source_line is 'Line of that file on which the row begins; the header is line 1. Written by the build.';

create table outcome (
    outcome text primary key,
    label text not null,
    kind text not null check (kind in ('continuous', 'binary', 'rate', 'time_to_event')),
    unit text references unit (unit),
    dimension text,
    lower_is_better boolean,
    event_is_bad boolean,
    smallest_important_difference double check (smallest_important_difference > 0),
    lower_bound double,
    upper_bound double,
    step double check (step > 0),
    description text,
    source_file text not null,
    source_line integer not null
);
comment on table outcome is 'Outcomes. One row per quantity and direction; another dimension or a reversed scale is another outcome.';
comment on column outcome.outcome is 'Short name, the key everywhere. Lower case, no unit in it.';
comment on column outcome.label is 'Name in tables and figures. Empty stands for the short name.';
comment on column outcome.kind is 'What its statistics are. continuous (mean, SD), binary (events of n), rate (events in exposure), time_to_event.';
comment on column outcome.unit is 'Unit in which results are given; measurements are converted to it. Empty only if units cannot be converted: then SMD and ratios alone are sensible.';
comment on column outcome.dimension is 'Quantity it is. Follows from the unit; give it only where there is no unit.';
comment on column outcome.lower_is_better is 'Direction of benefit, for rankings and for the words beside a plot. true for liver enzymes, false for a score of function; a hazard ratio goes by event_is_bad.';
comment on column outcome.event_is_bad is 'Direction of a hazard ratio, which is of the event: true where the event is bad (death, relapse), so that below 1 is better; false where it is good (healing). For time_to_event; empty: from lower_is_better, where the name of the outcome says the event.';
comment on column outcome.smallest_important_difference is 'Smallest difference that matters to patients, in the outcome''s unit. Stated before the analysis.';
comment on column outcome.lower_bound is 'Smallest possible value. 0 for concentrations and counts.';
comment on column outcome.upper_bound is 'Largest possible value. End of the scale.';
comment on column outcome.step is 'Smallest step of one reading. 1 for whole points; means are then checked against n.';
comment on column outcome.description is 'What it is and how it is measured. One sentence.';
comment on column outcome.source_file is 'File of the review folder that the row was loaded from. Written by the build.';
comment on column outcome.source_line is 'Line of that file on which the row begins; the header is line 1. Written by the build.';

create table arm (
    study text not null references study (study),
    experiment text not null default 'main',
    arm text not null,
    treatment text not null references treatment (treatment),
    role text not null check (role in ('active', 'control', 'sham')),
    n double check (n > 0),
    dose double,
    dose_unit text,
    route text,
    timing text,
    shared_control_of text,
    label text,
    source_file text not null,
    source_line integer not null,
    primary key (study, experiment, arm)
);
comment on table arm is 'Arms: groups that were compared within an experiment. One row per group that was allocated or analysed apart.';
comment on column arm.study is 'Study. Short name from studies.csv.';
comment on column arm.experiment is 'Unit of randomisation within the study: arms are compared only within one. Empty stands for main; give each independent experiment a name.';
comment on column arm.arm is 'Short name, unique within the experiment. For example the treatment, or treatment and dose.';
comment on column arm.treatment is 'Treatment given. Short name from treatments.csv.';
comment on column arm.role is 'What the arm is in its experiment. Empty stands for the treatment''s role.';
comment on column arm.n is 'Number of participants or animals allocated. The lower bound where a range is printed; the measurement''s own n counts where it has one.';
comment on column arm.dose is 'Dose. Number alone.';
comment on column arm.dose_unit is 'Unit of the dose. For example mg/kg or cells.';
comment on column arm.route is 'Route. For example tail vein.';
comment on column arm.timing is 'When it was given. For example 2 h after induction.';
comment on column arm.shared_control_of is 'Experiment or arm of the study that used the same animals as this control. Give it where one control group served several experiments.';
comment on column arm.label is 'Name in tables and figures. Empty stands for treatment and dose.';
comment on column arm.source_file is 'File of the review folder that the row was loaded from. Written by the build.';
comment on column arm.source_line is 'Line of that file on which the row begins; the header is line 1. Written by the build.';

create table arm_characteristic (
    study text not null,
    experiment text not null,
    arm text not null,
    characteristic text not null,
    value text not null,
    source_file text not null,
    source_line integer not null,
    primary key (study, experiment, arm, characteristic),
    foreign key (study, experiment, arm) references arm (study, experiment, arm)
);
comment on table arm_characteristic is 'Further characteristics of the arms. Every column of arms.csv that is not a column of arm.';
comment on column arm_characteristic.study is 'Study. Short name.';
comment on column arm_characteristic.experiment is 'Experiment of the study. As in arms.csv.';
comment on column arm_characteristic.arm is 'Arm. As in arms.csv.';
comment on column arm_characteristic.characteristic is 'Name of the column. Header in arms.csv.';
comment on column arm_characteristic.value is 'Its value. Text; the same word for the same thing, since each value is a subgroup.';
comment on column arm_characteristic.source_file is 'File of the review folder that the row was loaded from. Written by the build.';
comment on column arm_characteristic.source_line is 'Line of that file on which the row begins; the header is line 1. Written by the build.';

create table measurement (
    measurement_id bigint primary key,
    study text not null,
    experiment text not null,
    arm text not null,
    outcome text not null references outcome (outcome),
    timepoint double,
    timepoint_unit text references unit (unit),
    n double check (n > 0),
    mean double check (isfinite(mean)),
    sd double check (sd >= 0 and isfinite(sd)),
    se double check (se >= 0 and isfinite(se)),
    median double check (isfinite(median)),
    q1 double check (isfinite(q1)),
    q3 double check (isfinite(q3)),
    min double check (isfinite(min)),
    max double check (isfinite(max)),
    ci_lower double check (isfinite(ci_lower)),
    ci_upper double check (isfinite(ci_upper)),
    ci_level double check (ci_level > 0 and ci_level < 1),
    events double check (events >= 0 and isfinite(events)),
    exposure double check (exposure > 0 and isfinite(exposure)),
    unit text references unit (unit),
    adjusted text,
    source text,
    locator text,
    method text,
    extractor text not null default 'extractor',
    note text,
    source_file text not null,
    source_line integer not null,
    foreign key (study, experiment, arm) references arm (study, experiment, arm)
);
comment on table measurement is 'What was measured in an arm, as reported. One row per arm, outcome, time point and reader; nothing is computed before it is typed.';
comment on column measurement.measurement_id is 'Number of the row in measurements.csv. Written by the build.';
comment on column measurement.study is 'Study. Short name from studies.csv.';
comment on column measurement.experiment is 'Experiment of the study. As in arms.csv; empty stands for main.';
comment on column measurement.arm is 'Arm. As in arms.csv.';
comment on column measurement.outcome is 'Outcome. Short name from outcomes.csv.';
comment on column measurement.timepoint is 'When it was measured, in the unit beside it. Count from randomisation or the start of treatment, as the article does; leave empty if there is only one time and it is not given.';
comment on column measurement.timepoint_unit is 'Unit of the time point. A unit of dimension time: h, d, wk, mo, a.';
comment on column measurement.n is 'Number analysed for this outcome at this time. Empty stands for the arm''s n.';
comment on column measurement.mean is 'Arithmetic mean. As printed, in the row''s unit.';
comment on column measurement.sd is 'Standard deviation. Only if the article says SD; an unexplained error bar is a note, not an SD.';
comment on column measurement.se is 'Standard error of the mean. Only if the article says SE or SEM.';
comment on column measurement.median is 'Median. As printed.';
comment on column measurement.q1 is 'Lower quartile. As printed; an IQR printed as one number is not a quartile.';
comment on column measurement.q3 is 'Upper quartile. As printed.';
comment on column measurement.min is 'Smallest value. As printed.';
comment on column measurement.max is 'Largest value. As printed.';
comment on column measurement.ci_lower is 'Lower confidence limit of the mean. As printed.';
comment on column measurement.ci_upper is 'Upper confidence limit of the mean. As printed.';
comment on column measurement.ci_level is 'Level of that interval. 0.95 for 95 %; empty stands for 0.95.';
comment on column measurement.events is 'Number with the event (binary), or number of events (rate). A count; say in adjusted or note why if it is not whole.';
comment on column measurement.exposure is 'Time at risk, summed over participants (rate). One unit for all arms of an outcome.';
comment on column measurement.unit is 'Unit of the statistics in this row. As printed; empty stands for the outcome''s unit. A unit of another dimension is another outcome.';
comment on column measurement.adjusted is 'What the numbers were adjusted for. Empty for raw numbers; name covariates, clusters or imputation.';
comment on column measurement.source is 'Publication the numbers were read from. Short citation or doi, if it is not the study''s own report.';
comment on column measurement.locator is 'Place in it. Page, table and row, or figure and panel, so that somebody else finds it in a minute.';
comment on column measurement.method is 'How the numbers were read. text, table, figure (digitised) or author (from correspondence).';
comment on column measurement.extractor is 'Who read the numbers. Initials; one row per reader where two read the same cell, and consensus for what they agreed on.';
comment on column measurement.note is 'Anything that the other columns cannot say. One sentence; symbols such as < or ~ go here.';
comment on column measurement.source_file is 'File of the review folder that the row was loaded from. Written by the build.';
comment on column measurement.source_line is 'Line of that file on which the row begins; the header is line 1. Written by the build.';

create table measurement_characteristic (
    measurement_id bigint not null references measurement (measurement_id),
    characteristic text not null,
    value text not null,
    source_file text not null,
    source_line integer not null,
    primary key (measurement_id, characteristic)
);
comment on table measurement_characteristic is 'Further characteristics of the measurements. Every column of measurements.csv that is not a column of measurement.';
comment on column measurement_characteristic.measurement_id is 'The measurement. Number of the row in measurements.csv.';
comment on column measurement_characteristic.characteristic is 'Name of the column. Header in measurements.csv.';
comment on column measurement_characteristic.value is 'Its value. Text; the same word for the same thing, since each value is a subgroup.';
comment on column measurement_characteristic.source_file is 'File of the review folder that the row was loaded from. Written by the build.';
comment on column measurement_characteristic.source_line is 'Line of that file on which the row begins; the header is line 1. Written by the build.';

create table reported_contrast (
    reported_contrast_id bigint primary key,
    study text not null,
    experiment text not null,
    outcome text not null references outcome (outcome),
    timepoint double,
    timepoint_unit text references unit (unit),
    arm_a text not null,
    arm_b text not null,
    measure text not null references effect_measure (measure),
    scale text check (scale in ('log', 'natural')),
    estimate double check (isfinite(estimate)),
    se double check (se > 0 and isfinite(se)),
    se_scale text check (se_scale in ('log', 'natural')),
    ci_lower double check (isfinite(ci_lower)),
    ci_upper double check (isfinite(ci_upper)),
    ci_level double check (ci_level > 0 and ci_level < 1),
    o_minus_e double check (isfinite(o_minus_e)),
    variance double check (variance > 0 and isfinite(variance)),
    var_base double check (var_base >= 0 and isfinite(var_base)),
    n_a double check (n_a > 0),
    n_b double check (n_b > 0),
    unit text references unit (unit),
    adjusted text,
    source text,
    locator text,
    method text,
    extractor text not null default 'extractor',
    note text,
    source_file text not null,
    source_line integer not null,
    foreign key (study, experiment, arm_a) references arm (study, experiment, arm),
    foreign key (study, experiment, arm_b) references arm (study, experiment, arm),
    check (arm_a <> arm_b)
);
comment on table reported_contrast is 'Contrasts printed without the statistics of their arms. One row per pair of arms; do not type what follows from measurements.';
comment on column reported_contrast.reported_contrast_id is 'Number of the row in contrasts.csv. Written by the build.';
comment on column reported_contrast.study is 'Study. Short name from studies.csv.';
comment on column reported_contrast.experiment is 'Experiment of the study. As in arms.csv; empty stands for main.';
comment on column reported_contrast.outcome is 'Outcome. Short name from outcomes.csv.';
comment on column reported_contrast.timepoint is 'When it was measured, in the unit beside it. Count from randomisation or the start of treatment, as the article does; leave empty if there is only one time and it is not given.';
comment on column reported_contrast.timepoint_unit is 'Unit of the time point. A unit of dimension time: h, d, wk, mo, a.';
comment on column reported_contrast.arm_a is 'First arm: the estimate is a minus b. As in arms.csv.';
comment on column reported_contrast.arm_b is 'Second arm. As in arms.csv.';
comment on column reported_contrast.measure is 'Effect measure. One that fits the outcome''s kind.';
comment on column reported_contrast.scale is 'How a ratio (OR, RR, IRR, HR, ROM) and its interval are written: natural as papers print it, log for its natural logarithm. Empty only where the numbers of the outcome show that they are logarithms, and for differences.';
comment on column reported_contrast.estimate is 'Effect of a against b, as printed: a minus b, or the ratio of a to b. A ratio on the scale that the row says.';
comment on column reported_contrast.se is 'Standard error. As printed; not needed where an interval is given. Of a ratio, say in se_scale which.';
comment on column reported_contrast.se_scale is 'What the SE of a ratio is: log for that of its logarithm, natural for that of the ratio itself. Needed beside a ratio on the natural scale without an interval; empty stands for log beside a logarithm.';
comment on column reported_contrast.ci_lower is 'Lower confidence limit. As printed, on the scale of the estimate.';
comment on column reported_contrast.ci_upper is 'Upper confidence limit. As printed, on the scale of the estimate.';
comment on column reported_contrast.ci_level is 'Level of that interval. 0.95 for 95 %; empty stands for 0.95.';
comment on column reported_contrast.o_minus_e is 'Observed minus expected events of arm a (log-rank test; Peto''s odds ratio). With variance, in place of estimate and se.';
comment on column reported_contrast.variance is 'Variance of o_minus_e. As printed beside it.';
comment on column reported_contrast.var_base is 'Variance of the arm that this study''s contrasts share: their covariance. Needed from three arms on; the square of the base arm''s standard error.';
comment on column reported_contrast.n_a is 'Number analysed in arm a. Whole number.';
comment on column reported_contrast.n_b is 'Number analysed in arm b. Whole number.';
comment on column reported_contrast.unit is 'Unit of the statistics in this row. As printed; empty stands for the outcome''s unit. A unit of another dimension is another outcome.';
comment on column reported_contrast.adjusted is 'What the numbers were adjusted for. Empty for raw numbers; name covariates, clusters or imputation.';
comment on column reported_contrast.source is 'Publication the numbers were read from. Short citation or doi, if it is not the study''s own report.';
comment on column reported_contrast.locator is 'Place in it. Page, table and row, or figure and panel, so that somebody else finds it in a minute.';
comment on column reported_contrast.method is 'How the numbers were read. text, table, figure (digitised) or author (from correspondence).';
comment on column reported_contrast.extractor is 'Who read the numbers. Initials; one row per reader where two read the same cell, and consensus for what they agreed on.';
comment on column reported_contrast.note is 'Anything that the other columns cannot say. One sentence; symbols such as < or ~ go here.';
comment on column reported_contrast.source_file is 'File of the review folder that the row was loaded from. Written by the build.';
comment on column reported_contrast.source_line is 'Line of that file on which the row begins; the header is line 1. Written by the build.';

create table contrast_characteristic (
    reported_contrast_id bigint not null references reported_contrast (reported_contrast_id),
    characteristic text not null,
    value text not null,
    source_file text not null,
    source_line integer not null,
    primary key (reported_contrast_id, characteristic)
);
comment on table contrast_characteristic is 'Further characteristics of the reported contrasts. Every column of contrasts.csv that is not a column of reported_contrast.';
comment on column contrast_characteristic.reported_contrast_id is 'The reported contrast. Number of the row in contrasts.csv.';
comment on column contrast_characteristic.characteristic is 'Name of the column. Header in contrasts.csv.';
comment on column contrast_characteristic.value is 'Its value. Text; the same word for the same thing, since each value is a subgroup.';
comment on column contrast_characteristic.source_file is 'File of the review folder that the row was loaded from. Written by the build.';
comment on column contrast_characteristic.source_line is 'Line of that file on which the row begins; the header is line 1. Written by the build.';
