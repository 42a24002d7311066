"""What thresholds show, in sentences: what is decided, and what would have to change for it to change.

Rows are those of ``result_threshold`` of one model.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from analysis.charts.base.effect import Effect
from analysis.charts.base.theme import missing, number
from analysis.firm.decision import FAILS, HOLDS
from analysis.language.catalog import tr, trn

Row = Mapping[str, Any]

_MANY = 1e3
"""Factor from which on a ratio is written as a bound."""


def conclusions(rows: Sequence[Row], effect: Effect, studies: Mapping[str, str]) -> list[str]:
    """Say what thresholds show.

    Parameters
    ----------
    rows : sequence of mapping
        Of one model, the nearest first.
    effect : Effect
    studies : mapping of str to str
        Printed names of studies.

    Returns
    -------
    list of str
        Sentences; none without rows.
    """
    if not rows:
        return []
    said = [decided(rows[0], effect)]
    of_studies = [row for row in rows if row["level"] == "study"]
    if near := [row for row in of_studies if not missing(row["nearest"])]:
        said.append(_nearest(near[0], effect, studies))
        within = sum(_inside(row) for row in near)
        said.append(
            trn(
                "Of {all} effects of studies and arms, {n} would change it within its own 95% interval.",
                "Of {all} effects of studies and arms, {n} would change it within their own 95% intervals.",
                within,
                n=str(within),
                all=str(len(of_studies)),
            )
        )
    else:
        said.append(tr("No change of one study's effect alone, however large, would change it."))
    bias = rows[0].get("plausible_bias")
    if bias is not None and not missing(bias):
        digits = digits_of(rows, effect)
        within = sum(row["nearest"] <= bias for row in near)
        said.append(
            trn(
                "A bias of up to {bias} would change it in {n} of {all}.",
                "A bias of up to {bias} would change it in {n} of {all}.",
                within,
                n=str(within),
                bias=amount(bias, effect, digits),
                all=str(len(of_studies)),
            )
        )
    said.append(_held(rows[0], effect))
    return said


def _held(row: Row, effect: Effect) -> str:
    """Say what stays as it is while an effect changes."""
    if row["model"] != "random":
        return tr("Standard errors are held as they are.")
    if effect.bayesian:
        return tr("Standard errors and the posterior of tau are held as they are.")
    return tr("Standard errors and the estimate of tau are held as they are.")


def decided(row: Row, effect: Effect) -> str:
    """Say what is decided on the data as they are."""
    names = named(row["decided"], effect)
    if row["decided"] in (HOLDS, FAILS):
        claim = claimed(row["decision"], effect)
        if row["decided"] == HOLDS:
            return tr("By the estimates it holds that {claim}.", claim=claim)
        return tr("By the estimates it does not hold that {claim}.", claim=claim)
    if row["decision"].startswith("top"):
        return tr("Best by their estimates: {names}.", names=names)
    if row["decision"].startswith("important"):
        return tr("Importantly better than the reference, and not importantly worse than the best: {names}.",
                  names=names)  # fmt: skip
    return tr("Best by its estimate: {names}.", names=names)


def claimed(decision: str, effect: Effect) -> str:
    """Write a claim with the names of its treatments."""
    first, _, rest = decision.partition(" better than ")
    second, by, margin = rest.partition(" by ")
    about = {"a": effect.label(first), "b": effect.label(second)}
    if not by:
        return tr("{a} is better than {b}", **about)
    value = amount(float(margin), effect, 2 if effect.scale == "log" else len(margin.partition(".")[2]))
    return tr("{a} is better than {b} by {margin} or more", **about, margin=value)


def named(decision: str | None, effect: Effect) -> str:
    """Write a decision with the names of its treatments."""
    if decision is None or missing(decision):
        return ""
    if decision in (HOLDS, FAILS):
        return tr("holds") if decision == HOLDS else tr("does not hold")
    if decision == "none":
        return tr("none")
    return ", ".join(effect.label(name) for name in decision.split(", "))


def what(row: Row, effect: Effect, studies: Mapping[str, str]) -> str:
    """Name what would change: a study's effect, an arm of a study, a comparison."""
    a, b = effect.label(row["treatment"]), effect.label(row["versus"])
    if row["level"] == "comparison":
        return tr("{a} vs {b}", a=a, b=b)
    study = studies.get(str(row["study"]), str(row["study"]))
    if row["experiment"] not in (None, "main"):
        study = f"{study} / {row['experiment']}"
    if row["n_arms"] > 2:
        return tr("{study}: arm of {a} (vs {b})", study=study, a=a, b=b)
    return tr("{study}: {a} vs {b}", study=study, a=a, b=b)


