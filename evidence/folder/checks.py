"""What must hold between the cells of a row, the rows of a file and the files of a review.

Each check goes through everything and adds what it finds to the problems; none stops at the first. What a
query can find once the rows are stored is left to the audits.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from evidence import facts
from evidence.facts.appraisal import Tool, known, parts, tools
from evidence.facts.hazard import contradiction, doubtful
from evidence.facts.plausibility import (
    STATISTICS,
    Finding,
    arm_findings,
    contrast_findings,
    counted_as_usual,
    kind_findings,
    remarkable,
)
from evidence.facts.reference import keyed
from evidence.facts.scales import Printed, judge
from evidence.folder.layout import FILES, Column
from evidence.folder.sheet import Problems, Sheet
from evidence.names import difference, skeleton, suggestion

Sheets = Mapping[str, Sheet]
_OF_TOOLS = ("rob_tools.csv", "rob_items.csv", "rob_answers.csv")

_ARM = ("study", "experiment", "arm")


def check(sheets: Sheets, problems: Problems) -> None:
    """Run every check over the sheets of a review folder.

    Parameters
    ----------
    sheets : mapping of file name to Sheet
        The files that could be read.
    problems : Problems
        Takes everything that is wrong.
    """
    units = known_units(sheets)
    _units(sheets, problems)
    _own_tools(sheets, problems)
    for sheet in sheets.values():
        _look_alikes(sheet, problems)
        _consensus(sheet, problems)
        _duplicates(sheet, problems)
    _references(sheets, units, problems)
    _arms(sheets, problems)
    _outcomes(sheets, units, problems)
    _measurements(sheets, units, problems)
    _contrasts(sheets, units, problems)
    _appraisal(sheets, problems)
    _records(sheets, problems)
    _retractions(sheets, problems)
    _published(sheets, problems)
    _claims(sheets, problems)


def known_units(sheets: Sheets) -> dict[str, tuple[str, float]]:
    """Return dimension and factor of every unit, the review's own included."""
    units = {
        name: (str(row["dimension"]), float(row["factor"] or "nan")) for name, row in keyed("unit").items()
    }
    if sheet := sheets.get("units.csv"):
        for _, unit, dimension, factor in sheet.rows("unit", "dimension", "factor"):
            if unit and dimension and factor:
                units.setdefault(unit, (dimension, factor))
    return units


def _units(sheets: Sheets, problems: Problems) -> None:
    if not (sheet := sheets.get("units.csv")):
        return
    own = keyed("unit")
    for index, (_, unit, dimension, factor) in enumerate(sheet.rows("unit", "dimension", "factor")):
        if unit in own and (dimension, factor) != (
            own[unit]["dimension"],
            float(own[unit]["factor"] or "nan"),
        ):
            problems.error(
                f"the unit {unit!r} is known already, with dimension {own[unit]['dimension']!r} and factor "
                f"{own[unit]['factor']}",
                "give yours another name, or delete the row",
                **sheet.place(index, "unit"),
            )


def _look_alikes(sheet: Sheet, problems: Problems) -> None:
    """Two names that differ only in what a reader cannot see are a mistake in one of them."""
    for column in sheet.file.columns:
        if column.type != "name" or column.references or column.allowed or column.name not in sheet.text:
            continue
        if not _any_look_alike(sheet.values[column.name]):
            continue
        scopes = [sheet.values[name] for name in column.scope]
        seen: dict[tuple[Any, ...], str] = {}
        told: set[tuple[Any, ...]] = set()
        for index, name in enumerate(sheet.values[column.name]):
            if name is None:
                continue
            scope = tuple(values[index] for values in scopes)
            first = seen.setdefault((*scope, skeleton(name)), name)
            if first != name and (*scope, name) not in told:
                told.add((*scope, name))
                problems.error(
                    f"{name!r} looks like {first!r}: the two differ only {difference(name, first)}",
                    f"write {first!r} if it is the same, or give it a name that can be told apart",
                    **sheet.place(index, column.name),
                )
    if sheet.file.further:
        described = list(sheet.further)
        of = "study" if sheet.file.name == "studies.csv" else "row"
        if sheet.file.name == "studies.csv":
            described += [c.name for c in sheet.file.columns if c.type == "text"]
        for label in described:
            if not _any_look_alike(sheet.values[label]):
                continue
            levels: dict[str, str] = {}
            for index, value in enumerate(sheet.values[label]):
                if value is None:
                    continue
                first = levels.setdefault(skeleton(value), value)
                if first != value:
                    levels[skeleton(value)] = first
                    problems.warning(
                        f"{value!r} looks like {first!r} in another {of}: subgroups would keep them apart",
                        f"write {first!r} in both",
                        **sheet.place(index, label),
                    )


