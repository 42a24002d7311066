"""The bundled reviews, for the drawings of the gallery."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from evidence.query import EvidenceBase


class Bench:
    """The bundled reviews, each built when it is first asked for."""

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
