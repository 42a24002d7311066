"""A table with one row per arm, per contrast or per study becomes, or extends, a review folder.

Column names of the field's usual tools are recognised through the reference table ``column_alias``. Any other
column that is constant within each study becomes a characteristic of it; what cannot be decided is asked for.
"""

from __future__ import annotations

import math
import re
import shlex
from collections import Counter, defaultdict
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from evidence import facts
from evidence.errors import CallError, Problem, ReviewError
from evidence.facts import hazard
from evidence.facts.hazard import contradiction
from evidence.facts.scales import Printed, fits_se, judge
from evidence.folder.column_names import AMBIGUOUS, effect_name, hints, plain, targets
from evidence.folder.layout import FILE, SCALES
from evidence.folder.sheet import is_own_column
from evidence.importers.cells import filled_down, holds, taken_apart
from evidence.importers.draft import ColumnMapping, Draft, ImportReport
from evidence.importers.table import Table, read_table
from evidence.importers.wide import LongForm, is_wide, long_form
from evidence.names import suggestion
from evidence.store.bulk import uncollected

_IDENTITY = ("study", "experiment", "arm", "treatment", "outcome")
_SPREADS = frozenset(("sd", "se", "ci_lower", "q1", "min"))
_READ_FROM = frozenset(("text", "table", "figure", "author"))
_STATISTICS = frozenset(("mean", "median", "events"))
_ARM_FILES = ("studies.csv", "arms.csv", "measurements.csv")


@dataclass(frozen=True)
class _Columns:
    """Which source column holds what: target -> position; and the positions of no known meaning."""

    known: dict[str, int]
    further: tuple[int, ...]


@uncollected()
def import_arms(
    file: str | Path | Table,
    into: str | Path,
    *,
    outcome: str,
    unit: str | None = None,
    measure: str | None = None,
    scale: str | None = None,
    se_scale: str | None = None,
    lower_is_better: bool | None = None,
    event_is_bad: bool | None = None,
    label: str | None = None,
    mapping: Mapping[str, str] | None = None,
    treatment: str | None = None,
    control: str | None = None,
    sheet: str | None = None,
    header: int | None = None,
    fill_down: bool = False,
    dry_run: bool = False,
) -> ImportReport:
    """Make or extend a review folder from a table of arms or contrasts, long or wide.

    Parameters
    ----------
    file : path or Table
        CSV, TSV, XLSX, Stata or Parquet file, or a table that was read, with one row per arm (study,
        treatment and statistics), per contrast (study, two treatments, effect with its standard error or
        interval), or per study (see `evidence.importers.wide`).
    into : path
        Review folder to make or extend; what stands in it is kept.
    outcome : str
        Id of the outcome; where the table has an outcome column, only the rows of this outcome are taken.
    unit : str, optional
        Unit of the outcome.
    measure : str, optional
        Effect measure of a contrast-level table, which must be named.
    scale : {"natural", "log"}, optional
        How a contrast-level table writes ratios: as printed, or as natural logarithms. Without it the columns
        are judged (see `evidence.facts.scales`), and what cannot be decided is asked for.
    se_scale : {"natural", "log"}, optional
        Whose standard error stands beside ratios: that of the ratio itself, or of its logarithm.
    lower_is_better : bool, optional
        Direction of benefit.
    event_is_bad : bool, optional
        Whether the event of a time-to-event outcome is bad: the direction of a hazard ratio.
    label : str, optional
        Printed name of the outcome.
    mapping : mapping of str to str, optional
        Source column to the column it stands for, where the name does not say; an empty target leaves it out,
        and ``mean+sd`` takes cells such as ``210.5 ± 31.6`` apart.
    treatment, control : str, optional
        Names of the two groups of a table that does not name them (``ai bi ci di``, ``yi vi``);
        ``'treatment'`` and ``'control'`` without them.
    sheet : str, optional
        Sheet of a workbook.
    header : int, optional
        Line that names the columns, where it is not the first.
    fill_down : bool
        An empty cell of the study's column means the study above it.
    dry_run : bool
        Check and report, write nothing.

    Returns
    -------
    ImportReport

    Raises
    ------
    CallError
        If the call cannot be carried out (no measure, an unknown column in `mapping`).
    ReviewError
        If the table has errors, or the folder would have; nothing is written then.
    """
    table = file if isinstance(file, Table) else read_table(file, sheet=sheet, header=header)
    if measure is not None:
        facts.review_measure(measure)
    _refuse_scale(measure, scale, se_scale)
    table, chosen = taken_apart(table, mapping or {})
    _refuse_targets(table, chosen)
    if intervals := _intervals(table, chosen, measure):
        table, chosen = taken_apart(table, chosen | intervals)
    report = ImportReport(table.name, notes=list(table.notes))
    if wide := long_form(table, chosen, measure=measure, treatment=treatment, control=control):
        table, chosen = wide.table, wide.chosen
        report.notes += wide.notes
    elif treatment or control:
        raise CallError(
            f"{table.name} names its groups itself: --treatment and --control are for tables such as"
            " 'ai bi ci di' or 'yi vi'."
        )
    columns, is_relative = _shape(table, chosen, measure)
    _ask_about_ambiguous(table, columns, chosen)
    if fill_down:
        table = filled_down(table, columns.known["study"])
        report.notes.append(table.notes[-1])
    _refuse_nameless(table, columns)
    table = _rows_of_outcome(table, columns, outcome, report)
    draft = Draft(into, title=label or outcome)
    if wide and wide.control:
        draft.add("treatments.csv", {"treatment": wide.control, "label": wide.control, "role": "control"})
    if is_relative:
        assert measure is not None
        written = _written(table, columns, chosen, measure, scale, se_scale, report)
        _fill_contrasts(table, columns, draft, report, outcome, measure, written)
    else:
        _fill_arms(table, columns, draft, report, outcome)
    draft.place = None
    name, kind = table.name, _kind(table, columns, measure if is_relative else None)
    # The rows are in the draft now; a large table need not be in memory twice while the folder is checked.
    del table
    _add_outcome(
        draft,
        report,
        name,
        outcome,
        label,
        kind,
        unit,
        lower_is_better=lower_is_better,
        event_is_bad=event_is_bad,
    )
    if wide:
        _report_wide(report, wide)
    return draft.finish(report, dry_run=dry_run)