def _any_look_alike(names: Iterable[str | None]) -> bool:
    distinct = set(names) - {None}
    return len({skeleton(name) for name in distinct if name is not None}) < len(distinct)


def _consensus(sheet: Sheet, problems: Problems) -> None:
    """Refuse other spellings of the name of what was agreed on: each would be one more person."""
    for column in ("assessor", "extractor", "reviewer"):
        names = sheet.values.get(column, ())
        mistyped = {
            name for name in set(names) - {None, "consensus"} if name and skeleton(name) == "consensus"
        }
        for index, name in enumerate(names if mistyped else ()):
            if name in mistyped:
                problems.error(
                    f"{name!r} looks like 'consensus', and would count as one more {column}",
                    "write 'consensus'",
                    **sheet.place(index, column),
                )


def _duplicates(sheet: Sheet, problems: Problems) -> None:
    key = sheet.file.key
    names = key or tuple(sheet.values)
    # Columns of one value tell no rows apart.
    telling = [
        column for column in map(sheet.values.get, names) if column and column.count(column[0]) < len(column)
    ]
    if len(set(zip(*telling))) == len(sheet):
        return
    first: dict[tuple[Any, ...], int] = {}
    for index, cells in enumerate(zip(*(sheet.values[name] for name in names))):
        earlier = first.setdefault(cells, index)
        if earlier == index:
            continue
        if any(cell is None and sheet.file.by_name[name].required for name, cell in zip(key, cells)):
            continue
        said = ", ".join(f"{name} {cell!r}" for name, cell in zip(names, cells) if cell is not None)
        problems.error(
            f"the same {'row' if not key else said} stands already in line {sheet.lines[earlier]}",
            "keep one of the two"
            if sheet.file.name != "measurements.csv"
            else "keep one of the two, or say in extractor who read which",
            **sheet.place(index, key[-1] if len(key) == 1 else None),
        )


def _unknown(
    sheet: Sheet,
    column: str,
    known: Collection[str],
    where: str,
    problems: Problems,
    what: str,
    synonyms: Mapping[str, str] | None,
) -> None:
    """Report names that do not exist, once each, with all their lines."""
    if (values := set(sheet.values[column]) - {None}) <= set(known):
        return
    strange: dict[str, list[int]] = defaultdict(list)
    values -= set(known)
    for index, value in enumerate(sheet.values[column]):
        if value in values:
            strange[value].append(index)
    for value, rows in strange.items():
        problems.error(
            f"unknown {what} {value!r}{_also(sheet, rows[1:])}",
            suggestion(value, known, where, synonyms),
            **sheet.place(rows[0], column),
        )


def _also(sheet: Sheet, rows: list[int]) -> str:
    if not rows:
        return ""
    listed = ", ".join(str(sheet.lines[index]) for index in rows[:8])
    return f" (also in line{'s' if len(rows) > 1 else ''} {listed}{', ...' if len(rows) > 8 else ''})"


