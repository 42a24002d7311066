"""The report's sections: which figures and tables stand where, made from result rows and views."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from analysis import charts
from analysis.charts import tables
from analysis.charts.effect import Effect
from analysis.charts.tables import Column, Table
from analysis.charts.theme import count, missing, p_value, plain, records
from analysis.report import across, words
from analysis.report.links import Links, chosen, mark, readings
from analysis.report.material import Material
from evidence.results import Run

_MOST_COLUMNS = 40
_MOST_CLAIMS = 12


@dataclass(frozen=True)
class Figure:
    """A chart on the page, under the name of its files; the second form of it, if any, is for a switch."""

    name: str
    chart: Any
    switch: Any = None


@dataclass(frozen=True)
class Text:
    """Paragraphs with links; as a list where `items` is set."""

    paragraphs: tuple[str, ...]
    items: bool = False
    kind: str = ""


Block = Figure | Table | Text


@dataclass
class Section:
    """A section of the page.

    Attributes
    ----------
    anchor : str
        Its id.
    title : str
        Its heading.
    blocks : list
        What stands in it.
    parts : list of Section
        Subsections.
    analysis : str
        Outcome and measure that it is about: the page can show one at a time.
    """

    anchor: str
    title: str
    blocks: list[Block] = field(default_factory=list)
    parts: list[Section] = field(default_factory=list)
    analysis: str = ""


def assemble(
    material: Material, links: Links, say: Callable[[str], None] = lambda step: None
) -> list[Section]:
    """Make all sections of the report.

    Parameters
    ----------
    material : Material
    links : Links
        Hands out the anchors of numbers and studies.
    say : callable
        Called with a few words before each step.

    Returns
    -------
    list of Section
        In the order of the page; an analysis that was refused has its section, with the reason.
    """
    say("writing the answer and the methods")
    found = [
        _answer(material, links),
        Section("methods", "Methods", [Text(tuple(words.methods(material)))]),
        _studies(material, links),
        _selection(material),
        _risk_of_bias(material, links),
        _coverage(material),
    ]
    for run in material.runs:
        say(f"drawing {run.analysis}")
        found.append(
            _pairwise(material, run, links) if run.kind == "pairwise" else _network(material, run, links)
        )
    found += [_refused(material), _several(material, links), _published(material, links)]
    found += [_exclusions(material), _audits(material)]
    found += [_measurements(material, links), _reproduce(material)]
    sections = [section for section in found if section is not None and (section.blocks or section.parts)]
    if not material.runs:
        # Nothing but what others printed: its audit is the answer, and stands beside it.
        sections.sort(key=lambda section: {"answer": 0, "published": 1}.get(section.anchor, 2))
    numbered = across.by_number(material, _standing(sections))
    if numbered is not None:
        sections.insert(2, Section("figures", "Figures and tables by number", [numbered]))
    return sections


def _standing(sections: Sequence[Section]) -> dict[str, tuple[str, str, str]]:
    """Anchor, heading and file of every figure and table, by name."""
    return {
        block.name: (
            (f"figure-{block.name}", section.title, f"figures/{block.name}.svg")
            if isinstance(block, Figure)
            else (f"table-{block.name}", section.title, f"tables/{block.name}.csv")
        )
        for section in sections
        for block in everything([section])
        if not isinstance(block, Text)
    }


def findings(material: Material, links: Links) -> Table:
    """Tabulate pairwise effects, and the effect of each treatment of a network against its reference."""
    rows = []
    for run in material.runs:
        effect = material.effect(run)
        model = words.main_model(run)
        spread = next(
            (
                r
                for r in records(run.frames["heterogeneity"])
                if r["model"] == model and missing(r.get("level"))
            ),
            {},
        )
        if run.kind == "pairwise":
            some = [
                row | {"kept": row}
                for row in words.estimate_rows(run)
                if row["model"] == model and missing(row.get("level"))
            ]
            n: Any = material.n_participants(run)
        else:
            some, n = words.against(run, model), None
            direct = {frozenset((e["treatment_a"], e["treatment_b"])): e for e in material.edges(run)}
            for row in some:
                edge = direct.get(frozenset((row["treatment"], row["versus"])), {})
                row |= {"n_studies": edge.get("n_studies", 0), "n_participants": edge.get("n_participants")}
        for row in some:
            if missing(row["estimate"]) or missing(row["ci_lower"]):
                continue
            rows.append(
                row
                | {
                    "comparison": f"{effect.label(row['treatment'])} versus {effect.label(row['versus'])}",
                    "n_participants": row.get("n_participants", n),
                    "model": f"{'network' if run.kind == 'network' else 'pairwise'}, {words.MODELS[model]}",
                    "effect": effect,
                    "tau": spread.get("tau"),
                    "i2": spread.get("i2"),
                    "linked": words.linked(row, effect, links),
                }
            )
    return tables.summary_of_findings(rows, n_label=material.participants.capitalize())


def league_tables(material: Material, links: Links) -> list[Table]:
    """Write the league table of every network."""
    found = []
    for run in material.runs:
        if run.kind == "network":
            network, direct = _league_frames(material, run, words.main_model(run))
            effect = material.effect(run)
            order, _, _ = words.ranked(run, words.main_model(run))
            cells = {
                pair: words.linked(row, effect, links)
                for row in records(network)
                for pair in ((row["treatment"], row["versus"]),)
            }
            found.append(
                tables.league_table(
                    network,
                    direct,
                    effect=effect,
                    order=order,
                    name=f"{run.analysis}-league",
                    links=_both(cells, network, effect, links),
                )
            )
    return found


def _both(
    cells: dict[tuple[str, str], str], network: pd.DataFrame, effect: Effect, links: Links
) -> dict[tuple[str, str], str]:
    """Cells in both directions: a turned one leads to the row that is kept."""
    from analysis.charts.forests import turned

    for row in records(network):
        back = turned(row)
        cells.setdefault(
            (back["treatment"], back["versus"]), words.linked(back | {"kept": row}, effect, links)
        )
    return cells


# --- the review as a whole ----------------------------------------------------------------------------------


def _answer(material: Material, links: Links) -> Section:
    section = Section("answer", "Answer")
    if material.review["question"]:
        section.blocks.append(Text((str(material.review["question"]),), kind="question"))
    for run in material.runs:
        effect = material.effect(run)
        section.parts.append(
            Section(
                f"answer-{run.analysis}",
                words.headline(run, effect),
                [Text((words.answer(material, run, links),))],
                analysis=_key(run),
            )
        )
    claims = _claims(material)
    if claims:
        verdicts = Counter(row["verdict"] for row in claims)
        words_ = {"holds": "hold", "does not hold": "do not hold"}
        counted = ", ".join(f"{count(n)} {words_.get(verdict, verdict)}" for verdict, n in verdicts.items())
        section.blocks.append(Text((f"{count(len(claims))} claims were put as queries: {counted}.",)))
        # Of the review's own sentences those that hold are printed; of a publication's, those that do not.
        own = [str(row["text"]) for row in claims if row["publication"] is None and row["verdict"] == "holds"]
        wrong = [
            f"{row['text']} (found {row['found']})"
            for row in claims
            if row["publication"] is not None and row["kind"] == "claim" and row["verdict"] == "does not hold"
        ]
        for said, lines in (("Claims that hold:", own), ("What is published and does not hold:", wrong)):
            if lines:
                section.blocks += [Text((said,)), Text(tuple(lines[:_MOST_CLAIMS]), items=True)]
            if len(lines) > _MOST_CLAIMS:
                more = f"{count(len(lines) - _MOST_CLAIMS)} more stand under What is published, checked."
                section.blocks.append(Text((more,)))
    if material.runs:
        section.parts.append(Section("findings", "Summary of findings", [findings(material, links)]))
    elif not claims:
        section.blocks.append(Text(("The review's plan has no analysis that could be carried out.",)))
    return section


def _claims(material: Material) -> list[dict[str, Any]]:
    """Rows of ``published_claim_check``: those that hold first."""
    if not material.has("published_claim_check"):
        return []
    order = {"holds": 0, "does not hold": 1}
    rows = material.db.rows(
        "select checked.* from published_claim_check as checked inner join claim using (claim)"
        " order by claim.source_line"
    )
    return sorted(rows, key=lambda row: order.get(row["verdict"], 2))


def _published(material: Material, links: Links) -> Section:
    """Redraw what a publication printed, and say whether it holds together."""
    section = Section("published", "What is published, checked")
    claims = _claims(material)
    if claims:
        section.blocks.append(
            Table(
                "claims",
                "Claims, each put as a query",
                (
                    Column("text", "Claim"),
                    Column("found", "Found"),
                    Column("expected", "Claimed"),
                    Column("locator", "Where"),
                    Column("needs", "What a check would need"),
                ),
                tuple(row | {"group": str(row["verdict"]).capitalize()} for row in claims),
                data=tuple(claims),
            )
        )
    if not material.has("published_contrast"):
        return section
    printed = material.db.rows(
        "select cell.*, estimate.unit from published_contrast as cell"
        " inner join published_estimate as estimate using (published_estimate_id)"
        " where not cell.reversed order by published_estimate_id"
    )
    ranked = material.db.rows(
        "select ranking.* from published_ranking as ranking inner join outcome using (outcome)"
        " order by ranking.publication, outcome.source_line, ranking.measure, ranking.position"
    )
    tables_ = dict.fromkeys((row["publication"], row["outcome"], row["measure"]) for row in printed)
    for publication, outcome, measure in tables_:
        about = {"publication": publication, "outcome": outcome, "measure": measure}
        rows = chosen(printed, **about)
        if len(rows) < 3:
            continue
        order = [row["treatment"] for row in chosen(ranked, **about)]
        order += [t for row in rows for t in (row["treatment"], row["versus"]) if t not in order]
        effect = _printed_effect(material, outcome, measure, rows[0]["unit"])
        chart = charts.league(
            pd.DataFrame(rows),
            effect=effect,
            order=list(dict.fromkeys(order)),
            title=f"{effect.outcome}: printed estimates ({publication})",
        )
        section.blocks.append(Figure(_stem("published", outcome, measure, "league"), chart))
    if len({row["outcome"] for row in ranked}) > 1:
        chart = charts.rank_heat_plot(
            pd.DataFrame(ranked),
            labels=material.treatments,
            outcomes=material.outcomes,
            title="Ranking that the printed league tables imply",
        )
        section.blocks.append(Figure("published-ranking", chart))
    units = {(row["publication"], row["outcome"], row["measure"]): row["unit"] for row in printed}
    section.blocks += _rebuilt(material, units)
    section.blocks += _published_checks(material)
    return section


def _rebuilt(material: Material, units: Mapping[tuple[str, str, str], str | None]) -> Iterator[Block]:
    """Ranks that follow from the joint distribution behind each printed league table."""
    from analysis.published import try_rebuild

    found, refused = try_rebuild(material.db)
    rows, data = [], []
    for printed in found:
        if printed.lower_is_better is None:
            continue
        table = printed.publication, printed.outcome, printed.measure
        effect = _printed_effect(material, *table[1:], units[table])
        yield Figure(
            _stem("published", printed.outcome, printed.measure, "rankogram"),
            charts.rankogram(
                printed.rank_probabilities(),
                printed.ranking(),
                labels=material.treatments,
                title=f"{effect.outcome}: ranks that the printed league table implies",
            ),
        )
        for row in records(printed.overview()):
            data.append({"outcome": printed.outcome, "measure": printed.measure, **row})
            text = ""
            if not missing(row["estimate"]):
                half = (row["ci_upper"] - row["ci_lower"]) / 2
                limits = row["ci_lower"], row["ci_upper"]
                text = effect.estimate_text(row["estimate"], *limits, effect.digits([half]))
            rows.append(
                {
                    "group": f"{effect.title}; precision of the hierarchy (POTH) {printed.poth:.2f}",
                    "treatment": effect.label(row["treatment"]),
                    "effect": text,
                    **{key: f"{row[key]:.2f}" for key in ("p_best", "sucra", "mean_rank")},
                }
            )
    if rows:
        yield Table(
            "published-rankings",
            "Rankings that the printed league tables imply",
            (
                Column("treatment", "Treatment"),
                Column("effect", "Effect against the reference [95% interval]", "right"),
                Column("p_best", "P(best)", "right"),
                Column("sucra", "SUCRA", "right"),
                Column("mean_rank", "Mean rank", "right"),
            ),
            tuple(rows),
            note="From the normal distribution that the printed estimates and intervals fix together.",
            data=tuple(data),
        )
    if refused:
        yield Text(tuple(str(error) for error in refused), items=True, kind="warning")


def _printed_effect(material: Material, outcome: str, measure: str, unit: str | None) -> Effect:
    """Say what a printed table holds; its unit is the one that is printed, if any."""
    row = material.db.rows("select * from outcome where outcome = ?", [outcome])
    scale = material.db.value("select scale from effect_measure where measure = ?", [measure])
    return Effect(
        measure,
        outcome=material.outcomes.get(outcome, outcome),
        scale="log" if scale == "log" else "additive",
        unit=unit,
        lower_is_better=row[0]["lower_is_better"] if row else None,
        treatments=material.treatments,
    )


def _published_checks(material: Material) -> Iterator[Block]:
    """Count printed numbers that agree with each other, and list those that do not."""
    views = {
        "league_coherence": ("triples of printed network estimates", "coherent", "are coherent"),
        "published_interval_check": ("printed intervals", "agrees", "agree with their estimates and flags"),
        "published_count_check": ("printed variables", "adds up", "add up to their totals"),
    }
    lines = []
    wrong: list[dict[str, Any]] = []
    for view, (what, right, said) in views.items():
        if not material.has(view):
            continue
        rows = material.db.rows(f"select * from {view}")
        bad = [row for row in rows if row["verdict"] != right]
        if rows:
            lines.append(f"{count(len(rows) - len(bad))} of {count(len(rows))} {what} {said}.")
        wrong += [
            {
                "check": what,
                "which": ", ".join(
                    str(row[key])
                    for key in (
                        "outcome",
                        "treatment_1",
                        "treatment_2",
                        "treatment_3",
                        "treatment",
                        "versus",
                        "variable",
                    )
                    if row.get(key) is not None
                ),
                "verdict": row["verdict"],
                "locator": row.get("locator"),
            }
            for row in bad
        ]
    if lines:
        yield Text((" ".join(lines),))
    if wrong:
        columns = (
            Column("check", "Check"),
            Column("which", "Which"),
            Column("verdict", "Verdict"),
            Column("locator", "Where"),
        )
        yield Table("published-checks", "Printed numbers that do not agree", columns, tuple(wrong))


def _studies(material: Material, links: Links) -> Section:
    frame = material.frame("select * from study_characteristics order by year nulls last, label")
    frame["linked_label"] = [
        mark(label, links.study(study)) for study, label in zip(frame["study"], frame["label"], strict=True)
    ]
    status = "included" if material.measured else "listed"
    return Section(
        "studies",
        f"{status.capitalize()} studies",
        [tables.characteristics(frame, n_label=material.participants.capitalize(), status=status)],
    )


def _selection(material: Material) -> Section:
    flow = material.frame("select * from prisma_flow order by position, reason nulls first")
    section = Section("selection", "Study selection")
    if len(flow) > 1:
        section.blocks.append(Figure("prisma-flow", charts.prisma_flow(flow)))
    elif len(flow):
        section.blocks.append(
            Text(
                (
                    f"{count(flow['n'].iloc[0])} studies are included. No records, screening decisions or "
                    "flow counts "
                    "were entered, so there is no PRISMA flow diagram to draw.",
                )
            )
        )
    searches = material.db.rows("select search, source, date, hits, query from search order by source_line")
    if searches:
        section.blocks.append(
            Table(
                "searches",
                "Searches",
                (
                    Column("source", "Source"),
                    Column("date", "Date"),
                    Column("hits", "Records", "right"),
                    Column("query", "Query"),
                ),
                tuple({**row, "hits": count(row["hits"])} for row in searches),
            )
        )
    return section


def _risk_of_bias(material: Material, links: Links) -> Section:
    section = Section("risk-of-bias", "Risk of bias")
    judged = material.frame(
        "select rob_traffic_light.* from rob_traffic_light inner join study using (study) "
        "order by study.year nulls last, study.label, position"
    )
    for tool in judged["tool"].drop_duplicates():
        for outcome in judged.loc[judged["tool"] == tool, "outcome"].drop_duplicates():
            of_outcome = judged["outcome"].isna() if missing(outcome) else judged["outcome"] == outcome
            some = judged[(judged["tool"] == tool) & of_outcome]
            about = "" if missing(outcome) else f", {material.outcomes.get(outcome, outcome)}"
            title = f"Risk of bias by study ({tool}{about})"
            light, safe = (
                charts.traffic_light(some, labels=material.studies, palette=palette, title=title)
                for palette in ("color", "color_blind_safe")
            )
            section.blocks.append(Figure(_stem("risk-of-bias", tool, plain(outcome)), light, safe))
    summary = material.frame("select * from rob_summary order by tool, position")
    for tool in summary["tool"].drop_duplicates():
        some = summary[summary["tool"] == tool]
        plain_, safe = (
            charts.rob_summary(some, palette=palette) for palette in ("color", "color_blind_safe")
        )
        section.blocks.append(Figure(_stem("risk-of-bias-summary", tool), plain_, safe))
        if some["weighted_share"].notna().any():
            heavy, safe = (
                charts.rob_summary(some, weighted=True, palette=palette)
                for palette in ("color", "color_blind_safe")
            )
            section.blocks.append(Figure(_stem("risk-of-bias-summary-weighted", tool), heavy, safe))
    if not section.blocks:
        section.blocks.append(Text(("No risk-of-bias judgement was entered in the review folder.",)))
    return section


def _coverage(material: Material) -> Section | None:
    """Where there is evidence, and what became of each study's data."""
    if len(material.outcomes) < 2 or not material.measured:
        return None
    section = Section("coverage", "What was measured")
    planned = {(run.outcome, run.measure) for run in material.runs}
    nodes = [row for row in material.nodes() if (row["outcome"], row["measure"]) in planned]
    largest = {(row["outcome"], row["treatment"]): row for row in reversed(nodes)}
    if len({row["outcome"] for row in nodes}) > 1:
        chart = charts.evidence_map(
            pd.DataFrame(largest.values()), treatments=material.treatments, outcomes=material.outcomes
        )
        section.blocks.append(Figure("evidence-map", chart))
    status = material.frame(
        """
        with reading as (
            select measurement.study, measurement.outcome,
                max(case when standard.measurement_id is null then 0 else 1 end) as used,
                max(case when standard.derivation = 'reported' then 1 else 0 end) as as_reported
            from measurement left join measurement_standard as standard using (measurement_id)
            group by measurement.study, measurement.outcome
            union all
            select study, outcome, 1, 1 from reported_contrast group by study, outcome
        )
        select study.study, outcome.outcome,
            case
                when max(reading.used) is null then 'not reported'
                when max(reading.used) = 0 then 'not usable'
                when max(reading.as_reported) = 0 then 'used, derived'
                else 'used'
            end as status
        from study cross join outcome
        left join reading on study.study = reading.study and outcome.outcome = reading.outcome
        group by study.study, outcome.outcome, study.year, study.label, outcome.source_line
        order by study.year nulls last, study.label, outcome.source_line
        """
    )
    if len(status):
        section.blocks.append(
            Figure(
                "missing-data-map",
                charts.missing_data_map(status, labels=material.studies, outcomes=material.outcomes),
            )
        )
    return section


