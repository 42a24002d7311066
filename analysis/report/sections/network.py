"""The section of a network meta-analysis."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from analysis import charts
from analysis.charts import tables
from analysis.charts.base.effect import Effect, normal_interval
from analysis.charts.base.intervals import turned
from analysis.charts.base.theme import count, figures, missing, number, printed, records
from analysis.charts.tables import Column, Table
from analysis.further import funnel_order
from analysis.language.catalog import tr
from analysis.report import words
from analysis.report.blocks import Block, Figure, Section, Text, key_of
from analysis.report.links import Links, chosen
from analysis.report.material import Material
from analysis.report.sections.about_runs import in_order_of_year, notes_of
from analysis.report.sections.small_study import asymmetry
from evidence.results import Run

_MOST_COLUMNS = 40


def network_section(material: Material, run: Run, links: Links) -> Section:
    """Make the section of a network: geometry, effects, ranking, inconsistency, sensitivity, notes."""
    effect = material.effect(run)
    model = words.main_model(run)
    section = Section(
        f"analysis-{run.analysis}",
        tr("{outcome}: network of treatments ({measure})", outcome=effect.outcome, measure=effect.measure),
        analysis=key_of(run),
    )
    section.blocks.append(Text((" ".join(words.details(material, run)),)))
    section.parts += [
        part
        for part in (
            _geometry(material, run, effect),
            _effects(material, run, effect, model, links),
            _ranking(run, effect, model),
            _inconsistency(material, run, effect, model, links),
            _sensitivity(material, run, effect, model, links),
        )
        if part.blocks
    ]
    section.parts.append(Section(f"{run.analysis}-notes", tr("Notes"), notes_of(run, material.treatments)))
    section.parts = [part for part in section.parts if part.blocks]
    return section


def _geometry(material: Material, run: Run, effect: Effect) -> Section:
    nodes, edges = pd.DataFrame(material.nodes(run)), pd.DataFrame(material.edges(run))
    if not len(nodes):
        return Section(f"{run.analysis}-geometry", tr("Network"))
    edges["low_risk_share"] = _low_risk_shares(material, run, edges)
    by_participants = bool(nodes["n_participants"].notna().all())
    units = tr(material.units(run).capitalize())
    known = set(nodes["treatment"])
    chart = charts.network_diagram(
        nodes,
        edges,
        labels=material.treatments,
        multi_arm=_multi_arm(run),
        order=[t for t in material.treatments if t in known],
        size="n_participants" if by_participants else "n_studies",
        size_title=units if by_participants else tr("Studies"),
        title=tr("{outcome}: network of comparisons", outcome=effect.outcome),
    )
    return Section(f"{run.analysis}-geometry", tr("Network"), [Figure(f"{run.analysis}-network", chart)])


def _multi_arm(run: Run) -> list[list[str]]:
    """Treatments of each study and experiment of a run that compares more than two."""
    found: dict[tuple[str, str], set[str]] = {}
    for row in records(run.frames["contrasts"]):
        found.setdefault((row["study"], row["experiment"]), set()).update(
            (row["treatment_a"], row["treatment_b"])
        )
    return [sorted(members) for _, members in sorted(found.items()) if len(members) > 2]


def _low_risk_shares(material: Material, run: Run, edges: pd.DataFrame) -> list[float | None]:
    """Share of low-risk judgements in the studies of each direct comparison of a run."""
    low: dict[str, list[float]] = {}
    for row in material.judgements(run):
        low.setdefault(row["study"], []).append(float(row["severity"] == 1))
    members: dict[frozenset[str], set[str]] = {}
    for row in records(run.frames["contrasts"]):
        members.setdefault(frozenset((row["treatment_a"], row["treatment_b"])), set()).add(row["study"])

    def share(pair: frozenset[str]) -> float | None:
        known = [sum(low[study]) / len(low[study]) for study in sorted(members.get(pair, ())) if study in low]
        return sum(known) / len(known) if known else None

    return [share(frozenset(pair)) for pair in zip(edges["treatment_a"], edges["treatment_b"], strict=True)]


def _effects(material: Material, run: Run, effect: Effect, model: str, links: Links) -> Section:
    rows = [row | {"href": links.number(row["kept"], effect)} for row in words.against(run, model)]
    for row in rows:
        del row["kept"]
    direct = {frozenset((e["treatment_a"], e["treatment_b"])): e["n_studies"] for e in material.edges(run)}
    for row in rows:
        row["n_studies"] = direct.get(frozenset((row["treatment"], row["versus"])), 0)
    order, score, _ = words.ranked(run, model)
    ranking = run.frames["ranking"]
    section = Section(f"{run.analysis}-effects", tr("Effects"))
    if rows:
        chart = charts.network_forest(
            pd.DataFrame(rows),
            effect=effect,
            reference=str(run.reference),
            ranking=ranking[ranking["model"] == model] if score else None,
        )
        section.blocks.append(Figure(f"{run.analysis}-forest", chart))
    network, direct_rows = league_frames(material, run, model)
    if len(network):
        network = network.assign(
            href=[links.number(row, effect) for row in records(network)],
        )
        section.blocks.append(
            Figure(f"{run.analysis}-league", charts.league(network, direct_rows, effect=effect, order=order))
        )
    section.blocks.append(
        tables.heterogeneity_and_inconsistency(
            run.frames["heterogeneity"],
            _tests_of_network(run),
            effect=effect,
            digits=words.places(run),
            name=f"{run.analysis}-heterogeneity",
        )
    )
    fit = run.frames["fit"]
    if len(fit) and fit["study"].isna().any():
        section.blocks.append(
            tables.model_fit(
                fit[fit["study"].isna()],
                effect=effect,
                digits=words.places(run),
                write=lambda note: words.plain_words(note, material.treatments),
                name=f"{run.analysis}-fit",
            )
        )
    return section


def _ranking(run: Run, effect: Effect, model: str) -> Section:
    section = Section(f"{run.analysis}-ranking", tr("Ranking"))
    ranking = run.frames["ranking"]
    probabilities = run.frames["rank_probabilities"]
    ranking, probabilities = (
        ranking[ranking["model"] == model],
        probabilities[probabilities["model"] == model],
    )
    if len(probabilities):
        section.blocks += [
            Figure(
                f"{run.analysis}-rankogram",
                charts.rankogram(
                    probabilities,
                    ranking,
                    labels=effect.treatments,
                    title=tr("{outcome}: rank probabilities", outcome=effect.outcome),
                ),
            ),
            Figure(
                f"{run.analysis}-cumulative-ranking",
                charts.cumulative_ranking(
                    probabilities,
                    ranking,
                    labels=effect.treatments,
                    title=tr("{outcome}: cumulative ranking", outcome=effect.outcome),
                ),
            ),
        ]
    elif effect.lower_is_better is None:
        section.blocks.append(
            Text(
                (
                    tr(
                        "The outcome does not say whether lower or higher is better, so treatments are not "
                        "ranked."
                    ),
                )
            )
        )
    return section


def _inconsistency(material: Material, run: Run, effect: Effect, model: str, links: Links) -> Section:
    section = Section(f"{run.analysis}-inconsistency", tr("Inconsistency"))
    frame = run.frames["inconsistency"]
    splits = frame[frame["direct"].notna() & frame["indirect"].notna() & (frame["model"] == model)]
    if len(splits):
        method = splits["method"].iloc[-1]
        known = {
            (r["treatment"], r["versus"]): r
            for r in records(run.frames["estimates"])
            if r["model"] == model and r["evidence"] == "network"
        }
        rows = []
        for row in records(splits[splits["method"] == method]):
            whole = known.get((row["treatment"], row["versus"]))
            rows.append(
                row
                | {
                    "network": None if whole is None else whole["estimate"],
                    "network_std_error": None if whole is None else whole["std_error"],
                }
            )
        section.blocks.append(
            Figure(
                f"{run.analysis}-node-split",
                charts.node_split(
                    pd.DataFrame(rows),
                    effect=effect,
                    title=tr(
                        "{outcome}: direct and indirect evidence ({method})",
                        outcome=effect.outcome,
                        method=method,
                    ),
                ),
            )
        )
    section.blocks += _unrelated(run, effect, model)
    funnel = _funnel_rows(material, run, model)
    if len(funnel) > 2:
        chart = charts.comparison_adjusted_funnel(funnel, effect=effect, order=_funnel_order(material, run))
        section.blocks.append(Figure(f"{run.analysis}-funnel", chart))
        section.blocks.append(Text((_about_order(run),)))
        section.blocks += asymmetry(run, effect)
    return section


def _funnel_order(material: Material, run: Run) -> list[str]:
    """Treatments of a run as its plan orders them; others as the review lists them, active first."""
    known = {row["treatment"] for row in material.nodes(run)}
    order = [treatment for treatment in material.treatments if treatment in known]
    return funnel_order(order, material.roles, _planned_order(run))


def _planned_order(run: Run) -> list[str]:
    return run.specification.get("funnel_order") or []


def _about_order(run: Run) -> str:
    """Say what gives the comparisons of the funnel plot their direction."""
    planned = _planned_order(run)
    rest = {row["treatment"] for row in records(run.frames["ranking"])} - set(planned)
    if not planned:
        return tr(
            "Each comparison is drawn as an earlier treatment minus a later one, as treatments.csv lists "
            "them, active "
            "treatments before controls: a funnel plot of a network needs an order that was not found in "
            "the results "
            "it examines (Chaimani and Salanti 2012)."
        )
    if rest:
        return tr(
            "Each comparison is drawn as an earlier treatment minus a later one, in the order of the plan "
            "(funnel_order); those it does not name as treatments.csv lists them, active treatments "
            "before controls: "
            "a funnel plot of a network needs an order that was not found in the results it examines "
            "(Chaimani and "
            "Salanti 2012)."
        )
    return tr(
        "Each comparison is drawn as an earlier treatment minus a later one, in the order of the plan "
        "(funnel_order): "
        "a funnel plot of a network needs an order that was not found in the results it examines "
        "(Chaimani and "
        "Salanti 2012)."
    )


def _unrelated(run: Run, effect: Effect, model: str) -> Iterator[Block]:
    """Tabulate the model without consistency: its fit beside that of the network, and its effects."""
    frame = run.frames["inconsistency"]
    some = frame[(frame["method"] == words.UNRELATED) & (frame["model"] == model)] if len(frame) else frame
    if not len(some):
        return
    whole = {
        frozenset((row["treatment"], row["versus"])): row
        for row in words.estimate_rows(run)
        if row["model"] == model and row["evidence"] == "network"
    }
    rows, notes = [], []
    for row in records(some):
        if missing(row["treatment"]):
            notes.append(words.plain_words(str(row["note"]), effect.treatments or {}))
            continue
        other = whole.get(frozenset((row["treatment"], row["versus"])))
        if other is not None and other["treatment"] != row["treatment"]:
            other = turned(other)
        digits = 2 if other is None else other["digits"]
        lower, upper = normal_interval(row["direct"], row["direct_std_error"])
        rows.append(
            {
                "comparison": tr(
                    "{a} versus {b}", a=effect.label(row["treatment"]), b=effect.label(row["versus"])
                ),
                "free": row["note"]
                if lower is None
                else effect.estimate_text(row["direct"], lower, upper, digits),
                "network": ""
                if other is None
                else effect.estimate_text(other["estimate"], other["ci_lower"], other["ci_upper"], digits),
            }
        )
    yield Table(
        f"{run.analysis}-unrelated",
        tr("With and without consistency"),
        (
            Column("comparison", tr("Comparison")),
            Column("free", tr("Unrelated mean effects [95% interval]"), "right"),
            Column("network", tr("Network [95% interval]"), "right"),
        ),
        tuple(rows),
        note=" ".join(f"{note}." for note in notes),
        data=tuple(records(some)),
    )


def _sensitivity(material: Material, run: Run, effect: Effect, model: str, links: Links) -> Section:
    section = Section(f"{run.analysis}-sensitivity", tr("Sensitivity and influence"))
    rows = words.against(run, model)
    left_out = run.frames["leave_one_out"]
    left_out = left_out[left_out["model"] == model] if len(left_out) else left_out
    if len(left_out) and rows:
        first = rows[0]
        some = [
            row
            for row in records(left_out)
            if (row["treatment"], row["versus"]) == (first["treatment"], first["versus"])
        ]
        chart = charts.leave_one_out(
            in_order_of_year(
                material, pd.DataFrame([row | {"href": links.study(row["study"])} for row in some])
            ),
            effect=effect,
            treatment=first["treatment"],
            versus=first["versus"],
            pooled=first,
            labels=material.studies,
            digits=first["digits"],
        )
        if some:
            section.blocks.append(Figure(f"{run.analysis}-leave-one-out", chart))
            section.blocks.append(
                Text(
                    (
                        tr(
                            "Drawn for the treatment that is best by its effect; "
                            "results/leave_one_out.csv has all."
                        ),
                    )
                )
            )
    section.blocks += _shares(material, run, effect, model)
    fit = run.frames["fit"]
    by_study = fit[fit["study"].notna() & (fit["model"] == model)] if len(fit) else fit
    if len(by_study) and {"deviance", "leverage"} <= set(by_study["quantity"]):
        wide = by_study.pivot_table(index="study", columns="quantity", values="value").reset_index()
        wide["label"] = [material.studies.get(study, study) for study in wide["study"]]
        section.blocks.append(
            Figure(
                f"{run.analysis}-leverage",
                charts.leverage(wide, title=tr("{outcome}: leverage plot", outcome=effect.outcome)),
            )
        )
    if run.frames.get("convergence") is not None and len(run.frames["convergence"]):
        chains = run.frames["convergence"]
        section.blocks.append(
            Figure(
                f"{run.analysis}-psrf",
                charts.psrf(
                    chains[chains["model"] == model],
                    labels={
                        name: _spelled(name, material.treatments) for name in chains["parameter"].unique()
                    },
                    title=tr(
                        "{outcome}: potential scale reduction factor by iteration", outcome=effect.outcome
                    ),
                ),
            )
        )
    if len(run.frames["diagnostics"]):
        section.blocks.append(_diagnostics(run, material.treatments))
    return section


def _shares(material: Material, run: Run, effect: Effect, model: str) -> Iterator[Block]:
    frame = run.frames["weights"]
    frame = frame[frame["model"] == model] if len(frame) else frame
    if not len(frame) or frame["study"].nunique() > _MOST_COLUMNS:
        return
    order = [row["treatment"] for row in words.against(run, model)]
    shares: dict[tuple[str, str], float] = {}
    for row in records(frame):
        if row["versus"] == run.reference and not missing(row["weight"]):
            key = (row["treatment"], row["study"])
            shares[key] = shares.get(key, 0.0) + row["weight"]
    rows = [
        {"estimate": treatment, "source": study, "share": share}
        for treatment in order
        for study in material.by_year
        if not missing(share := shares.get((treatment, study)))
    ]
    if rows:
        yield Figure(
            f"{run.analysis}-contributions",
            charts.contributions(
                pd.DataFrame(rows),
                estimates={
                    t: tr("{a} versus {b}", a=effect.label(t), b=effect.label(run.reference)) for t in order
                },
                sources=material.studies,
                title=tr("{outcome}: share of each study in each effect", outcome=effect.outcome),
            ),
        )


def _diagnostics(run: Run, names: Mapping[str, str]) -> Table:
    given = records(run.frames["diagnostics"])
    # Without chains nothing has to converge: what is said is how exactly the integrals were computed.
    sampled = any(not missing(row["rhat"]) for row in given)
    rows = tuple(
        {
            "model": tr(words.MODELS.get(row["model"], str(row["model"]))),
            "parameter": printed(_spelled(row["parameter"], names)),
            "rhat": number(row["rhat"], 3),
            "ess_bulk": count(_whole(row["ess_bulk"])),
            "ess_tail": count(_whole(row["ess_tail"])),
            "mcse": "" if sampled or missing(row["mcse"]) else figures(row["mcse"]),
            "divergences": count(row["divergences"]),
            "note": printed(row["note"] or ""),
        }
        for row in given
    )
    return Table(
        f"{run.analysis}-diagnostics",
        tr("Convergence") if sampled else tr("Accuracy of the computation"),
        (
            Column("model", tr("Model")),
            Column("parameter", tr("Parameter")),
            Column("rhat", "R-hat", "right"),
            Column("ess_bulk", tr("ESS, bulk"), "right"),
            Column("ess_tail", tr("ESS, tail"), "right"),
            Column("divergences", tr("Divergences"), "right"),
            Column("mcse", tr("Error"), "right"),
            Column("note", tr("Note")),
        ),
        rows,
        data=tuple(given),
    )


def league_frames(material: Material, run: Run, model: str) -> tuple[pd.DataFrame, pd.DataFrame | None]:
    """Network and direct estimates of one model; None for the latter where the engine has none of its own."""
    rows = [row for row in words.estimate_rows(run) if row["model"] == model]
    network, direct = (chosen(rows, evidence=kind) for kind in ("network", "direct"))
    return pd.DataFrame(network), pd.DataFrame(direct) if direct else None


def _funnel_rows(material: Material, run: Run, model: str) -> pd.DataFrame:
    """Contrasts of a network with the direct estimate of their comparison."""
    contrasts = records(material.contrasts(run))
    direct = {
        (row["treatment"], row["versus"]): row["estimate"]
        for row in records(run.frames["estimates"])
        if row["model"] == model and row["evidence"] == "direct" and not missing(row["estimate"])
    } or _pooled_pairs(run, contrasts, model)
    direct |= {(b, a): -estimate for (a, b), estimate in direct.items()}
    return pd.DataFrame(
        [
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
    )


def _pooled_pairs(run: Run, contrasts: list[dict[str, Any]], model: str) -> dict[tuple[str, str], float]:
    """Direct estimate of each comparison by inverse variance with the network's heterogeneity.

    For engines that give no direct estimates of their own.
    """
    spread = [row["tau2"] for row in records(run.frames["heterogeneity"]) if row["model"] == model]
    tau2 = next((value for value in spread if not missing(value)), 0.0) if model == "random" else 0.0
    sums: dict[tuple[str, str], list[float]] = {}
    for row in contrasts:
        weight = 1 / (row["std_error"] ** 2 + tau2)
        total = sums.setdefault((row["treatment_a"], row["treatment_b"]), [0.0, 0.0])
        total[0] += weight
        total[1] += weight * row["estimate"]
    return {pair: total / weight for pair, (weight, total) in sums.items()}


def _tests_of_network(run: Run) -> pd.DataFrame:
    frame = run.frames["inconsistency"]
    wanted = ("decomposition", "design-by-treatment")
    return frame[frame["method"].isin(wanted)] if len(frame) else frame


def _spelled(parameter: str, names: Mapping[str, str]) -> str:
    """Spell out the treatments of a parameter that is called "A against B"."""
    spelled = {f"{a} against {b}": f"{names[a]} against {names[b]}" for a in names for b in names}
    return spelled.get(parameter, parameter)


def _whole(value: Any) -> Any:
    return None if missing(value) else round(value)
