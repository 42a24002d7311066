"""What the charts of a pairwise meta-analysis draw."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from analysis import charts
from analysis.charts.base.theme import count, missing, number, p_value, plain, records
from analysis.language.catalog import tr
from analysis.plot.reading import MODELS, estimate_rows, headline
from analysis.plot.subject import NothingToDrawError, Rows, Subject

if TYPE_CHECKING:
    import pandas as pd

SEQUENTIAL_METHOD = "sequential"
_NO_EFFECT_SAID = (
    "A sequential analysis is about an effect worth finding: say it (anticipated_effect), or plan one "
    "(sequential = true)."
)
SUBSETS = 4_000
"""Subsets of the studies that a GOSH plot draws."""

_BEHIND = (
    "measurement_ids", "reported_contrast_id", "animals_a", "animals_b", "variables", "continuity",
    "timepoint", "timepoint_unit", "exposure_a", "exposure_b",
)  # fmt: skip
"""Columns of a run's contrasts that no figure draws."""


def forest(subject: Subject, *, palette: str = "color") -> Any:
    """Draw studies, subgroups, pooled effects and risk of bias."""
    import pandas as pd

    studies = pd.DataFrame(study_rows(subject))
    pooled = pd.DataFrame(spelled_levels(subject, subject.addressed(estimate_rows(subject.run))))
    rob = subject.judgements
    return charts.forest(
        studies,
        pooled,
        pd.DataFrame(spelled_levels(subject, records(subject.run.frames["heterogeneity"]))),
        effect=subject.effect,
        treatment=str(subject.run.treatment),
        versus=str(subject.run.versus),
        rob=pd.DataFrame([row for row in rob if row["tool"] == rob[0]["tool"]]) if rob else None,
        footers=_tests(subject),
        palette=palette,
    )


def study_rows(subject: Subject) -> Rows:
    """Studies of a pairwise run, arms in the run's direction, each led to its study."""
    run = subject.run
    found = []
    for row in subject.studied(records(subject.contrasts.drop(columns=list(_BEHIND)))):
        label = row["label"]
        if row["experiment"] not in (None, "main"):
            label = f"{label} / {row['experiment']}"
        level = row["level"]
        if run.subgroup is None:
            level = None
        elif level is None:
            level = tr("not reported")
        found.append(row | {"key": row["study"], "label": label, "level": level})
    repeated = Counter(row["label"] for row in found)
    for row in found:
        if repeated[row["label"]] > 1 and row["arm_a"] is not None:
            row["label"] += f" / {subject.arm(row['study'], row['arm_a'])}"
    if run.subgroup is not None:
        levels = [plain(v) for v in run.frames["estimates"]["level"].dropna().drop_duplicates()]
        place = {str(level): i for i, level in enumerate(levels)}
        found.sort(key=lambda row: place.get(str(row["level"]), len(place)))
    return spelled_levels(subject, found)


def spelled_levels(subject: Subject, rows: Rows) -> Rows:
    """Write the levels of a subgroup by treatment as the treatments are printed."""
    if subject.run.subgroup != "treatment":
        return rows
    names = subject.labels
    return [row | {"level": names.get(str(row["level"]), row["level"])} for row in rows]


def _tests(subject: Subject) -> list[str]:
    """Footers of a forest plot: test for overall effect, test for subgroup differences."""
    lines = []
    for row in estimate_rows(subject.run):
        if missing(row.get("level")) and not missing(row.get("p_value")):
            model, p = tr(MODELS[row["model"]]), p_value(row["p_value"])
            lines.append(tr("Test for overall effect ({model}): p {p}", model=model, p=p))
    test = {
        row["quantity"]: row["value"] for row in subject.of_method("subgroups") if not missing(row["value"])
    }
    if test.keys() >= {"q", "df", "p_value"}:
        lines.append(
            tr(
                "Test for subgroup differences ({model}): Q = {q} (df {df}, p {p})",
                model=tr(MODELS[subject.model]),
                q=number(test["q"], 1),
                df=count(test["df"]),
                p=p_value(test["p_value"]),
            )
        )
    return lines


def funnel(subject: Subject) -> Any:
    """Draw effects by their standard errors."""
    import pandas as pd

    studies = study_rows(subject)
    if len(studies) < 3:
        raise NothingToDrawError(f"A funnel plot takes three effects or more; here are {len(studies)}.")
    main = whole_effect(subject)
    return charts.funnel(
        pd.DataFrame(studies),
        effect=subject.effect,
        pooled=None if main is None else plain(main["estimate"]),
        title=tr("{comparison}, funnel plot", comparison=heading(subject)),
    )