def _references(sheets: Sheets, units: Mapping[str, tuple[str, float]], problems: Problems) -> None:
    keys: dict[str, tuple[Collection[str], str]] = {
        "unit": (units, "units.csv"),
        "effect_measure": ([measure.code for measure in facts.measures(given=facts.REVIEW)], ""),
        "rob_tool": (_tools(sheets), "rob_tools.csv"),
        "prisma_box": (keyed("prisma_box"), ""),
    }
    for file in FILES:
        if len(file.key) == 1 and file.table not in keys:
            sheet = sheets.get(file.name)
            keys[file.table] = (
                {value for value in sheet.values[file.key[0]] if value is not None} if sheet else set(),
                file.name,
            )
    labels = {str(row["label"]): unit for unit, row in keyed("unit").items() if row["label"]}
    for sheet in sheets.values():
        for column in sheet.file.columns:
            if column.references is None:
                continue
            known, where = keys[column.references]
            if where and where != "units.csv" and where not in sheets and _unread(where, problems):
                continue
            if column.name == "timepoint_unit":
                known = [unit for unit, (dimension, _) in units.items() if dimension == "time"]
            synonyms = {label: unit for label, unit in labels.items() if unit in known}
            _unknown(sheet, column.name, known, where, problems, _word(column), synonyms)


def _unread(name: str, problems: Problems) -> bool:
    """Whether a file is there but could not be read: what refers to it cannot be judged."""
    return any(problem.file == name and problem.severity == "error" for problem in problems.found)


def _word(column: Column) -> str:
    return {"timepoint_unit": "unit of time", "duplicate_of": "record"}.get(column.name, column.name)


def _arms(sheets: Sheets, problems: Problems) -> None:
    """Arms belong to an experiment of a study, and what is measured belongs to an arm."""
    if not (arms := sheets.get("arms.csv")):
        return
    keys = list(zip(*(arms.values[name] for name in _ARM), strict=True))
    whole = [key for key in keys if None not in key]
    known_arms = set(whole)
    n_arms = Counter((study, experiment) for study, experiment, _ in whole)
    for index, (study, experiment, arm) in enumerate(keys if 1 in n_arms.values() else ()):
        if arm is not None and n_arms[study, experiment] == 1:
            problems.warning(
                f"the only arm of the study's experiment {experiment!r}: it can be compared with nothing",
                "add the arm it was compared with, or correct study or experiment",
                **arms.place(index),
            )
    known: set[str] = set()
    if studies := sheets.get("studies.csv"):
        known = set(studies.values["study"])
        with_arms = {study for study, _ in n_arms}
        for index, study in enumerate(studies.values["study"]):
            if study is not None and study not in with_arms:
                problems.warning("the study has no arm", "add its arms to arms.csv", **studies.place(index))
    measured = [
        (sheet, column)
        for file, columns in (("measurements.csv", ("arm",)), ("contrasts.csv", ("arm_a", "arm_b")))
        if (sheet := sheets.get(file))
        for column in columns
        if not known_arms.issuperset(zip(*(sheet.values[name] for name in (*_ARM[:2], column))))
    ]
    if measured or arms.values["shared_control_of"].count(None) < len(arms):
        _arms_named(arms, known_arms, known, measured, problems)


def _arms_named(
    arms: Sheet,
    known_arms: set[tuple[str, str, str]],
    known: set[str],
    measured: list[tuple[Sheet, str]],
    problems: Problems,
) -> None:
    """Report arms and experiments that are named and do not exist."""
    experiments: dict[str, set[str]] = defaultdict(set)
    names: dict[tuple[str, str], set[str]] = defaultdict(set)
    for study, experiment, arm in known_arms:
        experiments[study].add(experiment)
        names[study, experiment].add(arm)
    for index, (_, study, shared) in enumerate(arms.rows("study", "shared_control_of")):
        if shared is None:
            continue
        choices = experiments[study] | {arm for e in experiments[study] for arm in names[study, e]}
        if shared not in choices:
            problems.error(
                f"shared_control_of is {shared!r}, which is no experiment or arm of the study",
                suggestion(shared, choices),
                **arms.place(index, "shared_control_of"),
            )
    for sheet, column in measured:
        for index, (_, study, experiment, arm) in enumerate(sheet.rows("study", "experiment", column)):
            if study not in experiments:
                if study in known:
                    problems.error(
                        "the study has no arm in arms.csv", "add its arms", **sheet.place(index, column)
                    )
            elif experiment not in experiments[study]:
                problems.error(
                    f"unknown experiment {experiment!r} of this study",
                    suggestion(experiment, experiments[study], "arms.csv"),
                    **sheet.place(index, "experiment"),
                )
            elif arm is not None and arm not in names[study, experiment]:
                problems.error(
                    f"unknown arm {arm!r} of this study's experiment {experiment!r}",
                    suggestion(arm, names[study, experiment], "arms.csv"),
                    **sheet.place(index, column),
                )


