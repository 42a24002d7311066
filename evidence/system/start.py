"""What a command's process loads as it starts: nothing that it does not use.

Three things cost more than most commands compute. They are changed for the process of the command line alone,
never for a program that imports the packages:

- pandas loads pyarrow, where it is installed, to keep texts in its arrays: frames here are small or read cell
  by cell, for which Python's own texts are quicker; and results are the same with and without pyarrow.
- SciPy takes every name of NumPy, and with them its Fortran compiler (`numpy.f2py`), which nothing here uses.
- The collector of garbage goes through everything again and again while modules and rows are made.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import LazyLoader
from types import ModuleType

_LATER = frozenset(("numpy.f2py",))
"""Modules that are loaded when something of them is asked for."""

_OBJECTS = 100_000
"""New objects after which the collector looks for garbage."""


class _Sparing(MetaPathFinder):
    """Finds what is loaded later, and hides from pandas what it does not need."""

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Find a module of those above; None leaves it to Python."""
        if name == "pyarrow" and _starting("pandas"):
            raise ModuleNotFoundError("pandas starts without pyarrow", name=name)
        spec = PathFinder.find_spec(name, path, target) if name in _LATER else None
        if spec is not None and spec.loader is not None:
            spec.loader = LazyLoader(spec.loader)
        return spec


def _starting(name: str) -> bool:
    """Tell whether a module is being loaded at this moment."""
    spec = getattr(sys.modules.get(name), "__spec__", None)
    return bool(getattr(spec, "_initializing", False))


def start_light() -> None:
    """Load less in this process; called once, before anything else is imported."""
    gc.set_threshold(_OBJECTS, 20, 20)
    if not any(isinstance(finder, _Sparing) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Sparing())
