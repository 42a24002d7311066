"""Whole files or none: what is written appears in one step, as a whole, or not at all.

A file or a folder is made under another name beside its target and put in place by one rename. A process that
is killed, a full disk or Ctrl-C leaves what was there as it was; what it left beside goes with the next run.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import re
import shutil
import stat
import struct
import sys
import tempfile
import time
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from evidence.errors import CallError

_WAIT = 30.0
"""Seconds to wait for another process that writes the same thing."""

_MOST_KEPT = 5_000
"""Files of others in a folder that are taken along when the folder is put in place as a whole."""

_LEFT = re.compile(r"\.(?P<name>.+)\.(?P<process>\d+)-[0-9a-f]{8}\.(?P<kind>part|writing|old)")


def target(path: str | Path, *, inputs: Iterable[Path] = ()) -> Path:
    """Find the plain file that is written when a person names `path`; a link names the file it points to.

    Parameters
    ----------
    path : path
        What the person named.
    inputs : iterable of Path
        Files that the content comes from.

    Raises
    ------
    CallError
        If it is a folder, a device, a pipe, a link to nothing or one of the inputs, or has no folder.
    """
    named = Path(path)
    real = Path(os.path.realpath(named))
    try:
        if named.is_symlink() and not real.exists():
            raise CallError(f"{str(named)!r} is a link to nothing: remove it, or name another file.")
        if real.is_dir():
            raise CallError(f"{str(named)!r} is a folder: name a file, for example {str(named / 'out')!r}.")
        if real.exists() and not real.is_file():
            raise CallError(
                f"{str(named)!r} is a device or a pipe, which a file cannot replace: name a file, "
                "or leave the option out to print."
            )
        if not real.parent.is_dir():
            raise CallError(f"There is no folder {str(named.parent)!r} to write {named.name!r} into.")
        for given in inputs:
            if given.exists() and real.exists() and real.samefile(given):
                raise CallError(f"{str(named)!r} is what is read here: name another file to write.")
    except OSError as error:
        raise cannot_write(named, error) from None
    return real


def cannot_write(path: Path, error: Exception) -> CallError:
    """Say why something cannot be written."""
    return CallError(f"{str(path)!r} cannot be written: {reason(error)}.")


def reason(error: Exception) -> str:
    """Say in a few words what the operating system, or the engine on its behalf, says of a file."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    # shutil lists every file of a folder that it could not copy, the engine wraps what it was told in JSON.
    known = re.search(r"No space left on device|Disk quota exceeded|File too large|Read-only file system|"
                      r"Permission denied|Input/output error|Too many open files", str(error))  # fmt: skip
    return known[0] if known else (str(error).strip().splitlines() or ["no reason is given"])[0]


def is_of_the_disk(error: Exception) -> bool:
    """Whether an error is of reading or writing files: the operating system's, or the engine's."""
    return isinstance(error, OSError) or (
        type(error).__module__.partition(".")[0] in ("duckdb", "_duckdb")
        and type(error).__name__ == "IOException"
    )


@contextmanager
def replacing(path: str | Path, *, inputs: Iterable[Path] = ()) -> Iterator[Path]:
    """Give a temporary file that takes the place of `path` when all went well, and vanishes if not.

    Raises
    ------
    CallError
        As `target`, or if the folder cannot be written or the disk is full.
    """
    named = Path(path)
    real = target(named, inputs=inputs)
    tidy(real)
    temporary = beside(real, "part")
    try:
        with contextlib.suppress(FileExistsError):
            os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        yield temporary
        _as_readable_as(real, temporary)
        put(temporary, real)
    except Exception as error:
        if is_of_the_disk(error):
            raise cannot_write(named, error) from None
        raise
    finally:
        _remove(temporary)


@contextmanager
def directory(path: str | Path, *, inputs: Iterable[Path] = ()) -> Iterator[Path]:
    """Give an empty folder whose content takes the place of that in `path` when all went well.

    Files that an earlier run wrote go, files of others stay. The folder is put in place as a whole, but for
    one that cannot be (a mount point, the working directory, one with thousands of other files): there the
    files are replaced one by one, what describes them last.

    Parameters
    ----------
    path : path
        The folder; made where it is missing.
    inputs : iterable of Path
        Folders and files that the content comes from.

    Raises
    ------
    CallError
        If it is no folder, is one of the inputs, or cannot be written.
    """
    named = Path(path)
    real = Path(os.path.realpath(named))
    if real.exists() and not real.is_dir():
        raise CallError(f"{str(named)!r} is a file: name a folder.")
    if (named.is_symlink() and not real.exists()) or any(
        given.is_dir() and real.exists() and real.samefile(given) for given in inputs
    ):
        raise CallError(f"{str(named)!r} is what is read here, or a link to nothing: name another folder.")
    if (real / "review.toml").exists() and not (real / "provenance.json").exists():
        raise CallError(f"{str(named)!r} is a review folder: name another folder to write into.")
    try:
        real.parent.mkdir(parents=True, exist_ok=True)
        tidy(real)
        staged = beside(real, "writing")
        staged.mkdir()
    except OSError as error:
        raise cannot_write(named, error) from None
    try:
        yield staged
        with locked(real.parent):
            _put_folder(staged, real)
    except Exception as error:
        if is_of_the_disk(error):
            raise cannot_write(named, error) from None
        raise
    finally:
        shutil.rmtree(staged, ignore_errors=True)


