"""Rebuild the joint distribution of all effects from a printed league table.

The T (T - 1) / 2 intervals of a league table of T treatments give the variance of every difference, and
these are just as many as a covariance matrix of T effects (up to a common shift) has free entries. With the
estimates they fix the multivariate normal distribution that the table was printed from, and so every rank
probability that the paper may or may not have printed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import ndtr

from analysis.network import ranking as ranks
from analysis.results import frame
from evidence import facts
from evidence.errors import CallError, RefusedError
from evidence.system.progress import counted

if TYPE_CHECKING:
    import pandas as pd

    from evidence.query import EvidenceBase

Array = np.ndarray

Z = facts.NORMAL_975
"""Normal quantile of the 95 % intervals that papers print."""
DRAWS = 200_000
"""Draws behind rank probabilities: their standard error is at most 0.0011."""
ENGINE, MODEL = "rebuilt", "printed"


MISFIT = 0.5
"""Standard errors an estimate may miss the one set of effects before a table contradicts itself."""
REPAIR = 0.5
"""Relative change of a standard error likewise."""
REDRAWS = 200
"""Tables drawn within the rounding of the printed one."""


@dataclass(frozen=True)
class PrintedNetwork:
    """The normal distribution behind one printed league table.

    Attributes
    ----------
    publication, outcome, measure : str
        The table.
    treatments : tuple of str
        Its nodes, the reference first.
    mean : (T,) array
        Effect of each treatment against the reference (0 for the reference), on the analysis scale.
    covariance : (T, T) array
        Covariance of the effects, centred: rows and columns sum to 0, so that no treatment is singled out.
        Only differences have a meaning.
    residual : float
        Largest misfit of a printed estimate, in its standard errors.
    repair : float
        Largest relative change that made a standard error fit into a covariance matrix; 0 where none was
        needed.
    lower_is_better : bool or None
        Direction of benefit.
    seed : int
        Of the draws behind rank probabilities.
    rounding : float or None
        Share of a SUCRA that rounding decides: over tables drawn within the rounding of the printed numbers,
        the 95 % quantile of the change of the SUCRA that changes most. None without ranks, or where the last
        printed digit is not known.
    """

    publication: str
    outcome: str
    measure: str
    treatments: tuple[str, ...]
    mean: Array
    covariance: Array
    residual: float
    repair: float
    lower_is_better: bool | None
    seed: int = 1
    rounding: float | None = None

    @property
    def unranked(self) -> str | None:
        """Why nothing is ranked; None where ranks can be given."""
        if self.residual > MISFIT or self.repair > REPAIR:
            return (
                "The printed cells contradict each other by more than rounding: a sign or an interval is"
                " likely misprinted or mistyped. Nothing is ranked: ranks of the nearest table without"
                " contradiction are not to be relied on. Compare the cells with the paper."
            )
        if self.lower_is_better is None:
            return (
                f"Outcome {self.outcome!r} has no direction of benefit, so nothing can be ranked: say"
                " lower_is_better in outcomes.csv."
            )
        return None

    @cached_property
    def differences(self) -> tuple[Array, Array]:
        """Mean and standard error of every difference, row minus column: two (T, T) arrays."""
        variance = np.diagonal(self.covariance)
        spread = variance[:, None] + variance[None, :] - 2.0 * self.covariance
        return self.mean[:, None] - self.mean[None, :], np.sqrt(np.maximum(spread, 0.0))

    @cached_property
    def sucra(self) -> Array:
        """Surface under the cumulative ranking curve of each treatment, exact."""
        self._need_ranks()
        return ranks.p_score(*self.differences, lower_is_better=bool(self.lower_is_better))

    @cached_property
    def rank_matrix(self) -> Array:
        """Probability of each treatment (row) to hold each rank (column, best first), by seeded draws."""
        self._need_ranks()
        values, vectors = np.linalg.eigh(self.covariance)
        root = vectors * np.sqrt(np.maximum(values, 0.0))
        normal = np.random.default_rng(self.seed).standard_normal((DRAWS, len(self.treatments)))
        return ranks.rank_probabilities(self.mean + normal @ root.T, bool(self.lower_is_better))

    @property
    def poth(self) -> float:
        """Precision of the treatment hierarchy."""
        return ranks.poth(self.sucra)

    def estimates(self) -> pd.DataFrame:
        """Tabulate all pairs: columns of ``estimates``, each pair in both directions."""
        names, (mean, error) = self.treatments, self.differences
        a, b = np.nonzero(~np.eye(len(names), dtype=bool))
        m, s = mean[a, b], error[a, b]
        with np.errstate(divide="ignore", invalid="ignore"):
            p = 2.0 * ndtr(-np.abs(m / s))
        return frame(
            "estimates",
            {
                "engine": ENGINE,
                "model": MODEL,
                "treatment": [names[i] for i in a],
                "versus": [names[i] for i in b],
                "estimate": m,
                "std_error": s,
                "ci_lower": m - Z * s,
                "ci_upper": m + Z * s,
                "p_value": p,
                "evidence": "network",
            },
        )

    def ranking(self) -> pd.DataFrame:
        """Tabulate mean rank, SUCRA and P(best), the best first: columns of ``ranking``."""
        rows = frame(
            "ranking",
            {
                "engine": ENGINE,
                "model": MODEL,
                "treatment": list(self.treatments),
                "mean_rank": ranks.mean_rank(self.sucra),
                "sucra": self.sucra,
                "p_score": self.sucra,
                "p_best": self.rank_matrix[:, 0],
            },
        )
        return rows.iloc[ranks.best_first(self.sucra)].reset_index(drop=True)

    def overview(self) -> pd.DataFrame:
        """Tabulate the ranking with each treatment's effect against the reference, the best first.

        Columns treatment, versus, estimate, std_error, ci_lower, ci_upper (on the analysis scale; empty for
        the reference), mean_rank, sucra, p_best.
        """
        effects = self.estimates()
        effects = effects[effects["versus"] == self.treatments[0]]
        columns = ["treatment", "estimate", "std_error", "ci_lower", "ci_upper"]
        joined = self.ranking().merge(effects[columns], on="treatment", how="left")
        joined["versus"] = self.treatments[0]
        return joined[["treatment", "versus", *columns[1:], "mean_rank", "sucra", "p_best"]]

    def rank_probabilities(self) -> pd.DataFrame:
        """Tabulate the probability of every rank: columns of ``rank_probabilities``."""
        n = len(self.treatments)
        probability = self.rank_matrix.ravel()
        return frame(
            "rank_probabilities",
            {
                "engine": ENGINE,
                "model": MODEL,
                "treatment": np.repeat(list(self.treatments), n),
                "rank": np.tile(np.arange(1, n + 1), n),
                "probability": probability,
                "std_error": ranks.sampling_error(probability, DRAWS),
            },
        )

    def notes(self) -> pd.DataFrame:
        """Tabulate how well the table fits one distribution: columns of ``notes``."""
        rows = [
            {
                "severity": "warning" if self.residual > MISFIT else "info",
                "message": "The printed estimates agree with one set of effects to"
                f" {self.residual:.3f} standard errors.",
            }
        ]
        if self.unranked:
            rows.append({"severity": "warning", "message": self.unranked})
        if self.rounding is not None:
            rows.append(
                {
                    "severity": "info",
                    "message": "Rounding of the printed numbers alone moves a SUCRA by up to"
                    f" {self.rounding:.2g} (95 % of tables that round to this one).",
                }
            )
        if self.repair:
            rows.append(
                {
                    "severity": "warning",
                    "message": "The printed intervals fit no covariance matrix exactly; the nearest one"
                    f" changes a standard error by up to {100 * self.repair:.2g} %.",
                }
            )
        return frame("notes", rows)

    def _need_ranks(self) -> None:
        if self.unranked:
            raise RefusedError(self.unranked)


def from_cells(
    cells: Iterable[Mapping[str, Any]],
    *,
    publication: str = "",
    outcome: str = "",
    measure: str = "",
    lower_is_better: bool | None = None,
    reference: str | None = None,
    seed: int = 1,
) -> PrintedNetwork:
    """Rebuild the distribution behind one league table.

    Parameters
    ----------
    cells : iterable of mapping
        One a pair of treatments, in either direction: treatment, versus, estimate (treatment minus versus,
        on the analysis scale) and std_error; optional: ci_lower, ci_upper and rounding (width of one unit of
        the last printed digit at the estimate, on the analysis scale).
    publication, outcome, measure : str
        Names, for messages and tables.
    lower_is_better : bool, optional
        Direction of benefit; without it nothing is ranked.
    reference : str, optional
        Treatment that effects are given against; the first in alphabetical order without it.
    seed : int
        Of the draws behind rank probabilities.

    Returns
    -------
    PrintedNetwork

    Raises
    ------
    CallError
        If `reference` is not in the table.
    RefusedError
        If a pair is missing, is given twice, or has no interval; names the pairs.

    Notes
    -----
    Effects are the weighted least squares solution over all cells. The covariance is the
    double-centred matrix of squared standard errors, -C V C / 2 (Torgerson 1952; Gower 1966), which treats
    all treatments alike. Where rounding leaves it with a negative eigenvalue, that is set to 0, which is
    the nearest positive semidefinite matrix in the Frobenius norm (Higham 1988,
    doi:10.1016/0024-3795(88)90223-6).

    Examples
    --------
    >>> from analysis import published
    >>> cells = [("a", "b", 0.4), ("a", "c", 0.9), ("b", "c", 0.5)]
    >>> net = published.from_cells(
    ...     [{"treatment": t, "versus": v, "estimate": y, "std_error": 0.3} for t, v, y in cells],
    ...     lower_is_better=False,
    ... )
    >>> print(net.ranking()[["treatment", "mean_rank", "sucra"]].round(3).to_string(index=False))
    treatment  mean_rank  sucra
            a      1.093  0.954
            b      1.957  0.522
            c      2.951  0.025
    """
    rows = list(cells)
    names = sorted({str(row[side]) for row in rows for side in ("treatment", "versus")})
    if reference is not None:
        if reference not in names:
            raise CallError(f"The table has no treatment {reference!r}; it has {', '.join(names)}.")
        names = [reference, *(name for name in names if name != reference)]
    where = {name: i for i, name in enumerate(names)}
    n = len(names)
    estimate, variance = np.zeros((n, n)), np.full((n, n), np.nan)
    np.fill_diagonal(variance, 0.0)
    wrong = []
    for row in rows:
        a, b, error = where[str(row["treatment"])], where[str(row["versus"])], row["std_error"]
        pair = f"{row['treatment']} vs {row['versus']}"
        if a == b or not np.isnan(variance[a, b]):
            wrong.append(f"{pair} is given twice" if a != b else f"{pair} compares a treatment with itself")
        elif error is None or not np.isfinite(error) or error <= 0:
            wrong.append(f"{pair} has no interval")
        else:
            estimate[a, b], estimate[b, a] = row["estimate"], -row["estimate"]
            variance[a, b] = variance[b, a] = float(error) ** 2
    wrong += [
        f"{names[a]} vs {names[b]} is missing" for a in range(n) for b in range(a) if np.isnan(variance[a, b])
    ]
    if wrong or n < 2:
        title = " ".join(part for part in (publication, outcome) if part) or "The table"
        raise RefusedError(
            f"{title}: no distribution can be rebuilt; it takes every pair of treatments once, with an"
            f" interval: {'; '.join(dict.fromkeys(wrong)) or 'there is none'}."
        )
    mean, gram, residual, repair = _solved(estimate, variance)
    printed = PrintedNetwork(
        publication, outcome, measure, tuple(names), mean, gram, residual, repair, lower_is_better, seed
    )
    return replace(printed, rounding=_moved_by_rounding(printed, rows, estimate, variance))


def _solved(estimate: Array, variance: Array) -> tuple[Array, Array, float, float]:
    """Effects, their centred covariance, the largest misfit and the largest change of a standard error."""
    n = len(estimate)
    weight = np.where(np.eye(n, dtype=bool), 0.0, 1.0 / np.where(variance > 0, variance, 1.0))
    laplacian = np.diag(weight.sum(1)) - weight
    mean = np.zeros(n)
    mean[1:] = np.linalg.solve(laplacian[1:, 1:], (weight * estimate).sum(1)[1:])
    error = np.sqrt(np.where(variance > 0, variance, 1.0))
    residual = float(np.max(np.abs(estimate - (mean[:, None] - mean[None, :])) / error))
    centring = np.eye(n) - 1.0 / n
    gram = -0.5 * centring @ variance @ centring
    values, vectors = np.linalg.eigh(0.5 * (gram + gram.T))
    floor = 1e-12 * values[-1]
    repair = 0.0
    if values[0] < -floor:
        gram = (vectors * np.maximum(values, 0.0)) @ vectors.T
        diagonal = np.diagonal(gram)
        mended = np.sqrt(np.maximum(diagonal[:, None] + diagonal[None, :] - 2.0 * gram, 0.0))
        off = ~np.eye(n, dtype=bool)
        repair = float(np.max(np.abs(mended[off] / error[off] - 1.0)))
    return mean, gram, residual, repair


def _moved_by_rounding(
    printed: PrintedNetwork, rows: list[Mapping[str, Any]], estimate: Array, variance: Array
) -> float | None:
    """Redraw every printed number within half a unit of its last digit: how far that moves a SUCRA."""
    if printed.unranked or any(row.get(name) is None for row in rows for name in _ROUNDED):
        return None
    where = {name: i for i, name in enumerate(printed.treatments)}
    a, b = ([where[str(row[side])] for row in rows] for side in ("treatment", "versus"))
    middle, lower, upper, unit = (np.array([float(row[name]) for row in rows]) for name in _ROUNDED)
    # A unit of the last digit is as wide everywhere but on a logarithm's scale.
    log = bool(printed.measure) and facts.measure(printed.measure).scale == "log"
    widths = [unit * np.exp(middle - limit) if log else unit for limit in (middle, lower, upper)]
    shift = np.random.default_rng(printed.seed).uniform(-0.5, 0.5, (REDRAWS, 3, len(rows))) * np.stack(widths)
    error = np.sqrt(variance[a, b])
    moved = []
    for of_estimate, of_lower, of_upper in shift:
        drawn, spread = estimate.copy(), variance.copy()
        drawn[a, b] = estimate[a, b] + of_estimate
        drawn[b, a] = -drawn[a, b]
        drawn_error = np.maximum(error + (of_upper - of_lower) / (2 * Z), 0.1 * error)
        spread[a, b] = spread[b, a] = drawn_error**2
        mean, gram, _, _ = _solved(drawn, spread)
        moved.append(np.abs(replace(printed, mean=mean, covariance=gram).sucra - printed.sucra).max())
    return float(np.quantile(moved, 0.95))


_ROUNDED = ("estimate", "ci_lower", "ci_upper", "rounding")


def rebuild(
    db: EvidenceBase, *, publication: str | None = None, outcome: str | None = None, seed: int = 1
) -> list[PrintedNetwork]:
    """Rebuild every printed league table of an evidence base, all of which must be whole.

    Parameters
    ----------
    db : EvidenceBase
    publication, outcome : str, optional
        Only this publication, only this outcome.
    seed : int
        Of the draws behind rank probabilities.

    Returns
    -------
    list of PrintedNetwork
        One a publication, outcome and measure, in the order they were entered; the reference is the plan's,
        else the treatment with the role of a control.

    Raises
    ------
    RefusedError
        If a table lacks a pair; its message has the refusals of all of them.

    Examples
    --------
    >>> import evidence
    >>> from analysis import published
    >>> with evidence.open("alf") as db:
    ...     found = published.rebuild(db, outcome="alt")
    >>> [(net.outcome, len(net.treatments), net.ranking()["treatment"].iloc[0]) for net in found]
    [('alt', 7, 'LSC')]
    """
    found, refused = try_rebuild(db, publication=publication, outcome=outcome, seed=seed)
    if refused:
        raise RefusedError("\n".join(str(error) for error in refused))
    return found


def try_rebuild(
    db: EvidenceBase, *, publication: str | None = None, outcome: str | None = None, seed: int = 1
) -> tuple[list[PrintedNetwork], list[RefusedError]]:
    """Rebuild the printed league tables that can be rebuilt.

    Parameters
    ----------
    db, publication, outcome, seed
        As in `rebuild`.

    Returns
    -------
    tables : list of PrintedNetwork
    refused : list of RefusedError
        Why the others cannot be.
    """
    rows = db.rows(
        "select cell.*, direction.lower_is_better from published_contrast as cell"
        " left join outcome_direction as direction"
        " on cell.outcome = direction.outcome and cell.measure = direction.measure"
        " where not cell.reversed"
        " order by cell.published_estimate_id"
    )
    controls = [row["treatment"] for row in db.rows("select treatment from treatment where role = 'control'")]
    tables: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
    for row in rows:
        if publication in (None, row["publication"]) and outcome in (None, row["outcome"]):
            tables.setdefault((row["publication"], row["outcome"], row["measure"]), []).append(row)
    found, refused = [], []
    for (paper, name, measure), cells in counted(tables.items(), len(tables), "rebuilding printed tables"):
        named = {cell[side] for cell in cells for side in ("treatment", "versus")}
        try:
            found.append(
                from_cells(
                    cells,
                    publication=paper,
                    outcome=name,
                    measure=measure,
                    lower_is_better=cells[0]["lower_is_better"],
                    reference=next((control for control in controls if control in named), None),
                    seed=seed,
                )
            )
        except RefusedError as error:
            refused.append(error)
    return found, refused
