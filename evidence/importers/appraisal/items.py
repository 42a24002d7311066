"""Which item of a tool a column's name means: by its key, by its names, or by the words it is asked with."""

from __future__ import annotations

import re
from collections import defaultdict
from functools import cached_property

from evidence.facts.appraisal import APPLICABILITY, OVERALL, Tool
from evidence.folder.column_names import plain

_SAYS_NOTHING = """
    the of to in for and or was were is are be by with from due arising at any each which that could this
    these free study studies bias risk rob domain item question judgement judgment judgements adequately
    adequate concern concerns regarding rating ratings assessed result results high low reported level a an
    on it its
"""
_STOP = frozenset(_SAYS_NOTHING.split())
_STEM = 5
_KEY = re.compile(r"(?:d|q|domain|item|question|criterion)?[\s._-]*(\d{1,2}[a-z]?)(?![\d.])[\s._:)/-]*(.*)")
_CHECK = re.compile(r"(?:d|q|sq|item|check)?[\s._-]*(\d)[._](\d{1,2})(?!\d)(.*)", re.IGNORECASE)
"""Number of a check within its domain: 4.11, d4_11."""
_LETTER = re.compile(r"([a-z]\d|ds)(?![a-z0-9])[\s._:)/-]*(.*)")
_FRAME = re.compile(
    r"^\W*(?:\(?(?:rob|risk[ _]of[ _]bias|syrcle)\)?[\s:_-]+)?"
    r"(?:domain\s*\((?:judgement|judgment|support)\)\s*:\s*)?(?:(?:judgement|judgment|rating)\s*[:_-]\s*)?",
)
_BIAS = re.compile(r"^(?:risk of )?bias (?:arising from|due to|because of|from|in)( the)? ")
_BRACKETS = re.compile(r"\s*[(\[][^)\]]*[)\]]")
_LEAST = 0.75


def spelled(name: str) -> str:
    """Return a name in small letters and American spelling, without what frames it in tables."""
    text = name.lower().replace("&", " and ")
    # R puts dots in place of blanks.
    text = text if " " in name.strip() else re.sub(r"\.(?!\d)", " ", text)
    text = re.sub(r"(random|general|hospital|blind)is(ed|ing|ation)", r"\1iz\2", text)
    text = _FRAME.sub("", text.strip())
    # What stands after the kind of bias in brackets says for which outcomes: it is no part of the name.
    text = re.sub(r"(\((?:selection|performance|detection|attrition|reporting) bias\)).+", r"\1", text)
    return _BIAS.sub("", text).strip(" :?_-")


def words(text: str) -> frozenset[str]:
    """Stems of the words of a name that tell one item from another."""
    found = re.findall(r"[a-z]{3,}", spelled(text).replace("_", " "))
    return frozenset(word[:_STEM] for word in found if word not in _STOP)


class ItemNames:
    """The items of a tool, found by what tables call them.

    Parameters
    ----------
    tool : Tool
        The instrument.
    """

    def __init__(self, tool: Tool) -> None:
        self.tool = tool
        self.keys = {key.lower(): key for key in tool.items}
        for key in tool.items:
            if key.isdigit():
                self.keys.setdefault(f"d{key}", key)

    @cached_property
    def _exact(self) -> dict[str, set[str]]:
        found: dict[str, set[str]] = defaultdict(set)
        domains = [item.domain for item in self.tool.items.values()]
        for key, item in self.tool.items.items():
            names = {key, item.label, item.question, *item.aliases}
            # A domain of several items names none of them.
            names |= {item.domain} if domains.count(item.domain) == 1 else set()
            for name in names:
                for form in (spelled(name), _BRACKETS.sub("", spelled(name))):
                    if plain(form):
                        found[plain(form)].add(key)
        return found

    @cached_property
    def _vocabulary(self) -> dict[str, frozenset[str]]:
        return {
            key: words(" ".join((item.label, item.question, item.domain, *item.aliases)))
            for key, item in self.tool.items.items()
            if item.domain != OVERALL
        }

    def find(self, name: str) -> str | None:
        """Return the key of the item that a column's name means, or None.

        A name with a key (``D2``, ``Q4``, ``D5_reporting``) is that item, unless its words mean another.
        """
        text = spelled(name)
        if match := _CHECK.fullmatch(name.strip()):
            if (check := f"{match[1]}.{match[2]}") in self.tool.items:
                return check
            if not words(match[3]):
                return None
        applies = "applicab" in text or re.match(r"ac[\s:_-]", text) is not None
        for pattern in (_KEY, _LETTER):
            if match := pattern.fullmatch(text):
                key = self._by_key(match[1], pattern is _KEY)
                if key is None:
                    return None if pattern is _KEY else self._by_name(name, applies)
                return key if self._fits(key, match[2], applies) else None
        return self._by_name(name, applies)

    def _by_key(self, key: str, numbered: bool) -> str | None:
        forms = (f"d{key}", key, key.lstrip("0"), f"d{key.lstrip('0')}") if numbered else (key,)
        return next((self.keys[form] for form in forms if form in self.keys), None)

    def _fits(self, key: str, rest: str, applies: bool) -> bool:
        """Whether the words beside a key do not mean another item."""
        told = words(rest)
        if not told:
            return True
        other = self._by_name(rest, applies)
        if other is not None:
            return other == key
        return bool(told & self._vocabulary.get(key, words(self.tool.items[key].label)))

    def _by_name(self, name: str, applies: bool) -> str | None:
        text = spelled(name)
        for form in (text, _BRACKETS.sub("", text)):
            keys = {k for k in self._exact.get(plain(form), ()) if self._of_kind(k, applies)}
            if len(keys) == 1:
                return keys.pop()
        return self._by_words(words(name), applies)

    def _of_kind(self, key: str, applies: bool) -> bool:
        return (self.tool.items[key].domain == APPLICABILITY) is applies

    def _by_words(self, told: frozenset[str], applies: bool) -> str | None:
        """Return the one item whose wording holds these words best; one word alone says too little."""
        if applies:
            told = told - words("applicability")
        if len(told) < 2 - applies:
            return None
        shares = {
            key: len(told & vocabulary) / len(told)
            for key, vocabulary in self._vocabulary.items()
            if self._of_kind(key, applies)
        }
        best = max(shares.values(), default=0)
        keys = [key for key, share in shares.items() if share == best]
        if best < (_LEAST if len(told) > 2 else 1) or not keys:
            return None
        if len(keys) > 1:
            # Of several that hold them all, the one that says little else.
            sizes = {key: len(self._vocabulary[key]) for key in keys}
            keys = [key for key in keys if sizes[key] == min(sizes.values())]
            return keys[0] if len(keys) == 1 and applies else None
        return keys[0]
