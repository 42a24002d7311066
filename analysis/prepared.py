"""An analysis that is understood and read, not yet carried out: what it will be computed from.

To read takes little, to compute may take minutes. Between them stands the key of the analysis: fingerprints
of everything that its rows follow from. Where an earlier run has the same, its rows are those that computing
again would give.

What is not in here cannot change a row: an analysis is carried out from what was prepared, without the
evidence base, and what a review says that no computation asks for (printed names, lines of files, other
studies) is taken away first.
"""

from __future__ import annotations

import hashlib
import json
import platform
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from inspect import signature
from math import exp
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from uuid import uuid4

import analysis
import evidence
from analysis import entered
from analysis.described import Described
from evidence import facts
from evidence.errors import CallError, RefusedError
from evidence.folder.further import MULTIVERSE
from evidence.folder.options import Kind, options_of, settle
from evidence.folder.variables import UNIT
from evidence.question import as_reported, important_difference, time_rule
from evidence.results import CONTENT, hash_rows
from evidence.system.fingerprint import fingerprint, of_code
from evidence.system.frames import cells
from evidence.system.resources import schema_directory

if TYPE_CHECKING:
    import pandas as pd

    from analysis.network.data.network import Network
    from analysis.pairwise import PairwiseFit
    from evidence.query import EvidenceBase

_OF_PAIRWISE = ("outcome", "measure", "treatment", "versus", "timepoint", "where", "exclude_high_rob")
_OF_NETWORK = (
    "outcome", "measure", "reference", "timepoint", "where", "treatments", "smd", "exclude_high_rob",
    "covariates",
)  # fmt: skip
_OF_CHAINS = ("pymc", "pytensor", "nutpie", "numba", "arviz")
"""Packages by whose versions chains are others; that one is not installed counts as a version."""

PARTS = {
    "rows": "what enters",
    "variables": "variables of what enters",
    "outcome": "unit, direction or smallest important difference of the outcome",
    "review": "the review, of which every defensible analysis reads more",
    "treatments": "role, order or names of the treatments",
    "notes": "what is said of the data",
    "options": "options",
    "software": "versions of the software",
    "code": "the code of evidence-base",
}
"""Parts of the key of an analysis, and what each is of, in words."""

_NOT_ROWS = {
    "variables": "variables", "covariates": "variables", "unit": "outcome", "scale": "outcome",
    "lower_is_better": "outcome", "smallest_important_difference": "outcome", "notes": "notes",
    "labels": "treatments",
}  # fmt: skip
"""Fields of what is read that are a part of their own; every other is of the rows."""


