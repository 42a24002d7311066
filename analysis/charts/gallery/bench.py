"""The bundled reviews and their fits, for the drawings of the gallery."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from analysis.charts.base.effect import Effect
from evidence import facts

if TYPE_CHECKING:
    from analysis.network.exact import ExactFit
    from analysis.network.frequentist import FrequentistFit
    from analysis.pairwise import PairwiseFit
    from evidence.query import EvidenceBase


class Bench:
    """The bundled reviews and their fits, each made when it is first asked for."""

    def __init__(self, directory: Path, say: Callable[[str], None]) -> None:
        self.directory, self.say = directory, say
        self._open: dict[str, EvidenceBase] = {}

    def db(self, review: str) -> EvidenceBase:
        """Open a bundled review, built when it is first asked for."""
        if review not in self._open:
            import evidence

            self.say(f"building {review}")
            self._open[review] = evidence.open(evidence.build(review, self.directory / f"{review}.duckdb"))
        return self._open[review]

    def labels(self, review: str, table: str) -> dict[str, str]:
        """Give the printed names of a table's rows, by key."""
        order = "source_line" if table in ("treatment", "outcome") else table
        return {
            row[table]: row["label"]
            for row in self.db(review).rows(f"select * from {table} order by {order}")
        }

    def effect(self, review: str, outcome: str, measure: str, bayesian: bool = False) -> Effect:
        """Say what an analysis of a bundled review estimates."""
        row = self.db(review).rows("select * from outcome where outcome = ?", [outcome])[0]
        return Effect(
            measure,
            outcome=row["label"],
            unit=row["unit"],
            lower_is_better=facts.measure(measure).lower_is_better(row),
            treatments=self.labels(review, "treatment"),
            bayesian=bayesian,
        )

    @cached_property
    def hba1c(self) -> Effect:
        """What the diabetes review's network estimates."""
        return self.effect("diabetes", "hba1c", "MD")

    @cached_property
    def network(self) -> FrequentistFit:
        """Frequentist network of the diabetes review."""
        from analysis import network

        return network.fit(
            network.load(self.db("diabetes"), "hba1c", "MD", reference="plac"), engine="frequentist"
        )

    @cached_property
    def exact(self) -> ExactFit:
        """Exact Bayesian network of the diabetes review."""
        from analysis import network

        return network.fit(network.load(self.db("diabetes"), "hba1c", "MD", reference="plac"), engine="exact")

    @cached_property
    def smoking(self) -> PairwiseFit:
        """Individual counselling versus no contact in the smoking review."""
        from analysis import pairwise

        return pairwise.fit(
            self.db("smoking"),
            outcome="cessation",
            measure="OR",
            treatment="ind_counseling",
            versus="no_contact",
        )

    @cached_property
    def cessation(self) -> Effect:
        """What the smoking review's analyses estimate."""
        return self.effect("smoking", "cessation", "OR")
