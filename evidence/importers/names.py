"""What the column names of the field's usual tools stand for."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from functools import cache

from evidence.layout import FILE
from evidence.names import skeleton
from evidence.reference import reference

AMBIGUOUS = frozenset(
    (
        "error",
        "err",
        "errorbar",
        "errorbars",
        "dev",
        "deviation",
        "variance",
        "var",
        "spread",
        "dispersion",
        "errorvalue",
    )
)
"""Names that do not say whether they hold a standard deviation, a standard error or a variance."""


def plain(name: str) -> str:
    """Return the name as it is compared: letters and digits only, lower case."""
    return re.sub(r"[^0-9a-z]", "", name.lower())


@cache
def targets(shape: str) -> dict[str, frozenset[str]]:
    """Return what a plain column name can stand for.

    Parameters
    ----------
    shape : {"arm level", "contrast level"}
        Shape of the table, as in the reference table ``column_alias``.

    Returns
    -------
    dict of str to frozenset of str
        Columns of the review folder, by plain name.
    """
    arm_level = ("studies.csv", "arms.csv", "measurements.csv")
    files = arm_level if shape == "arm level" else ("contrasts.csv",)
    found: dict[str, set[str]] = defaultdict(set)
    for row in reference("column_alias"):
        if row["file"] == shape:
            found[plain(str(row["alias"]))].add(str(row["column_name"]))
    for name in files:
        for column in FILE[name].columns:
            found[plain(column.name)] = {column.name}
    return {name: frozenset(columns) for name, columns in found.items()}


_WORDS = {
    "mean": "mean", "average": "mean", "median": "median", "sd": "sd", "se": "se", "sem": "se", "n": "n",
    "events": "events", "study": "study", "author": "study", "treatment": "treatment", "group": "treatment",
    "intervention": "treatment", "arm": "treatment",
}  # fmt: skip
"""What a word within a column's name may stand for: a hint to a person, never taken as decided."""


def hints(names: Iterable[str]) -> dict[str, str]:
    """Guess what columns may stand for by the words in their names, to be said and not to be acted upon.

    Returns
    -------
    dict of str to str
        Column to target; several targets joined by ``+`` where the name says that its cells hold several.
    """
    found: dict[str, str] = {}
    for name in names:
        words = [_WORDS[word] for word in re.findall(r"[a-z]+", name.lower()) if word in _WORDS]
        target = "+".join(dict.fromkeys(words))
        if target and target not in found.values():
            found[name] = target
    return found


class Spellings:
    """One spelling for words that differ only in case, blanks or dashes: the first."""

    def __init__(self) -> None:
        self.first: dict[str, str] = {}
        self.others: dict[str, set[str]] = defaultdict(set)

    def __call__(self, word: str) -> str:
        """Return the word in its first spelling."""
        word = " ".join(word.split())
        first = self.first.setdefault(skeleton(word), word)
        if word != first:
            self.others[first].add(word)
        return first
