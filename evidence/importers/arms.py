"""A table with one row per arm, per contrast or per study becomes, or extends, a review folder.

Columns are understood together (`evidence.importers.tables.shape`), by the names of the field's usual tools
(reference tables ``column_alias`` and ``group_word``), the cells and each other. A column of no known meaning
describes the study, the arm or the measurement; what cannot be decided is asked for.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Unpack

from evidence import facts
from evidence.errors import CallError, Problem, ReviewError
from evidence.facts import hazard
from evidence.facts.hazard import contradiction
from evidence.folder.column_names import effect_name
from evidence.importers.draft import Draft, ImportReport
from evidence.importers.table import Reading, Table, read_table
from evidence.importers.tables.call import Call
from evidence.importers.tables.effects import Scale, fill_contrasts, refuse_scale
from evidence.importers.tables.melt import LongForm
from evidence.importers.tables.rows import Arms, report_sources
from evidence.importers.tables.ways_out import dispensable, with_a_way_out
from evidence.names import suggestion
from evidence.store.bulk import uncollected


@dataclass(frozen=True)
class OfOutcome:
    """What the call says of an outcome: unit, directions, printed name."""

    unit: str | None = None
    lower_is_better: bool | None = None
    event_is_bad: bool | None = None
    label: str | None = None


@uncollected()
def import_arms(
    file: str | Path | Table,
    into: str | Path,
    *,
    outcome: str | None = None,
    unit: str | None = None,
    measure: str | None = None,
    scale: str | None = None,
    se_scale: str | None = None,
    lower_is_better: bool | None = None,
    event_is_bad: bool | None = None,
    label: str | None = None,
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
    """Make or extend a review folder from a table of arms or contrasts, long or wide.

    Parameters
    ----------
    file : path or Table
        CSV, TSV, XLSX, Stata or Parquet file, or a table that was read, with one row per arm (study,
        treatment and statistics), per contrast (study, two treatments, effect with its standard error or
        interval), or per study (a set of columns for each group; see `evidence.importers.tables.shape`).
    into : path
        Review folder to make or extend; what stands in it is kept.
    outcome : str, optional
        Id of the outcome; where the table has an outcome column, only the rows of this outcome are taken, and
        all outcomes without it.
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
        Source column to what it stands for (`evidence.importers.tables.targets`), where the name does not
        say;
        an empty target leaves it out, ``mean+sd`` takes cells such as ``210.5 ± 31.6`` apart, and a source
        ``author+year`` joins two columns.
    rows : str, optional
        SQL condition on the table's columns; other rows are not taken.
    treatment, control : str, optional
        Names of the two groups of a table that does not name them (``ai bi ci di``, ``yi vi``);
        ``'treatment'`` and ``'control'`` without them.
    fill_down : bool
        An empty cell of the study's column means the study above it.
    missing : iterable of str
        Texts that stand for a missing number, such as ``see text``, besides those of the reference table
        ``missing_code``; each is kept in ``note``.
    number_studies : bool
        Call the rows of a table that names no study by their numbers.
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
        If the call cannot be carried out (no measure, an unknown column in `mapping`).
    ReviewError
        If the table has errors, no row of it can be taken, or the folder would have errors; nothing is
        written
        then.
    """
    table = file if isinstance(file, Table) else read_table(file, doubled="keep", **reading)
    if measure is not None:
        facts.review_measure(measure)
    refuse_scale(measure, scale, se_scale)
    call = Call(measure, treatment, control, fill_down, rows, tuple(missing), number_studies)
    understood = call.read(table, dict(mapping or {}))
    name = table.name
    del table
    form = understood.form
    if understood.is_relative and measure is None:
        named = _named_measure(form.table.header) or "MD"
        raise CallError(
            f"{name} has one row per contrast: say which effect measure it holds, for example"
            f" --measure {named}."
        )
    report = ImportReport(name, notes=understood.notes, left_out=understood.left_out)
    form, outcome = _rows_of_outcome(form, outcome, report)
    draft = Draft(into, title=label or outcome or "")
    if form.control:
        draft.add("treatments.csv", {"treatment": form.control, "label": form.control, "role": "control"})
    of_outcome = OfOutcome(unit, lower_is_better, event_is_bad, label)
    if understood.is_relative:
        assert measure is not None
        kinds = _take_contrasts(
            form, draft, report, outcome, understood.aside, Scale(measure, scale, se_scale), unit
        )
    else:
        kinds = _take_arms(form, draft, report, outcome, understood.aside, unit)
    draft.place = None
    if not kinds:
        raise _no_row(name, report)
    report_sources(report, form)
    unread, can_go = understood.unread, dispensable(form)
    # The rows are in the draft now; a large table need not be in memory twice while the folder is checked.
    del form, understood
    _refuse_shared(kinds, of_outcome)
    for key, kind in kinds.items():
        _add_outcome(draft, report, name, key, kind, of_outcome)
    try:
        with unread.offered():
            return draft.finish(report, dry_run=dry_run)
    except ReviewError as error:
        raise with_a_way_out(error, can_go) from None


def _take_arms(
    form: LongForm,
    draft: Draft,
    report: ImportReport,
    outcome: str | None,
    aside: Mapping[str, str],
    unit: str | None,
) -> dict[str, str]:
    """Take rows of arms into the draft; gives the kind of each outcome that has any."""
    arms = Arms(form, draft, report, outcome, aside, _unit_beside(draft, outcome, unit, form))
    for line, cells in form.table.rows:
        arms.take(line, cells)
    arms.describe()
    return {key: arms.kind(key) for key in arms.kinds}


def _take_contrasts(
    form: LongForm,
    draft: Draft,
    report: ImportReport,
    outcome: str | None,
    aside: Mapping[str, str],
    said: Scale,
    unit: str | None,
) -> dict[str, str]:
    """Take rows of contrasts into the draft; gives the kind of each outcome that has any."""
    taken = fill_contrasts(
        form, draft, report, outcome, aside, said, _unit_beside(draft, outcome, unit, form)
    )
    return dict.fromkeys(taken, facts.review_measure(said.measure).kind or "continuous")


def _unit_beside(draft: Draft, outcome: str | None, unit: str | None, form: LongForm) -> dict[str, str]:
    """Give rows a unit of their own, where the folder has the outcome in another one."""
    known = next((row for row in draft.rows("outcomes.csv") if row.get("outcome") == outcome), {})
    if unit and known.get("unit") and known["unit"] != unit and "unit" not in form.known:
        return {"unit": unit}
    return {}


def _no_row(name: str, report: ImportReport) -> ReviewError:
    problems = report.left_out[:20] or [
        Problem("no row has an effect and two treatments", "check which columns they are", name)
    ]
    return ReviewError(f"Nothing was imported: no row of {name} could be taken.", problems)


def _refuse_shared(kinds: Mapping[str, str], said: OfOutcome) -> None:
    """Refuse for several outcomes what can only be true of one."""
    if len(kinds) < 2:
        return
    options = {"--label": said.label, "--unit": said.unit}
    if given := [option for option, value in options.items() if value is not None]:
        raise CallError(
            f"{' and '.join(given)} is of one outcome, and the table has {len(kinds)}: give it with"
            " --outcome, one"
            " after the other; or leave it away, and fill in outcomes.csv."
        )


def _add_outcome(
    draft: Draft, report: ImportReport, source: str, outcome: str, kind: str, said: OfOutcome
) -> None:
    """Add the outcome to the draft, of the kind that the folder knows it as.

    Raises
    ------
    ReviewError
        If it is of another kind, or direction, there.
    """
    known = next((row for row in draft.rows("outcomes.csv") if row.get("outcome") == outcome), None)
    if known is not None and known.get("kind") != kind:
        raise ReviewError(f"Outcome {outcome!r} is {known.get('kind')} in the folder and {kind} in {source}.")
    _check_direction(outcome, kind, known, said, report)
    cells = {
        "outcome": outcome,
        "label": said.label or outcome,
        "kind": kind,
        "unit": said.unit if not (known or {}).get("unit") else None,
        "lower_is_better": None if said.lower_is_better is None else str(said.lower_is_better).lower(),
        "event_is_bad": None if said.event_is_bad is None else str(said.event_is_bad).lower(),
    }
    for name in ("lower_is_better", "event_is_bad"):
        if known and known.get(name) and cells[name] and known[name].lower() != cells[name]:
            raise CallError(
                f"{name} of {outcome!r} is {known[name]} in the folder, and {cells[name]} in the"
                " call: leave the"
                " option away, or change outcomes.csv."
            )
    draft.add("outcomes.csv", cells)


def _check_direction(
    outcome: str, kind: str, known: Mapping[str, str] | None, said: OfOutcome, report: ImportReport
) -> None:
    """Ask for the direction of a hazard ratio where neither the call, the folder nor the name gives it."""
    if kind != "time_to_event":
        if said.event_is_bad is not None:
            raise CallError(
                f"Whether the event is bad is asked of time-to-event outcomes; {outcome!r} is {kind}: say "
                "--lower-is-better or --higher-is-better."
            )
        return
    if said.event_is_bad is not None or (known or {}).get("event_is_bad"):
        return
    ask = "say --event-is-bad (death, relapse) or --event-is-good (healing)"
    if contradiction(outcome, said.label, said.lower_is_better):
        better = "lower" if said.lower_is_better else "higher"
        raise CallError(
            f"{said.label or outcome!r} is better {better} as a time, but a hazard ratio is of the"
            f" event: {ask}."
        )
    if hazard.event_is_bad(outcome, said.label, said.lower_is_better) is None:
        report.notes.append(f"a hazard ratio of {outcome!r} has no direction of benefit yet: {ask}")


def _named_measure(header: Iterable[str]) -> str | None:
    """Effect measure that a column's name holds, if any does."""
    named = (effect_name(name) for name in header)
    return next((effect.measure for effect in named if effect is not None and effect.measure), None)


def _rows_of_outcome(
    form: LongForm, outcome: str | None, report: ImportReport
) -> tuple[LongForm, str | None]:
    """Tell which outcome rows are of, and which other rows are not taken.

    Rows of other outcomes stay in the table until the variables of studies are found: what differs between
    outcomes does not describe a study.
    """
    table = form.table
    if "outcome" not in form.known:
        if outcome is None:
            raise CallError(
                f"{table.name} has no column of the outcome: say which it is about, --outcome NAME."
            )
        return form, outcome
    if outcome is None:
        return form, None
    position = form.known["outcome"]
    values = dict.fromkeys(cells[position] for _, cells in table.rows)
    if outcome not in values:
        raise CallError(
            f"{table.name} has no row with outcome {outcome!r}: {suggestion(outcome, list(values))};"
            " all outcomes"
            " are taken without --outcome."
        )
    others = sum(cells[position] != outcome for _, cells in table.rows)
    if others:
        report.notes.append(f"{others} rows of other outcomes were not taken")
    return form, outcome
