"""Claims: sentences with a query each, which is run to see whether the sentence holds.

A claim is a row of ``claims.csv``: what is said, a query that returns one value (or rows), an operator and
what is expected. The same mechanism audits what a publication says of its own numbers, and keeps a review
from printing a sentence that its data do not bear out.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evidence.checking.gate import ask_each
from evidence.database import connect
from evidence.errors import CallError
from evidence.folder.checks import limits
from evidence.query import EvidenceBase

__all__ = ["Verdict", "check_claims", "record_verdicts"]

HOLDS, FAILS, UNCHECKED = "holds", "does not hold", "cannot be checked"
"""The three verdicts."""

_TIMEOUT = 30.0
_SHOWN = 5


@dataclass(frozen=True)
class Verdict:
    """What became of one claim.

    Attributes
    ----------
    claim, kind, publication, text, locator : str or None
        The claim, whether it is said or is a check of what is printed, whose it is, what it says, where it
        stands.
    verdict : {"holds", "does not hold", "cannot be checked"}
    found : str or None
        What the query gave; None where it gave nothing.
    expected : str or None
        The operator with what it expects, in words.
    needs : str or None
        What would be needed to check it, or why its query failed.
    """

    claim: str
    kind: str
    publication: str | None
    text: str
    locator: str | None
    verdict: str
    found: str | None
    expected: str | None
    needs: str | None


def check_claims(db: EvidenceBase) -> list[Verdict]:
    """Run the query of every claim, on the evidence base as it stands.

    Parameters
    ----------
    db : EvidenceBase
        Open for reading, shut off from files and network: claims are other people's SQL.

    Returns
    -------
    list of Verdict
        In the order of ``claims.csv``.
    """
    claims = db.rows(
        "select claim, kind, publication, text, locator, query, operator, expected, tolerance, needs"
        " from claim order by source_line"
    )
    asked = [claim["query"] for claim in claims if claim["query"] is not None and claim["operator"]]
    answers = iter(ask_each(db, asked, timeout=_TIMEOUT, most=_SHOWN) if asked else ())
    return [
        _judge(claim, next(answers) if claim["query"] is not None and claim["operator"] else None)
        for claim in claims
    ]


def record_verdicts(path: Path) -> None:
    """Check the claims of a file that is being written, and keep the verdicts in it as rows.

    Parameters
    ----------
    path : Path
        An evidence base that nobody else has open.
    """
    with EvidenceBase(connect(path, locked=True), path) as db:
        verdicts = check_claims(db)
    if not verdicts:
        return
    with connect(path, write=True) as connection:
        connection.execute("delete from claim_result")
        connection.executemany(
            "insert into claim_result values (?, ?, ?, ?, ?)",
            [[v.claim, v.verdict, v.found, v.expected, v.needs] for v in verdicts],
        )


def _judge(claim: Mapping[str, Any], answer: tuple[list[Any], int] | CallError | None) -> Verdict:
    """Hold what a claim's query gave against what the claim expects."""
    operator, expected, needs = claim["operator"], claim["expected"], claim["needs"]
    wanted = _in_words(operator, expected, claim["tolerance"])

    def verdict(outcome: str, found: str | None, why: str | None = None) -> Verdict:
        place = claim["publication"], claim["text"], claim["locator"]
        return Verdict(claim["claim"], claim["kind"], *place, outcome, found, wanted, why)

    if answer is None:
        return verdict(UNCHECKED, None, needs or "a query and an operator")
    if isinstance(answer, CallError):
        return verdict(UNCHECKED, None, f"a query that runs: {answer.message}")
    rows, count = answer
    if operator == "is empty":
        return verdict(FAILS if rows else HOLDS, _listed(rows, count))
    if count > 1:
        return verdict(UNCHECKED, _listed(rows, count), f"a query that gives one value: it gave {count} rows")
    if not rows or rows[0][0] is None or rows[0][0] != rows[0][0]:
        return verdict(UNCHECKED, None, needs or "a value: the query gave none")
    value = rows[0][0]
    try:
        holds = _COMPARE[operator](value, expected, claim["tolerance"] or 0.0)
    except (TypeError, ValueError, OverflowError):
        return verdict(
            UNCHECKED,
            _shown(value),
            f"a value that can be compared with what is expected ({wanted}); {_shown(value)!r} cannot",
        )
    return verdict(HOLDS if holds else FAILS, _shown(value))


def _number(value: Any) -> float:
    if isinstance(value, bool):
        raise ValueError
    return float(value)


def _equal(value: Any, expected: str | None, tolerance: float) -> bool:
    try:
        return math.isclose(_number(value), _number(expected), rel_tol=1e-12, abs_tol=tolerance)
    except (TypeError, ValueError):
        return _shown(value) == str(expected)


def _between(value: Any, expected: str | None, tolerance: float) -> bool:
    low, high = limits(str(expected))
    return _number(low) - tolerance <= _number(value) <= _number(high) + tolerance


def _truth(value: Any) -> bool:
    if str(value).lower() not in ("true", "false"):
        raise ValueError
    return str(value).lower() == "true"


_COMPARE: dict[str, Callable[[Any, str | None, float], bool]] = {
    "=": _equal,
    "<>": lambda value, expected, tolerance: not _equal(value, expected, tolerance),
    "<": lambda value, expected, tolerance: _number(value) < _number(expected) + tolerance,
    "<=": lambda value, expected, tolerance: _number(value) <= _number(expected) + tolerance,
    ">": lambda value, expected, tolerance: _number(value) > _number(expected) - tolerance,
    ">=": lambda value, expected, tolerance: _number(value) >= _number(expected) - tolerance,
    "between": _between,
    "is true": lambda value, expected, tolerance: _truth(value),
    "is false": lambda value, expected, tolerance: not _truth(value),
}


def _in_words(operator: str | None, expected: str | None, tolerance: float | None) -> str | None:
    if operator is None:
        return None
    words = {"is empty": "no row"}.get(operator, operator)
    text = words if expected is None else f"{words} {expected}"
    return f"{text} (± {tolerance:g})" if tolerance else text


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:.6g}"
    return str(value)


def _listed(rows: list[Any], count: int) -> str:
    shown = "; ".join(", ".join(_shown(cell) for cell in row if cell is not None) for row in rows)
    return "no row" if not rows else shown + (f"; and {count - len(rows)} more" if count > len(rows) else "")
