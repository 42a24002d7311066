"""Small-study effects in a network: the comparison-adjusted funnel and its asymmetry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import nan

import numpy as np

from analysis.network.data.graph import comparisons
from analysis.network.data.network import Array, Network
from analysis.network.model.sources import direct_estimates
from evidence import facts
from evidence.errors import CallError, RefusedError


@dataclass(frozen=True)
class Funnel:
    """Comparisons within studies, each centred at the pooled direct estimate of the same two treatments.

    Attributes
    ----------
    study : (m,) int array
        Index into `Network.studies`.
    treatment, versus : (m,) int array
        Index into `Network.treatments`, the one earlier in the order first.
    estimate, std_error, centre : (m,) array
        `centre` is the pooled direct estimate.
    """

    study: Array
    treatment: Array
    versus: Array
    estimate: Array
    std_error: Array
    centre: Array

    @property
    def adjusted(self) -> Array:
        """Estimate less centre."""
        return self.estimate - self.centre


@dataclass(frozen=True)
class AsymmetryTest:
    """A test of asymmetry: its name, its numbers by quantity, and what is to be said of it."""

    name: str
    numbers: Mapping[str, float]
    notes: Sequence[str]


def comparison_adjusted(net: Network, tau2: float, order: Sequence[str]) -> Funnel:
    """Centre every comparison within studies at the pooled direct estimate of the same two treatments.

    Small-study effects show as asymmetry only if all comparisons point the same way, from the treatments
    expected to be favoured by small studies to the others: the order has to be chosen, it cannot be found
    in the data.

    Parameters
    ----------
    net : Network
    tau2 : float
        Heterogeneity variance in the direct estimates; 0 for the common-effect model.
    order : sequence of str
        All treatments; a comparison is the earlier minus the later one.

    Returns
    -------
    Funnel
        All comparisons of a multi-arm study, too.

    Raises
    ------
    CallError
        If the order is not one of all treatments.

    References
    ----------
    Chaimani A, Salanti G (2012). Res Synth Methods 3:161-76. doi:10.1002/jrsm.57
    """
    names = net.treatments
    if sorted(order) != sorted(names):
        missing, surplus = sorted(set(names) - set(order)), sorted(set(order) - set(names))
        told = [
            f"{', '.join(missing)} missing" if missing else "",
            f"{', '.join(surplus)} unknown" if surplus else "",
        ]
        why = "; ".join(part for part in told if part) or "a treatment stands twice"
        raise CallError(f"The order must name every treatment of the network once: {why}.")
    place = np.array([list(order).index(name) for name in names])
    rows = comparisons(net)
    first, second, direct, _ = direct_estimates(net, tau2)
    code = first * len(names) + second
    pooled = direct[np.searchsorted(code, rows.first * len(names) + rows.second)]
    forward = place[rows.second] < place[rows.first]
    sign = np.where(forward, 1.0, -1.0)
    key = [place[rows.first], place[rows.second]]
    sequence = np.lexsort((rows.study, np.maximum(*key), np.minimum(*key)))
    columns = (
        rows.study,
        np.where(forward, rows.second, rows.first),
        np.where(forward, rows.first, rows.second),
        sign * rows.estimate,
        np.sqrt(rows.variance),
        sign * pooled,
    )
    return Funnel(*(column[sequence] for column in columns))


def small_study_tests(
    net: Network, points: Funnel, predictor: str | None, anyway: bool
) -> list[AsymmetryTest]:
    """Test the funnel for asymmetry, by Egger's regression and Begg's rank test.

    Parameters
    ----------
    net : Network
    points : Funnel
    predictor, anyway
        As in `FrequentistFit.small_study_effects`, which see for what is raised.

    Returns
    -------
    list of AsymmetryTest
    """
    from analysis.pairwise.small_study import asymmetry as bias

    lopsided = facts.measure(net.measure).effect_in_variance
    chosen = predictor or (bias.OF_ARMS if lopsided else "se")
    if chosen not in ("se", bias.OF_ARMS):
        raise CallError(f"There is no predictor {chosen!r} in a network; there are se, {bias.OF_ARMS}.")
    strata, sizes = _strata(net, points)
    remarks = []
    if (n := len(points.study)) < bias.LEAST_EFFECTS:
        few = f"tests of asymmetry need at least {bias.LEAST_EFFECTS} comparisons; there are {n}"
        if not anyway:
            raise RefusedError(f"{few[0].upper()}{few[1:]}.")
        remarks.append(few)
    if any(block.k > 2 for block in net.blocks):
        remarks.append("comparisons of a multi-arm study are taken as independent")
    if alone := int((sizes == 1).sum()):
        remarks.append(f"{alone} comparisons of a single study lie on the line by construction")
    depends = f"the standard error of {net.measure} depends on the effect: asymmetry without any bias"
    y, v = points.adjusted, points.std_error**2
    # The weights, too, must not hold the effect. A centre that is estimated takes a degree of freedom.
    if chosen == bias.OF_ARMS:
        size = _arm_sizes(net, points)
        found = bias.egger(y, size, predictor=chosen, n=size, strata=strata).slope
        remarks.append("each comparison has an intercept of its own")
    else:
        found = bias.egger(y, v, predictor=chosen).slope
    numbers = {name: getattr(found, name)[0] for name in ("estimate", "std_error", "p_value")} | {
        "k": float(n)
    }
    said = [depends] if lopsided and chosen == "se" else []
    egger = AsymmetryTest("Egger", numbers, [f"on {chosen}", *said, *remarks])
    if lopsided and not anyway:
        return [egger, AsymmetryTest("Begg", {"refused": nan}, [depends])]
    rank = bias.begg(y, v)
    said = [depends] if lopsided else []
    return [
        egger,
        AsymmetryTest(
            "Begg", {"estimate": rank.tau, "p_value": rank.p_value, "k": float(n)}, [*said, *remarks]
        ),
    ]


def _strata(net: Network, points: Funnel) -> tuple[Array, Array]:
    """Give every pair of treatments a number, by name: of each point, (m,), and how many it has."""
    place = np.argsort(np.argsort(np.array(net.treatments)))
    code = place[points.treatment] * len(place) + place[points.versus]
    _, number, size = np.unique(code, return_inverse=True, return_counts=True)
    return number.ravel(), size


def _arm_sizes(net: Network, points: Funnel) -> Array:
    """Give 1/n1 + 1/n2 of each comparison within a study, n summed over its arms of one treatment."""
    contrasts = net.contrasts
    sizes: dict[tuple[str, ...], dict[str, float]] = {}
    if contrasts is not None and {"n_a", "n_b"} <= set(contrasts):
        for side in ("a", "b"):
            names = [f"{name}_{side}" for name in ("treatment", "arm", "n")]
            for study, experiment, treatment, arm, n in contrasts[["study", "experiment", *names]].itertuples(
                index=False
            ):
                sizes.setdefault((study, experiment, treatment), {})[arm] = float(n)

    def inverse(study: int, treatment: int) -> float:
        n = sum(sizes.get((*net.studies[study], net.treatments[treatment]), {}).values())
        return 1.0 / n if n > 0 else nan

    size = np.array(
        [inverse(s, a) + inverse(s, b) for s, a, b in zip(points.study, points.treatment, points.versus)]
    )
    if unknown := sorted({net.studies[s][0] for s in points.study[~np.isfinite(size)]}):
        raise RefusedError(
            f"A test of asymmetry of {net.measure} needs the number of participants of every arm, for its "
            f"standard error depends on the effect; there is none in {', '.join(unknown)}."
        )
    return size
