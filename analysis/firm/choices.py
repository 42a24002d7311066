"""What could have been decided otherwise: the choices of an analysis, their levels, and what defends each.

A level is a change of the options that `evidence pool` and `evidence nma` take, so that every cell of a
multiverse is an analysis that can be carried out by hand.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import TYPE_CHECKING, Any

from analysis.network.model import priors
from analysis.pairwise.options import TABLES
from evidence import facts
from evidence.errors import CallError
from evidence.folder.options import Kind
from evidence.names import not_found
from evidence.question import at_high_risk, measures

if TYPE_CHECKING:
    from evidence.query import EvidenceBase

COMMON = "common effect"
"""Level of the heterogeneity that is none."""
SPREAD, MEASURE, TIME, BIAS, INTERVAL, POOLING, DEPENDENCE = (
    "heterogeneity", "effect measure", "time point", "risk of bias", "interval", "pooling", "dependence",
)  # fmt: skip
"""Names of choices; conditions of the review's own and columns to leave out are called by their names."""

INTERVALS = ("HK", "HK-adhoc", "Wald")
"""Intervals of the pooled effect (IntHout et al. 2014, BMC Med Res Methodol 14:25)."""

_POOLED = ("MH", "Peto", "binomial")
"""Ways to pool counts that handle zero cells otherwise (Bradburn et al. 2007, Stat Med 26:53-77)."""

Made = Callable[[float], Mapping[str, Any]]


@dataclass(frozen=True)
class Level:
    """One way to decide.

    Attributes
    ----------
    name : str
        As it is printed; the planned one has that added.
    options : mapping
        What it changes of the planned options (as `analysis.plan.fitted` takes them).
    reason : str
        Why it can be defended, with its source where there is one.
    condition : str or None
        SQL condition that studies have to meet besides.
    scaled : callable, optional
        Options that depend on the largest effect in the data.
    """

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)
    reason: str = ""
    condition: str | None = None
    scaled: Made | None = None


@dataclass(frozen=True)
class Choice:
    """One thing that could have been decided otherwise: its levels, the planned one first."""

    name: str
    levels: tuple[Level, ...]


def choices_of(
    db: EvidenceBase, kind: Kind, asked: Mapping[str, Any], of_fit: Mapping[str, Any]
) -> list[Choice]:
    """List the choices of an analysis.

    Parameters
    ----------
    db : EvidenceBase
    kind : {"pairwise", "network"}
    asked, of_fit : mapping
        Options of the planned analysis, as `evidence.folder.options.settle` parts them; ``multiverse`` holds
        what the review says of its choices.

    Returns
    -------
    list of Choice
        Those with more than one level.

    Raises
    ------
    CallError
        If the review names a choice, measure or variable that there is not.
    """
    said = dict(asked.get("multiverse") or {})
    found = [
        _measure(db, kind, asked, of_fit, said),
        _time(asked, said),
        _bias(db, asked),
        *(_network(asked, of_fit, said) if kind == "network" else _pairwise(asked, of_fit, said)),
        *(Choice(name, _all_or(condition)) for name, condition in said.get("where", {}).items()),
        *(_leave_out(db, column) for column in said.get("leave_out", ())),
    ]
    without = said.get("without", ())
    names = [choice.name for choice in found]
    if unknown := [name for name in without if name not in names]:
        raise CallError(not_found("choice", str(unknown[0]), names))
    return [choice for choice in found if len(choice.levels) > 1 and choice.name not in without]


def combinations(choices: Sequence[Choice]) -> Iterator[tuple[Level | None, ...]]:
    """Give one level of each choice in every way that makes sense, the planned one first.

    None stands for a choice that there is not beside the other levels.
    """
    where = {choice.name: index for index, choice in enumerate(choices)}

    def of(name: str, levels: Sequence[Level]) -> Level | None:
        return levels[where[name]] if name in where else None

    first = {choice.name: choice.levels[0] for choice in choices}
    for levels in product(*(choice.levels for choice in choices)):
        spread, interval, pooling = (of(name, levels) for name in (SPREAD, INTERVAL, POOLING))
        common = spread is not None and spread.options.get("model") == "common"
        # Without heterogeneity there is nothing that its intervals differ in.
        if common and interval is not None and interval is not first[INTERVAL]:
            continue
        if pooling is not None and pooling is not first[POOLING]:
            # Tables are pooled for the common effect only; a likelihood has a heterogeneity of its own.
            if (pooling.options["method"] in TABLES) != common:
                continue
            plain = all(of(name, levels) is first.get(name) for name in (SPREAD, INTERVAL))
            if pooling.options["method"] not in TABLES and not plain:
                continue
            if pooling.options["method"] not in TABLES:
                yield tuple(
                    None if choice.name in (SPREAD, INTERVAL) else level
                    for choice, level in zip(choices, levels, strict=True)
                )
                continue
        yield tuple(
            None if common and choice.name == INTERVAL else level
            for choice, level in zip(choices, levels, strict=True)
        )


