"""Tables of RevMan: the CSV export of RevMan 5's analyses, and RevMan Web's study data and its templates."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

from evidence.errors import Problem, ReviewError
from evidence.facts.reference import keyed
from evidence.folder.column_names import plain
from evidence.importers.draft import ColumnMapping, Draft, ImportReport
from evidence.importers.revman.model import (
    Analysis,
    Content,
    StudyRow,
    measure_named,
    method_of,
    number,
)
from evidence.importers.revman.package import dictionaries
from evidence.importers.table import Table

_KINDS = {
    "dic": "dichotomous",
    "dich": "dichotomous",
    "con": "continuous",
    "cont": "continuous",
    "iv": "contrast",
    "giv": "contrast",
    "ipd": "o-e",
    "oth": "other",
}
SIDES = {
    "Events 1": ("a", "events"), "Mean 1": ("a", "mean"), "SD 1": ("a", "sd"), "Total 1": ("a", "n"),
    "Events 2": ("b", "events"), "Mean 2": ("b", "mean"), "SD 2": ("b", "sd"), "Total 2": ("b", "n"),
}  # fmt: skip
_MEASURED = {
    "Sample size": "n", "Cases": "events", "Mean": "mean", "SD": "sd", "SE": "se", "CI start": "ci_lower",
    "CI end": "ci_upper",
}  # fmt: skip


def is_export(table: Table) -> bool:
    """Tell RevMan 5's CSV export of analyses."""
    return {"Comparison Number", "Outcome Number", "Subgroup Number"} <= set(table.header)


def is_study_data(table: Table) -> bool:
    """Tell RevMan Web's study data: results by study and arm."""
    return {"Study", "Arm"} <= set(table.header) and bool({"Sample size", "Cases"} & set(table.header))


def read_export(table: Table) -> Content:
    """Read the CSV export of RevMan 5: a comparison, its outcomes, their subgroups and studies below it."""
    comparisons: dict[str, str] = {}
    outcomes: list[tuple[dict[str, str], list[StudyRow]]] = []
    subgroup = ""
    for place, row in dictionaries(table):
        if row["Outcome Number"] in ("", "0"):
            comparisons[row["Comparison Number"]] = row["Name"]
        elif row.get("Data Type"):
            outcomes.append((row, []))
            subgroup = ""
        elif outcomes and row.get("df"):
            # Only totals have degrees of freedom: the line above a subgroup's studies.
            subgroup = row["Name"]
        elif outcomes:
            cells = _cells(row, outcomes[-1][0])
            year = row.get("Year of study", "")
            outcomes[-1][1].append(StudyRow(row["Name"], year, subgroup, cells, place))
    analyses = []
    for row, rows in outcomes:
        measure = row.get("Effect Measure", "")
        pooled = number(row.get("Effect Estimate"))
        analyses.append(
            Analysis(
                number=f"{row['Comparison Number']}.{row['Outcome Number']}",
                name=row["Name"],
                group=comparisons.get(row["Comparison Number"], ""),
                kind=_KINDS.get(plain(row["Data Type"]), "other"),
                measure=measure_named(measure),
                method=method_of(row.get("Statistical Method", ""), measure),
                model="random" if row.get("Analysis Model", "").lower().startswith("random") else "common",
                tau2="DL",
                ci="Wald",
                experimental=row.get("Group Label 1", ""),
                control=row.get("Group Label 2", ""),
                swapped=False,
                estimate=pooled,
                ci_lower=number(row.get("CI Start")) if pooled is not None else None,
                ci_upper=number(row.get("CI End")) if pooled is not None else None,
                rows=tuple(rows),
            )
        )
    return Content(analyses, source=f"{table.name} (RevMan 5)", notes=list(table.notes))


