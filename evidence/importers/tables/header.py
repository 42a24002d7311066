"""What the name of one column says: a statistic, the group it is of, and what remains of the name.

Names are read as words. ``IG_Mean_post`` is the mean (a word of ``column_alias``) of the intervention group
(a word of ``group_word``), and "post" remains; ``n1i`` is n of group 1, ``mean.psyc`` a mean of something
called "psyc". Nothing is decided here: that takes the cells and the other columns
(`evidence.importers.tables.shape`).
"""

from __future__ import annotations

import re
from functools import cache
from typing import NamedTuple

from evidence.facts.reference import reference
from evidence.folder.column_names import plain, targets

STATISTICS = frozenset(
    (
        "n", "mean", "sd", "se", "median", "q1", "q3", "min", "max", "ci_lower", "ci_upper", "events",
        "exposure", "non_events", "proportion", "percent", "sd^2", "se^2",
    )
)  # fmt: skip
"""What a column can hold of one arm, in numbers."""

CONVERTED = {
    "proportion": "events, as a share of n (0.25)",
    "percent": "events, in per cent of n (25 or 25%)",
    "sd^2": "a variance: the square of the SD",
    "se^2": "the square of the SE",
    "non_events": "those of an arm without the event",
}
"""Targets that are no column of a review folder, and what is made of them."""

_ESCALC = {
    "ai": ("events", "1"), "bi": ("non_events", "1"), "ci": ("events", "2"), "di": ("non_events", "2"),
    "x1i": ("events", "1"), "x2i": ("events", "2"), "t1i": ("exposure", "1"), "t2i": ("exposure", "2"),
    **{f"{stem}{k}i": (what, k) for stem, what in (("n", "n"), ("m", "mean"), ("sd", "sd")) for k in "12"},
}  # fmt: skip
"""Names of metafor's ``escalc``: they say all there is to say."""

_TREATMENT = frozenset(
    (
        "t", "treat", "trt", "treatment", "treatmentname", "condition", "intervention", "drug", "therapy",
        "agent", "tx", "arm", "group",
    )
)  # fmt: skip
_NOISE = frozenset(
    ("group", "grp", "arm", "of", "the", "in", "for", "value", "values", "total", "score", "study")
)
NEVER_OUTCOME = frozenset(
    ("pre", "baseline", "base", "bl", "before", "initial", "pretest", "preop", "start", "t0", "admission",
     "age", "ages", "aged")
)  # fmt: skip
"""Words for a measurement before the treatment, and for an age: never the outcome."""
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+|\^2|%")
_BARE = re.compile(r"[^0-9a-z^%]")
_MAX_WORDS = 5


class Reading(NamedTuple):
    """One way to read a column's name.

    Attributes
    ----------
    options : frozenset of str
        What the column may hold: several where the name leaves it open (``x``: events or a mean).
    group : str
        ``1``, ``2``, ... by index or by a word for treated (1) and control (2); ``=word`` for a word that is
        none of these; empty where the name has no group.
    rest : str
        What remains of the name.
    label : str
        What the group is called, where the name says more than treated or control.
    exact : bool
        Whether this is the only way to read it (metafor's names, an index in brackets).
    """

    options: frozenset[str]
    group: str
    rest: str = ""
    label: str = ""
    exact: bool = False

    @property
    def is_first(self) -> bool:
        """Whether it is a measurement from before the treatment, or an age."""
        return bool(NEVER_OUTCOME & set(self.rest.split()))


@cache
def group_words() -> dict[str, tuple[str, str]]:
    """Side (1 treated, 2 control) and label of each word for a group."""
    return {str(row["word"]): (str(row["side"]), str(row["label"] or "")) for row in reference("group_word")}


@cache
def statistics() -> dict[str, frozenset[str]]:
    """Return what a statistic is called, as a plain name, and which it may be."""
    names: dict[str, frozenset[str]] = {
        alias: found & STATISTICS for alias, found in targets("arm level").items() if found & STATISTICS
    }
    names |= {word: frozenset(("percent",)) for word in ("percent", "percentage", "pct", "perc", "%")}
    names |= {word: frozenset(("proportion",)) for word in ("proportion", "prop")}
    names |= {word: frozenset((word,)) for word in ("sd^2", "se^2")}
    names["nonevents"] = frozenset(("non_events",))
    return names


def words(name: str) -> list[str]:
    """Words of a name, in small letters: parted by signs, by capitals and by digits."""
    return [word.lower() for word in _WORD.findall(name)]


def only_names(name: str) -> bool:
    """Whether a name says that its cells name treatments, and nothing else: no dose, no type of one."""
    return set(words(name)) <= _TREATMENT | _NOISE | {"name", "label", "allocated", "assigned", "received"}


