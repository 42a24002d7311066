"""One network, two engines: generalised least squares and the exact posterior side by side.

The posterior needs no sampling, so leaving out every study and splitting every node cost next to nothing.
"""

import evidence
from analysis import network


def main() -> None:
    """Print the league, the ranking and the inconsistency of the Parkinson's disease network."""
    with evidence.open("parkinson") as db:
        net = network.load(db, outcome="off_time", measure="MD")
        frequentist = network.fit(net, engine="frequentist", model="random")
        exact = network.fit(net, engine="exact", model="random", tau_prior="half-normal(0.5)")
        for fit in (frequentist, exact):
            print(fit.engine)
            print(fit.relative_effects()[["treatment", "versus", "estimate", "ci_lower", "ci_upper"]])
            print(fit.ranking()[["treatment", "sucra", "p_best"]])
        print(exact.node_splits()[["treatment", "versus", "difference", "p_value"]])


if __name__ == "__main__":
    main()
