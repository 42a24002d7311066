"""Risk of bias, and maps of where there is evidence and where there is none."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import altair as alt

from analysis.charts.base.grid import Grid, cell_texts, names_column
from analysis.charts.base.layout import across, down, extent, line, own_color, words
from analysis.charts.base.theme import (
    FAINT,
    INK,
    MUTED,
    SIZE,
    STUDY,
    count,
    dataset,
    finish,
    ink_on,
    missing,
    number,
    percent,
    records,
    text_width,
)
from analysis.language.catalog import marked, tr

if TYPE_CHECKING:
    import pandas as pd

_CELL = 24
_ROW = 22
_BAR = 320.0

STATUS = {
    marked("used"): ("●", "#0072b2"),
    marked("used, derived"): ("○", "#0072b2"),
    marked("not usable"): ("×", "#d55e00"),
    marked("not reported"): ("–", "#b8c0c8"),
}
"""Symbol and colour of what became of a study's data on an outcome."""


DISAGREEMENT = marked("* assessors differ, and no consensus is entered: the worst judgement counts.")
"""What the mark beside a dot means."""


def unsettled(row: Mapping[str, Any]) -> bool:
    """Whether a row of ``rob_traffic_light`` was settled by the worst of several judgements."""
    return row.get("settled_by") == "worst"


def told(row: Mapping[str, Any]) -> str:
    """Who judged what, where assessors differ and nothing was agreed on; else nothing."""
    return str(row["judgements"]) if unsettled(row) else ""


def disagreement(dots: Iterable[Mapping[str, Any]], aside: float) -> list[Any]:
    """Mark, to the upper right of their dots, judgements that assessors do not agree on.

    Parameters
    ----------
    dots : iterable of mapping
        x, y and judgements (empty where there is nothing to mark) of each dot.
    aside : float
        Pixels from the middle of a dot to its mark, either way.

    Returns
    -------
    list of altair layers
        None where nothing is to be marked.
    """
    marked = [
        {"x": dot["x"] + aside - 2, "y": dot["y"] - aside + 4, "mark": "*"}
        for dot in dots
        if dot["judgements"]
    ]
    if not marked:
        return []
    marks = alt.Chart(dataset(marked, "unsettled")).mark_text(
        baseline="middle", fontSize=12, fontWeight="bold", color=INK, aria=False
    )
    return [marks.encode(x=across(), y=down(), text=alt.Text("mark:N"))]


def symbol_dots(
    dots: Sequence[Mapping[str, Any]], name: str, *, cell: float, disc: Any, text: Any
) -> list[Any]:
    """Draw judgements: a disc in its colour with its symbol, and a mark where assessors differ.

    Parameters
    ----------
    dots : sequence of mapping
        x and y in pixels, study, item, judgement, judgements, symbol, color and ink.
    name : str
        Name of the dataset.
    cell : float
        Width of the cell that a dot stands in, in pixels.
    disc, text : mapping
        Properties of the discs and of the symbols.

    Returns
    -------
    list of altair layers
    """
    base = alt.Chart(dataset(dots, name))
    tooltip = [
        alt.Tooltip("study:N"),
        alt.Tooltip("item:N"),
        alt.Tooltip("judgement:N"),
        alt.Tooltip("judgements:N", title="judged by"),
    ]
    return [
        base.mark_circle(opacity=1, aria=False, **disc).encode(
            x=across(), y=down(), color=own_color(), tooltip=tooltip
        ),
        base.mark_text(baseline="middle", fontWeight="bold", aria=False, **text).encode(
            x=across(), y=down(), text=alt.Text("symbol:N"), color=own_color("ink")
        ),
        *disagreement(dots, cell / 2),
    ]