@cache
def readings(name: str) -> tuple[Reading, ...]:
    """Every way to read a column's name as a statistic, or a treatment, of one group.

    Returns
    -------
    tuple of Reading
        Without a group: a statistic of the row's own arm. None where the name says neither.
    """
    lower = name.lower()
    if lower in _ESCALC:
        what, side = _ESCALC[lower]
        return (Reading(frozenset((what,)), side, exact=True),)
    if match := re.fullmatch(r"([A-Za-z][A-Za-z._ ]*)\[,\s*([1-9]\d*)\]", name):
        options = _options(plain(match[1]))
        return (Reading(options, match[2], exact=True),) if options else ()
    found = _by_words(words(name))
    if not (lower.endswith("i") and lower in statistics()):  # metafor's mi is a mean, not that of group i.
        found = [*found, *_run_together(_BARE.sub("", lower))]
    best: dict[tuple[frozenset[str], str, str], Reading] = {}
    for reading in found:
        best.setdefault((reading.options, reading.group, reading.rest), reading)
    # What leaves nothing of a name unread is how it is read.
    whole = [reading for reading in best.values() if not reading.rest and not reading.group.startswith("=")]
    return tuple(whole or best.values())


def _options(word: str) -> frozenset[str]:
    options = statistics().get(word, frozenset())
    return options | {"treatment"} if word in _TREATMENT else options


def _by_words(parts: list[str]) -> list[Reading]:
    """Read a name by its words: the longest run of words that is a statistic counts."""
    if len(parts) > 2 * _MAX_WORDS:
        return []
    for length in range(min(len(parts), _MAX_WORDS), 0, -1):
        found = []
        for start in range(len(parts) - length + 1):
            options = _options("".join(parts[start : start + length]))
            if options:
                found += [
                    reading
                    for reading in _with_group(options, parts[:start], parts[start + length :])
                    if parts[start] == "n" or len(parts[start]) > 1 or not _is_code(reading.rest)
                ]
        if found:
            return found
    return []


def _is_code(rest: str) -> bool:
    """Whether what remains of a name makes a letter in it no statistic: R2D is no count called r."""
    return any(len(word) == 1 for word in rest.split())


def _with_group(options: frozenset[str], before: list[str], after: list[str]) -> list[Reading]:
    """Read what stands around a statistic as a group, and what remains."""
    around = [word for word in (*before, *after) if word not in _NOISE]
    if after and after[-1] == "i" and len(around) > 1:
        around = around[:-1]  # metafor: n1i, mT1i.
    if not around:
        return [Reading(options, "")]
    known = group_words()
    found = []
    for i, word in enumerate(around):
        rest = " ".join(around[:i] + around[i + 1 :])
        if word.isdigit() and len(word) == 1 and word != "0":
            found.append(Reading(options, word, rest))
        elif word in known and (len(word) > 1 or len(around) == 1):
            side, label = known[word]
            found.append(Reading(options, side, rest, label))
    # A word for a group says more than a digit: in IG_mean_2 the digit is a time.
    named = [
        reading
        for reading, word in zip(found, [w for w in around if _is_group(w, around)])
        if not word.isdigit()
    ]
    if named or found:
        return named or found
    return [Reading(options, f"={' '.join(around)}")]


def _is_group(word: str, around: list[str]) -> bool:
    if word.isdigit():
        return len(word) == 1 and word != "0"
    return word in group_words() and (len(word) > 1 or len(around) == 1)


def _run_together(name: str) -> list[Reading]:
    """Read a name without anything between statistic and group: ``sdc``, ``nexp``, ``nTi``."""
    if not name.isalpha() or len(name) > 24 or name in group_words():
        return []
    found = []
    for at in range(1, len(name)):
        head, tail = name[:at], name[at:]
        for word in (tail, tail.removesuffix("i") if len(tail) > 1 else tail):
            if (options := _options(head) & STATISTICS) and word in group_words():
                side, label = group_words()[word]
                found.append(Reading(options, side, "", label))
        if (
            (len(head) > 1 or len(tail) > 1)
            and tail != "s"  # References and controls are several, not the SD of one.
            and head in group_words()
            and (options := _options(tail) & STATISTICS)
        ):
            side, label = group_words()[head]
            found.append(Reading(options, side, "", label))
    return found


def group_of(name: str) -> tuple[str, str] | None:
    """Take a name apart into its stem and the group that it is about, whatever it says of it."""
    for pattern in _INDEXED:
        if match := pattern.fullmatch(name):
            return plain(match["stem"]), match["group"]
    parts = [word for word in words(name) if word not in _NOISE]
    sides = [(i, group_words()[word][0]) for i, word in enumerate(parts) if word in group_words()]
    if len(parts) > 1 and len(sides) == 1:
        at, side = sides[0]
        return "".join(parts[:at] + parts[at + 1 :]), side
    return None


_INDEXED = (
    re.compile(r"(?P<stem>[A-Za-z][A-Za-z._ ]*)\[,\s*(?P<group>[1-9]\d*)\]"),
    re.compile(r"(?P<stem>[A-Za-z][A-Za-z._ ]*?)[._ ](?:arm|group)[._ ]?(?P<group>[1-9]\d*)", re.IGNORECASE),
    re.compile(r"(?P<stem>[A-Za-z][A-Za-z._ ]*?)[._ ]?(?P<group>[1-9]\d*)"),
)
