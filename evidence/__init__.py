"""An evidence base that you can query: review folders in, one DuckDB file out, SQL first."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from evidence.build import build as build
    from evidence.opening import open as open
    from evidence.query import EvidenceBase as EvidenceBase

__all__ = ["EvidenceBase", "build", "open"]
__version__ = "0.1.0"

_HOMES = {"open": "evidence.opening", "EvidenceBase": "evidence.query", "build": "evidence.build"}


def __getattr__(name: str) -> Any:
    # Loaded on first use: `evidence --help` imports neither duckdb nor pandas.
    if name in _HOMES:
        from importlib import import_module

        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


class _Package(ModuleType):
    """Keeps ``evidence.build`` the function: importing the module of that name would put the module there."""

    def __setattr__(self, name: str, value: Any) -> None:
        if not (name in _HOMES and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
