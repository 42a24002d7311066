"""How each analysis was done, said from its own specification and the rows that entered it."""

from __future__ import annotations

from collections import Counter
from typing import Any

from analysis.charts.effect import Effect, form_of
from analysis.charts.theme import count, missing, records
from analysis.report.material import Material
from evidence import facts
from evidence.results import Run

_NORMAL = "normal"
"""Likelihood of effects; others take the counts of the arms as they are."""


def of_run(material: Material, run: Run) -> list[str]:
    """Say what a reader must know of a run's rows: counts corrected, effects as reported, several arms."""
    return [s for s in (_corrected(run), _reported(run), _several_arms(run)) if s]


def _corrected(run: Run) -> str:
    """Count the studies whose counts were corrected because a cell was empty."""
    measure = facts.measure(run.measure)
    if not _takes_effects(run) or measure.kind not in ("binary", "rate"):
        return ""
    studies = {row["study"] for row in records(run.frames["contrasts"]) if _has_empty_cell(row, measure.kind)}
    if not studies:
        return ""
    what = "events and non-events" if measure.kind == "binary" else "events"
    said = (
        f"In {count(len(studies))} {'study' if len(studies) == 1 else 'studies'} an arm had no event"
        f"{' or nothing but events' if measure.kind == 'binary' else ''}: 0.5 was added to the {what} of all "
        "its arms"
    )
    if not measure.is_ratio:
        said += ", which moves the difference itself (as in metafor; RevMan and meta add nothing there)"
    return said + "."


def _takes_effects(run: Run) -> bool:
    """Tell whether a run pools effects with standard errors, which an empty cell leaves without."""
    if run.kind == "pairwise":
        method = str(run.specification.get("method", "inverse_variance"))
        return facts.pooling_methods()[method].rests_on == "effects"
    return _NORMAL in facts.engine(run.engine).likelihood and not (
        run.engine == "mcmc" and facts.measure(run.measure).kind in ("binary", "rate")
    )


def _has_empty_cell(row: dict[str, Any], kind: str) -> bool:
    for side in "ab":
        events, n = row.get(f"events_{side}"), row.get(f"n_{side}")
        if missing(events):
            continue
        if events == 0 or (kind == "binary" and events == n):
            return True
    return False


def _reported(run: Run) -> str:
    """Say how many effects were taken as reported, where others were computed from arms."""
    rows = records(run.frames["contrasts"])
    reported = [row for row in rows if not missing(row["reported_contrast_id"])]
    if not reported:
        return ""
    said = f"{count(len(reported))} of {count(len(rows))} effects entered as their authors reported them"
    forms = facts.forms(run.measure)
    if not forms:
        return said + "."
    form = facts.measure(run.measure, form_of(run.row())).form_name
    others = " and ".join(str(other.form_name) for other in forms)
    if len(reported) == len(rows):
        return f"{said}: whether these are {others} is as reported."
    return (
        f"{said}, whatever their form ({others}), beside {form} computed from arms: in small studies the "
        "two differ."
    )


def _several_arms(run: Run) -> str:
    """Say how several arms of one treatment in a study were treated."""
    arms: dict[tuple[str, str], set[tuple[str, str]]] = {}
    for row in records(run.frames["contrasts"]):
        unit = arms.setdefault((row["study"], row["experiment"]), set())
        unit |= {(row["treatment_a"], row["arm_a"]), (row["treatment_b"], row["arm_b"])}
    several = {
        study
        for (study, _), found in arms.items()
        if max(Counter(treatment for treatment, _ in found).values()) > 1
    }
    if not several:
        return ""
    studies = f"{count(len(several))} {'study has' if len(several) == 1 else 'studies have'}"
    if run.kind == "network":
        return f"{studies} several arms of one treatment, which were combined within the study."
    return f"{studies} several arms of one treatment: {_dependence(run)}."


def _dependence(run: Run) -> str:
    """Say what was done about contrasts of one study, from the specification."""
    from analysis.pairwise.options import METHODS, SHARED

    said = []
    shared, method, ci = (str(run.specification.get(key)) for key in ("shared", "method", "ci"))
    if shared in SHARED:
        said.append(SHARED[shared])
    if method == "multilevel":
        said.append(METHODS[method])
    if ci == "CR2":
        said.append(f"intervals {facts.interval_method('effect', ci)}")
    return "; ".join(said) or "they enter as the notes say"


def single_subgroups(run: Run) -> str:
    """Name the subgroups that hold one study."""
    levels = [
        str(row["level"])
        for row in records(run.frames["estimates"])
        if not missing(row.get("level")) and row["n_studies"] == 1 and row["model"] == "common"
    ]
    if not levels:
        return ""
    what = "Subgroup" if len(levels) == 1 else "Subgroups"
    return (
        f"{what} of a single study: {', '.join(levels)}. There the effect is that study's own and its τ is "
        "taken as 0, also in the test for subgroup differences, which then says more than one study can."
    )


def each(material: Material) -> list[str]:
    """Say of every analysis what was asked, as computed: one sentence an analysis."""
    return [f"{run.analysis}: {'; '.join(_asked(material, run))}." for run in material.runs]


def _asked(material: Material, run: Run) -> list[str]:
    effect = material.effect(run)
    found = [f"{effect.outcome}, {facts.measure(run.measure, form_of(run.row())).sentence}"]
    found += _pairwise(run) if run.kind == "pairwise" else _network(run, effect)
    if run.timepoint:
        found.append(f"time point: {run.timepoint}")
    if run.where:
        found.append(f"only studies where {run.where}")
    if run.specification.get("exclude_high_rob"):
        found.append("without studies at high risk of bias")
    return found


def _pairwise(run: Run) -> list[str]:
    spec = run.specification
    method = str(spec.get("method", "inverse_variance"))
    found = [facts.pooling_methods()[method].label]
    if facts.pooling_methods()[method].rests_on != "likelihood":
        found.append(f"between-study variance by {spec.get('tau2')}")
        found.append(f"{facts.interval_method('effect', str(spec.get('ci')))} intervals")
    if spec.get("prediction") in facts.interval_methods("prediction"):
        found.append(f"prediction intervals {facts.interval_methods('prediction')[str(spec['prediction'])]}")
    if run.subgroup:
        found.append(
            f"subgroups by {run.subgroup}, "
            + ("a τ for each" if spec.get("separate_tau2", True) else "one τ for all")
        )
    if moderators := spec.get("moderators"):
        found.append(f"meta-regression on {', '.join(moderators)}")
    return found


def _network(run: Run, effect: Effect) -> list[str]:
    spec = run.specification
    engine = facts.engine(run.engine)
    found = [f"{engine.label}", f"reference {effect.label(run.reference)}"]
    if not engine.bayesian and spec.get("tau2"):
        found.append(f"between-study variance by {spec['tau2']}")
    found.append(f"ranked by {engine.score_label}")
    if isinstance(spec.get("treatments"), list | tuple):
        found.append(f"only {', '.join(effect.label(t) for t in spec['treatments'])}")
    return found
