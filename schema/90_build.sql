-- What this file was made from.

create table build_info (
    key text primary key,
    value text not null
);

create table loaded_file (
    file text primary key,
    n_rows bigint not null,
    sha256 text not null
);

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
