"""Risk of bias for robvis, and the flow diagram for PRISMA2020."""

from __future__ import annotations

import csv
import re
from collections import defaultdict
from pathlib import Path

from evidence.errors import RefusedError
from evidence.names import apart
from evidence.selection import Selection


def write_robvis(selection: Selection, directory: Path) -> list[Path]:
    """Write the judgements that count, one table a tool (and outcome, where judgements are for one).

    A study a row; the columns are D1, D2 ... and Overall for tools with such keys, the names of the items for
    others (robvis's generic form). Items that may be left out, and were, have no column.
    """
    tables: dict[tuple[str, str], dict[str, dict[str, str]]] = defaultdict(lambda: defaultdict(dict))
    items = selection.db.rows("select tool, item, label, optional from rob_item order by tool, position")
    by_key = {row["tool"] for row in items if row["item"] == "D1"}
    name_of = {(r["tool"], r["item"]): r["item"] if r["tool"] in by_key else r["label"] for r in items}
    for row in selection.db.rows(
        "from rob_traffic_light order by tool, outcome nulls first, study, position"
    ):
        table = row["tool"], row["outcome"] or ""
        tables[table][row["study"]][row["item"]] = row["judgement_label"]
    if not tables:
        raise RefusedError("There is no risk-of-bias judgement to write for robvis.")
    target = directory / "robvis"
    target.mkdir(exist_ok=True)
    files = []
    taken: set[str] = set()
    for (tool, outcome), studies in tables.items():
        judged_items = {item for cells in studies.values() for item in cells}
        order = [
            row["item"]
            for row in items
            if row["tool"] == tool and (not row["optional"] or row["item"] in judged_items)
        ]
        path = target / f"{apart(_plain(f'{tool} {outcome}'.strip()), taken)}.csv"
        with path.open("w", encoding="utf-8", newline="") as stream:
            writer = csv.writer(stream, lineterminator="\n")
            writer.writerow(["Study", *(name_of[tool, item] for item in order)])
            writer.writerows(
                [study, *(cells.get(item, "") for item in order)] for study, cells in studies.items()
            )
        files.append(path)
        judged = {name_of[tool, item]: f"{tool}, item {item}: judgement" for item in order}
        selection.describe(f"robvis/{path.name}", {"Study": "study", **judged})
    return files


def _plain(text: str) -> str:
    return re.sub(r"[^\w.-]+", "-", text).strip("-").lower()


_HEADINGS = (
    ("previous_studies", "NA", "node4", "prevstud", "Previous studies"),
    ("database_results", "NA", "node6", "newstud",
     "Identification of new studies via databases and registers"),
    ("website_results", "NA", "node16", "othstud", "Identification of new studies via other methods"),
)  # fmt: skip
_STAGES = (
    ("identification", "node1", "Identification"),
    ("screening", "node2", "Screening"),
    ("included", "node3", "Included"),
)
_BOXES = {
    "previous_studies": ("node5", "box1"),
    "previous_reports": ("NA", "box1"),
    "database_results": ("node7", "box2"),
    "database_specific_results": ("NA", "box2"),
    "register_results": ("NA", "box2"),
    "register_specific_results": ("NA", "box2"),
    "website_results": ("node17", "box11"),
    "organisation_results": ("NA", "box11"),
    "citations_results": ("NA", "box11"),
    "duplicates": ("node8", "box3"),
    "excluded_automatic": ("NA", "box3"),
    "excluded_other": ("NA", "box3"),
    "records_screened": ("node9", "box4"),
    "records_excluded": ("node10", "box5"),
    "dbr_sought_reports": ("node11", "box6"),
    "dbr_notretrieved_reports": ("node12", "box7"),
    "other_sought_reports": ("node18", "box12"),
    "other_notretrieved_reports": ("node19", "box13"),
    "dbr_assessed": ("node13", "box8"),
    "dbr_excluded": ("node14", "box9"),
    "other_assessed": ("node20", "box14"),
    "other_excluded": ("node21", "box15"),
    "new_studies": ("node15", "box10"),
    "new_reports": ("NA", "box10"),
    "total_studies": ("node22", "box16"),
    "total_reports": ("NA", "box16"),
    "total_studies_ma": ("node23", "box17"),
    "total_reports_ma": ("NA", "box17"),
}
"""Node and box of the diagram that PRISMA2020's own table (inst/extdata/PRISMA.csv) names for each number."""


_WHOLE = ("records_excluded", "dbr_notretrieved_reports", "other_notretrieved_reports")
"""Boxes in which PRISMA2020 reads a number alone."""


def write_prisma(selection: Selection, directory: Path) -> list[Path]:
    """Write ``PRISMA.csv`` as PRISMA2020 in R reads it (Haddaway et al. 2022, Campbell Syst Rev 18:e1230).

    The boxes of `prisma_flow`, counted or typed; a box that is not known is empty.
    """
    numbers: dict[str, list[tuple[str, int]]] = defaultdict(list)
    for row in selection.db.rows("from prisma_flow order by position, reason nulls first"):
        if row["n"] is not None:
            # The table separates reasons by semicolons and their numbers by commas.
            numbers[row["box"]].append(((row["reason"] or "").replace(";", ","), row["n"]))
    if not numbers:
        raise RefusedError("There is no record, decision or box of the flow to write for PRISMA2020.")
    if any(reason for box in _WHOLE for reason, _ in numbers.get(box, [])):
        selection.lose("prisma2020", "has no place for reasons at title and abstract: their sum is written")
    labels = {row["box"]: row["label"] for row in selection.db.rows("select box, label from prisma_box")}
    heading = {before: row for before, *row in _HEADINGS}
    path = directory / "PRISMA.csv"
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(("data", "node", "box", "description", "boxtext", "tooltips", "url", "n"))
        for box, (node, place) in _BOXES.items():
            if box in heading:
                data, title_node, title, text = heading[box]
                writer.writerow((data, title_node, title, text, text, text, f"{title}.html", ""))
            label = labels[box]
            n = _cell(box, numbers.get(box, []))
            writer.writerow((box, node, place, label, label, label, f"{box}.html", n))
        for stage, node, text in _STAGES:
            writer.writerow((stage, node, stage, text, text, text, f"{stage}.html", ""))
    selection.describe(
        path.name,
        {
            "data": "box of the flow diagram, as PRISMA2020 calls it",
            "node, box, url": "place of the box in the diagram",
            "description, boxtext, tooltips": "words of the box",
            "n": "how many; reasons and their numbers separated by commas and semicolons",
        },
    )
    return [path]


def _cell(box: str, counts: list[tuple[str, int]]) -> str:
    """Write the counts of a box as the template has them."""
    parts = [(reason, n) for reason, n in counts if reason]
    whole = [n for reason, n in counts if not reason]
    if parts and box not in _WHOLE:
        return "; ".join(f"{reason}, {n}" for reason, n in parts)
    return str(whole[0] if whole else sum(n for _, n in parts)) if counts else ""
