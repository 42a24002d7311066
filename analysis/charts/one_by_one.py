"""Forest plots that take studies away or add them, one by one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from analysis.charts.base.effect import Effect
from analysis.charts.base.intervals import PANEL, draw, fit, place, pooled_row
from analysis.charts.base.layout import Column, Table
from analysis.charts.base.theme import figures, finish, missing, percent, records
from analysis.charts.network_forests import printed

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
    return _one_by_one(frame, effect, treatment, versus, pooled, labels, digits, title, "leave_one_out")


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
    return _one_by_one(frame, effect, treatment, versus, None, labels, digits, title, "cumulative")


def _one_by_one(
    frame: pd.DataFrame,
    effect: Effect,
    treatment: str,
    versus: str,
    pooled: Mapping[str, Any] | None,
    labels: Mapping[str, str] | None,
    digits: int | None,
    title: str | None,
    name: str,
) -> Any:
    given = records(frame)
    cumulative = name == "cumulative"
    digits = (
        digits
        if digits is not None
        else effect.digits(
            (row["ci_upper"] - row["ci_lower"]) / 2 for row in given if not missing(row.get("ci_lower"))
        )
    )
    prefix = "+ " if cumulative else "− "
    rows: list[dict[str, Any]] = []
    for row in given:
        known = not missing(row.get("estimate")) and not missing(row.get("ci_lower"))
        alone = not known and not missing(row.get("estimate"))
        note = printed(str(row["note"])) if not missing(row.get("note")) else ""
        rows.append(
            {
                "kind": "point" if known or alone else "note",
                "study": row["study"],
                "label": prefix + (labels or {}).get(row["study"], str(row["study"])),
                "effect_text": effect.estimate_text(row["estimate"], row["ci_lower"], row["ci_upper"], digits)
                if known
                else f"{effect.text(row['estimate'], digits)} (no interval)"
                if alone
                else note or "cannot be estimated",
                "tau_text": figures(row.get("tau")),
                "i2_text": percent(row.get("i2"), 0),
                "tau": row.get("tau"),
                "i2": row.get("i2"),
                "stored": (row["estimate"], row["ci_lower"], row["ci_upper"])
                if known
                else (row["estimate"],) * 3
                if alone
                else None,
                "alone": alone,
                "href": row.get("href"),
            }
        )
    if pooled is not None and not missing(pooled.get("ci_lower")):
        rows.append(pooled_row(pooled, effect, digits, "All studies"))
    place(rows)
    drawn = [row["stored"] for row in rows if row.get("stored")]
    domain = effect.domain(*zip(*drawn)) if drawn else (-1.0, 1.0)
    corners = fit(rows, effect, domain)
    for row in rows:
        if row.get("alone"):
            row |= {"ci_lower": None, "ci_upper": None}
    names = effect.label(treatment), effect.label(versus)
    right = [Column("effect_text", f"{effect.measure} [95% {effect.interval}]")]
    if any(row.get("tau_text") for row in rows):
        right.append(Column("tau_text", "τ"))
    if any(row.get("i2_text") for row in rows):
        right.append(Column("i2_text", "I²"))
    table = Table(
        rows, [Column("label", "Study added" if cumulative else "Study left out", "left")], right, PANEL
    )
    kind = "cumulative" if cumulative else "leave-one-out"
    heading = title or f"{effect.outcome}: {names[0]} versus {names[1]}, {kind}"
    return finish(
        draw(table, effect, domain, corners, names, pooled),
        name=name,
        title=heading,
        caption=f"Pooled effect with 95% {effect.interval} "
        + ("after each study was added, from the top." if cumulative else "without the study named."),
        description=f"{heading}. {len(given)} analyses.",
        tables={"rows": ("study", "estimate", "ci_lower", "ci_upper", "tau", "i2")},
        width=table.width,
        cuts=table.cuts,
    )