def _all_or(condition: str) -> tuple[Level, ...]:
    return Level("all"), Level("only those", reason=condition, condition=condition)


def _measure(
    db: EvidenceBase, kind: Kind, asked: Mapping[str, Any], of_fit: Mapping[str, Any], said: Mapping[str, Any]
) -> Choice:
    kind_of_outcome = db.value("select kind from outcome where outcome = ?", [asked["outcome"]])
    there = measures(db).get(str(asked["outcome"]), [])
    usual = [
        found.code for found in facts.measures(kind=kind_of_outcome, given=("arms",)) if found.code in there
    ]
    planned, wanted = str(asked["measure"]), said.get("measures")
    if unknown := [code for code in wanted or () if code not in usual]:
        raise CallError(not_found("effect measure of this outcome", str(unknown[0]), usual))
    codes = [planned, *(code for code in wanted or (usual if planned in usual else ()) if code != planned)]
    levels = []
    for code in codes:
        forms = [str(form.form) for form in facts.forms(code)] if kind == "network" else []
        own = asked.get("smd")
        forms.sort(key=lambda form: code == planned and form != own)
        for form in forms or [""]:
            changed: dict[str, Any] = {} if code == planned else {"measure": code, **_unscaled(of_fit)}
            if form and not (code == planned and form == own):
                changed["smd"] = form
            name = f"{code} ({form})" if form else code
            levels.append(Level(name, changed, "another measure of the same outcome"))
    return Choice(MEASURE, tuple(levels))


def _unscaled(of_fit: Mapping[str, Any]) -> dict[str, Any]:
    """Priors and variances in the planned measure's unit mean nothing in another: its defaults take over."""
    return {
        name: None
        for name in ("tau_prior", "effect_prior_sd", "tau", "slope_prior_sd")
        if of_fit.get(name) is not None
    } | ({"tau2": next(iter(facts.estimators()))} if isinstance(of_fit.get("tau2"), float | int) else {})


def _time(asked: Mapping[str, Any], said: Mapping[str, Any]) -> Choice:
    planned = asked.get("timepoint")
    rules = [rule for rule in said.get("timepoints", ("first", "last")) if rule != planned]
    why = "another time at which studies measured"
    return Choice(
        TIME,
        (
            Level(str(planned or "the plan's rule")),
            *(Level(str(rule), {"timepoint": str(rule)}, why) for rule in rules),
        ),
    )


def _bias(db: EvidenceBase, asked: Mapping[str, Any]) -> Choice:
    judged = at_high_risk(db, asked["outcome"])
    if asked.get("exclude_high_rob"):
        levels = [Level("without high risk"), Level("all studies", {"exclude_high_rob": False}, "as found")]
    else:
        why = "Cochrane Handbook 6.4, section 7.6.2: restrict to studies at low or some risk of bias"
        levels = [Level("all studies"), Level("without high risk", {"exclude_high_rob": True}, why)]
    return Choice(BIAS, tuple(levels if judged else levels[:1]))


def _leave_out(db: EvidenceBase, column: str) -> Choice:
    rows = db.rows(
        "select distinct value from study_variable where variable = ? and value is not null order by value",
        [column],
    )
    if not rows:
        there = db.rows("select distinct variable from study_variable order by variable")
        known = [row["variable"] for row in there]
        raise CallError(not_found("study variable", column, known))
    quoted = '"' + column.replace('"', '""') + '"'
    values = [str(row["value"]) for row in rows]
    texts = {value: "'" + value.replace("'", "''") + "'" for value in values}
    return Choice(
        f"without one {column}",
        (
            Level("none left out"),
            *(
                Level(
                    f"without {value}",
                    reason=f"no single {column} should decide",
                    condition=f"cast({quoted} as text) is distinct from {texts[value]}",
                )
                for value in values
            ),
        ),
    )


# --- pairwise -----------------------------------------------------------------------------------------------


