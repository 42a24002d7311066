"""Risk-of-bias tables become rows of a review folder: a study a row, or a judgement a row, of any known tool.

Columns are items, what they rest on, or about the row (study, outcome, assessor); which tool they are of is
told by all columns and cells together, or asked.
"""

from __future__ import annotations

import re
import shlex
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Unpack

from evidence.errors import CallError, Problem, ReviewError
from evidence.facts.appraisal import OVERALL, Tool, completed, tools
from evidence.folder.column_names import plain
from evidence.importers.appraisal.answers import Answers
from evidence.importers.appraisal.items import ItemNames
from evidence.importers.draft import ColumnMapping, Draft, ImportReport
from evidence.importers.table import MISSING, Reading, Table, read_table
from evidence.names import nearest, suggestion

_STUDY = (
    "study", "studyid", "studylabel", "studyname", "studies", "author", "authors", "authoryear", "trial",
    "firstauthor", "reference", "ref", "article", "paper", "citation",
)  # fmt: skip
_ROLES = {
    **dict.fromkeys(("outcome", "outcomeid", "outcomelabel"), "outcome"),
    **dict.fromkeys(("assessor", "reviewer", "rater", "coder", "ratedby", "assessedby"), "assessor"),
    **dict.fromkeys(("year", "publicationyear"), "year"),
    **dict.fromkeys(("comment", "comments", "note", "notes", "remark", "remarks"), "comment"),
    **dict.fromkeys(("weight", "weights"), "weight"),
    **dict.fromkeys(("total", "totalscore", "score", "sum", "sumscore", "percentage"), "sum"),
    **dict.fromkeys(
        ("uniqueid", "experimental", "comparator", "aim", "source", "effect", "datatype", "effectmeasure",
         "id", "row", "no", "number"), "about"),
    **dict.fromkeys(("tool", "robtool", "instrument"), "tool"),
}  # fmt: skip
_WHY = {
    "weight": "weights follow from the analysis",
    "sum": "a sum of answers: a query counts it",
    "about": "says nothing of bias",
    "year": "",
}
_ITEM = ("item", "domain", "biasdomain", "robdomain", "robitem", "syrcleitem", "criterion")
_JUDGEMENT = ("judgement", "judgment", "rating", "riskofbias", "rob", "robjudgement", "answer")
_WORDS_OF_SUPPORT = (
    "(?:support(?: for judge?ment)?|justification|rationale|reasons?|comments?|notes?|quotes?|quotation|"
    "explanation|description)"
)
_SUPPORTS = re.compile(
    # Within the words of a question they are no name of a column: "reasons for loss to follow-up".
    rf"^[\W_]*{_WORDS_OF_SUPPORT}(?:[\s_]+(?:for|of)\b|[\W_]*[:_-]|(?=\s+(?:d|q|item|domain)?\s*\d))[\W_]*"
    rf"|\({_WORDS_OF_SUPPORT}\)[\W_]*|[\W_]+{_WORDS_OF_SUPPORT}[\W_]*$",
    re.IGNORECASE,
)
_SIGNAL = re.compile(r"(?:sq|q)?\s*(\d)\.(\d{1,2})\b.*", re.IGNORECASE)
_PERHAPS_ITEMS = ("outcome", "sum", "signal")
"""Roles that a name gives to a column which is an item in some tools."""
_NAMELESS = re.compile(r"column \d+")
"""What a column without a name is called: numbers of rows stand in it."""
_AUTHORS = ("author", "authors", "firstauthor")
_ANSWERS = frozenset(("NA", "N/A"))
"""Cells that are an answer of some tools: not applicable."""
_TURNED = "columns are studies, rows are items"
TARGETS = ("study", "outcome", "assessor", "year", "comment", "tool", "item", "judgement", "support")


