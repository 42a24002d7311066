"""The answer, which a reader sees first: question, conclusions, one picture, how firm it is."""

from __future__ import annotations

from collections import Counter
from typing import Any

from analysis import plot
from analysis.charts.base.effect import Effect
from analysis.charts.base.theme import count, missing
from analysis.language.catalog import tr, trn
from analysis.plot import NothingToDrawError
from analysis.plot.summary import MOST
from analysis.report import words
from analysis.report.blocks import Block, Section, Text, drawn, key_of
from analysis.report.conclusion import conclude, listed, with_article, written
from analysis.report.firmness import firmness
from analysis.report.links import Links
from analysis.report.material import Material
from analysis.report.sections.published import checked_claims, printed_effect
from evidence.results import Run

PICTURE = "at-a-glance"
"""Name of the picture of the answer."""

_ROOM = 3
"""Conclusions that stand first where there are fewer outcomes."""
_MOST_CLAIMS = 12


def answer_section(material: Material, links: Links) -> Section:
    """Answer the review's question: from the runs of its plan, else from what was printed or found.

    Parameters
    ----------
    material : Material
    links : Links
        Hands out the anchors of numbers and of what is said.

    Returns
    -------
    Section
        Its block is the question, its parts are conclusions (kind "conclusion"), the picture (kind
        "picture"), how firm the answer is (kind "firm"), further conclusions, and the claims checked.
    """
    section = Section("answer", tr("Answer"))
    if material.review["question"]:
        section.blocks.append(Text((str(material.review["question"]),), kind="question"))
    claims = checked_claims(material)
    first = leads(material)
    others = [run for run in material.runs if run not in first]
    first += others[: max(0, _ROOM - len(first))]
    for run in [*first, *(run for run in others if run not in first)]:
        section.parts.append(
            Section(
                f"answer-{run.analysis}",
                words.headline(run, material.effect(run)),
                [Text((conclude(material, run, links),))],
                analysis=key_of(run),
                kind="conclusion" if run in first else "",
            )
        )
    if not material.runs:
        section.parts += [*_printed(material), *_found(material, bool(claims))]
    if picture := _picture(material, links):
        section.parts.append(Section("picture", tr("At a glance"), picture, kind="picture"))
    firm = _firm(material, links, claims)
    if firm is not None:
        section.parts.append(firm)
    if claims:
        section.parts.append(_claims(material, claims))
    return section


def leads(material: Material) -> list[Run]:
    """Choose the run that answers for each outcome: its first network, else its first analysis."""
    chosen: dict[str, Run] = {}
    for run in material.runs:
        known = chosen.get(run.outcome)
        if known is None or (known.kind != "network" and run.kind == "network"):
            chosen[run.outcome] = run
    return list(chosen.values())


def lead(material: Material) -> Run | None:
    """Choose the run that the picture shows: the first of `leads` that is a network, else the first."""
    found = leads(material)
    return next((run for run in found if run.kind == "network"), found[0] if found else None)


def _firm(material: Material, links: Links, claims: list[dict[str, Any]]) -> Section | None:
    run = lead(material)
    lines = [] if run is None else firmness(material, run, links)
    title = tr("How firm it is")
    if run is not None and len(material.runs) > 1:
        title = tr("How firm it is: {analysis}", analysis=words.headline(run, material.effect(run)))
    if run is None:
        lines = counted(claims)
        lines += _coherent(material)
    if not lines:
        return None
    return Section("firmness", title, [Text(tuple(lines), items=True)], kind="firm")


def _coherent(material: Material) -> list[str]:
    row = material.db.rows(
        "select count(case when verdict = 'coherent' then 1 end) as n, count(*) as n_of from league_coherence"
    )[0]
    if not row["n_of"]:
        return []
    said = "{right} of {n} triples of printed network estimates are coherent."
    return [tr(said, right=count(row["n"]), n=count(row["n_of"]))]


# --- where nothing was analysed -----------------------------------------------------------------------------


