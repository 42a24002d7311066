"""A table as a whole: every column with its meaning, by what the table and the call say."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from evidence.errors import CallError, Problem, ReviewError
from evidence.folder.column_names import AMBIGUOUS, effect_name, plain
from evidence.importers.table import Table
from evidence.importers.tables.cells import is_gap
from evidence.importers.tables.gaps import Unread, with_gaps
from evidence.importers.tables.melt import LongForm, converted, long_form
from evidence.importers.tables.prepare import (
    chosen_rows,
    filled_down,
    holds,
    numbered_studies,
    taken_apart,
    without_per_cent_signs,
    without_totals,
    years_read,
)
from evidence.importers.tables.shape.result import CENTRES, Shape, undecided
from evidence.importers.tables.shape.understand import understand
from evidence.importers.tables.suggest import Suggestion, no_shape, with_suggestions
from evidence.importers.tables.targets import as_options, is_target, refuse_unknown


@dataclass(frozen=True)
class Understood:
    """A table with every column's meaning, rows in long form.

    Attributes
    ----------
    form : LongForm
    is_relative : bool
        Whether a row is a contrast.
    aside : dict of str to str
        Columns whose meaning another one has, and why.
    left_out : list of Problem
        Rows that are no data.
    notes : list of str
        What had to be decided.
    unread : Unread
        Cells of numbers that hold none.
    """

    form: LongForm
    is_relative: bool
    aside: dict[str, str]
    unread: Unread
    left_out: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Call:
    """What the call says of a table besides its mapping.

    Attributes
    ----------
    measure, treatment, control, fill_down, rows, missing, number_studies
        See `evidence.importers.arms.import_arms`.
    by_arm : bool
        Whether a column of the arm will do where none names the treatment.
    """

    measure: str | None = None
    treatment: str | None = None
    control: str | None = None
    fill_down: bool = False
    rows: str | None = None
    missing: tuple[str, ...] = ()
    number_studies: bool = False
    by_arm: bool = False

    def read(self, table: Table, mapping: Mapping[str, str]) -> Understood:
        """Understand the rows that are asked for; what would make a table understood is tried, and said.

        Raises
        ------
        CallError, ReviewError
            See `understand`.
        """
        if self.rows is not None:
            table = chosen_rows(table, self.rows)
        with with_suggestions(table, mapping, self.tries(mapping)):
            return self.understand(table, mapping)

    def understand(self, table: Table, mapping: Mapping[str, str]) -> Understood:
        """Give every column its meaning, and the table one row for each arm or contrast.

        Raises
        ------
        CallError, ReviewError
            If a mapping names what is not there, or the table cannot be understood.
        """
        _refuse_doubled(table, mapping)
        if self.number_studies:
            table = numbered_studies(table, mapping)
        table, chosen = taken_apart(table, mapping)
        refuse_unknown(table, chosen)
        if intervals := _intervals(table, chosen, self.measure):
            table, chosen = taken_apart(table, chosen | intervals)
        shape = understand(
            table,
            chosen,
            measure=self.measure,
            treatment=self.treatment,
            control=self.control,
            by_arm=self.by_arm,
        )
        if shape is None:
            raise no_shape(table)
        if self.number_studies and shape.rows == "arms":
            raise CallError(
                f"{table.name} has one row for each arm: --number-studies is for one row for each study."
            )
        mapped = [at for at, name in enumerate(table.header) if chosen.get(name)]
        if "year" in shape.known:
            table = years_read(table, shape.known["year"])
        table, shape, unread = with_gaps(table, shape, self.missing, mapped)
        left_out: list[Problem] = []
        if "study" in shape.known:
            if self.fill_down:
                table = filled_down(table, shape.known["study"])
            _refuse_nameless(table, shape)
            table = without_totals(table, shape.known["study"], _counts(shape), left_out)
        notes = list(table.notes)
        aside = {table.header[at]: why for at, why in shape.aside.items()}
        with unread.offered():
            form = converted(_with_unit_of_time(long_form(table, shape, chosen), shape, table))
        told = without_per_cent_signs(form.table, form.further)
        form = replace(form, table=told, notes=(*form.notes, *told.notes[len(form.table.notes) :]))
        form = replace(form, sources={**form.sources, **unread.made})
        is_relative = shape.rows in ("contrasts", "effects")
        if not is_relative:
            _ask_about_ambiguous(form, chosen)
        return Understood(form, is_relative, aside, unread, left_out, [*notes, *form.notes])

    def tries(self, mapping: Mapping[str, str]) -> Callable[[Table, Suggestion], bool]:
        """Make what tries a suggestion before it is printed, together with what the person has said."""

        def tried(table: Table, suggestion: Suggestion) -> bool:
            call = replace(
                self,
                treatment=self.treatment or suggestion.treatment,
                control=self.control or suggestion.control,
                measure=self.measure or suggestion.measure,
                number_studies=self.number_studies or suggestion.number_studies,
            )
            return call.reads(table, {**mapping, **suggestion.mapping})

        return tried

    def reads(self, table: Table, mapping: Mapping[str, str]) -> bool:
        """Whether a mapping makes a table understood: study, treatment and a statistic in most rows."""
        try:
            understood = self.understand(table, mapping)
        except (CallError, ReviewError):
            return False
        form = understood.form
        if understood.is_relative:
            return True
        needed = [form.known[what] for what in ("study", "treatment") if what in form.known]
        centre = [form.known[what] for what in CENTRES if what in form.known]
        full = sum(
            all(cells[at] for at in needed) and not all(is_gap(cells[at]) for at in centre)
            for _, cells in form.table.rows
        )
        spread = form.known.keys() & {"sd", "se", "ci_lower", "q1", "events"}
        return bool(spread) and 10 * full >= 9 * len(form.table.rows)


def _with_unit_of_time(form: LongForm, shape: Shape, table: Table) -> LongForm:
    """Add the unit that stands in the name of a column of times."""
    if not shape.units or "timepoint_unit" in form.known or "timepoint" not in form.known:
        return form
    (unit,) = set(shape.units.values())
    name = form.table.header[form.known["timepoint"]]
    made = " timepoint_unit"
    rows = tuple((line, (*cells, unit)) for line, cells in form.table.rows)
    return LongForm(
        Table(table.name, (*form.table.header, made), rows, form.table.notes),
        {**form.known, "timepoint_unit": len(form.table.header)},
        form.further,
        {**form.sources, made: ()},
        form.left_out,
        form.control,
        (*form.notes, f"the time points are in {unit}, by the name {name!r}"),
    )


def _counts(shape: Shape) -> list[int]:
    groups = shape.groups.values() or [shape.known]
    return [group[what] for group in groups for what in ("n", "events", "non_events") if what in group]


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


def _refuse_doubled(table: Table, mapping: Mapping[str, str]) -> None:
    """Refuse a name given twice where it has a meaning: which of the two is meant, nobody knows."""
    problems = [
        Problem(
            f"column {first!r} is given twice",
            f"leave one of them out: {as_options({first: ''})} or {as_options({again: ''})}",
            table.name,
            1,
        )
        for again, first in table.doubled
        if not {again, first} & mapping.keys() and is_target(first)
    ]
    if problems:
        raise ReviewError(f"{table.name} cannot be read as a table.", problems)


def _refuse_nameless(table: Table, shape: Shape) -> None:
    """Refuse rows with numbers and without a study; other rows without one are notes, and left out."""
    study = shape.known["study"]
    wanted = {*CENTRES, "estimate", "o_minus_e"}
    numbers = [
        at for group in (shape.known, *shape.groups.values()) for what, at in group.items() if what in wanted
    ]
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


def _ask_about_ambiguous(form: LongForm, chosen: Mapping[str, str]) -> None:
    """Ask what a spread of unknown kind is, where the means have no other."""
    if form.known.keys() & {"sd", "se", "ci_lower", "events"}:
        return
    said = []
    for name in (form.table.header[i] for i in form.further):
        if plain(name) in AMBIGUOUS and name not in chosen:
            squared = plain(name) in ("variance", "var")
            sd, se = (as_options({name: kind + "^2" * squared}) for kind in ("sd", "se"))
            options = f"{sd} (a variance of the values) or {se} (of the mean)" if squared else f"{sd} or {se}"
            may = "may hold standard deviations, standard errors or variances"
            said.append((f"column {name!r} {may}", f"say which: {options}"))
    if said:
        raise undecided(form.table, *said)
