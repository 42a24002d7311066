"""The PRISMA 2020 flow diagram (Page et al. 2021, BMJ 372:n71), drawn from the view ``prisma_flow``."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import altair as alt

from analysis.charts.base.layout import across, down, extent, texts_at
from analysis.charts.base.theme import INK, MUTED, count, dataset, finish, missing, records, text_width, wrap
from analysis.language.catalog import marked, tr

if TYPE_CHECKING:
    import pandas as pd

_LINE = 14
_PAD = 9
_WIDTH = 218
_SIDE = 44
_STEP = 34
_INDENT = 10
_HEAD = "#f2c14e"
_STAGE = "#9fc5e8"

# Box: its place (column, level), the heading of its text, and the counts that stand in it. "" counts in the
# heading.
_BOXES: dict[str, tuple[str, int, str, dict[str, str]]] = {
    "previous": (
        "previous", 0, "",
        {
            "previous_studies": marked("Studies included in previous version of review"),
            "previous_reports": marked("Reports of studies included in previous version of review"),
        },
    ),
    "identified": (
        "databases", 0, marked("Records identified from:"),
        {
            "database_results": marked("Databases"), "database_specific_results": "",
            "register_results": marked("Registers"),
            "register_specific_results": "",
        },
    ),
    "removed": (
        "databases side", 0, marked("Records removed before screening:"),
        {
            "duplicates": marked("Duplicate records"),
            "excluded_automatic": marked("Records marked as ineligible by automation tools"),
            "excluded_other": marked("Records removed for other reasons"),
        },
    ),
    "screened": ("databases", 1, "", {"records_screened": marked("Records screened")}),
    "screened out": ("databases side", 1, "", {"records_excluded": marked("Records excluded")}),
    "sought": ("databases", 2, "", {"dbr_sought_reports": marked("Reports sought for retrieval")}),
    "not retrieved": ("databases side", 2, "", {"dbr_notretrieved_reports": marked("Reports not retrieved")}),
    "assessed": ("databases", 3, "", {"dbr_assessed": marked("Reports assessed for eligibility")}),
    "excluded": ("databases side", 3, "", {"dbr_excluded": marked("Reports excluded")}),
    "found otherwise": (
        "other", 0, marked("Records identified from:"),
        {
            "website_results": marked("Websites"), "organisation_results": marked("Organisations"),
            "citations_results": marked("Citation searching"),
        },
    ),
    "other sought": ("other", 2, "", {"other_sought_reports": marked("Reports sought for retrieval")}),
    "other not retrieved": (
        "other side", 2, "", {"other_notretrieved_reports": marked("Reports not retrieved")}
    ),
    "other assessed": ("other", 3, "", {"other_assessed": marked("Reports assessed for eligibility")}),
    "other excluded": ("other side", 3, "", {"other_excluded": marked("Reports excluded")}),
    "new": (
        "databases", 4, "",
        {
            "new_studies": marked("New studies included in review"),
            "new_reports": marked("Reports of new included studies"),
        },
    ),
    "total": (
        "databases", 5, "",
        {
            "total_studies": marked("Total studies included in review"),
            "total_reports": marked("Reports of total included studies"),
        },
    ),
    "pooled": (
        "databases", 6, "",
        {
            "total_studies_ma": marked("Studies included in meta-analysis"),
            "total_reports_ma": marked("Reports of studies included in meta-analysis"),
        },
    ),
}  # fmt: skip

_HEADS = {
    "previous": marked("Previous studies"),
    "databases": marked("Identification of new studies via databases and registers"),
    "other": marked("Identification of new studies via other methods"),
}


@dataclass
class _Box:
    column: str
    level: int
    lines: list[tuple[int, str]] = field(default_factory=list)
    x: float = 0.0
    y: float = 0.0

    @property
    def height(self) -> float:
        return len(self.lines) * _LINE + 2 * _PAD

    @property
    def middle(self) -> float:
        return self.y + self.height / 2


def prisma_flow(flow: pd.DataFrame, *, title: str = "PRISMA 2020 flow diagram") -> Any:
    """Draw the flow of records and reports through the review.

    Parameters
    ----------
    flow : DataFrame
        Rows of the view ``prisma_flow``: box, n, reason, origin; several rows of a box are its reasons or
        names.
    title : str
        Heading.

    Returns
    -------
    altair chart
        Three columns (previous studies; databases and registers; other methods); a branch without any count
        is left out.
    """
    rows = records(flow)
    boxes = _boxes(rows)
    columns = _columns(boxes)
    heads = {
        name: wrap(tr(_HEADS[name]), columns[name][1] - 16, bold=True) for name in _HEADS if name in columns
    }
    top = max((len(lines) for lines in heads.values()), default=1) * _LINE + 2 * _PAD
    stages, height = _stand(boxes, columns, float(top + 18))
    width = max(x + w for x, w in columns.values())
    rectangles = [
        _rectangle(box.x, box.x + _WIDTH, box.y, box.y + box.height, "#ffffff", MUTED)
        for box in boxes.values()
    ]
    texts = [
        {"x": box.x + _PAD + indent, "y": box.y + _PAD + (i + 0.5) * _LINE, "text": text}
        for box in boxes.values()
        for i, (indent, text) in enumerate(box.lines)
    ]
    head_texts = []
    for name, head in heads.items():
        left, w = columns[name]
        rectangles.append(_rectangle(left, left + w, 0, top, _HEAD, _HEAD))
        head_texts += [
            {"x": left + w / 2, "y": top / 2 + (i - (len(head) - 1) / 2) * _LINE, "text": line}
            for i, line in enumerate(head)
        ]
    stage_texts = []
    for name, (start, end) in stages.items():
        # A bar as long as its word, at least.
        spare = max(0.0, text_width(name, bold=True) + 12 - (end - start)) / 2
        rectangles.append(_rectangle(0, 22, start - spare, end + spare, _STAGE, _STAGE))
        stage_texts.append({"x": 11, "y": (start + end) / 2, "text": name})
    layers = [
        *_arrow_layers(boxes),
        _rectangles(rectangles),
        texts_at(texts, "texts", align="left"),
        texts_at(head_texts, "heads", fontWeight="bold"),
        texts_at(stage_texts, "stages", fontWeight="bold", angle=270),
        # The counts themselves, not drawn but carried along as the figure's table.
        alt.Chart(dataset(rows, "flow"))
        .mark_point(size=0, opacity=0, aria=False)
        .encode(x=alt.XValue(0), y=alt.YValue(0)),
    ]
    counted = "; ".join(
        f"{row.get('reason') or row.get('label') or row['box']}: {count(row.get('n')) or 'not reported'}"
        for row in rows
    )
    return finish(
        alt.layer(*layers).properties(width=width, height=height),
        name="prisma_flow",
        title=title,
        caption=_source(rows),
        description=f"{title}. {counted}.",
        tables={"flow": ("box", "section", "label", "n", "reason", "origin")},
        width=width,
    )


def _boxes(rows: Sequence[Mapping[str, Any]]) -> dict[str, _Box]:
    """Boxes that have counts, with their text, not yet in their places."""
    by_box: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        by_box.setdefault(row["box"], []).append(row)
    boxes = {}
    for name, (column, level, heading, counts) in _BOXES.items():
        lines = _lines(heading, counts, by_box, has_previous="previous_studies" in by_box)
        if lines:
            boxes[name] = _Box(column, level, lines)
    if "previous" not in boxes and "new" in boxes:
        # The total differs from the new studies only where there is a previous version of the review.
        boxes.pop("total", None)
    return boxes


def _stand(
    boxes: Mapping[str, _Box], columns: Mapping[str, tuple[float, float]], top: float
) -> tuple[dict[str, tuple[float, float]], float]:
    """Put the boxes in their places, level below level from `top`.

    Returns
    -------
    stages : dict of str to (float, float)
        Upper and lower end of each stage in pixels.
    bottom : float
        Lower end of the last box.
    """
    y = top
    stages: dict[str, tuple[float, float]] = {}
    for level in range(1 + max((box.level for box in boxes.values()), default=0)):
        members = [box for box in boxes.values() if box.level == level]
        if not members:
            continue
        tallest = max(box.height for box in members)
        for box in members:
            box.x, box.y = columns[box.column][0], y + (tallest - box.height) / 2
        stage = tr("Identification") if level == 0 else tr("Screening") if level < 4 else tr("Included")
        start = stages[stage][0] if stage in stages else y
        stages[stage] = (start, y + tallest)
        y += tallest + _STEP
    return stages, y - _STEP


def _rectangle(x: float, x2: float, y: float, y2: float, color: str, line: str) -> dict[str, Any]:
    return {"x": x, "x2": x2, "y": y, "y2": y2, "color": color, "line": line}


def _rectangles(rows: Sequence[Mapping[str, Any]]) -> Any:
    fill, stroke = alt.Fill("color:N", scale=None), alt.Stroke("line:N", scale=None)
    drawn = alt.Chart(dataset(rows, "boxes")).mark_rect(strokeWidth=1, aria=False)
    return drawn.encode(**extent(), fill=fill, stroke=stroke)


def _source(rows: Sequence[Mapping[str, Any]]) -> str:
    """Say where the counts come from."""
    counted = any(row.get("origin") == "counted" for row in rows)
    typed = any(row.get("origin") == "typed" for row in rows)
    return {
        (True, False): tr("Counted from the review's records and screening decisions."),
        (False, True): tr("Counts as typed in by the review's authors."),
        (True, True): tr("Partly counted from the review's records, partly typed in by its authors."),
    }.get((counted, typed), "")


def _lines(
    heading: str,
    counts: Mapping[str, str],
    by_box: Mapping[str, Sequence[Mapping[str, Any]]],
    has_previous: bool,
) -> list[tuple[int, str]]:
    """Text of a box, each line with its indent in pixels; empty where nothing was counted."""
    lines: list[tuple[int, str]] = []
    for box, words in counts.items():
        found = by_box.get(box, ())
        if not found:
            continue
        if not has_previous:
            words = _WITHOUT_PREVIOUS.get(words, words)
        words = tr(words)
        whole = [row for row in found if missing(row.get("reason"))]
        parts = [row for row in found if not missing(row.get("reason"))]
        if words and (whole or not heading):
            total = (
                whole[0].get("n") if whole else sum(row["n"] for row in parts if not missing(row.get("n")))
            )
            text = f"{words} {_n(total)}" + (":" if parts else "")
            lines += [(0, part) for part in wrap(text, _WIDTH - 2 * _PAD)]
        for row in [*parts, *(whole if not words else [])]:
            text = str(row.get("reason") or row.get("label"))
            lines += [
                (_INDENT, part) for part in wrap(f"{text} {_n(row.get('n'))}", _WIDTH - 2 * _PAD - _INDENT)
            ]
    return (
        [*((0, text) for text in wrap(tr(heading), _WIDTH - 2 * _PAD)), *lines]
        if lines and heading
        else lines
    )


_WITHOUT_PREVIOUS = {
    "New studies included in review": marked("Studies included in review"),
    "Reports of new included studies": marked("Reports of included studies"),
}


def _n(value: Any) -> str:
    return tr("(n\xa0not\xa0reported)") if missing(value) else f"(n\xa0=\xa0{count(value)})"


def _columns(boxes: Mapping[str, _Box]) -> dict[str, tuple[float, float]]:
    """Left end and width of each column that has boxes; a heading covers its side column too."""
    used = {box.column for box in boxes.values()}
    x = 22 + 14.0
    columns: dict[str, tuple[float, float]] = {}
    for name in ("previous", "databases", "other"):
        if not {name, f"{name} side"} & used:
            continue
        whole = float(_WIDTH)
        columns[name] = (x, whole)
        if f"{name} side" in used:
            columns[f"{name} side"] = (x + _WIDTH + _SIDE, float(_WIDTH))
            whole += _SIDE + _WIDTH
            columns[name] = (x, whole)
        x += whole + 30
    return columns


def _arrow_layers(boxes: Mapping[str, _Box]) -> list[Any]:
    """Draw the arrows between boxes: their lines, and their tips."""
    segments, tips = _arrows(boxes)
    return [
        alt.Chart(dataset(segments, "arrows"))
        .mark_rule(color=INK, strokeWidth=1.2, aria=False)
        .encode(**extent()),
        alt.Chart(dataset(tips, "tips"))
        .mark_point(filled=True, color=INK, size=48, opacity=1, aria=False)
        .encode(x=across(), y=down(), shape=alt.Shape("shape:N", scale=None)),
    ]


def _arrows(boxes: Mapping[str, _Box]) -> tuple[list[dict[str, float]], list[dict[str, Any]]]:
    segments: list[dict[str, float]] = []
    tips: list[dict[str, Any]] = []

    def path(points: Sequence[tuple[float, float]], shape: str) -> None:
        for (x, y), (x2, y2) in itertools.pairwise(points):
            segments.append({"x": x, "y": y, "x2": x2, "y2": y2})
        x, y = points[-1]
        back = {"triangle-down": (0, -4), "triangle-right": (-4, 0), "triangle-left": (4, 0)}[shape]
        tips.append({"x": x + back[0], "y": y + back[1], "shape": shape})

    for column in ("databases", "other"):
        chain = sorted((box for box in boxes.values() if box.column == column), key=lambda box: box.level)
        for upper, lower in itertools.pairwise(chain):
            middle = upper.x + _WIDTH / 2
            path([(middle, upper.y + upper.height), (middle, lower.y)], "triangle-down")
        for box in chain:
            for side in boxes.values():
                if side.column == f"{column} side" and side.level == box.level:
                    path([(box.x + _WIDTH, box.middle), (side.x, box.middle)], "triangle-right")
    new, total = boxes.get("new"), boxes.get("total")
    last_other = max((b for b in boxes.values() if b.column == "other"), key=lambda b: b.level, default=None)
    if last_other is not None and new is not None:
        down = last_other.x + _WIDTH / 2
        path(
            [(down, last_other.y + last_other.height), (down, new.middle), (new.x + _WIDTH, new.middle)],
            "triangle-left",
        )
    target = total or new
    if "previous" in boxes and target is not None:
        box = boxes["previous"]
        down = box.x + _WIDTH / 2
        path([(down, box.y + box.height), (down, target.middle), (target.x, target.middle)], "triangle-right")
    return segments, tips