def _cells(row: dict[str, str], outcome: dict[str, str]) -> dict[tuple[str, str], str]:
    """Numbers of one study; of generic inverse variance the estimate, which is printed as a ratio."""
    if _KINDS.get(plain(outcome["Data Type"])) != "contrast":
        return {key: row[name] for name, key in SIDES.items() if row.get(name)}
    measure = measure_named(outcome.get("Effect Measure", ""))
    estimate = number(row.get("Effect Estimate"))
    known = keyed("effect_measure").get(measure)
    if estimate and estimate > 0 and known is not None and known["scale"] == "log":
        estimate = math.log(estimate)
    cells = {("contrast", "se"): row.get("SE", "")}
    return cells | ({("contrast", "estimate"): repr(estimate)} if estimate is not None else {})


def add_study_data(
    table: Table, draft: Draft, report: ImportReport, *, arms: Table | None, outcome: str | None
) -> None:
    """Add results by study and arm.

    Parameters
    ----------
    table : Table
        Study, Arm, Sample size, Cases, Mean, SD ..., with an Outcome or all of one.
    draft, report : Draft, ImportReport
    arms : Table or None
        What each arm was given: Study, Arm, Intervention.
    outcome : str or None
        Where the table names none; else the name of the file.
    """
    given = {}
    for _, row in dictionaries(arms) if arms is not None else ():
        given[row.get("Study", ""), row.get("Arm", "")] = row.get("Intervention", "")
    problems: list[Problem] = []
    for line, place, row in _results(table, report):
        name = row.get("Outcome") or outcome or Path(table.name).stem
        numbers = {column: row[c] for c, column in _MEASURED.items() if row.get(c)}
        if not row.get("Study") or not row.get("Arm") or not numbers:
            report.left_out.append(Problem("no study, no arm or no number", "fill it in", table.name, line))
            continue
        if row.get("Reference arm"):
            what = "an effect against a reference arm"
            remedy = "give it in a table of contrasts, with evidence import arms"
            report.left_out.append(Problem(what, remedy, table.name, line, study=row["Study"]))
            continue
        wrong = [c for c in _MEASURED if row.get(c) and number(row[c]) is None]
        problems += [
            Problem(f"{row[c]!r} is no number", "write a number", table.name, line, c) for c in wrong
        ]
        draft.place = table.name, line
        treatment = given.get((row["Study"], row["Arm"])) or row["Arm"]
        draft.add("studies.csv", {"study": row["Study"], "label": row["Study"]})
        draft.add("treatments.csv", {"treatment": treatment, "label": treatment})
        kind = "binary" if "events" in numbers else "continuous"
        draft.add("outcomes.csv", {"outcome": name, "label": name, "kind": kind})
        arm = {"study": row["Study"], "arm": row["Arm"]}
        draft.add("arms.csv", {**arm, "treatment": treatment, "n": numbers.get("n")})
        measured = {**arm, "outcome": name, **numbers, "source": table.name, "locator": place}
        draft.add("measurements.csv", {**measured, "note": row.get("Footnotes")}, key=())
    if problems:
        raise ReviewError(f"{table.name} cannot be imported.", problems)
    for column in table.header:
        became = f"measurements.csv: {_MEASURED[column]}" if column in _MEASURED else _OTHER.get(column, "")
        report.mappings.append(ColumnMapping(column, became, "" if became else "not read"))


_OTHER = {
    "Study": "studies.csv: study",
    "Arm": "arms.csv: arm",
    "Outcome": "outcomes.csv: outcome",
    "Footnotes": "measurements.csv: note",
}


def _results(table: Table, report: ImportReport) -> Iterator[tuple[int, str, dict[str, str]]]:
    """Give the rows but for a template's line of help, which holds words where numbers belong."""
    for (line, _), (place, row) in zip(table.rows, dictionaries(table), strict=True):
        cells = [row[column] for column in _MEASURED if row.get(column)]
        if line == table.rows[0][0] and cells and all(number(cell) is None for cell in cells):
            report.notes.append(f"the line of help below the heading was passed over: {cells[0][:40]!r} ...")
            continue
        yield line, place, row
