"""Markov chains in PyMC: one model for every likelihood, built and compiled once for each shape of data.

Data, design, inclusion of studies and the numbers of the priors are all mutable data of the model, so that
leaving studies out, splitting nodes or changing priors compiles nothing. nutpie draws where it is installed.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import lru_cache
from importlib.util import find_spec
from math import isfinite
from typing import Any

import numpy as np

from analysis.network.data.network import Array
from analysis.network.model.priors import PRIORS, Prior
from evidence.errors import RefusedError
from evidence.system.memory import FEWER, refuse_without_room
from evidence.system.progress import tell

CHAINS = 4


@dataclass(frozen=True)
class Shape:
    """What a compiled model depends on, but for the sizes of its arrays.

    Attributes
    ----------
    likelihood : str
        rows (normal, study effects integrated out), normal, logit, log, cloglog or poisson.
    common : bool
        No heterogeneity.
    tau, spread, baseline_spread : (str, bool) or None
        Kind of the priors of tau, of effects within classes and of exchangeable baselines, and whether they
        have an upper limit; None where the model has no such thing.
    """

    likelihood: str
    common: bool
    tau: tuple[str, bool] | None = None
    spread: tuple[str, bool] | None = None
    baseline_spread: tuple[str, bool] | None = None


@dataclass(frozen=True)
class ChainData:
    """One model's data.

    Attributes
    ----------
    shape : Shape
    arrays : dict of str to array
        By the names of the model's data: y (N,), size (N,) (theta of rows, n, exposure or standard errors),
        x (N, p), study (N,) (place of the study), include (S,), load and load_index (N, q) (what the standard
        normal variables of the study effects do, and which), prior_sd (p,), membership (p, C), and the
        numbers of the priors.
    """

    shape: Shape
    arrays: dict[str, Array] = field(default_factory=dict)

    def with_arrays(self, **changes: Array) -> ChainData:
        """Change some of the data."""
        return replace(self, arrays=self.arrays | changes)

    @property
    def mutable(self) -> dict[str, Array]:
        """Arrays that the compiled model holds: all that its shape uses, without starting values."""
        unused = {"baseline_start"}
        if self.shape.spread is not None:
            unused.add("prior_sd")
        if self.shape.likelihood == "rows" and self.shape.common:
            unused.add("size")
        return {name: array for name, array in self.arrays.items() if name not in unused}

    @property
    def key(self) -> tuple[Any, ...]:
        """What decides whether a compiled model can be used again."""
        return (
            self.shape,
            *((name, array.shape, str(array.dtype)) for name, array in sorted(self.arrays.items())),
        )


def prior_kind(prior: Prior) -> tuple[str, bool]:
    """Kind of a prior, and whether it has an upper limit."""
    return prior.name, isfinite(prior.upper)


def prior_numbers(prior: Prior) -> Array:
    """Limits of a prior (an upper one of 0 for none), and its parameters, (2 + n,)."""
    cut = prior.upper if isfinite(prior.upper) else 0.0
    return np.array([prior.minimum, cut, *prior.parameters])


def require_pymc() -> None:
    """Refuse where PyMC is not installed.

    Raises
    ------
    RefusedError
    """
    if find_spec("pymc") is None:
        raise RefusedError(
            "The engine mcmc needs PyMC: pip install 'evidence-base[mcmc]'. The engines exact (normal "
            "likelihood) and counts need nothing more."
        )


def _log_kernel(kind: str, numbers: Any, x: Any) -> Any:
    """Log density of a standard deviation, less constants."""
    if kind not in PRIORS:
        raise NotImplementedError(f"the engine mcmc has no density for the prior {kind!r}")
    count = len(PRIORS[kind].takes())
    return PRIORS[kind].chain_kernel(x, *(numbers[2 + place] for place in range(count)))


def _standard_deviation(name: str, kind: tuple[str, bool], numbers: Any) -> Any:
    """Give a model a standard deviation with one of the priors."""
    import pymc as pm

    if kind[1]:
        x = pm.Uniform(name, numbers[0], numbers[1])
    else:
        x = pm.HalfFlat(name, initval=0.5)
    pm.Potential(f"{name}_prior", _log_kernel(kind[0], numbers, x))
    return x


def _log_likelihood(likelihood: str, y: Any, size: Any, eta: Any) -> Any:
    """Log density of each data point, less what does not depend on parameters."""
    import pytensor.tensor as pt

    if likelihood == "normal":
        return -0.5 * ((y - eta) / size) ** 2
    if likelihood == "logit":
        return y * eta - size * pt.softplus(eta)
    if likelihood == "poisson":
        return y * eta - size * pt.exp(eta)
    if likelihood == "log":
        safe = pt.switch(eta < 0.0, eta, -1.0)
        return pt.switch(eta < 0.0, y * safe + (size - y) * pt.log1mexp(safe), -np.inf)
    if likelihood == "cloglog":
        hazard = pt.maximum(pt.exp(eta), 1e-300)
        return y * pt.log(-pt.expm1(-hazard)) - (size - y) * hazard
    raise NotImplementedError(f"the engine mcmc has no likelihood {likelihood!r}")


def build(data: ChainData) -> Any:
    """Build the PyMC model of some data.

    Free variables: ``coefficients`` (or ``class_mean``, ``class_sd`` and ``within`` where effects are
    exchangeable within classes), ``tau``, and for arms ``baseline`` (with ``baseline_mean``, ``baseline_sd``
    where exchangeable) and ``z``, the standardised study effects (non-centred).

    Parameters
    ----------
    data : ChainData

    Returns
    -------
    pymc.Model
    """
    import pymc as pm
    import pytensor.tensor as pt

    shape, arrays = data.shape, data.arrays
    with pm.Model() as model:
        d = {name: pm.Data(name, array) for name, array in data.mutable.items()}
        p = arrays["x"].shape[1]
        tau = None if shape.tau is None else _standard_deviation("tau", shape.tau, d["tau_numbers"])
        if shape.spread is None:
            coefficients = pm.Normal("coefficients", 0.0, d["prior_sd"], shape=p)
        else:
            spread = _standard_deviation("class_sd", shape.spread, d["class_numbers"])
            classes = arrays["membership"].shape[1]
            mean = pm.Normal("class_mean", 0.0, d["class_prior_sd"], shape=classes)
            within = pm.Normal("within", 0.0, d["within_sd"], shape=p)
            scale = pt.switch(pt.sum(d["membership"], axis=1) > 0, spread, 1.0)
            coefficients = pm.Deterministic("coefficients", pt.dot(d["membership"], mean) + scale * within)
        predictor = pt.dot(d["x"], coefficients)
        if shape.likelihood == "rows":
            variance = 1.0 if tau is None else 1.0 + tau**2 * d["size"]
            terms = -0.5 * ((d["y"] - predictor) ** 2 / variance + pt.log(variance))
        else:
            studies = arrays["include"].shape[0]
            if shape.baseline_spread is None:
                b = d["baseline_numbers"]
                baseline = pm.Normal("baseline", b[0], b[1], shape=studies, initval=arrays["baseline_start"])
            else:
                b = d["baseline_numbers"]
                centre = pm.Normal("baseline_mean", b[0], b[1])
                width = _standard_deviation("baseline_sd", shape.baseline_spread, d["baseline_sd_numbers"])
                raw = pm.Normal("baseline_z", 0.0, 1.0, shape=studies)
                baseline = pm.Deterministic("baseline", centre + width * raw)
            eta = baseline[d["study"]] + predictor
            if tau is not None:
                z = pm.Normal("z", 0.0, 1.0, shape=study_effects(arrays))
                taken = z[d["load_index"].flatten()].reshape(arrays["load"].shape)
                eta = eta + tau * pt.sum(d["load"] * taken, axis=1)
            terms = _log_likelihood(shape.likelihood, d["y"], d["size"], eta)
        pm.Potential("data", pt.sum(d["include"][d["study"]] * terms))
    return model


def study_effects(arrays: dict[str, Array]) -> int:
    """Count the standard normal variables of the study effects: one for each arm but the base arms."""
    return len(arrays["y"]) - len(arrays["include"])


@lru_cache(maxsize=16)
def _compiled(_key: tuple[Any, ...], holder: _Holder) -> tuple[str, Any]:
    model = build(holder.data)
    if find_spec("nutpie") is not None:
        import nutpie
        import pandas as pd

        # Nutpie reads names that pandas keeps as objects, or with pyarrow, without which a command starts.
        with pd.option_context("future.infer_string", False):
            return "nutpie", nutpie.compile_pymc_model(model)
    return "pymc", model


@dataclass(frozen=True, eq=False)
class _Holder:
    """Data behind a key: equal to any other, so that the key alone decides."""

    data: ChainData

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Holder)

    def __hash__(self) -> int:
        return 0


@dataclass(frozen=True)
class Chains:
    """Draws of one model.

    Attributes
    ----------
    draws : dict of str to (chains, n, ...) array
    divergences : int
    sampler : str
        nutpie or pymc.
    """

    draws: dict[str, Array]
    divergences: int
    sampler: str


def run(data: ChainData, *, draws: int, tune: int, seed: int) -> Chains:
    """Draw four chains.

    Parameters
    ----------
    data : ChainData
    draws, tune : int
        Per chain.
    seed : int

    Returns
    -------
    Chains
    """
    require_pymc()
    a = data.arrays
    parameters = a["x"].shape[1] + (study_effects(a) if "load" in a else 0)
    if data.shape.likelihood != "rows":
        parameters += len(a["include"])
    # Discarded draws are held until the chains end; kept ones are copied once.
    refuse_without_room(
        8 * CHAINS * (2 * draws + tune) * parameters,
        f"Drawing {CHAINS} chains of {draws:,} draws of {parameters:,} parameters",
        f"Take fewer draws (draws, max_draws), or the engine counts, exact or frequentist. {FEWER}",
    )
    import logging
    import warnings

    tell(f"drawing {CHAINS} chains of {draws:,} draws after {tune:,}")
    names = ("coefficients", "tau", "baseline", "z", "class_sd", "class_mean", "baseline_mean", "baseline_sd")
    with warnings.catch_warnings():
        # About linear algebra libraries and future versions: nothing that a reader of results can act on.
        warnings.simplefilter("ignore")
        sampler, compiled = _compiled(data.key, _Holder(data))
        if sampler == "nutpie":
            import nutpie

            trace = nutpie.sample(
                compiled.with_data(**data.mutable),
                draws=draws,
                tune=tune,
                chains=CHAINS,
                seed=seed,
                progress_bar=False,
                target_accept=0.9,
            )
        else:
            import pymc as pm

            logging.getLogger("pymc").setLevel(logging.ERROR)
            with compiled:
                pm.set_data(data.mutable)
                trace = pm.sample(
                    draws=draws,
                    tune=tune,
                    chains=CHAINS,
                    cores=1,
                    random_seed=seed,
                    progressbar=False,
                    target_accept=0.9,
                    compute_convergence_checks=False,
                )
    posterior = trace["posterior"]
    found = {name: np.asarray(posterior[name].values) for name in names if name in posterior}
    divergences = int(np.asarray(trace["sample_stats"]["diverging"].values).sum())
    return Chains(found, divergences, sampler)
