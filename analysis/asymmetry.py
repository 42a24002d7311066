"""What tests of a run's funnel say, in words: the same on a terminal and in a report.

A test that finds nothing does not show that there is no bias, and one that finds asymmetry does not show
where it comes from (Sterne JAC et al. 2011, BMJ 343:d4002). Their level is 10 %, as in Egger et al. (1997).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from analysis.further import FUNNEL
from analysis.language.catalog import marked, numerals, tr, trn
from analysis.pairwise.sensitivity import usual_tests
from analysis.pairwise.small_study.asymmetry import LEAST_EFFECTS
from evidence.output import p_value
from evidence.results import Run
from evidence.system.frames import records

LEVEL = 0.1
"""Level of tests of asymmetry (Egger et al. 1997; Sterne et al. 2011)."""

LABELS = {
    "Egger": marked("Egger's test"),
    "Peters": marked("Peters' test"),
    "Harbord": marked("Harbord's test"),
    "Begg": marked("Begg's test"),
}

_LARGE_STUDIES = ("n", "sqrt(n)")
"""Predictors that grow with the study: the slope then has the other sign."""


@dataclass(frozen=True)
class AsymmetryTest:
    """One test of a funnel, as the run has it.

    Attributes
    ----------
    name : str
        Egger, Peters, Harbord or Begg.
    predictor : str
        What effects were regressed on; empty for a rank test.
    k : int
        Effects in it.
    numbers : mapping of str to float
        estimate (slope, or Kendall's tau), std_error, ci_lower, ci_upper, statistic, df, p_value.
    note : str
    refused : str
        Why it was not carried out; empty if it was.
    """

    name: str
    predictor: str
    k: int
    numbers: Mapping[str, float]
    note: str = ""
    refused: str = ""

    @property
    def label(self) -> str:
        """What it is called."""
        return tr(LABELS[self.name])


def tests_of(run: Run) -> list[AsymmetryTest]:
    """Read the tests of a run's funnel: for odds ratios Peters' and Harbord's, else Egger's; and Begg's.

    Of Egger's the one with multiplicative error, his own.
    """
    usual = {name.capitalize() for name in usual_tests(run.measure)} if run.kind == "pairwise" else {"Egger"}
    found: dict[str, dict[str, Any]] = {}
    for row in records(run.frames["sensitivity"]):
        name, how = _named(row["method"])
        if name not in (*usual, "Begg") or "additive" in how:
            continue
        kept = found.setdefault(name, {"numbers": {}, "notes": {}, "predictor": how.rpartition("on ")[2]})
        if row["quantity"] == "refused":
            kept["refused"] = row["note"]
        elif row["item"] != "limit" and row["value"] is not None:
            kept["numbers"][row["quantity"]] = row["value"]
            kept["notes"] |= dict.fromkeys(filter(None, [row["note"]]))
    return [
        AsymmetryTest(
            name,
            kept["predictor"],
            int(kept["numbers"].get("k", 0)),
            {"estimate": kept["numbers"].get("tau"), **kept["numbers"]},
            "; ".join(kept["notes"]),
            kept.get("refused", ""),
        )
        for name, kept in found.items()
    ]


def _named(method: str) -> tuple[str, str]:
    """Name of the test that a method is, and what else it says; no name if it is none."""
    name, _, how = method.removeprefix(f"{FUNNEL}, ").partition(", ")
    return (name, how) if name in LABELS else ("", "")


def conclusions(run: Run, names: Mapping[str, str]) -> list[str]:
    """Say what the tests of a run's funnel show, or why there is none.

    Parameters
    ----------
    run : Run
    names : mapping of str to str
        Printed names of treatments.

    Returns
    -------
    list of str
        One sentence or two for each test; one reason where there is none.
    """
    tests = [test for test in tests_of(run) if test.name != "Begg"]
    if not tests:
        return [tr("No test of funnel asymmetry was kept with this analysis: carry it out again.")]
    done = [test for test in tests if not test.refused and "p_value" in test.numbers]
    few = [test.k for test in done if test.k < LEAST_EFFECTS]
    if few and len(few) == len(done):
        return [_too_few(run, max(few))]
    if not done:
        return [tr("No test of funnel asymmetry is given: {reason}", reason=_sentence(tests[0].refused))]
    return [_said(run, test, names) for test in done if test.k >= LEAST_EFFECTS]


def _too_few(run: Run, k: int) -> str:
    return tr(
        "No test of funnel asymmetry is given: there are {k}, and with fewer than {least} such a test can "
        "hardly tell asymmetry from chance (Sterne et al. 2011).",
        k=counted(run, k),
        least=LEAST_EFFECTS,
    )


def counted(run: Run, k: int) -> str:
    """Say what a funnel has: studies, effects where a study has several, comparisons of a network."""
    if run.kind == "network":
        return trn("{k} comparison", "{k} comparisons", k, k=k)
    if run.n_studies == k:
        return trn("{k} study", "{k} studies", k, k=k)
    return trn("{k} effect", "{k} effects", k, k=k)


def _sentence(text: str) -> str:
    return text if text.endswith(".") else f"{text}."


def _said(run: Run, test: AsymmetryTest, names: Mapping[str, str]) -> str:
    value = test.numbers["p_value"]
    p = numerals(p_value(value))
    told = {"test": test.label, "k": counted(run, test.k), "p": f"p {p}" if p.startswith("<") else f"p = {p}"}
    if value >= LEVEL:
        return tr(
            "{test}, {k}: no asymmetry beyond chance ({p}, level 10 %). This does not show that there is no "
            "bias: the test misses much of it, the more so with few studies and much heterogeneity.",
            **told,
        )
    return tr(
        "{test}, {k}: {finding} ({p}, level 10 %). Results that were not published may be the reason; so may "
        "be weaker methods, other subjects or doses in the smaller studies, or chance.",
        finding=side_of_smaller(run, test, names),
        **told,
    )


def side_of_smaller(run: Run, test: AsymmetryTest, names: Mapping[str, str]) -> str:
    """Say to which side the effects of the smaller studies lie."""
    slope = test.numbers["estimate"] * (-1 if test.predictor in _LARGE_STUDIES else 1)
    if run.lower_is_better is None:
        if slope > 0:
            return tr("the effects of smaller studies lie above those of larger ones")
        return tr("the effects of smaller studies lie below those of larger ones")
    if run.kind == "network":
        whose = tr("the treatment earlier in the order")
    else:
        whose = names.get(str(run.treatment), str(run.treatment))
    if (slope < 0) == run.lower_is_better:
        return tr(
            "smaller studies show effects more favourable to {treatment} than larger ones do", treatment=whose
        )
    return tr(
        "smaller studies show effects less favourable to {treatment} than larger ones do", treatment=whose
    )
