"""What a measure, an engine, an estimator or a unit of time is: the rows of the reference tables, typed.

Nothing else in the project says such a thing: statistics, charts, reports, exporters and messages ask here,
SQL asks the tables of the same names. What is not known raises; nothing falls through to a default.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cache
from typing import Any, Literal, TypeVar

from evidence.errors import CallError
from evidence.facts.reference import reference
from evidence.names import difference, skeleton

NORMAL_975 = 1.959963984540054
"""Quantile of the standard normal distribution that 95 % intervals reach to; SQL has the same digits."""

SHARED_ARMS: dict[str, str] = {
    "covariance": "contrasts that share an arm enter with their exact covariance",
    "split": "the shared arm's animals or participants are divided among its contrasts",
    "ignore": "contrasts that share an arm enter as if independent",
}
"""What can be done about contrasts that share an arm, the default first: what each does."""

Row = Mapping[str, str | None]
T = TypeVar("T")


@dataclass(frozen=True)
class Measure:
    """An effect measure: a row of ``effect_measure``, for SMD with the form that was computed.

    Attributes
    ----------
    code : str
        MD, SMD, OR ...
    label, title, sentence : str
        Name in running text, on an axis, and what a Methods section calls the effects pooled.
    kind : str or None
        Kind of outcome it is for; None: any.
    scale : {"additive", "log"}
        Scale on which it is analysed; ratios are analysed as natural logarithms.
    unit : {"outcome", "%"} or None
        Unit in which it is printed.
    analysis_unit : str or None
        Unit of effects and of tau in words, where it is neither the outcome's nor a logarithm.
    direction : {"outcome", "higher", "event"}
        Which effect is better: as the outcome says, always the higher, or by the hazard of the event.
    given : {"arms", "contrasts", "table"}
        Computed from arms, reported in contrasts.csv, or only in a table that Python analyses.
    default_of_kind : bool
        Measure of a default analysis of its kind.
    least_digits : int
        Least number of decimals in print.
    effect_in_variance : bool
        Whether the sampling variance depends on the effect: a funnel is then lopsided without any bias.
    no_information : {"never", "no events", "no events or events only"}
        Events in both arms about which it says nothing.
    needs, formula, reference : str
        What it is computed from, how, and where that stands.
    form, form_name : str or None
        For SMD: ``g`` or ``d``, and Hedges' g or Cohen's d.
    """

    code: str
    label: str
    title: str
    sentence: str
    kind: str | None
    scale: Literal["additive", "log"]
    unit: str | None
    analysis_unit: str | None
    direction: Literal["outcome", "higher", "event"]
    given: Literal["arms", "contrasts", "table"]
    default_of_kind: bool
    least_digits: int
    effect_in_variance: bool
    no_information: str
    needs: str
    formula: str
    reference: str | None
    form: str | None = None
    form_name: str | None = None

    @property
    def is_ratio(self) -> bool:
        """Analysed as a logarithm, read as a ratio."""
        return self.scale == "log"

    @property
    def null(self) -> float:
        """No effect, as shown."""
        return 1.0 if self.is_ratio else 0.0

    def shown(self, value: float) -> float:
        """Bring a number from the scale of the analysis to the one on which it is read."""
        return math.exp(value) if self.is_ratio else float(value)

    def stored(self, value: float) -> float:
        """Bring a number as read to the scale of the analysis.

        Raises
        ------
        ValueError
            If a ratio is not above 0.
        """
        return math.log(value) if self.is_ratio else float(value)

    def unit_of(self, outcome_unit: str | None) -> str | None:
        """Give the unit of an estimate as printed, given the outcome's; None for what has none."""
        return outcome_unit if self.unit == "outcome" else self.unit

    def unit_of_analysis(self, outcome_unit: str | None) -> str:
        """Give the unit of effects and of tau on the analysis scale, in words; empty where there is none."""
        if self.is_ratio:
            return f"(log {self.code})"
        return f"({self.analysis_unit})" if self.analysis_unit else self.unit_of(outcome_unit) or ""

    def lower_is_better(self, outcome: Mapping[str, Any]) -> bool | None:
        """Tell whether the lower effect of a minus b is the better one.

        Parameters
        ----------
        outcome : mapping
            Row of table ``outcome``: its columns lower_is_better and event_is_bad count.

        Returns
        -------
        bool or None
            None where the review does not say: then nothing may be called better.
        """
        if self.direction == "higher":
            return False
        said = outcome["event_is_bad" if self.direction == "event" else "lower_is_better"]
        # A frame turns an empty cell into NaN.
        return None if said is None or said != said else bool(said)

    def tells(self, events_a: float, n_a: float, events_b: float, n_b: float) -> bool:
        """Tell whether events of n in two arms say anything about it; n may be infinite (exposures)."""
        if self.no_information == "never":
            return True
        none = events_a == 0 and events_b == 0
        every = events_a == n_a and events_b == n_b
        return not (none or (every and self.no_information == "no events or events only"))


