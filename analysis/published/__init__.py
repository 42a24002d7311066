"""What a paper printed, taken at its word: the joint posterior behind its league table, and its rankings."""

from __future__ import annotations

from analysis.published.league import PrintedNetwork, from_cells, rebuild, try_rebuild

__all__ = ["PrintedNetwork", "from_cells", "rebuild", "try_rebuild"]