# --- one analysis -------------------------------------------------------------------------------------------


def _pairwise(material: Material, run: Run, links: Links) -> Section:
    effect = material.effect(run)
    names = effect.label(run.treatment), effect.label(run.versus)
    section = Section(
        f"analysis-{run.analysis}",
        f"{effect.outcome}: {names[0]} versus {names[1]} ({effect.measure})",
        analysis=_key(run),
    )
    section.blocks.append(Text((" ".join(words.details(material, run)),)))
    studies = _study_rows(material, run, links)
    linked = [row | {"href": links.number(row, effect)} for row in words.estimate_rows(run)]
    pooled = pd.DataFrame(_spelled_levels(material, run, linked))
    spread = pd.DataFrame(_spelled_levels(material, run, records(run.frames["heterogeneity"])))
    rob = material.frame(
        "select * from rob_traffic_light where outcome is null or outcome = ?", [run.outcome]
    )
    tool = rob["tool"].iloc[0] if len(rob) else None
    section.blocks.append(
        Figure(
            f"{run.analysis}-forest",
            charts.forest(
                studies,
                pooled,
                spread,
                effect=effect,
                treatment=str(run.treatment),
                versus=str(run.versus),
                rob=rob[rob["tool"] == tool]
                if tool is not None and rob["study"].isin(studies["key"]).any()
                else None,
                footers=_tests(run),
            ),
        )
    )
    section.blocks.append(
        tables.heterogeneity_and_inconsistency(
            spread, unit=_tau_unit(effect), name=f"{run.analysis}-heterogeneity"
        )
    )
    model = words.main_model(run)
    main = next((row for row in linked if row["model"] == model and missing(row.get("level"))), None)
    left_out = run.frames["leave_one_out"]
    left_out = left_out[left_out["model"] == model]
    if len(left_out) > 1:
        left_out = left_out.assign(href=[links.study(study) for study in left_out["study"]])
        left_out = _by_year(material, left_out)
        chart = charts.leave_one_out(
            left_out,
            effect=effect,
            treatment=str(run.treatment),
            versus=str(run.versus),
            pooled=main,
            labels=material.studies,
            digits=None if main is None else main["digits"],
        )
        section.blocks.append(Figure(f"{run.analysis}-leave-one-out", chart))
    if len(studies) > 2:
        section.blocks.append(
            Figure(
                f"{run.analysis}-funnel",
                charts.funnel(
                    studies,
                    effect=effect,
                    pooled=None if main is None else plain(main["estimate"]),
                    title=f"{effect.outcome}: {names[0]} versus {names[1]}, funnel plot",
                ),
            )
        )
    section.blocks += _notes(run)
    return section