@dataclass(frozen=True)
class Engine:
    """An engine of network meta-analysis: a row of ``engine``.

    Attributes
    ----------
    code, label, sentence : str
        Key; name in a line; what a Methods section says of it.
    framework : {"frequentist", "Bayesian"}
    interval, interval_word : str
        CI and confidence, or CrI and credible.
    score : {"p_score", "sucra"}
        By which it ranks.
    likelihood : tuple of str
        Likelihoods it knows.
    needs : tuple of str
        Packages beyond the plain installation.
    offers : tuple of str
        Analyses, options and rows for charts that not every engine has.
    most_refits : int or None
        Most studies that it leaves out in turn, fitting anew each time; None where one fit finds them all.
    is_default : bool
    """

    code: str
    label: str
    sentence: str
    framework: Literal["frequentist", "Bayesian"]
    interval: str
    interval_word: str
    score: Literal["p_score", "sucra"]
    likelihood: tuple[str, ...]
    needs: tuple[str, ...]
    offers: tuple[str, ...]
    most_refits: int | None
    is_default: bool

    @property
    def bayesian(self) -> bool:
        """Its intervals are credible intervals."""
        return self.framework == "Bayesian"

    @property
    def score_label(self) -> str:
        """Printed name of the score by which it ranks."""
        return score(self.score)["label"]


@dataclass(frozen=True)
class Estimator:
    """An estimator of the between-study variance: a row of ``estimator``."""

    code: str
    label: str
    pairwise: bool
    network: bool
    usual: bool
    stata: str | None
    stata_network: str | None
    reference: str


@dataclass(frozen=True)
class PoolingMethod:
    """A way to put the studies of a pairwise analysis together: a row of ``pooling_method``.

    Attributes
    ----------
    code, label : str
    measures : tuple of str
        Effect measures it gives; empty: all.
    rests_on : {"effects", "tables", "likelihood"}
    """

    code: str
    label: str
    measures: tuple[str, ...]
    rests_on: Literal["effects", "tables", "likelihood"]


@dataclass(frozen=True)
class TimeUnit:
    """A unit of time: a row of ``unit`` of dimension time, with the words for it.

    Attributes
    ----------
    code, label : str
        d, day.
    days : float
        Its length in days.
    aliases : tuple of str
        Other words for it.
    """

    code: str
    label: str
    days: float
    aliases: tuple[str, ...]


# --- measures ---


@cache
def _measures() -> dict[str, Measure]:
    return {str(row["measure"]): _read(Measure, row, "measure") for row in reference("effect_measure")}


@cache
def _forms() -> dict[tuple[str, str], Measure]:
    found = {}
    for row in reference("measure_form"):
        base = _measures()[str(row["measure"])]
        words = {name: row[name] for name in ("label", "title", "sentence", "form")}
        found[base.code, str(row["form"])] = Measure(
            **{**vars(base), **words, "form_name": row["name"]}  # type: ignore[arg-type]
        )
    return found


def measures(*, kind: str | None = None, given: tuple[str, ...] | None = None) -> tuple[Measure, ...]:
    """List the effect measures.

    Parameters
    ----------
    kind : str, optional
        Only those for this kind of outcome.
    given : tuple of str, optional
        Only those whose data come from there; see `Measure`. A review folder takes arms and contrasts.
    """
    return tuple(
        found
        for found in _measures().values()
        if (kind is None or found.kind in (None, kind)) and (given is None or found.given in given)
    )


