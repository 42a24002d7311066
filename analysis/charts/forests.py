"""Forest plots: a meta-analysis, a network, leave-one-out, cumulative, node-splits, priors."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import altair as alt

from analysis.charts.effect import Effect, normal_interval
from analysis.charts.layout import GAP, ROW, Column, Table, favours, linked, pixels, row_y, words
from analysis.charts.theme import (
    COMMON,
    INK,
    MUTED,
    PREDICTION,
    RANDOM,
    STUDY,
    count,
    dataset,
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

if TYPE_CHECKING:
    import pandas as pd

MODELS = {"common": "Common effect", "random": "Random effects"}
"""Printed names of the models."""

_PANEL = 300
_SQUARE = 150.0
_DOT = 15
_HEAD = 420


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
        Rows of the view ``rob_traffic_light`` (one tool); drawn as dots on the right.
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
    """
    given = records(studies)
    groups = [level for level in dict.fromkeys(plain(row.get("level")) for row in given) if level is not None]
    estimates = records(pooled) if pooled is not None else []
    spread = records(heterogeneity) if heterogeneity is not None else []
    for row in given:
        if missing(row.get("ci_lower")) or missing(row.get("ci_upper")):
            row["ci_lower"], row["ci_upper"] = normal_interval(row.get("estimate"), row.get("std_error"))
    digits = effect.digits(
        (row["ci_upper"] - row["ci_lower"]) / 2 for row in given if not missing(row["ci_lower"])
    )
    weight = next(
        (f"weight_{model}" for model in ("random", "common") if _any(given, f"weight_{model}")), None
    )

    rows: list[dict[str, Any]] = []
    for level in groups or [None]:
        members = [row for row in given if not groups or plain(row.get("level")) == level]
        if groups:
            rows.append({"kind": "header", "label": str(level), "bold": True})
        rows += [_study_row(row, effect, digits, given) for row in members]
        if groups:
            rows += _summary(estimates, spread, effect, digits, level)
            rows.append({"kind": "gap"})
    overall = _summary(estimates, spread, effect, digits, None)
    if overall and groups:
        rows.append({"kind": "header", "label": "All studies", "bold": True})
    rows += overall
    rows += [{"kind": "note", "label": text, "span": True} for text in footers]
    names = effect.label(treatment), effect.label(versus)
    left = _arm_columns(given, names)
    # Notes keep to the left of the panel, so that no line runs through them.
    room = max(sum(column.width(rows) + GAP for column in left) - GAP, 260)
    rows = [
        {**row, "label": part}
        for row in rows
        for part in (wrap(row["label"], room) if row["kind"] == "note" else [row.get("label")])
    ]
    _place(rows)

    shown = [*given, *(row for row in estimates if not missing(row.get("estimate")))]
    domain = effect.domain(
        [row.get("estimate") for row in shown],
        [row.get("ci_lower") for row in shown],
        [row.get("ci_upper") for row in shown],
    )
    domain = _holding(domain, [row for row in rows if row["kind"] == "prediction"])
    corners = _fit(rows, effect, domain)
    _areas(rows, weight)

    right = [Column("effect_text", f"{effect.measure} [95% {effect.interval}]", "right")]
    for model in ("common", "random"):
        if _any(given, f"weight_{model}"):
            right.append(Column(f"weight_{model}_text", f"Weight\n{model}", "right"))
    table = Table(rows, left, right, _PANEL)
    last = next(
        (row["y"] for row in reversed(rows) if row["kind"] in ("pooled", "prediction", "study")), table.height
    )
    main = _main(estimates)
    caption = [f"Lines are 95% {effect.interval}s."]
    if weight:
        model = {"weight_random": "random-effects", "weight_common": "common-effect"}[weight]
        caption.append(f"The area of a square is the study's weight in the {model} model.")
    dots: list[Any] = []
    extra = 0.0
    if rob is not None and len(rob):
        dots, legend, extra = _rob_dots(rob, given, rows, table, palette)
        caption.append(legend)
    heading = title or f"{effect.outcome}: {names[0]} versus {names[1]}"
    return finish(
        _draw(table, effect, domain, corners, names, main, last, dots, extra),
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


def network_forest(
    estimates: pd.DataFrame,
    *,
    effect: Effect,
    reference: str,
    ranking: pd.DataFrame | None = None,
    title: str | None = None,
) -> Any:
    """Draw every treatment of a network against the reference, the best first.

    Parameters
    ----------
    estimates : DataFrame
        Rows of ``result_estimate`` of one engine and model with ``versus`` equal to the reference; rows the
        other way round are turned.
    effect : Effect
        What is estimated.
    reference : str
        Key of the reference treatment.
    ranking : DataFrame, optional
        Rows of ``result_ranking``: adds a column with SUCRA or P-score.
    title : str, optional
        Without it, outcome and reference.

    Returns
    -------
    altair chart
        Prediction intervals are the thin lines that go on from the intervals.
    """
    given = _against(records(estimates), reference)
    given.sort(key=lambda row: row["estimate"], reverse=effect.lower_is_better is False)
    digits = effect.digits((row["ci_upper"] - row["ci_lower"]) / 2 for row in given)
    scores = {row["treatment"]: row for row in records(ranking)} if ranking is not None else {}
    score = next(
        (key for key in ("sucra", "p_score") if any(not missing(row.get(key)) for row in scores.values())),
        None,
    )
    rows = []
    for row in given:
        predicted = not missing(row.get("pi_lower"))
        rows.append(
            {
                "kind": "point",
                "treatment": row["treatment"],
                "versus": reference,
                "label": effect.label(row["treatment"]),
                "n_studies": row.get("n_studies"),
                "studies_text": count(row.get("n_studies")) if not missing(row.get("n_studies")) else "",
                "effect_text": effect.estimate_text(
                    row["estimate"], row["ci_lower"], row["ci_upper"], digits
                ),
                "pi_text": effect.interval_text(row["pi_lower"], row["pi_upper"], digits)
                if predicted
                else "",
                "score_text": percent(scores.get(row["treatment"], {}).get(score), 0) if score else "",
                "score": scores.get(row["treatment"], {}).get(score) if score else None,
                "stored": (row["estimate"], row["ci_lower"], row["ci_upper"]),
                "predicted": (row["pi_lower"], row["pi_upper"]) if predicted else None,
                "href": row.get("href"),
            }
        )
    _place(rows)
    domain = effect.domain(*zip(*(row["stored"] for row in rows))) if rows else (-1.0, 1.0)
    domain = _holding(domain, [{"stored": (None, *row["predicted"])} for row in rows if row["predicted"]])
    corners = _fit(rows, effect, domain)
    left = [Column("label", "Treatment", "left")]
    if any(row["studies_text"] for row in rows):
        left.append(Column("studies_text", "Direct\nstudies"))
    right = [Column("effect_text", f"{effect.measure} [95% {effect.interval}]")]
    if any(row["pi_text"] for row in rows):
        right.append(Column("pi_text", "95% prediction\ninterval"))
    if score:
        right.append(Column("score_text", {"sucra": "SUCRA", "p_score": "P-score"}[score]))
    table = Table(rows, left, right, _PANEL)
    name = effect.label(reference)
    model = next((MODELS[row["model"]] for row in given if row.get("model") in MODELS), "")
    heading = title or f"{effect.outcome}: every treatment versus {name}"
    ordered = "best first" if effect.lower_is_better is not None else "in order of the effect"
    caption = f"{model + ', ' if model else ''}95% {effect.interval}, {ordered}."
    if any(row["pi_text"] for row in rows):
        caption += " Thin lines: 95% prediction intervals."
    best = rows[0] if rows else None
    return finish(
        _draw(table, effect, domain, corners, ("treatment", name)),
        name="network_forest",
        title=heading,
        caption=caption,
        description=f"{heading}. {len(rows)} treatments."
        + (f" First: {best['label']}, {best['effect_text']}." if best else ""),
        tables={
            "rows": (
                "treatment", "versus", "estimate", "ci_lower", "ci_upper", "pi_lower", "pi_upper",
                "n_studies", "score",
            )
        },
        width=table.width,
        cuts=table.cuts,
    )  # fmt: skip


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
        note = _printed(str(row["note"])) if not missing(row.get("note")) else ""
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
                "tau_text": number(row.get("tau"), max(digits, 2)),
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
        rows.append(_pooled_row(pooled, effect, digits, "All studies"))
    _place(rows)
    drawn = [row["stored"] for row in rows if row.get("stored")]
    domain = effect.domain(*zip(*drawn)) if drawn else (-1.0, 1.0)
    corners = _fit(rows, effect, domain)
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
        rows, [Column("label", "Study added" if cumulative else "Study left out", "left")], right, _PANEL
    )
    kind = "cumulative" if cumulative else "leave-one-out"
    heading = title or f"{effect.outcome}: {names[0]} versus {names[1]}, {kind}"
    return finish(
        _draw(table, effect, domain, corners, names, pooled),
        name=name,
        title=heading,
        caption=f"Pooled effect with 95% {effect.interval} "
        + ("after each study was added, from the top." if cumulative else "without the study named."),
        description=f"{heading}. {len(given)} analyses.",
        tables={"rows": ("study", "estimate", "ci_lower", "ci_upper", "tau", "i2")},
        width=table.width,
        cuts=table.cuts,
    )


