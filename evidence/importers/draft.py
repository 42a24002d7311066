"""A review folder being written: what is there is kept, and nothing lands unless all of it is right."""

from __future__ import annotations

import csv
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from evidence.errors import Problem, ReviewError
from evidence.folder.layout import FILE, FILES, needed
from evidence.folder.sheet import Problems, read_sheet
from evidence.system import files

Row = dict[str, str]

_MOST_KEPT = 20
_FILES = {file.name: file for file in FILES}


@dataclass(frozen=True)
class ColumnMapping:
    """What became of one column of the source.

    Attributes
    ----------
    column : str
        Column of the source.
    became : str
        ``file.column`` of the review folder; empty where the column was left out.
    note : str
        Why, or what was done to the values.
    """

    column: str
    became: str
    note: str = ""


@dataclass
class ImportReport:
    """What an import did, for a person to read before trusting it.

    Attributes
    ----------
    source : str
        File that was read.
    mappings : list of ColumnMapping
        Every column of the source, with what became of it.
    added : dict of str to int
        Rows added, by file of the review folder.
    left_out : list of Problem
        Rows that were not imported, each with the reason.
    notes : list of str
        Decisions that concern the whole file.
    """

    source: str
    mappings: list[ColumnMapping] = field(default_factory=list)
    added: dict[str, int] = field(default_factory=dict)
    left_out: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        width = max([len(item.column) for item in self.mappings], default=0)
        lines = [f"{self.source}:"]
        for item in self.mappings:
            became = item.became or "left out"
            lines.append(f"  {item.column:<{width}}  -> {became}" + (f"  ({item.note})" if item.note else ""))
        lines += [f"  note: {note}" for note in self.notes]
        lines += [f"  left out: {problem}" for problem in self.left_out]
        lines += [f"  {name}: {count} row{'s' * (count != 1)} added" for name, count in self.added.items()]
        return "\n".join(lines)


class Draft:
    """A review folder in memory: what stands in it, and what an import adds.

    Parameters
    ----------
    directory : path
        The folder; it need not exist yet.
    title : str
        Title for a new review.
    """

    def __init__(self, directory: str | Path, title: str = "") -> None:
        self.directory = Path(directory)
        self.title = title or self.directory.name
        self.files: dict[str, list[Row]] = {}
        self.added: dict[str, int] = {}
        self.changed: set[str] = set()
        self.categories: set[str] = set()
        """Further columns whose cells are words even where they look like numbers: said in review.toml."""
        self.mixed: set[str] = set()
        """Further columns of numbers and words: said to be words, but for codes of missing values."""
        self.protocol = ""
        """Lines of review.toml below the title of a new review; of one that is there, none is changed."""
        self.place: tuple[str, int] | None = None
        """File and line of the source that is being read: errors in the rows added meanwhile name it."""
        self._places: dict[int, tuple[str, int]] = {}
        self.kept: list[str] = []
        """What a row that was there says otherwise than a new one of the same key."""
        self._indexes: dict[tuple[str, tuple[str, ...]], dict[tuple[str, ...], Row]] = {}
        files.recover(self.directory)
        for name in _FILES:
            path = self.directory / name
            if path.is_file():
                self.files[name] = _present(path)

    def rows(self, name: str) -> list[Row]:
        """Rows of one file, for reading."""
        return self.files.get(name, [])

    def add(self, name: str, row: Mapping[str, object], key: Iterable[str] | None = None) -> bool:
        """Add a row to a file, unless a row with the same key is there.

        Parameters
        ----------
        name : str
            File of the review folder.
        row : mapping of column to value
            Empty and missing values are left out.
        key : iterable of str, optional
            Columns that identify a row, by default the file's; where there are none the row is always added.
            A row that is there already is kept, and its empty cells are filled from the new one.

        Returns
        -------
        bool
            Whether the row is new.
        """
        cells = {
            column: value if type(value) is str else str(value)
            for column, value in row.items()
            if value is not None and value != ""
        }
        columns = FILE[name].key if key is None else tuple(key)
        rows = self.files.setdefault(name, [])
        if columns:
            index = self._index(name, columns)
            identity = tuple(cells.get(column, "") for column in columns)
            if identity in index:
                present = index[identity]
                news = {column: value for column, value in cells.items() if not present.get(column)}
                if news:
                    present.update(news)
                    self.changed.add(name)
                if news.keys() != cells.keys():
                    self._compare(name, identity, present, cells)
                return False
            index[identity] = cells
        rows.append(cells)
        if self.place is not None:
            self._places[id(cells)] = self.place
        self.added[name] = self.added.get(name, 0) + 1
        self.changed.add(name)
        return True

    def _compare(self, name: str, identity: tuple[str, ...], present: Row, cells: Row) -> None:
        """Note what a row says otherwise than the one that is kept: the first counts, and it is said."""
        for column, value in cells.items():
            first = present.get(column, "")
            if first == value or column == "label" or (name, column) == ("arms.csv", "n"):
                continue
            place = f" (line {self.place[1]})" if self.place is not None else ""
            of = ", ".join(filter(None, identity))
            said = f"{name}: {column} of {of} is {first!r}, and not {value!r}{place}"
            if said not in self.kept:
                self.kept.append(said)

    def _index(self, name: str, columns: tuple[str, ...]) -> dict[tuple[str, ...], Row]:
        if (name, columns) not in self._indexes:
            self._indexes[name, columns] = {
                tuple(row.get(column, "") for column in columns): row for row in self.files[name]
            }
        return self._indexes[name, columns]

    def finish(self, report: ImportReport, *, dry_run: bool = False) -> ImportReport:
        """Write the folder, see `write`, and say in the report how many rows were added."""
        report.added = dict(self.added)
        report.notes += self.kept[:_MOST_KEPT]
        if more := len(self.kept) - _MOST_KEPT:
            report.notes += [f"{more} further cells differ from those that were there and were kept"] * (
                more > 0
            )
        self.write(dry_run=dry_run)
        return report

    def write(self, *, dry_run: bool = False) -> None:
        """Check the whole folder, then put every changed file in place.

        Parameters
        ----------
        dry_run : bool
            Check only.

        Raises
        ------
        ReviewError
            If the folder as it would be has errors; nothing is written then.
        """
        from evidence.review import read

        parent = self.directory.parent
        if not parent.is_dir():
            raise ReviewError(f"There is no folder {str(parent)!r} to put the review in.")
        with tempfile.TemporaryDirectory() as scratch:
            staged = Path(scratch) / (self.directory.resolve().name or "review")
            staged.mkdir()
            for path in self.directory.iterdir() if self.directory.is_dir() else ():
                if path.is_file():
                    shutil.copyfile(path, staged / path.name)
            if not (staged / "review.toml").is_file():
                title = self.title.replace("\\", "\\\\").replace('"', '\\"')
                text = f'title = "{title}"\n{self.protocol}'
                (staged / "review.toml").write_text(text, encoding="utf-8")
            _declare(staged / "review.toml", self.categories, self.mixed)
            for file in needed({name for name, rows in self.files.items() if rows}):
                if not (staged / file.name).is_file():
                    self.files.setdefault(file.name, [])
                    self.changed.add(file.name)
            for name in self.changed:
                _write(staged / name, self.files[name])
            try:
                read(staged)
            except ReviewError as error:
                raise self._at_source(error) from None
            if dry_run:
                return
            changed = {
                path.name: path
                for path in sorted(staged.iterdir())
                if path.name == "review.toml" or path.name in self.changed
            }
            new = not self.directory.exists()
            try:
                self.directory.mkdir(exist_ok=True)
                files.change(self.directory, changed)
            except BaseException as error:
                if new:  # Empty it goes; with files in it an import is to be finished.
                    with suppress(OSError):
                        self.directory.rmdir()
                if isinstance(error, OSError):
                    raise files.cannot_write(self.directory, error) from None
                raise

    def _at_source(self, error: ReviewError) -> ReviewError:
        """Name the lines of the source in place of those of files that are not written yet."""
        places: dict[tuple[str, int], tuple[str, int]] = {}
        for name in self.changed:
            line = 2
            for row in self.files[name]:
                if id(row) in self._places:
                    places[name, line] = self._places[id(row)]
                line += 1 + sum(cell.count("\n") for cell in row.values())
        moved = [
            replace(problem, file=found[0], line=found[1])
            if (found := places.get((problem.file or "", problem.line or 0)))
            else problem
            for problem in error.problems
        ]
        if moved == list(error.problems):
            return error
        # One wrong cell of the source can be wrong in several files of the folder.
        same = {(problem.file, problem.line, problem.column, problem.message): problem for problem in moved}
        n = len(same)
        return ReviewError(f"Nothing was imported: {n} error{'s' * (n != 1)}.", same.values())