REVIEW: tuple[str, ...] = ("arms", "contrasts")
"""Where data of a review folder come from: measures that a review can hold."""


def measure(code: str, form: str | None = None) -> Measure:
    """Say what an effect measure is.

    Parameters
    ----------
    code : str
        Its abbreviation.
    form : {"g", "d"}, optional
        Which SMD was computed; other measures have no forms and ignore it.

    Raises
    ------
    CallError
        If there is none; names all.
    """
    found = _one("effect measure", code, _measures())
    if form is None or all(measure != code for measure, _ in _forms()):
        return found
    forms = {key: row for (measure, key), row in _forms().items() if measure == code}
    return _one(f"form of {code}", form, forms)


def review_measure(code: str) -> Measure:
    """Say what an effect measure is that a review folder can hold.

    Raises
    ------
    CallError
        If there is none, or if its data cannot stand in a review folder; names all that can.
    """
    known = [found.code for found in measures(given=REVIEW)]
    if code in known:
        return measure(code)
    if code in _measures():
        raise CallError(
            f"A review folder holds no {measure(code).label} ({code}): analyse a table of them in Python, "
            f"pairwise.fit(table, measure={code!r}). A review folder holds: {', '.join(known)}."
        )
    raise unknown("effect measure", code, known)


def forms(code: str) -> tuple[Measure, ...]:
    """List the forms of a measure; without forms, none."""
    return tuple(row for (measure, _), row in _forms().items() if measure == code)


def default_measure(kind: str) -> Measure:
    """Measure of a default analysis of a kind of outcome.

    Raises
    ------
    CallError
        If there is no such kind.
    """
    return _one("kind of outcome", kind, {str(m.kind): m for m in measures() if m.default_of_kind})


def name_in(tool: str, code: str) -> str | None:
    """Name of a measure in another tool; None where it has none.

    Raises
    ------
    CallError
        If the tool or the measure is not known.
    """
    measure(code)
    return _one("tool", tool, _names()).get(code)


@cache
def _names() -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for row in reference("measure_name"):
        names = found.setdefault(str(row["tool"]), {})
        if row["written"] == "true":
            names[str(row["measure"])] = str(row["name"])
    return found


def names_in(tool: str) -> dict[str, str]:
    """Measures that another tool has, with its names: code -> name."""
    return dict(_one("tool", tool, _names()))


def read_name(tool: str, name: str) -> str | None:
    """Find the measure that a name in another tool stands for, whatever its case; None if unknown."""
    wanted = _plain(name)
    for row in reference("measure_name"):
        if row["tool"] == tool and _plain(str(row["name"])) == wanted:
            return str(row["measure"])
    return None


def _plain(name: str) -> str:
    return "".join(letter for letter in name.casefold() if letter.isalnum())


# --- engines, estimators, methods, units ---


@cache
def _engines() -> dict[str, Engine]:
    return {str(row["engine"]): _read(Engine, row, "engine") for row in reference("engine")}


def engines() -> tuple[Engine, ...]:
    """List the engines of network meta-analysis, the default first."""
    return tuple(_engines().values())


def engine(code: str) -> Engine:
    """Say what an engine is.

    Raises
    ------
    CallError
        If there is none; names all.
    """
    return _one("engine", code, _engines())


def offering(name: str) -> tuple[str, ...]:
    """List the engines that have an analysis, an option or the rows of a chart, in order of choice."""
    return tuple(row.code for row in engines() if name in row.offers) or tuple(row.code for row in engines())


def engines_of_normal() -> tuple[str, ...]:
    """List the engines of normal likelihoods alone: they compute, and draw and approximate nothing."""
    return tuple(row.code for row in engines() if row.likelihood == ("normal",))


def default_engine() -> str:
    """Engine of an analysis that names none."""
    return next(row.code for row in engines() if row.is_default)


@cache
def _scores() -> dict[str, dict[str, str]]:
    return {str(row["score"]): {k: str(v) for k, v in row.items()} for row in reference("ranking_score")}


