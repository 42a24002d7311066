"""What was refused, left out, audited and read, and how to do it all again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from analysis.charts import tables
from analysis.charts.base.theme import count, missing
from analysis.charts.tables import Column, Table
from analysis.report.blocks import Section, Text
from analysis.report.links import Links, mark
from analysis.report.material import Material
from evidence.results import Run


def refused_section(material: Material) -> Section:
    """List the planned analyses that were refused, with the reasons."""
    return Section(
        "refused",
        "Analyses that were refused",
        [
            Text(
                tuple(f"{name}: {reason}" for name, reason in material.refused.items()),
                items=True,
                kind="warning",
            )
        ]
        if material.refused
        else [],
    )


def exclusions_section(material: Material) -> Section:
    """Tabulate what the planned analyses could not use, and why."""
    planned = {run.measure for run in material.runs}
    rows = [
        row
        for row in material.db.rows("select * from exclusion order by source_file, source_line, measure")
        if row["measure"] is None or row["measure"] in planned
    ]
    section = Section("exclusions", "Exclusions")
    section.blocks.append(Text(tuple(_left_out(rows)), items=False))
    if lines := [line for run in material.runs if (line := _unused(material, run))]:
        section.blocks.append(Text(tuple(lines), items=True))
    elif not rows:
        section.blocks.append(Text(("Every study with data on a planned outcome entered its analysis.",)))
    if not rows:
        return section
    alike = rows_alike(rows, ("study", "outcome", "measure", "reason", "remedy"))
    section.blocks.append(
        Table(
            "exclusions",
            f"{count(len(rows))} rows that the planned analyses could not use",
            (
                Column("study", "Study"),
                Column("arm", "Arms"),
                Column("outcome", "Outcome"),
                Column("measure", "Measure"),
                Column("reason", "Why"),
                Column("remedy", "What would make it usable"),
                Column("place", "Where it stands"),
            ),
            tuple(
                {
                    "study": material.studies.get(some[0]["study"], some[0]["study"]),
                    "arm": _several_names([row["arm"] for row in some]),
                    "outcome": material.outcomes.get(some[0]["outcome"], some[0]["outcome"]),
                    "measure": some[0]["measure"] or "all",
                    "reason": some[0]["reason"],
                    "remedy": some[0]["remedy"],
                    "place": places_of((row["source_file"], row["source_line"]) for row in some),
                }
                for some in alike
            ),
            note="Rows left out for the same reason share a line; the CSV and the workbook list every row.",
            data=tuple(rows),
        )
    )
    return section


def _left_out(rows: Sequence[dict[str, Any]]) -> list[str]:
    """Count the rows that were left out, apart by whether something could be done about them."""
    if not rows:
        return ["No row that was entered had to be left out of the planned analyses."]
    idle = sum(1 for row in rows if needs_nothing(row))
    found = []
    if idle < len(rows):
        found.append(f"{_rows_of(len(rows) - idle)} could be used after a remedy, which the table names.")
    if idle:
        needs = "needs" if idle == 1 else "need"
        found.append(
            f"{_rows_of(idle)} {needs} nothing, for example another time point of a study that is used."
        )
    return [" ".join(found)]


def needs_nothing(row: Mapping[str, Any]) -> bool:
    """Tell whether an excluded row needs no remedy."""
    remedy = str(row["remedy"] or "").strip().lower()
    return not remedy or remedy.startswith(("none", "nothing"))


def _rows_of(n: int) -> str:
    return f"{count(n)} {'row' if n == 1 else 'rows'}"


def _unused(material: Material, run: Run) -> str:
    """Say which studies with data on a run's outcome did not enter it."""
    entered = set(run.frames["contrasts"]["study"])
    found = [study for study in material.with_data(run.outcome) if study not in entered]
    if not found:
        return ""
    names = _several_names([material.studies.get(study, study) for study in found])
    outcome = material.outcomes.get(run.outcome, run.outcome)
    return (
        f"{run.analysis}: {count(len(entered))} of {count(len(entered) + len(found))} studies with data on "
        f"{outcome} entered; not {names}."
    )


def audits_section(material: Material) -> Section:
    """Tabulate what the audits found."""
    section = Section("audits", "Audits")
    if not material.problems:
        section.blocks.append(Text(("Every audit of the evidence passed: none returned a row.",)))
        return section
    errors = sum(1 for problem in material.problems if problem.severity == "error")
    rows = [
        {
            "severity": problem.severity,
            "study": material.studies.get(problem.study or "", problem.study),
            "message": problem.message,
            "remedy": problem.remedy,
            "file": problem.file,
            "line": problem.line,
        }
        for problem in material.problems
    ]
    section.blocks.append(
        Table(
            "audits",
            f"{count(errors)} errors and {count(len(rows) - errors)} warnings",
            (
                Column("severity", "Severity"),
                Column("study", "Study"),
                Column("message", "What"),
                Column("remedy", "What would be right"),
                Column("place", "Where"),
            ),
            tuple(
                some[0]
                | {
                    "study": "; ".join(dict.fromkeys(str(row["study"]) for row in some if row["study"])),
                    "place": places_of((row["file"], row["line"]) for row in some),
                }
                for some in rows_alike(rows, ("severity", "message", "remedy"))
            ),
            data=tuple(rows),
        )
    )
    return section


