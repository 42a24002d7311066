"""References of lines with tags: RIS, PubMed's nbib, Web of Science, EndNote's export format, RefWorks.

What stands between two references, as Ovid and others print it there, is passed over with a note; a reference
that does not end is an error.
"""

from __future__ import annotations

import re
from pathlib import Path

from evidence.errors import Problem, ReviewError
from evidence.importers.references.reference import Reference
from evidence.system.bounds import parsing, unreadable

_RIS_LINE = re.compile(r"\s{0,3}(?P<tag>[A-Z][A-Z0-9])  ?-(?:\s+(?P<value>.*))?$")
_NBIB_LINE = re.compile(r"(?P<tag>[A-Z]{2,4}) *- (?P<value>.*)$")
_WOS_LINE = re.compile(r"(?P<tag>[A-Z][A-Z0-9])(?: (?P<value>.*))?$")
_REFWORKS_LINE = re.compile(
    r"(?P<tag>RT|SR|ID|A[1-6BDNV]|T[123]|J[FO]|YR|FD|V[OW]|I[SP]|[SOP]P|K1|NO|E[DP]|PB|S[FLNT]|L[AKL]|C[LNR]|O[LT]"
    r"|D[BOS]|RD|U\d{1,2}|UL|W[TVP]|PMC?ID) (?P<value>.*)$"
)
_ENDNOTE_LINE = re.compile(r"(?P<tag>%[0-9A-Za-z~@!#$&*^\[\]<>+=?(){}:;,.|'\"_-]) ?(?P<value>.*)$")


class Between:
    """Lines that belong to no reference: counted, with the first ones as examples."""

    def __init__(self) -> None:
        self.lines: list[tuple[int, str]] = []

    def add(self, number: int, line: str) -> None:
        """Take a line, unless it is blank."""
        if line.strip():
            self.lines.append((number, line.strip()))

    def notes(self) -> list[str]:
        """Say what was passed over."""
        if not self.lines:
            return []
        shown = ", ".join(f"line {number} {text[:40]!r}" for number, text in self.lines[:3])
        more = f", and {len(self.lines) - 3} more" if len(self.lines) > 3 else ""
        return [f"lines that belong to no reference were passed over: {shown}{more}"]


def read_ris(path: Path, text: str) -> tuple[list[Reference], list[str]]:
    """Take RIS apart: where each reference begins and ends is found first, then rispy reads its tags."""
    import rispy

    blocks, notes = _ris_blocks(path, text)
    kept = [line for _, lines in blocks for line in lines]
    # Each tag keeps its own name, and every tag may be repeated.
    tags = sorted({line[:2] for line in kept if _RIS_LINE.match(line)} - {"ER"})
    mapping = {"ER": "ER", **{tag: tag for tag in tags}}
    with parsing(path, "proper RIS"):
        entries = rispy.loads("\n".join(kept), mapping=mapping, list_tags=tags, enforce_list_tags=True)
    if len(entries) != len(blocks):
        raise unreadable(
            path, f"has {len(blocks)} references, of which {len(entries)} can be read", "export it again"
        )
    references = []
    for (line, _), entry in zip(blocks, entries, strict=True):
        fields = {tag: value if isinstance(value, list) else [value] for tag, value in entry.items()}
        references.append(Reference(line, {tag: list(map(str, values)) for tag, values in fields.items()}))
    return references, notes


def _ris_blocks(path: Path, text: str) -> tuple[list[tuple[int, list[str]]], list[str]]:
    """Lines of each reference, from TY to ER, with the line it begins on."""
    between, unended = Between(), []
    blocks: list[tuple[int, list[str]]] = []
    ahead: list[str] = []
    begun = untyped = 0
    current: list[str] | None = None
    for number, line in enumerate(text.splitlines(), 1):
        match = _RIS_LINE.match(line.rstrip())
        tag = match["tag"] if match else None
        # One blank before the dash, or two behind it, as some exports have them, is not RIS to rispy.
        clean = f"{tag}  - {(match['value'] or '').strip()}" if match else line
        if tag == "TY":
            if current is not None:
                unended.append(blocks[-1][0])
                current.append("ER  - ")
            # A tag that stands before TY is of the reference that begins.
            current = [clean, *ahead]
            ahead, begun = [], 0
            blocks.append((number, current))
        elif current is None:
            if match and tag != "ER":
                ahead.append(clean)
                begun = begun or number
            elif match and ahead:
                # Some programs write no TY at all.
                blocks.append((begun, ["TY  - GEN", *ahead, "ER  - "]))
                untyped += 1
            elif not match and ahead and line.strip():
                ahead.append(line)
            else:
                between.add(number, line)
            if tag == "ER":
                ahead, begun = [], 0
        elif tag == "ER":
            current.append("ER  - ")
            current = None
        elif tag is None and len(current) == 1:
            # There is no field yet that a further line could belong to.
            between.add(number, line)
        else:
            current.append(clean)
    if current is not None:
        raise ReviewError(
            f"{path.name} is not proper RIS.",
            [
                Problem(
                    "the reference has no end: the file was cut off",
                    "export it again; or, if it is whole, close it with a line 'ER  - '",
                    path.name,
                    blocks[-1][0],
                )
            ],
        )
    notes = between.notes()
    if ahead:
        notes.append(
            f"{len(ahead)} lines with tags after the last reference were passed over: {ahead[0][:60]!r}"
        )
    if unended:
        lines = ", ".join(map(str, unended[:8])) + (", ..." if len(unended) > 8 else "")
        notes.append(f"references without a line ER were ended where the next begins (line {lines})")
    return blocks, notes


