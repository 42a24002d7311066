"""Keep the catalogues whole: ``python -m analysis.language.catalogs`` adds to each what the code says anew.

A translation stands as it was; a text that no code says any more is dropped; a new one waits, untranslated,
and is said in English until somebody writes it (``tests/analysis/language`` names those).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from analysis.language import catalog
from evidence import facts
from evidence.facts.languages import DEFAULT, LANGUAGES
from evidence.folder import as_of
from evidence.output import SYNTHETIC

_KEYWORDS = {"tr": None, "trn": (1, 2), "marked": None}
_FILES = [("**.py", "python"), ("**.html", "jinja2.ext:babel_extract")]
_PLURALS = {
    "de": "nplurals=2; plural=(n != 1);",
    "fr": "nplurals=2; plural=(n > 1);",
    "es": "nplurals=2; plural=(n != 1);",
    "zh": "nplurals=1; plural=0;",
}
"""Rules of gettext's manual; those of Babel change with its version."""

_ANALYSIS = Path(__file__).resolve().parents[1]


def messages() -> dict[str | tuple[str, str], list[str]]:
    """Find every text that is said through a catalogue, with the files that say it.

    Returns
    -------
    dict
        English text, or one and several, to files; in the order of the files.
    """
    found: dict[str | tuple[str, str], list[str]] = {}
    for message, file in (*_said(), *_facts()):
        found.setdefault(message, [])
        if file not in found[message]:
            found[message].append(file)
    return found


def _said() -> Iterator[tuple[Any, str]]:
    from babel.messages.extract import extract_from_dir

    for file, _, message, _, _ in extract_from_dir(
        _ANALYSIS, method_map=_FILES, keywords=_KEYWORDS, options_map={}, comment_tags=()
    ):
        yield message, f"analysis/{file}"


def _facts() -> Iterator[tuple[str, str]]:
    """Names of the reference tables that are printed, and words of the database's side."""
    for measure in facts.measures():
        for about in (measure, *facts.forms(measure.code)):
            yield about.title, "schema/reference/effect_measure.csv"
            yield about.label, "schema/reference/effect_measure.csv"
    yield SYNTHETIC, "evidence/output.py"
    for said in (as_of.SAID, as_of.UNDATED, *as_of.BASES.values()):
        yield said, "evidence/folder/as_of.py"
    for units in ("Animals", "Participants"):
        yield units, "analysis/described.py"


def update(language: str) -> Any:
    """Bring a catalogue up to what the code says (`babel.messages.Catalog`); it is not written yet."""
    from babel.messages.catalog import Catalog

    kept, fresh = catalog.read(language), Catalog(locale=language)
    fresh.mime_headers = [("Plural-Forms", _PLURALS[language])]
    for message in messages():
        one = message if isinstance(message, str) else message[0]
        old = kept.get(one)
        same = old is not None and old.id == message
        fresh.add(message, old.string if same else None)
    return fresh


def text(language: str) -> bytes:
    """Write a catalogue as its file holds it."""
    import io

    from babel.messages.pofile import write_po

    written = io.BytesIO()
    # In order, without places: code that moves changes no catalogue.
    write_po(written, update(language), width=100, omit_header=True, no_location=True, sort_output=True)
    head = (
        "Language: " + language,
        "Content-Type: text/plain; charset=utf-8",
        "Plural-Forms: " + _PLURALS[language],
    )
    lines = "".join(f'"{line}\\n"\n' for line in head)
    return f'msgid ""\nmsgstr ""\n{lines}\n'.encode() + written.getvalue()


def main() -> None:
    """Write all catalogues anew."""
    for language in LANGUAGES:
        if language != DEFAULT:
            catalog.place(language).write_bytes(text(language))


if __name__ == "__main__":
    main()
