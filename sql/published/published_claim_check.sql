-- Title: What became of every claim
-- Grain: claim
-- Key: claim
-- Formula: the claim's query was run on this evidence base, and what it found compared with what is expected
-- Caveats: stored when the file was built or analysed; `evidence audit` runs the queries anew
-- Columns:
--   claim, kind, publication, text, locator: the sentence, whether it is said or is a check, and where it stands
--   verdict: holds, does not hold, or cannot be checked
--   found: what the query gave
--   expected: the operator with what it expects
--   needs: what would be needed to check it, or why the query failed
create or replace view published_claim_check as
select
    claim.claim,
    claim.kind,
    claim.publication,
    claim.text,
    claim.locator,
    claim_result.verdict,
    claim_result.found,
    claim_result.expected,
    claim_result.needs
from claim
left join claim_result on claim.claim = claim_result.claim