def _outcomes(sheets: Sheets, units: Mapping[str, tuple[str, float]], problems: Problems) -> None:
    if not (sheet := sheets.get("outcomes.csv")):
        return
    dimensions = {dimension for dimension, _ in units.values()}
    columns = ("unit", "dimension", "lower_bound", "upper_bound")
    for index, (_, unit, dimension, lower, upper) in enumerate(sheet.rows(*columns)):
        if dimension is not None and dimension not in dimensions:
            problems.error(
                f"unknown dimension {dimension!r}",
                suggestion(dimension, dimensions, "units.csv"),
                **sheet.place(index, "dimension"),
            )
        elif dimension is not None and unit in units and units[unit][0] != dimension:
            problems.error(
                f"the unit {unit!r} measures {units[unit][0]}, not {dimension}",
                f"give the outcome a unit of {dimension}, or leave its dimension empty",
                **sheet.place(index, "unit"),
            )
        if lower is not None and upper is not None and lower >= upper:
            problems.error(
                f"lower_bound {lower:g} is not below upper_bound {upper:g}",
                "give the smallest and the largest possible value",
                **sheet.place(index, "lower_bound"),
            )
    _events(sheet, problems)


def _events(sheet: Sheet, problems: Problems) -> None:
    """Check that a hazard ratio of each outcome has a direction, and no contradictory one."""
    columns = ("outcome", "label", "kind", "lower_is_better", "event_is_bad")
    typed = sheet.text.get("event_is_bad", [""] * len(sheet))
    for index, (_, outcome, label, kind, lower, _) in enumerate(sheet.rows(*columns)):
        if typed[index].strip():
            if kind not in (None, "time_to_event"):
                problems.error(
                    f"event_is_bad is for time_to_event outcomes; {outcome!r} is {kind}",
                    "leave it empty and say by lower_is_better which direction is good",
                    **sheet.place(index, "event_is_bad"),
                )
        elif kind != "time_to_event":
            continue
        elif contradiction(outcome, label, lower):
            problems.error(
                f"lower_is_better = {str(lower).lower()} says which time is better, but a hazard ratio is of "
                f"the event: {label or outcome!r} does not say whether the event is bad",
                "add the column event_is_bad: true if the event counted is bad (death, relapse), so that "
                "a hazard ratio below 1 is better; false if it is good (healing, recovery)",
                **sheet.place(index, "lower_is_better"),
            )
        elif doubtful(outcome, label, lower):
            problems.warning(
                f"lower_is_better = false says that a higher hazard of {label or outcome!r} is better",
                "write event_is_bad = true if the event is bad, or event_is_bad = false to confirm it",
                **sheet.place(index, "lower_is_better"),
            )


