-- Title: Studies whose publication was retracted, corrected or doubted
-- Grain: study x notice
-- Severity: warning
-- Message: what the notice says, of which publication
-- Caveats: From `retracted_study`, so from the notices that retractions.csv has. What was reinstated is not listed.
-- Columns:
--   severity: warning
--   message: the notice, its day, the publication and the reasons given
--   remedy: what would be right
--   study: the study
--   source_file, source_line: where the publication stands
create or replace view audit_retracted_study as
select
    'warning' as severity,
    concat(
        'a publication of this study (',
        case when matched_by = 'pmid' then concat('PubMed ', pmid) else concat('doi ', doi) end,
        ') ',
        case nature
            when 'retraction' then 'was retracted'
            when 'expression_of_concern' then 'has an expression of concern'
            else 'was corrected'
        end,
        case when date is null then '' else concat(' on ', cast(date as varchar)) end,
        case when reason is null then '' else concat(': ', reason) end
    ) as message,
    case
        when nature = 'correction' then 'compare what was read with the correction'
        when in_evidence then 'look at the results without it (--where), then leave it out, or say why it stays'
        else 'leave it out, or say why it stays'
    end as remedy,
    study,
    source_file,
    source_line
from retracted_study
where nature <> 'reinstatement' and not reinstated
