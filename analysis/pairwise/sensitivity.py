"""Every sensitivity analysis that applies to a pairwise meta-analysis, one under the other."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import TYPE_CHECKING

from analysis.pairwise.model.degenerate import determined
from analysis.pairwise.pooling import MISSING
from analysis.pairwise.small_study.effects import harbord_where_it_holds
from analysis.pairwise.tables import quantities
from analysis.results import frame
from evidence.errors import EvidenceError, RefusedError

if TYPE_CHECKING:
    import pandas as pd

    from analysis.pairwise.fitting import PairwiseFit

LARGE = 1000
"""Studies above which analyses of each study, with many rows for each, run only when asked for by name."""


def every(fit: PairwiseFit, methods: Collection[str] | None = None) -> pd.DataFrame:
    """Run what applies, or of that some; see `PairwiseFit.sensitivity`."""
    import pandas as pd

    asked: dict[str, Callable[[], pd.DataFrame]] = {
        "influence": fit.influence,
        "Baujat": fit.baujat,
        "outliers": fit.outliers,
    }
    if len(fit.studies) > LARGE:
        asked = {name: _too_many(len(fit.studies)) for name in asked}
    if fit.contrasts.measure == "OR":
        asked |= {"Peters": fit.peters, "Harbord": lambda: harbord_where_it_holds(fit)}
    asked |= {
        "Egger, multiplicative error": fit.egger,
        "Egger, additive error": lambda: fit.egger("additive"),
        "Begg": fit.begg,
        "trim and fill L0": fit.trim_fill,
        "trim and fill R0": lambda: fit.trim_fill("R0"),
        "PET-PEESE": fit.pet_peese,
        "selection model": fit.selection_model,
    }
    if fit.options.by is not None:
        asked["subgroups"] = fit.subgroups
    if fit.contrasts.measure == "OR":
        asked["tests on tables"] = fit.table_tests
    frames = [frame("sensitivity")]
    for method, run in asked.items():
        if methods is not None and method not in methods:
            continue
        try:
            with determined(method):
                frames.append(run())
        except EvidenceError as error:
            said = quantities("common", method, "refused", {"refused": MISSING}, note=error.message)
            frames.append(frame("sensitivity", said))
    return pd.concat([found.astype(object) for found in frames], ignore_index=True).astype({"value": float})


def _too_many(k: int) -> Callable[[], pd.DataFrame]:
    def refuse() -> pd.DataFrame:
        raise RefusedError(f"{k} studies: above {LARGE} it runs only when asked for by name, in Python.")

    return refuse