def _measurements(sheets: Sheets, units: Mapping[str, tuple[str, float]], problems: Problems) -> None:
    if not (sheet := sheets.get("measurements.csv")):
        return
    n_of_arm: dict[tuple[Any, Any, Any], float | None] = {}
    if arms := sheets.get("arms.csv"):
        keys = zip(*(arms.values[name] for name in ("study", "experiment", "arm")), strict=True)
        n_of_arm = dict(zip(keys, arms.values["n"], strict=True))
    outcomes: dict[str, tuple[Any, ...]] = {}
    if declared := sheets.get("outcomes.csv"):
        outcomes = {
            row[1]: row[2:]
            for row in declared.rows("outcome", "kind", "lower_bound", "upper_bound")
            if row[1]
        }
    _units_fit(sheet, sheets, units, problems)
    _times_fit(sheet, units, problems)
    typed = {name: cells for name, cells in sheet.text.items() if name in STATISTICS}
    values = sheet.values
    sizes = values["n"]
    if None in sizes:
        measured = zip(values["study"], values["experiment"], values["arm"], strict=True)
        sizes = [n_of_arm.get(arm) if n is None else n for n, arm in zip(sizes, measured, strict=True)]
    statistics = {name: sizes if name == "n" else values[name] for name in STATISTICS}
    # Looked at one by one are those rows of which something may have to be said.
    looked_at = remarkable(statistics)
    kinds = {outcome: kind for outcome, (kind, *bounds) in outcomes.items() if bounds == [None, None]}
    asked = set(map(kinds.get, set(values["outcome"])))
    if asked != {"continuous"} or statistics["events"].count(None) < len(sheet):
        shown = (statistics[name] for name in ("n", "mean", "median", "events", "exposure"))
        looked_at |= {
            index
            for index, (outcome, *given) in enumerate(zip(values["outcome"], *shown, strict=True))
            if not counted_as_usual(kinds.get(outcome), given)
        }
    for index in sorted(looked_at):
        given = {name: column[index] for name, column in statistics.items()}
        kind, lower, upper = outcomes.get(values["outcome"][index], (None, None, None))
        documented = values["adjusted"][index] is not None or values["note"][index] is not None
        for finding in (
            *arm_findings(given, {name: cells[index] for name, cells in typed.items()}),
            *kind_findings(kind, given, documented),
        ):
            _report(finding, sheet, index, problems)
        for column in ("mean", "median", "min", "max"):
            value = given[column]
            if value is not None and (
                (lower is not None and value < lower) or (upper is not None and value > upper)
            ):
                problems.warning(
                    f"{column} {value:g} is outside the outcome's possible values",
                    "check the value, and the outcome's lower_bound and upper_bound",
                    **sheet.place(index, column),
                )


def _report(finding: Finding, sheet: Sheet, index: int, problems: Problems) -> None:
    note = problems.error if finding.severity == "error" else problems.warning
    note(finding.message, finding.remedy, **sheet.place(index, finding.column))


def _units_fit(
    sheet: Sheet, sheets: Sheets, units: Mapping[str, tuple[str, float]], problems: Problems
) -> None:
    """Check that a measurement's unit converts into its outcome's."""
    if not (declared := sheets.get("outcomes.csv")):
        return
    outcomes: dict[str, tuple[str | None, str | None]] = {}
    for _, outcome, unit, dimension in declared.rows("outcome", "unit", "dimension"):
        if outcome is not None:
            outcomes[outcome] = (unit, units[unit][0] if unit in units else dimension)
    used: dict[str, Counter[str]] = defaultdict(Counter)
    without: dict[str, list[int]] = defaultdict(list)
    pairs = Counter(zip(sheet.values["outcome"], sheet.values["unit"], strict=True))
    wrong = set()
    for (outcome, unit), n in pairs.items():
        if unit is None or unit not in units or outcome not in outcomes:
            continue
        used[outcome][unit] = n
        wanted = outcomes[outcome][1]
        if wanted is not None and units[unit][0] != wanted:
            wrong.add((outcome, unit))
    some_without = any(unit is None for _, unit in pairs)
    for index, (_, outcome, unit) in enumerate(
        sheet.rows("outcome", "unit") if wrong or some_without else ()
    ):
        if unit is None:
            without[outcome].append(index)
        if (outcome, unit) in wrong:
            wanted_unit, wanted = outcomes[outcome]
            problems.error(
                f"{unit!r} measures {units[unit][0]}; the outcome {outcome!r} is {wanted}"
                + (f" in {wanted_unit}" if wanted_unit else ""),
                "correct the unit, or make it an outcome of its own",
                **sheet.place(index, "unit"),
            )
    for outcome, rows in without.items():
        own = outcomes.get(outcome, (None, None))[0]
        if own is not None and used[outcome][own]:
            # Where some rows say it, one that does not may have been forgotten.
            problems.warning(
                f"the row has no unit, others of {outcome!r} say {own}{_also(sheet, rows[1:])}",
                f"write the unit; {own} is taken",
                **sheet.place(rows[0], "unit"),
            )
    for index, (_, outcome) in enumerate(declared.rows("outcome")):
        # Several units without one to convert them to are the audit's, which knows what is lost.
        if outcome in used and outcomes[outcome][0] is None and len(used[outcome]) == 1:
            (given,) = used[outcome]
            problems.warning(
                f"the outcome has no unit, its measurements are in {given}",
                f"give the outcome the unit {given}",
                **declared.place(index, "unit"),
            )


