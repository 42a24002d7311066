"""Forest plots that take studies away or add them, one by one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from analysis.charts.base.effect import Effect
from analysis.charts.base.intervals import PANEL, Forest, arrange, pooled_row
from analysis.charts.base.panel_table import PanelTable, TextColumn
from analysis.charts.base.theme import finish, missing, percent, printed, records
from analysis.language.catalog import tr

if TYPE_CHECKING:
    import pandas as pd


def leave_one_out(
    frame: pd.DataFrame,
    *,
    effect: Effect,
    treatment: str,
    versus: str,
    pooled: Mapping[str, Any] | None = None,
    labels: Mapping[str, str] | None = None,
    digits: int | None = None,
    title: str | None = None,
) -> Any:
    """Draw the pooled effect with each study left out.

    Parameters
    ----------
    frame : DataFrame
        Rows of ``result_leave_one_out`` of one model, for `treatment` minus `versus`, in the order of
        drawing.
    effect : Effect
        What is estimated.
    treatment, versus : str
        Keys of the treatments compared.
    pooled : mapping, optional
        Row of ``result_estimate`` with all studies: drawn as diamond, and the dashed line.
    labels : mapping of str to str, optional
        Printed names of studies.
    digits : int, optional
        Decimals of the effects; by their intervals without it.
    title : str, optional
        Without it, outcome, comparison and kind.

    Returns
    -------
    altair chart
    """
    return _one_by_one(
        "leave_one_out", frame, effect=effect, treatment=treatment, versus=versus, pooled=pooled,
        labels=labels, digits=digits, title=title,
    )  # fmt: skip


def cumulative(
    frame: pd.DataFrame,
    *,
    effect: Effect,
    treatment: str,
    versus: str,
    labels: Mapping[str, str] | None = None,
    digits: int | None = None,
    title: str | None = None,
) -> Any:
    """Draw the pooled effect as the studies are added, one by one from the top.

    Parameters
    ----------
    frame : DataFrame
        Columns of ``result_leave_one_out`` of one model; ``study`` is the one added last.
    effect, treatment, versus, labels, digits, title
        As in `leave_one_out`.

    Returns
    -------
    altair chart
    """
    return _one_by_one(
        "cumulative", frame, effect=effect, treatment=treatment, versus=versus, pooled=None,
        labels=labels, digits=digits, title=title,
    )  # fmt: skip


def _one_by_one(
    name: str,
    frame: pd.DataFrame,
    *,
    effect: Effect,
    treatment: str,
    versus: str,
    pooled: Mapping[str, Any] | None,
    labels: Mapping[str, str] | None,
    digits: int | None,
    title: str | None,
) -> Any:
    given = records(frame)
    cumulative = name == "cumulative"
    if digits is None:
        digits = effect.digits(
            (row["ci_upper"] - row["ci_lower"]) / 2 for row in given if not missing(row.get("ci_lower"))
        )
    rows = [_row(row, effect, digits, (labels or {}).get(row["study"], str(row["study"]))) for row in given]
    if pooled is not None and not missing(pooled.get("ci_lower")):
        rows.append(pooled_row(pooled, effect, digits, tr("All studies")))
    domain, corners = arrange(rows, effect)
    for row in rows:
        if row.get("alone"):
            row |= {"ci_lower": None, "ci_upper": None}
    names = effect.label(treatment), effect.label(versus)
    left = [TextColumn("label", tr("Study added") if cumulative else tr("Study left out"), "left")]
    right = [TextColumn("effect_text", f"{effect.measure} [95% {effect.interval}]")]
    for field, symbol in (("tau_text", "τ"), ("i2_text", "I²")):
        if any(row.get(field) for row in rows):
            right.append(TextColumn(field, symbol))
    table = PanelTable(rows, left, right, PANEL)
    about = {"outcome": effect.outcome, "a": names[0], "b": names[1]}
    heading = title or (
        tr("{outcome}: {a} versus {b}, cumulative", **about)
        if cumulative
        else tr("{outcome}: {a} versus {b}, leave-one-out", **about)
    )
    return finish(
        Forest(table, effect, domain, corners).draw(names, pooled=pooled),
        name=name,
        title=heading,
        caption=(
            tr("Pooled effect with 95% {interval} after each study was added, from the top.")
            if cumulative
            else tr("Pooled effect with 95% {interval} without the study named.")
        ).format(interval=effect.interval),
        description=f"{heading}. {len(given)} analyses.",
        tables={"rows": ("study", "estimate", "ci_lower", "ci_upper", "tau", "i2")},
        width=table.width,
        cuts=table.cuts,
    )


def _beyond_print(effect: Effect, lower: float, upper: float) -> bool:
    """Tell whether neither end of a ratio's interval can be printed: below 0.0001 and above a million."""
    ends = effect.shown(lower), effect.shown(upper)
    return ends[0] is not None and ends[1] is not None and ends[0] < 1e-4 and ends[1] >= 1e6


def _row(row: Mapping[str, Any], effect: Effect, digits: int, label: str) -> dict[str, Any]:
    """Make the row of one analysis: an interval, an estimate without one, or why there is none."""
    known = not missing(row.get("estimate")) and not missing(row.get("ci_lower"))
    alone = not known and not missing(row.get("estimate"))
    if known:
        stored = (row["estimate"], row["ci_lower"], row["ci_upper"])
        text = effect.estimate_text(*stored, digits)
        if effect.scale == "log" and _beyond_print(effect, *stored[1:]):
            # Two studies with one degree of freedom: bounds that say nothing.
            estimate = effect.text(row["estimate"], digits)
            text = tr("{estimate} (interval without use)", estimate=estimate)
    elif alone:
        stored = (row["estimate"],) * 3
        text = tr("{estimate} (no interval)", estimate=effect.text(row["estimate"], digits))
    else:
        stored = None
        text = "" if missing(row.get("note")) else printed(str(row["note"]))
    return {
        "kind": "point" if known or alone else "note",
        "study": row["study"],
        "label": label,
        "effect_text": text or tr("cannot be estimated"),
        "tau_text": effect.spread_text(row.get("tau"), digits, unit=False),
        "i2_text": percent(row.get("i2"), 0),
        "tau": row.get("tau"),
        "i2": row.get("i2"),
        "stored": stored,
        "alone": alone,
        "href": row.get("href"),
    }