def traffic_light(
    judgements: pd.DataFrame,
    *,
    labels: Mapping[str, str] | None = None,
    palette: str = "color",
    title: str | None = None,
) -> Any:
    """Draw the risk of bias of each study: a dot with a symbol for each item.

    Parameters
    ----------
    judgements : DataFrame
        Rows of the view ``rob_traffic_light`` of one tool (and one outcome, where there are several): study,
        tool, position, domain, label, judgement, symbol, color, color_blind_safe, and as far as known
        settled_by and judgements: where assessors differ without a consensus, the dot is marked.
    labels : mapping of str to str, optional
        Printed names of studies.
    palette : {"color", "color_blind_safe"}
        Cochrane's colours, or robvis' that stay apart with colour-blindness. The symbol carries the meaning.
    title : str, optional
        Without it, the tool.

    Returns
    -------
    altair chart
    """
    given = sorted(records(judgements), key=lambda row: row["position"])
    items = list(dict.fromkeys(row["label"] for row in given))
    studies = list(dict.fromkeys(row["study"] for row in records(judgements)))
    names = [(labels or {}).get(study, str(study)) for study in studies]
    start = max([text_width(name) for name in names], default=0) + 16
    dots: dict[tuple[str, str], dict[str, Any]] = {}
    for row in given:
        dots.setdefault(
            (row["study"], row["label"]),
            {
                "study": row["study"],
                "domain": row["domain"],
                "item": row["label"],
                "judgement": row["judgement"],
                "symbol": row["symbol"],
                "judgements": told(row),
                "color": row[palette],
                "ink": ink_on(row[palette]),
                "x": start + (items.index(row["label"]) + 0.5) * _CELL,
                "y": (studies.index(row["study"]) + 0.5) * _ROW,
            },
        )
    width, height = start + len(items) * _CELL, len(studies) * _ROW
    layers = [
        line(0, width, 0, MUTED),
        *symbol_dots(
            list(dots.values()),
            "judgements",
            cell=_CELL,
            disc={"size": 330, "stroke": MUTED, "strokeWidth": 0.5},
            text={"fontSize": 13},
        ),
        names_column(names, _ROW),
        words(["Study"], 0, -7, bold=True),
        *(
            words([str(index + 1)], start + (index + 0.5) * _CELL, -7, align="center", bold=True)
            for index in range(len(items))
        ),
        *_key(list({row["judgement"]: row for row in given}.values()), palette, height + 18),
    ]
    tool = given[0]["tool"] if given else ""
    heading = title or tr("Risk of bias by study ({tool})", tool=tool)
    return finish(
        alt.layer(*layers).properties(width=width, height=height),
        name="traffic_light",
        title=heading,
        caption="; ".join(f"{index}:\xa0{item}" for index, item in enumerate(items, 1))
        + "."
        + (DISAGREEMENT if any(unsettled(row) for row in given) else ""),
        description=f"{heading}: {len(studies)} studies, {len(items)} items. {_tally(given)}",
        tables={"judgements": ("study", "domain", "item", "judgement", "judgements")},
        width=max(width, 420),
        cuts=[index * _ROW for index in range(len(studies) + 1)],
    )


def rob_summary(
    summary: pd.DataFrame, *, weighted: bool = False, palette: str = "color", title: str | None = None
) -> Any:
    """Draw how the judgements of each item are distributed.

    Parameters
    ----------
    summary : DataFrame
        Rows of the view ``rob_summary`` of one tool: position, label, judgement, n, share, weighted_share,
        symbol, color, color_blind_safe, and answer_position or severity, which order the answers.
    weighted : bool
        Studies count by their participants (``weighted_share``) instead of once each; the caption says which.
    palette : {"color", "color_blind_safe"}
        As in `traffic_light`.
    title : str, optional
        Without it, the tool.

    Returns
    -------
    altair chart
    """
    given = records(summary)
    share = "weighted_share" if weighted else "share"
    items = list(dict.fromkeys(row["label"] for row in sorted(given, key=lambda row: row["position"])))
    start = max([text_width(item) for item in items], default=0) + 14
    segments = _segments(given, items, share, palette, start)
    height = len(items) * _ROW
    base = alt.Chart(dataset(segments, "judgements"))
    tooltip = [
        alt.Tooltip("item:N"),
        alt.Tooltip("judgement:N"),
        alt.Tooltip("n:Q"),
        alt.Tooltip("share:Q", format=".0%"),
    ]
    layers = [
        base.mark_rect(stroke="white", strokeWidth=1).encode(**extent(), color=own_color(), tooltip=tooltip),
        cell_texts(base, fontWeight="bold", aria=False),
        names_column(items, _ROW),
        line(start, start + _BAR, height + 3, MUTED),
        *(
            words([f"{mark}%"], start + mark / 100 * _BAR, height + 17, align="center", color=MUTED)
            for mark in (0, 25, 50, 75, 100)
        ),
        *_key(list({row["judgement"]: row for row in given}.values()), palette, height + 40),
    ]
    tool = given[0].get("tool", "") if given else ""
    heading = title or tr("Risk of bias by item ({tool})", tool=tool)
    how = (
        tr("Share of studies, weighted by their size (animals or participants).")
        if weighted
        else tr("Share of studies, each study counts once (not weighted).")
    )
    return finish(
        alt.layer(*layers).properties(width=start + _BAR, height=height),
        name="rob_summary",
        title=heading,
        caption=how,
        description=f"{heading}. {how} "
        + " ".join(
            f"{item}: "
            + ", ".join(
                f"{row['judgement']} {percent(row['share'], 0)}" for row in segments if row["item"] == item
            )
            + "."
            for item in items
        ),
        tables={"judgements": ("item", "judgement", "n", "share")},
        width=start + _BAR,
    )