def _shape(table: Table, chosen: Mapping[str, str], measure: str | None) -> tuple[_Columns, bool]:
    """Recognise the columns of arms, else of contrasts; with whether a row is a contrast."""
    columns = _recognise(table, chosen, "arm level")
    of_arms = {"study", "treatment"} <= columns.known.keys() and _STATISTICS & columns.known.keys()
    if of_arms and (measure is None or not _has_base_rows(table, columns, chosen)):
        return columns, False
    columns = _recognise(table, chosen, "contrast level", measure)
    if not {"study", "arm_a"} <= columns.known.keys() or not (
        "estimate" in columns.known or {"o_minus_e", "variance"} <= columns.known.keys()
    ):
        raise _no_shape(table, chosen)
    if measure is None:
        raise CallError(
            f"{table.name} has one row per contrast: say which effect measure it holds, for example"
            f" --measure {_named_measure(table) or 'MD'}."
        )
    return columns, True


def _add_outcome(
    draft: Draft,
    report: ImportReport,
    source: str,
    outcome: str,
    label: str | None,
    kind: str,
    unit: str | None,
    *,
    lower_is_better: bool | None,
    event_is_bad: bool | None,
) -> None:
    """Add the outcome to the draft, of the kind that the folder knows it as.

    Raises
    ------
    ReviewError
        If it is of another kind there.
    """
    known = next((row for row in draft.rows("outcomes.csv") if row.get("outcome") == outcome), None)
    if known is not None and known.get("kind") != kind:
        raise ReviewError(f"Outcome {outcome!r} is {known.get('kind')} in the folder and {kind} in {source}.")
    _check_direction(outcome, label, kind, known, lower_is_better, event_is_bad, report)
    draft.add(
        "outcomes.csv",
        {
            "outcome": outcome,
            "label": label or outcome,
            "kind": kind,
            "unit": unit,
            "lower_is_better": None if lower_is_better is None else str(lower_is_better).lower(),
            "event_is_bad": None if event_is_bad is None else str(event_is_bad).lower(),
        },
    )


