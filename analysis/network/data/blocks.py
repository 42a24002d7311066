"""Studies with their effects against one base arm, stacked by number of arms."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import permutations
from typing import TYPE_CHECKING

import numpy as np

from analysis.network.data.network import ArmBlock, Array, Block, Network
from evidence.errors import CallError, Problem, RefusedError
from evidence.system.frames import cells

if TYPE_CHECKING:
    import pandas as pd

# Effects of one study must add up; reported numbers are rounded. Effects are taken that lie within a
# hundredth of the study's smallest standard error of effects that do, whatever the unit.
ROUNDING = 0.01


def to_base(treatment: Array, effect: Array, gram: Array) -> Block:
    """Hold the effects of stacked studies against each study's first treatment.

    Parameters
    ----------
    treatment : (s, k) int array
        Treatments of the arms, in any order.
    effect : (s, k) array
        Effects of the arms up to a constant of the study.
    gram : (s, k, k) array
        Any matrix with ``gram[i, i] + gram[j, j] - 2 gram[i, j]`` the variance of arm j minus arm i, and so
        for all covariances of differences.

    Returns
    -------
    Block
        With `study` 0 to s - 1.
    """
    order = np.argsort(treatment, axis=1)
    treatment = np.take_along_axis(treatment, order, axis=1)
    effect = np.take_along_axis(effect, order, axis=1)
    gram = np.take_along_axis(np.take_along_axis(gram, order[:, :, None], axis=1), order[:, None, :], axis=2)
    S = gram[:, 1:, 1:] - gram[:, 1:, :1] - gram[:, :1, 1:] + gram[:, :1, :1]
    return Block(np.arange(len(treatment)), treatment, effect[:, 1:] - effect[:, :1], S)


def set_reference(net: Network, reference: str) -> Network:
    """Give the same network another reference treatment.

    Parameters
    ----------
    net : Network
    reference : str
        One of its treatments.

    Returns
    -------
    Network

    Raises
    ------
    CallError
        If the network has no such treatment.
    """
    if reference == net.reference:
        return net
    if reference not in net.treatments:
        raise CallError(
            f"The network has no treatment {reference!r}; there are {', '.join(sorted(net.treatments))}."
        )
    names = (reference, *sorted(name for name in net.treatments if name != reference))
    place = np.array([names.index(name) for name in net.treatments])
    blocks, arms = [], []
    for b, block in enumerate(net.blocks):
        studies, k = block.treatment.shape
        gram = np.zeros((studies, k, k))
        gram[:, 1:, 1:] = block.S
        moved = place[block.treatment]
        based = to_base(moved, np.concatenate([np.zeros((studies, 1)), block.y], axis=1), gram)
        blocks.append(replace(based, study=block.study))
        if net.arms is not None:
            order = np.argsort(moved, axis=1)
            old = net.arms[b]
            values = {
                name: None
                if (value := getattr(old, name)) is None
                else np.take_along_axis(value, order, axis=1)
                for name in ("events", "n", "exposure", "mean", "se")
            }
            arms.append(ArmBlock(block.study, blocks[-1].treatment, **values))
    return replace(
        net, treatments=names, blocks=tuple(blocks), arms=tuple(arms) if net.arms is not None else None
    )


@dataclass(frozen=True)
class Studies:
    """Arms and comparisons of all studies, numbered.

    Attributes
    ----------
    labels : tuple of str
        Printed name of each study.
    names : tuple of str
        Treatments of the network, the reference first.
    first, size : (s,) int arrays
        Where a study's arms begin, and how many they are.
    treatment : (a,) int array
        Treatment of each arm; within a study ascending.
    arm : (a,) array of str
        Name of each arm.
    n : (a,) array
        Animals or participants of each arm; NaN where not known.
    study, low, high : (m,) int arrays
        Of each comparison: its study and its arms, counted within the study, ``low < high``.
    effect, variance : (m,) arrays
        Of arm `high` minus arm `low`.
    sign : (m,) array
        1 where the comparison was given in that direction, else -1.
    """

    labels: tuple[str, ...]
    names: tuple[str, ...]
    first: Array
    size: Array
    treatment: Array
    arm: Array
    n: Array
    study: Array
    low: Array
    high: Array
    effect: Array
    variance: Array
    sign: Array


def number_arms(
    labels: Sequence[str], names: Sequence[str], arm: pd.DataFrame, row: pd.DataFrame, contrast: pd.DataFrame
) -> Studies:
    """Order the arms of each study by treatment, the reference first, then by name.

    Parameters
    ----------
    labels, names : sequence of str
        Studies, and treatments with the reference first.
    arm : DataFrame
        unit, arm, treatment, n; one row per arm.
    row : DataFrame
        unit, a, b: positions in `arm`, one row per comparison.
    contrast : DataFrame
        estimate (of a minus b), std_error; in step with `row`.

    Returns
    -------
    Studies
    """
    index = {name: t for t, name in enumerate(names)}
    treatment, unit = np.array([index[name] for name in cells(arm["treatment"])]), arm["unit"].to_numpy()
    order = np.lexsort((np.arange(len(arm)), treatment, unit))
    size = np.bincount(unit, minlength=len(labels))
    first = np.cumsum(size) - size
    position = np.empty(len(arm), dtype=int)
    position[order] = np.arange(len(arm)) - first[unit[order]]
    a, b = position[row["a"]], position[row["b"]]
    sign = np.where(a > b, 1.0, -1.0)
    return Studies(
        tuple(labels),
        tuple(names),
        first,
        size,
        treatment[order],
        arm["arm"].to_numpy()[order],
        arm["n"].to_numpy(dtype=float)[order],
        row["unit"].to_numpy(),
        np.minimum(a, b),
        np.maximum(a, b),
        sign * contrast["estimate"].to_numpy(),
        contrast["std_error"].to_numpy() ** 2,
        sign,
    )


def stack(
    studies: Studies, covariances: Callable[[], Mapping[tuple[int, int], float]], measure: str
) -> tuple[tuple[Block, ...], list[tuple[str, str]]]:
    """Turn comparisons into blocks: all at once where a study lists all pairs of different treatments.

    Parameters
    ----------
    studies : Studies
    covariances : callable
        Gives the covariances of comparisons, as they were reported, by their positions; called where needed.
    measure : str
        Standardised differences follow a rule of their own.

    Returns
    -------
    blocks : tuple of Block
    notes : list of (severity, message)
        Studies in which arms were combined.

    Raises
    ------
    RefusedError
        If studies contradict themselves or do not say what their comparisons share; all of them by name.
    """
    size = studies.size
    of_arm = np.repeat(np.arange(len(size)), size)
    repeated = np.zeros(len(size), dtype=bool)
    repeated[of_arm[1:][(np.diff(of_arm) == 0) & (np.diff(studies.treatment) == 0)]] = True
    listed = np.bincount(studies.study, minlength=len(size))
    simple = ~repeated & (listed == size * (size - 1) // 2)

    problems: list[Problem] = []
    notes: list[tuple[str, str]] = []
    found: dict[int, list[Block]] = {}
    by_pair = np.lexsort((studies.high, studies.low, studies.study))
    for k in np.unique(size[simple]).tolist():
        members = np.flatnonzero(simple & (size == k))
        rows = by_pair[(simple & (size == k))[studies.study[by_pair]]].reshape(len(members), -1)
        treatment = studies.treatment[studies.first[members][:, None] + np.arange(k)]
        effect, variance = studies.effect[rows], studies.variance[rows]
        gram, centred = _from_pairs(k, effect, variance)
        block = replace(to_base(treatment, centred, gram), study=members)
        found.setdefault(k, []).append(block)
        if k > 2:
            problems += _contradictions(studies, block, effect, variance, centred, measure)
    given = {} if simple.all() else covariances()
    for s in np.flatnonzero(~simple).tolist():
        reduced = _reduce_study(studies, s, given, measure)
        if isinstance(reduced, Problem):
            problems.append(reduced)
            continue
        found.setdefault(reduced.k, []).append(reduced)
    if problems:
        raise RefusedError("These multi-arm studies cannot be used:", problems)
    if repeated.any():
        combined = ", ".join(studies.labels[s] for s in np.flatnonzero(repeated).tolist())
        notes.append(
            (
                "info",
                f"Arms with the same treatment were combined by their precision in: {combined}. What "
                "such arms differ by (dose, route) counts as neither heterogeneity nor inconsistency here.",
            )
        )
    return tuple(_join(found[k]) for k in sorted(found)), notes


def _join(parts: Sequence[Block]) -> Block:
    study, treatment, y, S = (
        np.concatenate([getattr(part, name) for part in parts]) for name in ("study", "treatment", "y", "S")
    )
    order = np.argsort(study)
    return Block(study[order], treatment[order], y[order], S[order])


def _from_pairs(k: int, effect: Array, variance: Array) -> tuple[Array, Array]:
    """Covariance (up to what differences do not see) and centred effects of arms, from all pairs of k arms.

    With V the variances of the differences, S_ab = (V_0a + V_0b - V_ab) / 2, so -V / 2 serves as Gram matrix.
    The effects are the means over all pairs, so that rounded reports do not depend on the order of
    treatments.
    """
    i, j = np.triu_indices(k, 1)
    difference = np.zeros((len(effect), k, k))
    difference[:, i, j], difference[:, j, i] = effect, -effect
    gram = np.zeros_like(difference)
    gram[:, i, j] = gram[:, j, i] = -variance / 2
    return gram, difference.mean(axis=1)


def _told(names: Sequence[str], low: Array, high: Array, values: Array) -> str:
    """Write comparisons out, for a person to find in the report."""
    pairs = zip(low.tolist(), high.tolist(), values.tolist())
    return ", ".join(f"{names[j]} - {names[i]}: {value:.6g}" for i, j, value in pairs)


def _not_adding_up(study: str, told: str) -> Problem:
    return Problem(
        f"the effects do not add up ({told})", "effects that add up around every loop", study=study
    )


def _no_covariance(study: str, told: str) -> Problem:
    return Problem(
        f"no covariance of the arms gives these standard errors ({told})",
        "the standard errors as the study reports them",
        study=study,
    )


def _contradictions(
    studies: Studies, block: Block, effect: Array, variance: Array, centred: Array, measure: str
) -> list[Problem]:
    """Name the studies whose effects do not add up, or whose standard errors fit no covariance."""
    i, j = np.triu_indices(block.k, 1)
    moved = np.abs(effect - (centred[:, j] - centred[:, i])).max(axis=1)
    valid = positive_definite(block.S)
    if measure != "SMD":
        # A difference of independent arms varies by the sum of their variances, and none of these can be
        # negative. (Standardised differences share their SD, so there the arms are not independent.)
        V = np.zeros((len(variance), block.k, block.k))
        V[:, i, j] = V[:, j, i] = variance
        for c, p, q in permutations(range(block.k), 3):
            valid &= V[:, c, p] + V[:, c, q] - V[:, p, q] >= -1e-9 * V[:, p, q]
    problems = []
    for s, study in enumerate(block.study.tolist()):
        names = [studies.names[t] for t in block.treatment[s].tolist()]
        if moved[s] > ROUNDING * np.sqrt(variance[s].min()):
            problems.append(_not_adding_up(studies.labels[study], _told(names, i, j, effect[s])))
        if not valid[s]:
            told = _told(names, i, j, np.sqrt(variance[s]))
            problems.append(_no_covariance(studies.labels[study], told))
    return problems


def positive_definite(S: Array) -> Array:
    """Say of each (m, m) matrix of a stack whether it is positive definite, whatever its unit."""
    scale = np.sqrt(np.clip(np.diagonal(S, axis1=-2, axis2=-1), 0, None))
    with np.errstate(divide="ignore", invalid="ignore"):
        correlation = S / (scale[..., :, None] * scale[..., None, :])
    proper = np.isfinite(correlation).all(axis=(-2, -1))
    safe = np.where(proper[..., None, None], correlation, np.eye(S.shape[-1]))
    return proper & (np.linalg.eigvalsh(safe)[..., 0] > 1e-12)


def _reduce_study(
    studies: Studies, s: int, covariance: Mapping[tuple[int, int], float], measure: str
) -> Block | Problem:
    """Reduce a study with several arms of a treatment, or not all comparisons, to effects of treatments.

    Comparisons along a spanning tree of the arms say all; their covariance is given, or solved from the
    variances of other comparisons, or, of standardised differences without a common arm, d_1 d_2 / (2 N)
    (Crippa and Orsini 2016, doi:10.1186/s12874-016-0189-0). Arms with the same treatment are then combined
    by generalised least squares. Returns a block of one study, or why there is none.
    """
    k, name = int(studies.size[s]), studies.labels[s]
    arms = slice(studies.first[s], studies.first[s] + k)
    treatment, arm = studies.treatment[arms], studies.arm[arms].tolist()
    rows = np.flatnonzero(studies.study == s)
    low, high, effect, variance = (
        values[rows] for values in (studies.low, studies.high, studies.effect, studies.variance)
    )
    tree = _spanning_tree(k, low, high)
    if len(tree) < k - 1:
        linked = set(low[tree].tolist()) | set(high[tree].tolist())
        apart = ", ".join(arm[i] for i in range(k) if i not in linked)
        return Problem(
            f"no comparison links {apart} to the other arms", "make them experiments of their own", study=name
        )
    total = studies.n[arms].sum()
    C = np.diag(variance[tree])
    V = np.full((k, k), np.nan)
    V[low, high] = V[high, low] = variance
    np.fill_diagonal(V, 0.0)
    for p, r in enumerate(tree):
        for q, t in enumerate(tree[:p]):
            value = covariance.get((int(rows[r]), int(rows[t])))
            if value is not None:
                value *= studies.sign[rows[r]] * studies.sign[rows[t]]
            else:
                i, j, g, h = low[r], high[r], low[t], high[t]
                value = (V[i, h] + V[j, g] - V[j, h] - V[i, g]) / 2
                if np.isnan(value) and len({i, j, g, h}) == 4:
                    # Independent arms share nothing; standardised differences share the SD of their study.
                    value = effect[r] * effect[t] / (2 * total) if measure == "SMD" else 0.0
            if np.isnan(value):
                pairs, told = k * (k - 1) // 2, ", ".join(arm)
                missing = [f"{arm[j]} - {arm[i]}" for i in range(k) for j in range(i) if np.isnan(V[i, j])]
                return Problem(
                    f"{len(rows)} of {pairs} comparisons of its {k} arms ({told}), and the variance "
                    "that they share is not known",
                    f"add {', '.join(missing)}, or var_base, the variance of the base arm"
                    + (", and n of every arm" if measure == "SMD" else ""),
                    study=name,
                )
            C[p, q] = C[q, p] = value
    if not positive_definite(C[None])[0]:
        return _no_covariance(name, _told(arm, low, high, np.sqrt(variance)))
    incidence = np.zeros((k - 1, k))
    incidence[np.arange(k - 1), high[tree]] = 1.0
    incidence[np.arange(k - 1), low[tree]] = -1.0
    effects = np.linalg.lstsq(incidence, effect[tree], rcond=None)[0]
    if (np.abs(effect - (effects[high] - effects[low])) > ROUNDING * np.sqrt(variance.min())).any():
        return _not_adding_up(name, _told(arm, low, high, effect))
    members, of_arm = np.unique(treatment, return_inverse=True)
    X = (incidence @ np.eye(len(members))[of_arm])[:, 1:]
    root = np.linalg.cholesky(C)
    white, y = np.linalg.solve(root, X), np.linalg.solve(root, effect[tree])
    S = np.linalg.inv(white.T @ white)
    return Block(np.array([s]), members[None], (S @ white.T @ y)[None], S[None])


def _spanning_tree(k: int, low: Array, high: Array) -> list[int]:
    """Choose comparisons that link the arms, around the arm with the most of them."""
    start = int(np.argmax(np.bincount(np.concatenate([low, high]), minlength=k)))
    reached, queue, tree = {start}, [start], []
    while queue:
        at = queue.pop(0)
        for r, ends in enumerate(zip(low.tolist(), high.tolist())):
            if at in ends and (other := sum(ends) - at) not in reached:
                reached.add(other)
                queue.append(other)
                tree.append(r)
    return tree


def arm_blocks(net: Network, arm: pd.DataFrame) -> tuple[ArmBlock, ...] | None:
    """Put arm-level data in step with the blocks of a network.

    Counts of arms with the same treatment are added; means are combined by their precision.

    Parameters
    ----------
    net : Network
    arm : DataFrame
        study, experiment, treatment, and events with n or exposure, or mean with se.

    Returns
    -------
    tuple of ArmBlock, or None
        None where an arm of the network lacks its data.
    """
    number = {unit: u for u, unit in enumerate(net.studies)}
    index = {name: t for t, name in enumerate(net.treatments)}
    units = zip(cells(arm["study"]), cells(arm["experiment"]))
    unit = np.array([number.get(u, -1) for u in units], dtype=int)
    treatment = np.array([index.get(t, -1) for t in cells(arm["treatment"])], dtype=int)
    used = (unit >= 0) & (treatment >= 0)
    cell = unit[used] * len(net.treatments) + treatment[used]
    size = len(net.studies) * len(net.treatments)

    def total(values: Array) -> Array:
        sums = np.zeros(size)
        np.add.at(sums, cell, values)
        return sums

    def column(name: str) -> Array | None:
        if name not in arm or arm[name].isna().all():
            return None
        return arm[name].to_numpy(dtype=float)[used]

    values: dict[str, Array] = {}
    events, n, exposure, mean, se = (column(name) for name in ("events", "n", "exposure", "mean", "se"))
    if events is not None and (n is not None or exposure is not None):
        counts = {"events": events, "n": n, "exposure": exposure}
        values = {name: total(value) for name, value in counts.items() if value is not None}
    elif mean is not None and se is not None:
        precision = total(1 / se**2)
        with np.errstate(divide="ignore", invalid="ignore"):
            values = {"mean": total(mean / se**2) / precision, "se": 1 / np.sqrt(precision)}
        if n is not None:
            values["n"] = total(n)
    if not values:
        return None
    present = np.zeros(size, dtype=bool)
    present[cell] = True
    blocks = []
    for block in net.blocks:
        at = block.study[:, None] * len(net.treatments) + block.treatment
        found = {name: value[at] for name, value in values.items()}
        complete = present[at].all() and all(np.isfinite(value).all() for value in found.values())
        if not complete:
            return None
        blocks.append(ArmBlock(block.study, block.treatment, **found))
    return tuple(blocks)
