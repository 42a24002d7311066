"""Files from elsewhere, opened with suspicion: encoding, archives and XML, within the bounds of `bounds`."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

from evidence.errors import CallError, Problem, ReviewError
from evidence.system.bounds import check_lines, check_members, parsing, read_bytes, unreadable


def read_text(path: str | Path, encoding: str | None = None) -> tuple[str, list[str]]:
    """Read a text file in UTF-8, or in an encoding that a person names.

    Parameters
    ----------
    path : path
        The file.
    encoding : str, optional
        As Python calls it: ``cp1252``, ``latin-1``, ``utf-16``.

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
    CallError
        If there is no such encoding, or the file is not in it.
    """
    file = Path(path)
    if file.is_file():
        check_lines(file)
    return decode(file, read_bytes(file), encoding)


def refuse_unused(file: Path, kind: str, **said: object) -> None:
    """Refuse options of reading that a file of its kind has no use for: what a person says is not ignored.

    Raises
    ------
    CallError
    """
    for name, value in said.items():
        if value is not None:
            raise CallError(f"{file.name} is {kind}: it has no --{name} to choose.")


def decode(file: Path, raw: bytes, encoding: str | None = None) -> tuple[str, list[str]]:
    """Decode the bytes of a text file; see `read_text`."""
    notes: list[str] = []
    if encoding is not None:
        return _in(file, raw, encoding), [f"read as {encoding}"]
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise unreadable(file, "is UTF-16", "save it as UTF-8; read it with --encoding utf-16")
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
            [
                Problem(
                    "a byte that is not UTF-8",
                    f"save the file as UTF-8; read it with --encoding {_likely(raw)}",
                    file=file.name,
                    line=line,
                )
            ],
        ) from None
    if not text.strip():
        raise unreadable(file, "is empty", "export it again")
    return text, notes


def _in(file: Path, raw: bytes, encoding: str) -> str:
    """Decode bytes in an encoding that a person names."""
    try:
        text = raw.decode(encoding).removeprefix("\ufeff")
    except LookupError:
        raise CallError(
            f"There is no encoding {encoding!r}: cp1252 (Windows, Western Europe), latin-1, utf-16,"
            " for example."
        ) from None
    except (UnicodeError, ValueError):
        raise CallError(f"{file.name} is not in {encoding}: try another --encoding.") from None
    if not text.strip():
        raise unreadable(file, "is empty", "export it again")
    return text


def _likely(raw: bytes) -> str:
    """Name an encoding that the bytes can be in: Windows in Western Europe, else one that takes any."""
    try:
        raw.decode("cp1252")
    except UnicodeDecodeError:
        return "latin-1"
    return "cp1252"


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
    with parsing(file, "a readable ZIP archive"), zipfile.ZipFile(file) as archive:
        check_members(file, archive)
        content = {}
        for member in archive.infolist():
            if member.filename and not member.is_dir():
                with parsing(inside(file, member.filename), "a readable file of the archive"):
                    content[member.filename] = archive.read(member)
        return content


def inside(archive: Path, member: str) -> Path:
    """Name a file of an archive in messages: ``review.zip: measurements.csv``; there is none of that name."""
    return archive.with_name(f"{archive.name}: {member.rsplit('/', 1)[-1]}")


def parse_xml(file: Path, raw: bytes) -> Any:
    """Parse XML without entities, external references or a document type of its own.

    Returns
    -------
    xml.etree.ElementTree.Element
        Root element.
    """
    from defusedxml import DefusedXmlException
    from defusedxml.ElementTree import fromstring

    with parsing(file, "well-formed XML"):
        try:
            return fromstring(raw)
        except DefusedXmlException as error:
            raise unreadable(
                file, f"declares entities or external files ({type(error).__name__})", "export it again"
            ) from None


def read_xml(path: str | Path) -> Any:
    """Read an XML file; see `parse_xml`."""
    file = Path(path)
    return parse_xml(file, read_bytes(file))
