"""Records that may be the same reference found twice: proposed for a person to confirm, never merged unseen.

The pair that is shown is the pair that matched; what a person answered stands in ``record_pairs.csv`` and is
not asked again, and a group that a "no" goes through falls apart. How two records are compared stands in
`evidence.importers.duplicates.likeness`.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Unpack

from evidence.errors import CallError, Problem, ReviewError
from evidence.importers.draft import Draft, ImportReport, Row
from evidence.importers.duplicates.likeness import Candidate, Certainty, candidate
from evidence.importers.duplicates.likeness import plain_title as plain_title
from evidence.importers.duplicates.pairs import matches
from evidence.importers.table import Reading, read_table
from evidence.system.files import replacing

SIDES = ("title", "year", "authors", "journal", "volume", "pages", "doi", "pmid")
COLUMNS = (
    "confirmed",
    "record",
    "duplicate_of",
    "evidence",
    "certainty",
    "similarity",
    *(name for side in SIDES for name in (side, f"{side}_of_kept")),
)
"""Columns of a list of proposals; a person writes yes or no into the first."""

Pair = tuple[str, str]


@dataclass(frozen=True)
class Proposal:
    """Two records that may be one.

    Attributes
    ----------
    record : str
        The one that stands later.
    duplicate_of : str
        The one that it matched. Of all that turn out to be one, the one that stands first is kept.
    evidence : str
        What they agree in, and what contradicts it.
    similarity : float
        Similarity of their titles, 0 to 100.
    certainty : {"sure", "ask"}
        Whether nothing speaks against it, or a person has to look.
    """

    record: str
    duplicate_of: str
    evidence: str
    similarity: float
    certainty: Certainty = "ask"


class _Groups:
    """Records joined into groups, and groups that are known to differ."""

    def __init__(self, names: Iterable[str]) -> None:
        self.parent = {name: name for name in names}
        self.apart: dict[str, set[str]] = {}

    def root(self, name: str) -> str:
        while self.parent[name] != name:
            self.parent[name] = self.parent[self.parent[name]]
            name = self.parent[name]
        return name

    def join(self, one: str, other: str) -> bool:
        """Join two groups; says whether they were two, and may be one."""
        a, b = self.root(one), self.root(other)
        if a == b or b in self.apart.get(a, ()):
            return False
        self.parent[b] = a
        for different in self.apart.pop(b, set()):
            self.apart.setdefault(a, set()).add(different)
            self.apart[different].discard(b)
            self.apart[different].add(a)
        return True

    def part(self, one: str, other: str) -> None:
        """Note that two groups differ."""
        a, b = self.root(one), self.root(other)
        self.apart.setdefault(a, set()).add(b)
        self.apart.setdefault(b, set()).add(a)


def propose(records: Sequence[Row], answers: Mapping[Pair, bool] | None = None) -> list[Proposal]:
    """Find records that may be the same reference.

    Parameters
    ----------
    records : sequence of dict
        Rows of ``records.csv`` in their order; rows that are marked as duplicates already are passed over.
    answers : mapping of (str, str) to bool, optional
        What a person said of pairs before: these are not asked again, nor what follows from them.

    Returns
    -------
    list of Proposal
        The pairs that would join all records that may be one, the most certain of each group, in the order of
        the records.
    """
    rows = [row for row in records if not row.get("duplicate_of")]
    candidates: list[Candidate] = [candidate(row) for row in rows]
    order = {row["record"]: index for index, row in enumerate(records)}
    groups = _Groups(order)
    for row in records:
        if row.get("duplicate_of") in order:
            groups.join(row["duplicate_of"], row["record"])
    for (one, other), same in (answers or {}).items():
        if not same and one in order and other in order:
            groups.part(one, other)
    dois = {record.name: {record.doi} - {""} for record in candidates}
    found = []
    for a, b, like in matches(candidates):
        earlier, later = candidates[a].name, candidates[b].name
        mine, theirs = (dois.get(groups.root(name), set()) for name in (earlier, later))
        if not groups.join(earlier, later):
            continue
        certainty, said = like.certainty, like.evidence
        if certainty == "sure" and mine and theirs and not mine & theirs and not said.startswith("same pmid"):
            # Neither has a DOI, but what they were joined with has, and another one.
            certainty, said = "ask", f"{said}, but their duplicates have {min(mine)} and {min(theirs)}"
        dois[groups.root(earlier)] = mine | theirs
        found.append(Proposal(later, earlier, said, like.similarity, certainty))
    return sorted(found, key=lambda proposal: (order[proposal.record], order[proposal.duplicate_of]))


def write_proposals(into: str | Path, output: str | Path, *, accept_sure: bool = False) -> list[Proposal]:
    """Write the proposals for a review folder's records as CSV, with both references side by side.

    Parameters
    ----------
    into : path
        Review folder.
    output : path
        File to write: to be looked through, column ``confirmed`` filled in with yes or no, and given to
        `confirm`.
    accept_sure : bool
        Fill in yes where nothing speaks against it, so that only the doubtful pairs have to be answered.

    Returns
    -------
    list of Proposal
    """
    draft = Draft(into)
    records = draft.rows("records.csv")
    if not records:
        raise ReviewError(f"{Path(into).name} has no records.csv: import references first.")
    by_name = {row["record"]: row for row in records}
    proposals = propose(records, _answers(draft))
    with replacing(Path(output)) as part, part.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, COLUMNS, lineterminator="\n")
        writer.writeheader()
        for proposal in proposals:
            row, other = by_name[proposal.record], by_name[proposal.duplicate_of]
            sides = {
                name: source.get(column, "")
                for column in SIDES
                for name, source in ((column, row), (f"{column}_of_kept", other))
            }
            yes = accept_sure and proposal.certainty == "sure"
            writer.writerow({"confirmed": "yes" if yes else "", **vars(proposal), **sides})
    return proposals


def confirm(
    file: str | Path, into: str | Path, *, dry_run: bool = False, **reading: Unpack[Reading]
) -> ImportReport:
    """Mark as duplicates the records that a person has confirmed, and remember every answer.

    Parameters
    ----------
    file : path
        Proposals with ``confirmed`` filled in: yes, no, or empty for undecided.
    into : path
        Review folder. Its ``record_pairs.csv`` keeps the answers; a later answer on a pair takes the place of
        an earlier one, and groups are made anew from all of them.
    dry_run : bool
        Check and report, write nothing.
    **reading
        How the table is opened (`evidence.importers.table.Reading`): sheet, header, encoding.

    Returns
    -------
    ImportReport

    Raises
    ------
    ReviewError
        If a record is unknown, an answer is neither yes nor no, or answers contradict each other.
    """
    table = read_table(file, **reading)
    missing = [name for name in ("confirmed", "record", "duplicate_of") if name not in table.header]
    if missing:
        raise CallError(f"{table.name} is no list of proposals: it has no column {', '.join(missing)}.")
    draft = Draft(into)
    records = draft.rows("records.csv")
    order = {row["record"]: index for index, row in enumerate(records)}
    report = ImportReport(table.name)
    problems: list[Problem] = []
    at = {name: table.header.index(name) for name in table.header}
    new: dict[Pair, tuple[bool, str, int]] = {}
    for line, cells in table.rows:
        answer, record, other = (cells[at[name]] for name in ("confirmed", "record", "duplicate_of"))
        problems += [
            Problem(f"unknown record {name!r}", "as in records.csv", table.name, line)
            for name in (record, other)
            if name not in order
        ]
        if answer.lower() not in ("", "yes", "no"):
            problems.append(Problem(f"{answer!r} is neither yes nor no", "write yes or no", table.name, line))
        elif not answer:
            report.left_out.append(Problem("not decided yet", "write yes or no", table.name, line))
        elif not problems:
            said = cells[at["evidence"]] if "evidence" in at else ""
            new[_pair(record, other, order)] = answer.lower() == "yes", said, line
    if problems:
        raise ReviewError(f"{table.name} cannot be used.", problems)
    before = {row["record"]: row.get("duplicate_of", "") for row in records}
    _regroup(draft, records, order, new, table.name)
    marked = sum(bool(row.get("duplicate_of")) and not before[row["record"]] for row in records)
    freed = sum(not row.get("duplicate_of") and bool(before[row["record"]]) for row in records)
    told = sum(not same for same, _, _ in new.values())
    report.notes.append(f"{marked} record{'s' * (marked != 1)} marked as duplicates; none was deleted")
    if freed:
        report.notes.append(f"{freed} record{'s' * (freed != 1)} no longer marked: a group fell apart")
    if told:
        report.notes.append(f"{told} pair{'s' * (told != 1)} of different records kept in record_pairs.csv")
    draft.write(dry_run=dry_run)
    return report


def _pair(one: str, other: str, order: Mapping[str, int]) -> Pair:
    """Name a pair, the record that stands later first."""
    return (one, other) if order[one] > order[other] else (other, one)


def _answers(draft: Draft) -> dict[Pair, bool]:
    """Answers that the folder keeps."""
    return {
        (row["record"], row["other"]): row["same"].lower() in ("true", "yes", "1")
        for row in draft.rows("record_pairs.csv")
    }


def _regroup(
    draft: Draft,
    records: Sequence[Row],
    order: Mapping[str, int],
    new: Mapping[Pair, tuple[bool, str, int]],
    source: str,
) -> None:
    """Keep the answers, and make the groups of duplicates anew from all of them."""
    kept = _answers(draft)
    known = _Groups(order)
    for (one, other), same in kept.items():
        if same and one in order and other in order:
            known.join(one, other)
    groups = _Groups(order)
    for row in records:
        # What was marked by other means than an answer stays marked.
        target = row.get("duplicate_of", "")
        if target in order and known.root(target) != known.root(row["record"]):
            groups.join(target, row["record"])
    answers = kept | {pair: same for pair, (same, _, _) in new.items()}
    for (one, other), same in answers.items():
        if same and one in order and other in order:
            groups.join(one, other)
    wrong = [
        Problem(
            f"{one!r} and {other!r} are said to differ, but other answers make them one",
            "answer no to one of the pairs that join them as well, or yes to this one",
            source,
            new[one, other][2] if (one, other) in new else None,
        )
        for (one, other), same in answers.items()
        if not same and one in order and other in order and groups.root(one) == groups.root(other)
    ]
    if wrong:
        raise ReviewError(f"{source} cannot be used: its answers contradict each other.", wrong)
    first: dict[str, str] = {}
    for row in records:
        head = first.setdefault(groups.root(row["record"]), row["record"])
        row["duplicate_of"] = "" if head == row["record"] else head
    by_pair = {(row["record"], row["other"]): row for row in draft.rows("record_pairs.csv")}
    for (one, other), (same, evidence, _) in new.items():
        row = {"record": one, "other": other, "same": "true" if same else "false", "evidence": evidence}
        if (one, other) in by_pair:
            by_pair[one, other].update(row)
        else:
            draft.add("record_pairs.csv", row)
    if new:
        draft.changed |= {"records.csv", "record_pairs.csv"}
