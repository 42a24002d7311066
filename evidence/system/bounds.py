"""What is read from other people's files, and how much: every bound on a parser, and every error of one.

A file may be damaged, hostile or merely huge. It is measured before a parser sees it, and whatever a parser
then stumbles over ends in a sentence with the file, the place in it and what would be right.
"""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

from evidence.errors import EvidenceError, Problem, ReviewError

MAX_BYTES = 500_000_000
"""Largest file, or content of an archive, that is read, in bytes."""

MAX_LINE = 1_000_000
"""Longest line accepted in a text file, in bytes; longer ones are no table."""

MAX_CELL = 10_000_000
"""Longest cell of a CSV file, in characters."""

MAX_CELLS = 20_000_000
"""Most cells of a sheet, empty ones included."""

MAX_MEMBERS = 5_000
"""Most files in an archive."""

MAX_RATIO = 200
"""Largest ratio of content to packed size in an archive: text is packed 5 to 20 times, bombs a thousand."""

MAX_TOML = 2_000_000
"""Longest review.toml, in characters."""

MAX_PARTS = 32
"""Most parts of a dotted key in review.toml: the parser's time grows with their square."""

MAX_DEPTH = 100
"""Most brackets within brackets in R's data: each takes a call of the parser."""

MAX_NUMBER = 10**15
"""Largest whole number that counts or numbers something: beyond it a double is no whole number any more."""

_CHUNK = 1 << 20


def unreadable(file: Path, what: str, remedy: str, line: int | None = None) -> ReviewError:
    """Make the error for a file that cannot be imported at all."""
    return ReviewError(
        f"{file.name} cannot be imported.", [Problem(f"the file {what}", remedy, file=file.name, line=line)]
    )


@contextmanager
def parsing(file: Path, kind: str, remedy: str = "export it again") -> Iterator[None]:
    """Turn whatever a library's parser raises into file, place and remedy.

    To be put around the calls of the library alone: an error of our own is none of the file's.

    Parameters
    ----------
    file : Path
        What is read.
    kind : str
        What it should be, in words: ``a readable XLSX workbook``.
    remedy : str
        What would be right.

    Raises
    ------
    ReviewError
        In place of every error.
    """
    try:
        yield
    except EvidenceError:
        raise
    except RecursionError:
        raise unreadable(file, f"is not {kind}: it is nested too deeply", remedy) from None
    except MemoryError:
        raise unreadable(file, "takes more memory than there is", "split it") from None
    except Exception as error:  # Parsers raise whatever they stumble over in a damaged file.
        raise unreadable(file, f"is not {kind}{_said(error)}", remedy, _line(error)) from None


def _said(error: Exception) -> str:
    first = (str(error).strip().splitlines() or [""])[0].strip()
    # What such an error says is a key, an offset or a class of the library: of no use to the reader.
    if isinstance(error, KeyError | IndexError | TypeError | AttributeError | AssertionError) or not first:
        return ""
    return f" ({first[:200]})"


def _line(error: Exception) -> int | None:
    line = getattr(error, "lineno", None) or next(iter(getattr(error, "position", None) or ()), None)
    return line if isinstance(line, int) else None


def check_size(file: Path) -> None:
    """Refuse a file that is too large to be read.

    Raises
    ------
    ReviewError
    """
    with parsing(file, "a readable file", "give yourself the right to read it"):
        size = file.stat().st_size
    if size > MAX_BYTES:
        raise unreadable(file, f"has {size:,} bytes", f"at most {MAX_BYTES:,} are read: split it")


def read_bytes(file: Path) -> bytes:
    """Read a file that is there and not too large.

    Raises
    ------
    ReviewError
    """
    if not file.is_file():
        raise ReviewError(f"There is no file {str(file)!r}.")
    check_size(file)
    with parsing(file, "a readable file", "give yourself the right to read it"):
        return file.read_bytes()


def check_lines(file: Path) -> None:
    """Find an endless line before all of it is in memory.

    Raises
    ------
    ReviewError
    """
    begun = 0
    with parsing(file, "a readable file", "give yourself the right to read it"), file.open("rb") as stream:
        while block := stream.read(_CHUNK):
            first, *others = block.split(b"\n")
            lengths = [begun + len(first), *map(len, others)]
            if max(lengths) > MAX_LINE:
                raise unreadable(
                    file, f"has a line of over {MAX_LINE:,} characters", "a table has short lines"
                )
            begun = lengths[-1]


def check_members(file: Path, archive: zipfile.ZipFile) -> None:
    """Refuse an archive that reaches outside itself, or unpacks into more than it should.

    Raises
    ------
    ReviewError
    """
    members = archive.infolist()
    if len(members) > MAX_MEMBERS:
        raise unreadable(file, f"holds {len(members):,} files", "export it again, from the tool itself")
    for member in members:
        name = PurePosixPath(member.filename.replace("\\", "/"))
        if name.is_absolute() or ".." in name.parts or ":" in (name.parts or ("",))[0]:
            raise unreadable(
                file, f"holds {member.filename!r}, which leaves its folder", "export it again, from the tool"
            )
    size = sum(member.file_size for member in members)
    packed = sum(member.compress_size for member in members)
    if size > MAX_BYTES or (size > 10_000_000 and size > MAX_RATIO * max(packed, 1)):
        raise unreadable(
            file,
            f"unpacks from {packed:,} to {size:,} bytes",
            f"at most {MAX_BYTES:,} bytes and {MAX_RATIO} times its size are read: split it",
        )


def counted(file: Path, rows: Iterator[Any]) -> list[list[Any]]:
    """Take the rows of a sheet, as long as they are not too many: one cell far away makes millions.

    Raises
    ------
    ReviewError
    """
    taken: list[list[Any]] = []
    cells = 0
    for row in rows:
        cells += len(row) + 1
        if cells > MAX_CELLS:
            raise unreadable(
                file,
                f"has over {MAX_CELLS:,} cells, by the place of the last",
                "delete the empty rows and columns behind the table, and save it again",
            )
        taken.append(list(row))
    return taken


def whole(text: str, error: Callable[[str], Exception]) -> int:
    """Read a whole number that counts or numbers something.

    Parameters
    ----------
    text : str
    error : callable
        Makes the error of the file from a few words.

    Raises
    ------
    Exception
        What `error` makes, if it is none or larger than anything is counted.
    """
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not abs(value) <= MAX_NUMBER or value != int(value):
        shown = text if len(text) <= 30 else f"{text[:27]}..."
        raise error(f"{shown!r} is no whole number that counts something")
    return int(value)


def parse_json(file: Path, text: str) -> Any:
    """Parse JSON.

    Raises
    ------
    ReviewError
    """
    with parsing(file, "JSON"):
        return json.loads(text)


_DEEP_KEY = re.compile(rf"^\s*\[{{0,2}}\s*(?:[^.=\s\"']+\s*\.\s*){{{MAX_PARTS}}}", re.MULTILINE)


def absurd_toml(text: str) -> str | None:
    """Tell what no person writes into a review.toml and what the parser would work on for minutes."""
    if len(text) > MAX_TOML:
        return f"the file has more than {MAX_TOML:,} characters"
    if _DEEP_KEY.search(text):
        return f"a key has more than {MAX_PARTS} parts"
    return None