@dataclass
class _Entry:
    """One judgement of the source.

    Attributes
    ----------
    line : int
        Where it stands.
    column : str
        What its item is called there.
    cell : str
        What was judged.
    support : list of str
        What it rests on.
    about : dict of str to str
        study, outcome, assessor, tool, year, comment of the row.
    """

    line: int
    column: str
    cell: str
    support: list[str] = field(default_factory=list)
    about: dict[str, str] = field(default_factory=dict)


@dataclass
class _Reading:
    """A table taken as judgements of one tool.

    Attributes
    ----------
    tool : Tool
        The instrument.
    items : dict of str to str
        Item by what the source calls it.
    strange : list of str
        What is no item of the tool, and nothing else known.
    """

    tool: Tool
    items: dict[str, str]
    strange: list[str]
    answers: Answers | None = None
    bad: int = 0

    @property
    def whole(self) -> bool:
        """Whether no item is missing; the judgement of the whole may be."""
        overall = {key for key, item in self.tool.items.items() if item.domain == OVERALL}
        needed = self.tool.required - overall or frozenset(self.tool.items) - overall
        given = set(self.items.values())
        return needed <= given if self.tool.required else bool(given)

    @property
    def fits(self) -> bool:
        """Whether every column is told, and none twice."""
        return bool(self.items) and not self.strange and len(set(self.items.values())) == len(self.items)


def import_robvis(
    file: str | Path,
    into: str | Path,
    *,
    tool: str | None = None,
    assessor: str | None = None,
    outcome: str | None = None,
    mapping: Mapping[str, str] | None = None,
    dry_run: bool = False,
    **reading: Unpack[Reading],
) -> ImportReport:
    """Add the judgements of a table of risk of bias to ``risk_of_bias.csv``.

    Parameters
    ----------
    file : path
        A study a row with its items as columns, by key (``D1 ... Overall``) or name, as robvis, RevMan Web
        and the Excel tools have it, with columns of support (``D1_justification``, ``Domain (support): X``);
        or a judgement a row (study, item, judgement).
    into : path
        Review folder; studies that it does not have are added.
    tool : str, optional
        The tool; without it, the one that all columns and cells fit.
    assessor, outcome : str, optional
        Who judged, and for which outcome.
    mapping : mapping of str to str, optional
        Column to item of the tool, ``ITEM support``, or one of `TARGETS`, an empty one leaving it out; cell
        to judgement; name of a study to the folder's.
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
        If the tool is unknown or cannot be told.
    ReviewError
        If a judgement is none of the tool's, a study is probably another's name, or one item of a study is
        judged twice; names line and column.
    """
    table = _without_help(read_table(file, doubled="keep", missing=MISSING - _ANSWERS, **reading))
    draft = Draft(into, title=Path(file).stem)
    every = _tools_of(draft)
    chosen = dict(mapping or {})
    report = ImportReport(table.name, notes=list(table.notes))
    about = {"assessor": assessor, "outcome": outcome}
    problems: list[Problem] = []
    for name, part in _parts(table, chosen, tool):
        source, understood = _read(part, chosen, _named_tools(name, every), name)
        source.check_mapping(understood)
        taker = _Taker(source, understood, draft, report, about)
        taker.take_all()
        problems += taker.problems
        if not report.mappings:
            source.report(understood, report)
    draft.place = None
    if problems:
        raise ReviewError(f"{table.name} cannot be imported.", problems)
    if not draft.added.get("risk_of_bias.csv"):
        raise ReviewError(f"{table.name} holds no judgement that is not in the folder already.")
    return draft.finish(report, dry_run=dry_run)


def _parts(table: Table, mapping: Mapping[str, str], tool: str | None) -> Iterable[tuple[str | None, Table]]:
    """Part a table of judgements, one a row, by the tool that each row names."""
    source = _Source(table, mapping)
    at = source.at("tool")
    if tool is not None or at is None or not source.is_long:
        yield tool, table
        return
    for name in dict.fromkeys(cells[at] for _, cells in table.rows):
        rows = tuple(row for row in table.rows if row[1][at] == name)
        yield name or None, Table(table.name, table.header, rows, table.notes)