def _present(path: Path) -> list[Row]:
    """Read a file that stands in the folder as it will be written again: all of it, or an error.

    Raises
    ------
    ReviewError
        If it has errors, such as a row with more cells than the header, which would be lost.
    """
    problems = Problems()
    sheet = read_sheet(path, _FILES[path.name], problems)
    if sheet is None or problems.errors:
        raise ReviewError(f"Nothing was imported: {path.name} has errors as it stands.", problems.errors)
    return [dict(zip(sheet.text, cells, strict=True)) for cells in zip(*sheet.text.values(), strict=True)]


def _declare(protocol: Path, columns: Iterable[str], mixed: Iterable[str]) -> None:
    """Say in review.toml that columns hold words, unless it says something of them."""
    import json
    import tomllib

    text = protocol.read_text(encoding="utf-8")
    try:
        known = tomllib.loads(text).get("variables", {})
    except tomllib.TOMLDecodeError:
        # Reading the folder says what is wrong with it.
        return
    said = dict.fromkeys(sorted(mixed), '"category"')
    said |= dict.fromkeys(sorted(columns), '{ type = "category", missing = [] }')
    lines = [
        f"{json.dumps(name, ensure_ascii=False)} = {what}" for name, what in said.items() if name not in known
    ]
    if not lines:
        return
    if "\n[variables]\n" in f"\n{text}":
        text = text.replace("[variables]\n", "\n".join(("[variables]", *lines)) + "\n", 1)
    else:
        text = "\n".join((text.rstrip("\n"), "", "[variables]", *lines)) + "\n"
    protocol.write_text(text, encoding="utf-8")


def _write(path: Path, rows: list[Row]) -> None:
    declared = [column.name for column in _FILES[path.name].columns]
    required = {column.name for column in _FILES[path.name].columns if column.required}
    used = dict.fromkeys(column for row in rows for column in row)
    columns = [c for c in declared if c in used or c in required] + [c for c in used if c not in declared]
    with path.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.writer(handle, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows([row.get(column, "") for column in columns] for row in rows)