def _network(material: Material, run: Run, links: Links) -> Section:
    effect = material.effect(run)
    model = words.main_model(run)
    section = Section(
        f"analysis-{run.analysis}",
        f"{effect.outcome}: network of treatments ({effect.measure})",
        analysis=_key(run),
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
    section.parts.append(Section(f"{run.analysis}-notes", "Notes", _notes(run)))
    section.parts = [part for part in section.parts if part.blocks]
    return section


def _geometry(material: Material, run: Run, effect: Effect) -> Section:
    where = [run.outcome, run.measure]
    edges = material.frame(
        """
        with low as (
            select study, avg(case when severity = 1 then 1.0 else 0.0 end) as share
            from rob_traffic_light group by study
        ),
        compared as (
            select distinct treatment_a, treatment_b, study from analysis_contrast
            where outcome = ? and measure = ?
        )
        select edge.treatment_a, edge.treatment_b, edge.n_studies, edge.n_participants,
            avg(low.share) as low_risk_share
        from network_edge as edge
        left join compared
            on edge.treatment_a = compared.treatment_a and edge.treatment_b = compared.treatment_b
        left join low on compared.study = low.study
        where edge.outcome = ? and edge.measure = ?
        group by edge.treatment_a, edge.treatment_b, edge.n_studies, edge.n_participants
        order by edge.treatment_a, edge.treatment_b
        """,
        [*where, *where],
    )
    known = {row["treatment"] for row in records(run.frames["ranking"])} | {
        t for row in records(run.frames["estimates"]) for t in (row["treatment"], row["versus"])
    }
    nodes = pd.DataFrame(
        [row for row in material.nodes(run.outcome, run.measure) if row["treatment"] in known]
    )
    edges = edges[edges["treatment_a"].isin(known) & edges["treatment_b"].isin(known)]
    designs = material.db.rows(
        "select distinct study, experiment, treatment from network_arm "
        "where outcome = ? and measure = ? and n_study_arms > 2 order by study, experiment, treatment",
        where,
    )
    arms: dict[tuple[str, str], list[str]] = {}
    for row in designs:
        arms.setdefault((row["study"], row["experiment"]), []).append(row["treatment"])
    if not len(nodes):
        return Section(f"{run.analysis}-geometry", "Network")
    by_participants = bool(nodes["n_participants"].notna().all())
    chart = charts.network_diagram(
        nodes,
        edges,
        labels=material.treatments,
        multi_arm=[members for members in arms.values() if len(members) > 2],
        order=[t for t in material.treatments if t in known],
        size="n_participants" if by_participants else "n_studies",
        size_title=material.participants.capitalize() if by_participants else "Studies",
        title=f"{effect.outcome}: network of comparisons",
    )
    return Section(f"{run.analysis}-geometry", "Network", [Figure(f"{run.analysis}-network", chart)])


def _effects(material: Material, run: Run, effect: Effect, model: str, links: Links) -> Section:
    rows = [row | {"href": links.number(row["kept"], effect)} for row in words.against(run, model)]
    for row in rows:
        del row["kept"]
    direct = {frozenset((e["treatment_a"], e["treatment_b"])): e["n_studies"] for e in material.edges(run)}
    for row in rows:
        row["n_studies"] = direct.get(frozenset((row["treatment"], row["versus"])), 0)
    order, score, _ = words.ranked(run, model)
    ranking = run.frames["ranking"]
    section = Section(f"{run.analysis}-effects", "Effects")
    if rows:
        chart = charts.network_forest(
            pd.DataFrame(rows),
            effect=effect,
            reference=str(run.reference),
            ranking=ranking[ranking["model"] == model] if score else None,
        )
        section.blocks.append(Figure(f"{run.analysis}-forest", chart))
    network, direct_rows = _league_frames(material, run, model)
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
            unit=_tau_unit(effect),
            name=f"{run.analysis}-heterogeneity",
        )
    )
    fit = run.frames["fit"]
    if len(fit) and fit["study"].isna().any():
        section.blocks.append(tables.model_fit(fit[fit["study"].isna()], name=f"{run.analysis}-fit"))
    return section


