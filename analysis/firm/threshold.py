"""Thresholds: by how much what studies found would have to change before another decision would be taken.

With the heterogeneity held as it was found (its estimate, or its posterior), estimates and posterior means
are linear in the studies' effects. So the change of one effect at which a decision turns follows from one
fit, whatever caused it: bias, error, or chance (Phillippo et al. 2018, doi:10.1111/rssa.12341; as an
alternative to GRADE 2019, doi:10.7326/M18-3542). Standard errors stay as they are.

A data point is a study's effect, of studies of several arms each arm against all its others, or all that
studies say of one comparison.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.firm.decision import Decision
from analysis.network.data.network import Array, Network
from analysis.network.model.rows import block_rows
from analysis.network.model.specification import effect_scale, refuse_disconnected
from analysis.network.protocol import Response
from analysis.results import frame
from analysis.roots import zero_between
from evidence.errors import CallError, RefusedError
from evidence.facts import NORMAL_975
from evidence.system.progress import counted

if TYPE_CHECKING:
    import pandas as pd

    from analysis.network.result import NetworkFit

NONE_BELOW = 1e-10
"""Share of a point's largest influence below which its influence on a difference is rounding error of 0."""
REACH = 10.0
"""Largest effects observed in any study up to which thresholds are sought with tau estimated anew."""
_STEPS = (0.25, 0.5, 0.75, 0.95, 1.05, 1.25, 1.5, 2.0, 3.0, 5.0, 8.0)
"""Shares of a threshold at which the decision is taken again before its place is sought."""
_FAR = tuple(np.geomspace(0.02, 1.0, 12).tolist())
"""Shares of the furthest change that is looked at, where there is no threshold to begin with."""


@dataclass(frozen=True)
class Point:
    """Something that studies found, which may be wrong.

    Attributes
    ----------
    level : {"study", "comparison"}
    study : int or None
        Index into `Network.studies`; None of a comparison.
    treatment, versus : int
        What it is the effect of, as indices into `Network.treatments`; of studies of several arms the arm
        that is moved against all its others, and one of these.
    n_arms, n_studies : int or None
        Arms of the study; studies behind a comparison.
    estimate, std_error : float
    change : (T,) array
        What one unit more does to the treatments' effects against the reference.
    moves : tuple of (block, row, (k - 1,) array)
        What one unit more is in the studies' data; empty where it is not a matter of single studies' effects.
    """

    level: str
    study: int | None
    treatment: int
    versus: int
    n_arms: int | None
    n_studies: int | None
    estimate: float
    std_error: float
    change: Array
    moves: tuple[tuple[int, int, Array], ...]


@dataclass(frozen=True)
class Side:
    """Where a decision turns when a point moves one way.

    Attributes
    ----------
    change : float
        Of the point: at most 0 below, at least 0 above; infinite where no change turns the decision.
    decision : tuple of int or None
        What would be decided beyond; None where nothing turns.
    """

    change: float
    decision: tuple[int, ...] | None


