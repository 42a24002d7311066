-- Title: Risk of bias not judged
-- Grain: study x tool x item
-- Severity: warning
-- Message: which item of which tool is missing
-- Formula: Items of a tool that was used in the review, for studies of which it judges others, but for those that an
--   assessment may leave out (rob_item.optional); a study without any judgement is named once.
-- Columns:
--   severity: warning
--   message: what is missing
--   remedy: what would complete it
--   study: the study
--   source_file, source_line: the study
create or replace view audit_item_not_judged as
with judged as (
    select distinct
        study,
        tool
    from rob_judgement
)

select
    'warning' as severity,
    concat(judged.tool, ' item ', rob_item.item, ' (', rob_item.label, ') is not judged') as message,
    'add it to risk_of_bias.csv; unclear is a judgement, an empty cell is none' as remedy,
    judged.study,
    study.source_file,
    study.source_line
from judged
inner join rob_item on judged.tool = rob_item.tool
inner join study on judged.study = study.study
where
    not rob_item.optional
    and not exists (
        select 1 from rob_judgement
        where
            rob_judgement.study = judged.study
            and rob_judgement.tool = judged.tool
            and rob_judgement.item = rob_item.item
    )
union all
select
    'warning' as severity,
    'the risk of bias of this study is not judged' as message,
    'add its judgements to risk_of_bias.csv' as remedy,
    study,
    source_file,
    source_line
from study
where study not in (select study from judged) and exists (select 1 from judged)
