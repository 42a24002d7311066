"""The forest plot of a pairwise meta-analysis."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import altair as alt

from analysis.charts.appraisal import DISAGREEMENT, symbol_dots, told, unsettled
from analysis.charts.base.effect import Effect, normal_interval
from analysis.charts.base.intervals import (
    MODELS,
    PANEL,
    Forest,
    areas,
    cut_to_axis,
    place,
    pooled_row,
    widened,
)
from analysis.charts.base.layout import words
from analysis.charts.base.panel_table import GAP, PanelTable, TextColumn
from analysis.charts.base.theme import (
    count,
    finish,
    ink_on,
    missing,
    number,
    p_value,
    percent,
    plain,
    records,
    text_width,
    wrap,
)
from analysis.language.catalog import tr
from analysis.verdict import may_be_said

if TYPE_CHECKING:
    import pandas as pd

_DOT = 15


def forest(
    studies: pd.DataFrame,
    pooled: pd.DataFrame | None = None,
    heterogeneity: pd.DataFrame | None = None,
    *,
    effect: Effect,
    treatment: str,
    versus: str,
    rob: pd.DataFrame | None = None,
    footers: Sequence[str] = (),
    title: str | None = None,
    palette: str = "color",
) -> Any:
    """Draw the forest plot of a pairwise meta-analysis.

    Parameters
    ----------
    studies : DataFrame
        One row per study in the order of drawing: study, estimate, std_error (or ci_lower and ci_upper), and
        as far as known label, level (subgroup), n_a, mean_a, sd_a, events_a, n_b, mean_b, sd_b, events_b,
        weight_common, weight_random (any positive unit), href.
    pooled : DataFrame, optional
        Rows of ``result_estimate``; ``level`` names the subgroup, empty for all studies together.
    heterogeneity : DataFrame, optional
        Rows of ``result_heterogeneity`` for the same.
    effect : Effect
        What is estimated.
    treatment, versus : str
        Keys of the treatments compared; the effect is `treatment` minus `versus`.
    rob : DataFrame, optional
        Rows of the view ``rob_by_outcome`` (one tool, one outcome); drawn as dots on the right of every row
        of the study.
    footers : sequence of str
        Lines beneath: tests for overall effect and for subgroup differences.
    title : str, optional
        Without it, outcome and comparison.
    palette : {"color", "color_blind_safe"}
        Colours of the risk-of-bias dots.

    Returns
    -------
    altair chart
        Area of a square is proportional to the study's weight (random effects where given); an interval that
        goes past the axis ends in an arrowhead.

    Examples
    --------
    >>> import evidence
    >>> from analysis import charts, pairwise
    >>> effect = charts.Effect("MD", "HbA1c", unit="%", lower_is_better=True)
    >>> with evidence.open("diabetes") as db:
    ...     meta = pairwise.fit(db, outcome="hba1c", measure="MD", treatment="metf", versus="plac")
    >>> studies = meta.weights().query("model == 'random'")
    >>> chart = charts.forest(studies, meta.estimates(), effect=effect, treatment="metf", versus="plac")
    >>> [path.name for path in charts.save(chart, "forest", formats=("csv",))]
    ['forest.csv']
    """
    given = [_with_interval(row) for row in records(studies)]
    estimates = records(pooled) if pooled is not None else []
    digits = effect.digits(
        (row["ci_upper"] - row["ci_lower"]) / 2 for row in given if not missing(row["ci_lower"])
    )
    weight = next(
        (f"weight_{model}" for model in ("random", "common") if _any(given, f"weight_{model}")), None
    )
    names = effect.label(treatment), effect.label(versus)
    left = _arm_columns(given, names)
    spread = records(heterogeneity) if heterogeneity is not None else []
    rows = _rows(given, estimates, spread, effect, digits)
    rows += [{"kind": "note", "label": text, "span": True} for text in footers]
    rows = _wrapped_notes(rows, left)
    place(rows)
    domain = _domain(effect, given, estimates, rows)
    corners = cut_to_axis(rows, effect, domain)
    areas(rows, weight)
    table = PanelTable(rows, left, _right_columns(given, effect), PANEL)
    caption = [tr("Lines are 95% {interval}s.", interval=effect.interval)]
    if weight:
        caption.append(
            tr("The area of a square is the study's weight in the random-effects model.")
            if weight == "weight_random"
            else tr("The area of a square is the study's weight in the common-effect model.")
        )
    dots: list[Any] = []
    extra = 0.0
    if rob is not None and len(rob):
        dots, legend, extra = _rob_dots(rob, rows, table, palette)
        caption.append(legend)
    drawn = [row["y"] for row in rows if row["kind"] in ("pooled", "prediction", "study")]
    heading = title or tr("{outcome}: {a} versus {b}", outcome=effect.outcome, a=names[0], b=names[1])
    return finish(
        Forest(table, effect, domain, corners).draw(
            names, pooled=_main(estimates), last=drawn[-1] if drawn else None, further=dots, extra=extra
        ),
        name="forest",
        title=heading,
        caption=" ".join(caption),
        description=_describe_forest(heading, given, estimates, effect, digits),
        tables={
            "rows": (
                "kind", "label", "level", "n_a", "mean_a", "sd_a", "events_a", "n_b", "mean_b", "sd_b",
                "events_b", "estimate", "ci_lower", "ci_upper", "weight_common", "weight_random",
            )
        },
        width=table.width + extra,
        cuts=table.cuts,
    )  # fmt: skip


def _with_interval(row: dict[str, Any]) -> dict[str, Any]:
    """Give a study the interval of its standard error where it has none."""
    if not missing(row.get("ci_lower")) and not missing(row.get("ci_upper")):
        return row
    lower, upper = normal_interval(row.get("estimate"), row.get("std_error"))
    return {**row, "ci_lower": lower, "ci_upper": upper}


def _rows(
    given: Sequence[Mapping[str, Any]],
    estimates: Sequence[Mapping[str, Any]],
    spread: Sequence[Mapping[str, Any]],
    effect: Effect,
    digits: int,
) -> list[dict[str, Any]]:
    """Rows of studies by subgroup, each with what it pools to, then of all studies together."""
    groups = [level for level in dict.fromkeys(plain(row.get("level")) for row in given) if level is not None]
    overall = _summary(estimates, spread, effect, digits, None)
    # What pools one subgroup of all studies pools all studies: it stands once.
    alone = all(plain(row.get("level")) == groups[0] for row in given) if groups else False
    apart = bool(groups) and not (alone and any(row["kind"] == "pooled" for row in overall))
    rows: list[dict[str, Any]] = []
    for level in groups or [None]:
        members = [row for row in given if not groups or plain(row.get("level")) == level]
        if groups:
            rows.append({"kind": "header", "label": str(level), "bold": True})
        rows += [_study_row(row, effect, digits, given) for row in members]
        if apart:
            rows += _summary(estimates, spread, effect, digits, level)
            rows.append({"kind": "gap"})
    if overall and apart:
        rows.append({"kind": "header", "label": tr("All studies"), "bold": True})
    return rows + overall


def _wrapped_notes(rows: Sequence[dict[str, Any]], left: Sequence[TextColumn]) -> list[dict[str, Any]]:
    """Break notes so that they keep to the left of the panel, and no line runs through them."""
    room = max(sum(column.width(rows) + GAP for column in left) - GAP, 260)
    return [
        {**row, "label": part}
        for row in rows
        for part in (wrap(row["label"], room) if row["kind"] == "note" else [row.get("label")])
    ]


def _domain(
    effect: Effect,
    given: Sequence[Mapping[str, Any]],
    estimates: Sequence[Mapping[str, Any]],
    rows: Sequence[Mapping[str, Any]],
) -> tuple[float, float]:
    """Choose an axis that holds studies and pooled effects, and as far as it can prediction intervals."""
    shown = [*given, *(row for row in estimates if not missing(row.get("estimate")))]
    ends = ([row.get(key) for row in shown] for key in ("estimate", "ci_lower", "ci_upper"))
    return widened(effect.domain(*ends), [row["stored"][1:] for row in rows if row["kind"] == "prediction"])


def _right_columns(given: Sequence[Mapping[str, Any]], effect: Effect) -> list[TextColumn]:
    """Columns to the right of a forest plot's panel: the effect, and the weights."""
    return [
        TextColumn("effect_text", f"{effect.measure} [95% {effect.interval}]", "right"),
        *(
            TextColumn(f"weight_{model}_text", head, "right")
            for model, head in (("common", tr("Weight\ncommon")), ("random", tr("Weight\nrandom")))
            if _any(given, f"weight_{model}")
        ),
    ]