def node_split(frame: pd.DataFrame, *, effect: Effect, title: str | None = None) -> Any:
    """Draw direct, indirect and network evidence of each comparison that can be split.

    Parameters
    ----------
    frame : DataFrame
        Rows of ``result_inconsistency`` of one method that splits nodes: treatment, versus, direct,
        direct_std_error, indirect, indirect_std_error, difference, p_value; network, network_std_error where
        known.
    effect : Effect
        What is estimated.
    title : str, optional
        Without it, outcome and kind.

    Returns
    -------
    altair chart
    """
    rows: list[dict[str, Any]] = []
    given = [
        row for row in records(frame) if not missing(row.get("direct")) and not missing(row.get("indirect"))
    ]
    digits = effect.digits(1.96 * row["direct_std_error"] for row in given)
    for row in given:
        rows += _pair_heads(effect, row["treatment"], row["versus"])
        rows[-1]["p_text"] = f"p {p_value(row.get('p_value'))}" if not missing(row.get("p_value")) else ""
        for kind, color in (("direct", STUDY), ("indirect", PREDICTION), ("network", RANDOM)):
            if missing(row.get(kind)) or missing(row.get(f"{kind}_std_error")):
                continue
            lower, upper = normal_interval(row[kind], row[f"{kind}_std_error"])
            rows.append(
                {
                    "kind": "point",
                    "evidence": kind,
                    "treatment": row["treatment"],
                    "versus": row["versus"],
                    "label": kind,
                    "indent": True,
                    "effect_text": effect.estimate_text(row[kind], lower, upper, digits),
                    "stored": (row[kind], lower, upper),
                    "color": color,
                    "p_value": row.get("p_value"),
                }
            )
    _place(rows)
    drawn = [row["stored"] for row in rows if row.get("stored")]
    domain = effect.domain(*zip(*drawn)) if drawn else (-1.0, 1.0)
    corners = _fit(rows, effect, domain)
    table = Table(
        rows,
        [Column("label", "Comparison", "left")],
        [
            Column("effect_text", f"{effect.measure} [95% {effect.interval}]"),
            Column("p_text", "Direct vs\nindirect"),
        ],
        _PANEL,
    )
    heading = title or f"{effect.outcome}: direct and indirect evidence"
    return finish(
        _draw(table, effect, domain, corners, ("first", "second")),
        name="node_split",
        title=heading,
        caption=f"First treatment versus the second, with 95% {effect.interval}; p tests that direct "
        "and indirect evidence agree.",
        description=f"{heading}. {len(given)} comparisons.",
        tables={"rows": ("treatment", "versus", "evidence", "estimate", "ci_lower", "ci_upper", "p_value")},
        width=table.width,
        cuts=table.cuts,
    )


