"""A chart by its name: of a fit, or of a question put to an evidence base as the commands put it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from importlib import import_module
from inspect import signature
from typing import TYPE_CHECKING, Any, cast

from analysis.charts.registry import CHARTS, Entry
from analysis.described import Described
from analysis.plot.subject import NothingToDrawError, Subject
from analysis.plot.whole import Whole
from evidence.errors import CallError
from evidence.names import nearest
from evidence.question import comparisons, measures

if TYPE_CHECKING:
    from analysis.network.result import NetworkFit
    from analysis.pairwise import PairwiseFit
    from evidence.folder.options import Kind
    from evidence.query import EvidenceBase

Progress = Callable[[str], None]

_QUESTION = {
    "pairwise": ("outcome", "measure", "treatment", "versus"),
    "network": ("outcome", "measure"),
}
_COUNTS = (
    ("run_node", "n_studies desc, treatment"),
    ("run_edge", "treatment_a, treatment_b"),
)
_SAID = {"pairwise": "pairwise analysis", "network": "network", "review": "review as a whole"}


def entry(kind: str) -> Entry:
    """Find a chart by its name, with dashes, underscores or blanks.

    Raises
    ------
    CallError
        If there is none; says which was probably meant, or which there are.
    """
    name = kind.strip().lower().replace("-", "_").replace(" ", "_")
    if name in CHARTS:
        return CHARTS[name]
    names = [spelled(known) for known in CHARTS]
    hint = _meant(spelled(name), names)
    raise CallError(f"There is no chart {kind!r}.{hint} There are: {', '.join(names)}.")


def spelled(name: str) -> str:
    """Write the name of a chart as commands take it."""
    return name.replace("_", "-")


def of_fit(fit: PairwiseFit | NetworkFit | Subject, kind: str, **options: Any) -> Any:
    """Draw a chart of a fit.

    Parameters
    ----------
    fit : PairwiseFit, NetworkFit or Subject
    kind : str
        Name of the chart.
    **options
        Those of its function in `analysis.plot`.

    Returns
    -------
    altair chart

    Raises
    ------
    CallError
        If there is no such chart, it is of something else, or has no such option.
    RefusedError
        If there is nothing to draw.
    """
    found = entry(kind)
    subject = fit if isinstance(fit, Subject) else Subject.of(fit)
    if subject.run.kind not in found.of:
        known = [spelled(name) for name, other in CHARTS.items() if subject.run.kind in other.of]
        raise CallError(
            f"{spelled(found.name)} is of a {' or a '.join(_SAID[of] for of in found.of)}; of a "
            f"{_SAID[subject.run.kind]} there are {', '.join(known)}."
        )
    return _marked(_drawn(found, subject, options), subject.review.synthetic)


def of_base(
    db: EvidenceBase,
    kind: str,
    *,
    analysis: str | None = None,
    progress: Progress | None = None,
    **options: Any,
) -> Any:
    """Draw a chart of an evidence base.

    Parameters
    ----------
    db : EvidenceBase
    kind : str
        Name of the chart.
    analysis : str, optional
        Name of an analysis of the review's plan.
    progress : callable, optional
        Called with a few words before each step.
    **options
        Options of a pairwise analysis or a network, as `analysis.plan` takes them. A question that they put
        in full (outcome and measure, of a pairwise analysis treatment and versus) is asked as it is put; else
        the plan's only analysis that fits is drawn, from its stored run where the file keeps one. Of a
        review as a whole: outcome, tool.

    Returns
    -------
    altair chart

    Raises
    ------
    CallError
        If there is no such chart, or several analyses could be meant.
    EvidenceError
        If the analysis cannot be carried out, or there is nothing to draw.

    Examples
    --------
    >>> import evidence
    >>> from analysis import charts, plot
    >>> with evidence.open("diabetes") as db:
    ...     chart = plot.of_base(db, "forest", treatment="metf")
    >>> [path.name for path in charts.save(chart, "metformin", formats=("svg",))]
    ['metformin.svg']
    """
    found = entry(kind)
    given = {key: value for key, value in options.items() if value not in (None, (), [], {})}
    if "review" in found.of:
        return _of_review(db, found, given | ({"analysis": analysis} if analysis else {}))
    asked = _asked(db, found, analysis, given)
    subject, own = asked.subject(db, found, progress or (lambda step: None))
    try:
        return _marked(_drawn(found, subject, own), subject.review.synthetic)
    except NothingToDrawError:
        if subject.fit is not None:
            raise
    # What the file keeps of the run does not hold the rows of this chart.
    subject, own = replace(asked, stored=None).subject(db, found, progress or (lambda step: None))
    return _marked(_drawn(found, subject, own), subject.review.synthetic)


def _of_review(db: EvidenceBase, found: Entry, given: Mapping[str, Any]) -> Any:
    whole, function = Whole.of(db), _function(found)
    known = sorted({"analysis", "tool", "outcome"} & signature(function).parameters.keys())
    if unknown := [f"--{name}" for name in given if name not in known]:
        takes = " but " + ", ".join(f"--{name}" for name in known) if known else ""
        raise CallError(
            f"{spelled(found.name)} is of a review as a whole: it takes no option{takes}; leave "
            f"{', '.join(unknown)} out."
        )
    return _marked(function(whole, **given), whole.review.synthetic)


def _marked(chart: Any, synthetic: bool) -> Any:
    from analysis.charts.base.theme import mark_synthetic

    return mark_synthetic(chart) if synthetic else chart


def _function(found: Entry) -> Callable[..., Any]:
    return cast("Callable[..., Any]", getattr(import_module(f"analysis.plot.{found.room}"), found.name))


def _drawn(found: Entry, subject: Subject, options: Mapping[str, Any]) -> Any:
    function = _function(found)
    takes = [name for name in signature(function).parameters if name != "subject"]
    if unknown := [name for name in options if name not in takes]:
        raise CallError(
            f"{spelled(found.name)} has no option {', '.join(unknown)}"
            + (f"; it has {', '.join(takes)}." if takes else ": it has none.")
        )
    return function(subject, **options)


@dataclass(frozen=True)
class _Asked:
    """An analysis to draw: its kind, its options, and its stored run where that can be drawn."""

    kind: Kind
    options: dict[str, Any]
    stored: str | None = None

    def subject(self, db: EvidenceBase, found: Entry, say: Progress) -> tuple[Subject, dict[str, Any]]:
        """Give what is drawn, and what the chart's own options are."""
        from analysis import plan
        from evidence import results

        if self.stored is not None:
            outcome = next(row["outcome"] for row in results.listing(db) if row["run_id"] == self.stored)
            counted = tuple(
                [
                    {name: value for name, value in row.items() if name != "run_id"}
                    for row in db.rows(
                        f"select * from {view} where run_id = ? order by {order}", [self.stored]
                    )
                ]
                for view, order in _COUNTS
            )
            review = Described.read(db, outcome)
            return Subject(results.read(db, self.stored), review, counted=cast("Any", counted)), {}
        fit, asked = plan.fitted(db, self.kind, self.options, progress=say)
        subject = Subject.of(fit)
        if found.room == "firm":
            subject = _in_every_way(db, subject, self.kind, self.options, say)
        said = {"funnel_order": asked.get("funnel_order"), **subject.run.specification}
        say(f"drawing {spelled(found.name)}")
        return replace(subject, run=replace(subject.run, specification=said)), _own(found, asked)