def _read(
    table: Table, mapping: Mapping[str, str], given: Mapping[str, Tool], asked: str | None
) -> tuple[_Source, _Reading]:
    """Take a table as it stands, or with its rows for columns.

    Raises
    ------
    CallError, ReviewError
        If it is of no tool, or of several.
    """
    source = _Source(table, mapping)
    if (reading := source.read(given, asked)) is not None:
        return source, reading
    if (turned := _turned(table)) is not None:
        of_turned = _Source(turned, mapping)
        if (reading := of_turned.read(given, asked)) is not None:
            return of_turned, reading
    raise source.unknown(given, asked)


def _tools_of(draft: Draft) -> dict[str, Tool]:
    """Every tool, those of the review folder included."""
    files = (("rob_tool", "rob_tools.csv"), ("rob_item", "rob_items.csv"), ("rob_answer", "rob_answers.csv"))
    return tools({name: completed(name, draft.rows(file)) for name, file in files})


def _named_tools(tool: str | None, every: Mapping[str, Tool]) -> dict[str, Tool]:
    """Tools that a name means: the one, or those of a family such as JBI or NOS."""
    if tool is None:
        return dict(every)
    for name, known in every.items():
        if plain(tool) in map(plain, (name, *known.aliases, known.label)):
            return {name: known}
    if family := {name: known for name, known in every.items() if plain(name).startswith(plain(tool))}:
        return family
    raise CallError(
        f"There is no tool {tool!r}: {suggestion(tool, every)}; a review's own stands in its rob_tools.csv,"
        " rob_items.csv and rob_answers.csv."
    )


def _without_help(table: Table) -> Table:
    """Leave out the line of help that RevMan Web writes under its header."""
    helps = [
        line for line, cells in table.rows if any(cell.startswith('The "Study ID" as') for cell in cells)
    ]
    if not helps:
        return table
    rows = tuple(row for row in table.rows if row[0] not in helps and any(row[1]))
    note = f"line {helps[0]} explains the columns, and was not read"
    return Table(table.name, table.header, rows, (*table.notes, note))


def _turned(table: Table) -> Table | None:
    """Turn a table whose columns are studies and whose rows are items."""
    if len(table.header) < 2 or len({cells[0] for _, cells in table.rows}) != len(table.rows):
        return None
    header = ("Study", *(cells[0] for _, cells in table.rows))
    rows = tuple(
        (table.rows[0][0], (name, *(cells[at] for _, cells in table.rows)))
        for at, name in enumerate(table.header)
        if at
    )
    return Table(table.name, header, rows, (*table.notes, _TURNED))