def _pair_heads(effect: Effect, treatment: str, versus: str) -> list[dict[str, Any]]:
    """Head the rows of a comparison: in two lines where its names are long."""
    names = effect.label(treatment), effect.label(versus)
    whole = f"{names[0]} vs {names[1]}"
    parts = [whole] if text_width(whole, bold=True) <= _HEAD else [names[0], f"vs {names[1]}"]
    return [{"kind": "header", "bold": True, "label": part} for part in parts]


def prior_sensitivity(frame: pd.DataFrame, *, effect: Effect, title: str | None = None) -> Any:
    """Draw how estimates move with the prior (or any other choice) under which they were made.

    Parameters
    ----------
    frame : DataFrame
        Rows of ``result_estimate`` of one model with a further column ``scenario`` that names the choice.
    effect : Effect
        What is estimated.
    title : str, optional
        Without it, outcome and kind.

    Returns
    -------
    altair chart
    """
    given = records(frame)
    digits = effect.digits((row["ci_upper"] - row["ci_lower"]) / 2 for row in given)
    scenarios = list(dict.fromkeys(str(row["scenario"]) for row in given))
    parts = {scenario: _printed(scenario).split("; ") for scenario in scenarios}
    # What all choices share is said once.
    shared = (
        [part for part in parts[scenarios[0]] if all(part in own for own in parts.values())] if given else []
    )
    shared = shared if len(scenarios) > 1 else []
    labels = {
        scenario: "; ".join(part for part in own if part not in shared) or "; ".join(own)
        for scenario, own in parts.items()
    }
    rows: list[dict[str, Any]] = []
    for pair in dict.fromkeys((row["treatment"], row["versus"]) for row in given):
        rows += _pair_heads(effect, *pair)
        for row in given:
            if (row["treatment"], row["versus"]) == pair:
                stored = (row["estimate"], row["ci_lower"], row["ci_upper"])
                rows.append(
                    {
                        "kind": "point",
                        "label": labels[str(row["scenario"])],
                        "indent": True,
                        "scenario": str(row["scenario"]),
                        "treatment": pair[0],
                        "versus": pair[1],
                        "effect_text": effect.estimate_text(*stored, digits),
                        "stored": stored,
                        "color": STUDY,
                    }
                )
    _place(rows)
    domain = (
        effect.domain(*zip(*(row["stored"] for row in rows if row.get("stored")))) if given else (-1.0, 1.0)
    )
    corners = _fit(rows, effect, domain)
    table = Table(
        rows,
        [Column("label", "Comparison", "left")],
        [Column("effect_text", f"{effect.measure} [95% {effect.interval}]")],
        _PANEL,
    )
    heading = title or f"{effect.outcome}: sensitivity to the prior"
    return finish(
        _draw(table, effect, domain, corners, ("first", "second")),
        name="prior_sensitivity",
        title=heading,
        caption=f"First treatment versus second, 95% {effect.interval}, under each choice."
        + (f" In all: {'; '.join(shared)}." if shared else ""),
        description=f"{heading}. {len(scenarios)} choices.",
        tables={"rows": ("treatment", "versus", "scenario", "estimate", "ci_lower", "ci_upper")},
        width=table.width,
        cuts=table.cuts,
    )