def thresholds(
    fit: NetworkFit,
    decision: str = "best",
    *,
    refit: int = 0,
    plausible_bias: float | None = None,
) -> pd.DataFrame:
    """Say how much each study's effect, and each comparison's, would have to change to change a decision.

    Parameters
    ----------
    fit : NetworkFit
        Of the engine frequentist or exact.
    decision : str
        See `analysis.firm.decision.Decision.read`.
    refit : int
        How many studies' effects, and how many comparisons, those with the nearest thresholds first, have
        them found again with tau estimated anew after every change. Not comparisons that studies of several
        arms make.
    plausible_bias : float, optional
        On the analysis scale: a bias that a study may well have, kept beside the thresholds.

    Returns
    -------
    DataFrame
        Columns of ``thresholds``: studies before comparisons, those with the nearest threshold first.

    Raises
    ------
    CallError
        If the engine has none, or the decision cannot be read.
    RefusedError
        If the outcome has no direction of benefit, or the network falls into parts.
    """
    net = fit.network
    refuse_disconnected(net)
    rule = Decision.read(decision, net)
    if plausible_bias is not None and not 0 <= plausible_bias < math.inf:
        raise CallError(f"plausible_bias is {plausible_bias!r}; a bias that may well be is 0 or more.")
    if refit < 0:
        raise CallError(f"refit is {refit}; it counts thresholds.")
    rows: list[dict[str, Any]] = []
    for model in fit.models:
        response = fit.response(model)
        now = rule.taken(response.effect)
        found = nearest_first(points(fit, model, response), rule, now, response.effect)
        again = _refitted(fit, model, rule, now, found, refit) if refit else {}
        for index, (point, lower, upper) in enumerate(found):
            rows.append(
                _row(fit, point, (lower, upper), rule, again.get(index))
                | {
                    "engine": fit.engine,
                    "model": model,
                    "decision": rule.text,
                    "decided": rule.worded(now, net.treatments),
                    "plausible_bias": plausible_bias,
                }
            )
    return frame("thresholds", rows)


def nearest_first(
    found: Iterable[Point], rule: Decision, now: tuple[int, ...], effect: Array
) -> list[tuple[Point, Side, Side]]:
    """Find the thresholds of points and put the nearest first, studies before comparisons."""
    some = list(found)
    below, above = sides(rule, now, effect, np.array([point.change for point in some]).T)
    listed = list(zip(some, below, above))
    return sorted(
        listed, key=lambda one: (one[0].level != "study", min(-one[1].change, one[2].change, math.inf))
    )


def sides(
    rule: Decision, now: tuple[int, ...], effect: Array, change: Array
) -> tuple[list[Side], list[Side]]:
    """Find where a decision turns, moving data points one at a time.

    Parameters
    ----------
    rule : Decision
    now : tuple of int
        The decision on `effect`.
    effect : (T,) array
    change : (T, N) array
        What one unit more of each point does to the effects.

    Returns
    -------
    below, above : list of Side
        Of each point.
    """
    if not rule.convex:
        both = [_by_steps(rule, now, effect, change[:, n]) for n in range(change.shape[1])]
        return [one[0] for one in both], [one[1] for one in both]
    a, b, slack = rule.bounds(now, len(effect))
    room = np.maximum(rule.sign * (effect[a] - effect[b]) + slack, 0.0)
    slope = rule.sign * (change[a] - change[b])
    slope[np.abs(slope) < NONE_BELOW * np.abs(change).max(0, initial=0.0)] = 0.0
    found = []
    for way in (-1.0, 1.0):
        with np.errstate(divide="ignore", invalid="ignore"):
            reach = np.where(way * slope < 0, room[:, None] / np.abs(slope), math.inf)
        nearest = reach.min(0)
        # Of those that come at once, the one that changes fastest leads beyond.
        at_once = reach <= nearest * (1 + 1e-12)
        first = np.where(at_once, -way * slope, -math.inf).argmax(0)
        found.append(
            [
                Side(way * far, None if math.isinf(far) else rule.after(now, int(a[i]), int(b[i])))
                for far, i in zip(nearest.tolist(), first.tolist())
            ]
        )
    return found[0], found[1]


def _by_steps(rule: Decision, now: tuple[int, ...], effect: Array, change: Array) -> list[Side]:
    """Find where a decision turns by taking it anew between all places where it may turn."""
    a, b = np.nonzero(~np.eye(len(effect), dtype=bool))
    slope = change[a] - change[b]
    slope[np.abs(slope) < NONE_BELOW * np.abs(change).max()] = 0.0
    crosses = slope != 0
    places = (rule.margin - (effect[a] - effect[b]))[crosses] / slope[crosses]
    found = []
    for way in (-1.0, 1.0):
        ahead = np.unique(np.abs(places[way * places >= 0]))
        between = np.append((ahead[:-1] + ahead[1:]) / 2, 2 * ahead[-1:] + 1)
        turned: Iterator[tuple[float, tuple[int, ...] | None]] = (
            (far, other)
            for far, beyond in zip(ahead.tolist(), between.tolist())
            if (other := rule.taken(effect + way * beyond * change)) != now
        )
        reach, then = next(turned, (math.inf, None))
        found.append(Side(way * reach, then))
    return found


