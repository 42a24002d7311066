"""DuckDB for the reader's browser: where it is installed, and what is copied of it."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from evidence.errors import CallError

ENGINE = "engine.js"
LICENCES = "LICENSES.txt"
STORAGE = "v1.4.0"
"""Format of the file that readers are given: the newest that the engine (DuckDB 1.4.3) opens, since the older
ones know no lambda functions, and so no views that use them."""

REMEDY = (
    "DuckDB for browsers is not installed, so the explorer answers no SQL: in a checkout of evidence-base "
    "run `pip install ./wasm` (it needs npm) and write the site again, or name a folder that "
    "`python wasm/make.py DIR` wrote with --wasm DIR."
)


def find(folder: Path | None = None) -> Path | None:
    """Find the folder that holds the engine.

    Parameters
    ----------
    folder : Path, optional
        One made by ``python wasm/make.py DIR``; without it the package ``evidence_wasm``.

    Returns
    -------
    Path or None
        None where no folder is named and the package is not installed.

    Raises
    ------
    CallError
        If the folder that is named holds no engine.
    """
    if folder is not None:
        if missing := [name for name in (ENGINE, LICENCES) if not (folder / name).is_file()]:
            raise CallError(
                f"There is no {' and no '.join(missing)} in {str(folder)!r}: "
                f"`python wasm/make.py {folder}` in a checkout of evidence-base makes both."
            )
        return folder
    spec = find_spec("evidence_wasm")
    if spec is None or spec.origin is None:
        return None
    installed = Path(spec.origin).parent
    return installed if (installed / ENGINE).is_file() else None
