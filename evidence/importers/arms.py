"""A table with one row per arm, per contrast or per study becomes, or extends, a review folder.

Column names of the field's usual tools are recognised through the reference table ``column_alias``. Any other
column that is constant within each study becomes a characteristic of it; what cannot be decided is asked for.
"""

from __future__ import annotations

import math
import re
import shlex
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from evidence import facts, hazard
from evidence.errors import CallError, Problem, ReviewError
from evidence.hazard import contradiction
from evidence.importers.cells import filled_down, taken_apart
from evidence.importers.draft import ColumnMapping, Draft, ImportReport
from evidence.importers.names import AMBIGUOUS, hints, plain, targets
from evidence.importers.table import Table, read_table
from evidence.importers.wide import LongForm, long_form
from evidence.layout import FILE
from evidence.names import suggestion
from evidence.sheet import is_own_column

_IDENTITY = ("study", "experiment", "arm", "treatment", "outcome")
_SPREADS = frozenset(("sd", "se", "ci_lower", "q1", "min"))
_READ_FROM = frozenset(("text", "table", "figure", "author"))
_STATISTICS = frozenset(("mean", "median", "events"))


@dataclass(frozen=True)
class _Columns:
    """Which source column holds what: target -> position; and the positions of no known meaning."""

    known: dict[str, int]
    further: tuple[int, ...]


def import_arms(
    file: str | Path,
    into: str | Path,
    *,
    outcome: str,
    unit: str | None = None,
    measure: str | None = None,
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
    file : path
        CSV, TSV, XLSX, Stata or Parquet file with one row per arm (study, treatment and statistics), per
        contrast (study, two treatments, effect with its standard error; log scale for ratio measures), or
        per study (see `evidence.importers.wide`).
    into : path
        Review folder to make or extend; what stands in it is kept.
    outcome : str
        Id of the outcome; where the table has an outcome column, only the rows of this outcome are taken.
    unit : str, optional
        Unit of the outcome.
    measure : str, optional
        Effect measure of a contrast-level table, which must be named.
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
    return import_table(
        read_table(file, sheet=sheet, header=header),
        into,
        outcome=outcome,
        unit=unit,
        measure=measure,
        lower_is_better=lower_is_better,
        event_is_bad=event_is_bad,
        label=label,
        mapping=mapping,
        treatment=treatment,
        control=control,
        fill_down=fill_down,
        dry_run=dry_run,
    )


def import_table(
    table: Table,
    into: str | Path,
    *,
    outcome: str,
    unit: str | None = None,
    measure: str | None = None,
    lower_is_better: bool | None = None,
    event_is_bad: bool | None = None,
    label: str | None = None,
    mapping: Mapping[str, str] | None = None,
    treatment: str | None = None,
    control: str | None = None,
    fill_down: bool = False,
    dry_run: bool = False,
) -> ImportReport:
    """Make or extend a review folder from a table that was read already; see `import_arms`."""
    if measure is not None:
        facts.review_measure(measure)
    table, chosen = taken_apart(table, mapping or {})
    report = ImportReport(table.name, notes=list(table.notes))
    if wide := long_form(table, chosen, treatment=treatment, control=control):
        table, chosen = wide.table, wide.chosen
        report.notes += wide.notes
    elif treatment or control:
        raise CallError(
            f"{table.name} names its groups itself: --treatment and --control are for tables such as"
            " 'ai bi ci di' or 'yi vi'."
        )
    columns = _recognise(table, chosen, "arm level")
    fill = _fill_arms
    if not ({"study", "treatment"} <= columns.known.keys() and _STATISTICS & columns.known.keys()) or (
        measure is not None and _has_base_rows(table, columns, chosen)
    ):
        columns = _recognise(table, chosen, "contrast level")
        fill = _fill_contrasts
        if not {"study", "arm_a", "estimate"} <= columns.known.keys():
            raise _no_shape(table, chosen)
        if measure is None:
            raise CallError(
                f"{table.name} has one row per contrast: say which effect measure it holds, for example"
                " --measure MD (ratio measures on the log scale)."
            )
    _ask_about_ambiguous(table, columns, chosen)
    if fill_down:
        table = filled_down(table, columns.known["study"])
        report.notes.append(table.notes[-1])
    _refuse_nameless(table, columns)
    table = _rows_of_outcome(table, columns, outcome, report)
    draft = Draft(into, title=label or outcome)
    if wide and wide.control:
        draft.add(
            "treatments.csv",
            {"treatment": wide.control, "label": wide.control, "role": "control"},
            key=["treatment"],
        )
    fill(table, columns, draft, report, outcome, measure)
    draft.place = None
    name = table.name
    # The rows are in the draft now; a large table need not be in memory twice while the folder is checked.
    del table
    kind = _kind(columns, measure if fill is _fill_contrasts else None)
    known = next((row for row in draft.rows("outcomes.csv") if row.get("outcome") == outcome), None)
    if known is not None and known.get("kind") != kind:
        raise ReviewError(f"Outcome {outcome!r} is {known.get('kind')} in the folder and {kind} in {name}.")
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
        key=["outcome"],
    )
    if wide:
        _report_wide(report, wide)
    return draft.finish(report, dry_run=dry_run)


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


