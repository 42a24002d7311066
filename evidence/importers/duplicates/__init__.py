"""Records that may be the same reference found twice: proposed for a person to confirm, never merged unseen.

Three kinds of evidence, in this order: the same DOI, the same PMID, nearly the same title (normalised indel
similarity of the plain titles, as Rapidfuzz computes it) in the same or the next year. Titles whose numbers
differ (part 1, part 2) and references whose DOIs or PMIDs contradict each other are not taken for the same,
except that the latter are proposed with a warning where titles agree letter by letter: a preprint and its
article have two DOIs.
"""

from __future__ import annotations

import csv
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from evidence.errors import CallError, Problem, ReviewError
from evidence.importers.draft import Draft, ImportReport, Row
from evidence.importers.references import normal_doi
from evidence.importers.table import read_table
from evidence.system.files import replacing

COLUMNS = (
    "confirmed",
    "record",
    "duplicate_of",
    "evidence",
    "similarity",
    "title",
    "title_of_kept",
    "year",
    "year_of_kept",
    "authors",
    "authors_of_kept",
    "doi",
    "doi_of_kept",
)
"""Columns of a list of proposals; a person writes yes or no into the first."""

_SIMILAR = 92.0
_SHORT = 20


@dataclass(frozen=True)
class Proposal:
    """Two records that may be one.

    Attributes
    ----------
    record : str
        The record that would go.
    duplicate_of : str
        The record that would stay: the one that stands first.
    evidence : str
        What they agree in, and what contradicts it.
    similarity : float
        Similarity of their titles, 0 to 100.
    """

    record: str
    duplicate_of: str
    evidence: str
    similarity: float


def propose(records: Sequence[Row]) -> list[Proposal]:
    """Find records that may be the same reference.

    Parameters
    ----------
    records : sequence of dict
        Rows of ``records.csv`` in their order; rows that are marked as duplicates already are passed over.

    Returns
    -------
    list of Proposal
        One for each record that would go, in the order of the records.
    """
    from rapidfuzz.fuzz import ratio

    rows = [row for row in records if not row.get("duplicate_of")]
    titles = [plain_title(row.get("title", "")) for row in rows]
    kept = list(range(len(rows)))
    why: dict[int, str] = {}

    def root(index: int) -> int:
        while kept[index] != index:
            index = kept[index]
        return index

    def join(first: int, second: int, evidence: str) -> None:
        a, b = sorted((root(first), root(second)))
        if a != b:
            kept[b] = a
            why[b] = evidence

    for name, value in (("doi", normal_doi), ("pmid", str.strip)):
        known: dict[str, int] = {}
        for index, row in enumerate(rows):
            if key := value(row.get(name, "")):
                join(known.setdefault(key, index), index, f"same {name}")
    for first, second, similarity in _similar_titles(rows, titles):
        against = _contradiction(rows[first], rows[second])
        if against and titles[first] != titles[second]:
            continue
        words = "same title" if titles[first] == titles[second] else f"similar title ({similarity:.0f} %)"
        join(first, second, f"{words}, but {against}" if against else words)
    return [
        Proposal(
            rows[index]["record"],
            rows[root(index)]["record"],
            why[index],
            round(ratio(titles[index], titles[root(index)]), 1),
        )
        for index in range(len(rows))
        if kept[index] != index
    ]


def plain_title(title: str) -> str:
    """Return letters and digits of a title, without accents, markup and case, words kept apart by blanks."""
    plain = unicodedata.normalize("NFKD", re.sub(r"<[^<>]{1,20}>", "", title))
    plain = "".join(c for c in plain if not unicodedata.combining(c)).casefold()
    return " ".join(re.findall(r"\w+", plain))


def _similar_titles(rows: Sequence[Row], titles: Sequence[str]) -> Iterable[tuple[int, int, float]]:
    """Compare titles of the same or the next year, and those without a year with all."""
    from rapidfuzz.fuzz import ratio
    from rapidfuzz.process import cdist

    years: dict[str, list[int]] = defaultdict(list)
    for index, row in enumerate(rows):
        if titles[index]:
            years[row.get("year", "")].append(index)
    everything = [index for members in years.values() for index in members]
    for year, members in years.items():
        following = years.get(str(int(year) + 1), []) if year.isdigit() else []
        others = members + following if year else everything
        own = set(members)
        for start in range(0, len(members), 500):
            block = members[start : start + 500]
            scores = cdist(
                [titles[i] for i in block], [titles[i] for i in others], scorer=ratio, score_cutoff=_SIMILAR
            )
            for i, j in zip(*scores.nonzero()):
                first, second = block[i], others[j]
                if first == second or (first > second and second in own):
                    continue
                if titles[first] != titles[second] and (
                    min(len(titles[first]), len(titles[second])) < _SHORT
                    or re.findall(r"\d+", titles[first]) != re.findall(r"\d+", titles[second])
                ):
                    continue
                yield first, second, float(scores[i, j])


