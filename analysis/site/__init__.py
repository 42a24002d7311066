"""A review on the web: its report, and an explorer that answers SQL in the reader's browser."""

from __future__ import annotations

from analysis.site.engine import REMEDY, find
from analysis.site.serving import serve
from analysis.site.writing import write

__all__ = ["REMEDY", "find", "serve", "write"]