def _printed(scenario: str) -> str:
    """Write the words of an analysis with the signs of print."""
    return scenario.replace("tau2", "τ²").replace("tau", "τ").replace("^2", "²")


def diamond(
    estimate: float, lower: float, upper: float, domain: tuple[float, float], height: float = 0.38 * ROW
) -> list[tuple[float, float]]:
    """Corners of a diamond from `lower` to `upper`, cut off where the axis ends.

    Parameters
    ----------
    estimate, lower, upper : float
        Where it is highest, and its tips, on the stored scale.
    domain : tuple of float
        Ends of the axis.
    height : float
        Half its height in pixels.

    Returns
    -------
    list of (x, pixels above the middle)
        In drawing order; empty where nothing of it lies on the axis.
    """

    def rise(x: float) -> float:
        side = (
            (x - lower) / (estimate - lower)
            if x < estimate
            else (upper - x) / (upper - estimate)
            if x > estimate
            else 1.0
        )
        return height * side

    start, end = max(lower, domain[0]), min(upper, domain[1])
    if start > end:
        return []
    xs = [start, *([estimate] if start < estimate < end else []), end]
    return [(x, rise(x)) for x in xs] + [(x, -rise(x)) for x in reversed(xs)]


def _arm_columns(given: Sequence[Mapping[str, Any]], names: tuple[str, str]) -> list[Column]:
    """Columns to the left of a forest plot's panel: the study, and what each arm had."""
    columns = [Column("label", "Study", "left")]
    for side, name in zip("ab", names):
        if _any(given, "events_a"):
            columns.append(Column(f"count_{side}", "events / n", "right", name))
        elif _any(given, f"n_{side}"):
            columns.append(Column(f"n_text_{side}", "n", "right", name))
            if _any(given, f"mean_{side}"):
                columns.append(Column(f"mean_text_{side}", "mean (SD)", "right", name))
    return columns


