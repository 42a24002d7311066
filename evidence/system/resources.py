"""Where the files that travel with the package stand, and where what is made of them is kept."""

from __future__ import annotations

import atexit
import os
import shutil
import sys
import tempfile
from functools import cache
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parents[1]


def _tree(name: str) -> Path:
    """Find a top-level tree: inside the installed package, or beside it in a checkout."""
    packaged = _PACKAGE / f"_{name}"
    return packaged if packaged.is_dir() else _PACKAGE.parent / name


def schema_directory() -> Path:
    """Directory of the table definitions and of the reference data."""
    return _tree("schema")


def sql_directory() -> Path:
    """Directory of the macros, views and audits."""
    return _tree("sql")


def reviews_directory() -> Path:
    """Directory of the bundled review folders."""
    return _PACKAGE / "reviews"


def template_directory() -> Path:
    """Directory of the worked example that a new review folder begins with."""
    return _PACKAGE / "template"


def cache_directory() -> Path:
    """Folder for built reviews: ``EVIDENCE_CACHE``, or the platform's place for what can be made again."""
    if place := os.environ.get("EVIDENCE_CACHE"):
        root = Path(place)
    elif sys.platform == "win32":
        root = Path(os.environ.get("LOCALAPPDATA", tempfile.gettempdir())) / "evidence-base" / "Cache"
    elif sys.platform == "darwin":
        root = Path.home() / "Library" / "Caches" / "evidence-base"
    else:
        root = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "evidence-base"
    try:
        root.mkdir(parents=True, exist_ok=True)
    except OSError:
        return _private_cache()
    return root if os.access(root, os.W_OK | os.X_OK) else _private_cache()


@cache
def _private_cache() -> Path:
    """Make a folder for this process alone, where the cache cannot be written (containers, full homes)."""
    place = Path(tempfile.mkdtemp(prefix="evidence-base-"))
    atexit.register(shutil.rmtree, place, ignore_errors=True)
    return place