def _check_direction(
    outcome: str,
    label: str | None,
    kind: str,
    known: Mapping[str, str] | None,
    lower_is_better: bool | None,
    event_is_bad: bool | None,
    report: ImportReport,
) -> None:
    """Ask for the direction of a hazard ratio where neither the call, the folder nor the name gives it."""
    if kind != "time_to_event":
        if event_is_bad is not None:
            raise CallError(
                f"Whether the event is bad is asked of time-to-event outcomes; {outcome!r} is {kind}: say "
                "--lower-is-better or --higher-is-better."
            )
        return
    if event_is_bad is not None or (known or {}).get("event_is_bad"):
        return
    ask = "say --event-is-bad (death, relapse) or --event-is-good (healing)"
    if contradiction(outcome, label, lower_is_better):
        said = "lower" if lower_is_better else "higher"
        raise CallError(
            f"{label or outcome!r} is better {said} as a time, but a hazard ratio is of the event: {ask}."
        )
    if hazard.event_is_bad(outcome, label, lower_is_better) is None:
        report.notes.append(f"a hazard ratio of {outcome!r} has no direction of benefit yet: {ask}")


def _recognise(table: Table, chosen: Mapping[str, str], shape: str, measure: str | None = None) -> _Columns:
    meanings = targets(shape)
    candidates: dict[int, set[str]] = {}
    by_effect: set[str] = set()
    for position, name in enumerate(table.header):
        if name in chosen:
            candidates[position] = {chosen[name]} if chosen[name] else set()
        else:
            candidates[position] = set(meanings.get(plain(name), ()))
            if shape == "contrast level" and not candidates[position]:
                candidates[position] = _of_effect(name, measure)
                by_effect |= candidates[position]
            # What a person says stands for something leaves nothing to guess about it.
            candidates[position] -= set(chosen.values())
            if "method" in candidates[position] and not _READ_FROM & set(map(str.lower, table.column(name))):
                # Not how the numbers were read: some method of the study.
                candidates[position].discard("method")
    _refuse_rivals(table, candidates, by_effect)
    known: dict[str, int] = {}
    # A name with one meaning is decided first; a name with several takes the one meaning still free.
    for several in (False, True):
        for position, options in candidates.items():
            free = _sensible(options, known) - known.keys()
            if options and (len(options) > 1) == several and len(free) == 1:
                known[free.pop()] = position
    taken = set(known.values())
    left_out = {table.header.index(name) for name, target in chosen.items() if not target}
    further = tuple(i for i in range(len(table.header)) if i not in taken and i not in left_out)
    return _Columns(known, further)


def _refuse_rivals(table: Table, candidates: Mapping[int, set[str]], targets_: Iterable[str]) -> None:
    """Ask which of several columns is the estimate, or its error: ``OR`` and ``logOR`` are not the same."""
    problems = []
    for target in sorted(targets_):
        rivals = [table.header[position] for position, options in candidates.items() if options == {target}]
        if len(rivals) > 1:
            problems.append(
                Problem(
                    f"columns {' and '.join(map(repr, rivals))} may each be the {target}",
                    f"say which, and leave the other out: --map {shlex.quote(f'{rivals[0]}={target}')}"
                    f" --map {shlex.quote(f'{rivals[1]}=')}",
                    table.name,
                    1,
                )
            )
    if problems:
        raise ReviewError("What a column holds cannot be decided.", problems)


def _of_effect(name: str, measure: str | None) -> set[str]:
    """Tell what a column is by the name of a ratio in it: only of the measure asked for."""
    named = effect_name(name)
    if named is None or named.target not in ("estimate", "se", "ci_lower", "ci_upper"):
        return set()
    return {named.target} if named.measure in (None, measure) else set()


def _named_measure(table: Table) -> str | None:
    """Effect measure that a column's name holds, if any does."""
    named = (effect_name(name) for name in table.header)
    return next((effect.measure for effect in named if effect is not None and effect.measure), None)


def _intervals(table: Table, chosen: Mapping[str, str], measure: str | None) -> dict[str, str]:
    """Find columns such as ``RR (95% CI)`` and ``95% CI``, whose cells hold an effect and its limits."""
    found = {}
    for name in table.header:
        effect = effect_name(name) if measure is not None and name not in chosen else None
        if effect is None or effect.measure not in (None, measure):
            continue
        parts = {"interval": "ci_lower+ci_upper", "estimate and interval": "estimate+ci_lower+ci_upper"}
        if effect.target in parts and holds(table.column(name), parts[effect.target].count("+") + 1):
            found[name] = parts[effect.target]
        elif effect.target == "estimate and interval":
            found[name] = "estimate"
    return found