def _times_fit(sheet: Sheet, units: Mapping[str, tuple[str, float]], problems: Problems) -> None:
    """Check that time points can be compared, and that none comes in twice, as 7 d and as 1 wk."""
    with_unit: dict[Any, set[bool]] = defaultdict(set)
    several: dict[Any, set[str]] = defaultdict(set)
    columns = ("outcome", "timepoint", "timepoint_unit")
    for outcome, timepoint, unit in set(zip(*(sheet.values[name] for name in columns), strict=True)):
        if timepoint is not None:
            with_unit[outcome].add(unit is not None)
            if unit is not None:
                several[outcome].add(unit)
    most = max(map(len, with_unit.values()), default=0), max(map(len, several.values()), default=0)
    if max(most) < 2:
        return
    told: set[tuple[Any, ...]] = set()
    seen: dict[tuple[Any, ...], int] = {}
    whole = ("study", "experiment", "arm", "outcome", "extractor", "timepoint", "timepoint_unit")
    for index, (_, *key, timepoint, unit) in enumerate(sheet.rows(*whole)):
        outcome = key[3]
        if timepoint is not None and unit is None and len(with_unit[outcome]) > 1:
            problems.error(
                "the time point has no unit, others of this outcome have one",
                "write timepoint_unit",
                **sheet.place(index, "timepoint_unit"),
            )
        if len(several[outcome]) > 1 and timepoint is not None and unit in units:
            days = float(f"{timepoint * units[unit][1]:.9g}")
            earlier = seen.setdefault((*key, days), index)
            if sheet.values["timepoint_unit"][earlier] != unit and (*key, days) not in told:
                told.add((*key, days))
                problems.error(
                    f"{timepoint:g} {unit} is the time point of line {sheet.lines[earlier]} in another unit",
                    "keep one of the two",
                    **sheet.place(index, "timepoint"),
                )


def _contrasts(sheets: Sheets, units: Mapping[str, tuple[str, float]], problems: Problems) -> None:
    if not (sheet := sheets.get("contrasts.csv")):
        return
    kinds: dict[Any, Any] = {}
    if declared := sheets.get("outcomes.csv"):
        kinds = {outcome: kind for _, outcome, kind in declared.rows("outcome", "kind")}
    _units_fit(sheet, sheets, units, problems)
    measures = {measure.code: measure for measure in facts.measures(given=facts.REVIEW)}
    seen: dict[tuple[Any, ...], int] = {}
    columns = (
        "study",
        "experiment",
        "outcome",
        "timepoint",
        "timepoint_unit",
        "measure",
        "extractor",
        "arm_a",
        "arm_b",
    )
    for index, (_, *context, a, b) in enumerate(sheet.rows(*columns)):
        outcome, measure = context[2], context[5]
        if a is not None and a == b:
            problems.error(
                f"arm_a and arm_b are both {a!r}",
                "name the two arms that are compared",
                **sheet.place(index, "arm_b"),
            )
        elif a is not None and b is not None:
            earlier = seen.setdefault((*context, *sorted((a, b))), index)
            if earlier != index and sheet.values["arm_a"][earlier] != a:
                problems.error(
                    f"the same two arms stand the other way round in line {sheet.lines[earlier]}",
                    "keep one of the two",
                    **sheet.place(index, "arm_a"),
                )
        kind = kinds.get(outcome)
        if kind is not None and measure in measures and measures[measure].kind not in (None, kind):
            problems.error(
                f"{measure} is a measure for {measures[measure].kind} outcomes; {outcome!r} is {kind}",
                f"one of {', '.join(fit.code for fit in facts.measures(kind=kind, given=facts.REVIEW))}",
                **sheet.place(index, "measure"),
            )
    _settle_scales(sheet, problems)
    statistics = (
        "scale", "se_scale", "estimate", "se", "ci_lower", "ci_upper", "o_minus_e", "variance",
    )  # fmt: skip
    typed = {name: cells for name, cells in sheet.text.items() if name in statistics}
    for index, (_, measure, *given) in enumerate(sheet.rows("measure", *statistics)):
        if measure not in measures:
            continue
        for finding in contrast_findings(
            measures[measure],
            dict(zip(statistics, given)),
            {name: cells[index] for name, cells in typed.items()},
        ):
            _report(finding, sheet, index, problems)


