"""What was refused, left out, audited and read, and how to do it all again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from analysis.charts import tables
from analysis.charts.base.theme import count, missing
from analysis.charts.tables import Column, Table
from analysis.language.catalog import marked, tr, trn
from analysis.report import words
from analysis.report.blocks import Section, Text
from analysis.report.links import Links, mark
from analysis.report.material import Material
from analysis.report.sections import agreement
from evidence.facts import reasons
from evidence.results import Run

_SEVERITIES = (marked("error"), marked("warning"))


def refused_section(material: Material) -> Section:
    """List the planned analyses that were refused, with the reasons."""
    return Section(
        "refused",
        tr("Analyses that were refused"),
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
    """Tabulate what the planned analyses could not use, and why; what needs nothing is counted by reason."""
    planned = {run.measure for run in material.runs}
    rows = [
        row
        for row in material.db.rows("select * from exclusion order by source_file, source_line, measure")
        if row["measure"] is None or row["measure"] in planned
    ]
    section = Section("exclusions", tr("Exclusions"))
    section.blocks.append(Text(tuple(_left_out(rows)), items=False))
    if lines := [line for run in material.runs if (line := _unused(material, run))]:
        section.blocks.append(Text(tuple(lines), items=True))
    elif not rows:
        section.blocks.append(Text((tr("Every study with data on a planned outcome entered its analysis."),)))
    wanting = [row for row in rows if not needs_nothing(row)]
    if wanting:
        section.blocks.append(_exclusions(material, wanting, rows))
    if idle := [row for row in rows if needs_nothing(row)]:
        section.blocks.append(_idle(material, idle, () if wanting else rows))
    return section


def _exclusions(material: Material, rows: Sequence[dict[str, Any]], every: Sequence[dict[str, Any]]) -> Table:
    """List the rows that a remedy would make usable; the file beside the page has `every` row."""
    return Table(
        "exclusions",
        trn(
            "{n} row that the planned analyses could not use",
            "{n} rows that the planned analyses could not use",
            len(rows),
            n=count(len(rows)),
        ),
        (
            Column("study", tr("Study")),
            Column("arm", tr("Arms")),
            Column("outcome", tr("Outcome")),
            Column("measure", tr("Measure")),
            Column("reason", tr("Why")),
            Column("remedy", tr("What would make it usable")),
            Column("place", tr("Where it stands")),
        ),
        tuple(
            {
                "study": material.studies.get(some[0]["study"], some[0]["study"]),
                "arm": _several_names([material.arm(row["study"], row["arm"]) for row in some]),
                "outcome": material.outcomes.get(some[0]["outcome"], some[0]["outcome"]),
                "measure": some[0]["measure"] or tr("all"),
                "reason": some[0]["reason"],
                "remedy": some[0]["remedy"],
                "place": places_of((row["source_file"], row["source_line"]) for row in some),
            }
            for some in rows_alike(rows, ("study", "outcome", "measure", "reason", "remedy"))
        ),
        note=tr("Rows left out for the same reason share a line; the CSV and the workbook list every row."),
        data=tuple(every),
    )


def _idle(material: Material, rows: Sequence[dict[str, Any]], every: Sequence[dict[str, Any]]) -> Table:
    """Count the rows that need nothing by outcome and reason."""
    counted = [
        {
            "outcome": material.outcomes.get(some[0]["outcome"], some[0]["outcome"]),
            "measure": some[0]["measure"] or tr("all"),
            "reason": some[0]["kind"],
            "studies": count(len({row["study"] for row in some})),
            "rows": count(len(some)),
        }
        for some in rows_alike(
            [row | {"kind": reasons.kind(row["stage"], row["reason"])} for row in rows],
            ("outcome", "measure", "kind"),
        )
    ]
    return Table(
        "exclusions" if every else "exclusions-needing-nothing",
        trn(
            "{n} row that needs nothing, by reason",
            "{n} rows that need nothing, by reason",
            len(rows),
            n=count(len(rows)),
        ),
        (
            Column("outcome", tr("Outcome")),
            Column("measure", tr("Measure")),
            Column("reason", tr("Why")),
            Column("studies", tr("Studies"), "right"),
            Column("rows", tr("Rows"), "right"),
        ),
        tuple(counted),
        data=tuple(every or counted),
    )


def _left_out(rows: Sequence[dict[str, Any]]) -> list[str]:
    """Count the rows that were left out, apart by whether something could be done about them."""
    if not rows:
        return [tr("No row that was entered had to be left out of the planned analyses.")]
    idle = sum(1 for row in rows if needs_nothing(row))
    found = []
    if n := len(rows) - idle:
        found.append(
            trn(
                "{n} row could be used after a remedy, which the table names.",
                "{n} rows could be used after a remedy, which the table names.",
                n,
                n=count(n),
            )
        )
    if idle:
        found.append(
            trn(
                "{n} row needs nothing, for example another time point of a study that is used.",
                "{n} rows need nothing, for example another time point of a study that is used.",
                idle,
                n=count(idle),
            )
        )
    return [" ".join(found)]


def needs_nothing(row: Mapping[str, Any]) -> bool:
    """Tell whether an excluded row needs no remedy."""
    remedy = str(row["remedy"] or "").strip().lower()
    return not remedy or remedy.startswith(("none", "nothing"))


def _unused(material: Material, run: Run) -> str:
    """Say which studies with data on a run's outcome did not enter it."""
    entered = set(run.frames["contrasts"]["study"])
    found = [study for study in material.with_data(run.outcome) if study not in entered]
    if not found:
        return ""
    return trn(
        "{analysis}: {entered} of {n} study with data on {outcome} entered; not {names}.",
        "{analysis}: {entered} of {n} studies with data on {outcome} entered; not {names}.",
        len(entered) + len(found),
        analysis=words.headline(run, material.effect(run)),
        entered=count(len(entered)),
        n=count(len(entered) + len(found)),
        outcome=material.outcomes.get(run.outcome, run.outcome),
        names=_several_names([material.studies.get(study, study) for study in found]),
    )