def _pairwise(
    asked: Mapping[str, Any], of_fit: Mapping[str, Any], said: Mapping[str, Any]
) -> Iterator[Choice]:
    planned = str(of_fit.get("tau2", "REML"))
    labels = {name: found.label for name, found in facts.estimators().items()}
    usual = [name for name, found in facts.estimators().items() if found.usual]
    others = [name for name in said.get("tau2", usual) if name != planned]
    if unknown := [name for name in others if name not in labels]:
        raise CallError(not_found("estimator", str(unknown[0]), list(labels)))
    yield Choice(
        SPREAD,
        (
            Level(planned),
            *(Level(name, {"tau2": name}, labels[name]) for name in others),
            Level(COMMON, {"model": "common"}, "one effect behind all studies"),
        ),
    )
    planned_ci = str(of_fit.get("ci", "HK"))
    intervals = facts.interval_methods("effect")
    wanted = [name for name in said.get("ci", INTERVALS) if name != planned_ci]
    if unknown := [name for name in wanted if name not in intervals]:
        raise CallError(not_found("interval", str(unknown[0]), list(intervals)))
    yield Choice(
        INTERVAL, (Level(planned_ci), *(Level(name, {"ci": name}, intervals[name]) for name in wanted))
    )
    planned_method = of_fit.get("method") or next(iter(facts.pooling_methods()))
    own = Level(planned_method.replace("_", " "))
    methods = [
        (name, method.label)
        for name, method in facts.pooling_methods().items()
        if name in _POOLED and name != planned_method and asked["measure"] in method.measures
    ]
    yield Choice(
        POOLING,
        (
            own,
            *(Level(name, {"method": name}, label) for name, label in methods),
        ),
    )
    planned_rule = of_fit.get("dependence") or next(iter(facts.dependence()))
    rules = [name for name in ("combine", "multilevel", "CR2") if name != planned_rule]
    yield Choice(
        DEPENDENCE,
        (
            Level(planned_rule),
            *(Level(name, {"dependence": name}, facts.dependence()[name]) for name in rules),
        ),
    )


# --- network ------------------------------------------------------------------------------------------------


def _network(
    asked: Mapping[str, Any], of_fit: Mapping[str, Any], said: Mapping[str, Any]
) -> Iterator[Choice]:
    engine, common = asked["engine"], asked["model"] == "common"
    default = engine == "exact" and of_fit.get("tau_prior") is None and of_fit.get("tau") is None
    levels = [Level(COMMON if common else _spread_of(engine, of_fit))]
    plain = {"engine": "exact", "model": "random"} | dict.fromkeys(("tau", "tau2", "likelihood", "link"))
    if "tau_priors" in said:
        for text in said["tau_priors"]:
            prior = priors.parse(text)
            levels.append(Level(str(prior), plain | {"tau_prior": text}, "a prior of the review's own"))
    else:
        why = "a prior in common use, made to the data's scale (largest effect of any study = 1)"
        for i, prior in enumerate(priors.customary(1.0)):
            if not (default and not common and i == 0):
                levels.append(Level(f"{prior}, scaled", plain, why, scaled=_customary(i)))
    if not common:
        alike = plain | {"model": "common", "tau_prior": None}
        levels.append(Level(COMMON, alike, "one effect of each comparison behind all studies"))
    estimators = {name: found.label for name, found in facts.estimators().items() if found.network}
    usual = [name for name in estimators if facts.estimators()[name].usual]
    for name in said.get("tau2", usual):
        if name not in estimators:
            raise CallError(not_found("estimator of a network", str(name), list(estimators)))
        # That engine takes no covariates.
        if asked.get("covariates") or levels[0].name == f"frequentist, {name}":
            continue
        changed = plain | {"engine": "frequentist", "tau_prior": None, "effect_prior_sd": None, "tau2": name}
        levels.append(Level(f"frequentist, {name}", changed, estimators[name]))
    yield Choice(SPREAD, tuple(levels))


def _spread_of(engine: str, of_fit: Mapping[str, Any]) -> str:
    """Name what the plan says of the heterogeneity."""
    if engine == "frequentist":
        return f"frequentist, {of_fit.get('tau2', 'REML')}"
    if of_fit.get("tau") is not None:
        return f"tau {of_fit['tau']:g}"
    said = of_fit.get("tau_prior")
    return f"{priors.customary(1.0)[0]}, scaled" if said is None else str(priors.parse(said))


def _customary(index: int) -> Made:
    def made(scale: float) -> Mapping[str, Any]:
        return {"tau_prior": priors.customary(scale)[index].written}

    return made
