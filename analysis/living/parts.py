"""An analysis of the plan that is read once, and fitted to any of its studies."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Set
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis import prepared
from evidence.folder.options import options_of, settle
from evidence.question import Question, read
from evidence.system.frames import cells

if TYPE_CHECKING:
    import pandas as pd

    from analysis.network.result import NetworkFit
    from analysis.pairwise import Options, PairwiseFit
    from analysis.pairwise.data.contrasts import Contrasts
    from evidence.query import EvidenceBase
    from evidence.question import BodyOfEvidence

_BESIDE = (
    "by", "moderators", "analysis", "sensitivity", "leave_one_out", "node_split", "split_method", "chains",
    "absolute", "reference_levels", "permutations", "at", "tau_prior", "effect_prior_sd",
)  # fmt: skip
"""What a plan may ask beside the main results of a pairwise analysis; of a network the first of these."""


def read_once(db: EvidenceBase, row: Mapping[str, Any]) -> Readable:
    """Read what enters an analysis of the plan: a row of table ``plan``.

    Raises
    ------
    EvidenceError
        As `evidence.question.read`.
    """
    options = prepared.planned_options(row)
    if row["kind"] == "pairwise":
        return _pairwise(db, {name: value for name, value in options.items() if name not in _BESIDE})
    accepted = prepared.engine_parameters(row["engine"])
    strange = {option.takes for option in options_of("network") if option.of_fit} - accepted
    left = {"sensitivity", "leave_one_out", "node_split", "split_method", "chains", "absolute", "analysis"}
    return _network(db, {name: value for name, value in options.items() if name not in strange | left})


class Readable(ABC):
    """What enters an analysis, to be fitted in parts."""

    @property
    @abstractmethod
    def rows(self) -> pd.DataFrame:
        """Contrasts that enter, with the column study."""

    @abstractmethod
    def fitted(self, studies: Set[str]) -> PairwiseFit | NetworkFit:
        """Fit it to some of its studies, as a review of these alone would be.

        Raises
        ------
        EvidenceError
            If the fit refuses them.
        """

    @property
    def studies(self) -> frozenset[str]:
        """Studies that enter."""
        return frozenset(cells(self.rows["study"]))


@dataclass(frozen=True)
class _OfPair(Readable):
    contrasts: Contrasts
    options: Options

    @property
    def rows(self) -> pd.DataFrame:
        """Contrasts that enter."""
        return self.contrasts.frame

    def fitted(self, studies: Set[str]) -> PairwiseFit:
        """Pool the contrasts of some studies."""
        from analysis.pairwise.fitting import of_contrasts

        return of_contrasts(self.contrasts.part(_of(self.rows, studies)), self.options)


@dataclass(frozen=True)
class _OfNetwork(Readable):
    db: EvidenceBase
    asked: Mapping[str, Any]
    of_engine: Mapping[str, Any]
    body: BodyOfEvidence

    @property
    def rows(self) -> pd.DataFrame:
        """Contrasts that enter."""
        return self.body.contrasts

    def fitted(self, studies: Set[str]) -> NetworkFit:
        """Fit the network of some studies."""
        from analysis import network
        from analysis.network.data.load import of_body

        part = some_of(self.body, studies)
        net = of_body(self.db, part, reference=self.asked["reference"], covariates=self.asked["covariates"])
        chosen = prepared.options_of_engine(self.db, net, self.asked, self.of_engine)
        return network.fit(net, engine=self.asked["engine"], model=self.asked["model"], **chosen)


def _pairwise(db: EvidenceBase, options: Mapping[str, Any]) -> _OfPair:
    from analysis.pairwise import Options
    from analysis.pairwise.data.reading import load

    asked, of_fit = settle("pairwise", options)
    question = ("outcome", "measure", "treatment", "versus", "timepoint", "where", "exclude_high_rob")
    return _OfPair(load(db, **{name: asked[name] for name in question}), Options.read(**of_fit))


def _network(db: EvidenceBase, options: Mapping[str, Any]) -> _OfNetwork:
    asked, of_engine = settle("network", options)
    given = {part.name: asked[part.name] for part in fields(Question) if part.name in asked}
    if isinstance(given["treatments"], list):
        given["treatments"] = tuple(given["treatments"])
    return _OfNetwork(db, asked, of_engine, read(db, Question(**given)))


def some_of(body: BodyOfEvidence, studies: Set[str]) -> BodyOfEvidence:
    """Keep what some studies say of a question."""
    keep = _of(body.contrasts, studies)
    contrasts = body.contrasts[keep].reset_index(drop=True)
    ids = set(cells(contrasts["contrast_id"]))
    pairs = zip(cells(body.covariance["contrast_1"]), cells(body.covariance["contrast_2"]), strict=True)
    within = np.array([one in ids and two in ids for one, two in pairs], dtype=bool)
    found = {*contrasts["treatment_a"], *contrasts["treatment_b"]}
    return replace(
        body,
        contrasts=contrasts,
        covariance=body.covariance[within].reset_index(drop=True),
        variables=body.variables[keep].reset_index(drop=True),
        arms=body.arms[_of(body.arms, studies)].reset_index(drop=True),
        labels={name: label for name, label in body.labels.items() if name in found},
    )


def _of(rows: pd.DataFrame, studies: Set[str]) -> np.ndarray:
    return np.array([study in studies for study in cells(rows["study"])], dtype=bool)