def _settle_scales(sheet: Sheet, problems: Problems) -> None:
    """Judge ratios that are typed without a scale, all of one outcome and measure together.

    Where the numbers show that they are logarithms, that is what an empty cell stands for; else it is asked.
    """
    columns: dict[tuple[str, str], list[int]] = defaultdict(list)
    ratios = {measure.code for measure in facts.measures(given=facts.REVIEW) if measure.is_ratio}
    for index, (_, outcome, measure, scale, estimate) in enumerate(
        sheet.rows("outcome", "measure", "scale", "estimate")
    ):
        if measure in ratios and scale is None and estimate is not None:
            columns[outcome, measure].append(index)
    for (outcome, measure), rows in columns.items():
        cells = [sheet.text.get(name) for name in ("estimate", "ci_lower", "ci_upper")]
        verdict = judge(Printed(*(column[i] if column else "" for column in cells)) for i in rows)
        for index in rows:
            sheet.values["scale"][index] = "log"
        if verdict.scale == "log":
            continue
        many = len(rows) > 1
        count = f"the {len(rows)} {measure} of {outcome!r} without a scale" if many else f"the {measure}"
        if verdict.scale == "natural":
            problems.error(
                f"{count} {'look' if many else 'looks'} like the ratio itself, not its logarithm:"
                f" {verdict.reason}",
                f"write natural in the column scale{' of these rows' if many else ''}",
                **sheet.place(rows[0], "scale"),
            )
        else:
            problems.error(
                f"{count} may be {'ratios or their' if many else 'a ratio or its'} natural"
                f" logarithm{'s' if many else ''}: {verdict.reason}",
                "write in the column scale which: natural for ratios as printed, log for logarithms",
                **sheet.place(rows[0], "scale"),
            )


def _appraisal(sheets: Sheets, problems: Problems) -> None:
    if not (sheet := sheets.get("risk_of_bias.csv")):
        return
    every = _tools(sheets)
    for index, (_, name, item, judgement) in enumerate(sheet.rows("tool", "item", "judgement")):
        if (tool := every.get(name)) is None:
            continue
        if item is not None and item not in tool.items:
            problems.error(
                f"{name} has no item {item!r}", suggestion(item, tool.items), **sheet.place(index, "item")
            )
        answers = tool.items[item].answers if item in tool.items else tuple(tool.answers)
        if judgement is not None and judgement not in answers:
            of_item = f"item {item} of {name}" if judgement in tool.answers else name
            problems.error(
                f"{judgement!r} is no judgement of {of_item}",
                "one of " + ", ".join(map(repr, answers)),
                **sheet.place(index, "judgement"),
            )


def _tools(sheets: Sheets) -> dict[str, Tool]:
    """Every tool for risk of bias, the review's own included."""
    added = {}
    for file in _OF_TOOLS:
        if sheet := sheets.get(file):
            names = list(sheet.values)
            added[sheet.file.table] = [
                dict(zip(names, cells)) for cells in zip(*sheet.values.values(), strict=True)
            ]
    return tools(added)


