"""How firm an answer is, in lines that each come from a row of the view ``run_firmness``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from analysis.asymmetry import LEVEL, counted, side_of_smaller, tests_of
from analysis.charts.base.effect import Effect
from analysis.charts.base.theme import count, missing, p_value, percent
from analysis.language.catalog import marked, percent_sign, tr, within
from analysis.pairwise.small_study.asymmetry import LEAST_EFFECTS
from analysis.report import words
from analysis.report.links import Links, mark
from analysis.report.material import Material
from analysis.verdict import LEAST_FOR_PREDICTION
from evidence.results import Run

_Row = Mapping[str, Any]


@dataclass(frozen=True)
class _Asked:
    """What a line is written about."""

    run: Run
    effect: Effect

    @property
    def pairwise(self) -> bool:
        return self.run.kind == "pairwise"

    @property
    def digits(self) -> int:
        return words.places(self.run)

    def ends(self, row: _Row) -> str:
        """Write the ends of a range of effects."""
        unit = self.effect.printed_unit
        of = "" if unit is None else percent_sign() if unit == "%" else f" {unit}"
        lower, upper = (self.effect.text(row[end], self.digits) for end in ("lower", "upper"))
        return tr("{lower} to {upper}", lower=lower, upper=f"{upper}{of}")


def firmness(material: Material, run: Run, links: Links) -> list[str]:
    """Say how firm the main effects of a run are.

    Parameters
    ----------
    material : Material
    run : Run
    links : Links
        Hands out the anchors of the rows.

    Returns
    -------
    list of str
        Lines of the form "what: finding", each with a link to its row; only of aspects that have one.
    """
    model = words.main_model(run)
    rows = {row["aspect"]: row for row in material.firmness(run) if row["model"] == model}
    asked = _Asked(run, material.effect(run))
    found = []
    for said, aspects, write in _LINES:
        if any(aspect not in rows for aspect in aspects):
            continue
        text = write(asked, *(rows[aspect] for aspect in aspects))
        if text:
            query = (
                f"select * from run_firmness where run_id = '{run.run_id}' and model = '{model}' "
                f"and aspect in ({', '.join(repr(aspect) for aspect in aspects)})"
            )
            address = links.fact(
                f"{words.headline(run, asked.effect)}: {within(tr(said))}",
                text,
                query,
                [rows[aspect] for aspect in aspects],
            )
            found.append(tr("{what}: {finding}.", what=mark(tr(said), address), finding=text))
    return found + _small_studies(run, asked.effect, links)


def _small_studies(run: Run, effect: Effect, links: Links) -> list[str]:
    """Say what the first usual test of the funnel shows, where it has effects enough.

    Of a network nothing: its funnel, and so its test, depends on the order of the treatments.
    """
    if run.kind == "network":
        return []
    tests = [test for test in tests_of(run) if test.name != "Begg" and "p_value" in test.numbers]
    test = next((test for test in tests if test.k >= LEAST_EFFECTS), None)
    if test is None:
        return []
    if test.numbers["p_value"] < LEVEL:
        said = side_of_smaller(run, test, effect.treatments or {})
    else:
        said = tr("no asymmetry of the funnel beyond chance")
    text = f"{said} ({test.label}, {counted(run, test.k)}, p {p_value(test.numbers['p_value'])})"
    query = f"select * from result_sensitivity where run_id = '{run.run_id}' and method like '%{test.name}%'"
    what = tr("Small studies")
    about = f"{words.headline(run, effect)}: {within(what)}"
    address = links.fact(about, text, query, [dict(test.numbers)])
    return [tr("{what}: {finding}.", what=mark(what, address), finding=text)]


def _heterogeneity(asked: _Asked, row: _Row) -> str:
    parts = []
    if not missing(row["value"]):
        tau = asked.effect.spread_text(row["value"], asked.digits)
        if asked.effect.scale == "log":
            tau = tr("{tau} on the log scale", tau=tau)
        parts.append(tr("between-study standard deviation τ {tau}", tau=tau))
    if not missing(row["share"]):
        parts.append(f"I² {percent(row['share'], 0)}")
    return ", ".join(parts)


def _prediction(asked: _Asked, row: _Row) -> str:
    if asked.pairwise:
        if (asked.run.n_studies or 0) < LEAST_FOR_PREDICTION:
            return ""
        if row["lower"] <= 0 <= row["upper"]:
            return tr(
                "its effect is expected within {range}, on either side of no effect", range=asked.ends(row)
            )
        return tr("its effect is expected within {range}, on one side of no effect", range=asked.ends(row))
    if not row["n_of"]:
        return ""
    return tr(
        "for {some} treatments whose interval excludes no effect, the 95% prediction interval includes it",
        some=_of(row),
    )


def _left_out(asked: _Asked, row: _Row) -> str:
    kept = tr("the effect stays within {range}", range=asked.ends(row)) if asked.pairwise else ""
    if missing(row["n"]):
        return kept
    return "; ".join(part for part in (_turns(asked, row), kept) if part)


def _turns(asked: _Asked, row: _Row) -> str:
    """Say how many studies, left out alone, would change what an interval says of no effect."""
    if row["n"] == 0 and asked.pairwise:
        said = tr("none of {n} studies decides whether the interval includes no effect")
    elif row["n"] == 0:
        said = tr(
            "none of {n} studies decides whether the interval of a treatment against the reference "
            "includes no effect"
        )
    elif asked.pairwise:
        said = tr("{some} studies, left out alone, would change whether the interval includes no effect")
    else:
        said = tr(
            "{some} studies, left out alone, would change whether the interval of a treatment against the "
            "reference "
            "includes no effect"
        )
    return said.format(n=count(row["n_of"]), some=_of(row))


def _risk_of_bias(asked: _Asked, high: _Row, low: _Row) -> str:
    judged = count(high["n_of"])
    if high["n_of"] != asked.run.n_studies:
        judged = tr("{k} of {n}", k=judged, n=count(asked.run.n_studies))
    parts = [
        _weighed(
            low, tr("{n} at low risk throughout"), tr("{n} at low risk throughout ({share} of the weight)")
        ),
        _weighed(high, tr("{n} at high risk"), tr("{n} at high risk ({share} of the weight)")),
    ]
    return tr("of {judged} studies judged, {parts}", judged=judged, parts=", ".join(parts))


def _weighed(row: _Row, alone: str, weighed: str) -> str:
    """Say how many studies are at a risk, with their weight where it is known."""
    if missing(row["share"]) or not row["n"]:
        return alone.format(n=count(row["n"]) if row["n"] else tr("none"))
    return weighed.format(n=count(row["n"]), share=percent(row["share"], 0))


def _inconsistency(asked: _Asked, row: _Row) -> str:
    parts = []
    if not missing(row["n_of"]):
        parts.append(
            tr("direct and indirect evidence disagree (p < 0.05) in {some} comparisons", some=_of(row))
        )
    if not missing(row["p_value"]):
        parts.append(tr("design-by-treatment test p {p}", p=p_value(row["p_value"])))
    return "; ".join(parts)


def _of(row: _Row) -> str:
    if not row["n"]:
        return tr("none of {n}", n=count(row["n_of"]))
    return tr("{k} of {n}", k=count(row["n"]), n=count(row["n_of"]))


_LINES: tuple[tuple[str, tuple[str, ...], Callable[..., str]], ...] = (
    (marked("Heterogeneity"), ("heterogeneity",), _heterogeneity),
    (marked("In a new study"), ("prediction",), _prediction),
    (marked("Risk of bias"), ("high risk of bias", "low risk of bias"), _risk_of_bias),
    (marked("Inconsistency"), ("inconsistency",), _inconsistency),
    (marked("Leaving one out"), ("leave one out",), _left_out),
)
"""Heading, aspects, and what is said of their rows; in the order of print."""
