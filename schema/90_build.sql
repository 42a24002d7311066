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
