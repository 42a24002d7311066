"""The model review's pipeline on its simulated twin: every number known, none of it real.

Pools all stem cells by cell type, then fits the network of the six cell types that report every outcome,
and holds the answer against the truth that the simulation started from.
"""

import evidence
from analysis import network, pairwise
from evidence.folder.simulate import ALF, truth

NODES = ("ADMSC", "AFMSC", "BMSC", "LSC", "MenSC", "UCMSC", "placebo")


def main() -> None:
    """Print pooled effects by cell type, and network effects beside the true ones."""
    known = truth(ALF)
    with evidence.open("alf-simulated") as db:
        pooled = pairwise.fit(
            db, outcome="il6", measure="MD", treatment="stem cell", versus="placebo", by="treatment"
        )
        print(pooled.estimates()[["model", "level", "estimate", "ci_lower", "ci_upper", "n_studies"]])
        net = network.load(db, outcome="il6", measure="MD", treatments=NODES)
        fit = network.fit(net, engine="exact", model="random")
        effects = fit.relative_effects()[["treatment", "estimate", "ci_lower", "ci_upper"]]
        print(effects.assign(truth=[known["il6", name] for name in effects["treatment"]]))
        print(fit.ranking()[["treatment", "sucra"]])


if __name__ == "__main__":
    main()
