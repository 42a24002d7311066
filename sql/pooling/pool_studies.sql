-- Title: Pooled estimates of the studies one asks for
-- Grain: outcome x measure x pair of treatments
-- Formula: `pooled`, with its columns, over the contrasts of the studies in the list, at the time point of the plan.
--   from pool_studies((select list(study) from study where year >= 2018))
-- Reference: see `pooling`
-- Caveats: Those of `pooled`, which all studies give. A condition on arms or time points is one on contrasts:
--   `pool_contrasts`.
create or replace macro pool_studies(chosen) as table
    select *
    from pool_contrasts((
        select list(contrast_id)
        from comparison_contrast
        where list_contains(chosen, study)
    ))