def _printed(material: Material) -> list[Section]:
    """Say which treatment each printed league table puts first, and from which it does not tell it."""
    ranked: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
    for row in material.db.rows(
        "select ranking.* from published_ranking as ranking inner join outcome using (outcome)"
        " order by ranking.publication, outcome.source_line, ranking.measure, ranking.position,"
        " ranking.treatment"
    ):
        ranked.setdefault((row["publication"], row["outcome"], row["measure"]), []).append(row)
    cells = material.db.rows(
        "select cell.publication, cell.outcome, cell.measure, cell.treatment, cell.versus, cell.estimate,"
        " cell.ci_lower, cell.ci_upper, estimate.unit, treatment.role as versus_role"
        " from published_contrast as cell"
        " inner join published_estimate as estimate using (published_estimate_id)"
        " inner join treatment on cell.versus = treatment.treatment"
        " where cell.ci_lower is not null and cell.ci_upper is not null order by treatment.source_line"
    )
    found = []
    for (publication, outcome, measure), rows in ranked.items():
        first = [row["treatment"] for row in rows if row["position"] == 1]
        if len(rows) < 3 or len(first) > 1:
            continue
        table = [
            row
            for row in cells
            if (row["publication"], row["outcome"], row["measure"], row["treatment"])
            == (publication, outcome, measure, first[0])
        ]
        effect = printed_effect(material, outcome, measure, table[0]["unit"] if table else None)
        found.append(
            Section(
                f"answer-published-{outcome}-{measure}",
                tr("{outcome}, as {publication} print it", outcome=effect.outcome, publication=publication),
                [Text((printed_conclusion(effect, first[0], rows, table),))],
                kind="conclusion",
            )
        )
    return found


def printed_conclusion(
    effect: Effect, first: str, ranking: list[dict[str, Any]], cells: list[dict[str, Any]]
) -> str:
    """Say what a printed league table says of the treatment that it ranks first.

    Parameters
    ----------
    effect : Effect
        What is printed.
    first : str
        The treatment.
    ranking : list of dict
        Rows of ``published_ranking`` of the table.
    cells : list of dict
        Rows of ``published_contrast`` of the treatment against others, with intervals.
    """
    name, others = effect.label(first), [row["treatment"] for row in ranking if row["treatment"] != first]
    if ranking[0]["n_incoherent"]:
        return tr("Cells of the printed league table contradict each other: no ranking can be relied on.")
    beaten = {
        row["versus"]
        for row in cells
        if (row["ci_upper"] < 0 if effect.lower_is_better else row["ci_lower"] > 0)
    }
    left = [effect.label(other) for other in others if other not in beaten]
    control = next((row for row in cells if row["versus_role"] != "active"), None)
    value = "" if control is None else _printed_value(effect, control)
    if not left:
        return tr(
            "As printed, {name} is better than each of the other {n} treatments{value}: every interval "
            "excludes no "
            "effect.",
            name=name,
            n=len(others),
            value=value,
        )
    return tr(
        "No single best treatment can be named: {name} ranks first of {n}{value}, but its printed "
        "intervals do not "
        "show it to be better than {others}.",
        name=name,
        n=len(ranking),
        value=value,
        others=listed(left),
    )


def _printed_value(effect: Effect, row: dict[str, Any]) -> str:
    digits = effect.digits([(row["ci_upper"] - row["ci_lower"]) / 2])
    said = tr(
        "{measure} of {value}",
        measure=tr(effect.about.label),
        value=written(row | {"digits": digits}, effect),
    )
    versus = effect.label(row["versus"])
    return tr(", with {value} against {reference}", value=with_article(said, effect), reference=versus)


def _found(material: Material, checked: bool) -> list[Section]:
    """Say how far a review is that has nothing analysed."""
    n = material.db.rows(
        "select (select count(*) from record) as records, (select count(*) from study) as studies, "
        "(select count(*) from plan) as planned"
    )[0]
    if checked and not n["planned"]:
        said = tr("No study-level data were entered to pool: what stands here is what was printed.")
    elif n["planned"]:
        said = tr(
            "The review's plan has no analysis that could be carried out: see Analyses that were refused."
        )
    elif material.measured:
        said = tr("The review's plan has no analysis: data were entered, and nothing was pooled yet.")
    else:
        said = tr("There is no answer yet: no result of a study was entered.")
    counts = []
    if records := n["records"]:
        counts.append(trn("{n} record was found.", "{n} records were found.", records, n=count(records)))
    if studies := n["studies"]:
        counts.append(trn("{n} study is listed.", "{n} studies are listed.", studies, n=count(studies)))
    said = " ".join([said, *counts])
    return [Section("answer-state", tr("State of the review"), [Text((said,))], kind="conclusion")]


# --- the picture --------------------------------------------------------------------------------------------