def leave_one_out(subject: Subject) -> Any:
    """Draw the pooled effect without each study."""
    rows = subject.rows("leave_one_out")
    if len(rows) < 2:
        raise NothingToDrawError("Nothing is left where one of two studies is left out: it takes three.")
    main = whole_effect(subject)
    return charts.leave_one_out(
        as_frame(subject.studied(records(subject.in_order(rows)))),
        effect=subject.effect,
        treatment=str(subject.run.treatment),
        versus=str(subject.run.versus),
        pooled=None if main is None else subject.addressed([main])[0],
        labels=subject.review.studies,
        digits=None if main is None else main["digits"],
    )


def cumulative(subject: Subject, *, by: str = "year") -> Any:
    """Draw the pooled effect as studies are added, the oldest first."""
    rows = subject.pairwise_fit.cumulative(by)
    return charts.cumulative(
        rows[rows["model"] == subject.model],
        effect=subject.effect,
        treatment=str(subject.run.treatment),
        versus=str(subject.run.versus),
        labels=subject.review.studies,
    )


def sequential_bounds(
    subject: Subject,
    *,
    anticipated_effect: float | None = None,
    alpha: float = 0.05,
    power: float = 0.9,
    diversity: float | None = None,
) -> Any:
    """Draw the z of the studies so far against bounds for looking repeatedly.

    Of a fit, for the effect that is worth finding; of a run, the rows that it has.
    """
    if anticipated_effect is not None:
        found = subject.pairwise_fit.sequential(
            anticipated_effect, alpha=alpha, power=power, diversity=diversity
        )
        rows = records(found.frame())
    else:
        kept = [] if subject.fit is not None else records(subject.run.frames["sensitivity"])
        rows = [row for row in kept if row["method"] == SEQUENTIAL_METHOD]
    if not rows:
        raise NothingToDrawError(_NO_EFFECT_SAID)
    values: dict[str, dict[str, Any]] = {}
    for row in rows:
        values.setdefault(row["item"], {})[row["quantity"]] = row["value"]
    required = values.pop("required")
    values.pop("conclusion", None)
    return charts.sequential_bounds(
        [{"look": item} | look for item, look in values.items()],
        required=required,
        units=subject.review.units(subject.contrasts["study"]),
        title=tr("{comparison}: repeated looks", comparison=heading(subject)),
    )


def bubble(
    subject: Subject, *, terms: Sequence[str] = ("year",), reference_levels: Mapping[str, str] | None = None
) -> Any:
    """Draw a meta-regression on one number, the first of its terms; the others are at their means."""
    regression = subject.pairwise_fit.meta_regression(*terms, reference_levels=reference_levels)
    studies, line = regression.bubble(terms[0])
    names = subject.review.studies
    named = terms[0].replace("_", " ")
    title = tr(
        "{comparison}, {measure} by {covariate}",
        comparison=heading(subject),
        measure=subject.effect.name.lower(),
        covariate=named,
    )
    return charts.bubble(
        studies.assign(label=[names.get(study, study) for study in studies["study"]]),
        line,
        effect=subject.effect,
        covariate=named[:1].upper() + named[1:],
        title=title,
    )


def baujat(subject: Subject) -> Any:
    """Draw what each study adds to heterogeneity, and how it moves the result."""
    found: dict[str, dict[str, Any]] = {}
    refused = ""
    for row in subject.of_method("Baujat"):
        if row["quantity"] == "refused":
            refused = str(row["note"])
        else:
            name = subject.review.studies.get(row["study"], row["study"])
            found.setdefault(row["study"], {"study": row["study"], "label": name})[row["quantity"]] = row[
                "value"
            ]
    if not found:
        raise NothingToDrawError(refused or "The run keeps no rows of a Baujat plot.")
    return charts.baujat(
        as_frame(list(found.values())), title=tr("{comparison}, Baujat plot", comparison=heading(subject))
    )


def gosh(subject: Subject, *, subsets: int = SUBSETS) -> Any:
    """Draw many subsets of the studies, those with the study that moves the result most told apart."""
    found = subject.pairwise_fit.gosh(subsets=subsets)
    moved = found.by_study()
    most = found.studies[(moved["estimate_with"] - moved["estimate_without"]).abs().argmax()]
    frame = found.frame().assign(contains=found.member[:, found.studies.index(most)])
    return charts.gosh(
        frame,
        effect=subject.effect,
        study=subject.review.studies.get(most, most),
        title=tr("{comparison}, subsets of the studies (GOSH)", comparison=heading(subject)),
    )


def heading(subject: Subject) -> str:
    """Name outcome and comparison, as titles do."""
    return headline(subject.run, subject.effect)


def whole_effect(subject: Subject) -> dict[str, Any] | None:
    """Pooled effect of all studies under the main model."""
    rows = (row for row in estimate_rows(subject.run) if row["model"] == subject.model)
    return next((row for row in rows if missing(row.get("level"))), None)


def as_frame(rows: Rows) -> pd.DataFrame:
    """Put rows into a frame."""
    import pandas as pd

    return pd.DataFrame(rows)
