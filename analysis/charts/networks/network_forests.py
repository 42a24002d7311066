"""Forest plots of a network: against the reference, direct beside indirect, under other priors."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from analysis.charts.base.effect import Effect, normal_interval
from analysis.charts.base.intervals import MODELS, PANEL, Forest, arrange, turned
from analysis.charts.base.panel_table import PanelTable, TextColumn
from analysis.charts.base.theme import (
    PREDICTION,
    RANDOM,
    STUDY,
    count,
    finish,
    missing,
    p_value,
    percent,
    printed,
    records,
    text_width,
)
from analysis.language.catalog import tr
from evidence import facts

if TYPE_CHECKING:
    import pandas as pd


_HEAD = 420


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
    score = _score(scores, effect)
    rows = [
        _against_row(row, effect, digits, scores.get(row["treatment"], {}).get(score) if score else None)
        for row in given
    ]
    domain, corners = arrange(rows, effect)
    left = [TextColumn("label", tr("Treatment"), "left")]
    if any(row["studies_text"] for row in rows):
        left.append(TextColumn("studies_text", tr("Direct\nstudies")))
    right = [TextColumn("effect_text", f"{effect.measure} [95% {effect.interval}]")]
    if any(row["pi_text"] for row in rows):
        right.append(TextColumn("pi_text", tr("95% prediction\ninterval")))
    if score:
        right.append(TextColumn("score_text", facts.score(score)["label"]))
    table = PanelTable(rows, left, right, PANEL)
    name = effect.label(reference)
    model = next((tr(MODELS[row["model"]]) for row in given if row.get("model") in MODELS), "")
    heading = title or tr("{outcome}: every treatment versus {name}", outcome=effect.outcome, name=name)
    ranked = effect.lower_is_better is not None
    said = tr("95% {interval}, best first.") if ranked else tr("95% {interval}, in order of the effect.")
    caption = (f"{model}, " if model else "") + said.format(interval=effect.interval)
    if any(row["pi_text"] for row in rows):
        caption += " " + tr("Thin lines: 95% prediction intervals.")
    best = rows[0] if rows else None
    return finish(
        Forest(table, effect, domain, corners).draw((tr("treatment"), name)),
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


def _score(scores: Mapping[str, Mapping[str, Any]], effect: Effect) -> str | None:
    """Which score a ranking has, by its engine; none where it has none."""
    engines = {row["engine"] for row in scores.values() if not missing(row.get("engine"))}
    ranked = "sucra" if effect.bayesian else facts.engine(facts.default_engine()).score
    if len(engines) == 1:
        ranked = facts.engine(engines.pop()).score
    return ranked if any(not missing(row.get(ranked)) for row in scores.values()) else None


def _against_row(row: Mapping[str, Any], effect: Effect, digits: int, score: float | None) -> dict[str, Any]:
    """Make the row of a treatment against the reference."""
    predicted = None if missing(row.get("pi_lower")) else (row["pi_lower"], row["pi_upper"])
    stored = (row["estimate"], row["ci_lower"], row["ci_upper"])
    return {
        "kind": "point",
        "treatment": row["treatment"],
        "versus": row["versus"],
        "label": effect.label(row["treatment"]),
        "n_studies": row.get("n_studies"),
        "studies_text": count(row.get("n_studies")),
        "effect_text": effect.estimate_text(*stored, digits),
        "pi_text": effect.interval_text(*predicted, digits) if predicted else "",
        "score_text": percent(score, 0),
        "score": score,
        "stored": stored,
        "predicted": predicted,
        "href": row.get("href"),
    }


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
    domain, corners = arrange(rows, effect)
    table = PanelTable(
        rows,
        [TextColumn("label", tr("Comparison"), "left")],
        [
            TextColumn("effect_text", f"{effect.measure} [95% {effect.interval}]"),
            TextColumn("p_text", tr("Direct vs\nindirect")),
        ],
        PANEL,
    )
    heading = title or tr("{outcome}: direct and indirect evidence", outcome=effect.outcome)
    return finish(
        Forest(table, effect, domain, corners).draw((tr("first"), tr("second"))),
        name="node_split",
        title=heading,
        caption=tr(
            "First treatment versus the second, with 95% {interval}; p tests that direct and indirect "
            "evidence agree.",
            interval=effect.interval,
        ),
        description=f"{heading}. {len(given)} comparisons.",
        tables={"rows": ("treatment", "versus", "evidence", "estimate", "ci_lower", "ci_upper", "p_value")},
        width=table.width,
        cuts=table.cuts,
    )


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
    parts = {scenario: printed(scenario).split("; ") for scenario in scenarios}
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
    domain, corners = arrange(rows, effect)
    table = PanelTable(
        rows,
        [TextColumn("label", tr("Comparison"), "left")],
        [TextColumn("effect_text", f"{effect.measure} [95% {effect.interval}]")],
        PANEL,
    )
    heading = title or f"{effect.outcome}: sensitivity to the prior"
    return finish(
        Forest(table, effect, domain, corners).draw((tr("first"), tr("second"))),
        name="prior_sensitivity",
        title=heading,
        caption=f"First treatment versus second, 95% {effect.interval}, under each choice."
        + (f" In all: {'; '.join(shared)}." if shared else ""),
        description=f"{heading}. {len(scenarios)} choices.",
        tables={"rows": ("treatment", "versus", "scenario", "estimate", "ci_lower", "ci_upper")},
        width=table.width,
        cuts=table.cuts,
    )


def _pair_heads(effect: Effect, treatment: str, versus: str) -> list[dict[str, Any]]:
    """Head the rows of a comparison: in two lines where its names are long."""
    names = effect.label(treatment), effect.label(versus)
    whole = f"{names[0]} vs {names[1]}"
    parts = [whole] if text_width(whole, bold=True) <= _HEAD else [names[0], f"vs {names[1]}"]
    return [{"kind": "header", "bold": True, "label": part} for part in parts]


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
