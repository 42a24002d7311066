"""What describes studies, arms, measurements and contrasts: where each column without a fixed meaning goes.

A column is looked at over the whole table, before rows of one outcome are taken: what is the same for all
rows
of a study describes it; what differs describes something smaller.
"""

from __future__ import annotations

import shlex
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from evidence.folder.column_names import plain
from evidence.folder.layout import FILE
from evidence.folder.sheet import is_number, is_own_column
from evidence.importers.draft import Draft, ImportReport
from evidence.importers.tables.cells import is_gap
from evidence.importers.tables.melt import LongForm

_DECLARED = frozenset(
    name
    for file in ("studies.csv", "arms.csv", "measurements.csv", "contrasts.csv")
    for name in FILE[file].by_name
)
_NUMBERS = frozenset(
    column.name for column in FILE["studies.csv"].columns if column.type in ("number", "integer")
)


@dataclass
class Variables:
    """Columns that describe something, and what.

    Attributes
    ----------
    by_study : dict of str to dict
        Cells that are the same in all rows of a study.
    homes : dict of int to str
        File by position, of columns that differ within a study.
    mixed : dict of int to set of str
        Studies within which a column differs that describes the others.
    dropped : dict of int to str
        Columns that no file takes, and why.
    """

    by_study: dict[str, dict[str, str]]
    homes: dict[int, str]
    mixed: dict[int, set[str]] = field(default_factory=dict)
    dropped: dict[int, str] = field(default_factory=dict)

    def cells(self, form: LongForm, file: str, study: str, cells: Sequence[str]) -> dict[str, str]:
        """Cells of a row's own columns that go into one file."""
        return {
            form.table.header[at]: cells[at]
            for at, home in self.homes.items()
            if home == file and (at not in self.mixed or study in self.mixed[at])
        }


def variables(
    form: LongForm,
    files: Sequence[str],
    within: Sequence[str],
    aside: Mapping[str, str],
) -> Variables:
    """Sort the columns that describe something.

    Parameters
    ----------
    form : LongForm
    files : sequence of str
        Where rows go; the first takes a column that is constant for equal cells of `within`, the last any.
    within : sequence of str
        Meanings that say what a row of the first file is.
    aside : dict of str to str
        Columns whose meaning another one has, by name, and why.
    """
    table, header = form.table, form.table.header
    study = form.known["study"]
    described = [
        form.known[name]
        for name in FILE["studies.csv"].by_name
        if name in form.known and not any(name in FILE[file].by_name for file in files)
    ]
    values: dict[int, dict[str, set[str]]] = {at: defaultdict(set) for at in (*form.further, *described)}
    for _, cells in table.rows:
        for at, of_study in values.items():
            if cells[at]:
                of_study[cells[study]].add(cells[at])
    found = Variables(defaultdict(dict), {})
    names = {at: name for name, at in form.known.items()}
    for at, of_study in values.items():
        name = names.get(at, header[at])
        differing = {key for key, seen in of_study.items() if len(seen) > 1}
        if at in form.further and header[at] in aside and plain(header[at]) in _DECLARED:
            # Another column is the mean: one that is called so as well would be taken for it.
            found.dropped[at] = aside[header[at]]
            continue
        if at in form.further and plain(header[at]) in FILE["studies.csv"].by_name:
            found.dropped[at] = f"its cells are no {header[at].lower()}s; call it otherwise to keep it"
            continue
        for key, seen in of_study.items():
            if len(seen) == 1 and header[at] and (at in described or not differing):
                found.by_study[key][name] = next(iter(seen))
        if not differing:
            continue
        home = _home(form, at, files, within)
        if home is None:
            found.dropped[at] = aside.get(
                header[at], "no known meaning, and it differs within a study; name it with --map"
            )
        else:
            found.homes[at] = home
        if at in described:
            found.mixed[at] = differing
    return found


def _home(form: LongForm, at: int, files: Sequence[str], within: Sequence[str]) -> str | None:
    """Find the file that takes a column that differs within a study."""
    positions = [form.known[name] for name in within if name in form.known]
    seen: dict[tuple[str, ...], str] = {}
    constant = all(
        seen.setdefault(tuple([cells[i] for i in positions]), cells[at]) == cells[at]
        for _, cells in form.table.rows
    )
    for file in (files[0], files[-1]) if constant else (files[-1],):
        given = {*form.known, "measure"} - {form.table.header[at]}
        if is_own_column(form.table.header[at], FILE[file], given):
            return file
    return None


def say_mixed(form: LongForm, found: Variables, draft: Draft, report: ImportReport) -> None:
    """Say which descriptions differ within a study, and how to keep them apart; and which are words."""
    _keep_words(form, found, draft, report)
    header = form.table.header
    for at, studies in found.mixed.items():
        where = found.homes.get(at)
        name, study = header[at], header[form.known["study"]].strip()
        kept = f"kept in {where} for each of its rows, and not in studies.csv" if where else "LEFT OUT there"
        report.notes.append(
            f"{name!r} differs within {listed(sorted(studies))}: {kept}; if these are several studies:"
            f" --map {shlex.quote(f'{study}+{name}=study')}"
        )


def _keep_words(form: LongForm, found: Variables, draft: Draft, report: ImportReport) -> None:
    """Keep a description that is a number in most cells, and words in some, as words: it stops nothing.

    One that the folder has as numbers stays what it is there; the words are refused, each by its line.
    """
    names = {at: name for name, at in form.known.items()}
    described = {name for cells in found.by_study.values() for name in cells}
    for at, column in enumerate(form.table.header):
        name = names.get(at, column)
        if at not in found.homes and (name not in described or (at in names and name in _NUMBERS)):
            continue
        texts = {cells[at] for _, cells in form.table.rows if not is_gap(cells[at])}
        words = sorted(text for text in texts if not is_number(text))
        before = {
            row.get(name, "")
            for file, rows in draft.files.items()
            for row in rows[: len(rows) - draft.added.get(file, 0)]
        }
        there = {text for text in before.difference(words) if not is_gap(text)}
        if not words or len(words) == len(texts) or (there and all(map(is_number, there))):
            continue
        draft.mixed.add(name)
        if column in form.sources:
            continue
        some = ", ".join(map(repr, words[:3])) + " ..." * (len(words) > 3)
        report.notes.append(
            f"{column.strip()!r} has numbers and words ({some}): kept as words, which review.toml says under"
            " [variables]"
        )


def listed(names: Iterable[str], most: int = 5) -> str:
    """Name some studies: ``study 'A'``, ``studies 'A', 'B' and 3 more``."""
    names = list(names)
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return f"stud{'y' if len(names) == 1 else 'ies'} {', '.join(map(repr, names[:most]))}{more}"
