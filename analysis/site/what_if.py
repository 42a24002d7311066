"""Every analysis of the plan without each study and under other priors, by the exact engine, in advance."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from analysis.charts.base.effect import Effect
from analysis.charts.base.theme import missing
from evidence.errors import EvidenceError

if TYPE_CHECKING:
    from evidence.query import EvidenceBase

MOST = 100_000
"""Rows computed in advance for an analysis; where there would be more, studies go under one prior only."""

COMMON = "common effect: no heterogeneity"
ALL = ""
"""What stands for the study left out where none is."""

COLUMNS = (
    "analysis", "model", "left_out", "treatment", "versus", "estimate", "ci_lower", "ci_upper", "tau", "note",
)  # fmt: skip
"""Of the rows, which are on the analysis scale: natural logarithms of ratios."""


def rows(
    db: EvidenceBase, say: Callable[[str], None] = lambda step: None
) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """Fit every analysis of the plan by the exact engine: as it is, without each study, under other priors.

    Parameters
    ----------
    db : EvidenceBase
    say : callable
        Called with a few words before each analysis.

    Returns
    -------
    rows : list of dict
        With the keys `COLUMNS`. `model` is the prior of the heterogeneity in words, the analysis's own first
        (the engine's default where the plan states none), or `COMMON`; `left_out` is empty where no study
        is; effects are posterior means of the treatment against the reference, intervals 95 % credible, tau
        the posterior median.
    refused : dict of str to str
        Why an analysis is not among them, by name.
    """
    found: list[dict[str, Any]] = []
    refused: dict[str, str] = {}
    for planned in db.rows("select * from plan order by position, analysis"):
        name = str(planned["analysis"])
        say(f"{name}: without each study, under other priors")
        try:
            found += [{"analysis": name} | row for row in _of(db, planned)]
        except EvidenceError as error:
            refused[name] = str(error)
    return found, refused


def _of(db: EvidenceBase, planned: Mapping[str, Any]) -> list[dict[str, Any]]:
    from analysis import network, plan
    from analysis.network.model import priors
    from analysis.network.model.specification import effect_scale, unit_of
    from evidence.folder.options import settle

    options: dict[str, Any] = {}
    if planned["kind"] == "pairwise":
        net = network.from_pairwise(plan.planned_pairwise(db, planned))
    else:
        net = plan.planned_network(db, planned)
        _, options = settle("network", plan.planned_options({**planned, "engine": "exact"}))
        options = {key: value for key, value in options.items() if value is not None}
    own = network.fit(net, engine="exact", model="both", **options)
    others = [
        network.fit(net, engine="exact", model="random", **options | {"tau_prior": prior})
        for prior in priors.customary(effect_scale(net))
        if prior != own.specification.prior
    ]
    size = len({study for study, _ in net.studies}) * (len(net.treatments) - 1)
    fits = [("random", own), *(("random", other) for other in others), ("common", own)]
    found = []
    for model, fit in fits:
        prior = fit.specification.prior.describe(unit_of(net)) if model == "random" else COMMON
        effects = [row | {"left_out": ALL} for row in _records(fit.relative_effects(), model)]
        tau = fit.tau(model)
        median = None if tau is None else tau.median
        found += [row | {"model": prior, "tau": median} for row in effects]
        if fit is own or size * len(fits) <= MOST:
            left = _records(fit.leave_one_out(), model)
            found += [
                row | {"model": prior, "left_out": row["study"], "tau": row["tau"] if tau else None}
                for row in left
            ]
    return [
        {name: None if missing(value := row.get(name)) else value for name in COLUMNS[1:]} for row in found
    ]


def _records(frame: Any, model: str) -> list[dict[str, Any]]:
    from evidence.system.frames import rows as rows_of

    return [row for row in rows_of(frame) if row["model"] == model]


def for_the_page(
    db: EvidenceBase, found: list[dict[str, Any]], refused: Mapping[str, str]
) -> list[dict[str, Any]]:
    """Give the rows as the page shows them: on the scale on which they are read, with names and directions.

    Returns
    -------
    list of dict
        One for each analysis of the plan: name, title, log (whether its axis is logarithmic), null (no
        effect), favours (words left and right of it), treatments, models, studies (key and printed name,
        the oldest first), and ``cells[model][study][treatment]`` with estimate, limits and text, where the
        study -1 is none; or name and refused.
    """
    labels = {row["treatment"]: row["label"] for row in db.rows("select treatment, label from treatment")}
    outcomes = {row["outcome"]: row["label"] for row in db.rows("select outcome, label from outcome")}
    studies = {
        row["study"]: row["label"]
        for row in db.rows("select study, label from study order by year nulls last, label, study")
    }
    units = {row["outcome"]: row for row in db.rows("select * from outcome")}
    by_analysis: dict[str, list[dict[str, Any]]] = {}
    for row in found:
        by_analysis.setdefault(row["analysis"], []).append(row)
    pages: list[dict[str, Any]] = []
    for planned in db.rows("select * from plan order by position, analysis"):
        name = planned["analysis"]
        if name in refused:
            pages.append({"name": name, "refused": refused[name]})
            continue
        outcome = units[planned["outcome"]]
        effect = Effect(
            planned["measure"], outcomes[planned["outcome"]], outcome["unit"], outcome["lower_is_better"],
            labels, bayesian=True,
        )  # fmt: skip
        pages.append({"name": name} | _page(by_analysis[name], effect, studies))
    return pages


def _page(rows: list[dict[str, Any]], effect: Effect, studies: Mapping[str, str]) -> dict[str, Any]:
    models = list(dict.fromkeys(row["model"] for row in rows))
    treatments = list(dict.fromkeys(row["treatment"] for row in rows))
    entered = {row["left_out"] for row in rows}
    left_out = [study for study in studies if study in entered]
    place = {study: index for index, study in enumerate(left_out)} | {ALL: -1}
    whole = [row for row in rows if row["left_out"] == ALL and row["ci_lower"] is not None]
    digits = effect.digits((row["ci_upper"] - row["ci_lower"]) / 2 for row in whole)
    cells: dict[int, dict[int, list[Any]]] = {}
    tau: dict[int, dict[int, str]] = {}
    for row in rows:
        model, study = models.index(row["model"]), place[row["left_out"]]
        numbers = [row["estimate"], row["ci_lower"], row["ci_upper"]]
        shown = [None if value is None else float(f"{effect.shown(value):.7g}") for value in numbers]
        text = effect.estimate_text(numbers[0], numbers[1], numbers[2], digits) or str(row["note"] or "")
        cells.setdefault(model, {}).setdefault(study, []).append([*shown, text])
        if row["tau"] is not None:
            tau.setdefault(model, {})[study] = effect.spread_text(row["tau"], digits)
    versus = rows[0]["versus"]
    one = effect.label(treatments[0]) if len(treatments) == 1 else "the treatment"
    return {
        "title": effect.title,
        "log": effect.scale == "log",
        "null": effect.null,
        "favours": effect.favours(one, effect.label(versus)),
        "versus": effect.label(versus),
        "treatments": [effect.label(treatment) for treatment in treatments],
        "models": models,
        "studies": [[study, studies[study]] for study in left_out],
        "cells": cells,
        "tau": tau,
    }
