"""The cells of a multiverse, fitted: what they share is read, rotated and solved once.

A cell's options are those that `evidence pool` or `evidence nma` would be given, and its numbers are theirs.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from math import isinf
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.firm.choices import DEPENDENCE, POOLING, Level
from analysis.network import ranking
from analysis.verdict import concluding
from evidence import facts
from evidence.errors import CallError, EvidenceError, RefusedError
from evidence.question import at_high_risk
from evidence.system.progress import counted

if TYPE_CHECKING:
    from analysis.network.data.network import Array, Network
    from analysis.network.exact.fitted import ExactFit
    from analysis.network.model.posterior import Posterior
    from analysis.pairwise.data.contrasts import Contrasts
    from evidence.query import EvidenceBase

ABOVE, BELOW, UNCLEAR, NONE = "above", "below", "not clear", "not drawn"
"""What an interval says of no effect on the analysis scale; `NONE` where it carries no conclusion."""

_PLANNED = 1


@dataclass(frozen=True)
class Cell:
    """One way to decide everything: its number, from 1 for the planned one, and a level of each choice."""

    number: int
    levels: tuple[Level | None, ...]

    @property
    def decided(self) -> list[Level]:
        """Its levels of the choices that there are beside the others."""
        return [level for level in self.levels if level is not None]

    @property
    def conditions(self) -> list[str]:
        """What its levels ask of studies besides."""
        return [level.condition for level in self.decided if level.condition is not None]

    def options(self, planned: Mapping[str, Any], scale: float = 1.0) -> dict[str, Any]:
        """Say what it changes of the planned options; `scale` is the largest effect in its data."""
        changed: dict[str, Any] = {}
        for level in self.decided:
            changed |= level.options
        for level in self.decided:
            if level.scaled is not None:
                changed |= level.scaled(scale)
        if condition := self.conditions:
            changed["where"] = _all_of({"where": planned.get("where"), "conditions": condition})
        return {name: value for name, value in changed.items() if value != planned.get(name)}


class Fitter(ABC):
    """Fits the cells of one planned analysis.

    Parameters
    ----------
    db : EvidenceBase
    asked, of_fit : mapping
        Of the planned analysis (`evidence.folder.options.settle`).
    """

    of_data: tuple[str, ...]

    def __init__(self, db: EvidenceBase, asked: Mapping[str, Any], of_fit: Mapping[str, Any]) -> None:
        self.db, self.asked, self.of_fit = db, asked, of_fit
        self.planned = {**asked, **of_fit}
        self.sets: dict[str, Network] = {}
        """Every set of data that was fitted, as a network, by what tells it apart."""

    @abstractmethod
    def lower_is_better(self) -> bool | None:
        """Direction of benefit of the planned analysis."""

    @abstractmethod
    def read(self, options: Mapping[str, Any]) -> Any:
        """Read the data of some cells."""

    @abstractmethod
    def content(self, data: Any) -> str:
        """Give what tells data apart."""

    @abstractmethod
    def network(self, data: Any) -> Network:
        """Give data as a network."""

    @abstractmethod
    def rows(self, cells: Sequence[Cell], data: Any) -> Iterator[dict[str, Any]]:
        """Fit cells of the same data."""

    def possible(self, levels: tuple[Level | None, ...]) -> bool:
        """Tell whether some levels go together."""
        return True

    def changes(self, name: str, level: Level) -> str | None:
        """Say why a level is none: alone it changes nothing, or cannot be read. None if it is one."""
        cell = Cell(0, (level,))
        if level.condition is None and not any(key in self.of_data for key in level.options):
            return None
        try:
            data = self.read(self._question(cell))
        except EvidenceError as error:
            return f"cannot be analysed ({_first(error)})"
        planned = self.read(self._question(Cell(0, ())))
        return "changes no row" if self.content(data) == self.content(planned) else None

    def _question(self, cell: Cell) -> dict[str, Any]:
        changed = cell.options(self.planned)
        asked = {name: changed.get(name, self.planned.get(name)) for name in self.of_data}
        return asked | {
            "where": self.planned.get("where"),
            "conditions": cell.conditions,
        }

    def fit(self, cells: Sequence[Cell]) -> Iterator[dict[str, Any]]:
        """Fit all cells: rows of the frame ``multiverse``, in the order of the cells."""
        groups: dict[str, list[Cell]] = {}
        for cell in cells:
            key = json.dumps(self._question(cell), default=str, sort_keys=True)
            groups.setdefault(key, []).append(cell)
        found: list[dict[str, Any]] = []
        for group in counted(groups.values(), len(groups), "fitting cells, by their data"):
            try:
                data = self.read(self._question(group[0]))
            except EvidenceError as error:
                if group[0].number == _PLANNED:
                    raise
                found += [self._refused(cell, error) for cell in group]
                continue
            found += self.rows(group, data)
            if (key := self.content(data)) not in self.sets:
                self.sets[key] = self.network(data)
        return iter(sorted(found, key=lambda row: row["cell"]))

    def row(self, cell: Cell, scale: float = 1.0, **values: Any) -> dict[str, Any]:
        """Make a row of a cell."""
        changed = cell.options(self.planned, scale)
        return {
            "cell": cell.number,
            "planned": cell.number == _PLANNED,
            "measure": changed.get("measure", self.asked["measure"]),
            "options": json.dumps(changed, default=str, sort_keys=True, ensure_ascii=False),
            **values,
        }

    def _refused(self, cell: Cell, error: EvidenceError) -> dict[str, Any]:
        if cell.number == _PLANNED:
            raise error
        return self.row(cell, refused=_first(error))


def _all_of(options: Mapping[str, Any]) -> str | None:
    """Put the planned condition and those of the levels together."""
    where, more = options["where"], options["conditions"]
    found = [f"({where})"] if where and more else [where] if where else []
    return " and ".join([*found, *(f"({text})" for text in more)]) or None


def _first(error: EvidenceError) -> str:
    return str(error).split("\n")[0].rstrip(".:")


# --- pairwise -----------------------------------------------------------------------------------------------


class Pairs(Fitter):
    """Pairwise analyses."""

    of_data = ("outcome", "measure", "treatment", "versus", "timepoint", "where", "exclude_high_rob")

    def lower_is_better(self) -> bool | None:
        """Direction of benefit of the planned analysis."""
        return self.read(self._question(Cell(0, ()))).lower_is_better

    def read(self, options: Mapping[str, Any]) -> Contrasts:
        """Read the contrasts of some cells."""
        from analysis.pairwise.data.reading import load

        return load(self.db, **{name: options[name] for name in self.of_data} | {"where": _all_of(options)})

    def network(self, data: Contrasts) -> Network:
        """Give contrasts as a network of two treatments."""
        from analysis.network import from_pairwise
        from analysis.pairwise import PairwiseFit

        return from_pairwise(PairwiseFit.of(data, self._options({})))

    def content(self, data: Contrasts) -> str:
        """Give what tells contrasts apart."""
        return data.frame[["study", "estimate", "std_error"]].to_csv() + data.covariance.to_csv()

    def possible(self, levels: tuple[Level | None, ...]) -> bool:
        """Tell whether a method is one of a measure, and whether the options go together."""
        options = {**self.planned, **Cell(0, levels).options(self.planned)}
        method = facts.pooling_methods().get(options.get("method") or "")
        if method is not None and method.measures and options["measure"] not in method.measures:
            return False
        try:
            self._options(options)
        except CallError:
            return False
        return True

    def changes(self, name: str, level: Level) -> str | None:
        """Say why a level is none: dependence matters only where a study has several effects."""
        if name == DEPENDENCE:
            several = self.read(self._question(Cell(0, ()))).frame["study"].duplicated().any()
            return None if several else "changes no row: no study has several effects"
        if name == POOLING or level.options.get("model"):
            return None
        return super().changes(name, level)

    def _options(self, options: Mapping[str, Any]) -> Any:
        from analysis.pairwise.options import Options

        defaults = {"tau2": "REML", "ci": "HK", "prediction": None, "shared": "covariance",
                    "method": "inverse_variance", "dependence": None, "tau2_interval": "QP"}  # fmt: skip
        given = {name: options.get(name) for name in defaults if options.get(name) is not None}
        return Options.read(**defaults | given, by=None, separate_tau2=True)

    def rows(self, cells: Sequence[Cell], data: Contrasts) -> Iterator[dict[str, Any]]:
        """Fit cells of the same contrasts."""
        from analysis.pairwise import PairwiseFit
        from evidence.system.frames import records

        for cell in cells:
            options = {**self.planned, **cell.options(self.planned)}
            model = "common" if options.get("model") == "common" else "random"
            try:
                fit = PairwiseFit.of(data, self._options(options))
                row = next(row for row in records(fit.estimates()) if row["model"] == model)
                if row["estimate"] is None:
                    raise RefusedError("nothing could be estimated")
            except EvidenceError as error:
                yield self._refused(cell, error)
                continue
            limits = concluding(row)
            spread = fit.heterogeneity()
            tau = spread.loc[(spread["model"] == "random") & spread["level"].isna(), "tau"].iloc[0]
            yield self.row(
                cell, model=model, treatment=data.treatment, versus=data.versus,
                **{name: row[name] for name in ("estimate", "std_error", "ci_lower", "ci_upper", "p_value")},
                tau=0.0 if model == "common" else float(tau), n_studies=len(fit.studies),
                conclusion=NONE if limits is None else side(*limits),
            )  # fmt: skip


def side(lower: float, upper: float) -> str:
    """Say on which side of no effect an interval lies."""
    return ABOVE if lower > 0 else BELOW if upper < 0 else UNCLEAR


# --- network ------------------------------------------------------------------------------------------------


class Networks(Fitter):
    """Networks: posteriors of the exact engine of the same data in one pass, other engines one by one."""

    of_data = (
        "outcome", "measure", "reference", "timepoint", "where", "treatments", "smd", "exclude_high_rob",
        "covariates",
    )  # fmt: skip

    def lower_is_better(self) -> bool | None:
        """Direction of benefit of the planned analysis."""
        return self.read(self._question(Cell(0, ()))).lower_is_better

    def read(self, options: Mapping[str, Any]) -> Network:
        """Read the network of some cells: what a condition on studies leaves of one that was read before."""
        from analysis.network import load
        from analysis.network.data.deletion import only_studies

        kept = self._kept(options)
        given = {name: options[name] for name in self.of_data}
        if kept is not None:
            whole = given | {"exclude_high_rob": False}
            key = json.dumps(whole, default=str, sort_keys=True)
            if key not in self._whole:
                self._whole[key] = load(self.db, **whole)
            if (found := only_studies(self._whole[key], kept)) is not None:
                return found
        return load(self.db, **given | {"where": _all_of(options)})

    @cached_property
    def _whole(self) -> dict[str, Network]:
        return {}

    @cached_property
    def _studies(self) -> dict[str | None, frozenset[str]]:
        """Studies that meet each condition; those not at high risk of bias without one."""
        every = {str(row["study"]) for row in self.db.rows("select study from study order by study")}
        return {None: frozenset(every - set(at_high_risk(self.db, self.asked["outcome"])))}

    def _kept(self, options: Mapping[str, Any]) -> frozenset[str] | None:
        """Studies that some cells keep; None where a condition is not of studies alone."""
        from evidence.checking.condition import describes_contrasts, select_studies

        conditions: list[str | None] = list(options["conditions"])
        for text in conditions:
            if text is not None and text not in self._studies:
                if describes_contrasts(self.db, text):
                    return None
                self._studies[text] = frozenset(select_studies(self.db, text))
        if options["exclude_high_rob"]:
            conditions.append(None)
        if not conditions:
            return None
        return frozenset.intersection(*(self._studies[text] for text in conditions))

    def network(self, data: Network) -> Network:
        """Give it as it is."""
        return data

    def content(self, data: Network) -> str:
        """Give what tells networks apart."""
        blocks = [[block.study.tolist(), block.y.tolist(), block.S.tolist()] for block in data.blocks]
        return json.dumps([data.treatments, [list(unit) for unit in data.studies], blocks])

    def rows(self, cells: Sequence[Cell], data: Network) -> Iterator[dict[str, Any]]:
        """Fit cells of the same network."""
        from analysis.network.model.specification import effect_scale

        scale = effect_scale(data)
        options = [(cell, {**self.planned, **cell.options(self.planned, scale)}) for cell in cells]
        exact = [(cell, given) for cell, given in options if given["engine"] == "exact"]
        yield from self._exact(exact, data, scale)
        for cell, given in options:
            if given["engine"] != "exact":
                yield from self._other(cell, given, data, scale)

    def _exact(
        self, cells: list[tuple[Cell, dict[str, Any]]], net: Network, scale: float
    ) -> Iterator[dict[str, Any]]:
        """Fit cells with the exact engine: those of the same priors of the effects in one pass."""
        from analysis.network.exact.engine import fit

        names = ("effect_prior_sd", "covariates", "slopes", "centre", "slope_prior_sd")
        groups: dict[str, list[tuple[Cell, dict[str, Any]]]] = {}
        for cell, given in cells:
            key = json.dumps({name: given.get(name) for name in names}, default=str, sort_keys=True)
            groups.setdefault(key, []).append((cell, given))
        for group in groups.values():
            of_engine = {name: group[0][1][name] for name in names if group[0][1].get(name)}
            try:
                base = fit(net, model="common", **of_engine)
            except EvidenceError as error:
                yield from (self._refused(cell, error) for cell, _ in group)
                continue
            posteriors, refused = _posteriors(base, [given for _, given in group])
            kept = [(cell, one) for (cell, _), one in zip(group, posteriors, strict=True) if one is not None]
            for (cell, _), why in zip(group, refused, strict=True):
                if why is not None:
                    yield self._refused(cell, why)
            yield from self._summarised(kept, net, scale)

    def _summarised(
        self, cells: list[tuple[Cell, Posterior]], net: Network, scale: float
    ) -> Iterator[dict[str, Any]]:
        from analysis.network.exact.together import summaries

        if not cells:
            return
        treatment = np.arange(1, len(net.treatments))
        found = summaries([posterior for _, posterior in cells], treatment, np.zeros_like(treatment))
        for i, (cell, posterior) in enumerate(cells):
            better = found.better[i].T if net.lower_is_better else found.better[i]
            yield from self._rows_of(
                cell, net, scale, "common" if posterior.heterogeneity is None else "random",
                ranking.sucra(better), float(found.tau[i]),
                {"estimate": found.mean[i], "std_error": found.sd[i], "ci_lower": found.lower[i],
                 "ci_upper": found.upper[i], "p_value": found.tail[i]},
            )  # fmt: skip

    def _other(
        self, cell: Cell, given: Mapping[str, Any], net: Network, scale: float
    ) -> Iterator[dict[str, Any]]:
        """Fit one cell with another engine."""
        from analysis import network
        from analysis.prepared import engine_parameters

        accepted = engine_parameters(given["engine"])
        model = "common" if given["model"] == "common" else "random"
        of_engine = {
            name: value for name, value in given.items()
            if name in accepted and value is not None and value != {} and name not in ("model", "covariates")
        }  # fmt: skip
        try:
            fit: Any = network.fit(net, engine=given["engine"], model=model, **of_engine)
            treatment = np.arange(1, len(net.treatments))
            effects = fit.effects(model, treatment, np.zeros_like(treatment))
            score = fit.p_scores(model) if hasattr(fit, "p_scores") else fit.sucra(model)
        except EvidenceError as error:
            yield self._refused(cell, error)
            return
        # An interval of tau, which takes most of a fit's time, is not asked for.
        tau = float(fit.tau2) ** 0.5 if given["engine"] == "frequentist" else fit.heterogeneity_of(model).tau
        columns = ("estimate", "std_error", "ci_lower", "ci_upper", "p_value")
        yield from self._rows_of(
            cell, net, scale, model, score, 0.0 if model == "common" else tau,
            {name: getattr(effects, name) for name in columns},
        )  # fmt: skip

    def _rows_of(
        self, cell: Cell, net: Network, scale: float, model: str, score: Array, tau: float | None,
        effects: Mapping[str, Array],
    ) -> Iterator[dict[str, Any]]:  # fmt: skip
        ranked = net.lower_is_better is not None
        order = ranking.best_first(score)
        place = np.empty(len(order), dtype=int)
        place[order] = np.arange(1, len(order) + 1)
        studies = len({study for study, _ in net.studies})
        common = self.row(cell, scale, model=model, tau=tau, n_studies=studies)
        if ranked:
            common["best"] = net.treatments[int(order[0])]
        for i, name in enumerate(net.treatments[1:]):
            values = {key: float(value[i]) for key, value in effects.items()}
            ranks = {"sucra": float(score[i + 1]), "rank": int(place[i + 1])} if ranked else {}
            yield {
                **common, "treatment": name, "versus": net.reference, **values, **ranks,
                "conclusion": side(values["ci_lower"], values["ci_upper"]),
            }  # fmt: skip


def _posteriors(
    base: ExactFit, options: Sequence[Mapping[str, Any]]
) -> tuple[list[Posterior | None], list[EvidenceError | None]]:
    """Posteriors of one design under many priors of tau, and why others have none."""
    from analysis.network.exact.together import integrate_each
    from analysis.network.model import priors
    from analysis.network.model.posterior import fixed
    from analysis.network.model.specification import effect_scale, refuse_absurd

    rows, net = base.posteriors["common"].rows, base.network
    found: list[Posterior | None] = [None] * len(options)
    refused: list[EvidenceError | None] = [None] * len(options)
    together: dict[int, priors.Prior] = {}
    for i, given in enumerate(options):
        try:
            if given["model"] == "common":
                found[i] = base.posteriors["common"]
            elif given.get("tau") is not None:
                found[i] = fixed(rows, float(given["tau"]))
            else:
                said = given.get("tau_prior")
                prior = priors.Uniform(upper=effect_scale(net)) if said is None else priors.parse(said)
                refuse_absurd(net, tau_prior=prior)
                if isinf(base.specification.effect_sd):
                    found[i] = replace(base.specification, prior=prior).integrated(rows, "random")
                else:
                    together[i] = prior
        except EvidenceError as error:
            refused[i] = error
    for i, posterior in zip(together, integrate_each(rows, list(together.values())), strict=True):
        found[i] = posterior
    return found, refused
