"""What an engine owes are numbers; the tables of all engines are made in one place."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args, get_overloads, get_type_hints

import numpy as np
import pandas as pd
import pytest

from analysis import network
from analysis.network import protocol
from analysis.network.counts import CountsFit
from analysis.network.data.network import Network
from analysis.network.exact import ExactFit
from analysis.network.frequentist import FrequentistFit
from analysis.network.mcmc import McmcFit
from analysis.network.model.draws import Draws
from analysis.network.result import NetworkFit
from analysis.network.sampled import SampledFit
from analysis.results import COLUMNS

ROOM = Path(network.__file__).parent
FITS = {"frequentist": FrequentistFit, "exact": ExactFit, "counts": CountsFit, "mcmc": McmcFit}


def trees():
    return {path.relative_to(ROOM).as_posix(): ast.parse(path.read_text()) for path in ROOM.rglob("*.py")}


def calls(tree: ast.AST) -> set[str]:
    """Names of the functions that are called."""
    called = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)]
    return {one.attr if isinstance(one, ast.Attribute) else getattr(one, "id", "") for one in called}


def imported(tree: ast.AST) -> set[str]:
    return {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module}


@pytest.fixture(scope="module")
def net() -> Network:
    rows = [("s1", "a", "b", 0.2, 0.1), ("s2", "b", "c", 0.3, 0.2), ("s3", "a", "c", 0.6, 0.1)]
    columns = ["study", "treatment_a", "treatment_b", "estimate", "std_error"]
    return network.from_contrasts(
        pd.DataFrame(rows, columns=columns), measure="MD", lower_is_better=False, reference="c"
    )


# --- the house ------------------------------------------------------------------------------------------


def test_frames_of_results_are_made_in_one_file():
    makers = {name for name, tree in trees().items() if "frame" in calls(tree)}
    assert makers == {"tables.py"}
    # Frames of data are read from elsewhere: the rooms of the engines and what they share make none.
    free = {name for name, tree in trees().items() if {"DataFrame", "concat"} & calls(tree)}
    assert {name for name in free if not name.startswith("data/")} <= {"tables.py", "model/specification.py"}


def test_every_engine_has_the_same_files():
    for engine in network.ENGINES:
        files = {path.stem for path in (ROOM / engine).glob("*.py")}
        assert {"__init__", "engine", "fitted", "remarks"} <= files, engine
        assert len({"posterior", "solution"} & files) == 1, engine
        face = ast.parse((ROOM / engine / "__init__.py").read_text())
        assert imported(face) == {f"analysis.network.{engine}.{name}" for name in ("engine", "fitted")}


def test_no_engine_imports_another():
    for name, tree in trees().items():
        engine = name.partition("/")[0]
        if engine in network.ENGINES:
            others = [one for one in network.ENGINES if one != engine]
            assert not any(
                target.startswith(f"analysis.network.{other}")
                for target in imported(tree)
                for other in others
            ), name


def test_a_fit_is_found_in_one_file_and_its_base():
    assert {engine: fit.__bases__ for engine, fit in FITS.items()} == {
        "frequentist": (NetworkFit,),
        "exact": (NetworkFit,),
        "counts": (SampledFit,),
        "mcmc": (SampledFit,),
    }


def test_a_class_of_networks_has_a_name_of_its_own():
    names = [
        node.name for tree in trees().values() for node in ast.walk(tree) if isinstance(node, ast.ClassDef)
    ]
    assert len(names) > 50
    assert len(names) == len(set(names))
    assert not {"Rows", "Table", "Column", "Row"} & set(names)


def test_an_editor_shows_what_the_fit_of_each_engine_offers():
    named = {"NetworkFit": NetworkFit, "Network": Network, "Literal": Literal}
    known = named | {fit.__name__: fit for fit in FITS.values()}
    shown = {}
    for one in get_overloads(network.fit):
        hints = get_type_hints(one, globalns=vars(network) | known)
        for engine in get_args(hints["engine"]):
            shown[engine] = hints["return"]
    assert shown == {engine: FITS[engine] for engine in network.ENGINES}


def test_draws_mean_the_same_in_every_fit(net):
    fit = network.fit(net, engine="exact", tau_prior="half-normal(1)", draws=200)
    drawn = fit.draws("random", 300, seed=2)
    assert isinstance(drawn, Draws)
    assert drawn.effects.shape == (300, 3)
    assert not hasattr(network.fit(net), "draws")
    assert SampledFit.draws.__annotations__["return"] == ExactFit.draws.__annotations__["return"] == "Draws"


# --- an engine made of numbers --------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Told(NetworkFit):
    """An engine that computes nothing: it owes these numbers, and is a whole fit."""

    network: Network
    models: tuple[str, ...] = ("random",)
    engine: str = field(default="told", init=False)

    def effects(self, model, treatment, versus):
        zero = np.zeros(len(treatment))
        return protocol.Effects(zero + 1.5, zero + 0.5, zero + 0.5, zero + 2.5, zero + 0.003)

    def heterogeneity_of(self, model):
        return protocol.TauSummary(0.3, 0.1, 0.3, 0.1, 0.6).estimate("told")

    def ranks(self, model):
        each = np.arange(3)
        return protocol.Ranks(each, np.array([0.0, 0.5, 1.0]), np.eye(3)[::-1], 100, each[::-1])

    def better_by(self, sign, margin):
        yield "random", np.array([1]), np.array([0]), np.array([0.9])

    def agreement(self):
        yield "random", protocol.QTest("told", "network", 1.0, 1, 0.3, "")
        pair = np.array([0, 0]), np.array([1, 2])
        yield (
            "random",
            protocol.Unrelated("worse", -2.0, *pair, np.array([1.0, np.nan]), np.array([0.2, np.nan])),
        )

    def splits_of(self, a, b, note):
        return protocol.SplitSummary(a, b, direct=1.0, indirect=2.0, difference=-1.0, note=note)

    def split_comparisons(self, model):
        return self.split_each(model, self.splits_of)

    def left_out(self, treatment, versus):
        shape = (2, len(treatment))
        numbers = [np.full(shape, value) for value in (1.0, 0.5, 0.0, 2.0)]
        note = np.full(shape, None, dtype=object)
        found = protocol.LeftOut(np.array([0, 2]), *numbers, tau=np.array([0.1, 0.2]), note=note)
        yield "random", found.lacking(np.eye(2, len(treatment), dtype=bool), "lost")

    def shares(self, model, treatment, versus):
        return protocol.Shares(np.array([0, 1]), np.array([2, 0]), np.array([0.25, 0.75]))

    def statistics(self, model):
        yield protocol.Statistic("DIC", 3.0)
        yield protocol.Statistic("deviance", 1.0, study="s1")

    def remarks(self):
        return [("info", "told")]


def test_an_engine_that_gives_numbers_has_every_table(net):
    fit = Told(net)
    tables = {
        "estimates": fit.estimates(),
        "heterogeneity": fit.heterogeneity(),
        "ranking": fit.ranking(),
        "rank_probabilities": fit.rank_probabilities(),
        "inconsistency": fit.inconsistency(),
        "leave_one_out": fit.leave_one_out(),
        "weights": fit.weights(),
        "fit": fit.fit_statistics(),
        "diagnostics": fit.diagnostics(),
        "convergence": fit.convergence(),
        "notes": fit.notes(),
    }
    for name, table in tables.items():
        assert tuple(table.columns) == COLUMNS[name]
        assert len(table) or name in ("diagnostics", "convergence")
        if "engine" in table:
            assert set(table["engine"]) <= {"told"}
    assert list(fit.league()["row"].unique()) == ["b", "a", "c"]
    assert fit.superiority(0.0)["probability"].tolist() == [0.9]


def test_numbers_stand_where_they_belong(net):
    fit = Told(net)
    assert fit.ranking()[["treatment", "sucra", "p_best"]].values.tolist() == [
        ["b", 1.0, 1.0],
        ["a", 0.5, 0.0],
        ["c", 0.0, 0.0],
    ]
    left = fit.leave_one_out()
    assert left["study"].tolist() == ["s1", "s1", "s3", "s3"]
    assert left["treatment"].tolist() == ["a", "b"] * 2
    assert left["tau"].tolist() == [0.1, 0.1, 0.2, 0.2]
    assert left["note"].isna().tolist() == left["estimate"].notna().tolist() == [False, True, True, False]
    weights = fit.weights()
    assert weights["weight"].tolist() == [0.25, 0.75]
    assert weights["treatment"].tolist() == ["a", "b"]
    splits = fit.node_splits()
    assert splits["difference"].tolist() == [-1.0] * 3
    told, whole, known, unknown = fit.inconsistency().to_dict("records")
    assert (told["q"], whole["dic_difference"], known["direct"]) == (1.0, -2.0, 1.0)
    assert "driven by the prior" in unknown["note"]
    assert fit.heterogeneity()["tau2_upper"].iloc[0] == pytest.approx(0.36)
