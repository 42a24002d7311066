"""How often tests of small-study effects find asymmetry where there is no bias.

Every test that an analysis gives unless told otherwise, and those that it gives only if asked, on simulated
meta-analyses: `k` studies of `low` to `high` participants an arm, true effects that differ by `tau`. A test that
holds its level rejects 5 %; below it is cautious.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from analysis.pairwise.small_study import asymmetry as bias

DEFAULT = ("Peters", "Egger, multiplicative", "Egger, additive")
SIZES = {
    "SMD": ((4, 15), (4, 60)),
    "MD": ((4, 15), (4, 60)),
    "OR": ((20, 100), (10, 300)),
    "RR": ((20, 100), (10, 300)),
}
TRUE = {"SMD": (0.0, 1.0, 2.0), "MD": (0.0,), "OR": (0.0, -1.2), "RR": (0.0, -0.7)}
TAU = {"SMD": (0.0, 0.5), "MD": (0.0, 0.5), "OR": (0.0, 0.3, 0.6), "RR": (0.0, 0.3)}
CASES = [
    (measure, k, *sizes, true, tau)
    for measure in TRUE
    for k in (10, 20, 40)
    for sizes in SIZES[measure]
    for true in TRUE[measure]
    for tau in TAU[measure]
]


def means(rng, n1, n2, effect, standardised):
    """Hedges' g, or a mean difference of SD 1, and its estimated variance."""
    size, df = 1 / n1 + 1 / n2, n1 + n2 - 2
    difference, s2 = rng.normal(effect, np.sqrt(size)), rng.chisquare(df) / df
    if not standardised:
        return difference, s2 * size
    g = difference / np.sqrt(s2) * (1 - 3 / (4 * df - 1))
    return g, size + g**2 / (2 * (n1 + n2))


def tables(rng, n1, n2, effect, odds):
    """Events of 2 x 2 tables, and the log ratio with its variance, half an event added."""
    if odds:
        base = rng.normal(-0.5, 0.3, len(n1))
        p1, p2 = 1 / (1 + np.exp(-base - effect)), 1 / (1 + np.exp(-base))
    else:
        p2 = np.minimum(np.exp(rng.normal(-1.5, 0.3, len(n1))), 0.95)
        p1 = np.minimum(p2 * np.exp(effect), 0.95)
    a, c = (rng.binomial(n.astype(int), p).astype(float) for n, p in ((n1, p1), (n2, p2)))
    if odds:
        y = np.log((a + 0.5) * (n2 - c + 0.5) / ((c + 0.5) * (n1 - a + 0.5)))
        return a, c, y, 1 / (a + 0.5) + 1 / (n1 - a + 0.5) + 1 / (c + 0.5) + 1 / (n2 - c + 0.5)
    y = np.log((a + 0.5) * (n2 + 0.5) / ((c + 0.5) * (n1 + 0.5)))
    return a, c, y, 1 / (a + 0.5) - 1 / (n1 + 0.5) + 1 / (c + 0.5) - 1 / (n2 + 0.5)


def asked(rng, measure, k, low, high, true, tau) -> Iterator[tuple[str, Callable[[], bias.Asymmetry]]]:
    """Tests of one simulated meta-analysis, as `pairwise.small_study` asks for them."""
    n1, n2 = rng.integers(low, high + 1, (2, k)).astype(float)
    size, effect = 1 / n1 + 1 / n2, rng.normal(true, tau, k)
    if measure in ("OR", "RR"):
        a, c, y, v = tables(rng, n1, n2, effect, measure == "OR")
        if measure == "OR":
            yield "Peters", lambda: bias.peters(y, a + c, n1 + n2)
            yield "Harbord", lambda: bias.harbord(a, n1, c, n2)
    else:
        y, v = means(rng, n1, n2, effect, measure == "SMD")
    if measure == "MD":
        yield "Egger, multiplicative", lambda: bias.egger(y, v)
        yield "Egger, additive", lambda: bias.egger(y, v, "additive", ci="HK")
        yield "Egger, additive, Wald", lambda: bias.egger(y, v, "additive")
        return
    yield "Egger, multiplicative", lambda: bias.egger(y, size, predictor=bias.OF_ARMS, n=size)
    even = size * (v.sum() / size.sum())
    yield "Egger, additive", lambda: bias.egger(y, even, "additive", bias.OF_ARMS, size, ci="HK")
    yield "Egger, additive, Wald", lambda: bias.egger(y, even, "additive", bias.OF_ARMS, size)
    yield "Egger, additive, own variances", lambda: bias.egger(y, v, "additive", bias.OF_ARMS, size, ci="HK")
    yield "Egger on se", lambda: bias.egger(y, v)


def rejected(reps: int, case: tuple) -> dict[str, float]:
    rng = np.random.default_rng(CASES.index(case))
    found: dict[str, int] = {}
    for _ in range(reps):
        for name, test in asked(rng, *case):
            found[name] = found.get(name, 0) + int(test().slope.p_value[0] < 0.05)
    return {name: count / reps for name, count in found.items()}


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES, ids=lambda case: "-".join(map(str, case)))
def test_defaults_find_nothing_where_there_is_nothing(capsys, case):
    # CI looks for gross errors; `SIZE_REPS=1000 pytest -m slow -s FILE` prints the table.
    reps = int(os.environ.get("SIZE_REPS", "60"))
    shares = rejected(reps, case)
    measure, k, low, high, true, tau = case
    with capsys.disabled():
        told = ", ".join(f"{name} {100 * share:.1f}" for name, share in shares.items())
        print(f"{measure} {true}, tau {tau}, {k} studies of {low} to {high} an arm: {told} ({reps} reps)")
    for name in set(DEFAULT) & set(shares):
        assert shares[name] < 0.07 + 2.6 * np.sqrt(0.07 * 0.93 / reps)


@pytest.mark.slow
def test_what_is_refused_does_not_hold_its_level():
    shares = rejected(200, ("OR", 40, 20, 100, -1.2, 0.6))
    assert shares["Harbord"] > 0.15
    assert shares["Egger on se"] > 0.5
    assert shares["Peters"] < 0.1