@dataclass(frozen=True)
class Prepared:
    """An analysis that is understood and read.

    Attributes
    ----------
    asked : mapping
        What was asked, defaults filled in, but for options of the fit.
    reported : mapping of str to int
        Row of contrasts.csv of each contrast that was reported as such.
    roles : mapping of str to str
        Role of each treatment of a network, in the order of the review; empty of a pairwise analysis.
    exclusions : DataFrame
        What did not enter, as far as reading tells.
    timepoint : str
        The time rule.
    about : mapping
        What of a run is no result: outcome, measure, where, analysis, synthetic, content_hash.
    every : (EvidenceBase, mapping) or None
        Where every defensible analysis of the question is asked for: what they read, which is more than the
        analysis itself does, so that any change of the review is one of its key; and all options.
    """

    asked: Mapping[str, Any]
    reported: Mapping[str, int]
    roles: Mapping[str, str]
    exclusions: pd.DataFrame
    timepoint: str
    about: Mapping[str, Any]
    every: tuple[EvidenceBase, Mapping[str, Any]] | None = field(default=None, kw_only=True, repr=False)

    def contrasts(self) -> pd.DataFrame:
        """Rows that enter, as ``result_contrast`` has them."""
        raise NotImplementedError

    @property
    def input_hash(self) -> str:
        """Hash of the rows that enter, as runs are known by."""
        raise NotImplementedError

    @cached_property
    def key(self) -> dict[str, str]:
        """Fingerprints of all that the rows of the analysis follow from, by `PARTS`.

        Numbers of rows of the review's files (measurement_ids) count by their order alone: a study that is
        inserted above moves them all, and no result but the column that has them.
        """
        raise NotImplementedError

    @property
    def _review(self) -> str:
        """The whole review, by its hash; of one without a hash nothing is like anything else."""
        return str(self.about["content_hash"] or uuid4())

    def _key(self, data: Any, options: Any, chains: bool) -> dict[str, str]:
        grouped: dict[str, list[Any]] = {
            "rows": [],
            "variables": [],
            "outcome": [],
            "treatments": [self.roles],
            "notes": [],
        }
        for one in fields(data):
            grouped[_NOT_ROWS.get(one.name, "rows")].append([one.name, getattr(data, one.name)])
        places = _places(self.reported.values())
        grouped["rows"].append([[name, places[number]] for name, number in self.reported.items()])
        parts = {name: fingerprint(values) for name, values in grouped.items()}
        return parts | {
            "review": fingerprint(None if self.every is None else self._review),
            "options": fingerprint(self.asked, options, self.timepoint),
            "software": fingerprint(_software(chains)),
            "code": of_code(
                *(str(Path(str(package.__file__)).parent) for package in (evidence, analysis)),
                str(schema_directory()),
            ),
        }


@dataclass(frozen=True)
class PreparedPairwise(Prepared):
    """A pairwise meta-analysis that is read and assembled; nothing is pooled before it is asked for.

    Attributes
    ----------
    fit : PairwiseFit
    priors : mapping
        tau_prior and effect_prior_sd of its Bayesian analysis, where given.
    """

    fit: PairwiseFit
    priors: Mapping[str, Any]

    def contrasts(self) -> pd.DataFrame:
        """Rows that enter, as ``result_contrast`` has them."""
        return entered.of_pairwise(self.fit, self.asked["moderators"], self.reported)

    @property
    def input_hash(self) -> str:
        """Hash of the contrasts, and of the variables of the studies that were used."""
        contrasts = self.fit.contrasts
        used = dict.fromkeys([*filter(None, [self.fit.options.by]), *self.asked["moderators"]])
        variables = contrasts.variables[list(used)].reset_index(drop=True)
        text = [hash_rows(part) for part in (contrasts.frame, contrasts.covariance, variables)]
        return hashlib.sha256("".join(text).encode()).hexdigest()

    @cached_property
    def key(self) -> dict[str, str]:
        """As of any analysis."""
        contrasts = self.fit.contrasts
        frame, measured = _by_order(contrasts.frame, contrasts.measured)
        data = replace(contrasts, frame=cast("pd.DataFrame", frame), measured=measured)
        return self._key(data, [self.fit.options, self.priors], chains=False)


@dataclass(frozen=True)
class PreparedNetwork(Prepared):
    """A network meta-analysis that is read.

    Attributes
    ----------
    network : Network
    chosen : mapping
        Options of the engine.
    """

    network: Network
    chosen: Mapping[str, Any]

    def contrasts(self) -> pd.DataFrame:
        """Rows that enter, as ``result_contrast`` has them."""
        return entered.of_network(self.network, self.reported)

    @property
    def input_hash(self) -> str:
        """Hash of what an engine sees: the effects of every study, their covariance, and the arms."""
        net = self.network
        content = [
            [list(net.treatments), [list(unit) for unit in net.studies]],
            [
                [block.study.tolist(), block.treatment.tolist(), block.y.tolist(), block.S.tolist()]
                for block in net.blocks
            ],
            [
                {key: None if value is None else value.tolist() for key, value in vars(block).items()}
                for block in net.arms or ()
            ],
        ]
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

    @cached_property
    def key(self) -> dict[str, str]:
        """As of any analysis."""
        contrasts, measured = _by_order(self.network.contrasts, self.network.measured)
        data = replace(self.network, contrasts=contrasts, measured=measured)
        chains = self.asked["chains"] or bool(facts.engine(self.asked["engine"]).needs)
        return self._key(data, self.chosen, chains)


