"""Small-study effects of a fitted meta-analysis, as rows of the frame sensitivity."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.pairwise.model.coefficients import Coefficients
from analysis.pairwise.model.inference import infer
from analysis.pairwise.model.rows import Array, EffectRows
from analysis.pairwise.models import PairwiseModels, quantities
from analysis.pairwise.small_study import asymmetry as bias
from analysis.results import frame
from evidence import facts
from evidence.errors import RefusedError

if TYPE_CHECKING:
    import pandas as pd

    from analysis.pairwise.counts import CountTable
    from analysis.pairwise.small_study.asymmetry import Asymmetry


FAR, VARIED = 0.6, 0.3
"""Log odds ratio, and tau, from which on Harbord's test does not hold its level."""

TOO_OFTEN = (
    "Harbord's test finds asymmetry too often without any bias where the log odds ratio is beyond "
    f"{FAR} or tau above {VARIED} (in up to 26 % of meta-analyses at -1.2 and 0.6); Peters' test does not"
)
"""As simulated in `tests/benchmarks/test_small_study_size.py`; of heterogeneity see Ruecker, Schwarzer and
Carpenter (2008) Stat Med 27:746-763."""


class SmallStudyEffects(PairwiseModels):
    """Tests of funnel asymmetry and what the effect would be without it.

    These methods take effects as independent; a note says so where they are not.
    """

    def _effects(self) -> tuple[Array, Array, str | None]:
        """Effects, their variances, and a note where they are not independent."""
        dependent = self.rows.rotation or self.rows.n > len(self.studies)
        note = "effects of one study are taken as independent" if dependent else None
        effects = self.assembly.effects
        return effects.contrasts.frame["estimate"].to_numpy(), effects.variance, note

    @property
    def _lopsided(self) -> bool:
        """Whether the measure's variance holds the effect, so that a funnel is lopsided without any bias."""
        return facts.measure(self.contrasts.measure).effect_in_variance

    def _holds(self, what: str, anyway: bool) -> str | None:
        """Refuse what does not hold here; done anyway, give the note that says so."""
        k = len(self.assembly.effects.variance)
        if k < bias.LEAST_EFFECTS:
            said = f"{what} needs at least {bias.LEAST_EFFECTS} effects; there are {k}"
        elif self._lopsided:
            said = (
                f"{what} takes {self.contrasts.measure} to be independent of its standard error, which it is "
                "not: the funnel is lopsided without any bias"
            )
        else:
            return None
        if not anyway:
            raise RefusedError(f"{said}.")
        return said

    def egger(self, model: str = "multiplicative", predictor: str | None = None) -> pd.DataFrame:
        """Run Egger's test; see `bias.egger`.

        Parameters
        ----------
        model : {"multiplicative", "additive"}
            Multiplicative is Egger's own; additive, with the fit's estimator of tau2, is metafor's default.
        predictor : str, optional
            se, variance, n, 1/n, sqrt(n), 1/sqrt(n) or sqrt(1/n1+1/n2). Without it se, or sqrt(1/n1+1/n2)
            for a measure whose standard error depends on the effect.
        """
        y, v, note = self._effects()
        table = self.assembly.effects.contrasts.frame
        chosen = predictor or (bias.OF_ARMS if self._lopsided else "se")
        n_a, n_b = (table[name].to_numpy(float) for name in ("n_a", "n_b"))
        with np.errstate(divide="ignore", invalid="ignore"):
            size = 1 / n_a + 1 / n_b if chosen == bias.OF_ARMS else n_a + n_b
            # The weights, too, must not hold the effect: sizes, as large in sum as the variances.
            weighed = size * (v.sum() / size.sum()) if chosen == bias.OF_ARMS else v
        ci = self.options.ci if self.options.ci.startswith("HK") else "Wald"
        found = bias.egger(y, weighed, model, chosen, size, self.options.tau2, ci)
        caveat = (
            f"the standard error of {self.contrasts.measure} depends on the effect: this test finds "
            "asymmetry without any bias"
            if self._lopsided and chosen in ("se", "variance")
            else None
        )
        normal = (
            "without Hartung and Knapp's factor this test finds asymmetry in up to 9 % of meta-analyses "
            "without any bias"
            if model == "additive" and ci == "Wald"
            else None
        )
        return _asymmetry(found, "; ".join(filter(None, [caveat, normal, note])) or None)

    def begg(self, exact: bool | None = None, anyway: bool = False) -> pd.DataFrame:
        """Run Begg's rank test; see `bias.begg`.

        Parameters
        ----------
        exact : bool, optional
            As there.
        anyway : bool
            Carry it out where it does not hold, with a note.
        """
        caveat = self._holds("Begg's test", anyway)
        y, v, note = self._effects()
        found = bias.begg(y, v, exact)
        kind = "exact" if found.exact else "normal approximation"
        values = {"tau": found.tau, "p_value": found.p_value, "k": found.k}
        said = "; ".join(filter(None, [caveat, note or kind]))
        return frame("sensitivity", quantities("common", "Begg", "rank correlation", values, note=said))

    def peters(self) -> pd.DataFrame:
        """Run Peters' test, for odds ratios; see `bias.peters`."""
        data = self._tables("Peters' test")
        return _asymmetry(bias.peters(data.y, data.a + data.c, data.n1 + data.n2), self._effects()[2])

    def harbord(self) -> pd.DataFrame:
        """Run Harbord's test, for odds ratios; see `bias.harbord`. A note says where it does not hold."""
        data = self._tables("Harbord's test")
        found = bias.harbord(data.a, data.n1, data.c, data.n2)
        return _asymmetry(found, "; ".join(filter(None, [self._too_often(), self._effects()[2]])) or None)

    def _too_often(self) -> str | None:
        far = abs(self.pooled[0].effect.estimate[0]) > FAR
        return TOO_OFTEN if far or self.tau2 > VARIED**2 else None

    def _harbord_where_it_holds(self) -> pd.DataFrame:
        found = self.harbord()
        if said := self._too_often():
            raise RefusedError(f"{said}.")
        return found

    def _tables(self, name: str) -> CountTable:
        from analysis.pairwise import counts

        if self.contrasts.measure != "OR":
            raise RefusedError(f"{name} is for odds ratios of 2 x 2 tables, not {self.contrasts.measure}.")
        counts.check(self.assembly, self.contrasts.measure, "MH", "ignore")
        return counts.table(self.assembly, self.contrasts.measure, self.options.shared == "split")

    def table_tests(self, correct: bool = True) -> pd.DataFrame:
        """Run the Cochran-Mantel-Haenszel, Breslow-Day and Tarone tests on the counts.

        Parameters
        ----------
        correct : bool
            Continuity correction of the Cochran-Mantel-Haenszel statistic.
        """
        from analysis.pairwise import counts

        rows: list[dict[str, Any]] = []
        data = self._tables("The test")
        for name, statistic, df, p_value in counts.table_tests(data, correct):
            values = {"statistic": statistic, "df": df, "p_value": p_value}
            rows += quantities("common", name, "OR", values, note=self._effects()[2])
        return frame("sensitivity", rows)

    def trim_fill(self, estimator: str = "L0", side: str | None = None, anyway: bool = False) -> pd.DataFrame:
        """Trim and fill under both models; see `bias.trim_fill`, and `begg` for `anyway`."""
        caveat = self._holds("Trim and fill", anyway)
        y, v, note = self._effects()
        note = "; ".join(filter(None, [caveat, note])) or None
        rows: list[dict[str, Any]] = []
        for model, method in self.models_and_methods():
            found = bias.trim_fill(y, v, method, estimator, side)
            ci = self.options.ci if model == "random" and self.options.ci.startswith("HK") else "Wald"
            effect = infer(EffectRows.of(found.y, found.v), found.solution, ci)
            name = f"trim and fill {estimator}"
            values = {"missing": found.missing, "missing_std_error": found.std_error, "tau2": found.tau2}
            said = "; ".join(filter(None, [f"missing on the {found.side}", note, self.instead(model)]))
            rows += quantities(model, name, "all and filled in", values | _first(effect), note=said)
            for place in range(len(y), len(found.y)):
                filled = {"estimate": found.y[place], "std_error": np.sqrt(found.v[place])}
                rows += quantities(model, name, f"filled in {place - len(y) + 1}", filled)
        return frame("sensitivity", rows)

    def pet_peese(self, anyway: bool = False) -> pd.DataFrame:
        """Give PET, PEESE and the conditional PET-PEESE estimate; see `bias.pet_peese`.

        Parameters
        ----------
        anyway : bool
            Carry it out where it does not hold, with a note.
        """
        caveat = self._holds("PET-PEESE", anyway)
        y, v, note = self._effects()
        note = "; ".join(filter(None, [caveat, note])) or None
        found = bias.pet_peese(y, v)
        chosen = found.pet if found.chosen == "PET" else found.peese
        rows = quantities("common", "PET", "limit", _first(found.pet), note=note)
        rows += quantities("common", "PEESE", "limit", _first(found.peese), note=note)
        rows += quantities("common", "PET-PEESE", "limit", _first(chosen), note=f"takes {found.chosen}")
        return frame("sensitivity", rows)

    def selection_model(self, step: float = 0.025, direction: str | None = None) -> pd.DataFrame:
        """Fit the three-parameter step selection model; see `selection_model.selection_model`.

        Parameters
        ----------
        step : float
            One-sided p-value at which the probability of publication changes.
        direction : {"greater", "less"}, optional
            Direction that is favoured; that of the common effect without it.
        """
        from analysis.pairwise.small_study.selection_model import selection_model

        y, v, note = self._effects()
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

    def funnel(self) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Give the data of a funnel plot.

        Returns
        -------
        (effects, limits) : tuple of DataFrame
            study, label, contrast_id, estimate, std_error; and the lines of `bias.contours`, about no effect
            and about the common effect.
        """
        columns = ["study", "label", "contrast_id", "estimate"]
        std_error = np.sqrt(self.assembly.effects.variance)
        effects = self.assembly.effects.contrasts.frame[columns].assign(std_error=std_error)
        limits = bias.contours(
            1.05 * float(std_error.max()), float(self.inverse_variance.common_solution.beta[0])
        )
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
