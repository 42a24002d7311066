"""Files from elsewhere, opened with suspicion: size, encoding, archives and XML are checked first."""

from __future__ import annotations

import zipfile
from pathlib import Path, PurePosixPath
from typing import Any

from evidence.errors import Problem, ReviewError

MAX_BYTES = 500_000_000
"""Largest file, or content of an archive, that is read, in bytes."""

MAX_LINE = 1_000_000
"""Longest line accepted in a text file, in bytes; longer ones are no table."""

MAX_MEMBERS = 5_000
"""Most files in an archive."""

MAX_RATIO = 200
"""Largest ratio of content to packed size in an archive: text is packed 5 to 20 times, bombs a thousand."""

_CHUNK = 1 << 20


def unreadable(file: Path, what: str, remedy: str, line: int | None = None) -> ReviewError:
    """Make the error for a file that cannot be imported at all."""
    return ReviewError(
        f"{file.name} cannot be imported.", [Problem(f"the file {what}", remedy, file=file.name, line=line)]
    )


def read_text(path: str | Path) -> tuple[str, list[str]]:
    """Read a text file in UTF-8.

    Parameters
    ----------
    path : path
        The file.

    Returns
    -------
    text : str
        Its content, without a byte order mark.
    notes : list of str
        What was done to read it.

    Raises
    ------
    ReviewError
        If it is missing, too large, empty, has endless lines, or is not UTF-8; says where.
    """
    file = Path(path)
    if not file.is_file():
        raise ReviewError(f"There is no file {str(path)!r}.")
    _check_size(file)
    _check_lines(file)
    return decode(file, file.read_bytes())


def decode(file: Path, raw: bytes) -> tuple[str, list[str]]:
    """Decode the bytes of a text file; see `read_text`."""
    notes: list[str] = []
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise unreadable(file, "is UTF-16", "save it as UTF-8")
    if raw.startswith(b"\xef\xbb\xbf"):
        raw = raw[3:]
        notes.append("a byte order mark was skipped")
    if b"\x00" in raw[:4096]:
        raise unreadable(file, "is not a text file", "save it as text in UTF-8, or give it its proper ending")
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise ReviewError(
            f"{file.name} is not UTF-8.",
            [Problem("a byte that is not UTF-8", "save the file as UTF-8", file=file.name, line=line)],
        ) from None
    if not text.strip():
        raise unreadable(file, "is empty", "export it again")
    return text, notes


def read_archive(path: str | Path) -> dict[str, bytes]:
    """Read every file of a ZIP archive into memory; nothing is unpacked to disk.

    Parameters
    ----------
    path : path
        The archive.

    Returns
    -------
    dict of str to bytes
        Content by name in the archive.

    Raises
    ------
    ReviewError
        If it is no archive, a member's name leaves its folder, or its content is too large or too many.
    """
    file = Path(path)
    if not file.is_file():
        raise ReviewError(f"There is no file {str(path)!r}.")
    try:
        with zipfile.ZipFile(file) as archive:
            check_members(file, archive)
            return {
                member.filename: archive.read(member) for member in archive.infolist() if not member.is_dir()
            }
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError, EOFError, OSError) as error:
        raise unreadable(file, f"is not a readable ZIP archive ({error})", "export it again") from None


def check_members(file: Path, archive: zipfile.ZipFile) -> None:
    """Refuse an archive that reaches outside itself, or unpacks into more than it should."""
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


def parse_xml(file: Path, raw: bytes) -> Any:
    """Parse XML without entities, external references or a document type of its own.

    Returns
    -------
    xml.etree.ElementTree.Element
        Root element.
    """
    from xml.etree.ElementTree import ParseError

    from defusedxml import DefusedXmlException
    from defusedxml.ElementTree import fromstring

    try:
        return fromstring(raw)
    except DefusedXmlException as error:
        raise unreadable(
            file, f"declares entities or external files ({type(error).__name__})", "export it again"
        ) from None
    except (ParseError, ValueError, LookupError) as error:
        line = getattr(error, "position", (None,))[0]
        raise unreadable(file, f"is not well-formed XML ({error})", "export it again", line) from None


def read_xml(path: str | Path) -> Any:
    """Read an XML file; see `parse_xml`."""
    file = Path(path)
    if not file.is_file():
        raise ReviewError(f"There is no file {str(path)!r}.")
    _check_size(file)
    return parse_xml(file, file.read_bytes())


def _check_size(file: Path) -> None:
    if file.stat().st_size > MAX_BYTES:
        raise unreadable(
            file, f"has {file.stat().st_size:,} bytes", f"at most {MAX_BYTES:,} are read: split it"
        )


def _check_lines(file: Path) -> None:
    """Find an endless line before all of it is in memory."""
    begun = 0
    with file.open("rb") as stream:
        while block := stream.read(_CHUNK):
            first, *others = block.split(b"\n")
            lengths = [begun + len(first), *map(len, others)]
            if max(lengths) > MAX_LINE:
                raise unreadable(
                    file, f"has a line of over {MAX_LINE:,} characters", "a table has short lines"
                )
            begun = lengths[-1]
