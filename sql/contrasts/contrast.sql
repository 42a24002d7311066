-- Title: Contrasts between arms
-- Grain: pair of arms x outcome x time point x measure
-- Key: contrast_id
-- Stored: when the file is built
-- Formula: A minus B. MD, NMD, OR, RR, RD, IRR, IRD: y_a - y_b of `arm_effect`, variance v_a + v_b.
--   ROM: with the correction for the bias of a logarithm, + (v_a - v_b) / 2.
--   SMD: Hedges' g = J(m) d, d = (mean_a - mean_b) / s, m = n_a + n_b - 2, s the SD pooled over the two arms,
--   s^2 = ((n_a - 1) s_a^2 + (n_b - 1) s_b^2) / m, variance 1 / n_a + 1 / n_b + g^2 / (2 (n_a + n_b)).
-- Reference: Hedges LV (1981), J Educ Stat 6:107-128; Hedges LV, Olkin I (1985), Statistical Methods for Meta-Analysis,
--   chapter 5. ROM: Lajeunesse MJ (2015), Ecology 96:2056-2063, equation 6. All are those of escalc in metafor 5 with
--   its defaults.
-- Caveats: Each unordered pair of arms stands once, in the order active, control, sham, then by treatment. Contrasts
--   that share an arm are correlated: see `contrast_covariance`. Reported contrasts (origin 'reported') enter where the
--   arms of that study, outcome, time point and measure give none. MD is left out for an outcome measured in several
--   units, see `outcome_unit`.
-- Columns:
--   contrast_id: study|experiment|outcome|time point|measure|arm_a|arm_b; a bar or backslash within a name has a
--     backslash before it, so that no two contrasts have one id
--   study: the study
--   experiment: of the study: arms are compared within one alone, the unit of randomisation
--   outcome: what was measured
--   timepoint: when, a number in the unit beside it; `hours` and `days` convert it
--   timepoint_unit: h, d, wk ...; one for all rows of an outcome
--   measure: MD, SMD, ROM, NMD, OR, RR, RD, IRR, IRD, or what was reported
--   treatment_a: the treatment A, whose effect it is: active before control before sham, then by name
--   treatment_b: the treatment B that A is compared with
--   arm_a, arm_b: the arm of the study that was given A; the one that was given B
--   n_a, n_b: animals or participants in arm A; in arm B
--   estimate: A minus B on the analysis scale, log for ratios
--   std_error: its standard error
--   continuity: what was added to the events and non-events of each arm, as a zero cell gives no logarithm or variance:
--     0.5, else 0; empty for reported contrasts
--   shared_arm: true if another contrast of the same study, outcome, time point and measure has one of the two arms
--   measurement_ids: the two rows of `measurement`, comma separated; empty for reported contrasts
--   origin: arms or reported
--   reported_contrast_id: the row of `reported_contrast`, if reported
--   block: number of the study, experiment, outcome and time point; below 0 if reported
create or replace view contrast as
with pair as (
    select
        arm_pair.*,
        case when of_pair.standardised then 'SMD' else arm_pair.measure end as effect_measure,
        case
            when of_pair.standardised
                then
                    hedges_correction(n_a + n_b - 2) * (y_a - y_b)
                    / sqrt(nullif((n_a - 1) * n_a * v_a + (n_b - 1) * n_b * v_b, 0) / nullif(n_a + n_b - 2, 0))
        end as g
    from arm_pair
    -- Each mean difference once more: standardised.
    cross join (values (false), (true)) as of_pair (standardised)
    inner join outcome_unit on arm_pair.outcome = outcome_unit.outcome
    where
        (arm_pair.measure = 'MD' and of_pair.standardised and n_a + n_b > 3)
        or (not of_pair.standardised and not (arm_pair.measure = 'MD' and outcome_unit.mixed))
),

computed as (
    select
        study,
        experiment,
        outcome,
        timepoint,
        timepoint_unit,
        effect_measure as measure,
        treatment_a,
        treatment_b,
        arm_a,
        arm_b,
        n_a,
        n_b,
        case
            when effect_measure = 'SMD' then g
            when effect_measure = 'ROM' then y_a - y_b + (v_a - v_b) / 2
            else y_a - y_b
        end as estimate,
        case
            when effect_measure = 'SMD' then sqrt(1 / n_a + 1 / n_b + g * g / (2 * (n_a + n_b)))
            else sqrt(v_a + v_b)
        end as std_error,
        continuity,
        measurement_id_a,
        measurement_id_b,
        block
    from pair
),

counted as (
    select
        block,
        measure,
        count(*) as n_contrasts
    from computed
    group by block, measure
),

of_arms as (
    select
        computed.*,
        counted.n_contrasts > 1 as shared_arm
    from computed
    inner join counted on computed.block = counted.block and computed.measure = counted.measure
),

usable as (
    select *
    from reported_contrast_standard
    where problem is null
),

reported as (
    select
        reported.*,
        exists(
            select 1 from usable as other
            where
                other.block = reported.block
                and other.measure = reported.measure
                and other.reported_contrast_id <> reported.reported_contrast_id
                and (
                    other.arm_a in (reported.arm_a, reported.arm_b)
                    or other.arm_b in (reported.arm_a, reported.arm_b)
                )
        ) as shared_arm
    from usable as reported
    where
        not exists (
            select 1 from computed
            where
                computed.study = reported.study
                and computed.experiment = reported.experiment
                and computed.outcome = reported.outcome
                and computed.timepoint is not distinct from reported.timepoint
                and computed.measure = reported.measure
        )
),

combined as (
    select
        study,
        experiment,
        outcome,
        timepoint,
        timepoint_unit,
        measure,
        treatment_a,
        treatment_b,
        arm_a,
        arm_b,
        n_a,
        n_b,
        estimate,
        std_error,
        continuity,
        shared_arm,
        concat(cast(measurement_id_a as varchar), ',', cast(measurement_id_b as varchar)) as measurement_ids,
        'arms' as origin,
        cast(null as bigint) as reported_contrast_id,
        block
    from of_arms
    union all
    select
        study,
        experiment,
        outcome,
        timepoint,
        timepoint_unit,
        measure,
        treatment_a,
        treatment_b,
        arm_a,
        arm_b,
        n_a,
        n_b,
        estimate,
        std_error,
        cast(null as double) as continuity,
        shared_arm,
        cast(null as varchar) as measurement_ids,
        'reported' as origin,
        reported_contrast_id,
        block
    from reported
)

select
    concat_ws(
        '|',
        part_of_id(study),
        part_of_id(experiment),
        part_of_id(outcome),
        coalesce(cast(timepoint as varchar), ''),
        measure,
        part_of_id(arm_a),
        part_of_id(arm_b)
    ) as contrast_id,
    study,
    experiment,
    outcome,
    timepoint,
    timepoint_unit,
    measure,
    treatment_a,
    treatment_b,
    arm_a,
    arm_b,
    n_a,
    n_b,
    estimate,
    std_error,
    continuity,
    shared_arm,
    measurement_ids,
    origin,
    reported_contrast_id,
    block
from combined
