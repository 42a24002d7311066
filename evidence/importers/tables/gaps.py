"""Columns of numbers in which some cells hold none: what is missing, what a person says is, what is words."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from evidence.errors import CallError, Problem, ReviewError
from evidence.folder.layout import FILE
from evidence.folder.sheet import is_number
from evidence.importers.table import Table
from evidence.importers.tables.cells import missing_code
from evidence.importers.tables.header import CONVERTED
from evidence.importers.tables.prepare import holds
from evidence.importers.tables.shape.result import Shape
from evidence.importers.tables.targets import as_options
from evidence.names import suggestion

_NUMBERS = frozenset(
    column.name
    for file in ("studies.csv", "arms.csv", "measurements.csv", "contrasts.csv")
    for column in FILE[file].columns
    if column.type in ("number", "integer")
) | set(CONVERTED)
_NEEDED = frozenset(("timepoint", "ci_level", "var_base"))
"""Numbers without which a row would be another measurement, or an interval of another level."""
_DESCRIBING = ("dose", "year")
"""Numbers that describe: where some are words, all are kept as words."""
_SEVERAL = {
    "mean": ("mean+sd", "mean+ci_lower+ci_upper"),
    "median": ("median+q1+q3",),
    "events": ("events+n",),
}
_PLACE_OF_TEXT = "NR"
_MOST_LINES, _MOST_TEXTS = 10, 10
NOTE = " note"
"""A made column: a blank in front keeps it apart from one of the table."""
KEPT = "{}_as_written"
"""Name of a column that keeps words in place of numbers."""


@dataclass
class Unread:
    """Cells of columns of numbers that hold none, by column and text."""

    table: Table
    texts: dict[int, dict[str, str]] = field(default_factory=dict)
    """Meaning of the column, by position and text."""
    made: dict[str, tuple[str, ...]] = field(default_factory=lambda: {NOTE: ()})
    """Columns that were made, and of which."""

    @contextmanager
    def offered(self) -> Iterator[None]:
        """Add to an error of such cells what would import the rest."""
        try:
            yield
        except ReviewError as error:
            said = {problem.message for problem in error.problems}
            if not (remedies := list(self._remedies(said))):
                raise
            rest = Problem(
                "the rest can be imported without these cells", "; or ".join(remedies), self.table.name
            )
            raise ReviewError(error.message, [*error.problems, rest]) from None

    def _remedies(self, said: Collection[str]) -> Iterator[str]:
        apart: dict[str, str] = {}
        without: dict[str, str] = {}
        missing: dict[str, None] = {}
        for at, found in self.texts.items():
            name = self.table.header[at]
            texts = [text for text in found if any(message.startswith(repr(text)) for message in said)]
            cells = [cells[at] for _, cells in self.table.rows]
            several = _SEVERAL.get(next(iter(found.values()), "").rstrip("0123456789"), ())
            if (
                whole := next((to for to in several if holds(cells, to.count("+") + 1)), None)
                if texts
                else None
            ):
                apart[name] = whole
            elif len(texts) > _MOST_TEXTS:
                without[name] = ""
            else:
                missing |= {text: None for text in texts if found[text] not in _NEEDED}
        if apart:
            yield f"take them apart: {as_options(apart)}"
        if missing:
            as_missing = " ".join(_option(text) for text in missing)
            yield f"take them for missing, each with its text in note: {as_missing}"
        if without:
            yield f"leave the column out: {as_options(without)}"


def _option(text: str) -> str:
    return f"--missing {shlex.quote(text)}"


def with_gaps(
    table: Table, shape: Shape, missing: Collection[str], chosen: Collection[int] = ()
) -> tuple[Table, Shape, Unread]:
    """Take known words for a missing number, and those that a person names, for missing.

    Parameters
    ----------
    table : Table
    shape : Shape
    missing : collection of str
        Texts that a person says stand for a missing number.
    chosen : collection of int
        Columns that a person mapped: these are what they are said to be.

    Returns
    -------
    table : Table
        Known words in the spelling of ``missing_code``; a text that a person named is there as not reported,
        and stands in a column ``note``. A column of doses or years that are partly words has another name.
    shape : Shape
        The same of that table.
    unread : Unread
        Cells that are no numbers.

    Raises
    ------
    CallError
        If a person names a text that no cell of a number holds.
    """
    meanings = {at: what for what, at in shape.known.items() if what in _NUMBERS}
    for side, group in shape.groups.items():
        meanings |= {at: f"{what}{side}" for what, at in group.items() if what in _NUMBERS}
    notes: list[str] = []
    changed: dict[int, dict[str, str]] = {}
    said: dict[int, dict[str, str]] = {}
    words: set[str] = set()
    unread = Unread(table)
    for at, meaning in meanings.items():
        texts = [
            text for text in {cells[at] for _, cells in table.rows} if text and not _is_number(text, meaning)
        ]
        codes = {text: code for text in texts if (code := missing_code(text))}
        named = {text: _PLACE_OF_TEXT for text in texts if text in missing and meaning not in _NEEDED}
        if meaning in _DESCRIBING and at not in chosen and set(texts) - codes.keys() - named.keys():
            words |= named.keys()
            named = {}  # The column is kept as words, all of them.
        if codes:
            notes.append(_said(table, at, codes, "missing"))
        if named:
            notes.append(_said(table, at, named, "taken for missing, and kept in note"))
            said[at] = {text: f"{table.header[at].strip()}: {text}" for text in named}
        changed[at] = {text: code for text, code in codes.items() if text != code} | named
        unread.texts[at] = {
            text: meaning for text in sorted(texts) if text not in codes and text not in named
        }
    _refuse_unknown(table, set(missing) - words, said, unread)
    table, shape = _rewritten(table, shape, changed, said)
    for what in _DESCRIBING:
        at = shape.known.get(what, -1)
        if unread.texts.get(at) and at not in chosen:
            strange = unread.texts.pop(at)
            unread.made[KEPT.format(table.header[at].strip())] = (table.header[at],) * (what != "year")
            table, shape = _as_words(table, shape, what, strange, notes)
    unread.table = table
    return replace(table, notes=(*table.notes, *notes)), shape, unread


def _is_number(text: str, meaning: str) -> bool:
    if text.isdigit() or text.replace(".", "", 1).isdigit():
        return True
    share = meaning.rstrip("0123456789") in ("percent", "proportion")
    return is_number(text.removesuffix("%").strip() if share else text)


def _said(table: Table, at: int, texts: Mapping[str, str], what: str) -> str:
    """Say how many cells of a column are missing, by which words, and in which lines."""
    lines = [line for line, cells in table.rows if cells[at] in texts]
    n = len(lines)
    return (
        f"{n} cell{'s' * (n != 1)} of {table.header[at].strip()!r} ({', '.join(sorted(texts))}; line"
        f"{'s' * (n != 1)} {', '.join(map(str, lines[:_MOST_LINES]))}{' ...' * (n > _MOST_LINES)})"
        f" {'is' if n == 1 else 'are'} {what}"
    )


def _refuse_unknown(
    table: Table, missing: Collection[str], said: Mapping[int, Mapping[str, str]], unread: Unread
) -> None:
    found = {text for texts in said.values() for text in texts}
    others = [text for texts in unread.texts.values() for text in texts]
    if strange := [text for text in missing if text not in found and not missing_code(text)]:
        raise CallError(
            f"{table.name} has no cell of numbers with the text {strange[0]!r} of --missing:"
            f" {suggestion(strange[0], others)}."
        )


def _rewritten(
    table: Table,
    shape: Shape,
    changed: Mapping[int, Mapping[str, str]],
    said: Mapping[int, Mapping[str, str]],
) -> tuple[Table, Shape]:
    """Write other texts into cells, and what a person took for missing into the column of notes."""
    changed = {at: texts for at, texts in changed.items() if texts}
    if not changed:
        return table, shape
    header, known = table.header, dict(shape.known)
    if said and "note" not in known:
        known["note"], header = len(header), (*header, NOTE)
    rows = []
    for line, cells in table.rows:
        new = [*cells, *[""] * (len(header) - len(cells))]
        for at, texts in changed.items():
            new[at] = texts.get(cells[at], cells[at])
        if told := [texts[cells[at]] for at, texts in said.items() if cells[at] in texts]:
            new[known["note"]] = "; ".join(filter(None, (new[known["note"]], *told)))
        rows.append((line, tuple(new)))
    return replace(table, header=header, rows=tuple(rows)), replace(shape, known=known)


def _as_words(
    table: Table, shape: Shape, what: str, texts: Collection[str], notes: list[str]
) -> tuple[Table, Shape]:
    """Keep a column of numbers and words as words; years beside words stay years."""
    at = shape.known[what]
    name = table.header[at]
    kept = KEPT.format(name.strip())
    some = ", ".join(map(repr, sorted(texts)[:3])) + " ..." * (len(texts) > 3)
    if what != "year":
        header = (*table.header[:at], kept, *table.header[at + 1 :])
        known = {meaning: i for meaning, i in shape.known.items() if meaning != what}
        notes.append(f"{name!r} has cells that are no numbers ({some}): kept as words, {kept}")
        return replace(table, header=header), replace(shape, known=known)
    rows = tuple(
        (line, (*cells[:at], "" if cells[at] in texts else cells[at], *cells[at + 1 :], cells[at]))
        for line, cells in table.rows
    )
    notes.append(f"{name!r} has cells that are no years ({some}): missing, and kept as written, {kept}")
    return replace(table, header=(*table.header, kept), rows=rows), shape