# --- reading ----------------------------------------------------------------------------------------------


def prepare(
    db: EvidenceBase,
    kind: Kind,
    options: Mapping[str, Any],
    *,
    analysis: str | None = None,
    whole: bool = False,
    planned: bool | None = None,
) -> PreparedPairwise | PreparedNetwork:
    """Understand what is asked and read what enters; compute nothing.

    Parameters
    ----------
    db : EvidenceBase
    kind : {"pairwise", "network"}
    options : mapping
        As `analysis.plan.run_pairwise` and `run_network` take them.
    analysis : str, optional
        Name in the review's plan.
    whole : bool
        Leave with the data what pictures of a fit ask for and no computation does: printed names, order and
        judgements of all that the review holds.
    planned : bool, optional
        Whether a plan says what is asked, which may state options of analyses that it does not ask for; as
        `analysis` says without it.

    Raises
    ------
    EvidenceError
        As `analysis.plan.run_pairwise` and `run_network`, but for what the fit refuses.
    """
    asked, of_fit = settle(kind, options)
    about = {name: asked[name] for name in ("outcome", "measure", "where")} | {
        "analysis": analysis,
        "synthetic": bool(db.kept_rows("select bool_or(synthetic) as said from review")[0]["said"]),
        "content_hash": next((row["value"] for row in db.kept_rows(CONTENT)), None),
    }
    found: PreparedPairwise | PreparedNetwork
    if kind == "network":
        found = _network(db, asked, of_fit, about, whole)
    else:
        said = analysis is not None if planned is None else planned
        found = _pairwise(db, asked, of_fit, about, whole, said)
    if MULTIVERSE in asked["sensitivity"]:
        return replace(found, every=(db, dict(options)))
    return found


def prepare_planned(db: EvidenceBase, row: Mapping[str, Any]) -> PreparedPairwise | PreparedNetwork:
    """Prepare an analysis of the plan: a row of table ``plan``."""
    options = planned_options(row)
    return prepare(db, row["kind"], options, analysis=options.pop("analysis", row["analysis"]))


def _pairwise(
    db: EvidenceBase,
    asked: dict[str, Any],
    of_fit: dict[str, Any],
    about: Mapping[str, Any],
    whole: bool,
    planned: bool,
) -> PreparedPairwise:
    from analysis.pairwise.data.reading import load
    from analysis.pairwise.fitting import of_contrasts
    from analysis.pairwise.options import Options

    priors = _priors(of_fit, asked, planned=planned)
    _refuse_without_moderators(asked)
    if not whole:
        _refuse_without_sequential(asked)
    if whole or asked["sequential"]:
        asked["anticipated_effect"] = _worth_finding(db, asked)
    settings = Options.read(**of_fit)
    contrasts = load(db, **{name: asked[name] for name in _OF_PAIRWISE})
    exclusions = cast("pd.DataFrame", contrasts.exclusions)
    reported = _reported(db, contrasts.frame)
    if not whole:
        contrasts = replace(
            contrasts,
            variables=_used(
                contrasts.variables,
                [
                    settings.by,
                    *asked["moderators"],
                    asked["cumulative"],
                    "year" if asked["sequential"] else None,
                ],
            ),
            exclusions=None,
            review=_needed(contrasts.review, cells(contrasts.frame["study"])),
        )
    return PreparedPairwise(
        asked=asked,
        reported=reported,
        roles={},
        exclusions=exclusions,
        timepoint=str(contrasts.timepoint),
        about=about,
        fit=of_contrasts(contrasts, settings),
        priors=priors,
    )