def rows_alike(rows: Sequence[dict[str, Any]], keys: Sequence[str]) -> list[list[dict[str, Any]]]:
    """Put rows together that agree in `keys`, in the order of their first."""
    found: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for row in rows:
        found.setdefault(tuple(row[key] for key in keys), []).append(row)
    return list(found.values())


def _several_names(names: Sequence[Any]) -> str:
    known = list(dict.fromkeys(str(name) for name in names if not missing(name)))
    if len(known) <= 3:
        return ", ".join(known)
    return f"{', '.join(known[:2])} and {count(len(known) - 2)} more"


def places_of(places: Iterable[tuple[Any, Any]]) -> str:
    """Write files and lines: neighbouring lines as a range."""
    by_file: dict[str, list[int]] = {}
    for file, line in places:
        if file is not None:
            by_file.setdefault(str(file), []).extend([] if line is None else [int(line)])
    written = []
    for file, lines in by_file.items():
        spans: list[list[int]] = []
        for line in sorted(set(lines)):
            if spans and line == spans[-1][1] + 1:
                spans[-1][1] = line
            else:
                spans.append([line, line])
        ranges = ", ".join(str(a) if a == b else f"{a}–{b}" for a, b in spans)
        written.append(f"{file}:{ranges}" if ranges else file)
    return "; ".join(written)


def measurements_section(material: Material, links: Links) -> Section:
    """Tabulate every reading with its source and place."""
    rows = material.readings
    shown = [
        row
        | {
            "label": mark(row["label"], links.study(row["study"])),
            "outcome": material.outcomes.get(row["outcome"], row["outcome"]),
        }
        for row in rows
    ]
    columns: tuple[Column, ...] = (
        Column("label", "Study"),
        Column("arm", "Arm"),
        Column("outcome", "Outcome"),
        Column("time", "Time"),
        Column("reported", "As reported"),
        Column("used", "Used as"),
        Column("source", "Source"),
        Column("locator", "Page, figure or table"),
        Column("place", "File and line"),
    )
    columns, notes = tables.condensed(columns, shown, ("outcome", "time", "source"), "reading")
    files = {row["place"].rpartition(":")[0] for row in shown}
    if len(files) == 1:
        notes.append(f"Lines are those of {files.pop()}.")
        columns = (*columns[:-1], Column("line", "Line", "right"))
        shown = [row | {"line": row["place"].rpartition(":")[2]} for row in shown]
    return Section(
        "measurements",
        "Measurements as reported",
        [
            Table(
                "measurements",
                f"{count(len(rows))} readings",
                tuple(column for column in columns if any(row[column.key] for row in shown)),
                tuple(shown),
                note=" ".join(notes),
                data=tuple(rows),
            )
        ]
        if rows
        else [],
    )


def reproduction_section(material: Material) -> Section:
    """Say how to do it all again: hashes, seeds, versions, files."""
    info = material.info
    name = str(info.get("review", material.review["review"]))
    lines = [
        f"Content of the review folder: SHA-256 {info.get('content_hash', 'unknown')} "
        f"(package {info.get('package_version', '')}, format {info.get('format_version', '')}).",
        f"The same report: evidence report {name} -o DIRECTORY. The database beside this page answers SQL: "
        f'evidence sql {name}.duckdb "select * from contrast". A number and the pages behind it: '
        f"evidence trace {name}.duckdb ADDRESS; the panel of a number gives its address.",
    ]
    runs = Table(
        "runs",
        "Runs",
        (
            Column("analysis", "Analysis"),
            Column("engine", "Engine"),
            Column("run_id", "Run"),
            Column("input_hash", "Inputs"),
            Column("seed", "Seed", "right"),
            Column("specification", "Specification"),
        ),
        tuple(
            {
                "analysis": run.analysis,
                "engine": run.engine,
                "run_id": run.run_id,
                "input_hash": run.input_hash[:16],
                "seed": "" if run.seed is None else str(run.seed),
                "specification": "; ".join(
                    f"{key} {value}" for key, value in run.specification.items() if value is not None
                ),
            }
            for run in material.runs
        ),
        data=tuple(run.row() for run in material.runs),
    )
    files = Table(
        "files",
        "Files of the review folder",
        (Column("file", "File"), Column("n_rows", "Rows", "right"), Column("sha256", "SHA-256")),
        tuple(
            {**row, "n_rows": count(row["n_rows"])}
            for row in material.db.rows("select file, n_rows, sha256 from loaded_file order by file")
        ),
    )
    return Section(
        "reproduce", "How to reproduce", [Text(tuple(lines)), *([runs] if runs.rows else []), files]
    )