def read_nbib(path: Path, text: str) -> tuple[list[Reference], list[str]]:
    """Take PubMed's format apart: a reference begins with PMID."""
    references: list[Reference] = []
    problems: list[Problem] = []
    last: list[str] | None = None
    for number, line in enumerate(text.splitlines(), 1):
        if match := _NBIB_LINE.match(line):
            if match["tag"] == "PMID":
                references.append(Reference(number))
            if not references:
                problems.append(
                    Problem("a field before the first PMID", "export it again", path.name, number)
                )
                continue
            last = references[-1].fields.setdefault(match["tag"], [])
            last.append(match["value"].strip())
        elif line.startswith("      ") and last:
            last[-1] = f"{last[-1]} {line.strip()}"
        elif line.strip():
            problems.append(
                Problem(f"{line.strip()[:60]!r} is no field", "export it again", path.name, number)
            )
    if problems:
        raise ReviewError(f"{path.name} is not proper nbib.", problems)
    return references, []


def read_wos(path: Path, text: str) -> tuple[list[Reference], list[str]]:
    """Take Web of Science's plain text apart: a reference from PT to ER, values of several lines indented."""
    references: list[Reference] = []
    between = Between()
    current: Reference | None = None
    last: list[str] | None = None
    joined = ("AB", "TI", "SO", "DE", "ID", "DT")
    tag = ""
    for number, line in enumerate(text.splitlines(), 1):
        match = _WOS_LINE.match(line.rstrip())
        if match and match["tag"] == "PT":
            current = Reference(number)
            references.append(current)
        if match and match["tag"] in ("ER", "EF", "FN", "VR"):
            current = None if match["tag"] == "ER" else current
        elif current is None:
            between.add(number, line)
        elif match:
            tag = match["tag"]
            last = current.fields.setdefault(tag, [])
            last.append((match["value"] or "").strip())
        elif line.startswith("   ") and last:
            if tag in joined:
                last[-1] = f"{last[-1]} {line.strip()}"
            else:
                last.append(line.strip())
        else:
            between.add(number, line)
    if current is not None:
        raise unreadable(path, "was cut off: the last reference has no ER", "export it again")
    return references, between.notes()


def read_endnote(path: Path, text: str) -> tuple[list[Reference], list[str]]:
    """Take EndNote's export format (refer) apart: a reference begins with %0."""
    return _begun_by("%0", _ENDNOTE_LINE, text)


def read_refworks(path: Path, text: str) -> tuple[list[Reference], list[str]]:
    """Take RefWorks' tagged format apart: a reference begins with RT, a legend may stand before the first."""
    begin = re.search(r"^RT ", text, re.MULTILINE)
    ahead = text[: begin.start()].splitlines() if begin else []
    references, notes = _begun_by(
        "RT", _REFWORKS_LINE, "\n" * len(ahead) + text[begin.start() if begin else 0 :]
    )
    said = [f"{len(ahead)} lines before the first reference were passed over"] if any(ahead) else []
    return references, [*said, *notes]


def _begun_by(first: str, form: re.Pattern[str], text: str) -> tuple[list[Reference], list[str]]:
    """Take references apart, each of which begins with a tag; a line without one goes on with the last."""
    references: list[Reference] = []
    between = Between()
    last: list[str] | None = None
    for number, line in enumerate(text.splitlines(), 1):
        match = form.match(line)
        if match:
            if match["tag"] == first or not references:
                references.append(Reference(number))
            last = references[-1].fields.setdefault(match["tag"], [])
            last.append(match["value"].strip())
        elif last is not None:
            last[-1] = f"{last[-1]}\n{line.strip()}".strip()
        else:
            between.add(number, line)
    return references, between.notes()
