"""Rows of arms on their way into a review folder."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Mapping

from evidence.errors import Problem
from evidence.folder.layout import FILE
from evidence.importers.draft import ColumnMapping, Draft, ImportReport
from evidence.importers.tables.cells import is_gap
from evidence.importers.tables.melt import LongForm
from evidence.importers.tables.variables import Variables, say_mixed, variables

_IDENTITY = ("study", "experiment", "arm", "treatment", "outcome")
_SPREADS = frozenset(("sd", "se", "ci_lower", "q1", "min"))
_CENTRES = ("mean", "median", "events")
_MOST_NOTES = 20


class ArmNames:
    """What the arms of a table are called: by their column, else by their treatment.

    Parameters
    ----------
    form : LongForm
    outcome : str or None
        Outcome of all rows; None where each has its own.

    Attributes
    ----------
    further : list of str
        What is said of arms with a number, since a study has several of one treatment.
    """

    def __init__(self, form: LongForm, outcome: str | None) -> None:
        occasion = ("timepoint", "timepoint_unit", "extractor", *(("outcome",) if outcome is None else ()))
        self.occasion = [form.known[c] for c in occasion if c in form.known]
        self.arm = form.known.get("arm")
        self.named: Counter[tuple[str, ...]] = Counter()
        self.further: list[str] = []

    def __call__(self, line: int, cells: tuple[str, ...], study: str, experiment: str, treatment: str) -> str:
        """Name the arm of a row."""
        if self.arm is not None and cells[self.arm]:
            return cells[self.arm]
        key = (study, experiment, treatment, *(cells[position] for position in self.occasion))
        self.named[key] += 1
        nth = self.named[key]
        if nth == 1:
            return treatment
        arm = f"{treatment} ({nth})"
        self.further.append(
            f"line {line}: study {study!r} has treatment {treatment!r} more than once; taken as a"
            f" further arm {arm!r}"
        )
        return arm


class Arms:
    """Rows of one arm each, taken into a draft one by one.

    Parameters
    ----------
    form : LongForm
        The table, with every column's meaning.
    draft : Draft
    report : ImportReport
    outcome : str or None
        Outcome of all rows; None takes each row's own.
    aside : dict of str to str
        Columns whose meaning another one has, and why.
    extra : dict of str to str
        Cells of measurements.csv that are the same in every row.
    """

    def __init__(
        self,
        form: LongForm,
        draft: Draft,
        report: ImportReport,
        outcome: str | None,
        aside: Mapping[str, str],
        extra: Mapping[str, str],
    ) -> None:
        self.form, self.draft, self.report, self.aside = form, draft, report, aside
        self.outcome, self.known, self.extra = outcome, form.known, extra
        self.statistics = self._columns_of("measurements.csv", _IDENTITY)
        self.of_arm = self._columns_of("arms.csv", (*_IDENTITY, "n", *self.statistics))
        self.of_study = self._columns_of("studies.csv", ("study", *self.of_arm))
        self.variables: Variables = variables(
            form, ("arms.csv", "measurements.csv"), ("study", "experiment", "arm", "treatment"), aside
        )
        self.names = ArmNames(form, outcome)
        self.studies: set[str] = set()
        self.treatments: set[str] = set()
        self.taken = 0
        self.kinds: dict[str, set[str]] = {}

    def _columns_of(self, file: str, but: Container[str]) -> list[str]:
        """Columns of a file that the table has, but for some."""
        return [c.name for c in FILE[file].columns if c.name in self.known and c.name not in but]

    def _cell(self, cells: tuple[str, ...], name: str, otherwise: str = "") -> str:
        return cells[self.known[name]] if name in self.known else otherwise

    def take(self, line: int, cells: tuple[str, ...]) -> None:
        """Add an arm and its measurement to the draft, or say in the report why it is left out."""
        table = self.form.table
        self.draft.place = table.name, line
        study, treatment = cells[self.known["study"]], cells[self.known["treatment"]]
        outcome = self._cell(cells, "outcome", self.outcome or "")
        if self.outcome not in (None, outcome):
            return
        if not study or not treatment or not outcome:
            what = "a study, a treatment or an outcome" if self.outcome is None else "a study or a treatment"
            said = f"a row without {what}: {' | '.join(filter(None, cells))}"
            self.report.left_out.append(Problem(said, "fill it in", file=table.name, line=line))
            return
        self.taken += 1
        experiment = self._cell(cells, "experiment")
        arm = self.names(line, cells, study, experiment, treatment)
        if study not in self.studies:
            self.studies.add(study)
            self.draft.add(
                "studies.csv", {"study": study, "label": study, **self.variables.by_study.get(study, {})}
            )
        if treatment not in self.treatments:
            self.treatments.add(treatment)
            group = self._cell(cells, "class")
            self.draft.add("treatments.csv", {"treatment": treatment, "label": treatment, "class": group})
        place = {"study": study, "experiment": experiment, "arm": arm}
        self.draft.add(
            "arms.csv",
            {
                **place,
                "treatment": treatment,
                "n": self._cell(cells, "n"),
                **{name: cells[self.known[name]] for name in self.of_arm},
                **self.variables.cells(self.form, "arms.csv", study, cells),
            },
        )
        statistics = {name: cells[self.known[name]] for name in self.statistics}
        self.draft.add(
            "measurements.csv",
            {
                **place,
                "outcome": outcome,
                **self.extra,
                **statistics,
                **self.variables.cells(self.form, "measurements.csv", study, cells),
                "source": self._cell(cells, "source", table.name),
                "locator": self._cell(cells, "locator", f"line {line}"),
            },
            key=(),
        )
        filled = self.kinds.setdefault(outcome, set())
        if len(filled) < 2:
            filled.update(name for name in ("events", "exposure") if not is_gap(statistics.get(name, "")))

    def kind(self, outcome: str) -> str:
        """Tell the kind of an outcome by the columns that hold anything."""
        filled = self.kinds.get(outcome, set())
        if "events" in filled:
            return "rate" if "exposure" in filled else "binary"
        return "continuous"

    def describe(self) -> None:
        """Say in the report what became of each column, and what is missing."""
        homes = {
            **dict.fromkeys((*self.of_arm, "arm", "treatment", "experiment"), "arms.csv"),
            **dict.fromkeys(self.statistics, "measurements.csv"),
            **dict.fromkeys((*self.of_study, "study"), "studies.csv"),
            "outcome": "outcomes.csv",
            "class": "treatments.csv",
        }
        notes = self.report.notes
        if self.known.keys() & {"mean", "median"} and not self.known.keys() & _SPREADS:
            notes.append(
                "no column holds an SD, SE, interval or quartiles, without which no mean can be analysed; if"
                " one does, say which with --map"
            )
        further = self.names.further
        notes += further[:_MOST_NOTES]
        if len(further) > _MOST_NOTES:
            notes.append(f"{len(further) - _MOST_NOTES} further rows of a treatment that a study has already")
        say_mixed(self.form, self.variables, self.draft, self.report)
        report_columns(self.form, self.variables, self.report, homes, self.aside)


def report_columns(
    form: LongForm,
    found: Variables,
    report: ImportReport,
    homes: Mapping[str, str],
    aside: Mapping[str, str],
) -> None:
    """Say what became of every column of the table."""
    target = {position: name for name, position in form.known.items()}
    for position, name in enumerate(form.table.header):
        if position in target:
            what = target[position]
            squared = what == "variance" and "o_minus_e" not in form.known
            became = "se" if squared else what
            note = "square root taken" if squared else ""
            report.mappings.append(ColumnMapping(name, f"{homes.get(what, '')}: {became}", note))
        elif position in found.homes:
            home = found.homes[position]
            of = {"arms.csv": "arm", "measurements.csv": "measurement"}.get(home, "contrast")
            note = f"differs within a study: a variable of the {of}"
            report.mappings.append(ColumnMapping(name, f"{home}: {name}", note))
        elif position in found.dropped:
            report.mappings.append(ColumnMapping(name, "", found.dropped[position]))
        elif position in form.further:
            why = (
                f"a characteristic of the study; {aside[name]}"
                if name in aside
                else "a characteristic of the study"
            )
            report.mappings.append(ColumnMapping(name, f"studies.csv: {name}", why))


def report_sources(report: ImportReport, form: LongForm) -> None:
    """Report the columns of the original table in place of those that were made of them."""
    mappings = []
    for item in report.mappings:
        sources = form.sources.get(item.column, (item.column,))
        mappings += [ColumnMapping(source, item.became, item.note) for source in sources]
    report.mappings = [*mappings, *form.left_out]
