"""The map of the views: which stands on which, and one line a view, written from the SQL files themselves.

``python -m evidence.store.viewmap`` rewrites ``sql/README.md``.
"""

from __future__ import annotations

from pathlib import Path

from evidence.store.objects import SqlObject, sql_objects
from evidence.system.resources import sql_directory

_HEAD = """# Views and macros

Written by `python -m evidence.store.viewmap` from the headers of the files in this folder; do not edit. How
to write one is in [STYLE.md](STYLE.md); `evidence catalog FILE NAME` shows the whole header and every column.

One object a file, file name = object name. An arrow goes from what is read to what reads it.

"""
ROOMS = {
    "macros": "functions: distributions, series and texts that DuckDB lacks",
    "staging": "what was typed, made comparable: one reading, one unit, one statistic",
    "contrasts": "arms against arms, and which of their time points an analysis takes",
    "network": "nodes, edges, designs and components of treatments compared",
    "pooling": "pairwise meta-analysis, subgroups, one study left out",
    "appraisal": "risk of bias, extraction and screening, characteristics, flow",
    "published": "what others printed, held against itself",
    "living": "what happened to publications after they were read",
    "suspicion": "the detective: what was probably mistyped, and what would be right",
    "audits": "rows that should not be there, and what could not be used",
}
"""What each room is for, in the order of reading."""

FIRST = (
    "study_characteristics",
    "prisma_flow",
    "rob_traffic_light",
    "measurement_standard",
    "suspicion",
    "left_out",
    "contrast",
    "pooled",
    "subgroup",
    "evidence_page",
)
"""What a reviewer needs first: who was studied, what was measured, what may be wrong, what comes of it."""


def view_map() -> str:
    """Describe every room, view and macro as Markdown with Mermaid diagrams.

    Raises
    ------
    KeyError
        If a room has no description here.
    """
    rooms: dict[str, list[SqlObject]] = {room: [] for room in ROOMS}
    for item in sql_objects():
        rooms[item.room].append(item)
    return (
        _HEAD + _diagram(_between_rooms()) + "".join(_section(room, items) for room, items in rooms.items())
    )


def _between_rooms() -> list[tuple[str, str]]:
    room = {item.name: item.room for item in sql_objects()}
    found = {(room[used], item.room) for item in sql_objects() for used in item.uses if used in room}
    return sorted((one, two) for one, two in found if one not in (two, "macros"))


def _section(room: str, items: list[SqlObject]) -> str:
    views = {item.name for item in sql_objects() if item.kind == "view"}
    arrows = sorted((used, item.name) for item in items for used in item.uses & views)
    parts = [f"\n## {room}\n\n{ROOMS[room][0].upper()}{ROOMS[room][1:]}.\n"]
    if arrows and room != "audits":  # Nothing stands on an audit: a diagram would say what the table says.
        parts.append(f"\n{_diagram(arrows)}")
    for folder in sorted({item.folder for item in items}):
        parts.append(f"\n### {folder}\n\n" if folder != room else "\n")
        parts.append("| name | grain | title | reads |\n|---|---|---|---|\n")
        for item in sorted(items, key=lambda item: item.name):
            if item.folder == folder:
                reads = ", ".join(sorted(item.uses & views)) or ("tables" if item.kind == "view" else "")
                cells = (f"`{item.name}`", item.header.get("Grain", "scalar"), item.header["Title"], reads)
                parts.append(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |\n")
    return "".join(parts)


def _diagram(arrows: list[tuple[str, str]]) -> str:
    lines = [f"    {one} --> {two}\n" for one, two in arrows]
    return "```mermaid\nflowchart LR\n" + "".join(lines) + "```\n"


def write(path: Path | None = None) -> Path:
    """Write the map, by default to ``sql/README.md``."""
    target = path or sql_directory() / "README.md"
    target.write_text(view_map(), encoding="utf-8")
    return target


if __name__ == "__main__":
    print(write())
