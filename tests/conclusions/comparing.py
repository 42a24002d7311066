"""Evidence sets against their twins: what must be the same, what must be turned round, and where it is not.

A generated review is one evidence set (`evidence_sets`): one outcome with everything of its own. Fifty stand in one
folder. CONCLUSIONS is how many are generated in all, twins among them, in two files of tests. Of one in ten the figures
of the report are compared too, and one in ten is also asked on the command line.
"""

from __future__ import annotations

import contextlib
import gc
import itertools
import os
import random
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import pandas
import pytest
from conclusions import (
    Conclusion,
    ask,
    differences,
    masked,
    numbers,
    speak,
    texts,
    typed,
    unfounded,
    unlike_figures,
    wordbag,
)
from evidence_sets import (
    EvidenceSet,
    at_further_times,
    by_other_names,
    by_other_spelling,
    by_unit,
    cut_down,
    in_another_order,
    make,
    mixed_units,
    renamed,
    reversed_direction,
    satisfies,
    with_irrelevant_rows,
    write,
)

import evidence
from analysis.pairwise import PairwiseFit
from analysis.results import frame
from evidence.commands import display
from evidence.output import display as show_cell

SEED = 11
EACH = 50
SHARDS = max(1, int(os.environ.get("CONCLUSIONS", "2000")) // 4 // EACH)
CLOSE = {"frequentist": 1e-7, "exact": 1e-5, "counts": 1e-4}
"""How far numbers may differ that are computed from others rounded to 16 digits: REML stops at its tolerance."""


@dataclass(frozen=True)
class Twin:
    """A way to make a twin, and the differences there are between its conclusions and those of the first."""

    name: str
    make: Callable[[EvidenceSet, random.Random], EvidenceSet]
    compare: Callable[[EvidenceSet, Conclusion, Conclusion], Iterable[str]]


def violations(twins: Iterable[Twin], indices: range, place: Path) -> list[str]:
    """Build sets and twins, ask both, and list every difference that should not be.

    The first is asked by the plan, the twin by options; where both are also asked on the command line, the plan must
    print what the command does, and what the command found is the twin's conclusion.
    """
    twins = list(twins)
    sets = [make(SEED, index) for index in indices]
    chosen = [(one, twins[index % len(twins)]) for one, index in zip(sets, indices)]
    other = [twin.make(one, random.Random(one.key)) for one, twin in chosen]
    found: list[str] = []
    with _lean():
        firsts = _concluded(write(place / "first", sets), sets, place, planned=True)
        seconds = _concluded(write(place / "second", other), other, place)
    for one, twin in chosen:
        for kind, question in one.questions():
            first, second = firsts[one.key, kind], seconds[one.key, kind]
            where = f"{twin.name} {one.key}-{kind} {question}"
            said = [*unfounded(first), *unfounded(second)] or _compared(twin, one, first, second)
            found += [f"{where}: {text}" for text in said]
    return found


@contextlib.contextmanager
def _lean():
    """Leave out what no sentence, rank or figure that is compared here reads, and takes half of the time.

    Texts are Python's own: pandas takes twice as long for everything where they are Arrow's, as by default. Tables
    are printed without being laid out, and cycles are looked for a tenth as often.
    """
    usual = gc.get_threshold()
    gc.set_threshold(10 * usual[0], *usual[1:])
    with pytest.MonkeyPatch.context() as patch, pandas.option_context("mode.string_storage", "python"):
        patch.setattr(PairwiseFit, "sensitivity", lambda fit, *asked, **how: frame("sensitivity", []))
        patch.setattr(display, "write_table", _write_cells)
        yield
    gc.set_threshold(*usual)


def _write_cells(columns: Sequence[str], rows: Iterable[Sequence[Any]], stream: TextIO) -> None:
    for row in (columns, *rows):
        stream.write("  ".join(show_cell(cell) for cell in row) + "\n")


def _concluded(
    folder: Path, sets: Iterable[EvidenceSet], place: Path, planned: bool = False
) -> dict[tuple[str, str], Conclusion]:
    found, printed = {}, {}
    file = evidence.build(folder, place / f"{folder.name}.duckdb")
    with evidence.open(file) as db:
        rows = {row["analysis"]: row for row in db.rows("select * from plan")}
        for one in sets:
            for kind, question in one.questions():
                key, run = (one.key, kind), None
                if 10 <= _turn(one) < 12:
                    printed[key], run = typed(file, kind, question)
                if planned or run is None:
                    plan = rows[f"{one.key}-{kind}"] if planned else None
                    found[key] = ask(db, kind, question, f"{one.key}-{kind}", plan)
                else:
                    found[key] = Conclusion(run=run)
    speak(file, found, {(one.key, kind) for one in sets for kind, _ in one.questions() if _turn(one) < 2})
    for key, words in printed.items():
        said = found[key]
        expected = said.printed or str(said.refusal)
        if not said.fault and expected not in words:
            said.fault = f"the command says\n{words}\nand not\n{expected}"
    file.unlink()
    return found


def _turn(one: EvidenceSet) -> int:
    """Give a set its place among twenty: a set for each twin, pairwise and network by turns."""
    return int(one.key[1:]) // 5 % 20


def _compared(twin: Twin, one: EvidenceSet, first: Conclusion, second: Conclusion) -> Iterable[str]:
    if first.fault or second.fault:
        return [first.fault or second.fault or ""]
    if first.run is None and second.run is None and twin.name in REDUCING:
        return []
    if (first.run is None) != (second.run is None):
        return [f"only one is refused: {first.refusal} / {second.refusal}"]
    return list(twin.compare(one, first, second))


REDUCING = ("irrelevant rows", "further times", "condition")
"""Twins whose refusal may name other rows that did not enter."""


def _close(one: Conclusion) -> float:
    return CLOSE[one.run.engine]


def _unlike(what: str, first: object, second: object) -> Iterable[str]:
    if first != second:
        yield f"{what}:\n    {first!r}\n    {second!r}"


def _same(one: EvidenceSet, first: Conclusion, second: Conclusion) -> Iterable[str]:
    """Everything is equal."""
    yield from _unlike("refusal", first.refusal, second.refusal)
    if first.run is None:
        return
    yield from differences(numbers(first.run), numbers(second.run), _close(first))
    for name in ("answer", "details", "conclusion", "firm", "order", "sides"):
        yield from _unlike(name, getattr(first, name), getattr(second, name))
    yield from unlike_figures(first.figures, second.figures, 1e-4)
    yield from _unlike("printed", _lines(first.printed), _lines(second.printed))


def _lines(text: str) -> list[str]:
    return [line for line in map(str.strip, text.splitlines()) if line and not _OF_ORDER.search(line)]


_OF_ORDER = re.compile(r"\w > \w|^(Egger|Begg)'s test, \d+ comparisons?:")
"""What is printed of a network's funnel, which has the order in which its treatments are listed, and says so."""

_ABOUT_ROWS = ("Note: ", "Not used", "Warning: ")


def _same_but_for_rows(one: EvidenceSet, first: Conclusion, second: Conclusion) -> Iterable[str]:
    """Everything is equal but for what is said of the rows that do not enter."""
    yield from differences(numbers(first.run), numbers(second.run), _close(first))
    for name in ("answer", "details", "conclusion", "firm", "order", "sides"):
        yield from _unlike(name, getattr(first, name), getattr(second, name))
    yield from unlike_figures(first.figures, second.figures, 1e-4)
    kept = ([line for line in _lines(c.printed) if not line.startswith(_ABOUT_ROWS)] for c in (first, second))
    yield from _unlike("printed", *kept)


def _same_in_words(one: EvidenceSet, first: Conclusion, second: Conclusion) -> Iterable[str]:
    """Words, ranks and colours are equal; effects are in another unit."""
    yield from _unlike("refusal", masked(first.refusal or ""), masked(second.refusal or ""))
    if first.run is None:
        return
    factor = 10.0 ** {"MD": _power(one), "IRD": -_power(one)}.get(one.measure, 0)
    yield from differences(numbers(first.run), numbers(second.run, factor=factor), max(1e-7, _close(first)))
    for name in ("answer", "conclusion"):
        yield from _unlike(name, *(_unitless(getattr(c, name), one) for c in (first, second)))
    yield from _unlike("firm", *(_unitless("\n".join(c.firm), one) for c in (first, second)))
    yield from _unlike("order", first.order, second.order)
    yield from _unlike("sides", first.sides, second.sides)
    drawn = (
        {
            name: sorted(set(re.findall(r"#?[A-Za-z]\w*", _unitless(" ".join(texts(f)), one))))
            for name, f in c.figures.items()
        }
        for c in (first, second)
    )
    yield from unlike_figures(*drawn, 0.0)


def _unitless(text: str, one: EvidenceSet) -> str:
    unit = one.outcome["unit"]
    return masked(re.sub(rf"\s\(?{unit}\)?(?=[\s,.;)]|$)", "", text) if unit else text)


def _power(one: EvidenceSet) -> int:
    return random.Random(one.key + "power").choice((-9, -6, -3, -1, 1, 3, 6))


def _same_under_names(one: EvidenceSet, first: Conclusion, second: Conclusion) -> Iterable[str]:
    """Everything is equal but for names, and for the order in which they come."""
    yield from _unlike("refusal", wordbag(first.refusal or ""), wordbag(renamed(second.refusal or "")))
    if first.run is None:
        return
    # Ranks are counted among draws, which come in the order of names.
    yield from differences(numbers(first.run), numbers(second.run, renamed), _close(first), drawn=0.01)
    # Of several treatments in equally many studies, the first name is the reference where none is asked for.
    if first.run.kind == "pairwise" or "reference" in one.network:
        yield from _unlike("answer", *_untied(first, first.answer, renamed(second.answer)))
        yield from _unlike("conclusion", *_untied(first, first.conclusion, renamed(second.conclusion)))
        yield from _unlike("firm", first.firm, tuple(map(renamed, second.firm)))
    yield from _unlike("details", first.details, tuple(map(renamed, second.details)))
    yield from _unlike("order", *_untied(first, first.order, tuple(map(renamed, second.order))))
    yield from _unlike("sides", first.sides, second.sides)


def _untied(of: Conclusion, *texts: Any) -> list[Any]:
    """Leave out the order of treatments of which two have one mean rank: it is that of their names."""
    ranks = sorted(
        value for key, value in numbers(of.run).items() if key[-1] == "mean_rank" and value is not None
    )
    if all(b - a > 1e-9 for a, b in itertools.pairwise(ranks)):
        return list(texts)
    return [wordbag(" ".join(text) if isinstance(text, tuple) else text) for text in texts]


def _turned(one: EvidenceSet, first: Conclusion, second: Conclusion) -> Iterable[str]:
    """Words, ranks and colours are turned round; no number changes."""
    yield from _unlike("refusal", first.refusal, second.refusal)
    if first.run is None:
        return
    ranks = ("ranking", "rank")
    a, b = numbers(first.run), numbers(second.run)
    plain = [{key: value for key, value in some.items() if key[0] not in ranks} for some in (a, b)]
    yield from differences(*plain, 0.0)
    if one.measure == "NMD" or first.sides is None:
        yield from _same(one, first, second)
        return
    yield from _unlike("sides", first.sides[::-1], second.sides)
    n = first.run.n_treatments
    mirrored = {}
    for key, value in a.items():
        if key[0] == "rank":
            mirrored[*key[:3], n + 1 - key[3]] = value
        elif key[0] == "ranking" and key[3] != "p_best":
            mirrored[key] = value if value is None else n + 1 - value if key[3] == "mean_rank" else 1 - value
    yield from differences(
        mirrored, {key: value for key, value in b.items() if key[0] in ranks and key[-1] != "p_best"}, 1e-9
    )
    if first.run.kind == "pairwise":
        names = [f"L{first.run.treatment}", f"L{first.run.versus}"]
        swaps = {name + end: other + end for name, other in zip(names, names[::-1]) for end in ("", ".")}
        yield from _unlike("answer", _reworded(first.answer, swaps), second.answer)
        yield from _unlike("conclusion", _opposite(first.conclusion), second.conclusion)
        turned = {name: _reworded(figure, swaps) for name, figure in first.figures.items()}
        yield from unlike_figures(turned, second.figures, 1e-9)
    elif first.figures and second.figures:
        yield from _unlike("league", _league(first.figures), _league(second.figures))


_OPPOSITE = (("better than", "worse than"), ("lower is", "higher is"), ("benefits", "harms"))


def _opposite(text: str) -> str:
    """Say the same of an outcome of the other direction."""
    swaps = {a: b for pair in _OPPOSITE for a, b in (pair, pair[::-1])}
    swapped = re.sub("|".join(swaps), lambda said: swaps[said[0]], text)
    # Where both lie within an interval, benefits are named first.
    return swapped.replace("harms and benefits", "benefits and harms")


def _reworded(part: Any, words: Mapping[str, str]) -> Any:
    """Replace what a figure says is favoured."""
    if isinstance(part, str):
        return re.sub(r"(?<=[Ff]avours )\S+", lambda said: words.get(said[0], said[0]), part)
    if isinstance(part, Mapping):
        return {key: _reworded(value, words) for key, value in part.items()}
    return [_reworded(item, words) for item in part] if isinstance(part, list) else part


def _league(figures: Mapping[str, Any]) -> set[tuple[Any, ...]]:
    """Cells of a league table, whichever way round: who, what it rests on, and its colour."""
    cells = next(rows for rows in figures["-league"]["datasets"] if rows and "triangle" in rows[0])
    return {
        (frozenset((c["treatment"], c["versus"])), c["triangle"], c["evidence"], c["color"]) for c in cells
    }


def _swapped(one: EvidenceSet, first: Conclusion, second: Conclusion) -> Iterable[str]:
    """B against A: numbers change their sign, words stay."""
    if first.run is None:
        return
    if first.run.kind == "network":
        yield from _same(one, first, second)
        return
    yield from differences(numbers(first.run, turn=True), numbers(second.run, turn=True), _close(first))
    said = [re.findall(r"The interval [^.]*\.|No conclusion is drawn", c.answer) for c in (first, second)]
    yield from _unlike("verdict", *said)
    told = [re.sub(r"(?<=[a-z] )(better|worse)(?= than)", "#", c.conclusion) for c in (first, second)]
    yield from _unlike("conclusion", *(sorted(re.findall(r"[A-Za-z#]+", text)) for text in told))


def _swap(one: EvidenceSet, r: random.Random) -> EvidenceSet:
    two = in_another_order(one, r)
    two.pairwise["treatment"], two.pairwise["versus"] = one.pairwise["versus"], one.pairwise["treatment"]
    return two


def _restricted(one: EvidenceSet, r: random.Random) -> EvidenceSet:
    where = one.pairwise.get("where")
    return one if where is None else cut_down(one, satisfies(where))


FIRST = (
    Twin("unit", lambda one, r: by_unit(one, _power(one)), _same_in_words),
    Twin("order", in_another_order, _same),
    Twin("names", lambda one, r: by_other_names(one), _same_under_names),
    Twin("mixed units", mixed_units, lambda one, a, b: _converted(one, a, b)),
    Twin(
        "order and spelling", lambda one, r: by_other_spelling(one), lambda one, a, b: _respelled(one, a, b)
    ),
)
SECOND = (
    Twin("direction", lambda one, r: reversed_direction(one), _turned),
    Twin("irrelevant rows", with_irrelevant_rows, _same_but_for_rows),
    Twin("condition", _restricted, _same_but_for_rows),
    Twin("further times", at_further_times, _same_but_for_rows),
    Twin("swapped", _swap, _swapped),
)


def _converted(one: EvidenceSet, first: Conclusion, second: Conclusion) -> Iterable[str]:
    yield from _unlike("refusal", masked(first.refusal or ""), masked(second.refusal or ""))
    if first.run is not None:
        yield from differences(numbers(first.run), numbers(second.run), max(1e-7, _close(first)))
        for name in ("answer", "conclusion"):
            yield from _unlike(name, masked(getattr(first, name)), masked(getattr(second, name)))
        yield from _unlike("order", first.order, second.order)


def _respelled(one: EvidenceSet, first: Conclusion, second: Conclusion) -> Iterable[str]:
    yield from _converted(one, first, second)
