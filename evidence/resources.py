"""Where the files that travel with the package stand."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


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
