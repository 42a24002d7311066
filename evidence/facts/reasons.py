"""Why something that was entered is not used, and what would help: the rows of ``reason``, filled in."""

from __future__ import annotations

import re
from functools import cache

from evidence.facts.reference import reference


def words(stage: str, code: str, *, detail: str = "", more: str = "", measure: str = "") -> dict[str, str]:
    """Reason and remedy of an exclusion, as cells of its row.

    Parameters
    ----------
    stage, code : str
        Key of the row of ``reason``.
    detail, more, measure : str
        What its placeholders stand for.

    Returns
    -------
    dict
        stage, reason and remedy.

    Raises
    ------
    KeyError
        If there is no such reason.
    """
    reason, remedy = _rows()[stage, code]
    filled = []
    for text in (reason, remedy):
        for name, value in (("detail", detail), ("more", more), ("measure", measure)):
            text = text.replace(f"<{name}>", value)
        filled.append(text)
    return {"stage": stage, "reason": filled[0], "remedy": filled[1]}


def kind(stage: str, reason: str) -> str:
    """Give the reason of an exclusion without what tells one row from the next, an ellipsis in its place.

    >>> from evidence.facts.reasons import kind
    >>> kind("analysis_contrast", "another time point of the study, 24 h, is analysed by the rule last")
    'another time point of the study is analysed by the rule …'
    """
    for (known, _), (text, _) in _rows().items():
        parts = re.split("<(?:detail|more|measure)>", text)
        if known == stage and re.fullmatch(".+".join(map(re.escape, parts)), reason, re.DOTALL):
            return "…".join(parts).replace(", …,", "")
    return reason


@cache
def _rows() -> dict[tuple[str, str], tuple[str, str]]:
    return {
        (str(row["stage"]), str(row["code"])): (str(row["reason"]), str(row["remedy"]))
        for row in reference("reason")
    }