def _ranking(run: Run, effect: Effect, model: str) -> Section:
    section = Section(f"{run.analysis}-ranking", "Ranking")
    ranking = run.frames["ranking"]
    probabilities = run.frames["rank_probabilities"]
    ranking, probabilities = (
        ranking[ranking["model"] == model],
        probabilities[probabilities["model"] == model],
    )
    if len(probabilities):
        of = f"{effect.outcome}: "
        section.blocks += [
            Figure(
                f"{run.analysis}-rankogram",
                charts.rankogram(
                    probabilities, ranking, labels=effect.treatments, title=of + "rank probabilities"
                ),
            ),
            Figure(
                f"{run.analysis}-cumulative-ranking",
                charts.cumulative_ranking(
                    probabilities, ranking, labels=effect.treatments, title=of + "cumulative ranking"
                ),
            ),
        ]
    elif effect.lower_is_better is None:
        section.blocks.append(
            Text(
                ("The outcome does not say whether lower or higher is better, so treatments are not ranked.",)
            )
        )
    return section


def _inconsistency(material: Material, run: Run, effect: Effect, model: str, links: Links) -> Section:
    section = Section(f"{run.analysis}-inconsistency", "Inconsistency")
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
                    title=f"{effect.outcome}: direct and indirect evidence ({method})",
                ),
            )
        )
    order, _, _ = words.ranked(run, model)
    funnel = _funnel_rows(material, run, model)
    if len(funnel) > 2:
        chart = charts.comparison_adjusted_funnel(funnel, effect=effect, order=order)
        section.blocks.append(Figure(f"{run.analysis}-funnel", chart))
        section.blocks.append(
            Text(
                (
                    "The order of treatments is that of their ranking here: a funnel plot of a network needs "
                    "one.",
                )
            )
        )
    return section


