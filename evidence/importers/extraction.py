"""A second extractor's readings join the first's.

Both readings are kept: the view ``extraction_pair`` sets them side by side, ``extraction_agreement`` measures
how far they agree, and the reading of extractor ``consensus`` (a row of its own) counts in the analyses.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Unpack

from evidence.errors import CallError, Problem, ReviewError
from evidence.folder.layout import FILE
from evidence.importers.draft import ColumnMapping, Draft, ImportReport, Row
from evidence.importers.table import Reading, read_table
from evidence.importers.tables.call import Call
from evidence.importers.tables.melt import LongForm
from evidence.importers.tables.rows import ArmNames, report_sources

_MEASUREMENTS = FILE["measurements.csv"]
_CELL = ("study", "experiment", "arm", "outcome", "timepoint", "timepoint_unit")
CONSENSUS = "consensus"


def import_extraction(
    file: str | Path,
    into: str | Path,
    *,
    extractor: str,
    outcome: str | None = None,
    mapping: Mapping[str, str] | None = None,
    rows: str | None = None,
    treatment: str | None = None,
    control: str | None = None,
    fill_down: bool = False,
    missing: Iterable[str] = (),
    number_studies: bool = False,
    dry_run: bool = False,
    **reading: Unpack[Reading],
) -> ImportReport:
    """Add one extractor's measurements to a review folder that others have extracted into.

    Parameters
    ----------
    file : path
        Table as the first extractor's: with one row for each arm or a set of columns for each group, or with
        the columns of ``measurements.csv``. Its arms, or treatments, and outcomes must exist in the folder.
    into : path
        Review folder.
    extractor : str
        Who read the numbers; ``consensus`` for what extractors agreed on.
    outcome : str, optional
        Outcome of a table without a column of it; the folder's, where it has one alone.
    mapping, rows, treatment, control, fill_down, missing, number_studies
        See `evidence.importers.arms.import_arms`.
    dry_run : bool
        Check and report, write nothing.
    **reading
        How the table is opened (`evidence.importers.table.Reading`): sheet, header, encoding.

    Returns
    -------
    ImportReport
        Its notes say how many cells were read before, and where the readings differ.

    Raises
    ------
    CallError
        If the folder has no measurements yet, or the outcome is not said.
    ReviewError
        If the table is not understood, the extractor has read a cell before and now reads another number, or
        the folder would have errors.
    """
    table = read_table(file, doubled="keep", **reading)
    call = Call(None, treatment, control, fill_down, rows, tuple(missing), number_studies, by_arm=True)
    understood = call.read(table, dict(mapping or {}))
    if understood.is_relative:
        raise CallError(f"{table.name} has one row per contrast: what is read twice is the numbers of arms.")
    draft = Draft(into)
    if not draft.rows("measurements.csv"):
        raise CallError(f"{Path(into).name} has no measurements.csv yet: import arms first.")
    earlier: dict[tuple[str, ...], list[Row]] = {}
    for row in draft.rows("measurements.csv"):
        earlier.setdefault(_cell(row), []).append(row)
    report = ImportReport(table.name, notes=understood.notes, left_out=understood.left_out)
    problems: list[Problem] = []
    read_before = differing = 0
    form = understood.form
    for line, row in _rows(form, draft, _outcome_of(form, draft, outcome), report):
        draft.place = table.name, line
        row |= {"extractor": extractor}
        others = earlier.get(_cell(row), [])
        mine = [other for other in others if _reader(other) == extractor]
        theirs = [other for other in others if _reader(other) not in (extractor, CONSENSUS)]
        if mine:
            if differences := _differences(row, mine[0]):
                problems.append(
                    Problem(
                        f"{extractor} has read this cell before, and read {_said(differences)}",
                        "keep one of the two; what extractors agreed on has the extractor consensus",
                        table.name,
                        line,
                        study=row.get("study"),
                        arm=row.get("arm"),
                    )
                )
            continue
        if theirs:
            read_before += 1
            found = [(_reader(other), d) for other in theirs if (d := _differences(row, other))]
            differing += bool(found)
            report.notes += [
                f"line {line}: {extractor} and {reader} differ in study {row.get('study')!r}, arm"
                f" {row.get('arm')!r}, outcome {row.get('outcome')!r}: {_said(differences)}"
                for reader, differences in found
            ]
        row.setdefault("locator", f"{table.name} line {line}")
        draft.add("measurements.csv", row, key=())
    if problems:
        raise ReviewError(f"{table.name} cannot be imported.", problems)
    report.notes.append(f"{read_before} cells were read by others before; {differing} of them differ")
    kept = {at: name for name, at in form.known.items() if name in _MEASUREMENTS.by_name}
    report.mappings += [
        ColumnMapping(name, f"measurements.csv: {kept[at]}") if at in kept
        else ColumnMapping(name, "", understood.aside.get(name, "no column of measurements.csv"))
        for at, name in enumerate(form.table.header)
    ]  # fmt: skip
    report_sources(report, form)
    with understood.unread.offered():
        return draft.finish(report, dry_run=dry_run)


def _outcome_of(form: LongForm, draft: Draft, outcome: str | None) -> str | None:
    """Outcome of a table without a column of it: as said, or the only one of the folder."""
    if outcome is not None or "outcome" in form.known:
        return outcome
    known = [row["outcome"] for row in draft.rows("outcomes.csv")]
    if len(known) != 1:
        raise CallError(
            f"{form.table.name} has no column of the outcome: say which it is about, --outcome NAME"
            f" ({', '.join(known)})."
        )
    return known[0]


def _rows(
    form: LongForm, draft: Draft, outcome: str | None, report: ImportReport
) -> Iterator[tuple[int, Row]]:
    """Give the rows of a table as those of ``measurements.csv``, with the folder's names of arms."""
    known = form.known
    names = [name for name in _MEASUREMENTS.by_name if name in known and name != "extractor"]
    arms = {(r["study"], r.get("experiment") or "main", r["arm"]) for r in draft.rows("arms.csv")}
    of_treatment: dict[tuple[str, str, str], list[str]] = {}
    for r in draft.rows("arms.csv"):
        of_treatment.setdefault((r["study"], r.get("experiment") or "main", r["treatment"]), []).append(
            r["arm"]
        )
    named = ArmNames(form, outcome)
    for line, cells in form.table.rows:
        row = {name: cells[known[name]] for name in names if cells[known[name]]}
        if outcome is not None and row.setdefault("outcome", outcome) != outcome:
            continue
        study, experiment = row.get("study", ""), row.get("experiment", "")
        treatment = cells[known["treatment"]] if "treatment" in known else ""
        arm = named(line, cells, study, experiment, treatment)
        if not study or not arm:
            lacks = f"a row without a study or an arm: {' | '.join(filter(None, cells))}"
            report.left_out.append(Problem(lacks, "fill it in", form.table.name, line))
            continue
        alike = of_treatment.get((study, experiment or "main", treatment), [])
        if (study, experiment or "main", arm) not in arms and len(alike) == 1:
            arm = alike[0]
        yield line, row | {"arm": arm}


def _cell(row: Mapping[str, str]) -> tuple[str, ...]:
    """Return what was measured: readings of the same cell agree in it, numbers compared as numbers."""
    key = [row.get(name, "") for name in _CELL]
    key[1] = key[1] or "main"
    key[4] = _number(key[4])
    return tuple(key)


def _reader(row: Mapping[str, str]) -> str:
    return row.get("extractor") or "extractor"


def _number(text: str) -> str:
    try:
        return repr(float(text))
    except ValueError:
        return text


def _differences(row: Mapping[str, str], other: Mapping[str, str]) -> list[tuple[str, str, str]]:
    """Statistics and units that both give, and give differently."""
    names = [c.name for c in _MEASUREMENTS.columns if c.type == "number" and c.name not in _CELL] + ["unit"]
    return [
        (name, row[name], other[name])
        for name in names
        if row.get(name) and other.get(name) and _number(row[name]) != _number(other[name])
    ]


def _said(differences: list[tuple[str, str, str]]) -> str:
    return ", ".join(f"{name} {mine} against {theirs}" for name, mine, theirs in differences)