def _refuse_scale(measure: str | None, scale: str | None, se_scale: str | None) -> None:
    """Refuse a scale that is none, or that of a difference."""
    for option, value in (("--scale", scale), ("--se-scale", se_scale)):
        if value is not None and value not in SCALES:
            raise CallError(f"{option} is {value!r}: it is log or natural.")
        if value is not None and measure is not None and not facts.measure(measure).is_ratio:
            raise CallError(f"{option} is for ratios; {measure} is a difference, and has no other scale.")


def _refuse_targets(table: Table, chosen: Mapping[str, str]) -> None:
    """Refuse a mapping to what no column of a review folder and of no known table is called."""
    known = targets("arm level").keys() | targets("contrast level").keys()
    problems = [
        Problem(
            f"{source!r} is to stand for {target!r}, which nothing is called",
            f"{suggestion(target, sorted(_folder_columns()))}; leave a column of no known meaning as it is,"
            " and it becomes a characteristic of the study",
            table.name,
            1,
            source,
        )
        for source, target in chosen.items()
        if target and plain(target) not in known and not is_wide(target) and effect_name(target) is None
    ]
    if problems:
        raise CallError("The mapping names targets that do not exist.", problems)


def _folder_columns() -> set[str]:
    return {c.name for name in (*_ARM_FILES, "contrasts.csv") for c in FILE[name].columns}


def _has_base_rows(table: Table, columns: _Columns, chosen: Mapping[str, str]) -> bool:
    """Tell whether each study has one row with an empty effect: the base arm of a contrast-level table."""
    relative = _recognise(table, chosen, "contrast level").known
    if (
        "arm_b" in relative
        or "o_minus_e" in relative
        or not {"study", "arm_a", "estimate"} <= relative.keys()
    ):
        return False
    study, estimate = relative["study"], relative["estimate"]
    empty = Counter(cells[study] for _, cells in table.rows if not cells[estimate])
    return set(empty.values()) == {1} and empty.keys() == {cells[study] for _, cells in table.rows}


def _sensible(options: Iterable[str], known: Mapping[str, int]) -> set[str]:
    """Drop meanings that make no sense beside what is known already."""
    sensible = set(options)
    if "exposure" in sensible and ("n" in known or "mean" in known):
        # events of n with a follow-up time: the time is no exposure
        sensible.discard("exposure")
        sensible.discard("timepoint")
    return sensible


def _refuse_nameless(table: Table, columns: _Columns) -> None:
    """Refuse rows with numbers and without a study; other rows without one are notes, and left out."""
    study = columns.known["study"]
    numbers = [at for name, at in columns.known.items() if name in (*_STATISTICS, "estimate", "o_minus_e")]
    problems = [
        Problem(
            "the row has numbers and no study",
            "name its study; where an empty cell means the study above it, say --fill-down",
            table.name,
            line,
        )
        for line, cells in table.rows
        if not cells[study] and any(re.search(r"\d", cells[at]) for at in numbers)
    ]
    if problems:
        raise ReviewError(f"{table.name} cannot be imported.", problems)


def _no_shape(table: Table, chosen: Mapping[str, str]) -> ReviewError:
    known = targets("arm level").keys() | targets("contrast level").keys()
    named = hints([name for name in table.header if name not in chosen and plain(name) not in known])
    perhaps = [f"--map {shlex.quote(f'{name}={target}')}" for name, target in named.items()]
    hint = f"; perhaps {' '.join(perhaps)}" if perhaps else ""
    return ReviewError(
        f"{table.name} is neither an arm-level nor a contrast-level table.",
        [
            Problem(
                f"columns: {', '.join(table.header)}",
                "an arm-level table has study, treatment and n with mean and sd (or se), events, or events"
                " and exposure; a contrast-level table has study, treat1, treat2, TE and seTE; a table with"
                " one row per study has study, t1, r1, n1, t2, r2, n2 or ai, n1i, ci, n2i; say with --map"
                f" SOURCE=COLUMN what a column holds{hint}",
                file=table.name,
                line=1,
            )
        ],
    )


def _ask_about_ambiguous(table: Table, columns: _Columns, chosen: Mapping[str, str]) -> None:
    has_spread = columns.known.keys() & {"sd", "se", "ci_lower"}
    if has_spread or ("events" in columns.known):
        return
    problems = [
        Problem(
            f"column {table.header[i]!r} may hold standard deviations, standard errors or variances",
            f"say which: --map {table.header[i]}=sd or --map {table.header[i]}=se",
            file=table.name,
            line=1,
        )
        for i in columns.further
        if plain(table.header[i]) in AMBIGUOUS and table.header[i] not in chosen
    ]
    if problems:
        raise ReviewError("What a column holds cannot be decided.", problems)


