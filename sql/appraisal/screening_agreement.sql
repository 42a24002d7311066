-- Title: How far two reviewers agree in screening
-- Grain: stage x pair of reviewers
-- Key: stage, reviewer_a, reviewer_b
-- Formula: See `rating_agreement`.
-- Reference: Cohen J (1960), Educational and Psychological Measurement 20:37-46; Gwet KL (2008), British Journal of
--   Mathematical and Statistical Psychology 61:29-48.
-- Caveats: Reviewer 'consensus' is left out. Kappa is empty where both decide the same on every record. Conflicts stand
--   in `audit_screening_conflict`.
-- Columns:
--   stage: title_abstract or full_text
--   reviewer_a, reviewer_b: the two, in alphabetical order
--   n: records that both decided on
--   n_agree: records with equal decisions
--   agreement: n_agree/n
--   kappa, kappa_std_error: Cohen's kappa
--   ac1: Gwet's AC1
create or replace view screening_agreement as
select
    scale as stage,
    rater_a as reviewer_a,
    rater_b as reviewer_b,
    n,
    n_agree,
    agreement,
    kappa,
    kappa_std_error,
    ac1
from rating_agreement
where rating = 'screening'
