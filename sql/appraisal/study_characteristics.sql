-- Title: Characteristics of each study
-- Grain: study
-- Key: study
-- Formula: Participants are those of all arms, by the arm's n, else the largest n of its measurements; a control group
--   that serves several experiments (`shared_control_of`) is counted once.
-- Columns:
--   study, label, year, design, species, strain, sex, age, weight, model, country: as in `study`
--   n_reports, dois: its publications
--   n_experiments, n_arms: units of randomisation, and their arms
--   n_participants: animals or participants; empty if no n is known
--   treatments: their names, by name, separated by semicolons
--   doses, routes, timings: as typed with the arms
--   outcomes: names of the outcomes reported
--   characteristics: every further column of studies.csv, as 'name: value'
create or replace view study_characteristics as
with measured as (
    select
        study,
        experiment,
        arm,
        max(n) as n
    from measurement
    group by study, experiment, arm
),

sized as (
    select
        arm.*,
        treatment.label as treatment_label,
        case
            when
                not exists (
                    select 1 from arm as origin
                    where
                        origin.study = arm.study
                        and origin.shared_control_of is null
                        and (
                            origin.arm = arm.shared_control_of
                            or (origin.experiment = arm.shared_control_of and origin.treatment = arm.treatment)
                        )
                        and not (origin.experiment = arm.experiment and origin.arm = arm.arm)
                )
                then coalesce(arm.n, measured.n)
        end as participants,
        case
            when arm.dose = floor(arm.dose) and abs(arm.dose) < 1e15 then cast(cast(arm.dose as bigint) as varchar)
            else cast(arm.dose as varchar)
        end as dose_text
    from arm
    inner join treatment on arm.treatment = treatment.treatment
    left join measured
        on arm.study = measured.study and arm.experiment = measured.experiment and arm.arm = measured.arm
),

arms as (
    select
        study,
        count(distinct experiment) as n_experiments,
        count(*) as n_arms,
        sum(participants) as n_participants,
        string_agg(distinct treatment_label, '; ' order by treatment_label) as treatments,
        string_agg(distinct case when dose is not null then concat_ws(' ', dose_text, dose_unit) end, '; ') as doses,
        string_agg(distinct route, '; ' order by route) as routes,
        string_agg(distinct timing, '; ' order by timing) as timings
    from sized
    group by study
),

reported as (
    select
        study,
        outcome
    from measurement
    union
    select
        study,
        outcome
    from reported_contrast
),

outcomes as (
    select
        reported.study,
        string_agg(distinct outcome.label, '; ' order by outcome.label) as outcomes
    from reported
    inner join outcome on reported.outcome = outcome.outcome
    group by reported.study
),

reports as (
    select
        study,
        count(*) as n_reports,
        string_agg(doi, '; ' order by doi) as dois
    from report
    group by study
),

further as (
    select
        study,
        string_agg(concat(characteristic, ': ', value), '; ' order by characteristic) as characteristics
    from characteristic
    group by study
)

select
    study.study,
    study.label,
    study.year,
    study.design,
    study.species,
    study.strain,
    study.sex,
    study.age,
    study.weight,
    study.model,
    study.country,
    coalesce(reports.n_reports, 0) as n_reports,
    reports.dois,
    coalesce(arms.n_experiments, 0) as n_experiments,
    coalesce(arms.n_arms, 0) as n_arms,
    arms.n_participants,
    arms.treatments,
    arms.doses,
    arms.routes,
    arms.timings,
    outcomes.outcomes,
    further.characteristics
from study
left join arms on study.study = arms.study
left join outcomes on study.study = outcomes.study
left join reports on study.study = reports.study
left join further on study.study = further.study
