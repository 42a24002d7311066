"""Small-study effects of a fitted meta-analysis, as rows of the frame sensitivity.

They take effects as independent; a note says so where they are not. The methods of `PairwiseFit` of the
same names say what each does and takes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.pairwise.model.coefficients import Coefficients
from analysis.pairwise.model.inference import infer
from analysis.pairwise.model.rows import Array, EffectRows
from analysis.pairwise.small_study import asymmetry as bias
from analysis.pairwise.tables import quantities
from analysis.results import frame
from evidence import facts
from evidence.errors import RefusedError

if TYPE_CHECKING:
    import pandas as pd

    from analysis.pairwise.counts import CountTable
    from analysis.pairwise.fitting import PairwiseFit
    from analysis.pairwise.small_study.asymmetry import Asymmetry


FAR, VARIED = 0.6, 0.3
"""Log odds ratio, and tau, from which on Harbord's test does not hold its level."""

TOO_OFTEN = (
    "Harbord's test finds asymmetry too often without any bias where the log odds ratio is beyond "
    f"{FAR} or tau above {VARIED} (in up to 26 % of meta-analyses at -1.2 and 0.6); Peters' test does not"
)
"""As simulated in `tests/benchmarks/test_small_study_size.py`; of heterogeneity see Ruecker, Schwarzer and
Carpenter (2008) Stat Med 27:746-763."""


def _independent(fit: PairwiseFit) -> tuple[Array, Array, str | None]:
    """Effects, their variances, and a note where they are not independent."""
    dependent = fit.rows.rotation or fit.rows.n > len(fit.studies)
    note = "effects of one study are taken as independent" if dependent else None
    effects = fit.assembly.effects
    return effects.contrasts.frame["estimate"].to_numpy(), effects.variance, note


def _lopsided(fit: PairwiseFit) -> bool:
    """Whether the measure's variance holds the effect, so that a funnel is lopsided without any bias."""
    return facts.measure(fit.contrasts.measure).effect_in_variance


def _holds(fit: PairwiseFit, what: str, anyway: bool) -> str | None:
    """Refuse what does not hold here; done anyway, give the note that says so."""
    k = len(fit.assembly.effects.variance)
    if k < bias.LEAST_EFFECTS:
        said = f"{what} needs at least {bias.LEAST_EFFECTS} effects; there are {k}"
    elif _lopsided(fit):
        said = (
            f"{what} takes {fit.contrasts.measure} to be independent of its standard error, which it is "
            "not: the funnel is lopsided without any bias"
        )
    else:
        return None
    if not anyway:
        raise RefusedError(f"{said}.")
    return said


def egger(fit: PairwiseFit, model: str = "multiplicative", predictor: str | None = None) -> pd.DataFrame:
    """Tabulate Egger's test."""
    y, v, note = _independent(fit)
    table = fit.assembly.effects.contrasts.frame
    chosen = predictor or (bias.OF_ARMS if _lopsided(fit) else "se")
    n_a, n_b = (table[name].to_numpy(float) for name in ("n_a", "n_b"))
    with np.errstate(divide="ignore", invalid="ignore"):
        size = 1 / n_a + 1 / n_b if chosen == bias.OF_ARMS else n_a + n_b
        # The weights, too, must not hold the effect: sizes, as large in sum as the variances.
        weighed = size * (v.sum() / size.sum()) if chosen == bias.OF_ARMS else v
    ci = fit.options.ci if fit.options.ci.startswith("HK") else "Wald"
    found = bias.egger(y, weighed, model, chosen, size, fit.options.tau2, ci)
    caveat = (
        f"the standard error of {fit.contrasts.measure} depends on the effect: this test finds "
        "asymmetry without any bias"
        if _lopsided(fit) and chosen in ("se", "variance")
        else None
    )
    normal = (
        "without Hartung and Knapp's factor this test finds asymmetry in up to 9 % of meta-analyses "
        "without any bias"
        if model == "additive" and ci == "Wald"
        else None
    )
    return _asymmetry(found, "; ".join(filter(None, [caveat, normal, note])) or None)


def begg(fit: PairwiseFit, exact: bool | None = None, anyway: bool = False) -> pd.DataFrame:
    """Tabulate Begg's rank test."""
    caveat = _holds(fit, "Begg's test", anyway)
    y, v, note = _independent(fit)
    found = bias.begg(y, v, exact)
    kind = "exact" if found.exact else "normal approximation"
    values = {"tau": found.tau, "p_value": found.p_value, "k": found.k}
    said = "; ".join(filter(None, [caveat, note or kind]))
    return frame("sensitivity", quantities("common", "Begg", "rank correlation", values, note=said))


def peters(fit: PairwiseFit) -> pd.DataFrame:
    """Tabulate Peters' test."""
    data = _tables(fit, "Peters' test")
    return _asymmetry(bias.peters(data.y, data.a + data.c, data.n1 + data.n2), _independent(fit)[2])


def harbord(fit: PairwiseFit) -> pd.DataFrame:
    """Tabulate Harbord's test, with a note where it does not hold."""
    data = _tables(fit, "Harbord's test")
    found = bias.harbord(data.a, data.n1, data.c, data.n2)
    return _asymmetry(found, "; ".join(filter(None, [_too_often(fit), _independent(fit)[2]])) or None)


def _too_often(fit: PairwiseFit) -> str | None:
    far = abs(fit.pooled[0].effect.estimate[0]) > FAR
    return TOO_OFTEN if far or fit.tau2 > VARIED**2 else None