def _any(rows: Iterable[Mapping[str, Any]], key: str) -> bool:
    return any(not missing(row.get(key)) for row in rows)


def _study_row(
    row: Mapping[str, Any], effect: Effect, digits: int, given: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    stored = (row.get("estimate"), row.get("ci_lower"), row.get("ci_upper"))
    text: dict[str, Any] = {"effect_text": effect.estimate_text(*stored, digits) or "not estimable"}
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


def _pooled_row(row: Mapping[str, Any], effect: Effect, digits: int, label: str) -> dict[str, Any]:
    stored = (row["estimate"], row["ci_lower"], row["ci_upper"])
    return {
        "kind": "pooled",
        "label": label,
        "model": row.get("model"),
        "bold": True,
        "effect_text": effect.estimate_text(*stored, digits),
        "stored": stored,
        "color": COMMON if row.get("model") == "common" else RANDOM,
        "href": row.get("href"),
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
        rows.append({**_pooled_row(found, effect, digits, MODELS[model]), "level": level})
        if not missing(found.get("pi_lower")):
            rows.append(
                {
                    "kind": "prediction",
                    "label": "95% prediction interval",
                    "level": level,
                    "effect_text": effect.interval_text(found["pi_lower"], found["pi_upper"], digits),
                    "stored": (None, found["pi_lower"], found["pi_upper"]),
                }
            )
    found = _of_level(spread, level, "random") or _of_level(spread, level, "common")
    if found is not None:
        rows.append({"kind": "note", "label": heterogeneity_text(found), "level": level, "span": True})
    return rows


def heterogeneity_text(row: Mapping[str, Any]) -> str:
    """Write a row of ``result_heterogeneity`` as the line beneath a forest plot."""
    parts = []
    if not missing(row.get("q")):
        test = f"Q = {number(row['q'], 1)}"
        if not missing(row.get("df")):
            test += f" (df {count(row['df'])}"
            test += f", p {p_value(row['p_value'])})" if not missing(row.get("p_value")) else ")"
        parts.append(test)
    if not missing(row.get("i2")):
        limits = (
            f" ({percent(row['i2_lower'], 0)} to {percent(row['i2_upper'], 0)})"
            if not missing(row.get("i2_lower"))
            else ""
        )
        parts.append(f"I² = {percent(row['i2'], 0)}{limits}")
    tau2 = row.get("tau2")
    if not missing(tau2):
        method = f" ({row['method']})" if not missing(row.get("method")) and row["method"] else ""
        parts.append(f"τ² = {_figures(tau2)}{method}")
    return "Heterogeneity: " + "; ".join(parts) if parts else ""


def _figures(value: float | None) -> str:
    """Three significant figures, grouped and without an exponent where that is readable."""
    if missing(value):
        return ""
    if value == 0:
        return "0"
    text = f"{value:.3g}"
    if "e" in text and 1e-6 < abs(value) < 1e12:  # type: ignore[arg-type]
        text = f"{float(text):,.0f}" if abs(value) >= 1 else f"{float(text):.8f}".rstrip("0")  # type: ignore[arg-type]
    return text.replace("-", "−")


def _main(estimates: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    return _of_level(estimates, None, "random") or _of_level(estimates, None, "common")


def _against(rows: Iterable[dict[str, Any]], reference: str) -> list[dict[str, Any]]:
    """Rows as treatment minus reference, turned where they stand the other way round."""
    found: dict[str, dict[str, Any]] = {}
    for row in rows:
        if any(missing(row.get(key)) for key in ("estimate", "ci_lower", "ci_upper")):
            continue
        if row["versus"] == reference and row["treatment"] != reference:
            found[row["treatment"]] = row
        elif row["treatment"] == reference and row["versus"] not in found and row["versus"] != reference:
            found[row["versus"]] = turned(row)
    return list(found.values())


def turned(row: Mapping[str, Any]) -> dict[str, Any]:
    """Make B minus A of a row of ``result_estimate`` that holds A minus B."""

    def minus(value: Any) -> Any:
        return None if missing(value) else -value

    return {
        **row,
        "treatment": row["versus"],
        "versus": row["treatment"],
        "estimate": minus(row["estimate"]),
        "ci_lower": minus(row["ci_upper"]),
        "ci_upper": minus(row["ci_lower"]),
        "pi_lower": minus(row.get("pi_upper")),
        "pi_upper": minus(row.get("pi_lower")),
    }


def _place(rows: list[dict[str, Any]]) -> None:
    y = 0.0
    for row in rows:
        row["y"] = row_y(y)
        row["ink"] = MUTED if row["kind"] == "note" else INK
        row.setdefault("color", PREDICTION if row["kind"] == "prediction" else STUDY)
        y += 0.5 if row["kind"] == "gap" else 1


def _holding(domain: tuple[float, float], rows: Iterable[Mapping[str, Any]]) -> tuple[float, float]:
    """Widen the axis for prediction intervals, at most to twice its length."""
    lower, upper = domain
    span = upper - lower
    for row in rows:
        _, low, high = row["stored"]
        lower = min(lower, max(low - 0.02 * span, domain[0] - span / 2))
        upper = max(upper, min(high + 0.02 * span, domain[1] + span / 2))
    return (lower, upper)


def _fit(rows: Iterable[dict[str, Any]], effect: Effect, domain: tuple[float, float]) -> list[dict[str, Any]]:
    """Add to each row what is drawn of it: numbers as shown, cut where the axis ends.

    Returns the corners of the diamonds.
    """
    low_end, high_end = domain
    corners: list[dict[str, Any]] = []
    for row in rows:
        if not row.get("stored"):
            row.pop("stored", None)
            row.pop("predicted", None)
            continue
        estimate, lower, upper = row.pop("stored")
        predicted = row.pop("predicted", None)
        row |= {
            "estimate": effect.shown(estimate),
            "ci_lower": effect.shown(lower),
            "ci_upper": effect.shown(upper),
            "from": effect.shown(min(max(lower, low_end), high_end)),
            "to": effect.shown(max(min(upper, high_end), low_end)),
            "arrow_left": lower < low_end,
            "arrow_right": upper > high_end,
            "inside": estimate is not None and low_end <= estimate <= high_end,
        }
        if predicted:
            row |= {
                "pi_lower": effect.shown(predicted[0]),
                "pi_upper": effect.shown(predicted[1]),
                "pi_from": effect.shown(min(max(predicted[0], low_end), high_end)),
                "pi_to": effect.shown(max(min(predicted[1], high_end), low_end)),
                "arrow_left": row["arrow_left"] or predicted[0] < low_end,
                "arrow_right": row["arrow_right"] or predicted[1] > high_end,
            }
        if row["kind"] == "pooled":
            corners += [
                {
                    "x": effect.shown(x),
                    "y": row["y"] - rise,
                    "order": order,
                    "row": row["y"],
                    "color": row["color"],
                }
                for order, (x, rise) in enumerate(diamond(estimate, lower, upper, domain))
            ]
        if row["kind"] == "prediction":
            row["estimate"] = None
    return corners


def _areas(rows: Iterable[dict[str, Any]], weight: str | None) -> None:
    studies = [row for row in rows if row["kind"] == "study" and "from" in row]
    largest = max((row[weight] for row in studies if weight and not missing(row.get(weight))), default=None)
    for row in studies:
        row["area"] = (
            _SQUARE * row[weight] / largest if weight and largest and not missing(row.get(weight)) else 40.0
        )


def _draw(
    table: Table,
    effect: Effect,
    domain: tuple[float, float],
    corners: Sequence[Mapping[str, Any]],
    sides: tuple[str, str],
    pooled: Mapping[str, Any] | None = None,
    last: float | None = None,
    further: Sequence[Any] = (),
    extra: float = 0.0,
) -> Any:
    """Put text columns, axis, intervals and the words about direction together.

    `sides` are the treatments compared, `last` where the dashed line at the pooled effect ends, `further`
    layers that take `extra` pixels on the right.
    """
    panel = (table.origin, table.origin + table.panel)
    null = panel[0] - domain[0] / (domain[1] - domain[0]) * table.panel
    return alt.layer(
        *_reference(table, effect, domain, table.height if last is None else last, pooled),
        *table.layers(),
        *_intervals(table, effect, domain, corners),
        *favours(effect.favours(*sides), null, panel, table.height + 54),
        *further,
    ).properties(width=table.width + extra, height=table.height)


def _reference(
    table: Table,
    effect: Effect,
    domain: tuple[float, float],
    last: float,
    pooled: Mapping[str, Any] | None,
) -> list[Any]:
    """Axis, solid line at no effect, dashed line at the pooled effect."""
    null = dataset([{"x": effect.null}], "null")
    panel = (table.origin, table.origin + table.panel)
    x = effect.x("x", domain, pixels=panel, grid=False, orient="bottom", offset=4)
    layers = [
        alt.Chart(null)
        .mark_rule(color=MUTED, aria=False)
        .encode(x=x, y=alt.YValue(0), y2=alt.Y2Value(table.height + 4))
    ]
    if (
        pooled is not None
        and not missing(pooled.get("estimate"))
        and domain[0] <= pooled["estimate"] <= domain[1]
    ):
        layers.append(
            alt.Chart(dataset([{"x": effect.shown(pooled["estimate"])}], "pooled_line"))
            .mark_rule(color=RANDOM, strokeDash=[3, 3], opacity=0.7, aria=False)
            .encode(x=alt.X("x:Q"), y=alt.YValue(0), y2=alt.Y2Value(last))
        )
    return layers


def _intervals(
    table: Table, effect: Effect, domain: tuple[float, float], corners: Sequence[Mapping[str, Any]]
) -> list[Any]:
    """Lines, squares, points, diamonds, prediction bars and arrowheads of the rows."""
    data = dataset(table.rows, table.name)
    base = alt.Chart(data)
    kinds = {row["kind"] for row in table.rows if "from" in row}
    color = alt.Color("color:N", scale=None)
    tooltip = [
        alt.Tooltip("label:N", title="Row"),
        alt.Tooltip("effect_text:N", title=effect.name),
    ]
    if any("weight_random_text" in row for row in table.rows):
        tooltip.append(alt.Tooltip("weight_random_text:N", title="Weight"))
    href = linked(table.rows)
    layers: list[Any] = []
    if any("pi_from" in row for row in table.rows):
        layers.append(
            base.transform_filter("isValid(datum.pi_from)")
            .mark_rule(strokeWidth=1, color=PREDICTION, aria=False)
            .encode(x=alt.X("pi_from:Q"), x2=alt.X2("pi_to:Q"), y=pixels())
        )
    if kinds & {"study", "point"}:
        layers.append(
            base.transform_filter("datum.kind == 'study' || datum.kind == 'point'")
            .transform_filter("isValid(datum.from)")
            .mark_rule(strokeWidth=1.4, aria=False)
            .encode(x=alt.X("from:Q"), x2=alt.X2("to:Q"), y=pixels(), color=color)
        )
    if "prediction" in kinds:
        layers.append(
            base.transform_filter("datum.kind == 'prediction'")
            .mark_rule(strokeWidth=5, color=PREDICTION, opacity=0.75)
            .encode(x=alt.X("from:Q"), x2=alt.X2("to:Q"), y=pixels(), tooltip=tooltip)
        )
    for side, shape, end in (("left", "triangle-left", domain[0]), ("right", "triangle-right", domain[1])):
        if any(row.get(f"arrow_{side}") for row in table.rows):
            layers.append(
                base.transform_filter(f"datum.arrow_{side}")
                .transform_calculate(end=str(effect.shown(end)))
                .mark_point(shape=shape, filled=True, size=44, opacity=1, aria=False)
                .encode(
                    x=alt.X("end:Q"),
                    y=pixels(),
                    color=alt.ColorValue(INK),
                )
            )
    if "study" in kinds:
        layers.append(
            base.transform_filter("datum.kind == 'study' && datum.inside")
            .mark_square(opacity=1)
            .encode(
                x=alt.X("estimate:Q"),
                y=pixels(),
                size=alt.Size("area:Q", scale=None, legend=None),
                color=alt.ColorValue(STUDY),
                tooltip=tooltip,
                **href,
            )
        )
    if "point" in kinds:
        layers.append(
            base.transform_filter("datum.kind == 'point' && datum.inside")
            .mark_circle(opacity=1, size=58)
            .encode(x=alt.X("estimate:Q"), y=pixels(), color=color, tooltip=tooltip, **href)
        )
    if corners:
        layers.append(
            alt.Chart(dataset(corners, "diamonds"))
            .mark_line(interpolate="linear-closed", strokeWidth=1, fillOpacity=1, strokeJoin="miter")
            .encode(
                x=alt.X("x:Q"),
                y=pixels(),
                order=alt.Order("order:O"),
                detail=alt.Detail("row:N"),
                fill=alt.Fill("color:N", scale=None),
                stroke=alt.Stroke("color:N", scale=None),
            )
        )
    return layers


def _rob_dots(
    rob: pd.DataFrame,
    given: Sequence[Mapping[str, Any]],
    rows: Sequence[Mapping[str, Any]],
    table: Table,
    palette: str,
) -> tuple[list[Any], str, float]:
    """Dots with symbols to the right of the table, and the words that explain their letters."""
    judged = records(rob.sort_values("position"))
    items = list(dict.fromkeys((row["position"], row["label"]) for row in judged))
    letters = {item: "ABCDEFGHIJKLMNOPQRSTUVWXYZ"[index] for index, item in enumerate(items)}
    start = table.width + GAP
    places = {row["study"]: row["y"] for row in rows if row["kind"] == "study"}
    dots: dict[tuple[Any, Any], dict[str, Any]] = {}
    for row in judged:
        item = (row["position"], row["label"])
        if row["study"] in places and (row["study"], item) not in dots:
            place = start + (items.index(item) + 0.5) * _DOT
            dots[row["study"], item] = {
                "study": row["study"], "item": row["label"], "judgement": row["judgement"],
                "symbol": row["symbol"],
                "color": row[palette], "ink": ink_on(row[palette]), "x": place, "y": places[row["study"]],
            }  # fmt: skip
    base = alt.Chart(dataset(dots.values(), "risk_of_bias"))
    x = alt.X("x:Q", scale=None, axis=None)
    layers = [
        base.mark_circle(size=150, opacity=1, aria=False).encode(
            x=x,
            y=pixels(),
            color=alt.Color("color:N", scale=None),
            tooltip=[alt.Tooltip("study:N"), alt.Tooltip("item:N"), alt.Tooltip("judgement:N")],
        ),
        base.mark_text(baseline="middle", fontSize=10, fontWeight="bold", aria=False).encode(
            x=x, y=pixels(), text=alt.Text("symbol:N"), color=alt.Color("ink:N", scale=None)
        ),
    ]
    layers = [alt.layer(*layers).resolve_scale(x="independent")]
    layers += [
        words([letter], start + (index + 0.5) * _DOT, -6, align="center", bold=True)
        for index, letter in enumerate(letters.values())
    ]
    layers.append(
        words(
            ["Risk of bias"],
            start,
            -6 - 19 - (14 if any("\n" in c.title for c in table.right) else 0),
            bold=True,
        )
    )
    width = max(GAP + len(items) * _DOT, GAP + text_width("Risk of bias", bold=True))
    legend = "Risk of bias: " + "; ".join(f"{letter} {label}" for (_, label), letter in letters.items()) + "."
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
            sentences.append(f"{MODELS[model]}: {effect.name.lower()} {text}.")
    return " ".join(sentences)
