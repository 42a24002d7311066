"""Several effects of one study made one: the default of a pairwise question.

Arms of one treatment (doses, routes, batches), members of a class and experiments of one study answer the
same question in the same laboratory: what differs between studies they have in common, so that counting each
as a study of its own makes intervals far too narrow. The best linear combination under their sampling
covariance V, weights ``V^-1 1``, is what pooling the arms does for means (Cochrane Handbook 6.5.2.10,
23.3.4), and holds for every measure and for reported contrasts (Gleser and Olkin 2009; Borenstein et al.
2009, Introduction to Meta-Analysis, ch. 24-25). It is also how a network treats them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from analysis.pairwise.data.contrasts import COUNTS, Contrasts
from analysis.pairwise.model.rows import Array
from evidence.system.frames import rows as rows_of

Pairs = list[tuple[int, int, float]]
"""Two contrasts by their places, and the covariance of their estimates."""

UNKNOWN_CORRELATION = 0.5
"""Of contrasts that share an arm of unknown variance: right where all arms are equally precise."""


@dataclass(frozen=True)
class Combined:
    """Effects made of contrasts.

    Attributes
    ----------
    contrasts : Contrasts
        One row for each effect; what its contrasts do not agree on is missing.
    variance : (m,) array
        Sampling variances.
    pairs : list of (first, second, covariance)
        Covariances that are left between effects of one study.
    unit : (n,) int array
        Effect that each of the n contrasts is part of.
    share : (n,) array
        Weight of each contrast in its effect; they add up to 1.
    """

    contrasts: Contrasts
    variance: Array
    pairs: Pairs
    unit: Array
    share: Array

    @property
    def first(self) -> Array:
        """Place of the first contrast of each effect, (m,)."""
        return np.unique(self.unit, return_index=True)[1]


def apart(contrasts: Contrasts, variance: Array, pairs: Pairs) -> Combined:
    """Leave every contrast an effect of its own."""
    n = len(variance)
    return Combined(contrasts, variance, pairs, np.arange(n), np.ones(n))


def combine(contrasts: Contrasts, variance: Array, pairs: Pairs, keys: Sequence[Any]) -> Combined:
    """Make one effect of the contrasts that have the same key.

    Parameters
    ----------
    contrasts : Contrasts
        All of one direction, treatment minus comparator.
    variance : (n,) array
        Their sampling variances.
    pairs : list of (first, second, covariance)
        Contrasts that are correlated; NaN where the covariance is not known.
    keys : sequence of n hashable values
        Contrasts of different studies must not have the same.
    """
    place: dict[Any, int] = {}
    unit = np.array([place.setdefault(key, len(place)) for key in keys], int)
    if len(place) == len(unit):
        return apart(contrasts, variance, [pair for pair in pairs if np.isfinite(pair[2])])
    V = {(a, b): _covariance(variance, a, b, value) for a, b, value in pairs}
    members: list[list[int]] = [[] for _ in place]
    for index, group in enumerate(unit):
        members[group].append(index)
    y = contrasts.frame["estimate"].to_numpy(float)
    share, estimate, spread = np.ones(len(y)), np.empty(len(place)), np.empty(len(place))
    for group, inside in enumerate(members):
        weight, spread[group] = _best(_matrix(variance, V, inside))
        share[inside] = weight
        # Equal effects are kept as they are: no digit of theirs may be lost to a weight's rounding.
        estimate[group] = y[inside[0]] + weight @ (y[inside] - y[inside[0]])
    left: Counter[tuple[int, int]] = Counter()
    for (a, b), value in V.items():
        if unit[a] != unit[b]:
            left[min(unit[a], unit[b]), max(unit[a], unit[b])] += share[a] * share[b] * value  # type: ignore[assignment]
    return Combined(
        _effects(contrasts, members, estimate, spread),
        spread,
        [(int(a), int(b), float(value)) for (a, b), value in left.items()],
        unit,
        share,
    )


def _covariance(variance: Array, a: int, b: int, value: float) -> float:
    return value if np.isfinite(value) else UNKNOWN_CORRELATION * float(np.sqrt(variance[a] * variance[b]))


def _matrix(variance: Array, V: dict[tuple[int, int], float], index: list[int]) -> Array:
    out = np.diag(variance[index])
    for row, a in enumerate(index):
        for column, b in enumerate(index):
            if (a, b) in V:
                out[row, column] = out[column, row] = V[a, b]
    return out


def _best(V: Array) -> tuple[Array, float]:
    """Weights of the best linear combination, and its variance."""
    if len(V) == 1:
        return np.ones(1), float(V[0, 0])
    scale = np.sqrt(V.diagonal())
    solved = np.linalg.solve(V / scale / scale[:, None], 1 / scale) / scale
    return solved / solved.sum(), float(1 / solved.sum())


def _effects(contrasts: Contrasts, members: list[list[int]], estimate: Array, variance: Array) -> Contrasts:
    """Rows of the effects: what their contrasts agree on, their numbers of animals and events added up."""
    import pandas as pd

    frame, variables = contrasts.frame, contrasts.variables
    records = rows_of(frame)
    rows = []
    for group, index in enumerate(members):
        several = [records[item] for item in index]
        row = several[0]
        if len(several) > 1:
            row = {name: _agreed([record[name] for record in several]) for name in row}
            row |= _added(several)
            row["contrast_id"] = " + ".join(str(record["contrast_id"]) for record in several)
            row["measurement_ids"] = _listed([record["measurement_ids"] for record in several])
            row["experiment"] = row["experiment"] or "several"
            row["label"] = row["label"] or str(row["study"])
        rows.append(row | {"estimate": estimate[group], "std_error": np.sqrt(variance[group])})
    table = pd.DataFrame(rows, columns=list(frame.columns))
    for column in ("estimate", "std_error", *COUNTS):
        table[column] = table[column].astype(float)
    repeated = table["label"].duplicated(keep=False) & (table["experiment"] != "main")
    table["label"] = table["label"].where(~repeated, table["label"] + " / " + table["experiment"].astype(str))
    columns = {name: list(variables[name]) for name in variables.columns}
    values = {
        name: [_agreed([column[item] for item in index]) for index in members]
        for name, column in columns.items()
    }
    return replace(
        contrasts,
        frame=table,
        covariance=contrasts.covariance.iloc[:0],
        variables=pd.DataFrame(values, columns=variables.columns),
        exclusions=contrasts.exclusions,
    )


def _agreed(values: list[Any]) -> Any:
    """Give the value that all have; None where they do not agree."""
    import pandas as pd

    known = [value for value in values if not pd.isna(value)]
    return known[0] if len(known) == len(values) and all(value == known[0] for value in known) else None


def _added(several: list[dict[str, Any]]) -> dict[str, float]:
    """Add up the counts of the different arms; missing where arms cannot be told apart."""
    out = {}
    for side in "ab":
        arms = {
            (record["experiment"], str(record["timepoint"]), record[f"arm_{side}"]): record
            for record in several
        }
        known = all(isinstance(arm, str) for _, _, arm in arms)
        for name in ("n", "events", "exposure"):
            column = f"{name}_{side}"
            out[column] = sum(float(record[column]) for record in arms.values()) if known else float("nan")
    return out


def _listed(values: list[Any]) -> str | None:
    ids = [item for value in values if isinstance(value, str) for item in value.split(",")]
    return ",".join(dict.fromkeys(ids)) or None
