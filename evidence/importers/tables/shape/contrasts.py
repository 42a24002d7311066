"""Tables of effects: contrasts of two named treatments, or effects whose groups nobody names."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from evidence import facts
from evidence.errors import CallError
from evidence.folder.column_names import differences_called, effect_name, plain, targets
from evidence.folder.layout import FILE
from evidence.importers.tables.cells import are_citations, are_names
from evidence.importers.tables.header import readings
from evidence.importers.tables.shape.claims import (
    USUAL,
    WEAK_SIDE,
    Claims,
    Columns,
    decide,
    is_what_it_says,
    of_row,
)
from evidence.importers.tables.shape.result import CONTROL, TREATED, Shape

OF_ARM = frozenset(column.name for column in FILE["arms.csv"].columns) - {"study", "experiment", "n"}
"""What describes an arm, and no row with several."""


def rows_of_contrasts(
    columns: Columns, measure: str | None, treatment: str | None, control: str | None
) -> Shape | None:
    """Read a table of effects, or tell that it is none."""
    aside: dict[int, str] = {}
    claims, units = _relative(columns, measure)
    if "arm_a" not in claims:
        claims.pop("arm_b", None)
    if not claims.keys() & {"estimate", "o_minus_e"} or "study" not in claims:
        return None
    known = decide(columns, claims, aside)
    units = {at: unit for at, unit in units.items() if at in known.values()}
    if "arm_b" in known or ("arm_a" in known and _empty_effects(columns, known)):
        return Shape("contrasts", known, aside=aside, units=units)
    if "arm_a" in known:
        if not control:
            raise CallError(
                f"{columns.table.name} names the treatment ({columns.header[known['arm_a']]}) and not what it"
                " is compared with: say --control NAME, or which column holds it, --map COLUMN=arm_b."
            )
        labels = {"arm_b": control}
    elif known.keys() & {"se", "variance", "ci_lower"}:
        labels = {"arm_a": treatment or TREATED, "arm_b": control or CONTROL}
    else:
        return None
    return Shape("effects", known, labels=labels, aside=aside, units=units)


def _relative(columns: Columns, measure: str | None) -> tuple[Claims, dict[int, str]]:
    """Claims of columns of a table of effects."""
    claims: Claims = defaultdict(dict)
    rows, units = of_row(columns, but=(*OF_ARM, "study"))
    for position, name in columns:
        short = plain(name)
        options = targets("contrast level").get(short, frozenset()) or frozenset(_of_effect(name, measure))
        if not options and (side := _names_one(name)) and columns.can_be(position, "treatment"):
            claims[side][position] = USUAL
        for meaning in options:
            of_side = len(short) == 1 and meaning not in ("estimate", "study")
            if of_side and not columns.can_be(position, "treatment"):
                continue
            cells = columns.cells(position)
            if meaning == "arm_b" and short in WEAK_SIDE and (not are_names(cells) or are_citations(cells)):
                continue
            if position in columns.mapped or is_what_it_says(meaning, columns.cells(position)):
                claims[meaning][position] = columns.rank(position, meaning)
    for meaning, ranks in rows.items():
        # What a study is described by has no column in contrasts.csv.
        if meaning in FILE["contrasts.csv"].by_name or meaning in FILE["studies.csv"].by_name:
            claims[meaning].update({at: rank for at, rank in ranks.items() if at not in claims[meaning]})
    return claims, units


def _names_one(name: str) -> str:
    """Side of a contrast whose treatment a column names: ``treat.exp``."""
    for reading in readings(name):
        if "treatment" in reading.options and not reading.rest:
            return {"1": "arm_a", "2": "arm_b"}.get(reading.group, "")
    return ""


def _of_effect(name: str, measure: str | None) -> set[str]:
    """Tell what a column is by the name of a ratio in it: only of the measure asked for."""
    if measure is not None and not facts.measure(measure).is_ratio:
        called = differences_called()[measure]
        if plain(name) in called:
            return {"estimate"}
        if plain(name) in {f"{prefix}{word}" for word in called for prefix in ("se", "seof")}:
            return {"se"}
    named = effect_name(name)
    if named is None or named.target not in ("estimate", "se", "ci_lower", "ci_upper"):
        return set()
    return {named.target} if named.measure in (None, measure) else set()


def _empty_effects(columns: Columns, known: Mapping[str, int]) -> bool:
    return "estimate" in known and any(not cells[known["estimate"]] for _, cells in columns.table.rows)


def has_two_sides(columns: Columns, measure: str) -> bool:
    """Tell whether a row names two treatments beside an effect: what a person gives a measure for."""
    return {"estimate", "arm_a", "arm_b"} <= _relative(columns, measure)[0].keys()


def has_base_rows(columns: Columns, measure: str) -> bool:
    """Tell whether each study has one row with an empty effect: the base arm of a contrast-level table."""
    claims, _ = _relative(columns, measure)
    if "arm_b" in claims or "o_minus_e" in claims or not {"study", "arm_a", "estimate"} <= claims.keys():
        return False
    known = decide(columns, {what: claims[what] for what in ("study", "estimate")}, {})
    empty: dict[str, int] = defaultdict(int)
    for _, cells in columns.table.rows:
        empty[cells[known["study"]]] += not cells[known["estimate"]]
    return set(empty.values()) == {1}
