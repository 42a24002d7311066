"""How an effect is written, drawn and read: its scale, its axis, its direction."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import altair as alt

from analysis.charts.base.theme import decimals, log_ticks, missing, number, plain, positive, ticks
from analysis.language.catalog import interval, percent_sign, tr
from evidence import facts
from evidence.output import effect_digits


@dataclass(frozen=True)
class Effect:
    """What an estimate means: everything a chart must know beside the numbers.

    Attributes
    ----------
    measure : str
        Its abbreviation, see `evidence.facts.measures`.
    outcome : str
        Printed name of the outcome.
    unit : str or None
        Unit of the outcome, printed with measures that have it.
    lower_is_better : bool or None
        Direction of benefit of the effect; None where the outcome does not say.
    treatments : mapping of str to str
        Printed names of treatments.
    bayesian : bool
        Intervals are credible intervals.
    form : str or None
        Which SMD was computed, ``g`` or ``d``; None where it is not known.
    """

    measure: str
    outcome: str = ""
    unit: str | None = None
    lower_is_better: bool | None = None
    treatments: Mapping[str, str] | None = None
    bayesian: bool = False
    form: str | None = None

    @classmethod
    def of_run(
        cls, run: Mapping[str, Any], outcome: str | None = None, treatments: Mapping[str, str] | None = None
    ) -> Effect:
        """Take it from a row of ``result_run``.

        Parameters
        ----------
        run : mapping
            Row of ``result_run``.
        outcome : str, optional
            Printed name of the outcome; its key without it.
        treatments : mapping of str to str, optional
            Printed names of treatments.

        Returns
        -------
        Effect
        """
        direction = plain(run["lower_is_better"])
        return cls(
            measure=str(run["measure"]),
            outcome=outcome or str(run["outcome"]),
            unit=plain(run["unit"]),
            lower_is_better=None if direction is None else bool(direction),
            treatments=treatments,
            bayesian=facts.engine(run["engine"]).bayesian,
            form=form_of(run),
        )

    @cached_property
    def about(self) -> facts.Measure:
        """What the measure is."""
        return facts.measure(self.measure, self.form)

    @property
    def scale(self) -> Literal["additive", "log"]:
        """Scale of the stored numbers; ratios are stored as logarithms and shown as ratios."""
        return self.about.scale

    @property
    def printed_unit(self) -> str | None:
        """Unit of an effect as printed; None for what has none."""
        return self.about.unit_of(self.unit)

    @property
    def interval(self) -> str:
        """CI or CrI."""
        return tr("CrI") if self.bayesian else tr("CI")

    @property
    def null(self) -> float:
        """No effect, as shown."""
        return self.about.null

    @property
    def name(self) -> str:
        """Printed name of the measure."""
        return tr(self.about.title)

    @property
    def title(self) -> str:
        """Title of an axis: measure, outcome and unit."""
        unit = self.printed_unit
        named = (
            tr("{measure}: {outcome}", measure=self.name, outcome=self.outcome) if self.outcome else self.name
        )
        return f"{named} ({unit})" if unit else named

    def label(self, treatment: Any) -> str:
        """Name a treatment as it is printed."""
        return (self.treatments or {}).get(str(treatment), str(treatment))

    def shown(self, value: float | None) -> float | None:
        """Bring a stored number to the scale on which it is read."""
        if missing(value):
            return None
        return self.about.shown(float(value))  # type: ignore[arg-type]

    def better(self, value: float | None) -> bool | None:
        """Tell whether a stored effect of A minus B speaks for A; None without direction or effect."""
        if self.lower_is_better is None or missing(value) or value == 0:
            return None
        return (value < 0) == self.lower_is_better  # type: ignore[operator]

    def favours(self, treatment: str, versus: str) -> tuple[str, str] | None:
        """Words left and right of no effect, for `treatment` minus `versus`.

        Parameters
        ----------
        treatment, versus : str
            Printed names.

        Returns
        -------
        tuple of str or None
            What the left and the right half favour; None where the outcome has no direction.
        """
        if self.lower_is_better is None:
            return None
        sides = (treatment, versus) if self.lower_is_better else (versus, treatment)
        return (tr("Favours {name}", name=sides[0]), tr("Favours {name}", name=sides[1]))

    def digits(self, half_widths: Iterable[float | None]) -> int:
        """Choose decimals that show about two figures of the usual half interval (two or more for SMD)."""
        known = (None if missing(width) else width for width in half_widths)
        return effect_digits(known, least=self.about.least_digits, log=self.scale == "log")

    def text(self, value: float | None, digits: int = 2) -> str:
        """Write a stored number as it is read.

        Ratios far from 1 keep about three figures; beyond a million to one only the bound is written.
        """
        shown = self.shown(value)
        if shown is None:
            return ""
        if self.scale == "log":
            if shown >= 1e6:
                return f">{number(1e6, 0)}"
            if shown < 1e-4:
                return f"<{number(1e-4, 4)}"
            if not 0.1 <= shown < 10:
                digits = max(0, (1 if shown < 1 else 2) - math.floor(math.log10(shown)))
        return number(shown, digits)

    def interval_text(self, lower: float | None, upper: float | None, digits: int = 2) -> str:
        """Write an interval: ``[lower, upper]`` in words that never break a negative number."""
        if missing(lower) or missing(upper):
            return ""
        return interval(self.text(lower, digits), self.text(upper, digits))

    def estimate_text(self, estimate: Any, lower: Any, upper: Any, digits: int = 2) -> str:
        """Write an estimate with its interval."""
        return f"{self.text(estimate, digits)} {self.interval_text(lower, upper, digits)}".strip()

    def spread_text(self, tau: float | None, digits: int = 2, *, unit: bool = True) -> str:
        """Write a between-study standard deviation with the decimals of the effects that it is of.

        Parameters
        ----------
        tau : float or None
            On the stored scale.
        digits : int
            Decimals of the effects (`digits`).
        unit : bool
            With the unit of the effect, where it has one.

        Returns
        -------
        str
        """
        text = positive(tau, digits)
        named = self.printed_unit if unit and text else None
        return f"{text}{percent_sign()}" if named == "%" else f"{text} {named}" if named else text

    def domain(
        self, estimates: Iterable[Any], lowers: Iterable[Any], uppers: Iterable[Any]
    ) -> tuple[float, float]:
        """Choose the ends of the axis so that no single wide interval flattens the others.

        An end lies at the outermost interval, or nearer where that interval is far wider than is usual: what
        passes the end is drawn with an arrowhead.

        Parameters
        ----------
        estimates, lowers, uppers : iterables of float
            What will be drawn, on the stored scale; missing values are passed over.

        Returns
        -------
        tuple of float
            Ends that hold no effect.
        """
        known = [
            (float(e), float(low), float(high))
            for e, low, high in zip(estimates, lowers, uppers)
            if not (missing(e) or missing(low) or missing(high))
            and all(math.isfinite(v) for v in (e, low, high))
        ]
        if not known:
            return (-1.0, 1.0)
        half = sorted((high - low) / 2 for _, low, high in known)
        usual = half[len(half) // 2]
        centre = sorted(e for e, _, _ in known)
        quarter, three = centre[len(centre) // 4], centre[(3 * len(centre)) // 4]
        reach = 3 * max(three - quarter, usual)
        inner = [e for e in centre if quarter - reach <= e <= three + reach] or centre
        lower = max(min(low for _, low, _ in known), min(inner) - 3 * usual)
        upper = min(max(high for _, _, high in known), max(inner) + 3 * usual)
        lower, upper = min(lower, 0.0), max(upper, 0.0)
        if lower == upper:
            lower, upper = -1.0, 1.0
        margin = 0.03 * (upper - lower)
        return (lower - margin, upper + margin)

    def x(
        self,
        field: str,
        domain: tuple[float, float],
        *,
        most: int = 6,
        pixels: tuple[float, float] | None = None,
        title: str | list[str] | None = None,
        **axis: Any,
    ) -> alt.X:
        """Make the x channel of an effect that is given as shown (`shown`), with round ticks.

        Parameters
        ----------
        field : str
            Column with the effect as shown.
        domain : tuple of float
            Range on the stored scale.
        most : int
            Upper limit of the number of ticks.
        pixels : tuple of float, optional
            Where the axis begins and ends, if not with the view.
        title : str or list of str, optional
            Title of the axis, in lines; the measure's without it.
        **axis
            Further properties of the axis.

        Returns
        -------
        altair.X
        """
        return alt.X(field, type="quantitative", **self._channel(domain, most, title, axis, pixels))

    def y(
        self,
        field: str,
        domain: tuple[float, float],
        *,
        most: int = 6,
        title: str | list[str] | None = None,
        **axis: Any,
    ) -> alt.Y:
        """Make the y channel of an effect; as `x`."""
        return alt.Y(field, type="quantitative", **self._channel(domain, most, title, axis))

    def _channel(
        self,
        domain: tuple[float, float],
        most: int,
        title: str | list[str] | None,
        axis: Mapping[str, Any],
        pixels: tuple[float, float] | None = None,
    ) -> dict[str, Any]:
        lower, upper = (math.exp(end) if self.scale == "log" else end for end in domain)
        if self.scale == "log":
            values = log_ticks(lower, upper, most)
            # Exponents only where digits would not fit.
            style = ",~g"
        else:
            values = ticks(lower, upper, most)
            style = f",.{decimals(values)}f"
        return {
            "scale": alt.Scale(
                type="log" if self.scale == "log" else "linear",
                domain=[lower, upper],
                nice=False,
                zero=False,
                range=alt.Undefined if pixels is None else list(pixels),
            ),
            "axis": alt.Axis(
                values=values, format=style, title=self.title if title is None else title, **axis
            ),
        }


def form_of(run: Mapping[str, Any]) -> str | None:
    """Tell which SMD a run computed: pairwise runs Hedges' g, networks what their option says."""
    if run["kind"] == "pairwise":
        return "g"
    said = run.get("specification") or {}
    form = (json.loads(said) if isinstance(said, str) else said).get("smd")
    return None if form is None else str(form)


def normal_interval(estimate: Any, std_error: Any) -> tuple[float | None, float | None]:
    """95 % interval of one study's estimate, as the forest draws it: estimate ± 1.96 standard errors."""
    if missing(estimate) or missing(std_error):
        return (None, None)
    return (estimate - facts.NORMAL_975 * std_error, estimate + facts.NORMAL_975 * std_error)