# --- data points ------------------------------------------------------------------------------------------


def points(fit: NetworkFit, model: str, response: Response) -> Iterator[Point]:
    """List the data points of a network: studies in its order, then comparisons."""
    return chain(_of_studies(fit.network, response), _of_comparisons(fit, model, response))


def _of_studies(net: Network, response: Response) -> Iterator[Point]:
    start = 0
    for index, (block, rotated) in enumerate(zip(net.blocks, block_rows(net))):
        s, q, m = rotated.rotation.shape
        own = response.rows[:, start : start + s * q].reshape(-1, s, q)
        start += s * q
        further = np.einsum("tsq,sqm->tsm", own, rotated.rotation)
        each = np.concatenate([-further.sum(2, keepdims=True), further], axis=2)
        variance = np.diagonal(block.S, axis1=1, axis2=2)
        unit = np.concatenate([-np.ones((1, m)), np.eye(m)])
        for row, study in enumerate(block.study.tolist()):
            # The base arm of two arms is the other one, turned.
            for arm in range(1 if block.k == 2 else 0, block.k):
                other = 0 if arm else 1
                yield Point(
                    "study",
                    study,
                    int(block.treatment[row, arm]),
                    int(block.treatment[row, other]),
                    block.k,
                    None,
                    float(block.y[row, arm - 1] if arm else -block.y[row, 0]),
                    math.sqrt(variance[row, arm - 1 if arm else 0]),
                    each[:, row, arm],
                    ((index, row, unit[arm]),),
                )


def _of_comparisons(fit: NetworkFit, model: str, response: Response) -> Iterator[Point]:
    net, known = fit.network, fit.sources[model]
    place = {pair: c for c, pair in enumerate(zip(known.first.tolist(), known.second.tolist()))}
    simple = _two_arm_moves(net)
    for e, pair in enumerate(zip(response.low.tolist(), response.high.tolist())):
        c = place[pair]
        yield Point(
            "comparison",
            None,
            pair[1],
            pair[0],
            None,
            int(fit.studies_comparing[pair]),
            float(known.direct[c]),
            math.sqrt(known.variance[c]),
            response.pairs[:, e],
            simple.get(pair, ()),
        )


def _two_arm_moves(net: Network) -> dict[tuple[int, int], tuple[tuple[int, int, Array], ...]]:
    """Say what one unit more of a comparison is in its studies, where none of them has further arms."""
    found: dict[tuple[int, int], list[tuple[int, int, Array]]] = {}
    several: set[tuple[int, int]] = set()
    for index, block in enumerate(net.blocks):
        for row, arms in enumerate(block.treatment.tolist()):
            if block.k > 2:
                several |= {(min(a, b), max(a, b)) for a in arms for b in arms if a != b}
                continue
            turn = 1.0 if arms[1] > arms[0] else -1.0
            found.setdefault((min(arms), max(arms)), []).append((index, row, np.array([turn])))
    return {pair: tuple(moves) for pair, moves in found.items() if pair not in several}


# --- tau estimated anew -----------------------------------------------------------------------------------


def moved(net: Network, point: Point, change: float) -> Network:
    """Give the network in which a point has changed, standard errors as they are.

    Parameters
    ----------
    net : Network
    point : Point
        With `moves`.
    change : float
        On the analysis scale.

    Returns
    -------
    Network
    """
    effects = [block.y.copy() for block in net.blocks]
    for block, row, unit in point.moves:
        effects[block][row] += change * unit
    return replace(net, blocks=tuple(replace(b, y=y) for b, y in zip(net.blocks, effects)))


