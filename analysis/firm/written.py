"""What a multiverse says, as it is printed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from analysis.firm.cells import ABOVE, BELOW, UNCLEAR
from analysis.firm.multiverse import FIRST, INTERVAL, Multiverse
from evidence import output
from evidence.system.frames import records

if TYPE_CHECKING:
    import pandas as pd

_SAYS = {
    ABOVE: "lies above no effect",
    BELOW: "lies below no effect",
    UNCLEAR: "includes no effect",
}
_MARGIN = 0.005
"""Shares below this are not worth a sentence."""


def size(found: Multiverse) -> str:
    """Say how many analyses there are, and of what choices."""
    n = int(found.cells["cell"].max())
    refused = int(found.cells.loc[found.cells["refused"].notna(), "cell"].nunique())
    choices = ", ".join(f"{choice.name} ({len(choice.levels)})" for choice in found.choices)
    said = f"{n:,} {'analysis' if n == 1 else 'analyses'} can be defended: {choices or 'no choice'}."
    return said + (f" {refused:,} of them could not be carried out." if refused else "")


def overview(found: Multiverse, labels: Mapping[str, str]) -> tuple[list[str], list[list[Any]]]:
    """Tabulate what the analyses keep of each conclusion: header and rows to print."""
    sources = records(found.sources())
    columns = [
        "comparison",
        "planned interval",
        "analyses",
        "as planned",
        "share",
        "opposite",
        "depends most on",
    ]
    rows: list[list[Any]] = []
    for (treatment, versus), kept in _by_comparison(found.conclusions()):
        a = labels.get(treatment, treatment)
        moved = [row for row in sources if (row["treatment"], row["versus"]) == (treatment, versus)]
        for row in kept:
            if row["conclusion"] not in (INTERVAL, FIRST):
                continue
            first = row["conclusion"] == FIRST
            most = None if first else _largest(moved, row)
            rows.append(
                [
                    a if first else f"{a} versus {labels.get(versus or '', versus)}",
                    "ranks first" if first else _SAYS[row["planned"]],
                    row["cells"],
                    row["kept"],
                    output.percent(row["share"], 0),
                    None if first or row["planned"] == UNCLEAR else row["reversed"],
                    None if most is None else f"{most[0]} ({output.percent(most[1], 0)})",
                ]
            )
    return columns, rows


def _by_comparison(frame: pd.DataFrame) -> Iterator[tuple[tuple[str, str | None], list[dict[str, Any]]]]:
    found: dict[tuple[str, str | None], list[dict[str, Any]]] = {}
    for row in records(frame):
        found.setdefault((row["treatment"], row["versus"]), []).append(row)
    yield from found.items()


def _largest(rows: list[dict[str, Any]], interval: Mapping[str, Any] | None) -> tuple[str, float] | None:
    """Find the choice with the largest share: of whether the interval's conclusion is kept, else of z."""
    field = "kept_share" if interval is not None and interval["kept"] < interval["cells"] else "z_share"
    known = [row for row in rows if row[field] is not None and row[field] >= _MARGIN]
    if not known:
        return None
    most = max(known, key=lambda row: row[field])
    return most["choice"], most[field]
