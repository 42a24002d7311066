"""What is held against the evidence: conditions and queries from outside, claims, audits."""