def _rows_of_outcome(table: Table, columns: _Columns, outcome: str, report: ImportReport) -> Table:
    if "outcome" not in columns.known:
        return table
    position = columns.known["outcome"]
    rows = tuple(row for row in table.rows if row[1][position] == outcome)
    if not rows:
        values = list(dict.fromkeys(table.column(table.header[position])))
        raise CallError(f"{table.name} has no row with outcome {outcome!r}: {suggestion(outcome, values)}.")
    if len(rows) < len(table.rows):
        report.notes.append(f"{len(table.rows) - len(rows)} rows of other outcomes were not taken")
    return Table(table.name, table.header, rows, table.notes)


def _kind(table: Table, columns: _Columns, measure: str | None) -> str:
    """Tell the kind of an outcome by the columns that hold anything."""
    if measure is not None:
        return facts.review_measure(measure).kind or "continuous"

    def holds(target: str) -> bool:
        place = columns.known.get(target)
        return place is not None and any(row[1][place].strip() for row in table.rows)

    if holds("events"):
        return "rate" if holds("exposure") else "binary"
    return "continuous"


class _Arms:
    """Rows of one arm each on their way into a review folder."""

    def __init__(
        self, table: Table, columns: _Columns, draft: Draft, report: ImportReport, outcome: str
    ) -> None:
        self.table, self.columns, self.draft, self.report = table, columns, draft, report
        self.outcome, self.known = outcome, columns.known
        self.statistics = self._columns_of("measurements.csv", _IDENTITY)
        self.of_arm = self._columns_of("arms.csv", (*_IDENTITY, "n"))
        self.of_study = self._columns_of("studies.csv", ("study", *self.of_arm))
        self.by_study, self.varying = _study_columns(table, columns)
        self.own = _varying(
            table,
            columns,
            self.varying,
            ("arms.csv", "measurements.csv"),
            ("study", "experiment", "arm", "treatment"),
        )
        self.describing = [self.known[name] for name in self.of_study]
        self.occasion = [
            self.known[c] for c in ("timepoint", "timepoint_unit", "extractor") if c in self.known
        ]
        self.named: Counter[tuple[str, ...]] = Counter()
        self.studies: set[tuple[str, tuple[str, ...]]] = set()
        self.treatments: set[str] = set()

    def _columns_of(self, file: str, but: Container[str]) -> list[str]:
        """Columns of a file that the table has, but for some."""
        return [c.name for c in FILE[file].columns if c.name in self.known and c.name not in but]

    def _cell(self, cells: tuple[str, ...], name: str, otherwise: str = "") -> str:
        return cells[self.known[name]] if name in self.known else otherwise

    def take(self, line: int, cells: tuple[str, ...]) -> None:
        """Add an arm and its measurement to the draft, or say in the report why it is left out."""
        self.draft.place = self.table.name, line
        study, treatment = cells[self.known["study"]], cells[self.known["treatment"]]
        if not study or not treatment:
            said = f"a row without a study or a treatment: {' | '.join(filter(None, cells))}"
            self.report.left_out.append(Problem(said, "fill in both", file=self.table.name, line=line))
            return
        experiment = self._cell(cells, "experiment")
        arm = self._cell(cells, "arm") or self._named_arm(line, cells, study, experiment, treatment)
        described = tuple([cells[position] for position in self.describing])
        if (study, described) not in self.studies:
            self.studies.add((study, described))
            _add_study(self.draft, study, dict(zip(self.of_study, described)), self.by_study[study])
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
                **_own(self.table, self.own, "arms.csv", cells),
            },
        )
        self.draft.add(
            "measurements.csv",
            {
                **place,
                "outcome": self.outcome,
                **{name: cells[self.known[name]] for name in self.statistics},
                **_own(self.table, self.own, "measurements.csv", cells),
                "source": self._cell(cells, "source", self.table.name),
                "locator": self._cell(cells, "locator", f"line {line}"),
            },
            key=(),
        )

    def _named_arm(
        self, line: int, cells: tuple[str, ...], study: str, experiment: str, treatment: str
    ) -> str:
        """Call an arm by its treatment, with a number where a study has several of one."""
        key = (study, experiment, treatment, *(cells[position] for position in self.occasion))
        self.named[key] += 1
        nth = self.named[key]
        if nth == 1:
            return treatment
        arm = f"{treatment} ({nth})"
        self.report.notes.append(
            f"line {line}: study {study!r} has treatment {treatment!r} more than once; taken as a"
            f" further arm {arm!r}"
        )
        return arm

    def describe(self) -> None:
        """Say in the report what became of each column, and what is missing."""
        homes = {
            **dict.fromkeys(self.statistics, "measurements.csv"),
            **dict.fromkeys((*self.of_arm, "arm", "treatment", "experiment"), "arms.csv"),
            **dict.fromkeys((*self.of_study, "study"), "studies.csv"),
            "outcome": "outcomes.csv",
            "class": "treatments.csv",
        }
        if self.known.keys() & {"mean", "median"} and not self.known.keys() & _SPREADS:
            self.report.notes.append(
                "no column holds an SD, SE, interval or quartiles, without which no mean can be analysed; if"
                " one does, say which with --map"
            )
        _report_columns(self.table, self.columns, self.report, homes, self.varying, self.own)


