"""What is decided on estimates of a network, and when another decision would be taken.

A decision is taken on the estimates themselves (posterior means of Bayesian engines), in the outcome's
direction of benefit. As long as it stands, some differences between treatments are above a bound each:
lines, when data move along a line.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from analysis.network.data.network import Array, Network
from analysis.network.ranking import benefit
from evidence.errors import CallError, RefusedError
from evidence.names import suggestion

GRAMMAR = 'best, top 2, important, important 0.5, "A better than B" or "A better than B by 0.5"'
"""How decisions are written; best and top may go on with "by 0.5"."""
SMALLEST = "the smallest important difference"
"""In place of a number."""
HOLDS, FAILS = "holds", "does not hold"
"""What becomes of a claim."""

_RULES = re.compile(
    rf"(?:(?P<best>best)|top\s+(?P<top>\d+)|(?P<important>important)(?:\s+(?P<within>{SMALLEST}|\S+))?"
    rf"|(?P<a>.+?)\s+better\s+than\s+(?P<b>.+?))(?:\s+by\s+(?P<by>{SMALLEST}|\S+))?",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Decision:
    """A rule that makes a decision of the treatments' effects.

    Attributes
    ----------
    rule : {"top", "important", "claim"}
        The best treatments (`count` of them); those better than the reference by at least `margin` and not
        worse than the best by more; whether the first of `claimed` is better than the second by `margin`.
    count : int
        Of the best treatments.
    margin : float
        On the analysis scale. Of the best treatments: by how much another must be better to take a place
        (0: by anything).
    claimed : (int, int)
        Treatments of a claim, as indices into `Network.treatments`.
    text : str
        The decision in one way of writing it.
    sign : float
        -1 where lower is better, else 1.
    """

    rule: Literal["top", "important", "claim"]
    text: str
    sign: float
    count: int = 1
    margin: float = 0.0
    claimed: tuple[int, int] = (0, 0)

    @classmethod
    def read(cls, text: str, net: Network) -> Decision:
        """Read a decision.

        Parameters
        ----------
        text : str
            As `GRAMMAR` says; "by the smallest important difference" takes it from the outcome.
        net : Network

        Returns
        -------
        Decision

        Raises
        ------
        CallError
            If it cannot be read, names a treatment that the network does not have, or needs a smallest
            important difference that the outcome does not have.
        RefusedError
            If the outcome does not say which direction is better.
        """
        sign = benefit(net)
        if sign is None:
            raise RefusedError(
                "Nothing can be decided: the outcome does not say whether lower or higher values are better. "
                "Fill in lower_is_better for it in outcomes.csv."
            )
        found = _RULES.fullmatch(" ".join(text.split()))
        if found is None:
            raise CallError(f"There is no decision {text!r}; there is {GRAMMAR}.")
        given = found.groupdict()
        if given["important"]:
            if given["by"]:
                raise CallError(f"{text!r} names two margins: write important, or important 0.5.")
            margin = _margin(given["within"] or SMALLEST, net)
            return cls("important", f"important {margin:g}", sign, margin=margin)
        margin = _margin(given["by"], net) if given["by"] else 0.0
        by = f" by {margin:g}" if given["by"] else ""
        if given["a"]:
            claimed = _treatment(given["a"], net), _treatment(given["b"], net)
            if claimed[0] == claimed[1]:
                raise CallError(f"{text!r} names one treatment twice.")
            a, b = (net.treatments[t] for t in claimed)
            return cls("claim", f"{a} better than {b}{by}", sign, margin=margin, claimed=claimed)
        count = int(given["top"] or 1)
        if not 1 <= count < len(net.treatments):
            most = len(net.treatments) - 1
            raise CallError(f"top {count} of {most + 1} treatments decides nothing: take 1 to {most}.")
        return cls("top", ("best" if count == 1 else f"top {count}") + by, sign, count, margin)

    @property
    def convex(self) -> bool:
        """Whether the data that lead to the decision make one region with straight edges."""
        return self.rule != "important"

    def taken(self, effect: Array) -> tuple[int, ...]:
        """Take the decision.

        Parameters
        ----------
        effect : (T,) array
            Against the reference.

        Returns
        -------
        tuple of int
            Treatments chosen, ascending; of a claim the first of the two where it holds, else none.
        """
        score = self.sign * effect
        if self.rule == "claim":
            a, b = self.claimed
            return (a,) if score[a] - score[b] >= self.margin else ()
        if self.rule == "important":
            chosen = (score - score[0] >= self.margin) & (score.max() - score <= self.margin)
            return tuple(np.flatnonzero(chosen).tolist())
        return tuple(sorted(np.argsort(-score, kind="stable")[: self.count].tolist()))

    def bounds(self, now: Sequence[int], count: int) -> tuple[Array, Array, Array]:
        """List what must stay at or above 0 for a decision to stand: ``score[a] - score[b] + slack``.

        Parameters
        ----------
        now : sequence of int
            The decision, as `taken` gives it.
        count : int
            Number of treatments.

        Returns
        -------
        a, b : (m,) int arrays
        slack : (m,) array
        """
        if self.rule == "claim":
            a, b = self.claimed if now else self.claimed[::-1]
            return np.array([a]), np.array([b]), np.array([-self.margin if now else self.margin])
        others = [t for t in range(count) if t not in now]
        a, b = (ends.ravel() for ends in np.meshgrid(np.array(now, int), np.array(others, int)))
        return a, b, np.full(len(a), self.margin)

    def after(self, now: Sequence[int], leaving: int, coming: int) -> tuple[int, ...]:
        """Give the decision beyond a bound: one treatment takes another's place, a claim turns."""
        if self.rule == "claim":
            return () if now else (self.claimed[0],)
        return tuple(sorted({*now, coming} - {leaving}))

    def worded(self, chosen: Sequence[int], names: Sequence[str]) -> str:
        """Write a decision down: names with commas between; of a claim whether it holds."""
        if self.rule == "claim":
            return HOLDS if chosen else FAILS
        return ", ".join(names[t] for t in chosen) or "none"


def _margin(text: str, net: Network) -> float:
    if text.lower() == SMALLEST:
        if net.smallest_important_difference is None:
            raise CallError(
                f"The outcome {net.outcome} has no smallest important difference: fill in "
                "smallest_important_difference in outcomes.csv, or write a number."
            )
        return float(net.smallest_important_difference)
    try:
        margin = float(text)
    except ValueError:
        margin = math.nan
    if not 0 <= margin < math.inf:
        raise CallError(f"{text!r} is no margin: write a number of 0 or more, or {SMALLEST!r}.")
    return margin


def _treatment(text: str, net: Network) -> int:
    """Find a treatment by its short name or its label."""
    if text in net.treatments:
        return net.treatments.index(text)
    labels: Mapping[str, str] = {net.labels.get(name, name).lower(): name for name in net.treatments}
    if text.lower() in labels:
        return net.treatments.index(labels[text.lower()])
    raise CallError(f"The network has no treatment {text!r}: {suggestion(text, net.treatments)}.")
