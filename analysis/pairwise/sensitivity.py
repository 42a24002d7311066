"""Every sensitivity analysis that applies to a pairwise meta-analysis, one under the other."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

from analysis.pairwise.model.degenerate import determined
from analysis.pairwise.pooling import MISSING
from analysis.pairwise.small_study.effects import harbord_where_it_holds
from analysis.pairwise.tables import quantities
from analysis.results import frame
from evidence.errors import CallError, EvidenceError, RefusedError

if TYPE_CHECKING:
    import pandas as pd

    from analysis.pairwise.fitting import PairwiseFit

LARGE = 1000
"""Studies above which analyses of each study, with many rows for each, run only when asked for by name."""

ODDS_RATIOS = ("Peters", "Harbord", "tests on tables")
"""What is of 2 x 2 tables alone."""

METHODS: dict[str, tuple[str, ...]] = {
    "influence": ("influence",),
    "baujat": ("Baujat",),
    "outliers": ("outliers",),
    "peters": ("Peters",),
    "harbord": ("Harbord",),
    "egger": ("Egger, multiplicative error", "Egger, additive error"),
    "begg": ("Begg",),
    "trim_fill": ("trim and fill L0", "trim and fill R0"),
    "pet_peese": ("PET-PEESE",),
    "selection": ("selection model",),
    "table_tests": ("tests on tables",),
}
"""What stands for them in `every`, by the names of the plan (`evidence.folder.further`)."""


@dataclass(frozen=True)
class Settings:
    """What analyses of sensitivity may be told: see the methods of `PairwiseFit`.

    Attributes
    ----------
    predictor : str or None
        Of Egger's test.
    anyway : bool
        Carry out what does not hold, with a note; else it is refused.
    side : str or None
        Of trim and fill.
    step : float
        Of the selection model.
    direction : str or None
        Of the selection model.
    """

    predictor: str | None = None
    anyway: bool = False
    side: str | None = None
    step: float = 0.025
    direction: str | None = None


def usual_tests(measure: str) -> tuple[str, ...]:
    """Names of the tests of funnel asymmetry that a measure is given: for odds ratios Peters and Harbord."""
    return ("peters", "harbord") if measure == "OR" else ("egger",)


def every(
    fit: PairwiseFit, methods: Collection[str] | None = None, settings: Settings | None = None
) -> pd.DataFrame:
    """Run what applies, or of that some; see `PairwiseFit.sensitivity`."""
    import pandas as pd

    told = settings or Settings()
    asked: dict[str, Callable[[], pd.DataFrame]] = {
        "influence": fit.influence,
        "Baujat": fit.baujat,
        "outliers": fit.outliers,
    }
    if len(fit.studies) > LARGE and methods is None:
        asked = {name: _too_many(len(fit.studies)) for name in asked}
    asked |= {
        "Peters": fit.peters,
        "Harbord": fit.harbord if told.anyway else lambda: harbord_where_it_holds(fit),
        "Egger, multiplicative error": lambda: fit.egger(predictor=told.predictor),
        "Egger, additive error": lambda: fit.egger("additive", told.predictor),
        "Begg": lambda: fit.begg(anyway=told.anyway),
        "trim and fill L0": lambda: fit.trim_fill(side=told.side, anyway=told.anyway),
        "trim and fill R0": lambda: fit.trim_fill("R0", told.side, told.anyway),
        "PET-PEESE": lambda: fit.pet_peese(told.anyway),
        "selection model": lambda: fit.selection_model(told.step, told.direction),
    }
    if fit.options.by is not None:
        asked["subgroups"] = fit.subgroups
    asked["tests on tables"] = fit.table_tests
    if methods is None and fit.contrasts.measure != "OR":
        asked = {name: run for name, run in asked.items() if name not in ODDS_RATIOS}
    frames = [frame("sensitivity")]
    for method, run in asked.items():
        if methods is not None and method not in methods:
            continue
        try:
            with determined(method):
                frames.append(run())
        except CallError:
            raise
        except EvidenceError as error:
            said = quantities("common", method, "refused", {"refused": MISSING}, note=error.message)
            frames.append(frame("sensitivity", said))
    return pd.concat([found.astype(object) for found in frames], ignore_index=True).astype({"value": float})


def _too_many(k: int) -> Callable[[], pd.DataFrame]:
    def refuse() -> pd.DataFrame:
        raise RefusedError(f"{k} studies: above {LARGE} it runs only when asked for by name.")

    return refuse
