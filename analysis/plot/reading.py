"""How the rows of a run are read: main model, effects against the reference, order of treatments, names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from analysis.charts.base.effect import Effect
from analysis.charts.base.intervals import turned
from analysis.charts.base.theme import count, missing, records
from analysis.charts.tables import dose
from analysis.language.catalog import marked, tr, trn
from analysis.network.ranking import best_first
from evidence import facts
from evidence.results import Run

MODELS = {"common": marked("common effect"), "random": marked("random effects")}


def main_model(run: Run) -> str:
    """Choose the model that a run's main figures show: random effects where they could be estimated."""
    found = {row["model"] for row in records(run.frames["estimates"]) if not missing(row["ci_lower"])}
    return "random" if "random" in found else next(iter(sorted(found)), "random")


def estimate_rows(run: Run) -> list[dict[str, Any]]:
    """Rows of ``result_estimate`` of a run, with what their address and their writing need beside them."""
    about = {"run_id": run.run_id, "analysis": run.analysis, "kind": run.kind, "digits": places(run)}
    return [about | row for row in records(run.frames["estimates"])]


def places(run: Run) -> int:
    """Choose the decimals of a run's effects and of the spread between studies: two figures of them."""
    rows = records(run.frames["estimates"])
    half = [(row["ci_upper"] - row["ci_lower"]) / 2 for row in rows if not missing(row["ci_lower"])]
    return Effect(run.measure).digits(half)


def against(run: Run, model: str, evidence: str = "network") -> list[dict[str, Any]]:
    """Effects of every treatment of a network against its reference, best first; each knows the row kept."""
    found = []
    for row in estimate_rows(run):
        if row["model"] != model or row["evidence"] != evidence or missing(row["ci_lower"]):
            continue
        if row["versus"] == run.reference:
            found.append(row | {"kept": row})
        elif row["treatment"] == run.reference:
            found.append(turned(row) | {"kept": row})
    return sorted(found, key=lambda row: row["estimate"], reverse=run.lower_is_better is False)


def ranked(run: Run, model: str) -> tuple[list[str], str | None, dict[str, dict[str, Any]]]:
    """Treatments best first, the score that says so (as the engine computes), and the rows by treatment."""
    rows = [row for row in records(run.frames["ranking"]) if row["model"] == model]
    score = facts.engine(run.engine).score
    scored = [row for row in rows if not missing(row.get(score))]
    if scored:
        scored = [scored[place] for place in best_first([row[score] for row in scored])]
        return [row["treatment"] for row in scored], score, {row["treatment"]: row for row in scored}
    order = [row["treatment"] for row in against(run, model)]
    place = next((i for i, row in enumerate(against(run, model)) if _after(row, run)), len(order))
    return [*order[:place], str(run.reference), *order[place:]], None, {}


def _after(row: Mapping[str, Any], run: Run) -> bool:
    """Tell whether a treatment stands after the reference."""
    return row["estimate"] < 0 if run.lower_is_better is False else row["estimate"] > 0


def headline(run: Run, effect: Effect) -> str:
    """Name what a run compares."""
    if run.kind == "pairwise":
        return tr(
            "{outcome}: {a} versus {b}",
            outcome=effect.outcome,
            a=effect.label(run.treatment),
            b=effect.label(run.versus),
        )
    n = run.n_treatments or 0
    return trn(
        "{outcome}: network of {n} treatment",
        "{outcome}: network of {n} treatments",
        n,
        outcome=effect.outcome,
        n=count(n),
    )


def arm_names(rows: Iterable[Mapping[str, Any]]) -> dict[tuple[str, str], str]:
    """Name arms, by study and arm, as they are printed: by label, else by treatment.

    Several arms of one treatment in a study are told apart by their doses, or else by their keys.

    Parameters
    ----------
    rows : iterable of mapping
        As `analysis.described.ARMS` asks for them.
    """
    return {
        (row["study"], row["arm"]): row["label"]
        or (
            row["treatment"]
            if row["n"] == 1
            else f"{row['treatment']}, {dose(row['dose'], row['dose_unit'])}"
            if row["alike"] == 1 and row["dose"] is not None
            else f"{row['treatment']} ({row['arm']})"
        )
        for row in rows
    }
