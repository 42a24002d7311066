"""What changed, written: for a terminal, for a pull request, or as one object with every row."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from typing import Any

from analysis.changed import printed
from analysis.changed.comparison import Comparison
from analysis.changed.conclusions import KINDS
from evidence.names import visible
from evidence.output import jsonable
from evidence.system.frames import records

NO_CHANGE = "no change"
"""What is said where two states say the same."""

MOST = 10
"""Rows of a block that a terminal shows."""
MOST_FOLDED = 50
"""Rows of a block that is folded in a comment; with this many it stays within what GitHub takes."""
_WIDTH = 100


def text(comparison: Comparison, *, most: int = MOST, width: int = _WIDTH) -> str:
    """Write for a terminal: conclusions first, at most so many rows a block.

    Parameters
    ----------
    comparison : Comparison
    most : int
        Rows of a block; how many more there are is said.
    width : int
        Columns.

    Returns
    -------
    str
        Lines with an end each.
    """
    old, new = printed.sizes(comparison)
    if comparison.nothing:
        return visible(f"{old} and {new}: {NO_CHANGE}.\n")
    blocks = [_wrapped(f"{old} → {new}: {printed.tally(comparison)}.", width, 0)]
    conclusions = records(comparison.conclusions)
    for kind, title in KINDS.items():
        rows = [row for row in conclusions if row["kind"] == kind]
        if rows:
            blocks += ["", f"Conclusions that moved: {title} ({len(rows):,})"]
            blocks += _limited((_conclusion(row, width) for row in rows), len(rows), most)
    if numbers := printed.numbers(comparison):
        main = [one for one in numbers if one.main][:most]
        blocks += ["", f"Numbers that moved ({len(numbers):,})"]
        for analysis in dict.fromkeys(one.analysis for one in main):
            of = [one for one in main if one.analysis == analysis]
            blocks.append(f"  {analysis}")
            blocks += [_wrapped(f"{one.what}: {one.before} → {one.after}", width, 4) for one in of]
        blocks += _limited((), len(numbers), len(main))
    if reasons := printed.reasons(comparison):
        blocks += ["", "Because of"]
        said = (f"{one.analysis}  {one.what}: {one.because}" for one in reasons)
        blocks += _limited((_wrapped(line, width) for line in said), len(reasons), most)
    if evidence := printed.lines(comparison.evidence):
        blocks += ["", f"Evidence that changed ({len(comparison.evidence):,})"]
        blocks += _limited(
            (_wrapped(f"{one.place}  {one.text}", width) for one in evidence), len(evidence), most
        )
    return visible("\n".join(blocks) + "\n")


def _limited(rows: Iterable[str], n: int, most: int) -> Iterator[str]:
    for place, row in enumerate(rows):
        if place == most:
            break
        yield row
    if n > most:
        yield f"  and {n - most:,} more"


def _conclusion(row: dict[str, Any], width: int) -> str:
    states = f": {row['before'] or 'not there'} → {row['after'] or 'not there'}"
    # Which treatment is first say the sentences.
    said = [_wrapped(f"{row['about']}{'' if row['kind'] in ('best', 'order') else states}", width)]
    for label, sentence in (("was", row["sentence_before"]), ("now", row["sentence_after"])):
        if sentence:
            said.append(_wrapped(f"{label}: {sentence}", width, 4))
    return "\n".join(said)


def _wrapped(said: str, width: int, indent: int = 2) -> str:
    margin = " " * indent
    return "\n".join(
        textwrap.wrap(
            said,
            width,
            initial_indent=margin,
            subsequent_indent=f"{margin}  ",
            break_on_hyphens=False,
            break_long_words=False,
        )
    )


def document(comparison: Comparison) -> dict[str, Any]:
    """Give every row as one object for JSON: numbers with all their digits.

    Returns
    -------
    dict
        ``changed`` (bool), ``states``, ``conclusions``, ``results``, ``because`` and ``evidence``, each with
        the columns of the table ``change_state``, ``change_conclusion``, ``change_result``,
        ``change_because`` or ``change_evidence``.
    """
    parts = {
        "states": comparison.states(),
        "conclusions": records(comparison.conclusions),
        "results": records(comparison.results),
        "because": records(comparison.because),
        "evidence": [asdict(change) for change in comparison.evidence],
    }
    return {"changed": not comparison.nothing} | {
        name: [jsonable(row) for row in rows] for name, rows in parts.items()
    }


# --- for a pull request -------------------------------------------------------------------------------------


def markdown(comparison: Comparison) -> str:
    """Write a comment for a pull request: moved conclusions, then numbers and cells, folded.

    Whatever comes from the review is text there: no markup, no link, no mention of anybody.
    """
    old, new = map(escaped, printed.sizes(comparison))
    title = escaped(comparison.states()[1]["title"])
    # Nothing of the review begins a line, where a sign would make a list or a heading of it.
    head = f"### What changed: {title}\n\nFrom {old} to {new}: "
    if comparison.nothing:
        return f"{head}**{NO_CHANGE}**.\n"
    parts = [f"{head}**{printed.tally(comparison)}**.\n"]
    conclusions = records(comparison.conclusions)
    if conclusions:
        rows = [
            (row["about"], *(row[f"sentence_{side}"] or row[side] or "—" for side in ("before", "after")))
            for row in conclusions
        ]
        parts.append(_table(("Conclusion", "Before", "After"), rows, 2 * MOST))
    else:
        parts.append("No conclusion moved.\n")
    if numbers := printed.numbers(comparison):
        rows = [(one.analysis, one.what, one.before, one.after) for one in numbers if one.main]
        table = _table(("Analysis", "Number", "Before", "After"), rows, MOST_FOLDED, len(numbers))
        parts.append(_folded(f"Numbers that moved ({len(numbers):,})", table))
    if reasons := printed.reasons(comparison):
        rows = [(one.analysis, one.what, one.because) for one in reasons]
        table = _table(("Analysis", "What moved", "Because of"), rows, MOST_FOLDED)
        parts.append(_folded(f"Because of which rows ({len(reasons):,})", table))
    if evidence := printed.lines(comparison.evidence):
        cells = [(one.place, one.text) for one in evidence]
        said = f"Evidence that changed ({len(comparison.evidence):,})"
        parts.append(_folded(said, _table(("Where", "What"), cells, MOST_FOLDED)))
    return "\n".join(parts)


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]], most: int, n: int | None = None) -> str:
    """Write at most so many rows, and how many more there are of all."""
    written = [f"| {' | '.join(heads)} |", f"|{' --- |' * len(heads)}"]
    written += [f"| {' | '.join(map(escaped, row))} |" for row in rows[:most]]
    left = (len(rows) if n is None else n) - len(rows[:most])
    return "\n".join(written) + "\n" + (f"\nand {left:,} more\n" if left else "")


def _folded(summary: str, content: str) -> str:
    return f"<details><summary>{summary}</summary>\n\n{content}\n</details>\n"


_MARKUP = re.compile(r"([\\`*_\[\]|~])")
_JOINER = "\N{WORD JOINER}"
# What GitHub turns into a link or a picture wherever it stands in text: @name, #1, GH-1, addresses, :smile:.
_LINKED = re.compile(r"(@|#|\bgh-|:(?=//)|www(?=\.)|:(?=[a-z0-9_+-]+:))", re.IGNORECASE)


def escaped(value: Any) -> str:
    r"""Write text so that it stays text in Markdown as GitHub reads it, in one line.

    >>> from analysis.changed.written import escaped
    >>> print(escaped("<b> | *y*"))
    &lt;b&gt; \| \*y\*
    """
    said = " ".join(visible(str(value)).split())
    if len(said) > 4 * printed.LONGEST:
        said = f"{said[: 4 * printed.LONGEST]}…"
    said = _LINKED.sub(lambda found: found[0] + _JOINER, said)
    said = said.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    # Of a dollar a formula would begin; GitHub's own way to write one is this.
    return _MARKUP.sub(r"\\\1", said).replace("$", "<span>$</span>")
