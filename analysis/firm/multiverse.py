"""Every defensible analysis of one question: what all of them say, and which decisions make the difference.

Steegen et al. (2016, Perspect Psychol Sci 11:702-712); specification curves: Simonsohn et al. (2020, Nat Hum
Behav 4:1208-1214); of meta-analyses: Voracek et al. (2019, Z Psychol 227:64-82). A cell is one level of each
choice (`analysis.firm.choices`), fitted as it would be by hand; the planned one is cell 1 and is marked.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import nan
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.firm.cells import ABOVE, BELOW, NONE, Cell, Fitter, Networks, Pairs
from analysis.firm.choices import Choice, choices_of, combinations
from analysis.results import frame
from evidence import facts
from evidence.errors import CallError
from evidence.folder.options import Kind, settle
from evidence.question import important_difference
from evidence.system.progress import listening

if TYPE_CHECKING:
    import pandas as pd

    from analysis.network.data.network import Network
    from evidence.query import EvidenceBase

MOST = 20_000
"""Cells of a multiverse that nobody asked to be larger."""

DIRECTION, INTERVAL, IMPORTANT, FIRST = "direction", "interval", "important", "first"
"""Conclusions that cells keep or do not."""

_OPPOSITE = {ABOVE: BELOW, BELOW: ABOVE}
_MATTERS = {ABOVE: "beyond, above", BELOW: "beyond, below", "": "not beyond"}


@dataclass(frozen=True)
class Multiverse:
    """The cells of one analysis, and what they say together.

    Attributes
    ----------
    kind : {"pairwise", "network"}
    options : mapping
        Of the planned analysis.
    choices : tuple of Choice
    cells : DataFrame
        Columns of ``multiverse``: one row a cell, treatment and comparator.
    levels : DataFrame
        Columns of ``multiverse_choice``: one row a cell and choice.
    dropped : tuple of str
        Levels that are none, in words: they change nothing, or cannot be analysed.
    important : float or None
        Smallest important difference on the scale of the planned measure.
    lower_is_better : bool or None
    sets : tuple of Network
        The distinct sets of data behind the cells.
    """

    kind: Kind
    options: Mapping[str, Any]
    choices: tuple[Choice, ...]
    cells: pd.DataFrame
    levels: pd.DataFrame
    dropped: tuple[str, ...]
    important: float | None
    lower_is_better: bool | None
    sets: tuple[Network, ...]

    @cached_property
    def fitted(self) -> pd.DataFrame:
        """Rows of the cells that have an estimate."""
        return self.cells[self.cells["refused"].isna()]

    @cached_property
    def planned(self) -> Any:
        """Rows of the planned cell, by treatment and comparator."""
        rows = self.fitted[self.fitted["planned"].astype(bool)]
        return rows.set_index(["treatment", "versus"], drop=False)

    def conclusions(self) -> pd.DataFrame:
        """Count the cells that keep each conclusion of the planned analysis.

        Returns
        -------
        DataFrame
            One row a treatment, comparator and conclusion: conclusion ("direction"; "interval", what it says
            of no effect; "important", whether it lies beyond the smallest important difference, of the cells
            in the planned measure; "first", which treatment ranks first, without a comparator), planned (what
            the planned cell says), cells (those that say anything of it), kept, share, reversed (cells that
            say the opposite; of "first" those with another treatment).
        """
        import pandas as pd

        found = [
            {"treatment": treatment, "versus": versus, **_count(name, mine, said)}
            for (treatment, versus), rows in self._comparisons()
            for name, mine, said in self._said(self.planned.loc[(treatment, versus)], rows)
        ]
        once = self.fitted.drop_duplicates("cell")
        if len(self.planned) and isinstance(first := self.planned["best"].iloc[0], str):
            found.append({"treatment": first, "versus": None, **_count(FIRST, first, once["best"])})
        columns = ["treatment", "versus", "conclusion", "planned", "cells", "kept", "share", "reversed"]
        return pd.DataFrame(found, columns=columns)

    def _comparisons(self) -> Iterator[tuple[tuple[str, str], Any]]:
        """Rows of each comparison that the planned cell has."""
        fitted: Any = self.fitted
        for key, rows in fitted.groupby(["treatment", "versus"], sort=False):
            if key in self.planned.index:
                yield key, rows

    def _said(self, planned: Any, rows: Any) -> Iterator[tuple[str, str, Any]]:
        """Give each conclusion of a comparison: what the planned cell says, and what all say."""
        signs = rows["estimate"].map(_sign)
        yield DIRECTION, _sign(planned["estimate"]), signs
        if planned["conclusion"] != NONE:
            yield INTERVAL, planned["conclusion"], rows["conclusion"]
        if self.important is not None:
            own = rows[rows["measure"] == planned["measure"]]
            yield IMPORTANT, self._beyond(planned), own.apply(self._beyond, axis=1)

    def _beyond(self, row: Any) -> str:
        """Tell whether an interval lies beyond the smallest important difference, and on which side."""
        margin = float(self.important or 0.0)
        side = ABOVE if row["ci_lower"] > margin else BELOW if row["ci_upper"] < -margin else ""
        return _MATTERS[side]

    def sources(self) -> pd.DataFrame:
        """Say how much each choice moves the conclusions: shares of the variance between cells.

        Returns
        -------
        DataFrame
            One row a treatment, comparator and choice: z_share, of the variance of estimate over standard
            error (comparable between effect measures), and kept_share, of that of whether the planned
            interval's conclusion is kept (NaN where all cells agree). Shares are those of main effects
            (first-order indices, Saltelli et al. 2008, Global Sensitivity Analysis, section 1.2.7): what is
            missing to 1 is joint.
        """
        import pandas as pd

        wide = self.levels.pivot(index="cell", columns="choice", values="level")
        found = []
        for (treatment, versus), rows in self._comparisons():
            rows = rows[rows["std_error"] > 0].set_index("cell")
            planned = self.planned.loc[(treatment, versus)]
            z = rows["estimate"] / rows["std_error"]
            kept = (rows["conclusion"] == planned["conclusion"]).astype(float)
            for choice in self.choices:
                level = wide.loc[rows.index, choice.name].fillna("there is none")
                found.append(
                    {
                        "treatment": treatment,
                        "versus": versus,
                        "choice": choice.name,
                        "z_share": _main_effect(z, level),
                        "kept_share": _main_effect(kept, level),
                    }
                )
        return pd.DataFrame(found, columns=["treatment", "versus", "choice", "z_share", "kept_share"])

    def medians(self) -> pd.DataFrame:
        """Give the median over the cells of each level.

        Returns
        -------
        DataFrame
            One row a treatment, comparator, choice and level: cells, estimate (median, of the cells in the
            planned measure; NaN where there are none), z (median of estimate over standard error), kept
            (share whose interval says what the planned one says).
        """
        import pandas as pd

        found: list[dict[str, Any]] = []
        for (treatment, versus), rows in self._comparisons():
            planned = self.planned.loc[(treatment, versus)]
            both = rows.merge(self.levels[["cell", "choice", "level", "position"]], on="cell")
            for (choice, position, level), part in both.groupby(["choice", "position", "level"], sort=False):
                own = part.loc[part["measure"] == planned["measure"], "estimate"]
                found.append(
                    {
                        "treatment": treatment, "versus": versus, "choice": choice, "level": level,
                        "position": position, "cells": len(part),
                        "estimate": float(own.median()) if len(own) else nan,
                        "z": float((part["estimate"] / part["std_error"]).median()),
                        "kept": float((part["conclusion"] == planned["conclusion"]).mean()),
                    }
                )  # fmt: skip
        columns = [
            "treatment", "versus", "choice", "level", "position", "cells", "estimate", "z", "kept",
        ]  # fmt: skip
        order = {choice.name: index for index, choice in enumerate(self.choices)}
        pairs = {key: index for index, key in enumerate(self.planned.index)}
        found.sort(
            key=lambda row: (pairs[row["treatment"], row["versus"]], order[row["choice"]], row["position"])
        )
        return pd.DataFrame(found, columns=columns)

    def overturning(self) -> pd.DataFrame:
        """List the cells whose interval says another thing of no effect than the planned one, worst first.

        Returns
        -------
        DataFrame
            Rows of `cells`, with `was` (what the planned cell says): first those that say the opposite.
        """
        said = [
            self.planned["conclusion"].get((row.treatment, row.versus), NONE)
            for row in self.fitted.itertuples()
        ]
        rows = self.fitted.assign(was=said)
        other = rows[(rows["conclusion"] != rows["was"]) & (rows["was"] != NONE)]
        worst = [_OPPOSITE.get(was) == now for was, now in zip(other["was"], other["conclusion"])]
        ordered = other.assign(worst=worst).sort_values(["worst", "cell"], ascending=[False, True])
        return ordered.drop(columns="worst")

    def permutation_test(self, flips: int = 999, seed: int = 1) -> pd.DataFrame:
        """Test whether the sets of data agree more than chance makes them (`analysis.firm.permutation`).

        Parameters
        ----------
        flips, seed : int

        Returns
        -------
        DataFrame
            One row a treatment and comparator: p_value, flips, sets (distinct sets of data).
        """
        import pandas as pd

        from analysis.firm.permutation import flipped

        pairs = list(self.planned.index)
        return pd.DataFrame(
            [
                {"treatment": a, "versus": b, "p_value": found, "flips": flips,
                 "sets": len(self.sets)}
                for (a, b), found in zip(pairs, flipped(self.sets, pairs, flips, seed), strict=True)
            ]
        )  # fmt: skip

    def options_of(self, cell: int) -> dict[str, Any]:
        """Options of a cell's analysis, as `analysis.plan.fitted` takes them."""
        row = self.cells[self.cells["cell"] == cell].iloc[0]
        return {**self.options, **json.loads(row["options"])}