def _own_tools(sheets: Sheets, problems: Problems) -> None:
    """Check that a review's own tools are new ones, and that each has items and answers."""
    for file in _OF_TOOLS:
        if sheet := sheets.get(file):
            for index, tool in enumerate(sheet.values["tool"]):
                if tool is not None and known(tool):
                    problems.error(
                        f"the tool {tool!r} is known already",
                        "give yours another name, or delete the row",
                        **sheet.place(index, "tool"),
                    )
    every = _tools(sheets)
    if sheet := sheets.get("rob_tools.csv"):
        for index, name in enumerate(sheet.values["tool"]):
            for has, file in (("items", "rob_items.csv"), ("answers", "rob_answers.csv")):
                if name in every and not getattr(every[name], has):
                    problems.error(
                        f"the tool {name!r} has no {has}",
                        f"add them to {file}, one a row",
                        **sheet.place(index, "tool"),
                    )
    if sheet := sheets.get("rob_items.csv"):
        for index, (_, name, answers) in enumerate(sheet.rows("tool", "answers")):
            for answer in parts(answers):
                if name in every and answer not in every[name].answers:
                    problems.error(
                        f"{answer!r} is no judgement of {name}",
                        suggestion(answer, every[name].answers, "rob_answers.csv"),
                        **sheet.place(index, "answers"),
                    )
    if sheet := sheets.get("rob_answers.csv"):
        for index, (_, color, safe) in enumerate(sheet.rows("color", "color_blind_safe")):
            for column, value in (("color", color), ("color_blind_safe", safe)):
                if value is not None and not re.fullmatch("#[0-9A-Fa-f]{6}", value):
                    problems.error(f"{value!r} is no colour", "as in #02C100", **sheet.place(index, column))


def _records(sheets: Sheets, problems: Problems) -> None:
    if not (sheet := sheets.get("records.csv")):
        return
    for index, (_, record, original) in enumerate(sheet.rows("record", "duplicate_of")):
        if original is not None and original == record:
            problems.error(
                "the record is a duplicate of itself",
                "name the record that was kept",
                **sheet.place(index, "duplicate_of"),
            )


def _retractions(sheets: Sheets, problems: Problems) -> None:
    """Refuse a notice without an identifier of its publication: a title would match others."""
    if not (sheet := sheets.get("retractions.csv")):
        return
    for index, (_, doi, pmid) in enumerate(sheet.rows("doi", "pmid")):
        if doi is None and pmid is None:
            problems.error(
                "the notice names neither the doi nor the pmid of the publication that it is about",
                "fill in one of them: nothing is matched by its title",
                **sheet.place(index, "doi"),
            )


def _published(sheets: Sheets, problems: Problems) -> None:
    """Warn of printed numbers that look mistyped; what a publication printed is kept as printed."""
    if not (sheet := sheets.get("published_estimates.csv")):
        return
    columns = ("estimate", "ci_lower", "ci_upper")
    for index, (_, estimate, lower, upper) in enumerate(sheet.rows(*columns)):
        if None not in (estimate, lower, upper) and not lower <= estimate <= upper:
            problems.warning(
                f"the interval from {lower:g} to {upper:g} does not hold its estimate {estimate:g}",
                "right if it is printed so; check the three values",
                **sheet.place(index, "estimate"),
            )


def limits(expected: str) -> list[str]:
    """Split what a claim expects with ``between``: two values with a comma or "and" between them."""
    return re.split(r"\s*,\s*|\s+and\s+", expected.strip())


def _claims(sheets: Sheets, problems: Problems) -> None:
    """Check that a claim with a query says how its result is judged."""
    if not (sheet := sheets.get("claims.csv")):
        return
    for index, (_, query, operator, expected) in enumerate(sheet.rows("query", "operator", "expected")):
        if query and not operator:
            problems.error(
                "the claim has a query and no operator",
                "say how its result is judged: =, <, between, is empty and the like",
                **sheet.place(index, "operator"),
            )
        if operator and not query:
            problems.error(
                f"the claim has the operator {operator!r} and no query",
                "write the query; leave both empty for a claim that cannot be checked, and say in needs why",
                **sheet.place(index, "query"),
            )
        if operator in ("is empty", "is true", "is false"):
            if expected:
                problems.error(
                    f"{operator!r} takes no expected value, and {expected!r} is given",
                    "leave it empty, or use another operator",
                    **sheet.place(index, "expected"),
                )
        elif operator and not expected:
            problems.error(
                f"the operator {operator!r} has nothing to compare with",
                "write the expected value",
                **sheet.place(index, "expected"),
            )
        elif operator == "between" and len(limits(expected)) != 2:
            problems.error(
                f"between takes two values, {expected!r} is not two",
                "write them with a comma or and between, as in 93 and 97",
                **sheet.place(index, "expected"),
            )