def invariant(row: Row, effect: Effect, digits: int) -> str:
    """Write the invariant interval."""
    return _within(row["invariant_lower"], row["invariant_upper"], effect, digits)


def refitted(row: Row, effect: Effect, digits: int) -> str:
    """Write the invariant interval with tau estimated anew, where it was."""
    if not row["refitted"]:
        return ""
    lower, upper = (
        None if missing(row[name]) else row["estimate"] + row[name]
        for name in ("refitted_lower", "refitted_upper")
    )
    return _within(lower, upper, effect, digits)


def _within(lower: float | None, upper: float | None, effect: Effect, digits: int) -> str:
    """Write an interval that may have no end; ratios end at 0."""
    nothing = ("0" if effect.scale == "log" else "−∞", "∞")
    ends = [
        never if missing(end) else effect.text(end, digits) for end, never in zip((lower, upper), nothing)
    ]
    return f"({ends[0]}, {ends[1]})"


def amount(change: float, effect: Effect, digits: int) -> str:
    """Write how much a change is, without its direction: in the unit, or as a factor of a ratio."""
    if effect.scale == "log":
        factor = effect.shown(abs(change))
        assert factor is not None
        text = f">{number(_MANY, 0)}" if factor > _MANY else number(factor, 2 if factor < 10 else 1)
        return tr("a factor of {factor}", factor=text)
    unit = effect.printed_unit
    text = number(abs(change), digits)
    if float(abs(change)) and not any(digit in text for digit in "123456789"):
        text = f"{abs(change):.2g}"
    return f"{text} {unit}" if unit else text


def digits_of(rows: Sequence[Row], effect: Effect) -> int:
    """Choose the decimals of effects and changes."""
    return effect.digits(1.96 * row["std_error"] for row in rows)


def _nearest(row: Row, effect: Effect, studies: Mapping[str, str]) -> str:
    lower = missing(row["upper"]) or (not missing(row["lower"]) and -row["lower"] <= row["upper"])
    side = "lower" if lower else "upper"
    about = {
        "what": what(row, effect, studies),
        "amount": amount(row[side], effect, digits_of([row], effect)),
        "then": named(row[f"{side}_decision"], effect),
    }
    if row["decided"] in (HOLDS, FAILS):
        del about["then"]
        if lower:
            return tr("Nearest to a change: {what}. Lower by {amount}, and that would turn.", **about)
        return tr("Nearest to a change: {what}. Higher by {amount}, and that would turn.", **about)
    if lower:
        return tr("Nearest to a change: {what}. Lower by {amount}, and it would be {then}.", **about)
    return tr("Nearest to a change: {what}. Higher by {amount}, and it would be {then}.", **about)


def _inside(row: Row) -> bool:
    """Whether a threshold lies within the 95 % interval of what would change."""
    return within_interval(row, "lower") or within_interval(row, "upper")


def within_interval(row: Row, side: str) -> bool:
    """Whether the threshold on a side lies within the 95 % interval."""
    end = row[f"invariant_{side}"]
    if missing(end):
        return False
    return bool(end >= row["ci_lower"] if side == "lower" else end <= row["ci_upper"])