class _Source:
    """A table of judgements: what its columns are about, whatever the tool.

    Parameters
    ----------
    table : Table
        As read.
    mapping : mapping of str to str
        What a person says of columns, cells and studies.
    """

    def __init__(self, table: Table, mapping: Mapping[str, str]) -> None:
        self.table, self.mapping = table, mapping
        self.columns = {name: target for name, target in mapping.items() if name in table.header}
        self.roles: dict[int, str] = {}
        self._supports: dict[int, str] = {}
        self._find_roles()
        self.is_long = {"item", "judgement"} <= set(self.roles.values())

    def _find_roles(self) -> None:
        plains = [plain(name) for name in self.table.header]
        items = [i for i, p in enumerate(plains) if p in _ITEM]
        for i, name in enumerate(self.table.header):
            if name in self.columns:
                if self.columns[name] in TARGETS or not self.columns[name]:
                    self.roles[i] = self.columns[name] or "left out"
                elif self.columns[name].lower().endswith(" support"):
                    self.roles[i], self._supports[i] = "support", self.columns[name][:-8]
                continue
            if plains[i] in _ROLES:
                self.roles[i] = _ROLES[plains[i]]
            elif _SUPPORTS.search(name) and (rest := _SUPPORTS.sub(" ", name).strip(" :_-()")):
                self.roles[i] = "support"
                self._supports[i] = re.sub(r"(?i)^(domain\b\W*(?=\D)|(for|of)\s+)", "", rest) or rest
            elif _SIGNAL.fullmatch(name):
                self.roles[i] = "signal"
            elif _NAMELESS.fullmatch(name) and all(map(str.isdigit, filter(None, self.table.column(name)))):
                self.roles[i] = "about"
        if "study" not in self.roles.values():
            found = [i for word in _STUDY for i, p in enumerate(plains) if p == word and i not in self.roles]
            self.roles[found[0] if found else 0] = "study"
        if items and (rated := [i for word in _JUDGEMENT for i, p in enumerate(plains) if p == word]):
            self.roles.setdefault(items[0], "item")
            self.roles.setdefault(rated[0], "judgement")
            for i in range(len(plains)):
                if "support" in plains[i] or plains[i] in (
                    "justification",
                    "rationale",
                    "comment",
                    "comments",
                ):
                    self.roles[i] = "support"
                self.roles.setdefault(i, "about")

    @property
    def by_year(self) -> bool:
        """Whether a study is named by its author and its year, which stand in two columns."""
        study = self.at("study")
        named = study is not None and plain(self.table.header[study]) in _AUTHORS
        return named and self.at("year") is not None

    def at(self, role: str) -> int | None:
        """Position of the column with a role."""
        return next((i for i, found in self.roles.items() if found == role), None)

    def names(self) -> list[str]:
        """Return what the source calls its items: columns of no other role, or cells of the item's column."""
        if self.is_long:
            return list(dict.fromkeys(filter(None, self.table.column(self.table.header[self._item]))))
        return [name for i, name in enumerate(self.table.header) if i not in self.roles]

    @property
    def _item(self) -> int:
        found = self.at("item")
        assert found is not None
        return found

    def cells(self, name: str) -> list[str]:
        """Judgements of an item, as typed, but for empty ones."""
        if not self.is_long:
            return [cell for cell in self.table.column(name) if cell]
        judged = self.at("judgement")
        assert judged is not None
        return [cells[judged] for _, cells in self.table.rows if cells[self._item] == name and cells[judged]]

    def read(self, given: Mapping[str, Tool], asked: str | None) -> _Reading | None:
        """Find the tool that all columns and cells fit; None if there is none.

        Raises
        ------
        CallError
            If several fit equally well.
        """
        if self.is_long:
            # A column such as syrcle_item says the tool.
            header = plain(self.table.header[self._item])
            given = {n: t for n, t in given.items() if header.startswith(plain(n))} or given
        readings = [self._by(tool) for tool in given.values()]
        fitting = [reading for reading in readings if reading.fits]
        fitting = [reading for reading in fitting if reading.whole] or fitting
        if not fitting:
            return None
        least = min(reading.bad for reading in fitting)
        fitting = [reading for reading in fitting if reading.bad == least]
        most = max(len(reading.items) for reading in fitting)
        fitting = [reading for reading in fitting if len(reading.items) == most]
        if len(fitting) > 1:
            names = [reading.tool.tool for reading in fitting]
            raise CallError(
                f"{self.table.name} may be {', '.join(names[:-1])} or {names[-1]}: say which with --tool."
            )
        if least and asked is None and not fitting[0].whole:
            return None
        return fitting[0]

    def _by(self, tool: Tool) -> _Reading:
        """Take the table as one of a tool's judgements."""
        names, items, strange = ItemNames(tool), {}, []
        columns = [*self.names(), *self._claimed(tool)]
        for name in columns:
            target = self.columns.get(name, self.mapping.get(name, name) if self.is_long else name)
            key = target if target in tool.items else names.find(target)
            items[name] = key or ""
            if key is None:
                strange.append(name)
                del items[name]
        answers = Answers(tool, [c for name in items for c in self.cells(name)], self.mapping)
        bad = sum(
            answers.read(tool.items[key], cell) is None
            for name, key in items.items()
            for cell in self.cells(name)
        )
        answers.skipped = 0
        return _Reading(tool, items, strange, answers, bad)

    def _claimed(self, tool: Tool) -> list[str]:
        """Columns with a role by name that this tool has an item for, and whose cells are its judgements."""
        found = []
        names = ItemNames(tool)
        for i, name in enumerate(self.table.header):
            if self.is_long or name in self.columns or self.roles.get(i) not in _PERHAPS_ITEMS:
                continue
            signal = _SIGNAL.fullmatch(name) if self.roles[i] == "signal" else None
            # The checks of INSPECT-SR have the numbers that signalling questions have elsewhere.
            key = names.find(f"{signal[1]}.{signal[2]}" if signal else name)
            cells = [cells[i] for _, cells in self.table.rows if cells[i]]
            if key and cells:
                answers = Answers(tool, cells, self.mapping)
                if all(answers.read(tool.items[key], cell) is not None for cell in cells):
                    found.append(name)
        return found

    def unknown(self, given: Mapping[str, Tool], asked: str | None) -> CallError | ReviewError:
        """Say what keeps the table from being one of a tool: the nearest, or the one asked for."""
        readings = sorted(
            (self._by(tool) for tool in given.values()),
            key=lambda r: (len(r.strange) + len(r.items) - len(set(r.items.values())), r.bad, not r.whole),
        )
        nearest_one = readings[0]
        name, items = nearest_one.tool.tool, list(nearest_one.tool.items)
        problems = [self._no_item(column, name, items) for column in nearest_one.strange]
        twice: dict[str, list[str]] = defaultdict(list)
        for column, key in nearest_one.items.items():
            twice[key].append(column)
        problems += [
            Problem(
                f"columns {' and '.join(map(repr, columns))} are both item {key} of {name}",
                f"leave one out: --map {shlex.quote(f'{columns[-1]}=')}",
                self.table.name,
            )
            for key, columns in twice.items()
            if len(columns) > 1
        ]
        if asked is not None:
            return ReviewError(f"{self.table.name} does not fit {name}.", problems)
        return CallError(
            f"{self.table.name} fits no tool known here; {name} comes nearest. Say which with --tool, and"
            " what its columns are with --map COLUMN=ITEM; a review's own tool stands in its rob_tools.csv,"
            " rob_items.csv and rob_answers.csv.",
            problems,
        )

    def _no_item(self, column: str, tool: str, items: Sequence[str]) -> Problem:
        """Say that a column, or what it was mapped to, is no item of a tool."""
        if target := self.columns.get(column):
            right = [*items, *(f"{key} support" for key in items), *TARGETS]
            return Problem(
                f"{column!r} cannot stand for {target!r}", suggestion(target, right), self.table.name
            )
        what = repr(column) if self.is_long else f"column {column!r}"
        return Problem(
            f"{what} is no item of {tool}",
            f"--map {shlex.quote(f'{column}=ITEM')}, with one of {', '.join(items)}; "
            f"--map {shlex.quote(f'{column}=')} leaves it out",
            self.table.name,
            None if self.is_long else 1,
        )

    def check_mapping(self, reading: _Reading) -> None:
        """Refuse what a person says of no column, cell or study, or with no target.

        Raises
        ------
        CallError
            Naming what there is.
        """
        studies = {entry.about.get("study", "") for entry in self.entries(reading)}
        cells = {cell.casefold() for name in reading.items for cell in self.cells(name)}
        problems = []
        for source, target in self.mapping.items():
            of_item = target.removesuffix(" support")
            if source in self.columns:
                right = [*reading.tool.items, *(f"{key} support" for key in reading.tool.items), *TARGETS]
                good = not target or target in TARGETS or of_item in reading.tool.items
                good = good or ItemNames(reading.tool).find(target) is not None
            elif source.casefold() in cells:
                right = list(reading.tool.answers)
                good = not target or any(
                    Answers(reading.tool, (), {}).read(item, target) for item in reading.tool.items.values()
                )
            elif source in studies or (self.is_long and source in self.names()):
                continue
            else:
                there = suggestion(source, [*self.table.header, *sorted(studies)])
                problems.append(
                    Problem(f"there is no column, judgement or study {source!r}", there, self.table.name)
                )
                continue
            if not good:
                problems.append(
                    Problem(
                        f"{source!r} cannot stand for {target!r}", suggestion(target, right), self.table.name
                    )
                )
        if problems:
            raise CallError("The mapping names what is not there.", problems)

    def entries(self, reading: _Reading) -> Iterable[_Entry]:
        """Go through the judgements, with what stands beside them."""
        header = self.table.header
        about = {
            role: i for i, role in self.roles.items() if role in TARGETS and role not in ("item", "support")
        }
        for name in reading.items:
            if name in header and not self.is_long and self.roles.get(header.index(name)) in _PERHAPS_ITEMS:
                about = {role: i for role, i in about.items() if i != header.index(name)}
        names = ItemNames(reading.tool)
        supports: dict[str, list[int]] = defaultdict(list)
        for i, of in self._supports.items():
            if key := (of if of in reading.tool.items else names.find(of)):
                supports[key].append(i)
        for line, cells in self.table.rows:
            told = {role: cells[i] for role, i in about.items()}
            if self.by_year and told.get("study") and not re.search(r"\d{4}", told["study"]):
                told["study"] = f"{told['study']} {told.get('year', '')}".strip()
            if self.is_long:
                judged, said = self.at("judgement"), [i for i, r in self.roles.items() if r == "support"]
                assert judged is not None
                if cells[self._item] or cells[judged]:
                    support = [cells[i] for i in said if cells[i]]
                    yield _Entry(line, cells[self._item], cells[judged], support, told)
                continue
            signals = self._signals(cells, reading.items)
            for name, key in reading.items.items():
                support = [cells[i] for i in supports[key] if cells[i]]
                support += [signals[key]] if key in signals else []
                yield _Entry(line, name, cells[header.index(name)], support, told)

    def _signals(self, cells: Sequence[str], items: Mapping[str, str]) -> dict[str, str]:
        """Answers to signalling questions that are no items of the tool, by domain."""
        found: dict[str, list[str]] = defaultdict(list)
        for i, role in self.roles.items():
            match = _SIGNAL.fullmatch(self.table.header[i])
            if role == "signal" and match and cells[i] and self.table.header[i] not in items:
                found[f"D{match[1]}"].append(f"{match[1]}.{match[2]} {cells[i]}")
        return {key: ", ".join(answers) for key, answers in found.items()}

    def report(self, reading: _Reading, report: ImportReport) -> None:
        """Say of every column what became of it."""
        tool, names = reading.tool, ItemNames(reading.tool)
        homes = {
            "study": "studies.csv: study",
            "year": "studies.csv: year",
            "outcome": "risk_of_bias.csv: outcome",
            "assessor": "risk_of_bias.csv: assessor",
            "tool": "risk_of_bias.csv: tool",
            "item": "risk_of_bias.csv: item",
            "judgement": "risk_of_bias.csv: judgement",
        }
        for i, name in enumerate(self.table.header):
            role = self.roles.get(i, "")
            if name in reading.items:
                became, why = f"risk_of_bias.csv: {tool.tool} item {reading.items[name]}", ""
            elif role in homes:
                became, why = homes[role], ""
            elif role == "comment":
                became, why = "risk_of_bias.csv: support", "of the judgement of the whole"
            elif role == "support":
                of = self._supports.get(i, "")
                key = of if of in tool.items else names.find(of)
                became = "risk_of_bias.csv: support" if key or self.is_long else ""
                why = f"of item {key}" if key else "" if became else f"no item of {tool.tool}"
            elif role == "signal":
                became, why = "risk_of_bias.csv: support", "an answer to a signalling question"
            else:
                became, why = "", _WHY.get(role, "left out as asked")
            report.mappings.append(ColumnMapping(name, became, why))


