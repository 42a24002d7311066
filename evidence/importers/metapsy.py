"""Databases in the Metapsy data standard (one row per comparison of two arms) become a review folder.

Each instrument is an outcome, each week of measurement a time point. An arm that stands in several
comparisons is one arm: its numbers are taken once, and must be the same each time.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from evidence.errors import Problem, ReviewError
from evidence.folder.column_names import Spellings
from evidence.importers.draft import ColumnMapping, Draft, ImportReport
from evidence.importers.table import Table, read_table

_NEEDED = ("study", "condition_arm1", "condition_arm2", "outcome_type", "instrument")
_CONTINUOUS = ("mean", "sd", "n")
_BINARY = ("event", "totaln")
_COUNTED = frozenset(("response", "remission", "reliable improvement", "deterioration", "dropout", "event"))
_WEEKS = ("time_weeks",)


def import_metapsy(
    file: str | Path,
    into: str | Path,
    *,
    controls: Iterable[str] = (),
    sheet: str | None = None,
    dry_run: bool = False,
) -> ImportReport:
    """Make or extend a review folder from a database in the Metapsy data standard.

    Parameters
    ----------
    file : path
        CSV, XLSX or another table, with ``study, condition_arm1, condition_arm2, outcome_type, instrument``,
        and ``mean_arm1, sd_arm1, n_arm1, event_arm1, totaln_arm1`` with their twins.
    into : path
        Review folder to make or extend.
    controls : iterable of str
        Conditions that are controls, such as ``wl`` and ``cau``.
    sheet : str, optional
        Sheet of a workbook.
    dry_run : bool
        Check and report, write nothing.

    Returns
    -------
    ImportReport

    Raises
    ------
    ReviewError
        If needed columns are missing, or the folder would have errors.
    """
    table = read_table(file, sheet=sheet)
    at = {name.lower(): position for position, name in enumerate(table.header)}
    if missing := [name for name in _NEEDED if name not in at]:
        raise ReviewError(
            f"{table.name} is not in the Metapsy data standard.",
            [
                Problem(f"there is no column {name!r}", "see docs.metapsy.org", table.name, 1)
                for name in missing
            ],
        )
    report = ImportReport(table.name, notes=list(table.notes))
    draft = Draft(into, title=Path(file).stem)
    spelling, instruments = Spellings(), Spellings()
    roles = {spelling(name): "control" for name in controls}
    seen: dict[tuple[str, ...], tuple[int, tuple[str, ...]]] = {}
    for line, cells in table.rows:
        draft.place = table.name, line

        def cell(name: str, cells: tuple[str, ...] = cells) -> str:
            return cells[at[name]] if name in at else ""

        counted = cell("outcome_type").lower() in _COUNTED
        names = _BINARY if counted else _CONTINUOUS
        if not all(cell(f"{names[0]}_arm{k}") for k in "12"):
            report.left_out.append(
                Problem(
                    f"no {names[0]} in both arms",
                    "contrasts alone (.g, .log_rr) are read by evidence import arms --measure",
                    table.name,
                    line,
                    study=cell("study"),
                )
            )
            continue
        study = cell("study")
        instrument = instruments(cell("instrument") or cell("outcome_type"))
        outcome = f"{instrument}, {cell('outcome_type')}" if counted else instrument
        if rating := cell("rating"):
            outcome = f"{outcome} ({rating})"
        draft.add("studies.csv", {"study": study, "label": study, "year": cell("year")}, key=["study"])
        draft.add(
            "outcomes.csv",
            {"outcome": outcome, "label": outcome, "kind": "binary" if counted else "continuous"},
            key=["outcome"],
        )
        for k in "12":
            treatment = spelling(cell(f"condition_arm{k}"))
            arm = " ".join(part for part in (treatment, cell(f"multi_arm{k}")) if part)
            weeks = cell(_WEEKS[0])
            numbers = tuple(cell(f"{name}_arm{k}") for name in names)
            key = (study, arm, outcome, weeks, cell("time"))
            if key in seen:
                if seen[key][1] != numbers:
                    report.left_out.append(
                        Problem(
                            f"arm {arm!r} has other numbers than in line {seen[key][0]}",
                            "tell the two apart in multi_arm1, instrument, rating or time_weeks",
                            table.name,
                            line,
                            study=study,
                        )
                    )
                continue
            seen[key] = (line, numbers)
            draft.add(
                "treatments.csv",
                {"treatment": treatment, "label": treatment, "role": roles.get(treatment)},
                key=["treatment"],
            )
            draft.add(
                "arms.csv",
                {"study": study, "arm": arm, "treatment": treatment},
                key=["study", "experiment", "arm"],
            )
            statistics = (
                {"events": numbers[0], "n": numbers[1]} if counted else dict(zip(_CONTINUOUS, numbers))
            )
            draft.add(
                "measurements.csv",
                {
                    "study": study,
                    "arm": arm,
                    "outcome": outcome,
                    "timepoint": weeks,
                    "timepoint_unit": "wk" if weeks else "",
                    **statistics,
                    "source": table.name,
                    "locator": f"line {line}",
                    "note": cell("time"),
                },
            )
    _report(table, report)
    return draft.finish(report, dry_run=dry_run)


def _report(table: Table, report: ImportReport) -> None:
    homes = {
        "study": "studies.csv: study",
        "year": "studies.csv: year",
        "instrument": "outcomes.csv: outcome",
        "outcome_type": "outcomes.csv: outcome, kind",
        "rating": "outcomes.csv: outcome",
        "time_weeks": "measurements.csv: timepoint",
        "time": "measurements.csv: note",
        **{f"condition_arm{k}": "arms.csv: treatment" for k in "12"},
        **{f"multi_arm{k}": "arms.csv: arm" for k in "12"},
        **{f"{name}_arm{k}": f"measurements.csv: {name}" for name in _CONTINUOUS for k in "12"},
        **{f"event_arm{k}": "measurements.csv: events" for k in "12"},
        **{f"totaln_arm{k}": "measurements.csv: n" for k in "12"},
    }
    for name in table.header:
        became = homes.get(name.lower(), "")
        why = (
            "it follows from the arms"
            if name.startswith(".")
            else "no column of a review folder by that name"
        )
        report.mappings.append(ColumnMapping(name, became, "" if became else why))
