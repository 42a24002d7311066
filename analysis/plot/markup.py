"""How a fit shows itself in a notebook: the answer in a sentence, and small tables."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

from analysis.charts.base.theme import figures, missing, percent, records
from analysis.plot.reading import MODELS, against, estimate_rows, headline, places, ranked
from analysis.plot.subject import Subject
from analysis.verdict import concluding
from evidence.output import SYNTHETIC
from evidence.system.notebook import table

if TYPE_CHECKING:
    from analysis.network.result import NetworkFit
    from analysis.pairwise import PairwiseFit


def as_html(fit: PairwiseFit | NetworkFit) -> str:
    """Write a fit as HTML: what is asked, what the main model says, and a table of effects.

    Every name that comes with the data is escaped.
    """
    subject = Subject.of(fit)
    parts = [f"<p><strong>{escape(headline(subject.run, subject.effect))}</strong></p>"]
    if subject.review.synthetic:
        parts.insert(0, f'<p style="color: #b00020"><strong>{escape(SYNTHETIC)}</strong></p>')
    parts += _pairwise(subject) if subject.pairwise else _network(subject)
    return f"<div>{''.join(parts)}</div>"


def _pairwise(subject: Subject) -> list[str]:
    effect, run = subject.effect, subject.run
    rows = [row for row in estimate_rows(run) if not missing(row["ci_lower"])]
    spread = {
        (row["model"], row.get("level")): row
        for row in records(run.frames["heterogeneity"])
        if row["model"] == "random"
    }
    cells = []
    for row in rows:
        found = spread.get((row["model"], row.get("level")), {})
        limits = row["estimate"], row["ci_lower"], row["ci_upper"]
        cells.append(
            [
                "All studies" if missing(row.get("level")) else f"{run.subgroup}: {row['level']}",
                MODELS[row["model"]],
                str(row["n_studies"]),
                effect.estimate_text(*limits, row["digits"]),
                effect.interval_text(row["pi_lower"], row["pi_upper"], row["digits"]),
                effect.spread_text(found.get("tau"), places(run)),
                "" if missing(found.get("i2")) else percent(found["i2"], 0),
            ]
        )
    main = next((row for row in rows if row["model"] == subject.model and missing(row.get("level"))), None)
    names = effect.label(run.treatment), effect.label(run.versus)
    said = "No effect could be estimated." if main is None else _verdict(subject, main, names)
    heads = ("", "Model", "Studies", f"{effect.title} [95% {effect.interval}]", "Prediction", "τ", "I²")
    return [f"<p>{escape(said)}</p>", table(heads, cells)]


def _verdict(subject: Subject, row: dict[str, Any], names: tuple[str, str]) -> str:
    """Say what the interval of the main model excludes."""
    effect = subject.effect
    text = effect.estimate_text(row["estimate"], row["ci_lower"], row["ci_upper"], row["digits"])
    said = f"{effect.name} {text} ({MODELS[row['model']]})."
    limits = concluding(row)
    if limits is None:
        return f"{said} No conclusion is drawn from this interval."
    if limits[0] <= 0 <= limits[1]:
        return f"{said} The interval includes no effect."
    better = effect.better(row["estimate"])
    if better is None:
        return f"{said} The interval excludes no effect."
    return f"{said} The interval favours {names[0] if better else names[1]}."


def _network(subject: Subject) -> list[str]:
    effect, run = subject.effect, subject.run
    rows = against(run, subject.model)
    order, score, scores = ranked(run, subject.model)
    cells = [
        [
            effect.label(row["treatment"]),
            effect.estimate_text(row["estimate"], row["ci_lower"], row["ci_upper"], row["digits"]),
            percent(scores[row["treatment"]][score], 0) if score and row["treatment"] in scores else "",
        ]
        for row in sorted(rows, key=lambda row: order.index(row["treatment"]))
    ]
    clear = [row for row in rows if not row["ci_lower"] <= 0 <= row["ci_upper"]]
    tau = next((row["tau"] for row in records(subject.rows("heterogeneity"))), None)
    said = (
        f"{run.n_studies} studies, {MODELS[subject.model]} ({run.engine}). Against "
        f"{effect.label(run.reference)} the interval excludes no effect for {len(clear)} of {len(rows)} "
        f"treatments." + ("" if missing(tau) else f" τ = {figures(tau)}.")
    )
    heads = (
        f"Versus {effect.label(run.reference)}",
        f"{effect.title} [95% {effect.interval}]",
        {"sucra": "SUCRA", "p_score": "P-score"}.get(score or "", ""),
    )
    return [f"<p>{escape(said)}</p>", table(heads, cells)]
