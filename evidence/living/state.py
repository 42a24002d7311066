"""A state of a review: its folder, its file, a bundled review's name, or the folder as git has it."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from evidence.errors import CallError, EvidenceError, ReviewError
from evidence.folder.protocol import FILE_NAME
from evidence.query import EvidenceBase

__all__ = ["located", "opened"]

_OF_A_HOOK = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX")
"""What git tells a hook that it runs: of the repository it is in, not of the one that is named."""


_READ = (".toml", ".csv", ".tsv", ".xlsx", ".xls")
"""Endings of the files of a folder that are read, or said not to be."""


@contextmanager
def opened(name: str | Path, *, as_of: str | None = None) -> Iterator[EvidenceBase]:
    """Open a state of a review for reading.

    Parameters
    ----------
    name : str or Path
        A file made by `evidence.build`, a review folder, a bundled review's name, or ``REVIEW@REVISION``: the
        folder as it was in a revision of the git repository it stands in.
    as_of : str, optional
        A year, month or day: the review as it could have been then.

    Yields
    ------
    EvidenceBase
        Closed at the end.

    Raises
    ------
    CallError
        If there is nothing of that name, or no such revision.
    ReviewError
        If the folder cannot be built as it is in that state, with every error.

    Examples
    --------
    >>> from evidence.living.state import opened
    >>> with opened("diabetes") as db:
    ...     db.value("select count(*) from study")
    26
    """
    from evidence.opening import open as open_base

    with located(name) as place:
        try:
            db = open_base(place, as_of=as_of)
        except ReviewError as error:
            if place == Path(name):
                raise
            raise ReviewError(f"{str(name)!r}: {error.message}", error.problems) from None
        with db:
            yield db


@contextmanager
def located(name: str | Path) -> Iterator[Path]:
    """Give the file, folder or bundled name of a state, as `evidence.open` and `evidence.build` take it.

    What git has is written into a folder of the same name that is removed at the end; neither the checkout
    nor the index is touched.

    Raises
    ------
    CallError
        If a revision is named that git does not have, or in which the folder has no review.
    """
    found = _revision(str(name))
    if found is None:
        yield Path(name)
        return
    folder, revision = found
    with TemporaryDirectory(prefix="evidence-state-") as root:
        target = Path(root) / folder.resolve().name
        target.mkdir()
        _write(folder, revision, target, str(name))
        yield target


def _revision(name: str) -> tuple[Path, str] | None:
    """Part ``FOLDER@REVISION``; None for the name of something that is there, or has no revision.

    A revision may have an ``@`` of its own (``HEAD@{1}``): the longest folder that is there counts.
    """
    path = Path(name)
    if "@" not in name or path.exists():
        return None
    parts = name.split("@")
    for n in range(len(parts) - 1, 0, -1):
        folder, revision = Path("@".join(parts[:n]) or "."), "@".join(parts[n:])
        if folder.is_dir() and revision:
            return folder, revision
    if path.suffix == ".duckdb":
        return None
    raise CallError(
        f"There is no file or folder {name!r}, and no folder {'@'.join(parts[:-1])!r} of which "
        f"{parts[-1]!r} could be a revision: REVIEW@REVISION names a review folder that stands in a git "
        "repository."
    )


def _write(folder: Path, revision: str, target: Path, name: str) -> None:
    """Write the files that a folder had in a revision."""
    commit = _commit(folder, revision, name)
    listed = _git(folder, "ls-tree", "-z", commit, "./")
    lines = listed.decode("utf-8", "surrogateescape").split("\0")
    entries = [line.split("\t", 1) for line in lines if line.lower().endswith(_READ)]
    files = [path for kind, path in entries if kind.split()[1] == "blob"]
    linked = [path for kind, path in entries if kind.startswith("120000 ")]
    if FILE_NAME not in files:
        raise CallError(
            f"{revision!r} has no {FILE_NAME} in {str(folder)!r}: name a revision in which the review was "
            f"there (`git log -- {folder}` lists them)."
        )
    if linked:
        raise CallError(f"{linked[0]} is a link in {name!r}: only plain files can be read from a revision.")
    for path in files:
        # As a checkout would have them: line ends, and files that git keeps elsewhere (LFS).
        content = _git(folder, "cat-file", "--filters", f"{commit}:./{path}")
        (target / path).write_bytes(content)


def _commit(folder: Path, revision: str, name: str) -> str:
    """Find what a revision stands for."""
    if shutil.which("git") is None:
        raise CallError(f"{name!r} names a revision, and git is not installed: install it, or name a folder.")
    try:
        _git(folder, "rev-parse", "--git-dir")
    except EvidenceError as error:
        raise CallError(
            f"{str(folder)!r} is in no git repository that can be read, so {revision!r} cannot be looked up: "
            f"{error}"
        ) from None
    try:
        found = _git(folder, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
    except EvidenceError:
        shallow = _git(folder, "rev-parse", "--is-shallow-repository").strip() == b"true"
        hint = (
            "this clone is shallow: fetch all of it (`git fetch --unshallow`; `fetch-depth: 0` in a workflow)"
            if shallow
            else "`git log --oneline` and `git branch --all` list what there is"
        )
        raise CallError(f"git knows no revision {revision!r} of {str(folder)!r}: {hint}.") from None
    return found.decode().strip()


def _git(folder: Path, *arguments: str) -> bytes:
    """Ask git something about a folder, and leave no trace."""
    environment = {key: value for key, value in os.environ.items() if key not in _OF_A_HOOK}
    environment |= {"GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"}
    done = subprocess.run(
        ["git", "-C", str(folder), *arguments], capture_output=True, env=environment, check=False
    )
    if done.returncode:
        raise EvidenceError(done.stderr.decode("utf-8", "replace").strip() or "git gave no reason.")
    return done.stdout
