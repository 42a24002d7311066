"""Rows of effects on their way into a review folder: on which scale they stand, and between which arms."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from evidence import facts
from evidence.errors import CallError, Problem, ReviewError
from evidence.facts.scales import Printed, fits_se, judge
from evidence.folder.column_names import effect_name
from evidence.folder.layout import FILE, SCALES
from evidence.importers.draft import Draft, ImportReport
from evidence.importers.table import Table
from evidence.importers.tables.cells import is_gap
from evidence.importers.tables.melt import LongForm
from evidence.importers.tables.rows import report_columns
from evidence.importers.tables.shape.result import undecided
from evidence.importers.tables.variables import say_mixed, variables

_IDENTITY = ("study", "experiment", "outcome", "arm_a", "arm_b", "measure")


class Scale(NamedTuple):
    """What was said of a table of effects: its measure, and on which scale ratios and their errors stand."""

    measure: str
    scale: str | None = None
    se_scale: str | None = None


def refuse_scale(measure: str | None, scale: str | None, se_scale: str | None) -> None:
    """Refuse a scale that is none, or that of a difference."""
    for option, value in (("--scale", scale), ("--se-scale", se_scale)):
        if value is not None and value not in SCALES:
            raise CallError(f"{option} is {value!r}: it is log or natural.")
        if value is not None and measure is not None and not facts.measure(measure).is_ratio:
            raise CallError(f"{option} is for ratios; {measure} is a difference, and has no other scale.")


def fill_contrasts(
    form: LongForm,
    draft: Draft,
    report: ImportReport,
    outcome: str | None,
    aside: Mapping[str, str],
    said: Scale,
    extra: Mapping[str, str],
) -> dict[str, int]:
    """Take rows of contrasts into a draft.

    Parameters
    ----------
    form : LongForm
        The table, with every column's meaning.
    draft, report
        The folder, and what is said of the import.
    outcome : str or None
        Outcome of all rows; None takes each row's own.
    aside : dict of str to str
        Columns whose meaning another one has, and why.
    said : Scale
        What the person said of the effects.
    extra : dict of str to str
        Cells of contrasts.csv that are the same in every row.

    Returns
    -------
    dict of str to int
        Rows taken, by outcome.
    """
    known, table = form.known, form.table
    written = {**extra, **_written(table, known, said, report)}
    # A variance beside O - E is that of O - E; without it, the square of a standard error.
    squared = "variance" in known and "o_minus_e" not in known
    statistics = [
        name
        for name in FILE["contrasts.csv"].by_name
        if name in known and name not in _IDENTITY and not (squared and name == "variance")
    ]
    found = variables(form, ("contrasts.csv",), (), aside)
    base = {} if "arm_b" in known else _base_rows(table, known)
    taken: dict[str, int] = {}
    for line, cells in table.rows:
        draft.place = table.name, line
        study, a = cells[known["study"]], cells[known["arm_a"]]
        b, var_base = base.get(study, ("", "")) if base else (cells[known["arm_b"]], "")
        of = cells[known["outcome"]] if "outcome" in known else outcome or ""
        if outcome not in (None, of):
            continue
        if base and a == b:
            continue
        effect = [known[what] for what in ("estimate", "o_minus_e") if what in known]
        if not (study and a and b and of and any(cells[at] for at in effect)):
            lacks = "a row without a study, two treatments or an estimate"
            report.left_out.append(Problem(lacks, "fill in all four", file=table.name, line=line))
            continue
        experiment = cells[known["experiment"]] if "experiment" in known else ""
        taken[of] = taken.get(of, 0) + 1
        draft.add("studies.csv", {"study": study, "label": study, **found.by_study.get(study, {})})
        for treatment in (a, b):
            draft.add("treatments.csv", {"treatment": treatment, "label": treatment})
            draft.add(
                "arms.csv",
                {"study": study, "experiment": experiment, "arm": treatment, "treatment": treatment},
            )
        row = {name: cells[known[name]] for name in statistics}
        if squared and not row.get("se"):
            row["se"] = _power(cells[known["variance"]], 0.5, table, line)
        if var_base:
            row["var_base"] = var_base
        draft.add(
            "contrasts.csv",
            {
                "study": study,
                "experiment": experiment,
                "outcome": of,
                "arm_a": a,
                "arm_b": b,
                "measure": said.measure,
                **written,
                **row,
                **found.cells(form, "contrasts.csv", study, cells),
                "source": cells[known["source"]] if "source" in known else table.name,
                "locator": cells[known["locator"]] if "locator" in known else f"line {line}",
            },
            key=(),
        )
    homes = {
        **dict.fromkeys((*statistics, "arm_a", "arm_b", "variance"), "contrasts.csv"),
        **{name: "studies.csv" for name in FILE["studies.csv"].by_name if name not in statistics},
        "outcome": "outcomes.csv",
        "experiment": "arms.csv",
    }
    say_mixed(form, found, draft, report)
    report_columns(form, found, report, homes, aside)
    return taken


def _written(table: Table, known: Mapping[str, int], said: Scale, report: ImportReport) -> dict[str, str]:
    """Decide how the table writes effects, judging its columns as a whole; what cannot be decided is asked.

    Returns
    -------
    dict of str to str
        Cells of contrasts.csv that are the same in every row: scale, se_scale and ci_level, as far as needed.
    """
    measure, scale, se_scale = said
    # A column made of another one keeps its name, and its name is what tells.
    names = {what: table.header[at] for what, at in known.items()}
    level = next(
        (
            effect.level
            for what in ("ci_lower", "ci_upper")
            if what in names and (effect := effect_name(names[what])) and effect.level
        ),
        None,
    )
    cells = {"ci_level": f"{level:g}"} if level and level != 0.95 and "ci_level" not in known else {}
    if not facts.measure(measure).is_ratio or "estimate" not in known:
        return cells
    rows = [cells_ for _, cells_ in table.rows if cells_[known["estimate"]]]

    def typed(what: str) -> list[str]:
        return [row[known[what]] if what in known else "" for row in rows]

    label = facts.measure(measure).label
    if scale is None and "scale" not in known:
        named = [effect_name(names[what]) for what in ("estimate", "ci_lower", "ci_upper") if what in names]
        says = {effect.scale for effect in named if effect is not None and effect.scale}
        verdict = judge(
            map(Printed, typed("estimate"), typed("ci_lower"), typed("ci_upper")),
            says.pop() if len(says) == 1 else None,
        )
        scale = verdict.scale
        if scale is None:
            raise _either(
                table,
                names["estimate"],
                f"{label}s as printed or their natural logarithms: {verdict.reason}",
                "--scale natural for ratios as printed"
                + (
                    ""
                    if _has_limits(typed)
                    else ", with --se-scale log or --se-scale natural (whose SE it is)"
                )
                + ", --scale log for logarithms",
            )
        written = f"{label}s as printed" if scale == "natural" else f"natural logarithms (log {measure})"
        other = "log" if scale == "natural" else "natural"
        report.notes.append(
            f"{names['estimate']} was taken to hold {written} ({verdict.reason}); if it does not: --scale"
            f" {other}"
        )
    if scale is not None:
        cells["scale"] = scale
    error = next((what for what in ("se", "variance") if what in names and "o_minus_e" not in names), None)
    if error is None or "se_scale" in known:
        return cells
    effect = effect_name(names[error])
    se_scale = se_scale or (effect.scale if effect else None)
    if se_scale is None and scale == "natural":
        errors = typed(error)
        if error == "variance":
            errors = [_power(text, 0.5, table, 1) for text in errors]
        se_scale = fits_se(zip(typed("estimate"), typed("ci_lower"), typed("ci_upper"), errors), scale)
        if se_scale is None and not _has_limits(typed):
            raise _either(
                table,
                names[error],
                f"the {'standard errors' if error == 'se' else 'variances'} of the {label}s themselves, or of"
                " their logarithms",
                "--se-scale natural for those of the ratios themselves, --se-scale log for those of their"
                " logarithms",
            )
    if se_scale is not None:
        cells["se_scale"] = se_scale
    return cells


def _has_limits(typed: Callable[[str], list[str]]) -> bool:
    """Whether every row has both limits."""
    return all(low and high for low, high in zip(typed("ci_lower"), typed("ci_upper"), strict=True))


def _either(table: Table, column: str, what: str, remedy: str) -> ReviewError:
    return undecided(table, (f"column {column!r} may hold {what}", f"say which: {remedy}"))


def _base_rows(table: Table, known: Mapping[str, int]) -> dict[str, tuple[str, str]]:
    """Return base arm and variance of its mean for each study, from the rows with an empty effect.

    That is how gemtc (``data.re``) and multinma (``set_agd_contrast``) write contrasts of multi-arm studies.
    """
    base: dict[str, tuple[str, str]] = {}
    problems = []
    for line, cells in table.rows:
        if not cells[known["estimate"]]:
            if cells[known["study"]] in base:
                problems.append(
                    Problem("a second row without an effect", "a study has one base arm", table.name, line)
                )
            error = cells[known["se"]] if "se" in known else ""
            base[cells[known["study"]]] = (cells[known["arm_a"]], _power(error, 2.0, table, line))
    problems += [
        Problem("no row with an empty effect names the base arm", "add one", table.name, study=study)
        for study in dict.fromkeys(cells[known["study"]] for _, cells in table.rows)
        if study not in base
    ]
    if problems:
        raise ReviewError(f"{table.name} names one treatment a row, but not each study's base arm.", problems)
    return base


def _power(text: str, exponent: float, table: Table, line: int) -> str:
    """Turn a variance into a standard error (exponent 1/2), or the other way round (2)."""
    if is_gap(text):
        return text
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not value > 0:
        problem = Problem(f"{text!r} is no variance or standard error", "a positive number", table.name, line)
        raise ReviewError(f"{table.name} cannot be imported.", [problem])
    return repr(value**exponent)