def multiverse(
    db: EvidenceBase,
    kind: Kind,
    options: Mapping[str, Any],
    *,
    progress: Callable[[str], None] | None = None,
) -> Multiverse:
    """Carry out every defensible analysis of one question.

    Parameters
    ----------
    db : EvidenceBase
    kind : {"pairwise", "network"}
    options : mapping
        Of the planned analysis, as `analysis.plan.planned_options` gives them: what it asks is cell 1.
        ``multiverse`` holds the choices where they are not the field's (`MULTIVERSE_KEYS`).
    progress : callable, optional
        Called with a few words before each step.

    Returns
    -------
    Multiverse

    Raises
    ------
    CallError
        If a choice names something that there is not, or there are more cells than `MOST` (``most``).
    RefusedError
        If the planned analysis itself cannot be carried out.
    """
    say = progress or (lambda step: None)
    asked, of_fit = settle(kind, {name: value for name, value in options.items() if name != "analysis"})
    of_fit = {name: value for name, value in of_fit.items() if value is not None}
    dropped: list[str] = []
    if asked.get("engine") == "mcmc":
        asked["engine"] = "counts" if of_fit.get("likelihood") not in (None, "normal") else "exact"
        dropped.append(f"Markov chains: the engine {asked['engine']} has the same posterior")
    fitter: Fitter = (Networks if kind == "network" else Pairs)(db, asked, of_fit)
    say("what could have been decided otherwise")
    choices = []
    for choice in choices_of(db, kind, asked, of_fit):
        why = {level.name: fitter.changes(choice.name, level) for level in choice.levels[1:]}
        dropped += [f"{choice.name} {name}: {said}" for name, said in why.items() if said]
        kept = tuple(level for level in choice.levels if not why.get(level.name))
        if len(kept) > 1:
            choices.append(Choice(choice.name, kept))
    cells = [
        Cell(number, levels)
        for number, levels in enumerate(
            (levels for levels in combinations(choices) if fitter.possible(levels)), 1
        )
    ]
    most = int((asked.get("multiverse") or {}).get("most", MOST))
    if len(cells) > most:
        sizes = ", ".join(f"{choice.name} {len(choice.levels)}" for choice in choices)
        raise CallError(
            f"These choices make {len(cells):,} cells, more than {most:,}: {sizes}. Leave a choice out "
            f"(without = [...] of multiverse), or ask for more (most = {len(cells)})."
        )
    say(f"fitting {len(cells):,} cells")
    with listening(say):
        rows = list(fitter.fit(cells))
    about = db.rows("select * from outcome where outcome = ?", [asked["outcome"]])[0]
    return Multiverse(
        kind,
        {**asked, **of_fit},
        tuple(choices),
        frame("multiverse", rows),
        frame("multiverse_choice", list(_level_rows(choices, cells))),
        tuple(dropped),
        important_difference(about, facts.measure(str(asked["measure"]))),
        fitter.lower_is_better(),
        tuple(fitter.sets.values()),
    )


def _level_rows(choices: Sequence[Choice], cells: Sequence[Cell]) -> Iterator[dict[str, Any]]:
    for cell in cells:
        for choice, level in zip(choices, cell.levels, strict=True):
            if level is None:
                continue
            yield {
                "cell": cell.number,
                "choice": choice.name,
                "level": level.name,
                "position": choice.levels.index(level) + 1,
                "reason": level.reason or None,
            }


def _sign(value: float) -> str:
    return ABOVE if value > 0 else BELOW


def _count(name: str, mine: str, said: Any) -> dict[str, Any]:
    kept = int((said == mine).sum())
    against = len(said) - kept if name == FIRST else int((said == _OPPOSITE.get(mine)).sum())
    return {
        "conclusion": name,
        "planned": mine,
        "cells": len(said),
        "kept": kept,
        "share": kept / len(said) if len(said) else nan,
        "reversed": against,
    }


def _main_effect(values: Any, level: Any) -> float:
    """Share of the variance that lies between the levels' means, each weighted by its cells."""
    total = float(np.var(values))
    if len(values) < 2 or total < 1e-24 * (1.0 + float(np.mean(values)) ** 2):
        return nan
    means = values.groupby(level).transform("mean")
    return float(np.var(means)) / total