def _recognise(table: Table, chosen: Mapping[str, str], shape: str) -> _Columns:
    meanings = targets(shape)
    candidates: dict[int, set[str]] = {}
    for position, name in enumerate(table.header):
        if name in chosen:
            candidates[position] = {chosen[name]} if chosen[name] else set()
        else:
            candidates[position] = set(meanings.get(plain(name), ()))
            if "method" in candidates[position] and not _READ_FROM & set(map(str.lower, table.column(name))):
                # Not how the numbers were read: some method of the study.
                candidates[position].discard("method")
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


def _has_base_rows(table: Table, columns: _Columns, chosen: Mapping[str, str]) -> bool:
    """Tell whether each study has one row with an empty effect: the base arm of a contrast-level table."""
    relative = _recognise(table, chosen, "contrast level").known
    if "arm_b" in relative or not {"study", "arm_a", "estimate"} <= relative.keys():
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
    numbers = [at for name, at in columns.known.items() if name in (*_STATISTICS, "estimate")]
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


def _kind(columns: _Columns, measure: str | None) -> str:
    if measure is not None:
        return facts.review_measure(measure).kind or "continuous"
    if "events" in columns.known:
        return "rate" if "exposure" in columns.known else "binary"
    return "continuous"


def _fill_arms(
    table: Table, columns: _Columns, draft: Draft, report: ImportReport, outcome: str, measure: str | None
) -> None:
    known = columns.known
    statistics = [
        column.name
        for column in FILE["measurements.csv"].columns
        if column.name in known and column.name not in _IDENTITY
    ]
    of_arm = [c.name for c in FILE["arms.csv"].columns if c.name in known and c.name not in (*_IDENTITY, "n")]
    of_study = [
        c.name for c in FILE["studies.csv"].columns if c.name in known and c.name not in ("study", *of_arm)
    ]
    by_study, varying = _study_columns(table, columns)
    own = _varying(
        table, columns, varying, ("arms.csv", "measurements.csv"), ("study", "experiment", "arm", "treatment")
    )
    named: Counter[tuple[str, ...]] = Counter()
    describing = [known[name] for name in of_study]
    studies: set[tuple[str, tuple[str, ...]]] = set()
    treatments: set[str] = set()
    occasion = [known[c] for c in ("timepoint", "timepoint_unit", "extractor") if c in known]
    for line, cells in table.rows:
        draft.place = table.name, line
        study, treatment = cells[known["study"]], cells[known["treatment"]]
        if not study or not treatment:
            report.left_out.append(
                Problem(
                    f"a row without a study or a treatment: {' | '.join(filter(None, cells))}",
                    "fill in both",
                    file=table.name,
                    line=line,
                )
            )
            continue
        experiment = cells[known["experiment"]] if "experiment" in known else ""
        if "arm" in known and cells[known["arm"]]:
            arm = cells[known["arm"]]
        else:
            key = (study, experiment, treatment, *(cells[position] for position in occasion))
            named[key] += 1
            nth = named[key]
            arm = treatment if nth == 1 else f"{treatment} ({nth})"
            if nth > 1:
                report.notes.append(
                    f"line {line}: study {study!r} has treatment {treatment!r} more than once; taken as a"
                    f" further arm {arm!r}"
                )
        described = tuple([cells[position] for position in describing])
        if (study, described) not in studies:
            studies.add((study, described))
            _add_study(draft, study, dict(zip(of_study, described)), by_study[study])
        if treatment not in treatments:
            treatments.add(treatment)
            group = cells[known["class"]] if "class" in known else ""
            draft.add(
                "treatments.csv",
                {"treatment": treatment, "label": treatment, "class": group},
                key=["treatment"],
            )
        draft.add(
            "arms.csv",
            {
                "study": study,
                "experiment": experiment,
                "arm": arm,
                "treatment": treatment,
                "n": cells[known["n"]] if "n" in known else None,
                **{name: cells[known[name]] for name in of_arm},
                **_own(table, own, "arms.csv", cells),
            },
            key=["study", "experiment", "arm"],
        )
        draft.add(
            "measurements.csv",
            {
                "study": study,
                "experiment": experiment,
                "arm": arm,
                "outcome": outcome,
                **{name: cells[known[name]] for name in statistics},
                **_own(table, own, "measurements.csv", cells),
                "source": cells[known["source"]] if "source" in known else table.name,
                "locator": cells[known["locator"]] if "locator" in known else f"line {line}",
            },
        )
    homes = {
        **dict.fromkeys(statistics, "measurements.csv"),
        **dict.fromkeys((*of_arm, "arm", "treatment", "experiment"), "arms.csv"),
        **dict.fromkeys((*of_study, "study"), "studies.csv"),
        "outcome": "outcomes.csv",
        "class": "treatments.csv",
    }
    if known.keys() & {"mean", "median"} and not known.keys() & _SPREADS:
        report.notes.append(
            "no column holds an SD, SE, interval or quartiles, without which no mean can be analysed; if one"
            " does, say which with --map"
        )
    _report_columns(table, columns, report, homes, varying, own)