def _segments(
    rows: Sequence[Mapping[str, Any]], items: Sequence[str], share: str, palette: str, start: float
) -> list[dict[str, Any]]:
    """Parts of the bar of each item, the least severe judgement first, from `start` on in pixels."""
    segments = []
    for position, item in enumerate(items):
        members = [
            row for row in rows if row["label"] == item and not missing(row.get(share)) and row[share] > 0
        ]
        members.sort(key=_place)
        done = 0.0
        for row in members:
            text = f"{row['symbol']} {percent(row[share], 0)}"
            segments.append(
                {
                    "item": item, "judgement": row["judgement"], "n": row.get("n"), "share": row[share],
                    "color": row[palette], "ink": ink_on(row[palette]),
                    "text": text if text_width(text, bold=True) + 6 <= row[share] * _BAR else "",
                    "x": start + done * _BAR, "x2": start + (done + row[share]) * _BAR,
                    "middle": start + (done + row[share] / 2) * _BAR,
                    "y": position * _ROW + 2, "y2": (position + 1) * _ROW - 2,
                    "center": (position + 0.5) * _ROW,
                }
            )  # fmt: skip
            done += row[share]
    return segments


def _place(row: Mapping[str, Any]) -> float:
    """Place of a judgement among its tool's answers: as the tool has it, else by its severity, else last."""
    for name in ("answer_position", "severity"):
        if not missing(row.get(name)):
            return float(row[name])
    return 99


def evidence_map(
    frame: pd.DataFrame,
    *,
    treatments: Mapping[str, str] | None = None,
    outcomes: Mapping[str, str] | None = None,
    size_title: str = "studies",
    title: str = "Evidence map",
) -> Any:
    """Draw how much evidence there is for each treatment on each outcome.

    Parameters
    ----------
    frame : DataFrame
        treatment, outcome, n_studies, n_participants; rows as in the view ``network_node``.
    treatments, outcomes : mapping of str to str, optional
        Printed names; their order is the order of rows and columns.
    size_title : str
        What the bubbles' area stands for.
    title : str
        What is shown.

    Returns
    -------
    altair chart
        An empty place is a gap in the evidence.
    """
    given = records(frame)
    rows = [key for key in treatments or {} if any(row["treatment"] == key for row in given)]
    rows += [key for key in dict.fromkeys(row["treatment"] for row in given) if key not in rows]
    columns = [key for key in outcomes or {} if any(row["outcome"] == key for row in given)]
    columns += [key for key in dict.fromkeys(row["outcome"] for row in given) if key not in columns]
    names = [(treatments or {}).get(key, key) for key in rows]
    heads = [(outcomes or {}).get(key, key) for key in columns]
    grid = Grid(names, heads, cell=76, row=38)
    largest = max((row["n_studies"] for row in given), default=1)
    bubbles = [
        {
            **{key: row.get(key) for key in ("treatment", "outcome", "n_studies", "n_participants")},
            "x": grid.x(columns.index(row["outcome"])),
            "y": grid.y(rows.index(row["treatment"])),
            "area": 36.0**2 * row["n_studies"] / largest,
            "text": count(row["n_studies"]),
            # A number too wide for its bubble stands beside it.
            "inside": 36.0 * (row["n_studies"] / largest) ** 0.5 > text_width(count(row["n_studies"])) + 5,
        }
        for row in given
        if row["n_studies"]
    ]
    base = alt.Chart(dataset(bubbles, "evidence"))
    tooltip = [
        alt.Tooltip("treatment:N"),
        alt.Tooltip("outcome:N"),
        alt.Tooltip("n_studies:Q"),
        alt.Tooltip("n_participants:Q"),
    ]
    at = {"x": across(), "y": down()}
    return finish(
        grid.drawn(
            *grid.lines(),
            base.mark_circle(opacity=0.9, color=STUDY).encode(
                **at, size=alt.Size("area:Q", scale=None, legend=None), tooltip=tooltip
            ),
            base.transform_filter("datum.inside")
            .mark_text(baseline="middle", color="white", fontWeight="bold")
            .encode(**at, text=alt.Text("text:N")),
            base.transform_filter("!datum.inside")
            .mark_text(baseline="middle", align="left", dx=17, color=INK)
            .encode(**at, text=alt.Text("text:N")),
            *grid.texts("Treatment"),
        ),
        name="evidence_map",
        title=title,
        caption=tr(
            "Area of a bubble, and its number: {size}. An empty place is a gap in the evidence.",
            size=size_title,
        ),
        description=f"{title}: {len(rows)} treatments, {len(columns)} outcomes, "
        f"{len(rows) * len(columns) - len(bubbles)} combinations without evidence.",
        tables={"evidence": ("treatment", "outcome", "n_studies", "n_participants")},
        width=grid.width,
        cuts=grid.cuts,
    )


