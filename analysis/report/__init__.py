"""Reports: one page that can be handed in, with its figures, tables, workbook and Word file beside it."""

from __future__ import annotations

from analysis.report.writing import write

__all__ = ["write"]
