"""Data files of network meta-analysis programs: GeMTC (XML, JSON) and BUGS or JAGS (lists of data).

Each becomes a table that `evidence.importers.arms` reads. BUGS writes a matrix row by row (``.Data`` and
``.Dim``), R column by column (``structure(c(...), .Dim = )`` of ``dput`` and ``dump``): the same numbers in
another order.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from evidence.errors import CallError, Problem, ReviewError
from evidence.importers.arms import import_arms
from evidence.importers.draft import ImportReport
from evidence.importers.sources import read_text, read_xml, refuse_unused
from evidence.importers.table import Table, table_of
from evidence.system.bounds import MAX_DEPTH, parse_json, unreadable, whole

_MEASUREMENT = {
    "treatment": "treatment",
    "responders": "events",
    "mean": "mean",
    "standardDeviation": "sd",
    "stdDev": "sd",
    "std.dev": "sd",
    "standardError": "se",
    "std.err": "se",
    "sample": "n",
    "sampleSize": "n",
    "exposure": "exposure",
}


def import_gemtc(
    file: str | Path,
    into: str | Path,
    *,
    outcome: str,
    encoding: str | None = None,
    dry_run: bool = False,
    **of_arms: Any,
) -> ImportReport:
    """Make or extend a review folder from a data file of GeMTC.

    Parameters
    ----------
    file : path
        XML (``<network><treatments/><studies/></network>``), or JSON with ``entries`` and ``treatments``.
    into, outcome, encoding, dry_run, **of_arms
        See `evidence.importers.arms.import_arms`.

    Returns
    -------
    ImportReport

    Raises
    ------
    ReviewError
        If the file is hostile, damaged, or names treatments that it does not list.
    """
    path = Path(file)
    if path.suffix.lower() == ".json":
        table = _gemtc_json(path, encoding)
    else:
        refuse_unused(path, "XML, which says how it is written", encoding=encoding)
        table = _gemtc_xml(path)
    return import_arms(table, into, outcome=outcome, dry_run=dry_run, **of_arms)


def _gemtc_xml(path: Path) -> Table:
    root = read_xml(path)
    if root.tag.rsplit("}", 1)[-1] != "network":
        raise unreadable(path, f"begins with {root.tag}, not network", "export it from GeMTC")
    names = {
        t.get("id", ""): " ".join("".join(t.itertext()).split()) or t.get("id", "")
        for t in root.iter("treatment")
    }
    entries = [
        {"study": study.get("id", ""), **measurement.attrib}
        for study in root.iter("study")
        for measurement in study.iter("measurement")
    ]
    return _entries(path, entries, names)


def _gemtc_json(path: Path, encoding: str | None) -> Table:
    text, _ = read_text(path, encoding)
    content = parse_json(path, text)
    entries = content.get("entries", content.get("data.ab")) if isinstance(content, dict) else content
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise unreadable(path, "has no list of entries", "'entries': one object for each arm")
    treatments = content.get("treatments", []) if isinstance(content, dict) else []
    names = {
        str(t["id"]): str(t.get("name") or t.get("description") or t["id"])
        for t in treatments
        if isinstance(t, dict) and "id" in t
    }
    return _entries(path, entries, names)


def _entries(path: Path, entries: Sequence[Mapping[str, Any]], names: Mapping[str, str]) -> Table:
    if not entries:
        raise unreadable(path, "holds no measurement", "export it again")
    columns = [c for c in dict.fromkeys(k for e in entries for k in e) if c != "treatment"]
    rows = []
    problems = []
    for number, entry in enumerate(entries, 1):
        treatment = str(entry.get("treatment", ""))
        if names and treatment not in names:
            problems.append(
                Problem(
                    f"measurement {number}: unknown treatment {treatment!r}",
                    "list it among the treatments",
                    path.name,
                    study=str(entry.get("study", "")),
                )
            )
        rows.append(
            (
                number,
                (
                    names.get(treatment, treatment),
                    *("" if entry.get(c) is None else str(entry[c]) for c in columns),
                ),
            )
        )
    if problems:
        raise ReviewError(f"{path.name} cannot be imported.", problems)
    header = ("treatment", *(_MEASUREMENT.get(column, column) for column in columns))
    return Table(path.name, header, tuple(rows), ("places are numbers of measurements, not lines",))


_TOKEN = re.compile(
    r"""\s*(?:\#[^\n]*\s*)*(?P<token>
        "(?:[^"\\]|\\.)*" | '(?:[^'\\]|\\.)*' | `[^`]*`
      | [+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?L?
      | [A-Za-z.][\w.]*
      | <- | [(),:=;]
    )""",
    re.VERBOSE,
)


def import_bugs(
    file: str | Path,
    into: str | Path,
    *,
    outcome: str,
    names: Mapping[str, str] | None = None,
    by_column: bool | None = None,
    encoding: str | None = None,
    dry_run: bool = False,
    **of_arms: Any,
) -> ImportReport:
    """Make or extend a review folder from the data of a BUGS or JAGS model.

    Parameters
    ----------
    file : path
        ``list(...)``, R's ``dput`` or ``dump``, or a list followed by a rectangular table.
    into, outcome, encoding, dry_run, **of_arms
        See `evidence.importers.arms.import_arms`; the columns are ``t[,1]``, ``r[,1]`` and so on.
    names : mapping of str to str, optional
        Treatment by its number.
    by_column : bool, optional
        Order of the matrices; without it, by rows where ``.Data`` is named inside ``list(...)``, else by
        columns.

    Returns
    -------
    ImportReport

    Raises
    ------
    ReviewError
        If the text is no data, a matrix does not have its dimensions, or its order contradicts ``na``.
    """
    path = Path(file)
    text, notes = read_text(path, encoding)
    values, rest, order = _parse(path, text, by_column)
    columns = _columns_of(path, values)
    if rest:
        table = table_of(path, rest)
    elif columns:
        length = max(len(column) for column in columns.values())
        kept = {name: column for name, column in columns.items() if len(column) == length}
        table = Table(
            path.name,
            tuple(kept),
            tuple((i, row) for i, row in enumerate(zip(*kept.values()), 1)),
            ("places are numbers of studies, not lines",),
        )
    else:
        raise unreadable(
            path, "holds no vector or matrix", "the data of the model, as BUGS or JAGS reads them"
        )
    if order:
        notes.append(f"matrices were read {order}")
    scalars = [f"{name} = {value[0]}" for name, (value, dim) in values.items() if len(value) == 1 and not dim]
    if scalars:
        notes.append(f"left out: {', '.join(scalars)}")
    header, rows = table.header, _named(path, table, names or {})
    if "study" not in header:
        header = ("study", *header)
        rows = tuple((line, (f"Study {i}", *cells)) for i, (line, cells) in enumerate(rows, 1))
        notes.append("the studies have no names; they are numbered in their order")
    table = Table(table.name, header, rows, (*table.notes, *notes))
    return import_arms(table, into, outcome=outcome, dry_run=dry_run, **of_arms)


Values = dict[str, tuple[list[str], tuple[int, ...]]]


def _parse(path: Path, text: str, by_column: bool | None) -> tuple[Values, str, str]:
    """Read every named value; gives also the rectangular table behind the list, and the order of matrices."""
    parser = _Parser(path, text, by_column)
    values: Values = {}
    while not parser.at_end():
        if parser.rectangular():
            lines = text.count("\n", 0, parser.position)
            return values, "\n" * lines + text[parser.position :].rstrip(), parser.order
        if parser.peek() == "list" or parser.peek() == "structure":
            parser.take()
            values.update(parser.members())
            continue
        name = parser.take().strip("\"'`")
        if parser.take() not in ("<-", "="):
            raise parser.error("a value without a name")
        if parser.peek() == "list":
            parser.take()
            values.update(parser.members())
        else:
            values[name] = parser.value(in_list=False)
        if not parser.at_end() and parser.peek() == ";":
            parser.take()
    return values, "", parser.order


class _Parser:
    """A reader for the few words of R that data files are written in; nothing is evaluated."""

    def __init__(self, path: Path, text: str, by_column: bool | None) -> None:
        self.path, self.text, self.position = path, text, 0
        self.by_column = by_column
        self.order = ""
        self.depth = 0

    def error(self, what: str) -> ReviewError:
        line = self.text.count("\n", 0, self.position) + 1
        return unreadable(self.path, f"cannot be read: {what}", "list(ns = 2, r = c(...), ...)", line)

    def at_end(self) -> bool:
        return not re.sub(r"#[^\n]*", "", self.text[self.position :]).strip()

    def rectangular(self) -> bool:
        line = self.text[self.position :].lstrip().split("\n", 1)[0]
        return bool(re.match(r"[A-Za-z][\w.]*\[,?\d*\]\s", line + " "))

    def peek(self) -> str:
        match = _TOKEN.match(self.text, self.position)
        if match is None:
            raise self.error(f"{self.text[self.position :].strip()[:30]!r} was not expected")
        return match["token"]

    def take(self, expected: str | None = None) -> str:
        match = _TOKEN.match(self.text, self.position)
        if match is None or (expected is not None and match["token"] != expected):
            found = match["token"] if match else self.text[self.position :].strip()[:30]
            wanted = f", {expected!r} was expected" if expected else ""
            raise self.error(f"{found or 'the end'!r}{wanted}")
        self.position = match.end()
        self.depth += {"(": 1, ")": -1}.get(match["token"], 0)
        if self.depth > MAX_DEPTH:
            raise self.error("its brackets are nested too deeply")
        return match["token"]

    def members(self) -> Values:
        """Values between the brackets of a list."""
        values: Values = {}
        self.take("(")
        while self.peek() != ")":
            name = self.take().strip("\"'`")
            self.take("=")
            values[name] = self.value(in_list=True)
            if self.peek() == ",":
                self.take()
        self.take(")")
        return values

    def value(self, *, in_list: bool) -> tuple[list[str], tuple[int, ...]]:
        if self.peek() == "structure":
            return self._structure(in_list=in_list)
        return self._vector(), ()

    def _vector(self) -> list[str]:
        token = self.take()
        if token in ("c", "as.integer", "as.numeric"):
            self.take("(")
            items: list[str] = []
            while self.peek() != ")":
                items += self._vector()
                if self.peek() == ",":
                    self.take()
            self.take(")")
            return items
        if token in ("NA", "NA_integer_", "NA_real_", "NaN"):
            return [""]
        if token[0] in "\"'":
            return [token[1:-1]]
        if not re.match(r"[+-]?[\d.]", token):
            raise self.error(f"{token!r} is no number")
        token = token.rstrip("L")
        following = _TOKEN.match(self.text, self.position)
        if following and following["token"] == ":":
            self.take()
            first, last = (whole(end, self.error) for end in (token, self.take().rstrip("L")))
            if abs(last - first) > 1_000_000:
                raise self.error(f"{token}:{last} is too long")
            step = 1 if first <= last else -1  # 3:1 is 3, 2, 1 in R.
            return [str(i) for i in range(first, last + step, step)]
        return [token]

    def _structure(self, *, in_list: bool) -> tuple[list[str], tuple[int, ...]]:
        self.take("structure")
        self.take("(")
        named = self.peek() == ".Data"
        if named:
            self.take()
            self.take("=")
        data = self._vector()
        dimensions: tuple[int, ...] = ()
        while self.peek() == ",":
            self.take()
            name = self.take()
            self.take("=")
            if name in (".Dim", "dim"):
                dimensions = tuple(whole(n, self.error) for n in self._vector())
            elif self.peek() == "list":
                self.take()
                self._skip()
            else:
                self._vector()
        self.take(")")
        size = 1
        for extent in dimensions:
            size *= extent
        if dimensions and size != len(data):
            raise self.error(f"a matrix of {' by '.join(map(str, dimensions))} with {len(data)} values")
        by_column = self.by_column if self.by_column is not None else not (named and in_list)
        if len(dimensions) == 2:
            self.order = f"{'column by column, as R' if by_column else 'row by row, as BUGS'} writes them"
            if by_column:
                height, width = dimensions
                data = [data[j * height + i] for i in range(height) for j in range(width)]
        return data, dimensions

    def _skip(self) -> None:
        depth = 0
        while True:
            token = self.take()
            depth += {"(": 1, ")": -1}.get(token, 0)
            if depth == 0:
                return


def _columns_of(path: Path, values: Values) -> dict[str, tuple[str, ...]]:
    """Return matrices as columns ``t[,1]``, ``t[,2]``, and vectors as columns of their name."""
    columns: dict[str, tuple[str, ...]] = {}
    for name, (data, dimensions) in values.items():
        if len(dimensions) == 2:
            width = dimensions[1]
            for k in range(width):
                columns[f"{name}[,{k + 1}]"] = tuple(data[k::width])
        elif len(data) > 1:
            columns["study" if name == "s" else name] = tuple(data)
    if "na" in values and "t" in values and len(values["t"][1]) == 2:
        counts, (height, width) = values["na"][0], values["t"][1]
        filled = [
            sum(bool(cell) for cell in values["t"][0][i * width : (i + 1) * width]) for i in range(height)
        ]
        if [str(n) for n in filled] != counts:
            raise ReviewError(
                f"{path.name} cannot be imported.",
                [
                    Problem(
                        "the matrix t does not have na[i] treatments in row i: it is in the other order,"
                        " or na is wrong",
                        "--by-column or --by-row says in which order the matrices are",
                        path.name,
                    )
                ],
            )
    return columns


def _named(path: Path, table: Table, names: Mapping[str, str]) -> tuple[tuple[int, tuple[str, ...]], ...]:
    """Put the names of treatments in place of their numbers."""
    if not names:
        return table.rows
    at = [i for i, column in enumerate(table.header) if re.fullmatch(r"(t|treat|trt)(\[,?\d*\])?", column)]
    if not at:
        raise CallError(f"{path.name} has no matrix or vector t to name.")
    unknown = sorted({cells[i] for _, cells in table.rows for i in at} - {""} - names.keys())
    if unknown:
        raise CallError(
            f"Treatments {', '.join(unknown)} of {path.name} have no name: give --name {unknown[0]}=NAME."
        )
    return tuple(
        (line, tuple(names[cell] if i in at and cell else cell for i, cell in enumerate(cells)))
        for line, cells in table.rows
    )