def harbord_where_it_holds(fit: PairwiseFit) -> pd.DataFrame:
    """Tabulate Harbord's test, or refuse it where it does not hold its level."""
    found = harbord(fit)
    if said := _too_often(fit):
        raise RefusedError(f"{said}.")
    return found


def _tables(fit: PairwiseFit, name: str) -> CountTable:
    from analysis.pairwise import counts

    if fit.contrasts.measure != "OR":
        raise RefusedError(f"{name} is for odds ratios of 2 x 2 tables, not {fit.contrasts.measure}.")
    counts.check(fit.assembly, fit.contrasts.measure, "MH", "ignore")
    return counts.table(fit.assembly, fit.contrasts.measure, fit.options.shared == "split")


def table_tests(fit: PairwiseFit, correct: bool = True) -> pd.DataFrame:
    """Tabulate the tests on 2 x 2 tables."""
    from analysis.pairwise import counts

    rows: list[dict[str, Any]] = []
    data = _tables(fit, "The test")
    for name, statistic, df, p_value in counts.table_tests(data, correct):
        values = {"statistic": statistic, "df": df, "p_value": p_value}
        rows += quantities("common", name, "OR", values, note=_independent(fit)[2])
    return frame("sensitivity", rows)


def trim_fill(
    fit: PairwiseFit, estimator: str = "L0", side: str | None = None, anyway: bool = False
) -> pd.DataFrame:
    """Tabulate trim and fill under both models."""
    caveat = _holds(fit, "Trim and fill", anyway)
    y, v, note = _independent(fit)
    note = "; ".join(filter(None, [caveat, note])) or None
    rows: list[dict[str, Any]] = []
    for model, method in fit.models_and_methods():
        found = bias.trim_fill(y, v, method, estimator, side)
        ci = fit.options.ci if model == "random" and fit.options.ci.startswith("HK") else "Wald"
        effect = infer(EffectRows.of(found.y, found.v), found.solution, ci)
        name = f"trim and fill {estimator}"
        values = {"missing": found.missing, "missing_std_error": found.std_error, "tau2": found.tau2}
        said = "; ".join(filter(None, [f"missing on the {found.side}", note, fit.instead(model)]))
        rows += quantities(model, name, "all and filled in", values | _first(effect), note=said)
        for place in range(len(y), len(found.y)):
            filled = {"estimate": found.y[place], "std_error": np.sqrt(found.v[place])}
            rows += quantities(model, name, f"filled in {place - len(y) + 1}", filled)
    return frame("sensitivity", rows)


def pet_peese(fit: PairwiseFit, anyway: bool = False) -> pd.DataFrame:
    """Tabulate PET, PEESE and the conditional estimate."""
    caveat = _holds(fit, "PET-PEESE", anyway)
    y, v, note = _independent(fit)
    note = "; ".join(filter(None, [caveat, note])) or None
    found = bias.pet_peese(y, v)
    chosen = found.pet if found.chosen == "PET" else found.peese
    rows = quantities("common", "PET", "limit", _first(found.pet), note=note)
    rows += quantities("common", "PEESE", "limit", _first(found.peese), note=note)
    rows += quantities("common", "PET-PEESE", "limit", _first(chosen), note=f"takes {found.chosen}")
    return frame("sensitivity", rows)


def selection_model(fit: PairwiseFit, step: float = 0.025, direction: str | None = None) -> pd.DataFrame:
    """Tabulate the three-parameter step selection model."""
    from analysis.pairwise.small_study.selection_model import selection_model

    y, v, note = _independent(fit)
    found = selection_model(y, v, step, direction)
    name = f"selection model, step at p = {step:g}"
    said = f"favoured: {found.direction}" + (f"; {note}" if note else "")
    probability = {
        "estimate": found.relative_probability.estimate[0],
        "std_error": found.relative_probability.std_error[0],
        "statistic": found.lr_statistic,
        "p_value": found.lr_p_value,
        "n_significant": found.n_significant,
        "n_other": found.n_other,
    }
    for other in found.others:
        said += (
            f"; the likelihood has another maximum, lower by {other.below:.3g}: estimate "
            f"{other.estimate:.4g}, tau2 {other.tau2:.3g}, relative probability "
            f"{other.relative_probability:.3g}"
        )
    rows = quantities("random", name, "effect", _first(found.effect) | {"tau2": found.tau2}, note=said)
    rows += quantities(
        "random", name, "relative probability of publication", probability, note="likelihood-ratio test"
    )
    return frame("sensitivity", rows)


def funnel(fit: PairwiseFit) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Give the effects of a funnel plot, and its lines."""
    columns = ["study", "label", "contrast_id", "estimate"]
    std_error = np.sqrt(fit.assembly.effects.variance)
    effects = fit.assembly.effects.contrasts.frame[columns].assign(std_error=std_error)
    limits = bias.contours(1.05 * float(std_error.max()), float(fit.inverse_variance.common_solution.beta[0]))
    return effects, limits


def _first(effect: Coefficients) -> dict[str, float]:
    names = ("estimate", "std_error", "ci_lower", "ci_upper", "statistic", "df", "p_value")
    return {name: float(getattr(effect, name)[0]) for name in names}


def _asymmetry(found: Asymmetry, note: str | None) -> pd.DataFrame:
    """Rows of a regression test: the bias coefficient, the limit, and how many effects there were."""
    model = "common" if np.isnan(found.tau2) else "random"
    few = "fewer than ten effects: the test has little power" if found.k < 10 else None
    return frame(
        "sensitivity",
        [
            *quantities(model, found.method, "bias", _first(found.slope), note=note),
            *quantities(model, found.method, "limit", _first(found.limit), note=note),
            *quantities(model, found.method, "effects", {"k": found.k}, note=few),
        ],
    )
