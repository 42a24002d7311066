"""Subgroups of a pairwise meta-analysis: which contrasts are in which, and whether they differ."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.pairwise.data.assembly import assemble
from analysis.pairwise.model import tau2 as between_studies
from analysis.pairwise.model.rows import EffectRows
from analysis.pairwise.pooling import InverseVariance
from analysis.pairwise.regression import between_groups
from analysis.pairwise.tables import quantities
from analysis.results import frame
from evidence.errors import CallError, RefusedError

if TYPE_CHECKING:
    import pandas as pd

    from analysis.pairwise.fitting import PairwiseFit

APART = ("inverse_variance", "MH", "Peto")
"""Methods whose random-effects model is that of inverse variance."""


def levels(fit: PairwiseFit) -> dict[str, PairwiseFit]:
    """Fit each subgroup, by level."""
    texts = fit.level_of_contrast
    common = fit.together
    tau2 = between_studies.estimate(common, str(fit.options.tau2)) if common else fit.options.tau2
    if isinstance(tau2, float) and not np.isfinite(tau2):
        raise RefusedError("Every subgroup holds one study: a common tau2 cannot be estimated.")
    found = {}
    for level in sorted(texts.dropna().unique(), key=natural_order):
        try:
            part = fit.part((texts == level).to_numpy(), tau2=tau2)
        except RefusedError as error:
            raise RefusedError(f"{fit.options.by} = {level}: {error.message}", error.problems) from None
        if common is not None and isinstance(part.pooling, InverseVariance):
            part = replace(part, pooling=replace(part.pooling, together=common))
        found[level] = part
    return found


def together(fit: PairwiseFit) -> EffectRows | None:
    """Rows of all subgroups with one mean for each, where they share an estimated tau2."""
    options = fit.options
    if options.by is None or options.separate_tau2 or not isinstance(options.tau2, str):
        return None
    texts = fit.level_of_contrast
    known = texts.notna().to_numpy()
    values = texts[known].to_numpy()
    design = (values[:, None] == np.unique(values)[None, :]).astype(float)
    part = fit.assembly.contrasts.part(known)
    together = assemble(part, options.shared, options.dependence, list(values))
    return together.rows.with_design(design[together.effects.first])


def differences(fit: PairwiseFit) -> pd.DataFrame:
    """Test that the subgroups have the same effect, under both models."""
    if fit.options.by is None:
        raise CallError('Name the variable that makes subgroups: fit(..., by="...").')
    rows = []
    found = [study for part in fit.levels.values() for study in part.studies]
    repeated = len(set(found)) < len(found)
    shared = "studies in several subgroups are taken as independent" if repeated else None
    # One study shows no tau2 of its own: a subgroup of it would enter the test as if it were 0.
    alone = [level for level, part in fit.levels.items() if part.rows.n == 1]
    own = fit.options.separate_tau2 and isinstance(fit.options.tau2, str) and fit.options.method in APART
    fits = {"common": fit, "random": fit}
    if alone and own and len(fit.levels) > 1 and len(alone) < len(fit.levels):
        fits["random"] = fit.of(fit.contrasts, replace(fit.options, separate_tau2=False))
    for model, used in fits.items():
        effects = [part.wald(model) for part in used.levels.values()]
        estimate, std_error = (np.array(values) for values in zip(*effects, strict=True))
        q, df, p_value = between_groups(estimate, std_error)
        tau2 = "a tau2 for each" if used.options.separate_tau2 else "one tau2 for all"
        if used is not fit:
            tau2 += f", since one study alone shows none ({', '.join(alone)})"
        test = {"q": q, "df": df, "p_value": p_value}
        note = "; ".join(filter(None, [tau2 if model == "random" else None, shared])) or None
        rows += quantities(model, "subgroups", fit.options.by, test, note=note)
    return frame("sensitivity", rows)


def level_name(value: Any) -> str | None:
    """Name of a subgroup: numbers without a trailing .0, None where the value is missing."""
    import pandas as pd

    if value is None or pd.isna(value):
        return None
    return f"{value:g}" if isinstance(value, float) else str(value)


def natural_order(level: str) -> tuple[int, float, str]:
    """Sort numbers by size, before words."""
    try:
        return 0, float(level), level
    except ValueError:
        return 1, 0.0, level