def _network(
    db: EvidenceBase, asked: dict[str, Any], of_engine: dict[str, Any], about: Mapping[str, Any], whole: bool
) -> PreparedNetwork:
    from analysis import network

    engine = asked["engine"]
    net = network.load(db, **{name: asked[name] for name in _OF_NETWORK})
    if asked["leave_one_out"]:
        _refuse_refits(engine, net)
    chosen = options_of_engine(db, net, asked, of_engine)
    exclusions = cast("pd.DataFrame", net.exclusions)
    listed = db.kept_rows("select treatment, role from treatment order by source_line")
    reported = _reported(db, cast("pd.DataFrame", net.contrasts))
    if not whole:
        studies = [study for study, _ in net.studies]
        # A decision may call a treatment by its printed name.
        labels = {} if asked["decision"] is None else net.labels
        net = replace(net, labels=labels, exclusions=None, review=_needed(net.review, studies))
    return PreparedNetwork(
        asked=asked,
        reported=reported,
        roles={
            str(row["treatment"]): str(row["role"]) for row in listed if row["treatment"] in net.treatments
        },
        exclusions=exclusions,
        timepoint=str(time_rule(db, asked["outcome"], asked["measure"], asked["timepoint"])[0]),
        about=about,
        network=net,
        chosen=chosen,
    )


def options_of_engine(
    db: EvidenceBase, net: Network, asked: Mapping[str, Any], of_engine: Mapping[str, Any]
) -> dict[str, Any]:
    """Give what the engine of a network is told: options of the fit, classes, covariates, the seed.

    Parameters
    ----------
    db : EvidenceBase
    net : Network
    asked, of_engine : mapping
        From `evidence.folder.options.settle`.

    Raises
    ------
    CallError
        If an option is not one of the engine's.
    """
    given = dict(of_engine) | ({"classes": _classes(db, net)} if asked["class_effects"] else {})
    chosen = _told_engine(asked["engine"], asked, given)
    if "seed" in engine_parameters(asked["engine"]):
        chosen["seed"] = asked["seed"]
    return chosen


def _used(variables: pd.DataFrame, names: Sequence[str | None]) -> pd.DataFrame:
    """Keep the variables that are asked for, with their units; all of them where one is not known."""
    found = [name for name in names if name is not None and name != "precision"]
    if any(name not in variables for name in found):
        return variables  # The refusal lists what there is.
    wanted = {"treatment", *found, *(name + UNIT for name in found)}
    return variables[[name for name in variables.columns if name in wanted]]


def _needed(review: Described, studies: Sequence[str]) -> Described:
    """Keep what computing asks of a review's description: which arms of the studies are one group."""
    within = set(studies)
    return Described(group={arm: name for arm, name in sorted(review.group.items()) if arm[0] in within})


def _reported(db: EvidenceBase, contrasts: pd.DataFrame) -> dict[str, int]:
    """Find the rows of the review folder where contrasts were reported as such."""
    if not contrasts["measurement_ids"].isna().any():
        return {}
    known = as_reported(db)
    return {name: known[name] for name in cells(contrasts["contrast_id"]) if name in known}


# --- options ----------------------------------------------------------------------------------------------


def _priors(of_fit: dict[str, Any], asked: Mapping[str, Any], *, planned: bool) -> dict[str, Any]:
    """Take the priors out of the options of a pairwise fit: only ``bayes`` has any."""
    named = {name: of_fit.pop(name, None) for name in ("tau_prior", "effect_prior_sd")}
    given = {name: value for name, value in named.items() if value is not None}
    if given and not planned and "bayes" not in asked["sensitivity"]:
        spelled = ", ".join("--" + name.replace("_", "-") for name in given)
        raise CallError(f"{spelled} is of the Bayesian analysis: ask for it, --bayes.")
    return given


