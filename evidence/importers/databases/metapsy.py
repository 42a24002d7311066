"""Databases in the Metapsy data standard (one row per comparison of two arms) become a review folder.

Each instrument is an outcome, each week of measurement a time point. An arm that stands in several
comparisons is one arm: its numbers are taken once, and must be the same each time. Effects that were
calculated beforehand are contrasts; what else a database says goes with the study, the arm or the result.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Unpack

from evidence.errors import Problem, ReviewError
from evidence.facts.appraisal import tools
from evidence.folder.column_names import Spellings
from evidence.importers.appraisal.answers import Answers
from evidence.importers.databases.moderators import is_words, level_of, named_in
from evidence.importers.draft import ColumnMapping, Draft, ImportReport
from evidence.importers.table import Reading, Table, read_table

_NEEDED = ("study", "condition_arm1", "condition_arm2", "outcome_type", "instrument")
_GROUPS = {
    "": (("mean", "mean"), ("sd", "sd"), ("n", "n")),
    "change": (("mean", "mean_change"), ("sd", "sd_change"), ("n", "n_change")),
    "counts": (("events", "event"), ("n", "totaln")),
}
"""Statistics of each kind of data, with the columns that they stand in before ``_arm1`` and ``_arm2``."""
_EFFECTS = (("precalc_g", "SMD", ""), ("precalc_log_rr", "RR", "log"))
_REPORT = ("doi", "title", "authors", "journal", "url")
_OF_ROW = (
    "study",
    "outcome_type",
    "instrument",
    "rating",
    "time",
    "time_weeks",
    "year",
    "full_ref",
    *_REPORT,
)
_MOST_DOMAINS = 5
_TOOL = "RoB 2"


def import_metapsy(
    file: str | Path,
    into: str | Path,
    *,
    controls: Iterable[str] = (),
    dry_run: bool = False,
    **reading: Unpack[Reading],
) -> ImportReport:
    """Make or extend a review folder from a database in the Metapsy data standard.

    Parameters
    ----------
    file : path
        CSV, XLSX or another table, with ``study, condition_arm1, condition_arm2, outcome_type, instrument``,
        and ``mean_arm1, sd_arm1, n_arm1``, ``mean_change_arm1 ...``, ``event_arm1, totaln_arm1`` with their
        twins, or ``precalc_g, precalc_g_se``, ``precalc_log_rr, precalc_log_rr_se``.
    into : path
        Review folder to make or extend.
    controls : iterable of str
        Conditions that are controls, such as ``wl`` and ``cau``.
    dry_run : bool
        Check and report, write nothing.
    **reading
        How the table is opened (`evidence.importers.table.Reading`): sheet, header, encoding.

    Returns
    -------
    ImportReport

    Raises
    ------
    ReviewError
        If needed columns are missing, no row can be taken, or the folder would have errors.
    """
    table = read_table(file, **reading)
    names = [name.lower() for name in table.header]
    missing = [name for name in _NEEDED if name not in names]
    table.refuse_without(missing, "is not in the Metapsy data standard", "see docs.metapsy.org")
    rows = [(line, dict(zip(names, cells))) for line, cells in table.rows]
    report = ImportReport(table.name, notes=list(table.notes))
    draft = Draft(into, title=Path(file).stem)
    columns = _Columns(table, [cells for _, cells in rows])
    comparisons = _Comparisons(table, draft, report, controls, columns)
    for line, cells in rows:
        draft.place = table.name, line
        comparisons.take(line, cells)
    draft.place = None
    if not comparisons.taken:
        raise ReviewError(f"{table.name} has no row that can be taken.", report.left_out)
    _add_risk_of_bias(columns, rows, draft, report)
    draft.categories |= columns.words([cells for _, cells in rows])
    if columns.split:
        report.notes.append(
            "differ within a study, and stand with each result: " + ", ".join(sorted(columns.split))
        )
    report.mappings += [columns.mapping(name) for name in table.header]
    return draft.finish(report, dry_run=dry_run)


class _Columns:
    """What each column beyond the standard's statistics is about.

    Attributes
    ----------
    of_study, of_arm, of_result : dict of str to str
        Column of the source to that of studies.csv, arms.csv (without ``_arm1``), measurements.csv.
    domains : list of str
        Columns with judgements of RoB 2: d1 to d5 and rob.
    """

    def __init__(self, table: Table, rows: Sequence[Mapping[str, str]]) -> None:
        names = [name.lower() for name in table.header]
        self.original = dict(zip(names, table.header))
        data = {f"{column}_arm{k}" for group in _GROUPS.values() for _, column in group for k in "12"}
        data |= {f"{name}_arm{k}" for name in ("condition", "multi") for k in "12"}
        data |= {name for effect, _, _ in _EFFECTS for name in (effect, f"{effect}_se")}
        self.data = data
        self.domains = _domains(names, rows)
        further = [
            n
            for n in names
            if n and n not in data and n not in _OF_ROW and n not in self.domains and n[0] != "."
        ]
        self.of_study: dict[str, str] = {}
        self.of_arm: dict[str, str] = {}
        self.of_result: dict[str, str] = {}
        self.split: set[str] = set()
        for name in further:
            stem = name.removesuffix("_arm1").removesuffix("_arm2")
            if stem != name and {f"{stem}_arm1", f"{stem}_arm2"} <= set(further):
                # Numbers of an arm before treatment belong to one outcome of it.
                self.of_arm[name] = named_in("measurements.csv", stem)
            elif level_of(rows, name, _study_of, blank_is_a_value=True) == "studies.csv":
                self.of_study[name] = named_in("studies.csv", self.original[name])
            else:
                self.of_result[name] = named_in("measurements.csv", self.original[name])
                self.split.add(self.original[name])

    def words(self, rows: Sequence[Mapping[str, str]]) -> set[str]:
        """Names of columns whose cells are words although some look like numbers."""
        every = (*self.of_study.items(), *self.of_arm.items(), *self.of_result.items())
        return {to for name, to in every if is_words(cells[name] for cells in rows)}

    def mapping(self, column: str) -> ColumnMapping:
        """Say what became of a column."""
        name = column.lower()
        homes = {
            "study": "studies.csv: study",
            "year": "studies.csv: year",
            "instrument": "outcomes.csv: outcome",
            "outcome_type": "outcomes.csv: outcome, kind",
            "rating": "outcomes.csv: outcome",
            "time_weeks": "measurements.csv: timepoint",
            "time": "measurements.csv: note",
            "full_ref": "reports.csv: title",
            **{part: f"reports.csv: {part}" for part in _REPORT},
            **{f"condition_arm{k}": "arms.csv: treatment" for k in "12"},
            **{f"multi_arm{k}": "arms.csv: arm" for k in "12"},
            **{
                f"{given}_arm{k}": f"measurements.csv: {statistic}"
                for group in _GROUPS.values()
                for statistic, given in group
                for k in "12"
            },
            **{effect: "contrasts.csv: estimate" for effect, _, _ in _EFFECTS},
            **{f"{effect}_se": "contrasts.csv: se" for effect, _, _ in _EFFECTS},
            **{own: f"studies.csv: {to}" for own, to in self.of_study.items()},
            **{own: f"measurements.csv: {to}" for own, to in (*self.of_arm.items(), *self.of_result.items())},
            **{own: f"risk_of_bias.csv: {_TOOL} item {_item(own)}" for own in self.domains},
        }
        if name in homes:
            return ColumnMapping(column, homes[name])
        return ColumnMapping(
            column, "", "it follows from the arms" if name.startswith(".") else "it is empty"
        )


def _study_of(cells: Mapping[str, str]) -> str:
    return cells["study"]


def _item(column: str) -> str:
    return "Overall" if column == "rob" else column.upper().replace("ROB_", "")


def _domains(names: Sequence[str], rows: Sequence[Mapping[str, str]]) -> list[str]:
    """Columns of RoB 2 judgements, if every cell of them is one; a score of another tool is a number."""
    found = [name for i in range(1, _MOST_DOMAINS + 1) for name in (f"d{i}", f"rob_d{i}") if name in names]
    found += ["rob"] if "rob" in names else []
    tool = tools()[_TOOL]
    for name in found:
        cells = {row[name] for row in rows if row.get(name)}
        answers = Answers(tool, cells, {})
        if not cells or any(not answers.read(tool.items[_item(name)], cell) for cell in cells):
            return []
    return found


class _Comparisons:
    """Comparisons on their way into a review folder, and the numbers that each arm was met with first."""

    def __init__(
        self, table: Table, draft: Draft, report: ImportReport, controls: Iterable[str], columns: _Columns
    ) -> None:
        self.source, self.draft, self.report, self.columns = table.name, draft, report, columns
        self.spelling, self.instruments = Spellings(), Spellings()
        self.roles = {self.spelling(name): "control" for name in controls}
        self.seen: dict[tuple[str, ...], tuple[int, tuple[str, ...]]] = {}
        self.effects: dict[tuple[object, ...], tuple[int, str, str, str]] = {}
        self.taken = 0

    def take(self, line: int, cells: Mapping[str, str]) -> None:
        """Add a comparison to the draft, or say in the report why it is left out."""
        kinds = [
            kind for kind, group in _GROUPS.items() if all(cells.get(f"{group[0][1]}_arm{k}") for k in "12")
        ]
        effects = [effect for effect in _EFFECTS if cells.get(effect[0]) and cells.get(f"{effect[0]}_se")]
        if not kinds and not effects:
            self._leave_out(
                "no mean, change or events in both arms, and no effect with its standard error",
                "fill in mean_arm1, mean_change_arm1, event_arm1 or precalc_g and their twins",
                line,
                cells,
            )
            return
        self.taken += 1
        self._add_study(cells)
        for kind in kinds:
            outcome = self._outcome(cells, kind)
            for k in "12":
                statistics = {to: cells.get(f"{given}_arm{k}", "") for to, given in _GROUPS[kind]}
                self._take_arm(line, cells, k, outcome, statistics)
        # An effect beside the numbers that it follows from says nothing new.
        for effect in () if kinds else effects:
            self._take_effect(line, cells, effect)

    def _add_study(self, cells: Mapping[str, str]) -> None:
        study = cells["study"]
        self.draft.add(
            "studies.csv",
            {
                "study": study,
                "label": study,
                "year": cells.get("year"),
                **{to: cells[name] for name, to in self.columns.of_study.items() if cells[name]},
            },
        )
        report = {part: cells.get(part, "") for part in _REPORT}
        report["title"] = report["title"] or cells.get("full_ref", "")
        if report["title"] or report["doi"]:
            self.draft.add("reports.csv", {"study": study, **report}, key=("study", "title", "doi"))

    def _outcome(self, cells: Mapping[str, str], kind: str) -> str:
        instrument = self.instruments(cells["instrument"] or cells["outcome_type"])
        outcome = {"": instrument, "change": f"{instrument}, change"}.get(
            kind, f"{instrument}, {cells['outcome_type']}"
        )
        if rating := cells.get("rating"):
            outcome = f"{outcome} ({rating})"
        self.draft.add(
            "outcomes.csv",
            {"outcome": outcome, "label": outcome, "kind": "binary" if kind == "counts" else "continuous"},
        )
        return outcome

    def _add_arm(self, cells: Mapping[str, str], k: str) -> str:
        treatment = self.spelling(cells[f"condition_arm{k}"])
        arm = " ".join(part for part in (treatment, cells.get(f"multi_arm{k}")) if part)
        self.draft.add(
            "treatments.csv",
            {"treatment": treatment, "label": treatment, "role": self.roles.get(treatment)},
        )
        self.draft.add("arms.csv", {"study": cells["study"], "arm": arm, "treatment": treatment})
        return arm

    def _place(self, line: int, cells: Mapping[str, str]) -> dict[str, str]:
        weeks = cells.get("time_weeks", "")
        return {
            "timepoint": weeks,
            "timepoint_unit": "wk" if weeks else "",
            "source": self.source,
            "locator": f"line {line}",
            "note": cells.get("time", ""),
            **{to: cells[name] for name, to in self.columns.of_result.items() if cells[name]},
        }

    def _take_arm(
        self, line: int, cells: Mapping[str, str], k: str, outcome: str, statistics: Mapping[str, str]
    ) -> None:
        study, arm = cells["study"], self._add_arm(cells, k)
        numbers = tuple(statistics.values())
        key = (study, arm, outcome, cells.get("time_weeks", ""), cells.get("time", ""))
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
        of_arm = {
            to: cells[name]
            for name, to in self.columns.of_arm.items()
            if name.endswith(f"_arm{k}") and cells[name]
        }
        self.draft.add(
            "measurements.csv",
            {
                "study": study,
                "arm": arm,
                "outcome": outcome,
                **statistics,
                **self._place(line, cells),
                **of_arm,
            },
            key=(),
        )

    def _take_effect(self, line: int, cells: Mapping[str, str], effect: tuple[str, str, str]) -> None:
        column, measure, scale = effect
        outcome = self._outcome(cells, "" if measure == "SMD" else "counts")
        arms = [self._add_arm(cells, k) for k in "12"]
        estimate, error = cells[column], cells[f"{column}_se"]
        when = (cells.get("time_weeks", ""), cells.get("time", ""))
        key = (cells["study"], outcome, measure, *when, frozenset(arms))
        first = self.effects.setdefault(key, (line, arms[0], estimate, error))
        if first[0] != line:
            turned = estimate if first[1] == arms[0] else _negative(estimate)
            if (turned, error) != first[2:]:
                self._leave_out(
                    f"{column} of these arms is another than in line {first[0]}",
                    "tell the two apart in multi_arm1, instrument, rating or time_weeks",
                    line,
                    cells,
                )
            return
        self.draft.add(
            "contrasts.csv",
            {
                "study": cells["study"],
                "outcome": outcome,
                "arm_a": arms[0],
                "arm_b": arms[1],
                "measure": measure,
                "scale": scale,
                "estimate": estimate,
                "se": error,
                "se_scale": scale,
                **self._place(line, cells),
            },
            key=(),
        )

    def _leave_out(self, what: str, remedy: str, line: int, cells: Mapping[str, str]) -> None:
        self.report.left_out.append(Problem(what, remedy, self.source, line, study=cells["study"]))


def _negative(number: str) -> str:
    """Turn the sign of a number, as text; none for zero."""
    if not number.strip("-0."):
        return number
    return number[1:] if number.startswith("-") else f"-{number}"


def _add_risk_of_bias(
    columns: _Columns, rows: Sequence[tuple[int, Mapping[str, str]]], draft: Draft, report: ImportReport
) -> None:
    """Add judgements of RoB 2, one a study and item; what differs within a study is said, not chosen."""
    tool = tools()[_TOOL]
    for name in columns.domains:
        item = tool.items[_item(name)]
        given: dict[str, dict[str, int]] = defaultdict(dict)
        answers = Answers(tool, [cells[name] for _, cells in rows if cells[name]], {})
        for line, cells in rows:
            if cells[name]:
                given[cells["study"]].setdefault(answers.read(item, cells[name]) or "", line)
        for study, judgements in given.items():
            if len(judgements) > 1:
                report.left_out.append(
                    Problem(
                        f"{_TOOL} item {item.item} is {' and '.join(judgements)} in one study",
                        "type the judgement of each outcome into risk_of_bias.csv",
                        report.source,
                        max(judgements.values()),
                        study=study,
                    )
                )
            elif any(row.get("study") == study for row in draft.rows("studies.csv")):
                draft.add(
                    "risk_of_bias.csv",
                    {"study": study, "tool": _TOOL, "item": item.item, "judgement": next(iter(judgements))},
                )
