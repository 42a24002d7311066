"""Random 2 x 2 tables through every way of pooling odds ratios: a number or a reason, and arms can be exchanged."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis import pairwise
from analysis.pairwise.options import LIKELIHOODS, METHODS
from evidence.errors import EvidenceError


def arm():
    return st.integers(1, 40).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


tables = st.lists(st.tuples(arm(), arm()), min_size=1, max_size=6)


def frame(some) -> pd.DataFrame:
    """One row a study: counts, and the log odds ratio with 0.5 in every cell of a study that has a 0."""
    (a, n1), (c, n2) = (np.array([study[side] for study in some], float).T for side in (0, 1))
    cells = np.array([a, n1 - a, c, n2 - c])
    cells = cells + 0.5 * (cells == 0).any(axis=0)
    return pd.DataFrame(
        {
            "study": [f"s{i}" for i in range(len(some))],
            "yi": np.log(cells[0] * cells[3] / cells[1] / cells[2]),
            "vi": (1 / cells).sum(axis=0),
            "events_a": a,
            "n_a": n1,
            "events_b": c,
            "n_b": n2,
        }
    )


def answered(some, method):
    """Estimates and heterogeneity, or that there is a reason against them."""
    try:
        fit = pairwise.fit(frame(some), measure="OR", method=method)
        return fit.estimates().set_index("model"), fit.heterogeneity().set_index("model")
    except EvidenceError:
        return None


@pytest.mark.slow
@pytest.mark.parametrize("method", [name for name in METHODS if name not in (*LIKELIHOODS, "multilevel")])
@settings(max_examples=10, deadline=None)
@given(some=tables)
def test_any_tables_give_numbers_or_a_reason_and_exchanged_arms_the_opposite(method, some):
    exchanged(method, some)


@pytest.mark.slow
@pytest.mark.parametrize("method", LIKELIHOODS)
@settings(max_examples=2, deadline=None)
@given(some=tables)
def test_so_does_every_likelihood(method, some):
    exchanged(method, some)


def exchanged(method, some):
    one, other = answered(some, method), answered([(b, a) for a, b in some], method)
    assert (one is None) == (other is None)
    if one is None:
        return
    (first, spread), (second, spread_too) = one, other
    for model in ("common", "random"):
        row, turned = first.loc[model], second.loc[model]
        near = {"rel": 2e-5, "abs": 2e-5 * (1 + np.nan_to_num(row["std_error"])), "nan_ok": True}
        assert row["estimate"] == pytest.approx(-turned["estimate"], **near)
        assert row["std_error"] == pytest.approx(turned["std_error"], **near)
        assert row["ci_lower"] == pytest.approx(-turned["ci_upper"], **near)
        assert spread.loc[model, "q"] == pytest.approx(
            spread_too.loc[model, "q"], rel=1e-4, abs=1e-4, nan_ok=True
        )
    common = first.loc["common"]
    assert common["std_error"] > 0 or np.isnan(common["std_error"])
    assert np.isnan(common["estimate"]) or common["ci_lower"] <= common["estimate"] <= common["ci_upper"]


@pytest.mark.parametrize("method", ["MH", "Peto"])
@settings(max_examples=8, deadline=None)
@given(some=tables, silent=st.tuples(st.integers(1, 30), st.integers(1, 30), st.booleans()))
def test_a_table_without_any_event_or_with_nothing_else_changes_no_odds_ratio_of_counts(method, some, silent):
    n1, n2, every = silent
    one = answered(some, method)
    other = answered([*some, ((n1 if every else 0, n1), (n2 if every else 0, n2))], method)
    if one is None or other is None:
        return
    for name in ("estimate", "std_error"):
        assert one[0].loc["common", name] == pytest.approx(other[0].loc["common", name], rel=1e-6, abs=1e-6)