def _refuse_without_moderators(asked: Mapping[str, Any]) -> None:
    """Refuse what belongs to a meta-regression where there is none."""
    if asked["moderators"]:
        return
    if asked["reference_levels"]:
        names = ", ".join(asked["reference_levels"])
        raise CallError(f"A reference level is of a moderator: ask for moderator {names}.")
    for name, what in (("permutations", "A permutation test"), ("at", "A prediction at values")):
        if asked[name]:
            raise CallError(f"{what} is of a meta-regression: name its variables, --moderator.")


def _refuse_without_sequential(asked: Mapping[str, Any]) -> None:
    """Refuse what belongs to a sequential analysis where there is none."""
    named = [
        name for name in ("anticipated_effect", "alpha", "power", "diversity") if asked[name] is not None
    ]
    if named and not asked["sequential"]:
        spelled = ", ".join("--" + name.replace("_", "-") for name in named)
        raise CallError(f"{spelled} is of a sequential analysis: ask for it, --sequential.")


def _worth_finding(db: EvidenceBase, asked: Mapping[str, Any]) -> float | None:
    """Find the effect that a sequential analysis is about: the outcome's where none is said."""
    if asked["anticipated_effect"] is not None:
        return float(asked["anticipated_effect"])
    rows = db.kept_rows("select * from outcome where outcome = ?", [asked["outcome"]])
    how = facts.measure(asked["measure"])
    known = important_difference(rows[0], how) if rows else None
    if known is None:
        return None
    signed = -known if how.lower_is_better(rows[0]) else known
    return exp(signed) if how.is_ratio else signed


def _refuse_refits(engine: str, net: Network) -> None:
    """Refuse to leave out in turn more studies than an engine fits again in an evening."""
    count, most = len({study for study, _ in net.studies}), facts.engine(engine).most_refits
    if most is not None and count > most:
        raise RefusedError(
            f"Leaving out each of {count:,} studies in turn fits the network as many times: the engine "
            f"{engine} does so for up to {most:,}. Leave --leave-one-out out, take the engine exact, which "
            "finds them all from one fit, or call fit.leave_one_out() in Python."
        )


def _classes(db: EvidenceBase, net: Network) -> dict[str, str]:
    """Class of each treatment of a network that has one, the reference's aside."""
    rows = db.rows("select treatment, class from treatment where class is not null order by source_line")
    known = {str(row["treatment"]): str(row["class"]) for row in rows}
    if found := {name: known[name] for name in net.treatments[1:] if name in known}:
        return found
    raise CallError("No treatment of the network has a class: fill in class in treatments.csv.")


def _told_engine(engine: str, asked: Mapping[str, Any], of_engine: Mapping[str, Any]) -> dict[str, Any]:
    """Options of the fit: those given, and the covariates of the network."""
    given = {key: value for key, value in of_engine.items() if value is not None and value != {}}
    if asked["covariates"]:
        given["covariates"] = tuple(asked["covariates"])
        if "covariates" not in engine_parameters(engine):
            raise CallError(f"The {engine} engine has no meta-regression: take the engine exact, or mcmc.")
    chosen = engine_options(engine, given)
    for name in ("slopes", "centre", "slope_prior_sd"):
        if name in chosen and not asked["covariates"]:
            raise CallError(
                f"--{name.replace('_', '-')} is of a network meta-regression: name a --covariate."
            )
    if asked["at"] and not asked["covariates"]:
        raise CallError("Effects at values are of a network meta-regression: name a --covariate.")
    return chosen


_OF_SOME_ENGINES = ("tau2", "tau_prior", "effect_prior_sd")
"""What a plan may state for all its analyses: engines that take no such option are not told."""


