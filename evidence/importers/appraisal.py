"""Risk-of-bias tables of robvis become rows of a review folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from evidence.errors import CallError, Problem, ReviewError
from evidence.facts.reference import keyed, reference
from evidence.folder.column_names import plain
from evidence.importers.draft import ColumnMapping, Draft, ImportReport
from evidence.importers.table import Table, read_table
from evidence.names import suggestion

_ANSWERS = {
    "l": "low",
    "h": "high",
    "s": "some concerns",
    "m": "moderate",
    "c": "critical",
    "u": "unclear",
    "n": "no information",
    "ni": "no information",
    "x": "no information",
    "yes": "low",
    "no": "high",
    "+": "low",
    "-": "high",
    "?": "unclear",
}
"""Abbreviations of robvis and RevMan; a letter is read only where the tool has that answer."""

_NOT_ITEMS = frozenset(("study", "weight", "weights"))


def import_robvis(
    file: str | Path,
    into: str | Path,
    *,
    tool: str | None = None,
    assessor: str | None = None,
    outcome: str | None = None,
    mapping: Mapping[str, str] | None = None,
    sheet: str | None = None,
    dry_run: bool = False,
) -> ImportReport:
    """Add the judgements of a robvis table to ``risk_of_bias.csv``.

    Parameters
    ----------
    file : path
        ``Study, D1 ... D5, Overall[, Weight]`` (RoB 2), ``D1 ... D7`` (ROBINS-I), or whole names of items as
        columns (generic; SYRCLE's ten).
    into : path
        Review folder; studies that it does not have are added.
    tool : str, optional
        The tool; without it, the one that all columns fit.
    assessor, outcome : str, optional
        Who judged, and for which outcome.
    mapping : mapping of str to str, optional
        Column to item of the tool; an empty item leaves it out.
    sheet : str, optional
        Sheet of a workbook.
    dry_run : bool
        Check and report, write nothing.

    Returns
    -------
    ImportReport

    Raises
    ------
    CallError
        If the tool is unknown or cannot be told.
    ReviewError
        If a judgement is none of the tool's; names line and column.
    """
    table = read_table(file, sheet=sheet)
    if tool is not None and tool not in keyed("rob_tool"):
        raise CallError(f"There is no tool {tool!r}: {suggestion(tool, keyed('rob_tool'))}.")
    study = next((i for i, name in enumerate(table.header) if plain(name) == "study"), 0)
    report = ImportReport(table.name, notes=list(table.notes))
    tool, items = _items(table, study, tool, mapping or {})
    report.notes.append(f"read as {tool}")
    answers = {plain(str(row["judgement"])): str(row["judgement"]) for row in _of(tool, "rob_answer")}
    answers |= {plain(str(row["label"])): str(row["judgement"]) for row in _of(tool, "rob_answer")}
    draft = Draft(into, title=Path(file).stem)
    problems: list[Problem] = []
    for line, cells in table.rows:
        draft.place = table.name, line
        if not cells[study]:
            report.left_out.append(Problem("a row without a study", "name it", table.name, line))
            continue
        draft.add("studies.csv", {"study": cells[study], "label": cells[study]})
        for position, item in items.items():
            typed = cells[position]
            if not typed:
                continue
            short = _ANSWERS.get(typed.lower(), "")
            if tool == "ROBINS-I" and typed.lower() == "s":
                short = "serious"
            judgement = answers.get(plain(typed)) or answers.get(plain(short))
            if judgement is None:
                said = ", ".join(dict.fromkeys(answers.values()))
                problems.append(
                    Problem(
                        f"{typed!r} is no judgement of {tool}",
                        f"one of {said}",
                        table.name,
                        line,
                        table.header[position],
                        cells[study],
                    )
                )
                continue
            row = {
                "study": cells[study],
                "tool": tool,
                "item": item,
                "judgement": judgement,
                "assessor": assessor,
                "outcome": outcome,
            }
            draft.add("risk_of_bias.csv", row)
    if problems:
        raise ReviewError(f"{table.name} cannot be imported.", problems)
    for position, name in enumerate(table.header):
        if position == study:
            report.mappings.append(ColumnMapping(name, "studies.csv: study"))
        elif position in items:
            report.mappings.append(ColumnMapping(name, f"risk_of_bias.csv: {tool} item {items[position]}"))
        else:
            why = "weights follow from the analysis" if plain(name) in _NOT_ITEMS else "left out as asked"
            report.mappings.append(ColumnMapping(name, "", why))
    return draft.finish(report, dry_run=dry_run)


def _of(tool: str, table: str) -> list[dict[str, str | None]]:
    return [row for row in reference(table) if row["tool"] == tool]


def _items(
    table: Table, study: int, tool: str | None, mapping: Mapping[str, str]
) -> tuple[str, dict[int, str]]:
    """Find the tool whose items all columns name, by key or by name."""
    columns = [
        (i, name)
        for i, name in enumerate(table.header)
        if i != study and plain(name) not in _NOT_ITEMS and mapping.get(name, name)
    ]
    fits: dict[str, dict[int, str]] = {}
    strange: dict[str, list[str]] = {}
    for candidate in [tool] if tool else keyed("rob_tool"):
        names = {str(row["item"]): str(row["item"]) for row in _of(candidate, "rob_item")}
        for row in _of(candidate, "rob_item"):
            names |= {str(row[key]): str(row["item"]) for key in ("label", "domain", "question") if row[key]}
            names |= {f"D{row['item']}": str(row["item"])}
        plains = {plain(name): item for name, item in names.items()}
        # A domain of several items names none of them.
        domains = [str(row["domain"]) for row in _of(candidate, "rob_item")]
        for domain in domains:
            if domains.count(domain) > 1:
                plains.pop(plain(domain), None)
        found = {i: plains[p] for i, name in columns if (p := plain(mapping.get(name, name))) in plains}
        strange[candidate] = [name for i, name in columns if i not in found]
        if columns and not strange[candidate] and len(set(found.values())) == len(found):
            fits[candidate] = found
    if len(fits) > 1:
        fits = _closest(fits)
    if len(fits) == 1:
        return fits.popitem()
    if len(fits) > 1:
        raise CallError(f"{table.name} may be {' or '.join(fits)}: say which with --tool.")
    if tool is None:
        raise CallError(
            f"{table.name} fits no tool known here: say which with --tool, and --map COLUMN=ITEM."
        )
    items = [str(row["item"]) for row in _of(tool, "rob_item")]
    raise ReviewError(
        f"{table.name} does not fit {tool}.",
        [
            Problem(
                f"column {name!r} is no item of {tool}",
                f"--map '{name}=ITEM', with one of {', '.join(items)}; --map '{name}=' leaves it out",
                table.name,
                1,
            )
            for name in strange[tool]
        ],
    )


def _closest(fits: dict[str, dict[int, str]]) -> dict[str, dict[int, str]]:
    """Of several tools that have all the columns, keep the one whose every item has a column."""
    whole = {t: found for t, found in fits.items() if len(found) == len(_of(t, "rob_item"))}
    return whole or fits