def _arm_columns(given: Sequence[Mapping[str, Any]], names: tuple[str, str]) -> list[TextColumn]:
    """Columns to the left of a forest plot's panel: the study, and what each arm had."""
    columns = [TextColumn("label", tr("Study"), "left")]
    for side, name in zip("ab", names):
        if _any(given, "events_a"):
            columns.append(TextColumn(f"count_{side}", tr("events / n"), "right", name))
        elif _any(given, f"n_{side}"):
            columns.append(TextColumn(f"n_text_{side}", "n", "right", name))
            if _any(given, f"mean_{side}"):
                columns.append(TextColumn(f"mean_text_{side}", tr("mean (SD)"), "right", name))
    return columns


def _any(rows: Iterable[Mapping[str, Any]], key: str) -> bool:
    return any(not missing(row.get(key)) for row in rows)


def _study_row(
    row: Mapping[str, Any], effect: Effect, digits: int, given: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    stored = (row.get("estimate"), row.get("ci_lower"), row.get("ci_upper"))
    text: dict[str, Any] = {"effect_text": effect.estimate_text(*stored, digits) or tr("not estimable")}
    spread = [other[f"sd_{side}"] for other in given for side in "ab" if not missing(other.get(f"sd_{side}"))]
    places = Effect("MD").digits(spread)
    for side in "ab":
        n, mean, sd, events = (row.get(f"{key}_{side}") for key in ("n", "mean", "sd", "events"))
        text[f"n_text_{side}"] = count(n)
        if not missing(mean):
            text[f"mean_text_{side}"] = number(mean, places) + (
                f" ({number(sd, places)})" if not missing(sd) else ""
            )
        if not missing(events):
            text[f"count_{side}"] = f"{count(events)} / {count(n)}"
    for model in ("common", "random"):
        total = sum(other[f"weight_{model}"] for other in given if not missing(other.get(f"weight_{model}")))
        if total and not missing(row.get(f"weight_{model}")):
            text[f"weight_{model}_text"] = percent(row[f"weight_{model}"] / total)
    return {
        **{
            key: value
            for key, value in row.items()
            if key not in ("estimate", "ci_lower", "ci_upper", "std_error")
        },
        **text,
        "kind": "study",
        "label": str(row.get("label") or row["study"]),
        "stored": None if any(missing(value) for value in stored) else stored,
    }


def _of_level(rows: Iterable[Mapping[str, Any]], level: str | None, model: str) -> Mapping[str, Any] | None:
    return next(
        (row for row in rows if row.get("model") == model and _level(row) == level),
        None,
    )


def _level(row: Mapping[str, Any]) -> str | None:
    value = plain(row.get("level"))
    return None if value in (None, "") else str(value)


def _summary(
    estimates: Sequence[Mapping[str, Any]],
    spread: Sequence[Mapping[str, Any]],
    effect: Effect,
    digits: int,
    level: str | None,
) -> list[dict[str, Any]]:
    """Diamonds of both models, the prediction interval, and the line on heterogeneity."""
    rows: list[dict[str, Any]] = []
    level = None if level is None else str(level)
    for model in ("common", "random"):
        found = _of_level(estimates, level, model)
        if found is None or missing(found.get("estimate")) or missing(found.get("ci_lower")):
            continue
        rows.append({**pooled_row(found, effect, digits, tr(MODELS[model])), "level": level})
        if not missing(found.get("adhoc_lower")):
            beside = effect.interval_text(found["adhoc_lower"], found["adhoc_upper"], digits)
            said = (
                tr("With the Hartung-Knapp factor kept at 1 {interval}", interval=beside)
                if may_be_said(found)
                else tr(
                    "No conclusion is drawn. With the Hartung-Knapp factor kept at 1 {interval}",
                    interval=beside,
                )
            )
            rows.append({"kind": "note", "label": said, "level": level, "span": True})
        if not missing(found.get("pi_lower")):
            rows.append(
                {
                    "kind": "prediction",
                    "label": tr("95% prediction interval"),
                    "level": level,
                    "effect_text": effect.interval_text(found["pi_lower"], found["pi_upper"], digits),
                    "stored": (None, found["pi_lower"], found["pi_upper"]),
                }
            )
    found = _of_level(spread, level, "random") or _of_level(spread, level, "common")
    if found is not None:
        rows.append(
            {"kind": "note", "label": heterogeneity_text(found, effect, digits), "level": level, "span": True}
        )
    return rows


def heterogeneity_text(row: Mapping[str, Any], effect: Effect, digits: int) -> str:
    """Write a row of ``result_heterogeneity`` as the line beneath a forest plot, tau as the effects are."""
    parts = []
    if not missing(row.get("q")):
        test = f"Q = {number(row['q'], 1)}"
        if not missing(row.get("df")):
            test += f" (df {count(row['df'])}"
            test += f", p {p_value(row['p_value'])})" if not missing(row.get("p_value")) else ")"
        parts.append(test)
    if not missing(row.get("i2")):
        limits = (
            tr(" ({lower} to {upper})", lower=percent(row["i2_lower"], 0), upper=percent(row["i2_upper"], 0))
            if not missing(row.get("i2_lower"))
            else ""
        )
        parts.append(f"I² = {percent(row['i2'], 0)}{limits}")
    if not missing(row.get("tau")) and row.get("model") != "common":
        method = f" ({row['method']})" if not missing(row.get("method")) and row["method"] else ""
        parts.append(f"τ = {effect.spread_text(row['tau'], digits)}{method}")
    return tr("Heterogeneity: {tests}", tests="; ".join(parts)) if parts else ""


def _main(estimates: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    return _of_level(estimates, None, "random") or _of_level(estimates, None, "common")


def _rob_dots(
    rob: pd.DataFrame,
    rows: Sequence[Mapping[str, Any]],
    table: PanelTable,
    palette: str,
) -> tuple[list[Any], str, float]:
    """Dots with symbols to the right of the table, and the words that explain their letters."""
    judged = records(rob.sort_values("position"))
    items = list(dict.fromkeys((row["position"], row["label"]) for row in judged))
    letters = {item: "ABCDEFGHIJKLMNOPQRSTUVWXYZ"[index] for index, item in enumerate(items)}
    start = table.width + GAP
    places: dict[str, list[float]] = {}
    for row in rows:
        # A study of several arms or experiments has several rows.
        if row["kind"] == "study":
            places.setdefault(row["study"], []).append(row["y"])
    dots: dict[tuple[Any, Any, float], dict[str, Any]] = {}
    for row in judged:
        item = (row["position"], row["label"])
        place = start + (items.index(item) + 0.5) * _DOT
        for y in places.get(row["study"], ()):
            dots.setdefault((row["study"], item, y), {
                "study": row["study"], "item": row["label"], "judgement": row["judgement"],
                "symbol": row["symbol"], "judgements": told(row),
                "color": row[palette], "ink": ink_on(row[palette]), "x": place, "y": y,
            })  # fmt: skip
    layers = symbol_dots(
        list(dots.values()), "risk_of_bias", cell=_DOT, disc={"size": 150}, text={"fontSize": 10}
    )
    layers = [alt.layer(*layers).resolve_scale(x="independent")]
    layers += [
        words([letter], start + (index + 0.5) * _DOT, -6, align="center", bold=True)
        for index, letter in enumerate(letters.values())
    ]
    layers.append(
        words(
            [tr("Risk of bias")],
            start,
            -6 - 19 - (14 if any("\n" in c.title for c in table.right) else 0),
            bold=True,
        )
    )
    width = max(GAP + len(items) * _DOT, GAP + text_width(tr("Risk of bias"), bold=True))
    legend = tr(
        "Risk of bias: {items}.",
        items="; ".join(f"{letter} {label}" for (_, label), letter in letters.items()),
    )
    legend += " " + tr(DISAGREEMENT) if any(unsettled(row) for row in judged) else ""
    return layers, legend, width


def _describe_forest(
    heading: str,
    given: Sequence[Mapping[str, Any]],
    estimates: Sequence[Mapping[str, Any]],
    effect: Effect,
    digits: int,
) -> str:
    sentences = [f"Forest plot. {heading}. {len(given)} {'study' if len(given) == 1 else 'studies'}."]
    for model in ("common", "random"):
        found = _of_level(estimates, None, model)
        if found is not None and not missing(found.get("estimate")):
            text = effect.estimate_text(found["estimate"], found["ci_lower"], found["ci_upper"], digits)
            sentences.append(f"{tr(MODELS[model])}: {effect.name.lower()} {text}.")
    return " ".join(sentences)
