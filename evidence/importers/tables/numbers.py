"""Numbers as tables give them: shares of n, squares, nearly whole counts become those of a folder."""

from __future__ import annotations

import math
from collections.abc import Callable

from evidence.errors import Problem, ReviewError
from evidence.facts.plausibility import rounding
from evidence.importers.table import THOUSANDS, Table
from evidence.importers.tables.cells import WHOLE, is_gap, number

Cells = dict[str, str]
Change = Callable[[Cells, int], None]


class Converter:
    """Converts the columns of a table with one row for each arm.

    Parameters
    ----------
    table : Table
    known : dict of str to int
        Column of each meaning.
    """

    def __init__(self, table: Table, known: dict[str, int]) -> None:
        self.table, self.known = table, dict(known)
        self.problems: list[Problem] = []
        self.counted: dict[str, int] = {}
        self.unsure: list[int] = []

    def run(self) -> tuple[Table, dict[str, int], list[str]]:
        """Convert; gives the table, where its meanings stand now, and what was done.

        Raises
        ------
        ReviewError
            If a number cannot be converted; names every line.
        """
        table, before, notes = self.table, self.known, []
        header = self.table.header
        for what, becomes, change in (
            ("sd^2", "sd", self._root),
            ("se^2", "se", self._root),
            ("percent", "events", self._of_percent),
            ("proportion", "events", self._of_proportion),
            ("non_events", "n", self._with_events),
        ):
            if what not in self.known:
                continue
            name = header[self.known[what]].strip()
            if becomes in self.known:
                notes.append(
                    f"{name!r} was left out: {header[self.known[becomes]].strip()!r} gives the {becomes}"
                )
                self.known = {key: at for key, at in self.known.items() if key != what}
                continue
            table = self._changed(table, self.known[what], change)
            self.known = {becomes if key == what else key: at for key, at in self.known.items()}
            notes.append(f"{becomes} was reckoned from {name!r}" + _OF.get(what, ""))
        for what in ("events", "n"):
            if what in self.known:
                self._refuse_thousands(table, what)
                table = self._whole(table, self.known[what])
                if rounded := self.counted.pop("rounded", 0):
                    notes.append(
                        f"{rounded} number{'s' * (rounded != 1)} of"
                        f" {header[self.known[what]].strip()!r} within"
                        f" {WHOLE:g} of a whole number were rounded to it"
                    )
        if self.unsure:
            notes.append(
                f"line{'s' * (len(self.unsure) != 1)} {', '.join(map(str, self.unsure[:10]))}"
                f"{' and more' * (len(self.unsure) > 10)}: the share is printed too coarsely for its n: the"
                " nearest count was taken, and others round to the same share"
            )
        if self.problems:
            raise ReviewError(f"{table.name} cannot be imported.", self.problems)
        del before
        return table, self.known, notes

    def _changed(self, table: Table, at: int, change: Callable[[str, tuple[str, ...], int], str]) -> Table:
        rows = tuple(
            (line, (*cells[:at], change(cells[at], cells, line), *cells[at + 1 :]))
            for line, cells in table.rows
        )
        return Table(table.name, table.header, rows, table.notes)

    def _whole(self, table: Table, at: int) -> Table:
        changed = {}
        for cell in {cells[at] for _, cells in table.rows}:
            if "." not in cell and "e" not in cell and "E" not in cell:
                continue
            value = number(cell)
            if value is not None and value != round(value) and abs(value - round(value)) <= WHOLE:
                changed[cell] = str(round(value))
        if not changed:
            return table
        self.counted["rounded"] = sum(cells[at] in changed for _, cells in table.rows)
        return self._changed(table, at, lambda cell, cells, line: changed.get(cell, cell))

    def _refuse_thousands(self, table: Table, what: str) -> None:
        """Refuse 1.204 people, unless other cells show that the column has decimals."""
        at = self.known[what]
        pointed = {cell for _, cells in table.rows if "." in (cell := cells[at])}
        if all(THOUSANDS.fullmatch(cell) or (number(cell) or 0.5) % 1 == 0 for cell in pointed):
            for line, cells in table.rows:
                if THOUSANDS.fullmatch(cells[at]):
                    digits = cells[at].replace(".", "")
                    self._wrong(
                        f"{cells[at]!r} as {what}: its point may part thousands, or decimals",
                        f"write {digits}, or {cells[at]}0 if it is no whole number",
                        line,
                        what,
                    )

    def _wrong(self, message: str, remedy: str, line: int, at: str) -> str:
        name = self.table.header[self.known[at]].strip() if at in self.known else at
        self.problems.append(Problem(message, remedy, self.table.name, line, name))
        return ""

    def _root(self, cell: str, cells: tuple[str, ...], line: int) -> str:
        if is_gap(cell):
            return cell
        value = number(cell)
        if value is None or value < 0:
            what = "sd^2" if "sd^2" in self.known else "se^2"
            return self._wrong(f"{cell!r} is no variance", "a number of 0 or above", line, what)
        return repr(math.sqrt(value))

    def _of_percent(self, cell: str, cells: tuple[str, ...], line: int) -> str:
        return self._events(cell.removesuffix("%").strip(), 100.0, cells, line, "percent")

    def _of_proportion(self, cell: str, cells: tuple[str, ...], line: int) -> str:
        if cell.endswith("%"):
            return self._of_percent(cell, cells, line)
        return self._events(cell, 1.0, cells, line, "proportion")

    def _events(self, cell: str, whole: float, cells: tuple[str, ...], line: int, what: str) -> str:
        """Count the events that a share of n is, allowing for the rounding of its digits."""
        if is_gap(cell):
            return cell
        share = number(cell)
        if "n" not in self.known:
            return self._wrong(
                "a share of the arm has no n beside it", "say which column is n: --map COLUMN=n", line, what
            )
        n = number(cells[self.known["n"]])
        if share is None or not 0 <= share <= whole:
            right = "a number from 0 to 1" if whole == 1 else "a number from 0 to 100"
            return self._wrong(f"{cell!r} is no {what}", right, line, what)
        if n is None:
            return self._wrong(f"{cell} of an arm without n", "give n, or empty the cell", line, what)
        events = share / whole * n
        room = rounding(cell) / whole * n
        nearest = round(events)
        if abs(events - nearest) > room * 1.001 + WHOLE:
            return self._wrong(
                f"{cell} of {n:g} is {events:.4g} events, no whole number",
                "check the share and n; n may be of more people than the share is of",
                line,
                what,
            )
        if room >= 0.5:
            self.unsure.append(line)
        return str(nearest)

    def _with_events(self, cell: str, cells: tuple[str, ...], line: int) -> str:
        events = cells[self.known["events"]] if "events" in self.known else ""
        if is_gap(cell) or is_gap(events):
            return cell if is_gap(cell) else events
        a, b = number(events), number(cell)
        if a is None or b is None:
            return self._wrong(f"{events!r} and {cell!r} are no counts", "numbers", line, "non_events")
        return f"{a + b:.15g}"


_OF = {
    "percent": ", which gives them in per cent of n",
    "proportion": ", which gives them as a share of n",
    "sd^2": ", which holds variances",
    "se^2": ", which holds squares of standard errors",
    "non_events": ", which counts those without the event",
}
