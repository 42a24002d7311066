"""Databases in the Metapsy data standard (one row per comparison of two arms) become a review folder.

Each instrument is an outcome, each week of measurement a time point. An arm that stands in several
comparisons is one arm: its numbers are taken once, and must be the same each time.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
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
    comparisons = _Comparisons(table, draft, report, controls)
    for line, cells in table.rows:
        draft.place = table.name, line
        comparisons.take(line, {name: cells[position] for name, position in at.items()})
    _report(table, report)
    return draft.finish(report, dry_run=dry_run)


class _Comparisons:
    """Comparisons on their way into a review folder, and the numbers that each arm was met with first."""

    def __init__(self, table: Table, draft: Draft, report: ImportReport, controls: Iterable[str]) -> None:
        self.source, self.draft, self.report = table.name, draft, report
        self.spelling, self.instruments = Spellings(), Spellings()
        self.roles = {self.spelling(name): "control" for name in controls}
        self.seen: dict[tuple[str, ...], tuple[int, tuple[str, ...]]] = {}

    def take(self, line: int, cells: Mapping[str, str]) -> None:
        """Add a comparison to the draft, or say in the report why it is left out."""
        counted = cells["outcome_type"].lower() in _COUNTED
        names = _BINARY if counted else _CONTINUOUS
        if not all(cells.get(f"{names[0]}_arm{k}") for k in "12"):
            self._leave_out(
                f"no {names[0]} in both arms",
                "contrasts alone (.g, .log_rr) are read by evidence import arms --measure",
                line,
                cells,
            )
            return
        study = cells["study"]
        instrument = self.instruments(cells["instrument"] or cells["outcome_type"])
        outcome = f"{instrument}, {cells['outcome_type']}" if counted else instrument
        if rating := cells.get("rating"):
            outcome = f"{outcome} ({rating})"
        self.draft.add("studies.csv", {"study": study, "label": study, "year": cells.get("year")})
        self.draft.add(
            "outcomes.csv",
            {"outcome": outcome, "label": outcome, "kind": "binary" if counted else "continuous"},
        )
        for k in "12":
            numbers = tuple(cells.get(f"{name}_arm{k}", "") for name in names)
            statistics = dict(zip(("events", "n") if counted else _CONTINUOUS, numbers))
            self._take_arm(line, cells, k, outcome, statistics)

    def _take_arm(
        self, line: int, cells: Mapping[str, str], k: str, outcome: str, statistics: Mapping[str, str]
    ) -> None:
        study, treatment = cells["study"], self.spelling(cells[f"condition_arm{k}"])
        arm = " ".join(part for part in (treatment, cells.get(f"multi_arm{k}")) if part)
        weeks, time = cells.get(_WEEKS[0], ""), cells.get("time", "")
        numbers = tuple(statistics.values())
        key = (study, arm, outcome, weeks, time)
        if key in self.seen:
            first, known = self.seen[key]
            if known != numbers:
                self._leave_out(
                    f"arm {arm!r} has other numbers than in line {first}",
                    "tell the two apart in multi_arm1, instrument, rating or time_weeks",
                    line,
                    cells,
                )
            return
        self.seen[key] = (line, numbers)
        role = self.roles.get(treatment)
        self.draft.add("treatments.csv", {"treatment": treatment, "label": treatment, "role": role})
        self.draft.add("arms.csv", {"study": study, "arm": arm, "treatment": treatment})
        self.draft.add(
            "measurements.csv",
            {
                "study": study,
                "arm": arm,
                "outcome": outcome,
                "timepoint": weeks,
                "timepoint_unit": "wk" if weeks else "",
                **statistics,
                "source": self.source,
                "locator": f"line {line}",
                "note": time,
            },
            key=(),
        )

    def _leave_out(self, what: str, remedy: str, line: int, cells: Mapping[str, str]) -> None:
        self.report.left_out.append(Problem(what, remedy, self.source, line, study=cells["study"]))


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
