"""Catalogues of fixed texts: whole, with the same places in every language; numbers in the language's signs."""

from __future__ import annotations

import ast
import re
import string
from pathlib import Path

import pytest

import evidence
from analysis.charts.base.effect import Effect
from analysis.charts.base.theme import FONTS, count, finish, number, p_value, percent
from analysis.language import catalog, catalogs
from analysis.language.catalog import interval, speaking, tr, trn
from evidence.errors import CallError, EvidenceError
from evidence.facts.languages import DEFAULT, LANGUAGES

OTHERS = [language for language in LANGUAGES if language != DEFAULT]


def places(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


@pytest.fixture(scope="module")
def messages():
    return catalogs.messages()


def test_there_are_texts_of_figures_tables_sections_and_facts(messages):
    files = {file for found in messages.values() for file in found}
    assert {"analysis/charts/forests.py", "analysis/charts/tables.py", "analysis/report/sections/whole.py",
            "schema/reference/effect_measure.csv", "evidence/output.py"} <= files  # fmt: skip
    assert len(messages) > 400


def test_no_text_that_the_code_says_escapes_the_catalogues(messages):
    """Calls within calls and texts put together are where an extractor may be blind."""
    known = {message if isinstance(message, str) else message[0] for message in messages}
    folder = Path(catalogs.__file__).parents[1]
    for file in sorted(folder.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call) or getattr(node.func, "id", "") not in ("tr", "trn", "marked"):
                continue
            first = node.args[0]
            assert not isinstance(first, ast.JoinedStr | ast.BinOp | ast.IfExp), f"{file.name}:{node.lineno}"
            if isinstance(first, ast.Constant) and first.value:
                assert first.value in known, f"{file.name}:{node.lineno}: {first.value!r} is not found"


@pytest.mark.parametrize("language", OTHERS)
def test_every_text_is_translated_with_the_same_places(language, messages):
    kept = catalog.read(language)
    for message in messages:
        ids = (message,) if isinstance(message, str) else message
        found = kept.get(ids[0])
        assert found is not None, f"{ids[0]!r}: run python -m analysis.language.catalogs, then translate it"
        assert found.id == message
        strings = (found.string,) if isinstance(found.string, str) else found.string
        assert all(strings), f"{language} lacks {ids[0]!r}"
        assert len(strings) == (1 if isinstance(message, str) else kept.num_plurals)
        for said in strings:
            # A form for one thing may leave its number out, no other place.
            assert places(said) <= places(ids[-1]), said
            assert places(ids[-1]) - places(said) <= (
                {"n"} if len(ids) > 1 and said == strings[0] else set()
            ), said
            assert said.count("\n") == ids[0].count("\n"), said
            # French has a space before a colon.
            assert said[0] == " " or ids[0][0] != " "
            assert "\ue000" not in said
            assert not re.search("<[a-z/]", said)


@pytest.mark.parametrize("language", OTHERS)
def test_a_catalogue_is_as_the_code_says(language):
    assert catalog.place(language).read_bytes() == catalogs.text(language), (
        "python -m analysis.language.catalogs"
    )


def test_chinese_is_written_in_chinese():
    for message in catalog.read("zh"):
        strings = (message.string,) if isinstance(message.string, str) else message.string
        for said in strings:
            if re.search(
                r"[A-Za-z]{4,}",
                re.sub(r"\{\w+\}", "", message.id if isinstance(message.id, str) else message.id[0]),
            ):
                assert re.search("[\u4e00-\u9fff]", said) or said in ("Fisher z",), said


def test_a_sentence_is_looked_up_whole_and_said_in_english_where_a_catalogue_lacks_it():
    with speaking("fr"):
        assert tr("{a} versus {b}", a="X", b="{y}") == "X contre {y}"
        assert tr("Nobody translated {what}.", what="this") == "Nobody translated this."
        assert trn("{n} lost thing", "{n} lost things", 2, n=2) == "2 lost things"
    assert tr("{a} versus {b}", a="X", b="Y") == "X versus Y"
    assert tr("") == ""


@pytest.mark.parametrize(
    ("language", "said"),
    [("en", ["0 studies", "1 study", "2 studies"]), ("de", ["0 Studien", "1 Studie", "2 Studien"]),
     ("fr", ["0 étude", "1 étude", "2 études"]), ("es", ["0 estudios", "1 estudio", "2 estudios"]),
     ("zh", ["0 项研究", "1 项研究", "2 项研究"])],
)  # fmt: skip
def test_plural_forms_are_the_languages_own(language, said):
    with speaking(language):
        assert [trn("{k} study", "{k} studies", k, k=k) for k in (0, 1, 2)] == said


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("en", ["−1,234.5", "12,345", "50%", "<0.1%", "= 0.012", "< 0.001", "[−2.1, 0.4]"]),
        ("de", ["−1.234,5", "12.345", "50\xa0%", "<0,1\xa0%", "= 0,012", "< 0,001", "[−2,1; 0,4]"]),
        ("fr", ["−1\u202f234,5", "12\u202f345", "50\u202f%", "<0,1\u202f%", "= 0,012", "< 0,001", "[−2,1; 0,4]"]),
        ("es", ["−1.234,5", "12.345", "50\xa0%", "<0,1\xa0%", "= 0,012", "< 0,001", "[−2,1; 0,4]"]),
        ("zh", ["−1,234.5", "12,345", "50%", "<0.1%", "= 0.012", "< 0.001", "[−2.1, 0.4]"]),
    ],
)  # fmt: skip
def test_numbers_have_the_signs_of_the_language(language, said):
    with speaking(language):
        written = [number(-1234.5, 1), count(12345), percent(0.5, 0), percent(0.0001), p_value(0.0123), p_value(0.0),
                   interval(number(-2.1, 1), number(0.4, 1))]  # fmt: skip
    normal = [text.replace("\u202f%", "\xa0%") for text in written]
    assert normal == [text.replace("\u202f%", "\xa0%") for text in said]