def _picture(material: Material, links: Links) -> list[Block]:
    """Draw what tells most.

    The treatments of the first network of the plan against its reference; without a network the pooled
    effects of the analyses that share the measure and unit of the first; of a single analysis its heaviest
    studies and what they pool to; without any, the first printed league table.
    """
    run = lead(material)
    if run is None:
        return drawn(PICTURE, lambda: _of_printed(material))
    alike = [
        other
        for other in material.runs
        if (other.measure, other.unit, other.lower_is_better) == (run.measure, run.unit, run.lower_is_better)
    ]
    if run.kind == "network" or len(alike) == 1:
        return drawn(PICTURE, lambda: plot.summary_forest(material.subject(run, links), most=MOST))
    subjects = [material.subject(other, links) for other in alike]
    return drawn(PICTURE, lambda: plot.summary_of_analyses(subjects))


def _of_printed(material: Material) -> Any:
    """Draw the first printed league table against the treatment that it has the others compared with."""
    tables = material.db.rows(
        "select ranking.publication, ranking.outcome, ranking.measure from published_ranking as ranking"
        " inner join outcome using (outcome) inner join treatment using (treatment)"
        " where treatment.role <> 'active' order by outcome.source_line, ranking.publication, ranking.measure"
    )
    if not tables:
        raise NothingToDrawError("No league table was printed.")
    table = tables[0]
    cells = material.db.rows(
        "select cell.*, estimate.unit from published_contrast as cell"
        " inner join treatment on cell.versus = treatment.treatment"
        " inner join published_estimate as estimate using (published_estimate_id)"
        " where treatment.role <> 'active' and cell.publication = ? and cell.outcome = ? and cell.measure = ?"
        " order by treatment.source_line, cell.treatment",
        [table["publication"], table["outcome"], table["measure"]],
    )
    rows = [row for row in cells if row["versus"] == cells[0]["versus"]]
    known = [row["unit"] for row in rows if not missing(row["ci_lower"])]
    effect = printed_effect(material, table["outcome"], table["measure"], known[0] if known else None)
    return plot.summary_of_printed(rows, effect)


# --- claims -------------------------------------------------------------------------------------------------


def _claims(material: Material, claims: list[dict[str, Any]]) -> Section:
    """Print those of the review's own sentences that hold, and those of a publication that do not."""
    section = Section("claims-checked", tr("Claims, checked"), [Text(tuple(counted(claims)))])
    own = [str(row["text"]) for row in claims if row["publication"] is None and row["verdict"] == "holds"]
    wrong = [
        tr("{text} (found: {found})", text=row["text"], found=material.called(row["found"]))
        for row in claims
        if row["publication"] is not None and row["kind"] == "claim" and row["verdict"] == "does not hold"
    ]
    for said, lines in ((tr("Claims that hold:"), own), (tr("What is published and does not hold:"), wrong)):
        if lines:
            section.blocks += [Text((said,)), Text(tuple(lines[:_MOST_CLAIMS]), items=True)]
        if len(lines) > _MOST_CLAIMS:
            n = len(lines) - _MOST_CLAIMS
            more = trn(
                "{n} more stands under What is published, checked.",
                "{n} more stand under What is published, checked.",
                n,
                n=count(n),
            )
            section.blocks.append(Text((more,)))
    return section


def counted(claims: list[dict[str, Any]]) -> list[str]:
    """Count what holds: claims, and apart from them the checks of our own."""
    found = []
    for kind in ("claim", "check"):
        verdicts = Counter(row["verdict"] for row in claims if row["kind"] == kind)
        n = sum(verdicts.values())
        if not n:
            continue
        each = ", ".join(_verdicts(verdict, k) for verdict, k in verdicts.items())
        if kind == "claim":
            said = trn(
                "{n} claim was put as a query: {each}.",
                "{n} claims were put as queries: {each}.",
                n,
                n=count(n),
                each=each,
            )
        else:
            said = trn(
                "{n} check of our own, which nobody claimed: {each}.",
                "{n} checks of our own, which nobody claimed: {each}.",
                n,
                n=count(n),
                each=each,
            )
        found.append(said)
    return found


def _verdicts(verdict: str, n: int) -> str:
    """Say of how many claims a verdict is."""
    if verdict == "holds":
        return trn("{n} holds", "{n} hold", n, n=count(n))
    if verdict == "does not hold":
        return trn("{n} does not hold", "{n} do not hold", n, n=count(n))
    return trn("{n} cannot be checked", "{n} cannot be checked", n, n=count(n))