def put(temporary: Path, real: Path) -> None:
    """Put a finished file in place: on the disk first, then by one rename.

    Raises
    ------
    CallError
        If another program has the target open for writing: what it writes later would go astray.
    """
    with temporary.open("rb") as stream:
        os.fsync(stream.fileno())
    log = real.with_name(f"{real.name}.wal")
    if process := _writer(real):
        raise CallError(
            f"{str(real)!r} is open for writing in another program (process {process}): close it there first."
        )
    # A log that another client left belongs to the old file; DuckDB would play it into the new one.
    log.unlink(missing_ok=True)
    os.replace(temporary, real)


def refuse_log(path: Path) -> None:
    """Refuse to read a database beside which another client left changes that are not in it.

    Raises
    ------
    CallError
        If there is a write-ahead log.
    """
    log = path.with_name(f"{path.name}.wal")
    with contextlib.suppress(OSError):
        if log.exists() and log.stat().st_size:
            raise CallError(
                f"{str(log)!r} holds changes that another program made to {path.name!r} and did not finish: "
                f"close it there, or delete {log.name!r} to do without them (a build does)."
            )


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold a folder against other processes of this package that would change the same things.

    Raises
    ------
    CallError
        If one of them holds it for longer than half a minute.
    """
    try:
        import fcntl
    except ImportError:  # Windows: there a file that is open cannot be replaced anyway.
        yield
        return
    handle = os.open(folder, os.O_RDONLY)
    end = time.monotonic() + _WAIT
    try:
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError as error:
                if error.errno not in (errno.EAGAIN, errno.EACCES):
                    break  # A file system that knows no locks.
                if time.monotonic() > end:
                    raise CallError(
                        f"Another evidence command is writing in {str(folder)!r}: wait until it is done."
                    ) from None
                time.sleep(0.05)
        yield
    finally:
        os.close(handle)


_READY = ".evidence-ready"


def change(folder: Path, files: dict[str, Path]) -> None:
    """Put several changed files of one folder in place: all of them, even if the process is killed midway.

    They are copied into the folder first; one rename then says that all are there, and whoever works on the
    folder next finishes what is left (`recover`).

    Parameters
    ----------
    folder : Path
    files : dict of str to Path
        The new content by name.

    Raises
    ------
    OSError
        If the folder cannot be written.
    """
    with locked(folder):
        recover(folder)
        tidy(folder / "import")
        staged = beside(folder / "import", "writing")
        staged.mkdir()
        try:
            for name, source in files.items():
                shutil.copyfile(source, staged / name)
                _synchronise(staged / name)
            os.rename(staged, folder / _READY)
        finally:
            shutil.rmtree(staged, ignore_errors=True)
        recover(folder)


def recover(folder: Path) -> None:
    """Finish what a killed `change` has left: its files are all there."""
    ready = folder / _READY
    if not ready.is_dir():
        return
    for part in sorted(ready.iterdir()):
        _as_readable_as(folder / part.name, part)
        os.replace(part, folder / part.name)
    ready.rmdir()


@contextmanager
def scratch() -> Iterator[Path]:
    """Give a private folder for what is needed in between; those of killed processes go first."""
    root = Path(tempfile.gettempdir())
    tidy(root / "evidence")
    with tempfile.TemporaryDirectory(
        prefix=f".evidence.{os.getpid()}-", suffix=".writing", dir=root, ignore_cleanup_errors=True
    ) as folder:
        yield Path(folder)


def beside(real: Path, kind: str) -> Path:
    """Name of something in the making, which tells what it is for and whose it is."""
    return real.with_name(f".{real.name}.{os.getpid()}-{uuid.uuid4().hex[:8]}.{kind}")


def tidy(real: Path) -> None:
    """Remove what killed processes left beside a target, and give back a folder that was being exchanged."""
    with contextlib.suppress(OSError):
        for path in list(real.parent.glob(f".{_escaped(real.name)}.*")):
            match = _LEFT.fullmatch(path.name)
            if match is None or match["name"] != real.name or alive(int(match["process"])):
                continue
            if match["kind"] == "old" and not real.exists():
                os.rename(path, real)
            else:
                _remove(path)


def alive(process: int) -> bool:
    """Tell whether a process is there."""
    if process == os.getpid():
        return True
    if os.name == "nt":
        # There os.kill ends a process; a file that a live build has open cannot be removed anyway.
        return False
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def _escaped(name: str) -> str:
    return re.sub(r"([*?[])", r"[\1]", name)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
        return
    for leftover in (path, path.with_name(path.name + ".wal")):
        with contextlib.suppress(OSError):
            leftover.unlink(missing_ok=True)


def _as_readable_as(real: Path, temporary: Path) -> None:
    mask = os.umask(0)
    os.umask(mask)
    temporary.chmod(stat.S_IMODE(real.stat().st_mode) if real.exists() else 0o666 & ~mask)


def _synchronise(path: Path) -> None:
    with path.open("rb") as stream:
        os.fsync(stream.fileno())


def _writer(path: Path) -> int | None:
    """Process that holds a database open for writing, by the lock that DuckDB takes on it."""
    if sys.platform != "linux" or not path.exists():
        return None
    import fcntl

    layout = "hhqqi"
    with path.open("rb") as stream:
        asked = struct.pack(layout, fcntl.F_RDLCK, 0, 0, 0, 0)
        try:
            kind, _, _, _, process = struct.unpack(layout, fcntl.fcntl(stream, fcntl.F_GETLK, asked))
        except OSError:
            return None
    return process if kind == fcntl.F_WRLCK and process != os.getpid() else None


def _put_folder(staged: Path, real: Path) -> None:
    for path in staged.rglob("*"):
        if path.is_file():
            _synchronise(path)
    if not real.exists():
        mask = os.umask(0)
        os.umask(mask)
        staged.chmod(0o777 & ~mask)
        os.rename(staged, real)
        return
    others = _others(staged, real)
    if others is None:
        _one_by_one(staged, real)
        return
    for name in others:
        place = staged / name
        place.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(real / name, place, follow_symlinks=False)
        except OSError:
            shutil.copy2(real / name, place, follow_symlinks=False)
    staged.chmod(stat.S_IMODE(real.stat().st_mode))
    if not _exchange(staged, real):
        old = beside(real, "old")
        os.rename(real, old)
        os.rename(staged, real)
        shutil.rmtree(old, ignore_errors=True)


def _others(staged: Path, real: Path) -> list[Path] | None:
    """Files in the folder that no earlier run of ours wrote; None where it cannot be put in place whole."""
    if real == Path.cwd() or real.is_mount() or (real / ".git").exists():
        return None
    ours = _written_before(real)
    found: list[Path] = []
    for path in real.rglob("*"):
        name = path.relative_to(real)
        if (path.is_dir() and not path.is_symlink()) or str(name) in ours or (staged / name).exists():
            continue
        found.append(name)
        if len(found) > _MOST_KEPT:
            return None
    return found


def _written_before(real: Path) -> set[str]:
    """Files that the lists of an earlier export or report name."""
    import csv
    import json

    names: set[str] = set()
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        names |= set(json.loads((real / "provenance.json").read_text(encoding="utf-8"))["files"])
    with contextlib.suppress(OSError, ValueError, csv.Error):
        lines = (real / "manifest.csv").read_text(encoding="utf-8").splitlines()
        names |= {row["file"] for row in csv.DictReader(lines) if row.get("file")}
    return names


def _one_by_one(staged: Path, real: Path) -> None:
    last = ("provenance.json", "manifest.csv", "index.html")
    every = sorted(path.relative_to(staged) for path in staged.rglob("*") if path.is_file())
    for name in sorted(every, key=lambda name: str(name) in last):
        (real / name).parent.mkdir(parents=True, exist_ok=True)
        os.replace(staged / name, real / name)


def _exchange(one: Path, other: Path) -> bool:
    """Exchange two folders in one step, where the system can (Linux)."""
    if sys.platform != "linux":
        return False
    try:
        call = ctypes.CDLL(None, use_errno=True).renameat2
    except (OSError, AttributeError):
        return False
    here, exchange = -100, 2  # AT_FDCWD, RENAME_EXCHANGE
    return call(here, os.fsencode(one), here, os.fsencode(other), exchange) == 0