def _sensitivity(material: Material, run: Run, effect: Effect, model: str, links: Links) -> Section:
    section = Section(f"{run.analysis}-sensitivity", "Sensitivity and influence")
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
            _by_year(material, pd.DataFrame([row | {"href": links.study(row["study"])} for row in some])),
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
                        "Drawn for the treatment that is best by its effect; results/leave_one_out.csv has "
                        "all.",
                    )
                )
            )
    section.blocks += _priors(run, effect)
    section.blocks += _shares(material, run, effect, model)
    fit = run.frames["fit"]
    by_study = fit[fit["study"].notna() & (fit["model"] == model)] if len(fit) else fit
    if len(by_study) and {"deviance", "leverage"} <= set(by_study["quantity"]):
        wide = by_study.pivot_table(index="study", columns="quantity", values="value").reset_index()
        wide["label"] = [material.studies.get(study, study) for study in wide["study"]]
        section.blocks.append(Figure(f"{run.analysis}-leverage", charts.leverage(wide)))
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
                    title=f"{effect.outcome}: potential scale reduction factor by iteration",
                ),
            )
        )
    if len(run.frames["diagnostics"]):
        section.blocks.append(_diagnostics(run, material.treatments))
    return section


def _priors(run: Run, effect: Effect) -> Iterator[Block]:
    frame = run.frames.get("sensitivity")
    if frame is None or not len(frame):
        return
    values: dict[tuple[str, str], dict[str, float]] = {}
    for row in records(frame):
        kind, colon, pair = str(row["quantity"]).partition(": ")
        if row["method"] == "prior" and colon and " versus " in pair:
            values.setdefault((row["item"], pair), {})[kind] = row["value"]
    rows = [
        {
            "scenario": item,
            "treatment": pair.split(" versus ")[0],
            "versus": pair.split(" versus ")[1],
            **found,
        }
        for (item, pair), found in values.items()
        if {"estimate", "ci_lower", "ci_upper"} <= set(found)
    ]
    if rows:
        yield Figure(
            f"{run.analysis}-prior-sensitivity", charts.prior_sensitivity(pd.DataFrame(rows), effect=effect)
        )


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
                estimates={t: f"{effect.label(t)} vs {effect.label(run.reference)}" for t in order},
                sources=material.studies,
                title=f"{effect.outcome}: share of each study in each effect",
            ),
        )


