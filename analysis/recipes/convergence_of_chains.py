"""Follow the convergence of Markov chains: the model review's Figure 7, on its simulated twin.

The exact engine needs no chains. Where chains are wanted, to check it or for other likelihoods, this draws
the potential scale reduction factor of every parameter by iteration, for each of the four outcomes.
"""

import tempfile
from pathlib import Path

import evidence
from analysis import charts, network
from analysis.charts.base.files import save
from evidence.folder.simulate import NOTICE

OUTCOMES = ("alt", "ast", "tnf_alpha", "il6")
NODES = ("ADMSC", "AFMSC", "BMSC", "LSC", "MenSC", "UCMSC", "placebo")


def main(directory: str | Path | None = None, outcomes: tuple[str, ...] = OUTCOMES) -> None:
    """Sample each network, print how the chains ended, and draw their convergence as SVG."""
    folder = Path(directory or tempfile.mkdtemp())
    with evidence.open("alf-simulated") as db:
        for outcome in outcomes:
            net = network.load(db, outcome=outcome, measure="MD", treatments=NODES)
            fit = network.fit(net, engine="mcmc", model="random", seed=2023)
            print(fit.diagnostics()[["parameter", "rhat", "ess_bulk", "ess_tail", "mcse", "divergences"]])
            title = f"{outcome}: potential scale reduction factor by iteration. {NOTICE}"
            chart = charts.psrf(fit.convergence(), title=title)
            for file in save(chart, folder / f"{outcome}-psrf", ("svg",)):
                print(file)


if __name__ == "__main__":
    main("convergence")
