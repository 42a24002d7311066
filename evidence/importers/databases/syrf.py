"""SyRF's quantitative data export becomes a review folder.

One row per annotator, cohort, outcome and time. What SyRF leaves open is decided here by rules that the
report states, or asked for: which annotator counts where nothing was reconciled, and the unit of a time
column that is called minutes. An error without a type is never taken for an SD.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Unpack

from evidence.errors import CallError, Problem, ReviewError
from evidence.facts.appraisal import Tool, completed, tools
from evidence.facts.reference import keyed
from evidence.folder.column_names import Spellings, plain
from evidence.importers.appraisal.answers import Answers
from evidence.importers.appraisal.items import ItemNames, words
from evidence.importers.databases.moderators import is_words, level_of, named_in
from evidence.importers.draft import ColumnMapping, Draft, ImportReport
from evidence.importers.table import Reading, Table, read_table
from evidence.names import skeleton, suggestion

_COLUMNS = {
    "study": ("studyid",),
    "title": ("title",),
    "authors": ("authors", "author"),
    "year": ("year",),
    "doi": ("doi",),
    "journal": ("publicationname", "journal"),
    "annotator": ("investigatorid", "annotatorid"),
    "experiment": ("experimentid",),
    "experiment_label": ("experimentlabel",),
    "cohort": ("cohortid",),
    "cohort_label": ("cohortlabel",),
    "n": ("numberofanimals", "cohortnumberofanimals"),
    "model_control": ("isdiseasemodelcontrol",),
    "model": ("diseasemodellabels", "diseasemodellabel", "modellabel"),
    "treatment_control": ("istreatmentcontrol",),
    "treatment": ("interventionlabel", "interventionlabels", "treatmentlabels", "treatmentlabel"),
    "outcome": ("outcomeid",),
    "outcome_label": ("outcomelabel",),
    "unit": ("outcomeunit", "outcomeunits"),
    "greater_is_worse": ("greaterisworse",),
    "time": ("timeinminute", "timeinminutes"),
    "average": ("outcomeaverage", "outcomeresult"),
    "average_type": ("outcomeaveragetype", "averagetype"),
    "error": ("outcomeerror",),
    "error_type": ("errortype", "outcomeerrortype"),
    "species": ("species", "speciesofanimals"),
    "sex": ("sex", "sexofanimals"),
    "strain": ("strain", "animalstrain"),
    "control_type": ("typeofcontrolused", "controltype"),
}
"""Columns of the export; where the data dictionary and the real header disagree, both names stand here."""

_NEEDED = (
    "study",
    "experiment",
    "cohort",
    "n",
    "outcome_label",
    "average",
    "error",
    "error_type",
    "treatment_control",
    "model_control",
    "treatment",
)
_RECONCILED = ("reconciled", "isthisareconciliation", "isreconciled")
_MINUTES_A_DAY = 1440
_OF_BIAS = re.compile(r"^\W*(rob|risk of bias|syrcle)\b", re.IGNORECASE)
_LEAST_WORDS = 3
_TRUE, _FALSE = frozenset(("true", "yes", "1")), frozenset(("false", "no", "0"))
_SPREADS = {"sd": "sd", "standarddeviation": "sd", "sem": "se", "se": "se", "standarderror": "se"}


@dataclass(frozen=True)
class _Line:
    """One row of the export, by what its columns mean."""

    line: int
    cells: dict[str, str]
    all: tuple[str, ...]

    def __getitem__(self, name: str) -> str:
        return self.cells.get(name, "")

    def flags(self, name: str) -> list[bool]:
        """Values of a flag, several joined by a semicolon; what is neither true nor false is none."""
        words = [word.strip().lower() for word in self[name].split(";")]
        return [word in _TRUE for word in words if word in _TRUE | _FALSE]


class _Names:
    """Names for things that have an id and a label: the label, with the id where it says too little."""

    def __init__(self) -> None:
        self._of: dict[tuple[str, ...], str] = {}
        self._taken: set[tuple[str, ...]] = set()

    def __call__(self, scope: tuple[str, ...], identifier: str, label: str) -> str:
        key = (*scope, identifier)
        if key not in self._of:
            name = " ".join(label.split()) or identifier
            if (*scope, skeleton(name)) in self._taken:
                name = f"{name} [{identifier[:8]}]"
            self._taken.add((*scope, skeleton(name)))
            self._of[key] = name
        return self._of[key]


def import_syrf(
    file: str | Path,
    into: str | Path,
    *,
    time_unit: str | None = None,
    annotator: str | None = None,
    control: str | None = None,
    iqr_to_sd: bool = False,
    mapping: Mapping[str, str] | None = None,
    dry_run: bool = False,
    **reading: Unpack[Reading],
) -> ImportReport:
    """Make or extend a review folder from SyRF's quantitative data export.

    Parameters
    ----------
    file : path
        CSV or XLSX export with one row per annotator, cohort, outcome and time.
    into : path
        Review folder to make or extend.
    time_unit : str, optional
        Unit of the time column; needed where its name says minutes and its numbers do not.
    annotator : str, optional
        InvestigatorId whose rows count in studies that nobody reconciled.
    control : str, optional
        One name for the treatment of all control arms; without it each keeps its label.
    iqr_to_sd : bool
        Turn an interquartile range given as one number into SD = IQR/1.35 (Cochrane Handbook 6.5.2.5);
        without it such an error stays a note, and the row is listed as unusable.
    mapping : mapping of str to str, optional
        Column to an item of a tool (``SYRCLE:5``, a tool of the folder's own among them) or to what one of
        SyRF's columns stands for (the names in `_COLUMNS`); an empty target leaves it out.
    dry_run : bool
        Check and report, write nothing.
    **reading
        How the table is opened (`evidence.importers.table.Reading`): sheet, header, encoding.

    Returns
    -------
    ImportReport

    Raises
    ------
    CallError
        If a unit, an annotator, or a source or target of the mapping is unknown.
    ReviewError
        If columns are missing, something must be decided, or cells cannot be read.
    """
    table = read_table(file, doubled="keep", **reading)
    report = ImportReport(table.name, notes=list(table.notes))
    draft = Draft(into, title=Path(file).stem)
    chosen = dict(mapping or {})
    every = _tools_of(draft)
    _refuse_mapping(table, chosen, every)
    known = _known(table, chosen)
    missing = [_COLUMNS[name][0] for name in _NEEDED if name not in known]
    table.refuse_without(missing, "is no quantitative data export of SyRF", "export it again")
    rows = [_Line(line, {name: cells[at] for name, at in known.items()}, cells) for line, cells in table.rows]
    unit_of_time = _time_unit(table, rows, known, time_unit, report)
    rows = _reconciled(table, rows, annotator, report)
    items = _items(table, known, chosen, every)
    levels = _levels(table, rows, known, items, chosen)
    export = _Export(table, draft, report, rows, unit_of_time, control, iqr_to_sd, levels)
    for row in rows:
        export.take(row)
    draft.place = None
    draft.categories |= {
        named_in(file, table.header[i]) for i, file in levels.items() if is_words(row.all[i] for row in rows)
    }
    if not export.seen:
        raise ReviewError(f"{table.name} has no row that can be taken.", report.left_out)
    export.give_units()
    kept = _add_studies(table, levels, items, export.study_rows, draft, report)
    _say(report, export.controls, control, export.treatments, export.homes, rows, iqr_to_sd)
    _report_columns(table, known, report, kept, chosen)
    return draft.finish(report, dry_run=dry_run)


class _Export:
    """Rows of the export on their way into a review folder, and what was met on the way.

    Attributes
    ----------
    seen : dict
        First row of each study, experiment, arm, outcome and time.
    study_rows : dict of str to list of row
        Rows that were taken, by study.
    homes : dict of (study, cohort) to list of str
        Experiments that a cohort is of.
    controls : set of str
        Treatments of control arms.
    """

    def __init__(
        self,
        table: Table,
        draft: Draft,
        report: ImportReport,
        rows: Sequence[_Line],
        unit_of_time: str,
        control: str | None,
        iqr_to_sd: bool,
        levels: Mapping[int, str],
    ) -> None:
        self.levels = levels
        self.table, self.draft, self.report = table, draft, report
        self.unit_of_time, self.control, self.iqr_to_sd = unit_of_time, control, iqr_to_sd
        self.names, self.treatments, self.units, self.outcomes = (
            _Names(),
            Spellings(),
            Spellings(),
            Spellings(),
        )
        self.directions: dict[str, set[str]] = defaultdict(set)
        for row in rows:
            self.directions[self.outcomes(row["outcome_label"])].add(row["greater_is_worse"].lower())
        self.units_of: dict[str, set[str]] = defaultdict(set)
        self.homes: dict[tuple[str, str], list[str]] = defaultdict(list)
        self.seen: dict[tuple[str, ...], _Line] = {}
        self.controls: set[str] = set()
        self.study_rows: dict[str, list[_Line]] = defaultdict(list)

    def take(self, row: _Line) -> None:
        """Add a row to the draft, or say in the report why it is left out."""
        found = _treatment(row, self.treatments, self.control)
        if found is None:
            self._leave_out(
                f"cohort {row['cohort_label'] or row['cohort']!r} has no intervention, and is no control",
                "name its intervention in SyRF, or type the arm by hand",
                row,
                row["study"],
            )
            return
        treatment, role = found
        if role == "control":
            self.controls.add(treatment)
        study = _study(row, self.names)
        self.draft.place = self.table.name, row.line
        experiment = self.names(("experiment", study), row["experiment"], row["experiment_label"])
        arm = self.names(("arm", study, experiment), row["cohort"], row["cohort_label"])
        outcome = self._outcome(row)
        if self._repeats((study, experiment, arm, outcome, row["time"]), row):
            return
        self.study_rows[study].append(row)
        unit = self.units(row["unit"])
        if unit and unit not in keyed("unit"):
            self.draft.add(
                "units.csv", {"unit": unit, "dimension": unit, "factor": 1, "source": self.table.name}
            )
        self.units_of[outcome].add(unit)
        self.draft.add("treatments.csv", {"treatment": treatment, "label": treatment, "role": role})
        place = {"study": study, "experiment": experiment, "arm": arm}
        self._add_arm(row, place, treatment, role)
        self._add_measurement(row, place, outcome, unit)

    def give_units(self) -> None:
        """Give each outcome its unit, or say that it has several."""
        for outcome, found in self.units_of.items():
            if len(found) == 1:
                self.draft.add("outcomes.csv", {"outcome": outcome, "unit": next(iter(found))})
            else:
                self.report.notes.append(
                    f"outcome {outcome!r} is measured in {', '.join(sorted(map(repr, found)))}: it has no"
                    " unit, and only SMD and ratios compare its studies"
                )

    def _leave_out(self, what: str, remedy: str, row: _Line, study: str) -> None:
        self.report.left_out.append(Problem(what, remedy, self.table.name, row.line, study=study))

    def _outcome(self, row: _Line) -> str:
        """Name of the outcome; with its direction where the export has it both ways."""
        outcome = self.outcomes(row["outcome_label"])
        if len(self.directions[outcome] - {""}) > 1:
            worse = row["greater_is_worse"].lower() in _TRUE
            return f"{outcome} (greater is {'worse' if worse else 'better'})"
        return outcome

    def _repeats(self, key: tuple[str, ...], row: _Line) -> bool:
        """Tell whether a row was there already, and report it."""
        first = self.seen.setdefault(key, row)
        if first is row:
            return False
        study, _, arm, outcome, time = key
        same = all(first[c] == row[c] for c in ("average", "error", "error_type", "n"))
        self._leave_out(
            f"outcome {outcome!r} of cohort {arm!r} at time {time or '(none)'!r} stands"
            f" in line {first.line} already" + ("" if same else ", with other numbers"),
            "" if same else "give the two outcomes different labels in SyRF",
            row,
            study,
        )
        return True

    def _add_arm(self, row: _Line, place: dict[str, str], treatment: str, role: str) -> None:
        experiment, experiments = place["experiment"], self.homes[place["study"], row["cohort"]]
        if experiment not in experiments:
            experiments.append(experiment)
        self.draft.add(
            "arms.csv",
            {
                **place,
                "treatment": treatment,
                "role": role,
                "n": row["n"],
                "label": row["model"] and f"{treatment}; {row['model']}",
                "shared_control_of": experiments[0] if experiment != experiments[0] else "",
                **self._further(row, "arms.csv"),
            },
        )

    def _add_measurement(self, row: _Line, place: dict[str, str], outcome: str, unit: str) -> None:
        worse = row["greater_is_worse"].lower()
        lower_is_better = str(worse in _TRUE).lower() if worse in _TRUE | _FALSE else ""
        self.draft.add(
            "outcomes.csv",
            {
                "outcome": outcome,
                "label": outcome,
                "kind": "continuous",
                "lower_is_better": lower_is_better,
            },
        )
        statistics, note = _statistics(row, self.iqr_to_sd)
        self.draft.add(
            "measurements.csv",
            {
                **place,
                "outcome": outcome,
                "timepoint": row["time"],
                "timepoint_unit": self.unit_of_time if row["time"] else "",
                "n": row["n"],
                **statistics,
                "unit": unit,
                "source": self.table.name,
                "locator": f"line {row.line}",
                "extractor": "consensus" if row["reconciled"] else row["annotator"],
                "note": note,
                **self._further(row, "measurements.csv"),
            },
            key=(),
        )

    def _further(self, row: _Line, file: str) -> dict[str, str]:
        """Answers that belong to an arm, or to a result, in columns of their question's name."""
        header = self.table.header
        return {
            named_in(file, header[i]): row.all[i]
            for i, to in self.levels.items()
            if to == file and row.all[i]
        }


def _known(table: Table, chosen: Mapping[str, str]) -> dict[str, int]:
    """Positions of SyRF's own columns: what a person maps to one, else the first of its name."""
    at: dict[str, int] = {}
    for position, name in enumerate(table.header):
        if name not in chosen:
            at.setdefault(plain(name), position)
    said = {target: table.header.index(name) for name, target in chosen.items() if target in _COLUMNS}
    return said | {
        name: next(at[alias] for alias in aliases if alias in at)
        for name, aliases in _COLUMNS.items()
        if name not in said and any(alias in at for alias in aliases)
    }


def _tools_of(draft: Draft) -> dict[str, Tool]:
    """Every tool, those of the review folder included."""
    files = (("rob_tool", "rob_tools.csv"), ("rob_item", "rob_items.csv"), ("rob_answer", "rob_answers.csv"))
    return tools({name: completed(name, draft.rows(file)) for name, file in files})


def _refuse_mapping(table: Table, chosen: Mapping[str, str], every: Mapping[str, Tool]) -> None:
    """Refuse a mapping from no column, or to nothing that there is."""
    problems = []
    for source, target in chosen.items():
        tool, _, item = target.partition(":")
        if source not in table.header:
            problems.append(
                Problem(f"there is no column {source!r}", suggestion(source, table.header), table.name)
            )
        elif target and target not in _COLUMNS and item not in getattr(every.get(tool), "items", ()):
            right = [*_COLUMNS, *(f"{name}:{key}" for name in every for key in every[name].items)]
            problems.append(
                Problem(f"{source!r} cannot stand for {target!r}", suggestion(target, right), table.name)
            )
    for target in {target for target in chosen.values() if target in _COLUMNS}:
        sources = [source for source, to in chosen.items() if to == target]
        if len(sources) > 1:
            said = f"{' and '.join(map(repr, sources))} are mapped to one meaning, {target}"
            problems.append(Problem(said, "map one of them", table.name))
    if problems:
        raise CallError("The mapping names what is not there.", problems)


def _items(
    table: Table, known: Mapping[str, int], chosen: Mapping[str, str], every: Mapping[str, Tool]
) -> dict[int, tuple[Tool, str]]:
    """Find the questions that are items of a tool: those mapped to one, and those that ask as SYRCLE's do.

    A question that does not say that it is of bias counts only if its words leave no doubt, and only for an
    item that no other question is.
    """
    syrcle = every["SYRCLE"]
    names = ItemNames(syrcle)
    found: dict[int, tuple[Tool, str]] = {}
    for position, name in enumerate(table.header):
        tool, _, item = chosen.get(name, "").partition(":")
        if item:
            found[position] = (every[tool], item)
    taken = {item for tool, item in found.values() if tool is syrcle}
    for sure in (True, False):
        for position, name in enumerate(table.header):
            if position in found or position in known.values() or name in chosen:
                continue
            if bool(_OF_BIAS.match(name)) is not sure or (not sure and len(words(name)) < _LEAST_WORDS):
                continue
            item = names.find(_AGAIN.sub("", name)) or ""
            if item and item not in taken and _answers_it(table, position, syrcle, item):
                found[position] = (syrcle, item)
                taken.add(item)
    return found


_AGAIN = re.compile(r" \(\d+\)'*$")


def _answers_it(table: Table, position: int, tool: Tool, item: str) -> bool:
    """Whether the cells of a column are answers of an item, most of them."""
    cells = [cells[position] for _, cells in table.rows if cells[position]]
    answers = Answers(tool, cells, {})
    read = sum(answers.read(tool.items[item], cell) is not None for cell in cells)
    return bool(cells) and read >= len(cells) / 2


def _levels(
    table: Table,
    rows: Sequence[_Line],
    known: Mapping[str, int],
    items: Mapping[int, tuple[Tool, str]],
    chosen: Mapping[str, str],
) -> dict[int, str]:
    """For each further column the file that it goes into: where it does not vary."""
    levels = {}
    for position, name in enumerate(table.header):
        left_out = chosen.get(name) == "" or plain(name) in _RECONCILED or not name
        if position in known.values() or position in items or left_out:
            continue
        cells = [{**row.cells, "": row.all[position]} for row in rows]
        levels[position] = level_of(
            cells,
            "",
            lambda row: row.get("study", ""),
            lambda row: (row.get("experiment", ""), row.get("cohort", "")),
        )
    return levels


def _time_unit(
    table: Table, rows: Sequence[_Line], known: dict[str, int], time_unit: str | None, report: ImportReport
) -> str:
    if time_unit is not None and keyed("unit").get(time_unit, {}).get("dimension") != "time":
        times = [name for name, row in keyed("unit").items() if row["dimension"] == "time"]
        raise CallError(f"There is no unit of time {time_unit!r}: {suggestion(time_unit, times)}.")
    if "time" not in known or time_unit is not None:
        return time_unit or ""
    name = table.header[known["time"]]
    try:
        values = sorted({abs(float(row["time"])) for row in rows if row["time"]})
    except ValueError:
        values = []
    if not values or values == [0.0]:
        return "min"
    if values[-1] < _MINUTES_A_DAY:
        listed = ", ".join(f"{value:g}" for value in values[:8]) + (", ..." if len(values) > 8 else "")
        raise ReviewError(
            "What a column holds cannot be decided.",
            [
                Problem(
                    f"column {name!r} is called minutes, and holds {listed}: in some exports these are days",
                    "say which: --time-unit min or --time-unit d",
                    table.name,
                    1,
                )
            ],
        )
    report.notes.append(f"times are minutes, as {name!r} says: they reach {values[-1]:g}")
    return "min"


def _reconciled(table: Table, rows: list[_Line], annotator: str | None, report: ImportReport) -> list[_Line]:
    """Of each study keep the reconciled rows, else those of its only annotator, else those asked for."""
    flags = [i for i, name in enumerate(table.header) if plain(name) in _RECONCILED]
    by_study: dict[str, list[_Line]] = defaultdict(list)
    for row in rows:
        if any(row.all[i].lower() in _TRUE for i in flags):
            row.cells["reconciled"] = "true"
        by_study[row["study"]].append(row)
    everyone = {row["annotator"] for row in rows}
    if annotator is not None and annotator not in everyone:
        raise CallError(f"There is no annotator {annotator!r}: {suggestion(annotator, everyone - {''})}.")
    kept: list[_Line] = []
    unreconciled = 0
    for study, of_study in by_study.items():
        chosen = [row for row in of_study if row["reconciled"]]
        if not chosen:
            unreconciled += 1
            people = {row["annotator"] for row in of_study}
            if len(people) == 1:
                chosen = of_study
            elif annotator in people:
                chosen = [row for row in of_study if row["annotator"] == annotator]
            else:
                report.left_out.append(
                    Problem(
                        f"{len(of_study)} rows of {len(people)} annotators, none of them reconciled",
                        "reconcile them in SyRF, or choose with --annotator: " + ", ".join(sorted(people)),
                        table.name,
                        of_study[0].line,
                        study=study,
                    )
                )
        kept += chosen
    if len(kept) < len(rows):
        report.notes.append(
            f"{len(rows) - len(kept)} of {len(rows)} rows were not taken: they are single annotators', of"
            " studies that were reconciled or are listed below"
        )
    if unreconciled:
        report.notes.append(f"{unreconciled} of {len(by_study)} studies have no reconciled row")
    return sorted(kept, key=lambda row: row.line)


def _study(row: _Line, names: _Names) -> str:
    author = re.split(r"[;,]|\s+(?:and|&)\s+", row["authors"])[0].strip()
    label = f"{author} {row['year']}".strip() if author else ""
    return names(("study",), row["study"], label)


def _treatment(row: _Line, spelling: Spellings, control: str | None) -> tuple[str, str] | None:
    """Return the treatment of a cohort, and what it is in the experiment; None if it cannot be told."""
    labels = [label for label in (part.strip() for part in row["treatment"].split(";")) if label]
    name = " + ".join(spelling(label) for label in dict.fromkeys(labels))
    model, treated = row.flags("model_control"), row.flags("treatment_control")
    no_model = bool(model) and all(model)
    # A positive control is a treatment that is known to work.
    untreated = all(treated) if treated else not labels
    untreated = untreated and "positive control" not in row["control_type"].lower()
    if no_model:
        return ("sham", "sham") if untreated else (f"{name} without disease model", "sham")
    if untreated and (treated or model):
        return control or name or "no treatment", "control"
    return (name, "active") if name else None


def _statistics(row: _Line, iqr_to_sd: bool) -> tuple[dict[str, str], str]:
    """Put average and error where their types say; what no column can hold becomes a note."""
    kind = plain(row["average_type"]) or "mean"
    statistics: dict[str, str] = {}
    notes: list[str] = []
    if kind in ("mean", "median"):
        statistics[kind] = row["average"]
    elif row["average"]:
        notes.append(f"{row['average_type']} {row['average']}")
    spread = plain(row["error_type"])
    error = row["error"]
    if not error:
        pass
    elif spread in _SPREADS:
        statistics[_SPREADS[spread]] = error
    elif (
        spread in ("iqr", "interquartilerange") and len(limits := re.split(r"\s*[;–]\s*|\s+-\s+", error)) == 2
    ):
        statistics["q1"], statistics["q3"] = limits
    elif spread in ("iqr", "interquartilerange") and iqr_to_sd and _number(error):
        statistics["sd"] = f"{float(error) / 1.35:.10g}"
        notes.append(f"SD = IQR/1.35 of the interquartile range {error}")
        if "median" in statistics:
            statistics["mean"] = statistics.pop("median")
            notes.append("the average is a median")
    else:
        notes.append(f"error {error}, {row['error_type'] or 'of no stated type'}")
    return statistics, "; ".join(notes)


def _number(text: str) -> bool:
    try:
        return float(text) >= 0
    except ValueError:
        return False


def _add_studies(
    table: Table,
    levels: Mapping[int, str],
    items: Mapping[int, tuple[Tool, str]],
    study_rows: dict[str, list[_Line]],
    draft: Draft,
    report: ImportReport,
) -> dict[str, str]:
    """Add studies, reports and risk of bias; gives what became of the columns beyond SyRF's own."""
    header = table.header
    became = {header[i]: f"risk_of_bias.csv: {tool.tool} item {item}" for i, (tool, item) in items.items()}
    became |= {header[i]: f"{file}: {named_in(file, header[i])}" for i, file in levels.items()}
    spelling: dict[object, Spellings] = defaultdict(Spellings)
    for study, rows in study_rows.items():

        def told(name: str, rows: Iterable[_Line] = rows) -> str:
            return " and ".join(dict.fromkeys(spelling[name](row[name]) for row in rows if row[name]))

        first = rows[0]
        described = {
            named_in("studies.csv", header[i]): spelling[i](next((r.all[i] for r in rows if r.all[i]), ""))
            for i, file in levels.items()
            if file == "studies.csv"
        }
        draft.add(
            "studies.csv",
            {
                "study": study,
                "label": study if first["authors"] else first["title"] or study,
                "year": first["year"],
                **{name: told(name) for name in ("species", "strain", "sex", "model")},
                "SyRF study": first["study"],
                **{name: value for name, value in described.items() if value},
            },
        )
        if first["title"] or first["doi"]:
            names = ("doi", "title", "authors", "journal", "year")
            draft.add(
                "reports.csv",
                {"study": study, **{name: first[name] for name in names}},
                key=["study", "title"],
            )
        for position, (tool, item) in items.items():
            _add_judgement(table, study, rows, position, tool, item, draft, report)
    return became


def _add_judgement(
    table: Table,
    study: str,
    rows: Sequence[_Line],
    position: int,
    tool: Tool,
    item: str,
    draft: Draft,
    report: ImportReport,
) -> None:
    """Add what a study's rows answer to one question of risk of bias, if they answer the same."""
    given = {row.all[position] for row in rows} - {""}
    answers = Answers(tool, given, {})
    judgements = {answers.read(tool.items[item], answer) for answer in given}
    if len(judgements) == 1 and (judgement := judgements.pop()):
        draft.add(
            "risk_of_bias.csv",
            {"study": study, "tool": tool.tool, "item": item, "judgement": judgement},
        )
    elif given:
        report.left_out.append(
            Problem(
                f"{tool.tool} item {item} is answered {', '.join(sorted(given))}",
                f"one answer a study: {', '.join(tool.items[item].answers)}",
                table.name,
                rows[0].line,
                study=study,
            )
        )


def _say(
    report: ImportReport,
    controls: set[str],
    control: str | None,
    treatments: Spellings,
    homes: dict[tuple[str, str], list[str]],
    rows: Sequence[_Line],
    iqr_to_sd: bool,
) -> None:
    if len(controls) > 1 and control is None:
        report.notes.append(
            f"control arms have {len(controls)} treatments ({', '.join(sorted(controls))}); --control NAME"
            " makes one of them"
        )
    for first, others in treatments.others.items():
        report.notes.append(f"treatment {first!r} is also spelt {', '.join(map(repr, sorted(others)))}")
    if shared := sum(len(experiments) > 1 for experiments in homes.values()):
        report.notes.append(
            f"{shared} cohort{'s' * (shared != 1)} in several experiments: see shared_control_of in arms.csv"
        )
    kinds: dict[str, int] = defaultdict(int)
    for row in rows:
        kinds[row["error_type"] or "no type"] += 1
    report.notes.append("errors: " + ", ".join(f"{n} {kind}" for kind, n in sorted(kinds.items())))
    if not iqr_to_sd and any(plain(kind) == "iqr" for kind in kinds):
        report.notes.append("an IQR given as one number stays a note; --iqr-to-sd takes SD = IQR/1.35")


def _report_columns(
    table: Table,
    known: dict[str, int],
    report: ImportReport,
    became: dict[str, str],
    chosen: Mapping[str, str],
) -> None:
    home = {
        **dict.fromkeys(("experiment", "experiment_label"), "arms.csv: experiment"),
        **dict.fromkeys(("cohort", "cohort_label"), "arms.csv: arm"),
        **dict.fromkeys(
            ("treatment", "treatment_control", "model_control", "control_type"), "arms.csv: treatment, role"
        ),
        **dict.fromkeys(("outcome", "outcome_label"), "outcomes.csv: outcome"),
        "greater_is_worse": "outcomes.csv: lower_is_better",
        **dict.fromkeys(("average", "average_type"), "measurements.csv: mean, median"),
        **dict.fromkeys(("error", "error_type"), "measurements.csv: sd, se, q1, q3"),
        "time": "measurements.csv: timepoint",
        "n": "measurements.csv: n",
        "unit": "measurements.csv: unit",
        "annotator": "measurements.csv: extractor",
        "study": "studies.csv: study",
        **{name: f"reports.csv: {name}" for name in ("title", "authors", "doi", "journal", "year")},
        **{name: f"studies.csv: {name}" for name in ("species", "sex", "strain", "model")},
    }
    meaning = {position: name for name, position in known.items()}
    for position, name in enumerate(table.header):
        if position in meaning:
            report.mappings.append(ColumnMapping(name, home[meaning[position]]))
        elif plain(name) in _RECONCILED:
            report.mappings.append(ColumnMapping(name, "measurements.csv: extractor", "which rows count"))
        elif chosen.get(name) == "":
            report.mappings.append(ColumnMapping(name, "", "left out as asked"))
        else:
            report.mappings.append(ColumnMapping(name, became.get(name, "")))
