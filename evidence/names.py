"""Names that merely look alike, and the name that was probably meant."""

from __future__ import annotations

import difflib
import hashlib
import re
import unicodedata
from collections.abc import Collection, Iterable, Mapping, Sequence

# Letters of other alphabets that cannot be told from a Latin one in print, and the dashes and quotes that
# word processors put in (some of the Unicode Consortium's confusables, UTS 39).
_CONFUSABLE = str.maketrans(
    "АВЕЅІЈКМНОРСТУХаеѕіјорсухԁԛԝһ" + "ΑΒΕΖΗΙΚΜΝΟΡΤΥΧοανιμ" + "‐‑‒–—―−" + "‘’‚′“”″",
    "ABESIJKMHOPCTYXaesijopcyxdqwh" + "ABEZHIKMNOPTYXoaviu" + "-------" + "''''\"\"\"",
)
_BLANKS = re.compile(r"\s+")
_SHORTEST_GUESSED = 4


_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")
_RESERVED = re.compile(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\..*)?")
_HASHED = re.compile(r"-[0-9a-f]{8}$")
_LONGEST = 100

# Control characters (but tab and line ends), non-characters, and the private ones that carry links in
# reports: no reader sees them, and programs that draw, print or parse stop at them.
INVISIBLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ue000-\ue00f\ufffe\uffff]")


def slug(name: str) -> str:
    """Make a name of a file, an id or an anchor of any name; equal names give equal ones, others others.

    A name of letters, digits, dots, hyphens and underscores stays as it is. In any other, what is between
    these becomes a hyphen, and a hash of the name is added. File systems that take capital and small letters
    for the same need `apart` as well.
    """
    plain = _UNSAFE.sub("-", name).strip("-.")[:_LONGEST] or "x"
    if _RESERVED.fullmatch(plain):
        plain = f"x-{plain}"
    # A name that looks as if its hash had been added could be what another name is turned into.
    if plain == name and not _HASHED.search(name):
        return plain
    return f"{plain}-{hashlib.sha256(name.encode('utf-8', 'surrogatepass')).hexdigest()[:8]}"


def apart(name: str, taken: set[str], *forms: str) -> str:
    """Add a number to a name that is taken, capital and small letters being the same, and note what is now.

    Parameters
    ----------
    name : str
    taken : set of str
        Names in small letters; what is chosen is added.
    *forms : str
        What else is written under the name, as patterns of `str.format`: none of it may be taken either.

    Returns
    -------
    str
        The name, or it with -2, -3 and so on.
    """
    number, chosen = 1, name
    while {form.format(chosen).lower() for form in ("{}", *forms)} & taken:
        number += 1
        chosen = f"{name}-{number}"
    taken.update(form.format(chosen).lower() for form in ("{}", *forms))
    return chosen


def visible(text: str) -> str:
    """Put a blank in place of each character that no reader sees (`INVISIBLE`)."""
    return INVISIBLE.sub(" ", text)


def joined(parts: Iterable[str], separator: str) -> str:
    """Join names so that no two lists give one text: a separator within a name gets a backslash before it.

    Names without separator and backslash stand as they are.
    """
    return separator.join(
        part.replace("\\", "\\\\").replace(separator, "\\" + separator) for part in map(str, parts)
    )


def skeleton(name: str) -> str:
    """Reduce a name to what a reader sees: two names with the same skeleton look alike.

    Compatibility forms are unified (NFKC), invisible characters dropped, look-alike letters and dashes
    mapped to the Latin ones, blanks collapsed, case folded.
    """
    if name.isascii():
        return _BLANKS.sub(" ", name).strip().casefold()
    visible = "".join(c for c in unicodedata.normalize("NFKC", name) if unicodedata.category(c) != "Cf")
    found = _BLANKS.sub(" ", visible.translate(_CONFUSABLE)).strip().casefold()
    # Folding may give a letter that looks like another (the iota below a vowel: a letter iota, an i).
    return found if found == name else skeleton(found)


def difference(name: str, other: str) -> str:
    """Say in words how two names that look alike differ."""
    if name.strip() == other.strip():
        return "by a blank at its beginning or end"
    if _BLANKS.sub(" ", name).strip() == _BLANKS.sub(" ", other).strip():
        return "by the blanks in it"
    if name.casefold() == other.casefold():
        return "by upper and lower case"
    strange = [c for c in name if not c.isascii() and c not in other] or [
        c for c in other if not c.isascii() and c not in name
    ]
    if strange:
        return f"by the character {unicodedata.name(strange[0], repr(strange[0])).lower()}"
    return "by upper and lower case or blanks"


def nearest(
    name: str, known: Collection[str], synonyms: Mapping[str, str] | None = None, *, cutoff: float = 0.6
) -> str | None:
    """Return the known name that was probably meant, or None.

    Parameters
    ----------
    name : str
        What was typed.
    known : collection of str
        Names that would be right.
    synonyms : mapping of str to str, optional
        Other words for known names.
    cutoff : float
        How alike the two must be, from 0 to 1 (`difflib.SequenceMatcher.ratio`).
    """
    wanted = skeleton(name)
    by_skeleton: dict[str, str] = {}
    for other in known:
        by_skeleton.setdefault(skeleton(other), other)
    for word, other in (synonyms or {}).items():
        by_skeleton.setdefault(skeleton(word), other)
    if wanted in by_skeleton:
        return by_skeleton[wanted]
    # The first word of a longer name (fold: fold change) is meant as that, the shortest of several.
    if begun := [other for other in by_skeleton if other.startswith(f"{wanted} ")]:
        return by_skeleton[min(begun, key=lambda other: (len(other), other))]
    # Of codes as short as OR and RR, the nearest in letters is another thing as often as it is the one meant.
    # Words for them (day for d) are no codes.
    words = {skeleton(word) for word in synonyms or ()}
    guessable = [
        name for name in by_skeleton if len(name) >= _SHORTEST_GUESSED - (name in words and name.isalpha())
    ]
    close = difflib.get_close_matches(wanted, guessable, n=1, cutoff=cutoff)
    return by_skeleton[close[0]] if close else None


def suggestion(
    name: str, known: Collection[str], where: str = "", synonyms: Mapping[str, str] | None = None
) -> str:
    """Say what would be right in place of an unknown name.

    Parameters
    ----------
    name : str
        The unknown name.
    known : collection of str
        Names that would be right.
    where : str
        Where a new one would be declared, for example ``"treatments.csv"``.
    synonyms : mapping of str to str, optional
        Other words for known names.
    """
    close = nearest(name, known, synonyms)
    if close is not None and skeleton(close) == skeleton(name):
        return f"write {close!r}: the two differ only {difference(name, close)}"
    add = f", or add it to {where}" if where else ""
    if close is not None:
        return f"did you mean {close!r}?{add}"
    listed = ", ".join(repr(other) for other in sorted(known)[:12]) + (", ..." if len(known) > 12 else "")
    return f"one of {listed}{add}" if known else f"add it to {where}" if where else "leave it out"


def not_found(called: str, name: str, every: Sequence[str]) -> str:
    """Say that there is no such name, and which there are."""
    close = nearest(name, every)
    text = f"There is no {called} {name!r}." + (f" Did you mean {close!r}?" if close else "")
    return text + (f" There are: {', '.join(every)}." if len(every) <= 30 else "")
