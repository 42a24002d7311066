"""Audit what a paper prints: load its league table and claims, rebuild its posterior, check every sentence.

The model review says that liver stem cells rank first on all four outcomes. Its own Table 1 says otherwise
for TNF-alpha.
"""

import evidence
from analysis.published import rebuild
from evidence.checking.claims import check_claims


def main() -> None:
    """Print the rebuilt rankings of the model review, and the claims that do not hold."""
    with evidence.open("alf") as db:
        for printed in rebuild(db):
            if printed.unranked:
                print(printed.outcome, printed.unranked)
                continue
            print(printed.outcome, f"precision of the hierarchy {printed.poth:.2f}")
            print(printed.ranking()[["treatment", "mean_rank", "sucra", "p_best"]].round(2))
        for verdict in check_claims(db):
            if verdict.verdict == "does not hold":
                print(f"{verdict.text}: expected {verdict.expected}, found {verdict.found}")


if __name__ == "__main__":
    main()
