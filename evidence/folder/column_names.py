"""What the column names of the field's usual tools stand for."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from functools import cache
from typing import NamedTuple

from evidence import facts
from evidence.facts.reference import reference
from evidence.folder.layout import FILE
from evidence.names import skeleton

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


class EffectName(NamedTuple):
    """What the name of a column says of an effect.

    Attributes
    ----------
    target : {"estimate", "se", "ci_lower", "ci_upper", "interval", "estimate and interval"}
        What stands in it.
    measure : str or None
        Effect measure that the name holds, if any.
    scale : {"log", "natural"} or None
        What the name says of a ratio's scale: ``logOR`` holds logarithms, ``OR`` ratios as printed.
    level : float or None
        Level of the interval, where the name says it.
    """

    target: str
    measure: str | None
    scale: str | None
    level: float | None = None


_LOWER = frozenset(("lower", "low", "lo", "ll", "l", "lcl", "lci", "lb", "lcb", "from"))
_UPPER = frozenset(("upper", "upp", "up", "high", "hi", "ul", "u", "ucl", "uci", "ub", "ucb", "to"))
_PLAIN_LIMITS = frozenset(("lower", "upper", "ll", "ul", "lcl", "ucl", "lci", "uci", "lb", "ub"))
_POINT = frozenset(("", "estimate", "est", "point", "pointestimate", "effect", "effectsize", "value", "te"))
_ADJUSTED = re.compile(r"^(unadjusted|adjusted|unadj|adj|multivariable|univariable|crude|pooled|a)?")
_LEVEL = re.compile(r"(?<![\d.])(99(?:\.\d+)?|9[05](?:\.0+)?|97\.5|80)(?![\d.])")
_SE = re.compile(r"(standarderror|stderr|std\.?err|se)(of)?(the)?")


@cache
def measure_names() -> tuple[tuple[str, str], ...]:
    """Return what a ratio measure is called in names of columns, longest first, and which it is."""
    found: dict[str, str] = {}
    for measure in facts.measures(given=facts.REVIEW):
        if measure.is_ratio:
            found |= dict.fromkeys((plain(measure.code), plain(measure.label)), measure.code)
    for row in reference("measure_name"):
        if row["tool"] == "usual":
            found[plain(str(row["name"]))] = str(row["measure"])
    return tuple(sorted(found.items(), key=lambda item: -len(item[0])))


@cache
def differences_called() -> dict[str, frozenset[str]]:
    """Return what columns of differences are called as plain names (``smd``, ``hedgesg``), by measure."""
    found = {
        measure.code: {plain(measure.code), plain(measure.label)}
        for measure in facts.measures(given=facts.REVIEW)
        if not measure.is_ratio
    }
    for row in reference("measure_name"):
        if row["tool"] == "column" and str(row["measure"]) in found:
            found[str(row["measure"])].add(plain(str(row["name"])))
    return {measure: frozenset(names) for measure, names in found.items()}


def effect_name(name: str) -> EffectName | None:
    """Read the name of a column of effects: ``aOR``, ``ln HR``, ``se(logRR)``, ``OR_lower``, ``RR (95% CI)``.

    Parameters
    ----------
    name : str
        The name, as in the table.

    Returns
    -------
    EffectName or None
        None where the name is not about a ratio, its error or an interval.
    """
    level = next((float(found) / 100 for found in _LEVEL.findall(name)), None)
    text = plain(_LEVEL.sub("", name))
    error = _SE.match(text)
    if error:
        rest, scale, measure = _of_measure(text[error.end() :])
        if measure or scale:
            # The SE of a ratio by its name may be that of its logarithm: authors write se_or for both.
            return EffectName("se", measure, scale if scale == "log" else None) if rest in _POINT else None
        return None
    text, scale, measure = _of_measure(text)
    bare = re.sub(r"confidenceinterval|confidence|interval|limits?|bounds?|percent|ci|cl", "", text)
    about_interval = bare != text or level is not None
    named = bare if measure or about_interval else text
    for target, words in (("ci_lower", _LOWER), ("ci_upper", _UPPER)):
        if (named in words or text in words) and (measure or about_interval or text in _PLAIN_LIMITS):
            return EffectName(target, measure, scale, level)
    if about_interval and bare == "" and not measure:
        return EffectName("interval", None, scale, level)
    if measure and (bare in _POINT or (bare, measure) in measure_names()):
        target = "estimate and interval" if about_interval and bare != "estimate" else "estimate"
        return EffectName(target, measure, scale or "natural", level)
    return None


def _of_measure(text: str) -> tuple[str, str | None, str | None]:
    """Take a measure, and the word for a logarithm before it, out of a plain name."""
    for word, measure in measure_names():
        for prefix, scale in (
            ("naturallog", "log"),
            ("logof", "log"),
            ("log", "log"),
            ("ln", "log"),
            ("", None),
        ):
            stem = prefix + word
            if (at := text.find(stem)) < 0:
                continue
            before, after = _ADJUSTED.sub("", text[:at], count=1), text[at + len(stem) :]
            if text.startswith("arr"):
                # An absolute risk reduction, more often than an adjusted risk ratio.
                continue
            if before and before not in (*_LOWER, *_UPPER, "ci", "cilower", "ciupper", "lowerci", "upperci"):
                continue
            return before + after, scale, measure
    for prefix in ("log", "ln"):
        if text.startswith(prefix) and text[len(prefix) :] in _POINT | _LOWER | _UPPER:
            return text[len(prefix) :], "log", None
    return text, None, None


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