def score(column: str) -> dict[str, str]:
    """Give the printed names of a ranking score (label, plural), by its column.

    Raises
    ------
    CallError
        If there is none; names all.
    """
    return _one("ranking score", column, _scores())


@cache
def estimators() -> dict[str, Estimator]:
    """Estimators of the between-study variance by name, the default first."""
    return {str(row["estimator"]): _read(Estimator, row, "estimator") for row in reference("estimator")}


@cache
def interval_methods(subject: Literal["effect", "prediction", "tau2"]) -> dict[str, str]:
    """Intervals of pairwise analyses by name: what each is."""
    return {
        str(r["method"]): str(r["label"]) for r in reference("interval_method") if r["subject"] == subject
    }


def interval_method(subject: Literal["effect", "prediction", "tau2"], method: str) -> str:
    """Short name of an interval, for a sentence.

    Raises
    ------
    CallError
        If there is none; names all.
    """
    rows = {
        str(r["method"]): str(r["short"]) for r in reference("interval_method") if r["subject"] == subject
    }
    return _one(f"interval of {subject}", method, rows)


@cache
def pooling_methods() -> dict[str, PoolingMethod]:
    """Ways to put studies together by name, the default first."""
    return {str(row["method"]): _read(PoolingMethod, row, "method") for row in reference("pooling_method")}


@cache
def dependence() -> dict[str, str]:
    """Ways to deal with several effects of one study by name, the default first: what each does."""
    return {str(row["dependence"]): str(row["label"]) for row in reference("dependence")}


@cache
def time_units() -> tuple[TimeUnit, ...]:
    """Units of time, the shortest first."""
    aliases: dict[str, list[str]] = {}
    for row in reference("unit_alias"):
        aliases.setdefault(str(row["unit"]), []).append(str(row["alias"]))
    found = [
        TimeUnit(
            str(row["unit"]),
            str(row["label"]),
            float(row["factor"] or 0),
            tuple(aliases.get(str(row["unit"]), ())),
        )
        for row in reference("unit")
        if row["dimension"] == "time"
    ]
    return tuple(sorted(found, key=lambda unit: unit.days))


def time_unit(word: str) -> TimeUnit:
    """Find a unit of time by its key or another word for it, whatever its case.

    Raises
    ------
    CallError
        If it is none; names all.
    """
    by_word = {name.casefold(): unit for unit in time_units() for name in (unit.code, *unit.aliases)}
    if (found := by_word.get(word.strip().casefold())) is not None:
        return found
    raise CallError(f"There is no unit of time {word!r}. {_listed([unit.code for unit in time_units()])}")


# --- reading rows ---


def _read(kind: type[T], row: Row, key: str) -> T:
    """Make a typed row of a reference row; its first column is called code."""
    given = {**row, "code": row[key]}
    values = {}
    for item in fields(kind):  # type: ignore[arg-type]
        if item.name in given:
            values[item.name] = _cell(given[item.name], str(item.type))
    return kind(**values)


def _cell(cell: str | None, kind: str) -> Any:
    if kind == "bool":
        return cell == "true"
    if kind == "int":
        return int(cell or 0)
    if kind == "int | None":
        return int(cell) if cell else None
    if kind.startswith("tuple"):
        return tuple(part.strip() for part in (cell or "").split(",") if part.strip())
    return cell


def _one(called: str, name: str, known: Mapping[str, T]) -> T:
    if name in known:
        return known[name]
    raise unknown(called, name, list(known))


def unknown(called: str, name: str, known: list[str]) -> CallError:
    """Say that there is no such thing, and what there is.

    Another name is offered only where the two differ in case, blanks or look-alike letters: for words as
    short as OR and RR the nearest in letters is another measure, and a wrong one.
    """
    same = [other for other in known if skeleton(other) == skeleton(str(name))]
    hint = f" Write {same[0]!r}: the two differ only {difference(str(name), same[0])}." if same else ""
    return CallError(f"There is no {called} {name!r}.{hint} {_listed(known)}")


def _listed(known: list[str]) -> str:
    return f"There are: {', '.join(known)}."