def _diagnostics(run: Run, names: Mapping[str, str]) -> Table:
    rows = tuple(
        {
            "model": words.MODELS.get(row["model"], row["model"]),
            "parameter": _spelled(row["parameter"], names),
            "rhat": "" if missing(row["rhat"]) else f"{row['rhat']:.3f}",
            "ess_bulk": count(_whole(row["ess_bulk"])),
            "ess_tail": count(_whole(row["ess_tail"])),
            "divergences": count(row["divergences"]),
            "note": row["note"] or "",
        }
        for row in records(run.frames["diagnostics"])
    )
    return Table(
        f"{run.analysis}-diagnostics",
        "Convergence",
        (
            Column("model", "Model"),
            Column("parameter", "Parameter"),
            Column("rhat", "R-hat", "right"),
            Column("ess_bulk", "ESS, bulk", "right"),
            Column("ess_tail", "ESS, tail", "right"),
            Column("divergences", "Divergences", "right"),
            Column("note", "Note"),
        ),
        rows,
        data=tuple(records(run.frames["diagnostics"])),
    )


# --- what was left out, and how to do it again --------------------------------------------------------------


def _refused(material: Material) -> Section:
    return Section(
        "refused",
        "Analyses that were refused",
        [
            Text(
                tuple(f"{name}: {reason}" for name, reason in material.refused.items()),
                items=True,
                kind="warning",
            )
        ]
        if material.refused
        else [],
    )


def _several(material: Material, links: Links) -> Section:
    """Rankings and estimates of several outcomes side by side."""
    rows = [
        row | {"outcome": run.outcome}
        for run in material.runs
        if run.kind == "network"
        for row in records(run.frames["ranking"])
        if row["model"] == words.main_model(run)
    ]
    section = Section("ranking-across-outcomes", "Across outcomes")
    league = across.league_across(material, links)
    if league is not None:
        section.blocks.append(league)
    if len({row["outcome"] for row in rows}) > 1:
        score = "sucra" if all(not missing(row["sucra"]) for row in rows) else "p_score"
        if all(not missing(row[score]) for row in rows):
            chart = charts.rank_heat_plot(
                pd.DataFrame(rows), labels=material.treatments, outcomes=material.outcomes, score=score
            )
            section.blocks.append(Figure("rank-heat-plot", chart))
    return section


def _exclusions(material: Material) -> Section:
    planned = {run.measure for run in material.runs}
    rows = [
        row
        for row in material.db.rows("select * from exclusion order by source_file, source_line, measure")
        if row["measure"] is None or row["measure"] in planned
    ]
    section = Section("exclusions", "Exclusions")
    if not rows:
        section.blocks.append(Text(("Nothing that was entered had to be left out of the planned analyses.",)))
        return section
    alike = _alike(rows, ("study", "outcome", "measure", "reason", "remedy"))
    section.blocks.append(
        Table(
            "exclusions",
            f"{count(len(rows))} rows that the planned analyses could not use",
            (
                Column("study", "Study"),
                Column("arm", "Arms"),
                Column("outcome", "Outcome"),
                Column("measure", "Measure"),
                Column("reason", "Why"),
                Column("remedy", "What would make it usable"),
                Column("place", "Where it stands"),
            ),
            tuple(
                {
                    "study": material.studies.get(some[0]["study"], some[0]["study"]),
                    "arm": _several_names([row["arm"] for row in some]),
                    "outcome": material.outcomes.get(some[0]["outcome"], some[0]["outcome"]),
                    "measure": some[0]["measure"] or "all",
                    "reason": some[0]["reason"],
                    "remedy": some[0]["remedy"],
                    "place": _places((row["source_file"], row["source_line"]) for row in some),
                }
                for some in alike
            ),
            note="Rows left out for the same reason share a line; the CSV and the workbook list every row.",
            data=tuple(rows),
        )
    )
    return section


def _audits(material: Material) -> Section:
    section = Section("audits", "Audits")
    if not material.problems:
        section.blocks.append(Text(("Every audit of the evidence passed: none returned a row.",)))
        return section
    errors = sum(1 for problem in material.problems if problem.severity == "error")
    rows = [
        {
            "severity": problem.severity,
            "study": material.studies.get(problem.study or "", problem.study),
            "message": problem.message,
            "remedy": problem.remedy,
            "file": problem.file,
            "line": problem.line,
        }
        for problem in material.problems
    ]
    section.blocks.append(
        Table(
            "audits",
            f"{count(errors)} errors and {count(len(rows) - errors)} warnings",
            (
                Column("severity", "Severity"),
                Column("study", "Study"),
                Column("message", "What"),
                Column("remedy", "What would be right"),
                Column("place", "Where"),
            ),
            tuple(
                some[0]
                | {
                    "study": "; ".join(dict.fromkeys(str(row["study"]) for row in some if row["study"])),
                    "place": _places((row["file"], row["line"]) for row in some),
                }
                for some in _alike(rows, ("severity", "message", "remedy"))
            ),
            data=tuple(rows),
        )
    )
    return section


