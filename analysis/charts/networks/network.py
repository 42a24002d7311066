"""The network diagram: who was compared with whom, in how many, how often, how well."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import altair as alt

from analysis.charts.base.layout import across, down, extent, spread, texts_at
from analysis.charts.base.theme import (
    FAINT,
    STUDY,
    dataset,
    finish,
    missing,
    records,
    text_width,
    ticks,
    wrap,
)
from analysis.language.catalog import tr, within

if TYPE_CHECKING:
    import pandas as pd

_LINE = 13
_LABEL = 210
_SHADE = "#e69f00"
_LINE_COLOR = "#8b98a5"
_RISK = ("#d95f0e", "#a38f86", "#2c7fb8")


@dataclass(frozen=True)
class Place:
    """Where a node and its label stand, in pixels from the upper left corner.

    Attributes
    ----------
    x, y : float
        The node.
    label_x, label_y : float
        The label's anchor; `label_y` is its middle.
    align : {"left", "right", "center"}
        How the label stands to its anchor.
    lines : tuple of str
        The label.
    """

    x: float
    y: float
    label_x: float
    label_y: float
    align: str
    lines: tuple[str, ...]


def circle(
    labels: Sequence[str], shares: Sequence[float] | None = None
) -> tuple[list[Place], float, float, float]:
    """Place nodes on a circle, clockwise from the top in the order given, with labels that never overlap.

    Parameters
    ----------
    labels : sequence of str
        Printed names.
    shares : sequence of float, optional
        Radius of each node as a share (0 to 1) of the largest; without it all are as large.

    Returns
    -------
    places : list of Place
        One for each label.
    radius : float
        Largest radius of a node that keeps neighbours apart, in pixels.
    width, height : float
        Of the whole drawing.

    Notes
    -----
    Labels stand beside the circle at their node's height; where they would overlap they move apart along it,
    and a thin line leads to the node.
    """
    n = len(labels)
    lines = [tuple(wrap(label, _LABEL)) for label in labels]
    heights = [len(text) * _LINE + 3 for text in lines]
    angles = [2 * math.pi * index / max(n, 1) for index in range(n)]
    sides: dict[str, list[int]] = {"right": [], "left": []}
    for index, angle in enumerate(angles):
        if abs(math.sin(angle)) > 1e-9:
            sides["right" if math.sin(angle) > 0 else "left"].append(index)
    needed = max((sum(heights[i] for i in members) for members in sides.values()), default=0)
    R = max(105.0, 0.55 * needed, 13.0 * n)
    node = min(23.0, 0.42 * 2 * R * math.sin(math.pi / n)) if n > 1 else 23.0

    radii = [node * share for share in shares or [1.0] * n]

    ys: dict[int, float] = {}
    for members in sides.values():
        members.sort(key=lambda i: -math.cos(angles[i]))
        for index, y in zip(
            members, spread([-R * math.cos(angles[i]) for i in members], [heights[i] for i in members])
        ):
            ys[index] = y
    found = []
    for index, angle in enumerate(angles):
        x, y = R * math.sin(angle), -R * math.cos(angle)
        if index in ys:
            side = 1 if x > 0 else -1
            label_y = ys[index]
            beside = [
                abs(R * math.sin(other)) + radius
                for other, radius in zip(angles, radii)
                if side * math.sin(other) > -1e-9
                and abs(-R * math.cos(other) - label_y) < radius + heights[index] / 2
            ]
            edge = max([abs(x) + radii[index], *beside, 0.25 * R])
            found.append((x, y, side * (edge + 8), label_y, "left" if side > 0 else "right"))
        else:
            # Beyond its own node, and beyond its neighbours where it reaches over them.
            half = max(text_width(line) for line in lines[index]) / 2
            far = [
                abs(R * math.cos(other)) + radius + (5 if step == index else 2)
                for step, (other, radius) in enumerate(zip(angles, radii))
                if math.cos(other) * -y > 0 and abs(R * math.sin(other)) < half + radius
            ]
            away = max(far) + heights[index] / 2
            found.append((x, y, 0.0, -away if y < 0 else away, "center"))
    left = min([-R - node, *(_start(place, lines[i]) for i, place in enumerate(found))])
    right = max([R + node, *(_end(place, lines[i]) for i, place in enumerate(found))])
    top = min([-R - node, *(place[3] - heights[i] / 2 for i, place in enumerate(found))])
    bottom = max([R + node, *(place[3] + heights[i] / 2 for i, place in enumerate(found))])
    return (
        [
            Place(x - left, y - top, label_x - left, label_y - top, align, lines[index])
            for index, (x, y, label_x, label_y, align) in enumerate(found)
        ],
        node,
        right - left,
        bottom - top,
    )


def network_diagram(
    nodes: pd.DataFrame,
    edges: pd.DataFrame,
    *,
    labels: Mapping[str, str] | None = None,
    multi_arm: Sequence[Sequence[str]] = (),
    order: Sequence[str] | None = None,
    size: str = "n_participants",
    size_title: str = "Participants",
    title: str = "Network of comparisons",
) -> Any:
    """Draw the network of treatments.

    Parameters
    ----------
    nodes : DataFrame
        Rows of the view ``network_node`` of one outcome and measure: treatment, n_studies, n_participants.
    edges : DataFrame
        Rows of ``network_edge``: treatment_a, treatment_b, n_studies; with ``low_risk_share`` (0 to 1, of the
        risk-of-bias judgements of its studies) it colours the edges.
    labels : mapping of str to str, optional
        Printed names of treatments.
    multi_arm : sequence of sequences of str
        Treatments of each study with three or more arms; their area is shaded, darker where there are
        several.
    order : sequence of str, optional
        Order around the circle, clockwise from the top; the frame's order without it. Give the same order to
        diagrams that are to be compared.
    size : str
        Column of `nodes` that the nodes' area stands for.
    size_title : str
        Its name in the legend ("Animals", "Participants").
    title : str
        What the network is of.

    Returns
    -------
    altair chart

    Examples
    --------
    >>> import evidence
    >>> from analysis import charts
    >>> with evidence.open("smoking") as db:
    ...     nodes = db.frame("select * from network_node where measure = 'OR'")
    ...     edges = db.frame("select * from network_edge where measure = 'OR'")
    >>> chart = charts.network_diagram(nodes, edges, title="Smoking cessation")
    >>> [path.name for path in charts.save(chart, "network", formats=("csv",))]
    ['network.csv']
    """
    given = {row["treatment"]: row for row in records(nodes)}
    sequence = [treatment for treatment in order or given if treatment in given]
    sequence += [treatment for treatment in given if treatment not in sequence]
    printed = {treatment: (labels or {}).get(treatment, treatment) for treatment in sequence}
    largest = max((row[size] for row in given.values() if not missing(row.get(size))), default=1) or 1
    places, radius, width, height = circle(
        [printed[t] for t in sequence],
        [0.0 if missing(given[t].get(size)) else math.sqrt(given[t][size] / largest) for t in sequence],
    )
    at = dict(zip(sequence, places))
    links = [row for row in records(edges) if row["treatment_a"] in at and row["treatment_b"] in at]
    judged = any(not missing(row.get("low_risk_share")) for row in links)
    shaded = _multi_arm(multi_arm, at)
    dots = [{**given[t], "label": printed[t], "x": at[t].x, "y": at[t].y} for t in sequence]
    layers = [
        *shaded,
        _edges(links, at, judged),
        *_leaders(places),
        _nodes(dots, size, size_title, largest, radius),
        *_labels(places),
    ]
    caption = tr("Area of a node: {size}. Width of a line: number of studies.", size=within(size_title))
    if shaded:
        caption += " " + tr("Shaded: studies with three or more arms.")
    if judged:
        caption += " " + tr(
            "Colour of a line: share of its studies' judgements that are of low risk of bias."
        )
    return finish(
        alt.layer(*layers).properties(width=width, height=height),
        name="network_diagram",
        title=title,
        caption=caption,
        description=_describe(title, links, printed),
        tables={
            "nodes": ("treatment", "label", "n_studies", size),
            "edges": ("treatment_a", "treatment_b", "n_studies", *(["low_risk_share"] if judged else [])),
        },
        width=width + 110,
    )


def _multi_arm(studies: Sequence[Sequence[str]], at: Mapping[str, Place]) -> list[Any]:
    """Shade the area between the treatments of each study; none where there are no studies."""
    order = list(at)
    corners = [
        {"study": index, "order": step, "x": at[t].x, "y": at[t].y}
        for index, members in enumerate(studies)
        for step, t in enumerate(sorted((t for t in members if t in at), key=order.index))
    ]
    if not corners:
        return []
    return [
        alt.Chart(dataset(corners, "multi_arm"))
        .mark_line(interpolate="linear-closed", fill=_SHADE, fillOpacity=0.14, strokeWidth=0, aria=False)
        .encode(x=across(), y=down(), order=alt.Order("order:O"), detail=alt.Detail("study:N"))
    ]


def _edges(links: Sequence[Mapping[str, Any]], at: Mapping[str, Place], judged: bool) -> Any:
    """Draw a line for each comparison, as wide as it has studies, and coloured where they are `judged`."""
    lines = []
    for row in links:
        a, b = at[row["treatment_a"]], at[row["treatment_b"]]
        lines.append({**row, "x": a.x, "y": a.y, "x2": b.x, "y2": b.y})
    most = max((row["n_studies"] for row in links), default=1)
    widest = max(3.0, min(12.0, 220 / max(len(links), 18)))
    color: Any = alt.value(_LINE_COLOR)
    if judged:
        color = alt.Color(
            "low_risk_share:Q",
            scale=alt.Scale(domain=[0, 0.5, 1], range=list(_RISK)),
            legend=alt.Legend(
                title=tr("Judgements at\nlow risk of bias").split("\n"), format="%", gradientLength=80
            ),
        )
    width = alt.StrokeWidth(
        "n_studies:Q",
        scale=alt.Scale(domain=[0, most], range=[0, widest]),
        legend=alt.Legend(
            title=tr("Studies"),
            values=_legend_values(most),
            format=",d",
            symbolStrokeColor=_LINE_COLOR,
            symbolSize=700,
            rowPadding=5,
        ),
    )
    tooltip = [alt.Tooltip("treatment_a:N"), alt.Tooltip("treatment_b:N"), alt.Tooltip("n_studies:Q")]
    return (
        alt.Chart(dataset(lines, "edges"))
        .mark_rule(strokeCap="butt")
        .encode(**extent(), strokeWidth=width, color=color, tooltip=tooltip)
    )


def _leaders(places: Sequence[Place]) -> list[Any]:
    """Draw thin lines from nodes to labels that had to move away from them."""
    leaders = [
        {"x": p.x, "y": p.y, "x2": p.label_x - (3 if p.align == "left" else -3), "y2": p.label_y}
        for p in places
        if p.align != "center" and abs(p.label_y - p.y) > 8
    ]
    if not leaders:
        return []
    lines = alt.Chart(dataset(leaders, "leaders")).mark_rule(strokeWidth=0.7, color=FAINT, aria=False)
    return [lines.encode(**extent())]


def _nodes(
    dots: Sequence[Mapping[str, Any]], size: str, size_title: str, largest: float, radius: float
) -> Any:
    """Draw a disc for each treatment; the one with the `largest` number has the radius given, in pixels."""
    area = alt.Size(
        f"{size}:Q",
        # Vega's size is the area of the square around the circle, so it grows as the circle's area does.
        scale=alt.Scale(domain=[0, largest], range=[0, (2 * radius) ** 2]),
        legend=alt.Legend(
            title=size_title,
            values=_legend_values(largest),
            format=",d",
            symbolFillColor=STUDY,
            symbolStrokeWidth=0,
            rowPadding=6,
        ),
    )
    tooltip = [
        alt.Tooltip("label:N"),
        alt.Tooltip(f"{size}:Q", title=size_title, format=","),
        alt.Tooltip("n_studies:Q"),
    ]
    return (
        alt.Chart(dataset(dots, "nodes"))
        .mark_circle(opacity=1, stroke="white", strokeWidth=1, color=STUDY)
        .encode(x=across(), y=down(), size=area, tooltip=tooltip)
    )


def _labels(places: Sequence[Place]) -> list[Any]:
    layers = []
    for align in ("left", "right", "center"):
        lines = [
            {
                "text": line,
                "x": p.label_x,
                "y": p.label_y + (i - (len(p.lines) - 1) / 2) * _LINE,
                "align": p.align,
            }
            for p in places
            if p.align == align
            for i, line in enumerate(p.lines)
        ]
        if lines:
            layers.append(texts_at(lines, f"labels_{align}", align=align, aria=False))
    return layers


def _describe(title: str, links: Sequence[Mapping[str, Any]], printed: Mapping[str, str]) -> str:
    often = sorted(links, key=lambda row: -row["n_studies"])[:8]
    pairs = "; ".join(
        f"{printed[row['treatment_a']]} with {printed[row['treatment_b']]}: {row['n_studies']:g}"
        for row in often
    )
    sizes = f"{len(printed)} treatments, {len(links)} direct comparisons"
    return f"Network diagram. {title}. {sizes}. {pairs}."


def _start(place: tuple[float, float, float, float, str], lines: Sequence[str]) -> float:
    width = max(text_width(line) for line in lines)
    return place[2] - {"left": 0.0, "right": width, "center": width / 2}[place[4]]


def _end(place: tuple[float, float, float, float, str], lines: Sequence[str]) -> float:
    width = max(text_width(line) for line in lines)
    return place[2] + {"left": width, "right": 0.0, "center": width / 2}[place[4]]


def _legend_values(largest: float) -> list[float]:
    """At most three round values up to the largest, for a legend of areas or widths."""
    steps = [value for value in ticks(0, largest, 4) if value > 0 and float(value).is_integer()]
    if len(steps) <= 3:
        return steps or [largest]
    return [steps[0], steps[(len(steps) - 1) // 2], steps[-1]]