class _Taker:
    """Judgements on their way into a review folder."""

    def __init__(
        self,
        source: _Source,
        reading: _Reading,
        draft: Draft,
        report: ImportReport,
        given: Mapping[str, str | None],
    ) -> None:
        self.source, self.reading, self.draft, self.report, self.given = source, reading, draft, report, given
        self.name, self.tool = source.table.name, reading.tool
        self.problems: list[Problem] = []
        self.known = {row.get("study", "") for row in draft.rows("studies.csv")}
        self.outcomes = {row.get("outcome", "") for row in draft.rows("outcomes.csv")}
        self.seen: dict[tuple[str, ...], tuple[str, str]] = {
            tuple(row.get(part, "") for part in ("study", "tool", "item", "assessor", "outcome")): (
                row.get("judgement", ""),
                "risk_of_bias.csv",
            )
            for row in draft.rows("risk_of_bias.csv")
        }
        self.added: set[str] = set()

    def take_all(self) -> None:
        """Add every judgement to the draft; what cannot be taken is in `problems`."""
        assert self.reading.answers is not None
        self.report.notes.append(f"read as {self.tool.tool}")
        self._check_studies()
        for entry in self.source.entries(self.reading):
            self.draft.place = self.name, entry.line
            self._take(entry)
        if _TURNED in self.source.table.notes:
            self.report.notes.append(_TURNED)
        answers = self.reading.answers
        self.report.notes += [note for note in (answers.say_symbols(), self._merged()) if note]
        if answers.skipped:
            self.report.notes.append(
                f"{answers.skipped} cell{'s' * (answers.skipped != 1)} 'not applicable' of items that do not"
                " have that answer: not judged"
            )
        if self.known and self.added:
            self.report.notes.append(
                f"{len(self.added)} stud{'ies were' if len(self.added) != 1 else 'y was'} not in the folder,"
                f" and added: {', '.join(sorted(self.added))}"
            )

    def _check_studies(self) -> None:
        """Ask about studies whose name is nearly one of the folder's."""
        if not self.known:
            return
        by_letters = {plain(name): name for name in self.known}
        told: set[str] = set()
        for entry in self.source.entries(self.reading):
            study = entry.about.get("study", "")
            if not study or study in self.known or study in self.source.mapping or study in told:
                continue
            told.add(study)
            meant = by_letters.get(plain(study)) or self._nearly(study)
            if meant is not None:
                self.problems.append(
                    Problem(
                        f"the folder has no study {study!r}: did you mean {meant!r}?",
                        f"--map {shlex.quote(f'{study}={meant}')}, or, if it is another study,"
                        f" --map {shlex.quote(f'{study}={study}')}",
                        self.name,
                        entry.line,
                        study=study,
                    )
                )

    def _nearly(self, study: str) -> str | None:
        """Find a study of the same year with nearly the same name."""
        years = re.findall(r"\d{4}", study)
        same = [name for name in self.known if re.findall(r"\d{4}", name) == years]
        return nearest(study, same, cutoff=0.8)

    def _take(self, entry: _Entry) -> None:
        study = self.source.mapping.get(entry.about.get("study", ""), entry.about.get("study", ""))
        if not study:
            if entry.cell and entry.line not in {problem.line for problem in self.report.left_out}:
                self.report.left_out.append(
                    Problem("a row without a study", "name it", self.name, entry.line)
                )
            return
        key = self.reading.items.get(entry.column)
        if key is None or not entry.cell:
            return
        answers, item = self.reading.answers, self.tool.items[key]
        assert answers is not None
        judgement = answers.read(item, entry.cell)
        if judgement is None:
            self.problems.append(
                Problem(
                    f"{entry.cell!r} is no judgement of {self.tool.tool}",
                    answers.say_answers(item, entry.cell),
                    self.name,
                    entry.line,
                    entry.column,
                    study,
                )
            )
            return
        row = {
            "study": study,
            "tool": self.tool.tool,
            "item": key,
            "judgement": judgement,
            "support": "; ".join(self._support(entry, item.domain)),
            "assessor": entry.about.get("assessor") or self.given["assessor"] or "",
            "outcome": entry.about.get("outcome") or self.given["outcome"] or "",
        }
        if judgement and not self._clashes(row, entry):
            if study not in self.known:
                self.added.add(study)
            about = {"study": study, "label": study, "year": entry.about.get("year")}
            self.draft.add("studies.csv", {k: v for k, v in about.items() if k != "year" or v})
            self.draft.add("risk_of_bias.csv", row)

    def _support(self, entry: _Entry, domain: str) -> list[str]:
        comment = entry.about.get("comment", "")
        if comment and domain == OVERALL:
            return [*entry.support, comment]
        if comment and not any(self.tool.items[k].domain == OVERALL for k in self.reading.items.values()):
            first = next(iter(self.reading.items))
            return [*entry.support, comment] if entry.column == first else entry.support
        return entry.support

    def _clashes(self, row: Mapping[str, str], entry: _Entry) -> bool:
        """Whether the item of the study is judged otherwise already, or for an outcome that there is not."""
        if row["outcome"] and row["outcome"] not in self.outcomes:
            remedy = suggestion(row["outcome"], self.outcomes, "outcomes.csv")
            if (at := self.source.at("outcome")) is not None:
                leave = shlex.quote(f"{self.source.table.header[at]}=")
                remedy += f"; or --map {leave} where a judgement is for all outcomes"
            problem = Problem(
                f"unknown outcome {row['outcome']!r}", remedy, self.name, entry.line, study=row["study"]
            )
            if problem.message not in {found.message for found in self.problems}:
                self.problems.append(problem)
            return True
        identity = tuple(row[part] for part in ("study", "tool", "item", "assessor", "outcome"))
        before = self.seen.setdefault(identity, (row["judgement"], f"line {entry.line}"))
        if before[0] == row["judgement"]:
            return False
        where = f"in {before[1]}" if before[1] != f"line {entry.line}" else "here"
        self.problems.append(
            Problem(
                f"item {row['item']} of {row['study']!r} is {before[0]} {where} already, and"
                f" {row['judgement']} here",
                "name the assessor (--assessor NAME) or the outcome (a column outcome, --outcome OUTCOME)"
                " that tells the two apart, or correct one of them",
                self.name,
                entry.line,
                entry.column,
                row["study"],
            )
        )
        return True

    def _merged(self) -> str:
        """Say which words of the source are no answers of the tool, and what they were read as."""
        counted: Counter[tuple[str, str]] = Counter()
        answers = self.reading.answers
        assert answers is not None
        skipped = answers.skipped
        for name, key in self.reading.items.items():
            for cell in self.source.cells(name):
                judgement = answers.read(self.tool.items[key], cell)
                word = plain(cell)
                if judgement and len(word) > 4 and word not in (plain(judgement), ""):
                    label = plain(self.tool.answers[judgement].label)
                    if word != label and not word.startswith(plain(judgement)):
                        counted[cell, judgement] += 1
        answers.skipped = skipped
        if not counted:
            return ""
        told = ", ".join(f"{n} {cell!r} as {judgement}" for (cell, judgement), n in sorted(counted.items()))
        return f"read by the tool's own answers: {told}"