def _alike(rows: Sequence[dict[str, Any]], keys: Sequence[str]) -> list[list[dict[str, Any]]]:
    """Put rows together that agree in `keys`, in the order of their first."""
    found: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for row in rows:
        found.setdefault(tuple(row[key] for key in keys), []).append(row)
    return list(found.values())


def _several_names(names: Sequence[Any]) -> str:
    known = list(dict.fromkeys(str(name) for name in names if not missing(name)))
    if len(known) <= 3:
        return ", ".join(known)
    return f"{', '.join(known[:2])} and {count(len(known) - 2)} more"


def _places(places: Iterable[tuple[Any, Any]]) -> str:
    """Write files and lines: neighbouring lines as a range."""
    by_file: dict[str, list[int]] = {}
    for file, line in places:
        if file is not None:
            by_file.setdefault(str(file), []).extend([] if line is None else [int(line)])
    written = []
    for file, lines in by_file.items():
        spans: list[list[int]] = []
        for line in sorted(set(lines)):
            if spans and line == spans[-1][1] + 1:
                spans[-1][1] = line
            else:
                spans.append([line, line])
        ranges = ", ".join(str(a) if a == b else f"{a}–{b}" for a, b in spans)
        written.append(f"{file}:{ranges}" if ranges else file)
    return "; ".join(written)


def _measurements(material: Material, links: Links) -> Section:
    rows = readings(material.db, material.studies)
    shown = [
        row
        | {
            "label": mark(row["label"], links.study(row["study"])),
            "outcome": material.outcomes.get(row["outcome"], row["outcome"]),
        }
        for row in rows
    ]
    columns: tuple[Column, ...] = (
        Column("label", "Study"),
        Column("arm", "Arm"),
        Column("outcome", "Outcome"),
        Column("time", "Time"),
        Column("reported", "As reported"),
        Column("used", "Used as"),
        Column("source", "Source"),
        Column("locator", "Page, figure or table"),
        Column("place", "File and line"),
    )
    columns, notes = tables.condensed(columns, shown, ("outcome", "time", "source"), "reading")
    files = {row["place"].rpartition(":")[0] for row in shown}
    if len(files) == 1:
        notes.append(f"Lines are those of {files.pop()}.")
        columns = (*columns[:-1], Column("line", "Line", "right"))
        shown = [row | {"line": row["place"].rpartition(":")[2]} for row in shown]
    return Section(
        "measurements",
        "Measurements as reported",
        [
            Table(
                "measurements",
                f"{count(len(rows))} readings",
                tuple(column for column in columns if any(row[column.key] for row in shown)),
                tuple(shown),
                note=" ".join(notes),
                data=tuple(rows),
            )
        ]
        if rows
        else [],
    )


def _reproduce(material: Material) -> Section:
    info = material.info
    name = str(info.get("review", material.review["review"]))
    lines = [
        f"Content of the review folder: SHA-256 {info.get('content_hash', 'unknown')} "
        f"(package {info.get('package_version', '')}, format {info.get('format_version', '')}).",
        f"The same report: evidence report {name} -o DIRECTORY. The database beside this page answers SQL: "
        f'evidence sql {name}.duckdb "select * from contrast". A number and the pages behind it: '
        f"evidence trace {name}.duckdb ADDRESS; the panel of a number gives its address.",
    ]
    runs = Table(
        "runs",
        "Runs",
        (
            Column("analysis", "Analysis"),
            Column("engine", "Engine"),
            Column("run_id", "Run"),
            Column("input_hash", "Inputs"),
            Column("seed", "Seed", "right"),
            Column("specification", "Specification"),
        ),
        tuple(
            {
                "analysis": run.analysis,
                "engine": run.engine,
                "run_id": run.run_id,
                "input_hash": run.input_hash[:16],
                "seed": "" if run.seed is None else str(run.seed),
                "specification": "; ".join(
                    f"{key} {value}" for key, value in run.specification.items() if value is not None
                ),
            }
            for run in material.runs
        ),
        data=tuple(run.row() for run in material.runs),
    )
    files = Table(
        "files",
        "Files of the review folder",
        (Column("file", "File"), Column("n_rows", "Rows", "right"), Column("sha256", "SHA-256")),
        tuple(
            {**row, "n_rows": count(row["n_rows"])}
            for row in material.db.rows("select file, n_rows, sha256 from loaded_file order by file")
        ),
    )
    return Section(
        "reproduce", "How to reproduce", [Text(tuple(lines)), *([runs] if runs.rows else []), files]
    )


# --- rows for charts ----------------------------------------------------------------------------------------


def _study_rows(material: Material, run: Run, links: Links) -> pd.DataFrame:
    """Studies of a pairwise run, arms in the run's direction, each linked to its panel."""
    found = []
    for row in records(material.contrasts(run)):
        if row["treatment_a"] == run.versus:
            for key in ("arm", "n", "mean", "sd", "events"):
                row[f"{key}_a"], row[f"{key}_b"] = row[f"{key}_b"], row[f"{key}_a"]
        label = (
            row["label"] if row["experiment"] in (None, "main") else f"{row['label']} / {row['experiment']}"
        )
        level = row["level"]
        if run.subgroup is None:
            level = None
        elif level is None:
            level = "not reported"
        found.append(
            row | {"key": row["study"], "label": label, "level": level, "href": links.study(row["study"])}
        )
    repeated = Counter(row["label"] for row in found)
    for row in found:
        if repeated[row["label"]] > 1 and row["arm_a"] is not None:
            row["label"] += f" / {row['arm_a']}"
    if run.subgroup is not None:
        levels = [plain(v) for v in run.frames["estimates"]["level"].dropna().drop_duplicates()]
        place = {str(level): i for i, level in enumerate(levels)}
        found.sort(key=lambda row: place.get(str(row["level"]), len(place)))
    return pd.DataFrame(_spelled_levels(material, run, found))


