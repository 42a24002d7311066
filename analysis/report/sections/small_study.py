"""What stands beneath a funnel plot: the tests of its asymmetry, or the reason why there is none."""

from __future__ import annotations

from collections.abc import Iterator

from analysis.asymmetry import AsymmetryTest, conclusions, counted, tests_of
from analysis.charts.base.effect import Effect
from analysis.charts.base.theme import count, figures, number, p_value
from analysis.charts.tables import Column, Table
from analysis.language.catalog import tr
from analysis.pairwise.small_study.asymmetry import LEAST_EFFECTS
from analysis.report.blocks import Block, Text
from evidence.results import Run


def asymmetry(run: Run, effect: Effect) -> Iterator[Block]:
    """Say what the tests of a run's funnel show, and tabulate them; from ten effects on.

    Parameters
    ----------
    run : Run
    effect : Effect
        Whose names of treatments are printed.
    """
    yield Text(tuple(conclusions(run, effect.treatments or {})))
    tests = [test for test in tests_of(run) if not test.refused and test.k >= LEAST_EFFECTS]
    if tests:
        yield _table(run, tests)


def _table(run: Run, tests: list[AsymmetryTest]) -> Table:
    return Table(
        f"{run.analysis}-small-study",
        tr("Tests of funnel asymmetry"),
        (
            Column("test", tr("Test")),
            Column("predictor", tr("Regressed on")),
            Column("k", tr("Effects"), "right"),
            Column("estimate", tr("Slope, or rank correlation"), "right"),
            Column("se", tr("Standard error"), "right"),
            Column("statistic", "t", "right"),
            Column("df", "df", "right"),
            Column("p", "p", "right"),
            Column("note", tr("Note")),
        ),
        tuple(_cells(run, test) for test in tests),
        note=tr(
            "A slope of 0 is a symmetrical funnel. None of these tests shows publication bias as such "
            "(Sterne et al. 2011)."
        ),
        data=tuple(
            {"test": test.name, "predictor": test.predictor, "k": test.k, **test.numbers} for test in tests
        ),
    )


def _cells(run: Run, test: AsymmetryTest) -> dict[str, str]:
    numbers = test.numbers
    return {
        "test": test.label,
        "predictor": test.predictor,
        "k": counted(run, test.k),
        "estimate": figures(numbers["estimate"]),
        "se": figures(numbers["std_error"]) if "std_error" in numbers else "",
        "statistic": number(numbers["statistic"], 2) if "statistic" in numbers else "",
        "df": count(numbers["df"]) if "df" in numbers else "",
        "p": p_value(numbers["p_value"]).removeprefix("= "),
        "note": test.note,
    }