def _in_every_way(
    db: EvidenceBase, subject: Subject, kind: Kind, options: Mapping[str, Any], say: Progress
) -> Subject:
    """Add the rows of every defensible analysis to what is drawn."""
    from analysis.firm.multiverse import multiverse

    found = multiverse(db, kind, options, progress=say)
    frames = {**subject.run.frames, "multiverse": found.cells, "multiverse_choice": found.levels}
    return replace(subject, run=replace(subject.run, frames=frames))


def _own(found: Entry, asked: Mapping[str, Any]) -> dict[str, Any]:
    """Options of a chart among those of its analysis."""
    if found.name == "cumulative" and asked["cumulative"]:
        return {"by": asked["cumulative"]}
    if found.name == "sequential_bounds":
        named = ("anticipated_effect", "alpha", "power", "diversity")
        return {name: asked[name] for name in named if asked[name] is not None}
    if found.name == "bubble" and asked["moderators"]:
        return {"terms": tuple(asked["moderators"]), "reference_levels": asked["reference_levels"]}
    if found.name == "gosh" and asked["subsets"]:
        return {"subsets": asked["subsets"]}
    if found.name.startswith("threshold_"):
        return {"decision": asked["decision"]} if asked["decision"] else {}
    if found.name == "prior_sensitivity":
        return {"tau_priors": asked["other_tau_priors"], "effect_prior_sds": asked["other_effect_prior_sds"]}
    return {}


