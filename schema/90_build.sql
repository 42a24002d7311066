-- What this file was made from.

create table build_info (
    key text primary key,
    value text not null
);
comment on table build_info is 'What the file was made from, and by what. Written by the build.';
comment on column build_info.key is 'Name of the fact. Written by the build.';
comment on column build_info.value is 'The fact. Written by the build.';

create table loaded_file (
    file text primary key,
    n_rows bigint not null,
    sha256 text not null
);
comment on table loaded_file is 'Files of the review folder that were loaded. Written by the build.';
comment on column loaded_file.file is 'File name. Written by the build.';
comment on column loaded_file.n_rows is 'Number of rows. Written by the build.';
comment on column loaded_file.sha256 is 'Hash of its cells; line ends, quotes and a byte order mark do not change it. Written by the build.';

-- What was loaded and should be looked at.
create table build_warning (
    severity text not null check (severity in ('warning', 'info')),
    message text not null,
    remedy text,
    source_file text,
    source_line integer,
    column_name text,
    study text,
    arm text
);
comment on table build_warning is 'What was loaded and should be looked at. Written by the build; evidence check shows it.';
comment on column build_warning.severity is 'warning or info. Written by the build.';
comment on column build_warning.message is 'What is odd. Written by the build.';
comment on column build_warning.remedy is 'What would be right. Written by the build.';
comment on column build_warning.source_file is 'File of the review folder that the row was loaded from. Written by the build.';
comment on column build_warning.source_line is 'Line of that file on which the row begins; the header is line 1. Written by the build.';
comment on column build_warning.column_name is 'Column. Written by the build.';
comment on column build_warning.study is 'Study. Written by the build.';
comment on column build_warning.arm is 'Arm. Written by the build.';