def _spelled_levels(material: Material, run: Run, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Write the levels of a subgroup by treatment as the treatments are printed."""
    if run.subgroup != "treatment":
        return rows
    names = material.treatments
    return [row | {"level": names.get(str(row["level"]), row["level"])} for row in rows]


def _tests(run: Run) -> list[str]:
    """Footers of a forest plot: test for overall effect, test for subgroup differences."""
    lines = []
    for row in words.estimate_rows(run):
        if missing(row.get("level")) and not missing(row.get("p_value")):
            lines.append(
                f"Test for overall effect ({words.MODELS[row['model']]}): p {p_value(row['p_value'])}"
            )
    model = words.main_model(run)
    test = {
        row["quantity"]: row["value"]
        for row in records(run.frames["sensitivity"])
        if row["method"] == "subgroups" and row["model"] == model and not missing(row["value"])
    }
    if test.keys() >= {"q", "df", "p_value"}:
        lines.append(
            f"Test for subgroup differences ({words.MODELS[model]}): Q = {test['q']:.1f} "
            f"(df {count(test['df'])}, p {p_value(test['p_value'])})"
        )
    return lines


def _league_frames(material: Material, run: Run, model: str) -> tuple[pd.DataFrame, pd.DataFrame | None]:
    """Network and direct estimates of one model; the former with the share of direct evidence where known.

    An engine without direct estimates of its own gives None for them: how many studies compare each pair
    then stands with the network estimates.
    """
    rows = [row for row in words.estimate_rows(run) if row["model"] == model]
    shares = {
        frozenset((row["treatment"], row["versus"])): row["proportion_direct"]
        for row in records(run.frames["inconsistency"])
        if row["model"] == model and not missing(row.get("proportion_direct"))
    }
    studies = {frozenset((e["treatment_a"], e["treatment_b"])): e["n_studies"] for e in material.edges(run)}
    direct = chosen(rows, evidence="direct")
    network = []
    for row in chosen(rows, evidence="network"):
        pair = frozenset((row["treatment"], row["versus"]))
        row = row | {"proportion_direct": shares.get(pair)}
        network.append(row if direct else row | {"n_direct": studies.get(pair, 0)})
    return pd.DataFrame(network), pd.DataFrame(direct) if direct else None


def _funnel_rows(material: Material, run: Run, model: str) -> pd.DataFrame:
    """Contrasts of a network with the direct estimate of their comparison."""
    direct = {
        (row["treatment"], row["versus"]): row["estimate"]
        for row in records(run.frames["estimates"])
        if row["model"] == model and row["evidence"] == "direct" and not missing(row["estimate"])
    }
    if not direct and run.measure != "SMD":
        # An engine without direct estimates of its own: those of the view `pooled`.
        nodes = {row["treatment"] for row in records(run.frames["estimates"])} | {run.reference}
        direct = {
            (row["treatment_a"], row["treatment_b"]): row[f"{model}_estimate"]
            for row in material.db.rows(
                "select treatment_a, treatment_b, common_estimate, random_estimate from pooled "
                "where outcome = ? and measure = ?",
                [run.outcome, run.measure],
            )
            if {row["treatment_a"], row["treatment_b"]} <= nodes
        }
    direct |= {(b, a): -estimate for (a, b), estimate in direct.items()}
    rows = material.db.rows(
        "select distinct network.study, network.treatment_a as treatment, network.treatment_b as versus, "
        "network.estimate, network.std_error "
        "from contrast_network as network inner join analysis_contrast as picked using (contrast_id) "
        "where network.outcome = ? and network.measure = ? order by network.study, treatment, versus",
        [run.outcome, run.measure],
    )
    return pd.DataFrame(
        [
            row
            | {"centre": direct[row["treatment"], row["versus"]], "label": material.studies.get(row["study"])}
            for row in rows
            if (row["treatment"], row["versus"]) in direct
        ]
    )


def _by_year(material: Material, frame: pd.DataFrame) -> pd.DataFrame:
    """Sort rows of studies as the forest plots do: the oldest first."""
    place = {study: index for index, study in enumerate(material.by_year)}
    return frame.sort_values("study", key=lambda column: column.map(place), kind="stable")


def _tests_of_network(run: Run) -> pd.DataFrame:
    frame = run.frames["inconsistency"]
    wanted = ("decomposition", "design-by-treatment")
    return frame[frame["method"].isin(wanted)] if len(frame) else frame


def _notes(run: Run) -> list[Block]:
    notes = records(run.frames["notes"])
    return [
        Text(
            tuple(_printed(str(row["message"])) for row in notes if row["severity"] == kind),
            items=True,
            kind=kind,
        )
        for kind in ("warning", "info")
        if any(row["severity"] == kind for row in notes)
    ]


def _printed(message: str) -> str:
    """Write a message of an analysis with the signs of print."""
    return message.replace("tau2", "τ²").replace(" - ", " − ")


def _tau_unit(effect: Effect) -> str | None:
    return effect.unit if effect.measure == "MD" else "log scale" if effect.scale == "log" else None


def _key(run: Run) -> str:
    return f"{run.outcome} {run.measure}"


def _stem(*parts: Any) -> str:
    """Name of a file, from words: lower case, hyphens."""
    joined = "-".join(str(part) for part in parts if part is not None)
    return "".join(c if c.isalnum() or c == "-" else "-" for c in joined.lower()).strip("-")


def _spelled(parameter: str, names: Mapping[str, str]) -> str:
    """Spell out the treatments of a parameter that is called "A against B"."""
    return " against ".join(names.get(part, part) for part in str(parameter).split(" against "))


def _whole(value: Any) -> Any:
    return None if missing(value) else round(value)


def everything(sections: Sequence[Section]) -> Iterator[Block]:
    """Walk through the blocks of all sections, in the order of the page."""
    for section in sections:
        yield from section.blocks
        yield from everything(section.parts)
