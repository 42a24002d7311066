"""A review as it could have been on a day: its rows cut before anything is derived from them.

What was known when is read off dates that the folder has. The day of a study is the first of: the day of a
search that found a record of it, and the end of the year of its publication: that of a record or a report of
it, or else its own year. A year counts from its end, for nobody knows when in it. Studies without any date
count from the last day that the review knows of, so that the review as of that day is the whole of it.
"""

from __future__ import annotations

import re
from calendar import monthrange
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property
from typing import Any, ClassVar, Protocol, TypeVar

from evidence.errors import CallError, EvidenceError
from evidence.folder.layout import FILES

BASES = {
    "search": "the day of the search that found it",
    "record": "the year of its record",
    "report": "the year of its report",
    "study": "its year in studies.csv",
}
"""What the day of a study is read off, the first that is taken of equal ones first."""


class Table(Protocol):
    """Rows of one table, by column."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def table(self) -> str:
        """The table."""

    @property
    def columns(self) -> dict[str, list[Any]]:
        """Values of each column."""


T = TypeVar("T", bound=Table)


def day_of(text: str) -> date:
    """Read a day, or the last day of a month or year.

    Parameters
    ----------
    text : str
        ``YYYY``, ``YYYY-MM`` or ``YYYY-MM-DD``.

    Raises
    ------
    CallError
        If it is none of these.

    Examples
    --------
    >>> from evidence.folder.as_of import day_of
    >>> str(day_of("2015")), str(day_of("2016-02"))
    ('2015-12-31', '2016-02-29')
    """
    match = re.fullmatch(r"(\d{4})(?:-(\d{2})(?:-(\d{2}))?)?", str(text).strip())
    try:
        if match is None:
            raise ValueError
        year, month = int(match[1]), int(match[2] or 12)
        return date(year, month, int(match[3] or monthrange(year, month)[1]))
    except (ValueError, IndexError):
        raise CallError(
            f"{text!r} is no date: write a year (2015), a month (2015-06) or a day (2015-06-30)."
        ) from None


@dataclass(frozen=True)
class Days:
    """When the studies of a review came to be known.

    Attributes
    ----------
    by_study : dict of str to (date or None, str or None)
        Day of each study, and what it is read off (a key of `BASES`); None where no date is known.
    """

    by_study: dict[str, tuple[date | None, str | None]]

    @cached_property
    def last(self) -> date | None:
        """The last day that any study has."""
        return max((day for day, _ in self.by_study.values() if day is not None), default=None)

    @cached_property
    def counted(self) -> dict[str, date]:
        """Day from which each study counts; empty where no study has any."""
        last = self.last
        return {} if last is None else {study: day or last for study, (day, _) in self.by_study.items()}

    @property
    def undated(self) -> list[str]:
        """Studies of which no date is known."""
        return [study for study, (day, _) in self.by_study.items() if day is None]

    @property
    def bases(self) -> dict[str, int]:
        """How many studies have their day from what, in the order of `BASES`."""
        found = Counter(basis for _, basis in self.by_study.values())
        return {basis: found[basis] for basis in BASES if found[basis]}

    @property
    def years(self) -> list[int]:
        """Years in which studies came to be known, from first to last."""
        return sorted({day.year for day in self.counted.values()})

    def by(self, day: date) -> set[str]:
        """Studies known on a day."""
        return {study for study, known in self.counted.items() if known <= day}


def days_of(tables: Iterable[Table]) -> Days:
    """Find when each study of a review came to be known.

    Parameters
    ----------
    tables : iterable of rows
        Those of ``study``, ``report``, ``search`` and ``record`` count.
    """
    rows = {table.table: table.columns for table in tables}
    found: dict[str, list[tuple[date, str]]] = {}
    searched = dict(_of(rows, "search", "search", "date"))
    for study, search, year in _of(rows, "record", "study", "search", "year"):
        if study is not None:
            if (day := _day(searched.get(search))) is not None:
                found.setdefault(study, []).append((day, "search"))
            found.setdefault(study, []).extend((day, "record") for day in _end(year))
    for study, year in _of(rows, "report", "study", "year"):
        found.setdefault(study, []).extend((day, "report") for day in _end(year))
    place = {basis: i for i, basis in enumerate(BASES)}
    by_study: dict[str, tuple[date | None, str | None]] = {}
    for study, year in _of(rows, "study", "study", "year"):
        dated = found.get(study, [])
        if all(basis == "search" for _, basis in dated):
            dated += [(day, "study") for day in _end(year)]
        by_study[study] = min(dated, key=lambda one: (one[0], place[one[1]]), default=(None, None))
    return Days(by_study)


def _of(rows: Mapping[str, dict[str, list[Any]]], table: str, *columns: str) -> Iterator[tuple[Any, ...]]:
    """Go through some columns of a table; of a column that it does not have, None."""
    known = rows.get(table, {})
    length = len(next(iter(known.values()), []))
    return zip(*(known.get(name, [None] * length) for name in columns), strict=True)


def _day(value: Any) -> date | None:
    return value if value is None or isinstance(value, date) else date.fromisoformat(str(value))


def _end(year: Any) -> list[date]:
    return [] if year is None else [date(int(year), 12, 31)]


@dataclass(frozen=True)
class AsOf:
    """What a review was cut to.

    Attributes
    ----------
    day : date
    days : Days
        Of all its studies.
    """

    day: date
    days: Days

    def info(self) -> dict[str, str]:
        """Give what ``build_info`` keeps of it."""
        days = self.days
        return {
            "as_of": self.day.isoformat(),
            "as_of_studies": str(len(days.by(self.day))),
            "as_of_all_studies": str(len(days.by_study)),
            "as_of_undated": str(len(days.undated)),
            "as_of_last": str(days.last),
        } | {f"as_of_{basis}": str(n) for basis, n in days.bases.items()}


SAID = "As of {day}: {known} of {total} studies, each from {by}; a year counts from its end."
UNDATED = "Without a date: {n}. These count from {last}, the last day that is known."


def _plain(text: str, **values: Any) -> str:
    return text.format(**values)


def said_of(info: Mapping[str, str], tr: Callable[..., str] = _plain) -> str:
    """Say what a file was cut to, by which dates, and what became of studies without any.

    Parameters
    ----------
    info : mapping of str to str
        Keys and values of ``build_info``.
    tr : callable, optional
        Says the texts of this module in another language.

    Returns
    -------
    str
        Empty where it was not cut.
    """
    if "as_of" not in info:
        return ""
    by = [(n, tr(what)) for basis, what in BASES.items() if (n := int(info.get(f"as_of_{basis}", 0)))]
    told = by[0][1] if len(by) == 1 else ", ".join(f"{what} ({n})" for n, what in by)
    known, total, n = (int(info[f"as_of_{name}"]) for name in ("studies", "all_studies", "undated"))
    said = tr(SAID, day=info["as_of"], known=known, total=total, by=told)
    return f"{said} {tr(UNDATED, n=n, last=info['as_of_last'])}" if n else said


def cut(name: str, tables: Sequence[T], day: date) -> tuple[list[T], AsOf]:
    """Leave out of a review what was not known on a day.

    Studies that came later go, with every row that belongs to them; so do records found and published later,
    searches made later that found none of the records left (of the others, whose hits would be other ones,
    the number is emptied), and reports of later years. Boxes of a flow diagram typed in count the whole
    review: they go where a study goes. What others have printed, claims, treatments, outcomes and the plan
    stay: they are what is asked, not what was found.

    Parameters
    ----------
    name : str
        Of the review, for messages.
    tables : sequence of rows
        All rows of the review.
    day : date

    Returns
    -------
    tables : list of rows
        In the same order; none of what was given is changed.
    AsOf
        What was done.

    Raises
    ------
    EvidenceError
        If no study has a date.
    CallError
        If no study was known on that day.
    """
    days = days_of(tables)
    known = days.by(day)
    _refuse_nothing(name, days, known, day)
    columns = {table.table: table.columns for table in tables}
    kept = {table.table: [True] * len(next(iter(table.columns.values()), [])) for table in tables}
    if "study" in kept:
        kept["study"] = [study in known for study in columns["study"]["study"]]
    if not all(kept.get("study", ())) and "flow" in kept:
        kept["flow"] = [False] * len(kept["flow"])
    _date_records(columns, kept, days, day)
    emptied = _follow(columns, kept)
    emptied["search"] = {"hits": [(_day(made) or day) > day for (made,) in _of(columns, "search", "date")]}
    gone = {
        place
        for table in tables
        for place, keep in zip(_of(columns, table.table, "source_file", "source_line"), kept[table.table])
        if not keep and place[0] is not None
    }
    for table in tables:  # What is said beside a row, such as a further column of it, goes with it.
        places = _of(columns, table.table, "source_file", "source_line")
        kept[table.table] = [keep and place not in gone for keep, place in zip(kept[table.table], places)]
    return [_left(table, kept[table.table], emptied.get(table.table, {})) for table in tables], AsOf(
        day, days
    )


def _refuse_nothing(name: str, days: Days, known: set[str], day: date) -> None:
    if days.last is None and days.by_study:
        raise undated(name)
    if not known:
        first = min(days.counted, key=lambda study: (days.counted[study], study), default=None)
        of = f"the first is {first} ({days.counted[first]})" if first else "the review has no study"
        raise CallError(f"No study of {name} was known as of {day}: {of}. Name that day or a later one.")


def undated(name: str) -> EvidenceError:
    """Say that no study of a review has a date, and what would give them one."""
    return EvidenceError(
        f"No study of {name} has a date, so nobody can say what was known when: fill in year in studies.csv, "
        "or year in reports.csv, or give records.csv the study of each record and searches.csv their dates."
    )


def _date_records(
    columns: Mapping[str, dict[str, list[Any]]], kept: dict[str, list[bool]], days: Days, day: date
) -> None:
    """Mark the records, reports and searches that came later."""
    searched = dict(_of(columns, "search", "search", "date"))
    found: set[Any] = set()
    for place, (search, year, study) in enumerate(_of(columns, "record", "search", "year", "study")):
        own = [*_end(year), *filter(None, [_day(searched.get(search))])]
        known = min(own, default=days.counted.get(study) or days.last or day)
        kept["record"][place] = known <= day
        found |= {search} if known <= day else set()
    for place, (year,) in enumerate(_of(columns, "report", "year")):
        kept["report"][place] = year is None or date(int(year), 1, 1) <= day
    for place, (search, made) in enumerate(_of(columns, "search", "search", "date")):
        kept["search"][place] = search in found or (_day(made) or day) <= day


def _follow(
    columns: Mapping[str, dict[str, list[Any]]], kept: dict[str, list[bool]]
) -> dict[str, dict[str, list[bool]]]:
    """Mark rows that refer to one that is gone; where they need not refer to any, only that is emptied."""
    emptied: dict[str, dict[str, list[bool]]] = {}
    for file in FILES:  # In load order: what a row refers to stands before it.
        for column in file.columns:
            target = column.references
            if file.table not in kept or target not in ("study", "record", "search"):
                continue
            left = {key for (key,), keep in zip(_of(columns, target, target), kept[target]) if keep}
            cells = columns[file.table].get(column.target, [])
            lost = [cell is not None and cell not in left for cell in cells]
            if column.required:
                kept[file.table] = [keep and not gone for keep, gone in zip(kept[file.table], lost)]
            else:
                emptied.setdefault(file.table, {})[column.target] = lost
    return emptied


def _left(table: T, keep: list[bool], emptied: Mapping[str, list[bool]]) -> T:
    """Take the rows that are kept, with the cells emptied that say what is no longer so."""
    return replace(
        table,
        columns={
            name: [
                None if gone else cell
                for cell, gone, stays in zip(cells, emptied.get(name, [False] * len(cells)), keep)
                if stays
            ]
            for name, cells in table.columns.items()
        },
    )