def missing_data_map(
    frame: pd.DataFrame,
    *,
    labels: Mapping[str, str] | None = None,
    outcomes: Mapping[str, str] | None = None,
    title: str = "What each study reported",
) -> Any:
    """Draw what became of each study's data on each outcome.

    Parameters
    ----------
    frame : DataFrame
        study, outcome, status: one of `STATUS`; a pair that is not in the frame is drawn as not reported.
    labels, outcomes : mapping of str to str, optional
        Printed names of studies and outcomes.
    title : str
        What is shown.

    Returns
    -------
    altair chart
    """
    given = records(frame)
    studies = list(dict.fromkeys(row["study"] for row in given))
    columns = list(dict.fromkeys(row["outcome"] for row in given))
    grid = Grid(
        [(labels or {}).get(study, str(study)) for study in studies],
        [(outcomes or {}).get(outcome, outcome) for outcome in columns],
        cell=70,
        row=17,
    )
    status = {(row["study"], row["outcome"]): row["status"] for row in given}
    marks = []
    for i, study in enumerate(studies):
        for j, outcome in enumerate(columns):
            found = status.get((study, outcome), "not reported")
            marks.append(
                {
                    "study": study, "outcome": outcome, "status": found, "symbol": STATUS[found][0],
                    "color": STATUS[found][1], "x": grid.x(j), "y": grid.y(i),
                }
            )  # fmt: skip
    base = alt.Chart(dataset(marks, "reported"))
    key = [
        {"judgement": tr(name), "symbol": symbol, "color": color} for name, (symbol, color) in STATUS.items()
    ]
    tally = {name: sum(1 for mark in marks if mark["status"] == name) for name in STATUS}
    return finish(
        grid.drawn(
            *grid.lines(),
            base.mark_text(baseline="middle", fontWeight="bold", fontSize=15).encode(
                x=across(),
                y=down(),
                text=alt.Text("symbol:N"),
                color=own_color(),
                tooltip=[alt.Tooltip("study:N"), alt.Tooltip("outcome:N"), alt.Tooltip("status:N")],
            ),
            *grid.texts(tr("Study")),
            *_key(key, "color", grid.height + 18, dots=False),
        ),
        name="missing_data_map",
        title=title,
        caption=tr("Rows are studies, columns outcomes."),
        description=f"{title}: " + ", ".join(f"{name} {n}" for name, n in tally.items()) + ".",
        tables={"reported": ("study", "outcome", "status")},
        width=max(grid.width, 380),
        cuts=grid.cuts,
    )


def _key(rows: Sequence[Mapping[str, Any]], palette: str, y: float, dots: bool = True) -> list[Any]:
    """Explain symbols and colours in a line beneath."""
    places = []
    x = 9.0
    for row in sorted(rows, key=_place):
        text = str(row.get("judgement_label") or row["judgement"])
        places.append(
            {
                "x": x, "y": y, "t": x + 14, "text": text, "symbol": row["symbol"], "color": row[palette],
                "ink": ink_on(row[palette]) if dots else row[palette],
            }
        )  # fmt: skip
        x += 14 + text_width(text) + 26
    base = alt.Chart(dataset(places, "key"))
    layers = [
        base.mark_text(baseline="middle", fontWeight="bold", fontSize=SIZE + 1, aria=False).encode(
            x=across(), y=down(), text=alt.Text("symbol:N"), color=own_color("ink")
        ),
        base.mark_text(baseline="middle", align="left", color=INK, aria=False).encode(
            x=across("t"), y=down(), text=alt.Text("text:N")
        ),
    ]
    if dots:
        disc = base.mark_circle(size=230, opacity=1, stroke=FAINT, strokeWidth=0.5, aria=False)
        layers.insert(0, disc.encode(x=across(), y=down(), color=own_color()))
    return layers


def _tally(rows: Sequence[Mapping[str, Any]]) -> str:
    total = len(rows)
    counts: dict[str, int] = {}
    for row in rows:
        counts[row["judgement"]] = counts.get(row["judgement"], 0) + 1
    shares = sorted(counts.items(), key=lambda item: -item[1])
    return "Judgements: " + ", ".join(f"{name} {number(100 * n / total, 0)}%" for name, n in shares) + "."