def _fill_contrasts(
    table: Table, columns: _Columns, draft: Draft, report: ImportReport, outcome: str, measure: str | None
) -> None:
    known = columns.known
    identity = ("study", "experiment", "outcome", "arm_a", "arm_b", "measure")
    statistics = [c.name for c in FILE["contrasts.csv"].columns if c.name in known and c.name not in identity]
    by_study, varying = _study_columns(table, columns)
    own = _varying(table, columns, varying, ("contrasts.csv",), ())
    base = {} if "arm_b" in known else _base_rows(table, columns)
    for line, cells in table.rows:
        draft.place = table.name, line
        study, a = cells[known["study"]], cells[known["arm_a"]]
        b, var_base = base[study] if base else (cells[known["arm_b"]], "")
        if base and a == b:
            continue
        if not (study and a and b and cells[known["estimate"]]):
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
            draft.add("treatments.csv", {"treatment": treatment, "label": treatment}, key=["treatment"])
            draft.add(
                "arms.csv",
                {"study": study, "experiment": experiment, "arm": treatment, "treatment": treatment},
                key=["study", "experiment", "arm"],
            )
        row = {name: cells[known[name]] for name in statistics}
        if "variance" in known and not row.get("se"):
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
                "source": cells[known["source"]] if "source" in known else table.name,
                "locator": cells[known["locator"]] if "locator" in known else f"line {line}",
            },
        )
    if measure is not None and facts.measure(measure).is_ratio:
        report.notes.append(f"estimates and standard errors were taken as log {measure}")
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
    draft.add("studies.csv", {"study": study, "label": study, **cells, **characteristics}, key=["study"])


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
            became = "se" if what == "variance" else what
            note = "square root taken" if what == "variance" else ""
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
