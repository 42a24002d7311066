"""Markov chains that run until they have converged, or say that they did not, and what they tell."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from analysis.network.data.network import Array
from analysis.network.mcmc.chains import ChainData, Chains, run
from analysis.network.mcmc.convergence import Diagnosis
from analysis.network.model.draws import Draws
from analysis.network.model.likelihood import Likelihood
from analysis.network.model.rows import Design
from analysis.network.protocol import TauSummary


@dataclass(frozen=True)
class Length:
    """How long chains run: as in `fit`."""

    seed: int
    draws: int
    tune: int
    max_draws: int
    criterion: str


@dataclass(frozen=True, eq=False)
class McmcPosterior:
    """Chains of one model, and how far they can be trusted.

    Attributes
    ----------
    data : ChainData
    chains : Chains
    diagnosis : tuple of Diagnosis
        Of the coefficients and the standard deviations.
    rounds : int
        How often the chains were started, each time twice as long.
    criterion : str
    seed : int
    treatments : (T, p) array or None
    """

    data: ChainData
    chains: Chains
    diagnosis: tuple[Diagnosis, ...]
    rounds: int
    criterion: str
    seed: int
    treatments: Array | None

    @property
    def converged(self) -> bool:
        """Whether every parameter meets the criterion."""
        return all(one.converged(self.criterion) for one in self.diagnosis)

    @property
    def kept(self) -> int:
        """Kept iterations of each chain."""
        return self.chains.draws["coefficients"].shape[1]

    @property
    def coefficients(self) -> Array:
        """All draws of the coefficients, (N, p)."""
        found = self.chains.draws["coefficients"]
        return found.reshape(-1, found.shape[2])

    @property
    def effective(self) -> float:
        """Smallest effective sample size of the bulk."""
        return min(one.ess_bulk for one in self.diagnosis)

    @cached_property
    def draws(self) -> Draws:
        """Equally weighted draws of the treatments' effects, or of the coefficients."""
        coefficients = self.coefficients
        chains = self.chains.draws
        tau = chains["tau"].ravel() if "tau" in chains else np.zeros(len(coefficients))
        effects = coefficients if self.treatments is None else coefficients @ self.treatments.T
        return Draws.alike(effects, tau, self.seed)

    def tau(self) -> TauSummary | None:
        """Posterior of the heterogeneity; None with common effects."""
        if "tau" not in self.chains.draws:
            return None
        tau = self.chains.draws["tau"].ravel()
        lower, median, upper = np.quantile(tau, (0.025, 0.5, 0.975)).tolist()
        return TauSummary(float(tau.mean()), float(tau.std(ddof=1)), median, lower, upper)

    def tau_density(self, upper: float) -> Callable[[float], float] | None:
        """Posterior density of the heterogeneity up to a limit, in twenty steps; None with common effects."""
        if "tau" not in self.chains.draws or not np.isfinite(upper):
            return None
        share, edges = np.histogram(
            self.chains.draws["tau"].ravel(), bins=20, range=(0.0, upper), density=True
        )
        return lambda tau: float(share[min(int(np.searchsorted(edges, tau, side="right")) - 1, 19)])

    def deviance(self, likelihood: Likelihood | None) -> tuple[Array, Array]:
        """Posterior mean residual deviance of every data point, and its leverage.

        Rows: conditional on the study effects, whose posterior given tau and effects is known.
        """
        a = self.data.arrays
        predictor = self.coefficients @ a["x"].T
        if self.data.shape.likelihood == "rows":
            weight = 1.0 / (1.0 + np.outer(self.draws.tau**2, a["size"]))
            residual = weight * (a["y"] - predictor)
            mean = (residual**2 + 1.0 - weight).mean(0)
            return mean, mean - residual.mean(0) ** 2
        baseline = self.chains.draws["baseline"].reshape(len(predictor), -1)
        eta = predictor + baseline[:, a["study"]]
        if "z" in self.chains.draws:
            z = self.chains.draws["z"].reshape(len(predictor), -1)
            moved = sum(a["load"][:, j] * z[:, a["load_index"][:, j]] for j in range(a["load"].shape[1]))
            eta += self.draws.tau[:, None] * moved
        if likelihood is None:
            mean = (((a["y"] - eta) / a["size"]) ** 2).mean(0)
            return mean, mean - ((a["y"] - eta.mean(0)) / a["size"]) ** 2
        fitted = likelihood.fitted(a["size"], eta)
        mean = likelihood.deviance(a["y"], a["size"], fitted).mean(0)
        return mean, mean - likelihood.deviance(a["y"], a["size"], fitted.mean(0))


def sample(data: ChainData, length: Length, design: Design) -> McmcPosterior:
    """Run chains until they have converged, starting again twice as long.

    Parameters
    ----------
    data : ChainData
    length : Length
    design : Design

    Returns
    -------
    McmcPosterior
        Its `converged` says whether they did.
    """
    draws, tune, rounds = length.draws, length.tune, 1
    while True:
        chains = run(data, draws=draws, tune=tune, seed=length.seed + rounds - 1)
        found = McmcPosterior(
            data, chains, _diagnose(chains), rounds, length.criterion, length.seed, design.treatments
        )
        if found.converged or 2 * draws > length.max_draws:
            return found
        draws, tune, rounds = 2 * draws, 2 * tune, rounds + 1


def _diagnose(chains: Chains) -> tuple[Diagnosis, ...]:
    coefficients = chains.draws["coefficients"]
    found = [Diagnosis.of(f"coefficient {i}", coefficients[:, :, i]) for i in range(coefficients.shape[2])]
    for name in ("tau", "class_sd", "baseline_mean", "baseline_sd"):
        if name in chains.draws:
            found.append(Diagnosis.of(name, chains.draws[name]))
    return tuple(found)