def test_effects_and_their_sides_are_said_in_the_language_and_the_reviews_words_stay():
    effect = Effect("MD", "Alanine aminotransferase", unit="U/L", lower_is_better=True)
    with speaking("de"):
        assert effect.title == "Mittelwertdifferenz: Alanine aminotransferase (U/L)"
        assert effect.estimate_text(-774.2, -1044.0, -504.4, 0) == "−774 [−1.044; −504]"
        assert effect.favours("Cell", "Placebo") == ("Zugunsten von Cell", "Zugunsten von Placebo")
        assert Effect("OR").text(20.0) == ">1.000.000"
    assert effect.title == "Mean difference: Alanine aminotransferase (U/L)"


def test_axes_of_charts_have_the_signs_of_the_language():
    import altair as alt

    def drawn():
        chart = alt.Chart(alt.InlineData([{"x": 1234.5}], name="rows")).mark_point().encode(x="x:Q")
        return finish(chart, name="c", title="T", description="D", tables={}).to_dict()

    with speaking("de"):
        german = drawn()
    assert german["config"]["locale"]["number"]["decimal"] == ","
    assert "locale" not in drawn()["config"]


def test_fonts_hold_chinese():
    assert {"'Noto Sans CJK SC'", "'Microsoft YaHei'", "'PingFang SC'"} <= {
        font.strip() for font in FONTS.split(",")
    }


def test_an_unknown_language_is_refused_with_those_that_there_are():
    with pytest.raises(CallError, match="no language 'xx'"), speaking("xx"):
        pass


def test_the_language_of_the_review_is_checked_when_it_is_built(small_review, tmp_path):
    folder = small_review.write(tmp_path / "r", "", small_review.studies(2))
    plan = folder / "review.toml"
    plan.write_text('language = "klingon"\n' + plan.read_text(encoding="utf-8"), encoding="utf-8")
    with pytest.raises(EvidenceError, match="no report in the language 'klingon'") as raised:
        evidence.build(folder, tmp_path / "r.duckdb")
    assert "Español" in str(raised.value)
