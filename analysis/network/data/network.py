"""The data of a network meta-analysis: contrasts in blocks of studies with equally many arms."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache, wraps
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from analysis.described import UNDESCRIBED, Described

if TYPE_CHECKING:
    import pandas as pd

Array = np.ndarray


def unit_label(unit: tuple[str, str]) -> str:
    """Name a unit of randomisation in print; the experiment only where it is not the main one."""
    study, experiment = unit
    return study if experiment == "main" else f"{study} / {experiment}"


@dataclass(frozen=True)
class Block:
    """All studies with the same number of arms, stacked, so that linear algebra runs over them at once.

    The first arm of a study is its base arm: the network's reference where the study has it, else the first
    treatment in alphabetical order; the other arms follow in alphabetical order. An arm is a treatment: two
    arms of one study with the same treatment have been combined before.

    Attributes
    ----------
    study : (s,) int array
        Index into `Network.studies`.
    treatment : (s, k) int array
        Index into `Network.treatments` of each arm, base arm first.
    y : (s, k - 1) array
        Effect of each further arm against the base arm, on the analysis scale.
    S : (s, k - 1, k - 1) array
        Covariance of `y`; off the diagonal the variance of the base arm (or what reported contrasts imply).
    """

    study: Array
    treatment: Array
    y: Array
    S: Array

    @property
    def k(self) -> int:
        """Number of arms of each study."""
        return int(self.treatment.shape[1])


@dataclass(frozen=True)
class ArmBlock:
    """Arm-level data of the same studies, in the same order and with the same arms as a `Block`.

    Attributes
    ----------
    study, treatment : arrays
        As in `Block`.
    events, n, exposure, mean, se : (s, k) array or None
        Counts (binary: events of n; rate: events in exposure) or means with their standard errors; None where
        the outcome is of another kind.
    """

    study: Array
    treatment: Array
    events: Array | None = None
    n: Array | None = None
    exposure: Array | None = None
    mean: Array | None = None
    se: Array | None = None


@cache
def _few_pairs(k: int) -> tuple[Array, Array]:
    found = np.triu_indices(k, 1)
    for index in found:
        index.setflags(write=False)
    return found


def pairs_of(k: int) -> tuple[Array, Array]:
    """List the pairs of k things by index, the lower first, in order: not to be changed."""
    return _few_pairs(k) if k <= _FEW else np.triu_indices(k, 1)


_FEW = 40
"""Things whose pairs are kept: arms of a study, treatments of all but very large networks."""

Found = TypeVar("Found")


def once(find: Callable[[Network], Found]) -> Callable[[Network], Found]:
    """Keep what a function finds of a network, beside it: networks do not change, and many tables ask for it.

    What it gives is not to be changed in place.
    """

    @wraps(find)
    def kept(net: Network) -> Found:
        known = vars(net).setdefault("_found", {})
        if kept not in known:
            known[kept] = find(net)
        return known[kept]

    return kept


@dataclass(frozen=True)
class Network:
    """Everything an engine needs, read once from the evidence.

    Attributes
    ----------
    outcome, measure : str
        What is compared, and how.
    scale : {"additive", "log"}
        Log for ratio measures: `Block.y` is then a log ratio.
    unit : str or None
        Unit of the outcome (and so of every MD).
    lower_is_better : bool or None
        Direction of benefit of the effect on the analysis scale; None if the outcome does not say.
    treatments : tuple of str
        Nodes: the reference first, then alphabetical.
    labels : dict of str to str
        Printed name of each treatment.
    studies : tuple of (study, experiment)
        Units of randomisation.
    blocks : tuple of Block
        Contrast data, one block for each number of arms, ascending.
    arms : tuple of ArmBlock or None
        Arm-level data in step with `blocks`, where the outcome was reported by arm.
    smallest_important_difference : float or None
        On the analysis scale.
    covariates : DataFrame or None
        One row per entry of `studies`, numeric or text columns for meta-regression.
    contrasts : DataFrame or None
        The pairwise contrasts behind the blocks (columns of the view ``contrast`` plus contrast_id), for
        tracing.
    n_by_treatment : dict of str to float
        Animals or participants by treatment.
    exclusions : DataFrame or None
        What did not enter and why: study, experiment, arm, reason, remedy.
    notes : tuple of (severity, message)
        What was decided on the way (time point taken, arms combined, reference chosen).
    measured : DataFrame or None
        The arms' measurements (`evidence.question.BodyOfEvidence.arms`).
    form : str or None
        Form of a measure that has several: of the SMD d or g.
    review : Described
        Names and order of what the review holds.
    """

    outcome: str
    measure: str
    scale: str
    treatments: tuple[str, ...]
    studies: tuple[tuple[str, str], ...]
    blocks: tuple[Block, ...]
    unit: str | None = None
    lower_is_better: bool | None = None
    labels: dict[str, str] = field(default_factory=dict)
    arms: tuple[ArmBlock, ...] | None = None
    smallest_important_difference: float | None = None
    covariates: pd.DataFrame | None = None
    contrasts: pd.DataFrame | None = None
    n_by_treatment: dict[str, float] = field(default_factory=dict)
    exclusions: pd.DataFrame | None = None
    notes: tuple[tuple[str, str], ...] = ()
    measured: pd.DataFrame | None = None
    form: str | None = None
    review: Described = UNDESCRIBED

    @property
    def reference(self) -> str:
        """The reference treatment, first of `treatments`."""
        return self.treatments[0]

    @property
    def n_arms(self) -> int:
        """Number of arms over all studies."""
        return sum(block.treatment.size for block in self.blocks)

    def study_label(self, index: int) -> str:
        """Name a unit of randomisation in print: see `unit_label`."""
        return unit_label(self.studies[index])