def _fill_arms(table: Table, columns: _Columns, draft: Draft, report: ImportReport, outcome: str) -> None:
    arms = _Arms(table, columns, draft, report, outcome)
    for line, cells in table.rows:
        arms.take(line, cells)
    arms.describe()


def _written(
    table: Table,
    columns: _Columns,
    chosen: Mapping[str, str],
    measure: str,
    scale: str | None,
    se_scale: str | None,
    report: ImportReport,
) -> dict[str, str]:
    """Decide how the table writes effects, judging its columns as a whole; what cannot be decided is asked.

    Returns
    -------
    dict of str to str
        Cells of contrasts.csv that are the same in every row: scale, se_scale and ci_level, as far as needed.
    """
    known = columns.known
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
            raise _undecided(
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
            raise _undecided(
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


def _undecided(table: Table, column: str, what: str, remedy: str) -> ReviewError:
    return ReviewError(
        "What a column holds cannot be decided.",
        [Problem(f"column {column!r} may hold {what}", f"say which: {remedy}", table.name, 1)],
    )


def _fill_contrasts(
    table: Table,
    columns: _Columns,
    draft: Draft,
    report: ImportReport,
    outcome: str,
    measure: str,
    written: Mapping[str, str],
) -> None:
    known = columns.known
    identity = ("study", "experiment", "outcome", "arm_a", "arm_b", "measure")
    # A variance beside O - E is that of O - E; without it, the square of a standard error.
    squared = "variance" in known and "o_minus_e" not in known
    statistics = [
        c.name
        for c in FILE["contrasts.csv"].columns
        if c.name in known and c.name not in identity and not (squared and c.name == "variance")
    ]
    by_study, varying = _study_columns(table, columns)
    own = _varying(table, columns, varying, ("contrasts.csv",), ())
    base = {} if "arm_b" in known else _base_rows(table, columns)
    for line, cells in table.rows:
        draft.place = table.name, line
        study, a = cells[known["study"]], cells[known["arm_a"]]
        b, var_base = base[study] if base else (cells[known["arm_b"]], "")
        if base and a == b:
            continue
        effect = [known[what] for what in ("estimate", "o_minus_e") if what in known]
        if not (study and a and b and any(cells[at] for at in effect)):
            report.left_out.append(
                Problem(
                    "a row without a study, two treatments or an estimate",
                    "fill in all four",
                    file=table.name,
                    line=line,
                )
            )
            continue
        experiment = cells[known["experiment"]] if "experiment" in known else ""
        _add_study(draft, study, {}, by_study[study])
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
                "outcome": outcome,
                "arm_a": a,
                "arm_b": b,
                "measure": measure,
                **row,
                **_own(table, own, "contrasts.csv", cells),
                **written,
                "source": cells[known["source"]] if "source" in known else table.name,
                "locator": cells[known["locator"]] if "locator" in known else f"line {line}",
            },
            key=(),
        )
    homes = {
        **dict.fromkeys((*statistics, "arm_a", "arm_b", "variance"), "contrasts.csv"),
        "study": "studies.csv",
        "outcome": "outcomes.csv",
        "experiment": "arms.csv",
    }
    _report_columns(table, columns, report, homes, varying, own)


