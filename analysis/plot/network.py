"""What the charts of a network draw: geometry, effects, direct and indirect evidence, influence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from analysis import charts, further
from analysis.charts.base.theme import missing, records
from analysis.language.catalog import tr
from analysis.plot import pairwise
from analysis.plot.reading import against, estimate_rows, ranked
from analysis.plot.subject import NothingToDrawError, Rows, Subject
from evidence.system.frames import plain

if TYPE_CHECKING:
    import pandas as pd

MOST_COLUMNS = 40
"""Studies that a chart of contributions holds at most."""


def network_diagram(subject: Subject) -> Any:
    """Draw who was compared with whom, comparisons coloured by risk of bias where it was judged."""
    if not subject.nodes:
        raise NothingToDrawError("The run keeps no contrasts: there is no network to draw.")
    by_participants = all(not missing(row["n_participants"]) for row in subject.nodes)
    known = {row["treatment"] for row in subject.nodes}
    shares = _low_risk_shares(subject)
    edges = [
        row | {"low_risk_share": shares.get(frozenset((row["treatment_a"], row["treatment_b"])))}
        for row in subject.edges
    ]
    units = tr(subject.review.units(subject.run.frames["contrasts"]["study"]).capitalize())
    return charts.network_diagram(
        _frame(subject.nodes),
        _frame(edges),
        labels=subject.labels,
        multi_arm=_multi_arm(subject),
        order=[t for t in subject.labels if t in known] or sorted(known),
        size="n_participants" if by_participants else "n_studies",
        size_title=units if by_participants else tr("Studies"),
        title=tr("{outcome}: network of comparisons", outcome=subject.effect.outcome),
    )


def _multi_arm(subject: Subject) -> list[list[str]]:
    """Treatments of each study and experiment that compares more than two."""
    found: dict[tuple[str, str], set[str]] = {}
    for row in records(subject.run.frames["contrasts"]):
        found.setdefault((row["study"], row["experiment"]), set()).update(
            (row["treatment_a"], row["treatment_b"])
        )
    return [sorted(members) for _, members in sorted(found.items()) if len(members) > 2]


def _low_risk_shares(subject: Subject) -> dict[frozenset[str], float]:
    """Share of low-risk judgements in the studies of each direct comparison."""
    low: dict[str, list[float]] = {}
    for row in subject.judgements:
        low.setdefault(row["study"], []).append(float(row["severity"] == 1))
    members: dict[frozenset[str], set[str]] = {}
    for row in records(subject.run.frames["contrasts"]):
        members.setdefault(frozenset((row["treatment_a"], row["treatment_b"])), set()).add(row["study"])
    shares = {
        pair: [sum(low[study]) / len(low[study]) for study in sorted(studies) if study in low]
        for pair, studies in members.items()
    }
    return {pair: sum(known) / len(known) for pair, known in shares.items() if known}


def network_forest(subject: Subject) -> Any:
    """Draw every treatment against the reference, best first."""
    rows = subject.addressed(against(subject.run, subject.model))
    if not rows:
        raise NothingToDrawError("No effect against the reference could be estimated.")
    direct = {frozenset((e["treatment_a"], e["treatment_b"])): e["n_studies"] for e in subject.edges}
    for row in rows:
        row["n_studies"] = direct.get(frozenset((row["treatment"], row["versus"])), 0)
    _, score, _ = ranked(subject.run, subject.model)
    return charts.network_forest(
        _frame(rows),
        effect=subject.effect,
        reference=str(subject.run.reference),
        ranking=subject.rows("ranking") if score else None,
    )


def league(subject: Subject) -> Any:
    """Draw every pair of treatments, the best treatment first."""
    network, direct = league_rows(subject)
    if not network:
        raise NothingToDrawError("No effect could be estimated: there is no league table.")
    anchors = subject.anchors
    if anchors is not None:
        network = [row | {"href": anchors.number(row, subject.effect)} for row in network]
    order, _, _ = ranked(subject.run, subject.model)
    return charts.league(
        _frame(network), _frame(direct) if direct else None, effect=subject.effect, order=order
    )


def league_rows(subject: Subject) -> tuple[Rows, Rows]:
    """Network and direct estimates of the main model; none of the latter where the engine has none."""
    rows = [row for row in estimate_rows(subject.run) if row["model"] == subject.model]
    network, direct = (
        [row for row in rows if plain(row["evidence"]) == kind] for kind in ("network", "direct")
    )
    return network, direct


def node_split(subject: Subject) -> Any:
    """Draw direct against indirect evidence, with what the network makes of both."""
    frame = subject.rows("inconsistency")
    splits = frame[frame["direct"].notna() & frame["indirect"].notna()] if "direct" in frame else frame
    if not len(splits):
        raise NothingToDrawError(
            "No comparison has direct and indirect evidence that were set against each other "
            "(in a plan: node_split = true)."
        )
    method = splits["method"].iloc[-1]
    known = {
        (row["treatment"], row["versus"]): row
        for row in records(subject.rows("estimates"))
        if row["evidence"] == "network"
    }
    rows = []
    for row in records(splits[splits["method"] == method]):
        whole = known.get((row["treatment"], row["versus"]), {})
        found = {"network": whole.get("estimate"), "network_std_error": whole.get("std_error")}
        rows.append(row | found)
    effect = subject.effect
    title = tr("{outcome}: direct and indirect evidence ({method})", outcome=effect.outcome, method=method)
    return charts.node_split(_frame(rows), effect=effect, title=title)


def leave_one_out(subject: Subject) -> Any:
    """Draw the pooled effect without each study; of a network that of the treatment best by its effect."""
    if subject.pairwise:
        return pairwise.leave_one_out(subject)
    rows = against(subject.run, subject.model)
    left_out = records(subject.rows("leave_one_out"))
    if not rows or not left_out:
        raise NothingToDrawError("No study was left out in turn (in a plan: leave_one_out = true).")
    first = rows[0]
    pair = first["treatment"], first["versus"]
    some = [row for row in left_out if (row["treatment"], row["versus"]) == pair]
    if not some:
        raise NothingToDrawError("No study was left out for the treatment that is best by its effect.")
    label = subject.effect.label
    return charts.leave_one_out(
        subject.in_order(_frame(subject.studied(some))),
        effect=subject.effect,
        treatment=first["treatment"],
        versus=first["versus"],
        pooled=first,
        labels=subject.review.studies,
        digits=first["digits"],
        title=tr(
            "{outcome}: {a} versus {b} in the network, leave-one-out",
            outcome=subject.effect.outcome,
            a=label(pair[0]),
            b=label(pair[1]),
        ),
    )


def comparison_adjusted_funnel(subject: Subject) -> Any:
    """Draw small-study effects, each comparison an earlier treatment minus a later one."""
    rows = _funnel_rows(subject)
    if len(rows) < 3:
        raise NothingToDrawError(f"A funnel plot takes three contrasts or more; here are {len(rows)}.")
    return charts.comparison_adjusted_funnel(_frame(rows), effect=subject.effect, order=funnel_order(subject))


def planned_order(subject: Subject) -> list[str]:
    """Treatments in the order that the plan gives the funnel plot."""
    return list(subject.run.specification.get("funnel_order") or [])


def funnel_order(subject: Subject) -> list[str]:
    """Treatments as the plan orders them; others as the review lists them, active before controls."""
    known = {row["treatment"] for row in subject.nodes}
    order = [treatment for treatment in subject.labels if treatment in known]
    order += sorted(known - set(order))
    # Of a table that came from no review nothing is known but the reference, most often the control.
    roles = subject.review.roles or {name: "active" for name in order if name != subject.run.reference}
    return further.funnel_order(order, roles, planned_order(subject))


def _funnel_rows(subject: Subject) -> Rows:
    """Contrasts of a network with the direct estimate of their comparison."""
    contrasts = records(subject.contrasts)
    direct = {
        (row["treatment"], row["versus"]): row["estimate"]
        for row in records(subject.rows("estimates"))
        if row["evidence"] == "direct" and not missing(row["estimate"])
    } or _pooled_pairs(subject, contrasts)
    direct |= {(b, a): -estimate for (a, b), estimate in direct.items()}
    return [
        {
            "study": row["study"],
            "treatment": row["treatment_a"],
            "versus": row["treatment_b"],
            "estimate": row["estimate"],
            "std_error": row["std_error"],
            "centre": direct[row["treatment_a"], row["treatment_b"]],
            "label": row["label"],
        }
        for row in contrasts
        if (row["treatment_a"], row["treatment_b"]) in direct
    ]


def _pooled_pairs(subject: Subject, contrasts: Sequence[Mapping[str, Any]]) -> dict[tuple[str, str], float]:
    """Direct estimate of each comparison by inverse variance with the network's heterogeneity.

    For engines that give no direct estimates of their own.
    """
    spread = [row["tau2"] for row in records(subject.rows("heterogeneity"))]
    tau2 = next((value for value in spread if not missing(value)), 0.0) if subject.model == "random" else 0.0
    sums: dict[tuple[str, str], list[float]] = {}
    for row in contrasts:
        weight = 1 / (row["std_error"] ** 2 + tau2)
        total = sums.setdefault((row["treatment_a"], row["treatment_b"]), [0.0, 0.0])
        total[0] += weight
        total[1] += weight * row["estimate"]
    return {pair: total / weight for pair, (weight, total) in sums.items()}


def net_heat(subject: Subject) -> Any:
    """Draw which designs drive inconsistency, under the common-effect model."""
    fit = subject.network_fit
    _only_frequentist(subject, "net_heat", "net heat plot")
    frame = fit.net_heat("common")  # type: ignore[attr-defined]
    if not len(frame):
        raise NothingToDrawError("Designs that form no loop cannot be set against each other.")
    names = subject.effect.label
    # "A:B" is a design of two treatments; "A:B_A:B:C" one contrast of a design of more.
    labels = {
        design: " vs ".join(map(names, design.partition("_")[0].split(":")))
        + (f" (of {design.partition('_')[2].count(':') + 1} arms)" if "_" in design else "")
        for design in frame["design"].unique()
    }
    return charts.net_heat(
        frame, labels=labels, title=tr("{outcome}: net heat plot", outcome=subject.effect.outcome)
    )


def contributions(subject: Subject, *, of: str = "studies") -> Any:
    """Draw what each effect against the reference rests on: studies, or direct comparisons."""
    effect = subject.effect
    order = [row["treatment"] for row in against(subject.run, subject.model)]
    reference = effect.label(subject.run.reference)
    estimates = {t: tr("{a} versus {b}", a=effect.label(t), b=reference) for t in order}
    if of == "comparisons":
        return _of_comparisons(subject, estimates)
    shares: dict[tuple[str, str], float] = {}
    for row in records(subject.rows("weights")):
        if row["versus"] == subject.run.reference and not missing(row["weight"]):
            key = (row["treatment"], row["study"])
            shares[key] = shares.get(key, 0.0) + row["weight"]
    studies = list(dict.fromkeys(study for _, study in shares))
    if len(studies) > MOST_COLUMNS:
        raise NothingToDrawError(
            f"{len(studies):,} studies are more than one chart can hold ({MOST_COLUMNS}); the frequentist "
            'engine has the contributions of direct comparisons: fit.plot("contributions", of="comparisons").'
        )
    studies = [s for s in subject.review.by_year if s in studies] or studies
    rows = [
        {"estimate": treatment, "source": study, "share": share}
        for treatment in order
        for study in studies
        if not missing(share := shares.get((treatment, study)))
    ]
    if not rows:
        raise NothingToDrawError("The run keeps no weights of studies.")
    return charts.contributions(
        _frame(rows),
        estimates=estimates,
        sources=subject.review.studies,
        title=tr("{outcome}: share of each study in each effect", outcome=effect.outcome),
    )


def _of_comparisons(subject: Subject, estimates: Mapping[str, str]) -> Any:
    """Draw the share of each direct comparison, by the random walk over paths."""
    _only_frequentist(subject, "contributions", "share of each direct comparison")
    reference = str(subject.run.reference)
    frame = subject.network_fit.contributions(pairs=[(t, reference) for t in estimates])  # type: ignore[attr-defined]
    effect = subject.effect
    return charts.contributions(
        frame,
        estimates={f"{t}:{reference}": label for t, label in estimates.items()},
        sources={key: " vs ".join(map(effect.label, key.split(":"))) for key in frame["source"].unique()},
        algorithm="random walk (Davies et al. 2022)",
        title=tr("{outcome}: share of each direct comparison in each effect", outcome=effect.outcome),
    )


def _only_frequentist(subject: Subject, method: str, what: str) -> None:
    if not hasattr(subject.network_fit, method):
        raise NothingToDrawError(f"The engine {subject.run.engine} has no {what}: frequentist has.")


def _frame(rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(list(rows))
