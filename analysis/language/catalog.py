"""Fixed texts in the reader's language, from the catalogues beside this file (gettext, ``de.po`` and others).

A text is written in English where it is said, as a whole sentence with named places, and looked up when it
is said: ``tr("{n} studies entered", n=...)``. What a catalogue lacks is said in English, the whole sentence.
Words of the review itself (titles, names, quoted reasons) are never looked up.
"""

from __future__ import annotations

import gettext
import io
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from pathlib import Path
from typing import Any

from evidence.errors import CallError
from evidence.facts.languages import DEFAULT, LANGUAGES

_CURRENT: ContextVar[str] = ContextVar("language", default=DEFAULT)


def current() -> str:
    """Code of the language that texts are said in."""
    return _CURRENT.get()


@contextmanager
def speaking(language: str) -> Iterator[None]:
    """Say texts and write numbers in a language while the block runs.

    Parameters
    ----------
    language : str
        Code of one of `evidence.facts.languages.LANGUAGES`.

    Raises
    ------
    CallError
        If there is no such language.
    """
    if language not in LANGUAGES:
        known = ", ".join(f"{code} ({name})" for code, name in LANGUAGES.items())
        raise CallError(f"There is no language {language!r}: the report is written in {known}.")
    token = _CURRENT.set(language)
    try:
        yield
    finally:
        _CURRENT.reset(token)


def tr(message: str, /, **values: Any) -> str:
    """Say a text in the current language.

    Parameters
    ----------
    message : str
        The English text, which is its key; named places in braces.
    **values
        What stands in the places: written already, names as they are.

    Returns
    -------
    str

    Examples
    --------
    >>> from analysis.language.catalog import speaking, tr
    >>> with speaking("de"):
    ...     tr("{a} versus {b}", a="A", b="B")
    'A gegen B'
    """
    said = _catalogue(current()).gettext(message) if message else ""
    return said.format(**values) if values else said


def trn(one: str, many: str, n: float, /, **values: Any) -> str:
    """Say a text that counts something, in the form that the number asks for.

    Parameters
    ----------
    one, many : str
        The English text for one, and for any other number.
    n : float
        The number; where it is to be printed, it is among `values`, written.
    **values
        As in `tr`.

    Returns
    -------
    str
    """
    # Plural rules are of whole numbers; half an animal is spoken of as several.
    whole = int(n) if float(n).is_integer() else 2
    return _catalogue(current()).ngettext(one, many, whole).format(**values)


def within(heading: str) -> str:
    """Write a heading within a sentence: small letters, but in German, where nouns keep their capitals."""
    return heading if current() == "de" else heading.lower()


def marked(message: str) -> str:
    """Mark a text for the catalogues that `tr` says later; it is given back as it is."""
    return message


@cache
def _catalogue(language: str) -> gettext.NullTranslations:
    """Compile a catalogue in memory: what translators edit is what is read."""
    if language == DEFAULT:
        return gettext.NullTranslations()
    from babel.messages.mofile import write_mo

    compiled = io.BytesIO()
    write_mo(compiled, read(language))
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)


def place(language: str) -> Path:
    """File of a catalogue."""
    return Path(__file__).resolve().with_name(f"{language}.po")


def read(language: str) -> Any:
    """Read a catalogue as it is kept (`babel.messages.Catalog`)."""
    from babel.messages.pofile import read_po

    with place(language).open("rb") as file:
        return read_po(file, locale=language)


@cache
def _signs(language: str) -> tuple[str, str, str]:
    """Decimal sign, sign between thousands, and what stands before a percent sign (CLDR, by Babel)."""
    from babel import Locale

    locale = Locale.parse(language)
    signs = locale.number_symbols["latn"]
    pattern = locale.percent_formats[None].pattern
    return signs["decimal"], signs["group"], pattern[pattern.index("0") + 1 : pattern.index("%")]


def numerals(text: str) -> str:
    """Write a number that is written as in English (``1,234.5``) with the current language's signs."""
    if current() == DEFAULT:
        return text
    decimal, group, _ = _signs(current())
    return text.translate({ord(","): group, ord("."): decimal})


def percent_sign() -> str:
    """Sign after a share, with the space that the current language puts before it."""
    return "%" if current() == DEFAULT else f"{_signs(current())[2]}%"


def interval(lower: str, upper: str) -> str:
    """Write an interval: a semicolon stands between its ends where a comma is the decimal sign.

    >>> from analysis.language.catalog import interval
    >>> interval("−2.1", "0.4")
    '[−2.1, 0.4]'
    """
    comma = current() != DEFAULT and _signs(current())[0] == ","
    return f"[{lower}{'; ' if comma else ', '}{upper}]"


def number_format() -> dict[str, Any]:
    """Give the current language's numbers to the axes of charts (Vega's ``locale``); empty for English."""
    if current() == DEFAULT:
        return {}
    decimal, group, _ = _signs(current())
    return {"number": {"decimal": decimal, "thousands": group, "grouping": [3], "currency": ["", ""]}}