def _refitted(
    fit: NetworkFit,
    model: str,
    rule: Decision,
    now: tuple[int, ...],
    found: Sequence[tuple[Point, Side, Side]],
    most: int,
) -> dict[int, tuple[Side, Side]]:
    """Find thresholds again with tau estimated anew, of the nearest points of each level."""
    able = [index for index, (point, *_) in enumerate(found) if point.moves]
    some = [
        index
        for level in ("study", "comparison")
        for index in [one for one in able if found[one][0].level == level][:most]
    ]
    return {
        index: (
            _sought(fit, model, rule, now, found[index][0], found[index][1], -1.0),
            _sought(fit, model, rule, now, found[index][0], found[index][2], 1.0),
        )
        for index in counted(some, len(some), "refitting after changes")
    }


def _sought(
    fit: NetworkFit, model: str, rule: Decision, now: tuple[int, ...], point: Point, side: Side, way: float
) -> Side:
    """Find the nearest change one way beyond which a refit leads to another decision."""
    far = REACH * effect_scale(fit.network)
    effects: dict[float, Array] = {}

    def decided(change: float) -> tuple[int, ...]:
        if change not in effects:
            effects[change] = fit.refitted(model, moved(fit.network, point, way * change))
        return rule.taken(effects[change])

    known = abs(side.change)
    looked = sorted({far * share for share in _FAR} | {known * step for step in _STEPS if known * step < far})
    last = 0.0
    for change in looked:
        if (other := decided(change)) != now:
            return Side(way * _turn(rule, now, decided, effects, last, change), other)
        last = change
    return Side(way * math.inf, None)


def _turn(
    rule: Decision, now: tuple[int, ...], decided: Any, effects: dict[float, Array], low: float, high: float
) -> float:
    """Find the change between two at which the decision turns."""
    if not rule.convex:
        while high - low > 1e-9 * high:
            middle = (low + high) / 2
            low, high = (middle, high) if decided(middle) == now else (low, middle)
        return high

    def room(change: float) -> float:
        decided(change)
        a, b, slack = rule.bounds(now, len(effects[change]))
        return float((rule.sign * (effects[change][a] - effects[change][b]) + slack).min())

    return high if room(low) <= 0 else zero_between(room, low, high, relative=1e-12)


# --- rows -------------------------------------------------------------------------------------------------


def _row(
    fit: NetworkFit, point: Point, sides: tuple[Side, Side], rule: Decision, again: tuple[Side, Side] | None
) -> dict[str, Any]:
    net = fit.network
    study, experiment = (None, None) if point.study is None else net.studies[point.study]
    reach = NORMAL_975 * point.std_error
    row = {
        "level": point.level,
        "study": study,
        "experiment": experiment,
        "treatment": net.treatments[point.treatment],
        "versus": net.treatments[point.versus],
        "n_arms": point.n_arms,
        "n_studies": point.n_studies,
        "estimate": point.estimate,
        "std_error": point.std_error,
        "ci_lower": point.estimate - reach,
        "ci_upper": point.estimate + reach,
        "nearest": _number(min(-sides[0].change, sides[1].change)),
        "refitted": again is not None,
    }
    for name, side in zip(("lower", "upper"), sides):
        row[name] = _number(side.change)
        row[f"invariant_{name}"] = _number(point.estimate + side.change)
        row[f"{name}_decision"] = _named(side, rule, net)
    for name, side in zip(("lower", "upper"), again or ()):
        row[f"refitted_{name}"] = _number(side.change)
        row[f"refitted_{name}_decision"] = _named(side, rule, net)
    return row


def _named(side: Side, rule: Decision, net: Network) -> str | None:
    return None if side.decision is None else rule.worded(side.decision, net.treatments)


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None


