-- The protocol's figures: one row per numbered figure or table, compiled from review.toml.

create table plan_figure (
    figure text primary key,
    position integer not null,
    title text not null,
    shows text not null
);
comment on table plan_figure is 'Figures and tables by the review''s own numbers. From [[protocol.figure]] of review.toml; a number that shows several has them lettered.';
comment on column plan_figure.figure is 'Number. number in review.toml, with a letter where it shows several: Figure 3A.';
comment on column plan_figure.position is 'Order, from 1. Written by the build.';
comment on column plan_figure.title is 'What it is about. title in review.toml.';
comment on column plan_figure.shows is 'Figure or table of the report, by the stem of its files. For example alt-network-league.';
