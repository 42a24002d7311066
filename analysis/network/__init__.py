"""Network meta-analysis: one network read from the evidence, several engines, one kind of result.

>>> import evidence
>>> from analysis import network
>>> db = evidence.open("diabetes")
>>> net = network.load(db, outcome="hba1c", measure="MD", reference="plac")
>>> found = network.fit(net, engine="frequentist", model="random").estimates()
>>> print(found[["treatment", "versus", "estimate", "std_error"]].round(2).head(2).to_string(index=False))
treatment versus  estimate  std_error
     acar   plac     -0.84       0.24
     benf   plac     -0.74       0.28

The rooms: ``data/`` reads the network and knows its graph, ``model/`` holds what engines are made of, and
each engine has a room with the same files:

- ``engine.py``: `fit`, which reads the options, refuses what cannot be, and computes;
- ``fitted.py``: the fit, and in it what the engine owes, method by method;
- ``posterior.py`` (``solution.py`` of the frequentist engine): the distribution of what is estimated;
- ``remarks.py``: what is to be said of a fit.

Further files are an engine's own. What every engine owes are numbers in arrays: ``protocol.py`` says how they
look, `result.NetworkFit` who asks for them. ``tables.py`` alone makes tables of them, the same for all.
"""

from __future__ import annotations

from importlib import import_module
from inspect import signature
from typing import TYPE_CHECKING, Any, Literal, overload

import numpy as np

from analysis.network.data.assemble import from_arms, from_contrasts
from analysis.network.data.blocks import set_reference
from analysis.network.data.load import load
from analysis.network.data.pair import from_pairwise
from evidence import facts
from evidence.errors import CallError

if TYPE_CHECKING:
    from analysis.network.counts import CountsFit
    from analysis.network.data.network import Network
    from analysis.network.exact import ExactFit
    from analysis.network.frequentist import FrequentistFit
    from analysis.network.mcmc import McmcFit
    from analysis.network.result import NetworkFit

__all__ = [
    "ENGINES",
    "MODELS",
    "fit",
    "from_arms",
    "from_contrasts",
    "from_pairwise",
    "load",
    "set_reference",
]

ENGINES = tuple(engine.code for engine in facts.engines())
"""Modules of this package with a function ``fit(net, model=..., **options)``."""

MODELS = ("both", "common", "random")
"""Common effect, random effects, or both: shown side by side, never chosen by a test of heterogeneity."""


# What an editor shows of a fit: that of its engine.
@overload
def fit(
    net: Network,
    engine: Literal["frequentist"] = ...,
    model: str = ...,
    *,
    reference: str | None = ...,
    **options: Any,
) -> FrequentistFit: ...
@overload
def fit(
    net: Network, engine: Literal["exact"], model: str = ..., *, reference: str | None = ..., **options: Any
) -> ExactFit: ...
@overload
def fit(
    net: Network, engine: Literal["counts"], model: str = ..., *, reference: str | None = ..., **options: Any
) -> CountsFit: ...
@overload
def fit(
    net: Network, engine: Literal["mcmc"], model: str = ..., *, reference: str | None = ..., **options: Any
) -> McmcFit: ...
@overload
def fit(
    net: Network, engine: str, model: str = ..., *, reference: str | None = ..., **options: Any
) -> NetworkFit: ...
def fit(
    net: Network,
    engine: str = facts.default_engine(),
    model: str = "both",
    *,
    reference: str | None = None,
    **options: Any,
) -> NetworkFit:
    """Fit a network meta-analysis.

    Parameters
    ----------
    net : Network
        From `load`, `from_contrasts`, `from_arms` or `from_pairwise`.
    engine : str
        One of `ENGINES`; what each is says ``evidence.facts.engine``.
    model : {"both", "common", "random"}
        Which models are fitted.
    reference : str, optional
        Another reference treatment than the network's.
    **options
        Of the engine: see ``fit`` of its module.

    Returns
    -------
    NetworkFit

    Raises
    ------
    CallError
        If the engine, model, reference or an option is not known.
    RefusedError
        If the data do not determine what was asked.

    Examples
    --------
    >>> import evidence
    >>> from analysis import network
    >>> with evidence.open("smoking") as db:
    ...     net = network.load(db, outcome="cessation", measure="OR")
    >>> fit = network.fit(net, engine="exact", model="random", tau_prior="half-normal(1)")
    >>> found = fit.heterogeneity()
    >>> print(found[["tau", "tau_lower", "tau_upper"]].round(2).to_string(index=False))
     tau  tau_lower  tau_upper
    0.69       0.47       1.05
    """
    facts.engine(engine)
    if model not in MODELS:
        raise CallError(f"There is no model {model!r}; there are {', '.join(MODELS)}.")
    if reference is not None:
        net = set_reference(net, reference)
    module = import_module(f"analysis.network.{engine}")
    accepted = set(signature(module.fit).parameters) - {"net", "model"}
    if unknown := [name for name in options if name not in accepted]:
        raise CallError(
            f"The {engine} engine has no option {', '.join(unknown)}; it has {', '.join(sorted(accepted))}."
        )
    seed = options.get("seed", 1)
    if not isinstance(seed, (int, np.integer)) or isinstance(seed, bool) or seed < 0:
        raise CallError(f"seed is {seed!r}; it takes a whole number of 0 or more.")
    return module.fit(net, model=model, **options)
