"""Graphical display of study heterogeneity: the meta-analysis of every subset of the studies.

Reference: Olkin I, Dahabreh IJ, Trikalinos TA (2012) Res Synth Methods 3:214-223.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from analysis.pairwise.influence.deletion import fit_subsets
from analysis.pairwise.model.rows import Array, EffectRows
from evidence.errors import RefusedError
from evidence.system.memory import refuse_without_room

if TYPE_CHECKING:
    import pandas as pd

_DRAWN_AT_ONCE = 1 << 20
"""Memberships drawn at once."""


@dataclass(frozen=True)
class Gosh:
    """Fits to subsets of the studies.

    Attributes
    ----------
    studies : tuple of str
        Names of the studies.
    member : (m, studies) bool array
        Which studies each subset holds.
    estimate, tau2, i2, h2, q : (m,) arrays
        Pooled effect and heterogeneity of each subset; NaN where a subset is too small.
    complete : bool
        Whether these are all subsets, not a sample of them.
    """

    studies: tuple[str, ...]
    member: Array
    estimate: Array
    tau2: Array
    i2: Array
    h2: Array
    q: Array
    complete: bool

    def frame(self) -> pd.DataFrame:
        """One row per subset: k, estimate, tau2, i2, h2, q."""
        import pandas as pd

        return pd.DataFrame(
            {
                "k": self.member.sum(1),
                "estimate": self.estimate,
                "tau2": self.tau2,
                "i2": self.i2,
                "h2": self.h2,
                "q": self.q,
            }
        )

    def by_study(self) -> pd.DataFrame:
        """Give the mean estimate and I2 of the subsets with and without each study."""
        import pandas as pd

        shown = {"estimate": self.estimate, "i2": self.i2}
        # Sums over subsets, and how many of these there are: what is too small has no number.
        parts = [part for values in shown.values() for part in (np.nan_to_num(values), np.isfinite(values))]
        columns = np.column_stack(parts)
        step = max(1, _DRAWN_AT_ONCE // len(self.member))
        means = np.empty((len(self.studies), 4))
        for start in range(0, len(self.studies), step):
            within = self.member[:, start : start + step].astype(float).T
            for side, sums in enumerate((within @ columns, (1 - within) @ columns)):
                with np.errstate(invalid="ignore"):
                    means[start : start + step, side::2] = sums[:, ::2] / sums[:, 1::2]
        names = [f"{name}_{side}" for name in shown for side in ("with", "without")]
        return pd.DataFrame({"study": self.studies} | dict(zip(names, means.T, strict=True)))

    def summary(self) -> list[tuple[str, str | None, dict[str, float]]]:
        """Sum up what all subsets and each study show: item, study, and numbers by quantity.

        The spread of the estimates and of I2 over the subsets, by quantiles; how many subsets there are; the
        means of those with and without each study.
        """
        about = {"subsets": float(len(self.estimate)), "complete": float(self.complete)}
        found: list[tuple[str, str | None, dict[str, float]]] = [("subsets", None, about)]
        for name, values in (("estimate", self.estimate), ("i2", self.i2)):
            levels = np.nanquantile(values, list(_QUANTILES.values()))
            found.append((name, None, dict(zip(_QUANTILES, map(float, levels), strict=True))))
        for row in self.by_study().to_dict("records"):
            study = str(row.pop("study"))
            found.append((study, study, {str(name): float(value) for name, value in row.items()}))
        return found


_QUANTILES = {
    "minimum": 0.0,
    "q025": 0.025,
    "q25": 0.25,
    "median": 0.5,
    "q75": 0.75,
    "q975": 0.975,
    "maximum": 1.0,
}


def gosh(
    rows: EffectRows,
    studies: tuple[str, ...],
    method: str | float | None,
    subsets: int = 1_000_000,
    seed: int = 1,
) -> Gosh:
    """Fit all subsets of at least two studies, or a sample of them where there are more than `subsets`.

    Parameters
    ----------
    rows : EffectRows
        The data.
    studies : tuple of str
        Names of the studies.
    method : str, float or None
        Estimator of tau2 or its value; None for the common-effect model.
    subsets : int
        Most subsets that are fitted.
    seed : int
        Of the sample: each study is in or out with equal chance, subsets of fewer than two drawn again.

    Raises
    ------
    RefusedError
        If there are fewer than three studies.
    """
    n = len(studies)
    if n < 3:
        raise RefusedError(f"Subsets of studies need at least three of them; there are {n}.")
    complete = n < 60 and 2**n - n - 1 <= subsets
    if complete:
        codes = np.arange(2**n, dtype=np.uint64)
        member = ((codes[:, None] >> np.arange(n, dtype=np.uint64)) & 1).astype(bool)
        member = member[member.sum(1) >= 2]
    else:
        refuse_without_room(
            1.5 * subsets * n,
            f"A sample of {subsets:,} subsets of {n:,} studies",
            "Draw fewer: gosh(subsets=1000).",
        )
        rng = np.random.default_rng(seed)
        member = np.empty((subsets, n), bool)
        step = max(1, _DRAWN_AT_ONCE // n)
        for start in range(0, subsets, step):
            part = member[start : start + step]
            part[:] = rng.random(part.shape) < 0.5
        while (small := member.sum(1) < 2).any():
            member[small] = rng.random((int(small.sum()), n)) < 0.5
    # Studies of one row each, in their order, are their own rows: no copy of the sample.
    of_rows = member if np.array_equal(rows.study, np.arange(n)) else member[:, rows.study]
    found = fit_subsets(rows, of_rows, method)
    return Gosh(studies, member, found.beta[:, 0], found.tau2, found.i2, found.h2, found.q, complete)