def planned_options(row: Mapping[str, Any]) -> dict[str, Any]:
    """Give what a row of table ``plan`` says to `run_pairwise` or `run_network`."""
    kind = row["kind"]
    # Every row of the plan has an estimator of tau2; only the engines that use one are told.
    accepted = engine_parameters(row["engine"]) if kind == "network" else None
    planned = [
        option
        for option in options_of(kind, planned=True)
        if not option.of_fit
        or accepted is None
        or option.takes in accepted
        or (option.name not in _OF_SOME_ENGINES and option.loaded(row[option.column]) is not None)
    ]
    given = {option.takes: option.loaded(row[option.column]) for option in planned}
    del given["kind"]
    if kind == "pairwise":
        # What the plan does not say of the fit, the fit's own default says.
        unsaid = {option.takes for option in planned if option.of_fit and given.get(option.takes) is None}
        given = {name: value for name, value in given.items() if name not in unsaid}
    return given


def engine_parameters(engine: str) -> frozenset[str]:
    """Options that an engine takes.

    Raises
    ------
    CallError
        If there is no such engine.
    """
    from analysis.network import ENGINES

    if engine not in ENGINES:
        raise CallError(f"There is no engine {engine!r}; there are {', '.join(ENGINES)}.")
    try:
        module = import_module(f"analysis.network.{engine}")
    except ModuleNotFoundError as error:
        raise not_installed(engine, error) from None
    return frozenset(signature(module.fit).parameters) - {"net", "model"}


def not_installed(engine: str, error: ModuleNotFoundError) -> CallError:
    """Say which package an engine needs."""
    return CallError(f"The {engine} engine needs {error.name}: pip install 'evidence-base[mcmc]'.")


def engine_options(engine: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options, all of which the engine must take.

    Raises
    ------
    CallError
        If it does not.
    """
    accepted = engine_parameters(engine)
    if unknown := [name for name in options if name not in accepted]:
        spelled = ", ".join("--" + name.replace("_", "-") for name in unknown)
        raise CallError(f"The {engine} engine has no option {spelled}; it has {', '.join(sorted(accepted))}.")
    return dict(options)


# --- the key ----------------------------------------------------------------------------------------------


def _by_order(
    contrasts: pd.DataFrame | None, measured: pd.DataFrame | None
) -> tuple[pd.DataFrame | None, pd.DataFrame | None]:
    """Give the rows of the review's files that enter numbers by their order."""
    if contrasts is None:
        return contrasts, measured
    listed = [ids_of(text) for text in cells(contrasts["measurement_ids"])]
    own = [] if measured is None else [int(number) for number in cells(measured["measurement_id"])]
    place = _places([*own, *(number for ids in listed for number in ids)])
    contrasts = contrasts.assign(measurement_ids=[",".join(str(place[i]) for i in ids) for ids in listed])
    if measured is not None:
        measured = measured.assign(measurement_id=[place[i] for i in own])
    both = [part for part in (contrasts, measured) if part is not None]
    for name in ("reported_contrast_id", "block"):
        numbers = [cells(part[name]) if name in part else [] for part in both]
        known = _places([int(number) for part in numbers for number in part if _is_number(number)])
        for part, column in zip(both, numbers, strict=True):
            if name in part:  # Copies, both of them.
                part[name] = [known.get(number) for number in column]
    return both[0], both[1] if measured is not None else None


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and value == value


def ids_of(text: Any) -> list[int]:
    """Read the numbers of the measurements behind a row."""
    return [int(item) for item in text.split(",") if item.strip()] if isinstance(text, str) else []


def _places(numbers: Iterable[int]) -> dict[int, int]:
    return {number: place for place, number in enumerate(sorted(set(numbers)))}


def _software(chains: bool) -> dict[str, str | None]:
    """Versions of everything that computes: where a number is made of digits, its last ones hang on these."""
    packages = ("duckdb", "numpy", "scipy", "pandas", *(_OF_CHAINS if chains else ()))
    return {
        "evidence-base": evidence.__version__,
        "python": platform.python_version(),
        "machine": f"{sys.platform} {platform.machine()}",
    } | {name: _version(name) for name in packages}


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
