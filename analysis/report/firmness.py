"""How firm an answer is, in lines that each come from a row of the view ``run_firmness``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from analysis.asymmetry import LEVEL, counted, side_of_smaller, tests_of
from analysis.charts.base.effect import Effect
from analysis.charts.base.theme import count, figures, missing, p_value, percent
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
        row = words.whole_effect(self.run) if self.pairwise else None
        return 2 if row is None else int(row["digits"])

    @property
    def unit(self) -> str:
        """Unit as it follows a number."""
        unit = self.effect.printed_unit
        return "" if unit is None else "%" if unit == "%" else f" {unit}"

    def ends(self, row: _Row) -> str:
        """Write the ends of a range of effects."""
        return " to ".join(self.effect.text(row[end], self.digits) for end in ("lower", "upper")) + self.unit


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
                f"{words.headline(run, asked.effect)}: {said.lower()}",
                text,
                query,
                [rows[aspect] for aspect in aspects],
            )
            found.append(f"{mark(said, address)}: {text}.")
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
        said = "no asymmetry of the funnel beyond chance"
    text = f"{said} ({test.label}, {counted(run, test.k)}, p {p_value(test.numbers['p_value'])})"
    query = f"select * from result_sensitivity where run_id = '{run.run_id}' and method like '%{test.name}%'"
    address = links.fact(f"{words.headline(run, effect)}: small studies", text, query, [dict(test.numbers)])
    return [f"{mark('Small studies', address)}: {text}."]


def _heterogeneity(asked: _Asked, row: _Row) -> str:
    parts = []
    if not missing(row["value"]):
        unit = "" if asked.effect.scale == "log" else asked.unit
        scale = " on the log scale" if asked.effect.scale == "log" else ""
        parts.append(f"between-study standard deviation τ {figures(row['value'])}{unit}{scale}")
    if not missing(row["share"]):
        parts.append(f"I² {percent(row['share'], 0)}")
    return ", ".join(parts)


def _prediction(asked: _Asked, row: _Row) -> str:
    if asked.pairwise:
        if (asked.run.n_studies or 0) < LEAST_FOR_PREDICTION:
            return ""
        side = (
            "on either side of no effect" if row["lower"] <= 0 <= row["upper"] else "on one side of no effect"
        )
        return f"its effect is expected within {asked.ends(row)}, {side}"
    if not row["n_of"]:
        return ""
    whose = f"for {_of(row)} treatments whose interval excludes no effect"
    return f"{whose}, the 95% prediction interval includes it"


def _left_out(asked: _Asked, row: _Row) -> str:
    within = f"the effect stays within {asked.ends(row)}" if asked.pairwise else ""
    if missing(row["n"]):
        return within
    what = "the interval" if asked.pairwise else "the interval of a treatment against the reference"
    if row["n"] == 0:
        turns = f"none of {count(row['n_of'])} studies decides whether {what} includes no effect"
    else:
        turns = f"{_of(row)} studies, left out alone, would change whether {what} includes no effect"
    return "; ".join(part for part in (turns, within) if part)


def _risk_of_bias(asked: _Asked, high: _Row, low: _Row) -> str:
    def weight(row: _Row) -> str:
        return "" if missing(row["share"]) or not row["n"] else f" ({percent(row['share'], 0)} of the weight)"

    judged = count(high["n_of"])
    rest = "" if high["n_of"] == asked.run.n_studies else f" of {count(asked.run.n_studies)}"
    return (
        f"of {judged}{rest} studies judged, {count(low['n']) if low['n'] else 'none'} at low risk throughout"
        f"{weight(low)}, {count(high['n']) if high['n'] else 'none'} at high risk{weight(high)}"
    )


def _inconsistency(asked: _Asked, row: _Row) -> str:
    parts = []
    if not missing(row["n_of"]):
        parts.append(f"direct and indirect evidence disagree (p < 0.05) in {_of(row)} comparisons")
    if not missing(row["p_value"]):
        parts.append(f"design-by-treatment test p {p_value(row['p_value'])}")
    return "; ".join(parts)


def _of(row: _Row) -> str:
    return f"{count(row['n']) if row['n'] else 'none'} of {count(row['n_of'])}"


_LINES: tuple[tuple[str, tuple[str, ...], Callable[..., str]], ...] = (
    ("Heterogeneity", ("heterogeneity",), _heterogeneity),
    ("In a new study", ("prediction",), _prediction),
    ("Risk of bias", ("high risk of bias", "low risk of bias"), _risk_of_bias),
    ("Inconsistency", ("inconsistency",), _inconsistency),
    ("Leaving one out", ("leave one out",), _left_out),
)
"""Heading, aspects, and what is said of their rows; in the order of print."""