def audits_section(material: Material) -> Section:
    """Tabulate what the audits found."""
    section = Section("audits", tr("Audits"))
    if not material.problems:
        section.blocks.append(Text((tr("Every audit of the evidence passed: none returned a row."),)))
        return section
    errors = sum(1 for problem in material.problems if problem.severity == "error")
    rows = [
        {
            "severity": tr(problem.severity),
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
            tr(
                "{errors}, {warnings}",
                errors=trn("{n} error", "{n} errors", errors, n=count(errors)),
                warnings=trn("{n} warning", "{n} warnings", len(rows) - errors, n=count(len(rows) - errors)),
            ),
            (
                Column("severity", tr("Severity")),
                Column("study", tr("Study")),
                Column("message", tr("What")),
                Column("remedy", tr("What would be right")),
                Column("place", tr("Where")),
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
    return tr("{names} and {n} more", names=", ".join(known[:2]), n=count(len(known) - 2))


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
    """Tabulate every reading with its source and place, and say how far two extractors agreed."""
    rows = material.readings
    section = Section("measurements", tr("Measurements as reported"))
    if not rows:
        return section
    shown = [
        row
        | {
            "label": mark(row["label"], links.study(row["study"])),
            "outcome": material.outcomes.get(row["outcome"], row["outcome"]),
        }
        for row in rows
    ]
    columns: tuple[Column, ...] = (
        Column("label", tr("Study")),
        Column("arm", tr("Arm")),
        Column("outcome", tr("Outcome")),
        Column("time", tr("Time")),
        Column("reported", tr("As reported")),
        Column("used", tr("Used as")),
        Column("source", tr("Source")),
        Column("locator", tr("Page, figure or table")),
        Column("place", tr("File and line")),
    )
    columns, notes = tables.condensed(columns, shown, ("outcome", "time", "source"), tr("reading"))
    files = {row["place"].rpartition(":")[0] for row in shown}
    if len(files) == 1:
        notes.append(tr("Lines are those of {file}.", file=files.pop()))
        columns = (*columns[:-1], Column("line", tr("Line"), "right"))
        shown = [row | {"line": row["place"].rpartition(":")[2]} for row in shown]
    section.blocks += agreement.extraction(material)
    section.blocks.append(
        Table(
            "measurements",
            trn("{n} reading", "{n} readings", len(rows), n=count(len(rows))),
            columns,
            tuple(shown),
            note=" ".join(notes),
            data=tuple(rows),
        )
    )
    return section


def reproduction_section(material: Material) -> Section:
    """Say how to do it all again: hashes, seeds, versions, files."""
    info = material.info
    name = str(info.get("review", material.review["review"]))
    commands = {
        "report": f"evidence report {name} -o DIRECTORY",
        "sql": f'evidence sql {name}.duckdb "select * from contrast"',
        "trace": f"evidence trace {name}.duckdb ADDRESS",
    }
    lines = [
        tr(
            "Content of the review folder: SHA-256 {hash} (package {package}, format {format}).",
            hash=info.get("content_hash", "?"),
            package=info.get("package_version", ""),
            format=info.get("format_version", ""),
        ),
        tr(
            "The same report: {report}. The database beside this page answers SQL: {sql}. A number and "
            "the pages "
            "behind it: {trace}; the panel of a number gives its address.",
            **commands,
        ),
    ]
    runs = Table(
        "runs",
        tr("Runs"),
        (
            Column("analysis", tr("Analysis")),
            Column("engine", tr("Engine")),
            Column("run_id", tr("Run")),
            Column("input_hash", tr("Inputs")),
            Column("seed", tr("Seed"), "right"),
            Column("specification", tr("Specification")),
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
        tr("Files of the review folder"),
        (Column("file", tr("File")), Column("n_rows", tr("Rows"), "right"), Column("sha256", "SHA-256")),
        tuple(
            {**row, "n_rows": count(row["n_rows"])}
            for row in material.db.rows("select file, n_rows, sha256 from loaded_file order by file")
        ),
    )
    return Section(
        "reproduce", tr("How to reproduce"), [Text(tuple(lines)), *([runs] if runs.rows else []), files]
    )