def _asked(db: EvidenceBase, found: Entry, analysis: str | None, given: Mapping[str, Any]) -> _Asked:
    """Find which analysis is meant: as it is put, or the plan's only one that fits."""
    kinds = [kind for kind in found.of if kind != "network" or "versus" not in given]
    if not kinds:
        raise CallError(f"{spelled(found.name)} is of a network: leave --versus out.")
    given = _read(kinds, given)
    if analysis is None:
        for kind in kinds:
            if all(name in given for name in _QUESTION[kind]) and (kind == "pairwise" or len(kinds) == 1):
                return _Asked(cast("Kind", kind), _with_engine(found, kind, dict(given)))
    rows = [
        row
        for row in db.rows("select * from plan order by position, analysis")
        if row["kind"] in kinds
        and analysis in (None, row["analysis"])
        and all(_same(row, name, given) for name in _QUESTION[row["kind"]])
    ]
    if len(rows) == 1:
        return _planned(db, found, rows[0], given)
    if not rows and "network" in kinds and all(name in given for name in _QUESTION["network"]):
        return _Asked("network", _with_engine(found, "network", dict(given)))
    raise CallError(_which(db, found, kinds, rows, analysis, given))


def _read(kinds: list[str], given: Mapping[str, Any]) -> dict[str, Any]:
    """Read what both kinds of analysis spell alike as the kind that is drawn has it."""
    read = dict(given)
    if "pairwise" in kinds:
        if isinstance(several := read.pop("treatments", None), list):
            if len(several) != 1:
                raise CallError(
                    f"A pairwise analysis is of one treatment, or a class of them, not {len(several)}."
                )
            read["treatment"] = several[0]
    elif "moderators" in read:
        read["covariates"] = read.pop("moderators")
    return read


def _same(row: Mapping[str, Any], name: str, given: Mapping[str, Any]) -> bool:
    return name not in given or row[name] == given[name]


def _with_engine(found: Entry, kind: str, options: dict[str, Any]) -> dict[str, Any]:
    """Take an engine that has the rows of the chart, where none is named."""
    if kind == "network" and found.engines and "engine" not in options:
        options["engine"] = found.engines[0]
    return options


def _planned(db: EvidenceBase, found: Entry, row: Mapping[str, Any], given: Mapping[str, Any]) -> _Asked:
    from analysis import plan
    from evidence import results

    engine = given.get("engine", row["engine"])
    if row["kind"] == "network" and found.engines and "engine" not in given and engine not in found.engines:
        engine = found.engines[0]
    asked = plan.planned_options({**row, "engine": engine}) | dict(given)
    kept = next((run["run_id"] for run in results.listing(db) if run["analysis"] == row["analysis"]), None)
    as_planned = engine == row["engine"] and all(_same(row, name, given) for name in given if name in row)
    further = [name for name in given if name not in _QUESTION[row["kind"]]]
    return _Asked(row["kind"], asked, kept if as_planned and not further else None)


def _which(
    db: EvidenceBase,
    found: Entry,
    kinds: list[str],
    rows: list[dict[str, Any]],
    analysis: str | None,
    given: Mapping[str, Any],
) -> str:
    """Say which analyses could be meant, or how to put a question of one's own."""
    head = f"{spelled(found.name)} is of a {' or a '.join(_SAID[kind] for kind in kinds)}"
    if rows:
        listed = ", ".join(str(row["analysis"]) for row in rows)
        first = f"--analysis {rows[0]['analysis']}"
        return f"{head}, and the plan has {len(rows)}: name one ({first}); there are {listed}."
    if analysis is not None:
        plan = db.rows("select * from plan order by position")
        planned = [str(row["analysis"]) for row in plan if row["kind"] in kinds]
        there = f"There are: {', '.join(planned) or 'none'}."
        return f"{head}: the plan has none that is called {analysis!r}.{_meant(analysis, planned)} {there}"
    known = measures(db)
    outcome, measure = given.get("outcome"), given.get("measure")
    if outcome is not None and outcome not in known:
        there = f"Outcomes: {', '.join(known) or 'none'}."
        return f"No study has contrasts of {outcome!r}.{_meant(outcome, list(known))} {there}"
    if outcome is None or measure not in known[outcome]:
        each = [f"{o} ({', '.join(codes)})" for o, codes in known.items() if outcome in (None, o)]
        there = f"name --outcome and --measure; there are {'; '.join(each) or 'none'}."
        return f"{head}, and the plan has no such one: {there}"
    pairs = [f"{a} versus {b}" for a, b in comparisons(db, outcome, str(measure))]
    return f"{head}: name --treatment and --versus; studies compare {', '.join(pairs) or 'none'}."


def _meant(name: str, known: list[str]) -> str:
    close = nearest(name, known)
    return f" Did you mean {close!r}?" if close else ""