def _base_rows(table: Table, columns: _Columns) -> dict[str, tuple[str, str]]:
    """Return base arm and variance of its mean for each study, from the rows with an empty effect.

    That is how gemtc (``data.re``) and multinma (``set_agd_contrast``) write contrasts of multi-arm studies.
    """
    known = columns.known
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
    if not text:
        return ""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not value > 0:
        problem = Problem(f"{text!r} is no variance or standard error", "a positive number", table.name, line)
        raise ReviewError(f"{table.name} cannot be imported.", [problem])
    return repr(value**exponent)


def _study_columns(table: Table, columns: _Columns) -> tuple[dict[str, dict[str, str]], set[int]]:
    """Sort columns of no known meaning: constant within each study (a characteristic), or `_varying`."""
    values: dict[tuple[str, int], set[str]] = defaultdict(set)
    for _, cells in table.rows:
        for position in columns.further:
            if cells[position]:
                values[cells[columns.known["study"]], position].add(cells[position])
    varying = {position for (_, position), seen in values.items() if len(seen) > 1}
    by_study: dict[str, dict[str, str]] = defaultdict(dict)
    for (study, position), seen in values.items():
        if position not in varying and table.header[position]:
            by_study[study][table.header[position]] = next(iter(seen))
    return by_study, varying


def _varying(
    table: Table, columns: _Columns, varying: set[int], files: Sequence[str], within: Sequence[str]
) -> dict[int, str]:
    """Find the file that takes each column that differs within a study.

    Parameters
    ----------
    table, columns, varying
        The table, what is known of it, and positions of the columns.
    files : sequence of str
        Where rows go; the first takes a column that is constant for equal cells of `within`, the last any.
    within : sequence of str
        Known columns that say what a row of the first file is.

    Returns
    -------
    dict of int to str
        File by position; a column is missing whose name the file would take for one of its own.
    """
    names = [name for name in within if name in columns.known]
    found = {}
    for position in sorted(varying):
        seen: dict[tuple[str, ...], set[str]] = defaultdict(set)
        for _, cells in table.rows:
            seen[tuple(cells[columns.known[name]] for name in names)].add(cells[position])
        home = files[0] if all(len(cells) == 1 for cells in seen.values()) else files[-1]
        if is_own_column(table.header[position], FILE[home], columns.known):
            found[position] = home
    return found


def _own(table: Table, homes: Mapping[int, str], file: str, cells: Sequence[str]) -> dict[str, str]:
    """Cells of a row's own columns that go into one file."""
    return {table.header[position]: cells[position] for position, home in homes.items() if home == file}


def _add_study(
    draft: Draft, study: str, cells: Mapping[str, str], characteristics: Mapping[str, str]
) -> None:
    draft.add("studies.csv", {"study": study, "label": study, **cells, **characteristics})


def _report_columns(
    table: Table,
    columns: _Columns,
    report: ImportReport,
    homes: Mapping[str, str],
    varying: set[int],
    own: Mapping[int, str],
) -> None:
    target = {position: name for name, position in columns.known.items()}
    for position, name in enumerate(table.header):
        if position in target:
            what = target[position]
            squared = what == "variance" and "o_minus_e" not in columns.known
            became = "se" if squared else what
            note = "square root taken" if squared else ""
            report.mappings.append(ColumnMapping(name, f"{homes.get(what, '')}: {became}", note))
        elif position in own:
            of = {"arms.csv": "arm", "measurements.csv": "measurement"}.get(own[position], "contrast")
            note = f"differs within a study: a variable of the {of}"
            report.mappings.append(ColumnMapping(name, f"{own[position]}: {name}", note))
        elif position in varying:
            report.mappings.append(
                ColumnMapping(name, "", "no known meaning, and it differs within a study; name it with --map")
            )
        elif position in columns.further:
            report.mappings.append(
                ColumnMapping(name, f"studies.csv: {name}", "a characteristic of the study")
            )
        else:
            report.mappings.append(ColumnMapping(name, "", "left out as asked"))


def _report_wide(report: ImportReport, wide: LongForm) -> None:
    """Report the columns of the wide table in place of those that were made of them."""
    mappings = []
    for item in report.mappings:
        sources = wide.sources.get(item.column, (item.column,))
        mappings += [ColumnMapping(source, item.became, item.note) for source in sources]
    report.mappings = [*mappings, *wide.left_out]