# --- two points at once -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Region:
    """Changes of two data points that leave a decision as it is: a polygon around no change.

    Attributes
    ----------
    x, y : (v,) arrays
        Corners, anticlockwise.
    edge : tuple of (tuple of int or None)
        What is decided beyond the edge from each corner to the next; None where only the window ends it.
    x_window, y_window : (float, float)
        Changes that were looked at.
    """

    x: Array
    y: Array
    edge: tuple[tuple[int, ...] | None, ...]
    x_window: tuple[float, float]
    y_window: tuple[float, float]


def region(
    rule: Decision,
    effect: Array,
    change: Array,
    windows: tuple[tuple[float, float], tuple[float, float]] | None = None,
) -> Region:
    """Find the changes of two data points together that leave a decision as it is.

    Parameters
    ----------
    rule : Decision
    effect : (T,) array
    change : (T, 2) array
        What one unit more of each point does to the effects.
    windows : ((low, high), (low, high)), optional
        Changes to look at; without them all that is needed to see the thresholds of each point alone.

    Returns
    -------
    Region

    Raises
    ------
    RefusedError
        If the decision is one of several regions, or hangs in the balance.
    """
    from scipy.spatial import HalfspaceIntersection

    if not rule.convex:
        raise RefusedError(
            "The important treatments leave no region with straight edges: take best, top 2 or a claim."
        )
    now = rule.taken(effect)
    a, b, slack = rule.bounds(now, len(effect))
    room = rule.sign * (effect[a] - effect[b]) + slack
    if room.min() <= 0:
        raise RefusedError("The decision hangs in the balance: two treatments are equally good.")
    slope = rule.sign * (change[a] - change[b])
    windows = windows or _windows(rule, now, effect, change)
    scale = np.array([max(abs(low), abs(high)) for low, high in windows])
    # In units of the window, so that the geometry is as exact for any unit of the outcome.
    lines = np.column_stack([-slope * scale, -room]) / room[:, None]
    box = [[-1.0, 0.0, low / scale[0]] for low in windows[0][:1]] + [[1.0, 0.0, -windows[0][1] / scale[0]]]
    box += [[0.0, -1.0, windows[1][0] / scale[1]], [0.0, 1.0, -windows[1][1] / scale[1]]]
    found = HalfspaceIntersection(np.vstack([lines, box]), np.zeros(2))
    corner, facets = _corners(found.intersections, found.dual_facets)
    edges: list[tuple[int, ...] | None] = []
    for here, there in zip(facets, facets[1:] + facets[:1]):
        (line, *_) = sorted(here & there)
        edges.append(rule.after(now, int(a[line]), int(b[line])) if line < len(a) else None)
    x, y = (corner * scale).T
    return Region(x, y, tuple(edges), windows[0], windows[1])


def _corners(places: Array, facets: Sequence[Sequence[int]]) -> tuple[Array, list[set[int]]]:
    """Put corners in order around the origin, those that are the same put together."""
    order = np.argsort(np.arctan2(places[:, 1], places[:, 0]), kind="stable")
    corner: list[Array] = []
    lines: list[set[int]] = []
    for index in order.tolist():
        if corner and np.abs(places[index] - corner[-1]).max() < 1e-9:
            lines[-1] |= set(facets[index])
            continue
        corner.append(places[index])
        lines.append(set(facets[index]))
    if len(corner) > 1 and np.abs(corner[0] - corner[-1]).max() < 1e-9:
        lines[0] |= lines.pop()
        corner.pop()
    return np.array(corner), lines


def _windows(
    rule: Decision, now: tuple[int, ...], effect: Array, change: Array
) -> tuple[tuple[float, float], tuple[float, float]]:
    """Choose changes to look at: half as far again as each point's own thresholds."""
    found = []
    for below, above in zip(*sides(rule, now, effect, change)):
        known = [abs(side.change) for side in (below, above) if math.isfinite(side.change)] or [1.0]
        # A side without threshold, or with a far one, is looked at as far as twice the nearer one.
        far = 2.0 * min(known)
        found.append((max(below.change * 1.5, -far), min(above.change * 1.5, far)))
    return found[0], found[1]
