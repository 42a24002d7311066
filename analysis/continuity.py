"""What is said of the 0.5 that was added to zero cells: in how many studies, and what needs none of it.

References
----------
Sweeting MJ, Sutton AJ, Lambert PC (2004) Stat Med 23:1351-1375. Bradburn MJ et al. (2007) Stat Med 26:53-77.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from evidence import facts

if TYPE_CHECKING:
    import pandas as pd

MANY = 0.2
"""From this share of corrected studies on, the correction is warned of."""


def pairwise_note(contrasts: pd.DataFrame, measure: str, method: str) -> list[tuple[str, str]]:
    """Say in how many studies 0.5 was added, for one pooling method.

    Parameters
    ----------
    contrasts : DataFrame
        Columns study and continuity.
    measure, method : str
        Effect measure; key of ``pooling_method``.

    Returns
    -------
    list of (severity, message)
        Empty where nothing was added, or the method does without.
    """
    rests_on = facts.pooling_methods()[method].rests_on
    said = _studies(contrasts)
    if said is None or rests_on == "likelihood":
        return []
    text, many = said
    if measure == "RR":
        text += " All four cells have it, as in metafor and RevMan; meta adds it to the events and once to n."
    elif measure == "RD":
        text += " It moves the estimate too, as in metafor; RevMan and meta add it to the variance only."
    if rests_on == "tables":
        return [("info", f"{text} This concerns the random effects and Q; {method} itself adds nothing.")]
    bare = [
        name
        for name, how in facts.pooling_methods().items()
        if measure in how.measures and how.rests_on != "effects"
    ]
    if many and bare:
        return [
            (
                "warning",
                f"{text} With so many, prefer --method {' or '.join(bare)}, which adds nothing to them.",
            )
        ]
    return [("warning" if many else "info", text)]


def network_note(contrasts: pd.DataFrame) -> list[tuple[str, str]]:
    """Say in how many studies of a network 0.5 was added; which engines use it is said with it."""
    said = _studies(contrasts)
    if said is None:
        return []
    text, many = said
    text += " The engine counts, which takes the counts as they are, needs no such addition."
    return [("warning" if many else "info", text)]


def _studies(contrasts: pd.DataFrame) -> tuple[str, bool] | None:
    if "continuity" not in contrasts:
        return None
    added = contrasts[contrasts["continuity"].astype(float) > 0]
    if added.empty:
        return None
    value = float(added["continuity"].max())
    k, n = added["study"].nunique(), contrasts["study"].nunique()
    text = f"{value:g} was added to the counts of {k} of {n} studies, those with a zero cell."
    return text, k / n >= MANY
