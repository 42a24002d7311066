"""Make ``tests/oracles/distributions.json``: tails and quantiles with 60 digits of mpmath, rounded to 17.

Run as ``python tests/oracles/regenerate/distributions.py > MADE``. The arguments are those that the file has.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from mpmath import mp, mpf

mp.dps = 60
PINNED = Path(__file__).resolve().parents[1] / "distributions.json"


def normal_sf(x: Any) -> Any:
    return mp.erfc(x / mp.sqrt(2)) / 2


def t_sf(x: Any, df: Any) -> Any:
    if df <= 1000:
        half = mp.betainc(df / 2, mpf(1) / 2, 0, df / (df + x * x), regularized=True) / 2
        return half if x >= 0 else 1 - half
    scale = mp.gamma((df + 1) / 2) / (mp.sqrt(df * mp.pi) * mp.gamma(df / 2))
    edges = [abs(x) + step for step in (0, 1, 2, 4, 8, 16, 32, 64)]
    tail = scale * mp.quad(lambda u: (1 + u * u / df) ** (-(df + 1) / 2), [*edges, mp.inf])
    return tail if x >= 0 else 1 - tail


def chi2_sf(x: Any, df: Any) -> Any:
    return mp.gammainc(df / 2, x / 2, mp.inf, regularized=True)


def chi2_cdf(x: Any, df: Any) -> Any:
    return mp.gammainc(df / 2, 0, x / 2, regularized=True)


def root(tail: Any, p: Any, start: float) -> Any:
    """Where the upper tail is 1 - p, from the answer in double precision on."""
    return mp.findroot(lambda x: mp.log(tail(x)) - mp.log(p), mpf(start), tol=mpf(10) ** -45)


def main() -> None:
    pinned = json.loads(PINNED.read_text(encoding="utf-8"))
    number = lambda x: mpf(repr(x))  # noqa: E731 - a decimal as it is typed, not the double next to it
    made: dict[str, Any] = {"source": pinned["source"]}
    for name, tail in (
        ("normal_sf", normal_sf),
        ("t_sf", t_sf),
        ("chi2_sf", chi2_sf),
        ("chi2_cdf", chi2_cdf),
    ):
        made[name] = [[*row[:-1], float(tail(*map(number, row[:-1])))] for row in pinned[name]]
    # A quantile below the median is minus the point with that upper tail.
    for name in ("normal_quantile", "t_quantile"):
        made[name] = []
        for p, *rest in ([*row[:-1]] for row in pinned[name]):
            low, more = min(number(p), 1 - number(p)), [number(value) for value in rest]
            start = next(abs(row[-1]) for row in pinned[name] if row[:-1] == [p, *rest])
            tail = (lambda x, more=more: t_sf(x, *more)) if more else normal_sf
            found = root(tail, low, start or 0.1) if low != mpf(1) / 2 else mpf(0)
            made[name].append([p, *rest, float(-found if number(p) < mpf(1) / 2 else found)])
    print(json.dumps({key: made[key] for key in pinned}, indent=1))


if __name__ == "__main__":
    main()