def _contradiction(one: Row, other: Row) -> str:
    for name, value in (("doi", normal_doi), ("pmid", str.strip)):
        mine, theirs = value(one.get(name, "")), value(other.get(name, ""))
        if mine and theirs and mine != theirs:
            return f"{name} {mine} against {theirs}"
    mine, theirs = _first_author(one), _first_author(other)
    if mine and theirs and mine != theirs:
        return f"first author {mine} against {theirs}"
    return ""


def _first_author(row: Row) -> str:
    names = plain_title(re.split(r"[;,]", row.get("authors", ""))[0]).split()
    return max(names, key=len) if names else ""


def write_proposals(into: str | Path, output: str | Path) -> list[Proposal]:
    """Write the proposals for a review folder's records as CSV, with both references side by side.

    Parameters
    ----------
    into : path
        Review folder.
    output : path
        File to write: to be looked through, column ``confirmed`` filled in with yes or no, and given to
        `confirm`.

    Returns
    -------
    list of Proposal
    """
    records = Draft(into).rows("records.csv")
    if not records:
        raise ReviewError(f"{Path(into).name} has no records.csv: import references first.")
    by_name = {row["record"]: row for row in records}
    proposals = propose(records)
    with replacing(Path(output)) as part, part.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, COLUMNS, lineterminator="\n")
        writer.writeheader()
        for proposal in proposals:
            row, kept = by_name[proposal.record], by_name[proposal.duplicate_of]
            sides = {
                name: source.get(column, "")
                for column in ("title", "year", "authors", "doi")
                for name, source in ((column, row), (f"{column}_of_kept", kept))
            }
            writer.writerow(
                {
                    "confirmed": "",
                    "record": proposal.record,
                    "duplicate_of": proposal.duplicate_of,
                    "evidence": proposal.evidence,
                    "similarity": proposal.similarity,
                    **sides,
                }
            )
    return proposals


def confirm(file: str | Path, into: str | Path, *, dry_run: bool = False) -> ImportReport:
    """Mark as duplicates the records that a person has confirmed.

    Parameters
    ----------
    file : path
        Proposals with ``confirmed`` filled in: yes, no, or empty for undecided.
    into : path
        Review folder.
    dry_run : bool
        Check and report, write nothing.

    Returns
    -------
    ImportReport

    Raises
    ------
    ReviewError
        If a record is unknown, or an answer is neither yes nor no.
    """
    table = read_table(file)
    missing = [name for name in ("confirmed", "record", "duplicate_of") if name not in table.header]
    if missing:
        raise CallError(f"{table.name} is no list of proposals: it has no column {', '.join(missing)}.")
    draft = Draft(into)
    rows = {row["record"]: row for row in draft.rows("records.csv")}
    report = ImportReport(table.name)
    problems: list[Problem] = []
    at = {name: table.header.index(name) for name in ("confirmed", "record", "duplicate_of")}
    marked = 0
    for line, cells in table.rows:
        answer, record, kept = (cells[at[name]] for name in ("confirmed", "record", "duplicate_of"))
        problems += [
            Problem(f"unknown record {name!r}", "as in records.csv", table.name, line)
            for name in (record, kept)
            if name not in rows
        ]
        if answer.lower() not in ("", "yes", "no"):
            problems.append(Problem(f"{answer!r} is neither yes nor no", "write yes or no", table.name, line))
        elif answer.lower() == "yes" and not problems:
            rows[record]["duplicate_of"] = kept
            marked += 1
        elif not answer:
            report.left_out.append(Problem("not decided yet", "write yes or no", table.name, line))
    if problems:
        raise ReviewError(f"{table.name} cannot be used.", problems)
    for row in rows.values():
        # What was a duplicate of a duplicate is one of the record that stays.
        seen = {row["record"]}
        while (target := rows.get(row.get("duplicate_of", ""))) and target.get("duplicate_of"):
            if target["record"] in seen:
                raise ReviewError(f"{table.name}: {', '.join(sorted(seen))} are duplicates of each other.")
            seen.add(target["record"])
            row["duplicate_of"] = target["duplicate_of"]
    if marked:
        draft.changed.add("records.csv")
    report.notes.append(f"{marked} record{'s' * (marked != 1)} marked as duplicates; none was deleted")
    draft.write(dry_run=dry_run)
    return report
