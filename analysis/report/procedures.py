"""How each analysis was done, said from its own specification and the rows that entered it."""

from __future__ import annotations

from collections import Counter

from analysis.charts.base.effect import Effect, form_of
from analysis.charts.base.theme import count, missing, records
from analysis.report.material import Material
from evidence import facts
from evidence.results import Run


def of_run(material: Material, run: Run) -> list[str]:
    """Say what a reader must know of a run's rows: effects as reported, several arms of one treatment."""
    return [s for s in (_reported(run), _several_arms(run)) if s]


def _corrected(run: Run) -> list[str]:
    """Say to how many studies' counts something was added, where the analysis takes their effects."""
    rows = records(run.frames["contrasts"])
    added = [row for row in rows if not missing(row["continuity"]) and row["continuity"] > 0]
    if not added or not _takes_effects(run):
        return []
    value, studies = max(row["continuity"] for row in added), len({row["study"] for row in added})
    which = f"{count(studies)} {'study' if studies == 1 else 'studies'} with a zero cell"
    said = f"{value:g} added to the counts of {which}"
    if not facts.measure(run.measure).is_ratio:
        said += ", which moves the difference itself (as in metafor; RevMan and meta add nothing there)"
    return [said]


def _takes_effects(run: Run) -> bool:
    """Tell whether a run pools effects with standard errors, and not the counts themselves."""
    if run.kind == "pairwise":
        method = str(run.specification.get("method", "inverse_variance"))
        return facts.pooling_methods()[method].rests_on != "likelihood"
    return facts.engine(run.engine).likelihood == ("normal",)


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
    from analysis.pairwise.options import DEPENDENCE, SHARED

    said = []
    dependence, shared = (str(run.specification.get(key)) for key in ("dependence", "shared"))
    if dependence in DEPENDENCE:
        said.append(DEPENDENCE[dependence])
    if shared in SHARED and dependence != "combine":
        said.append(SHARED[shared])
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
        f"{what} of a single study: {', '.join(levels)}. There the effect is that study's own, with no "
        f"variance between studies{_tested(run)}."
    )


def _tested(run: Run) -> str:
    """Say which tau the test for subgroup differences took, where it is not each subgroup's own."""
    tests = [row for row in records(run.frames["sensitivity"]) if row["method"] == "subgroups"]
    one = any("one tau2" in str(row["note"]) for row in tests)
    return "; the test for subgroup differences takes one τ for all subgroups" if one else ""


def each(material: Material) -> list[str]:
    """Say of every analysis what was asked, as computed: one sentence an analysis."""
    return [
        f"{_of_what(material, run)} ({run.analysis}): {'; '.join(_asked(material, run))}."
        for run in material.runs
    ]


def _of_what(material: Material, run: Run) -> str:
    effect = material.effect(run)
    if run.kind == "network":
        return f"{effect.outcome}, network"
    return f"{effect.outcome}, {effect.label(run.treatment)} versus {effect.label(run.versus)}"


def _asked(material: Material, run: Run) -> list[str]:
    effect = material.effect(run)
    found = [facts.measure(run.measure, form_of(run.row())).sentence]
    found += _pairwise(run) if run.kind == "pairwise" else _network(run, effect)
    found += _corrected(run)
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
