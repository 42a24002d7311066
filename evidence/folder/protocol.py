"""``review.toml``: what the review is, and what it planned to analyse."""

from __future__ import annotations

import re
import tomllib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from string import ascii_uppercase
from typing import Any, NamedTuple

from evidence import facts
from evidence.errors import CallError
from evidence.facts.languages import DEFAULT, LANGUAGES
from evidence.facts.timepoint import TimepointRule, TimeRuleError, in_days
from evidence.folder.checks import Sheets
from evidence.folder.further import of_kind, wrong_names
from evidence.folder.layout import FILES, KINDS
from evidence.folder.options import ALL_OUTCOMES, ALSO_CALLED, OPTIONS, Kind, options_of, planned_row
from evidence.folder.sheet import Problems
from evidence.folder.variables import variable_names
from evidence.names import suggestion, visible
from evidence.system.bounds import absurd_toml

FILE_NAME = "review.toml"

REVIEW_KEYS: dict[str, type] = {
    "title": str,
    "question": str,
    "citation": str,
    "licence": str,
    "source": str,
    "language": str,
    "synthetic": bool,
    "variables": dict,
    "expected": dict,
    "protocol": dict,
}
PROTOCOL_KEYS: dict[str, type] = {
    option.name: option.typed for option in OPTIONS.values() if option.shared
} | {
    "defaults": dict,
    "analysis": list,
    "figure": list,
}
FIGURE_KEYS: dict[str, type] = {"number": str, "title": str, "shows": list}
_MEASURES = {measure.code: measure for measure in facts.measures(given=facts.REVIEW)}


def analysis_keys() -> dict[str, type]:
    """Keys of ``[[protocol.analysis]]``, with the type of their values."""
    return {option.name: option.typed for option in options_of(planned=True)}


ALL_NAMES = {**of_kind("pairwise"), **of_kind("network")}
"""Every analysis of sensitivity."""

_KIND = {"network": "a network", "pairwise": "pairwise"}
_WORD = {
    str: "a text",
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    list: "a list",
    dict: "a table",
}


@dataclass
class Protocol:
    """What ``review.toml`` says.

    Attributes
    ----------
    review : dict
        title, question, citation, licence, source, language, synthetic.
    settings : dict
        Keys of ``[protocol]`` but for the analyses.
    analyses : list of dict
        Entries of ``[[protocol.analysis]]``.
    figures : list of dict
        Entries of ``[[protocol.figure]]``.
    variables : dict
        Types of variables, by column: ``[variables]``.
    expected : dict
        Rows that each file must have, by its name without ending: ``[expected]``.
    text : str
        The file, with line ends made the same.
    """

    review: dict[str, Any] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)
    analyses: list[dict[str, Any]] = field(default_factory=list)
    figures: list[dict[str, Any]] = field(default_factory=list)
    variables: dict[str, Any] = field(default_factory=dict)
    expected: dict[str, Any] = field(default_factory=dict)
    text: str = ""


def _readable(value: Any) -> Any:
    """Put a blank in place of characters that no reader sees, in every text and key."""
    if isinstance(value, str):
        return visible(value)
    if isinstance(value, list):
        return [_readable(item) for item in value]
    if isinstance(value, dict):
        return {visible(key): _readable(item) for key, item in value.items()}
    return value


def read_protocol(path: Path, problems: Problems) -> Protocol | None:
    """Read ``review.toml`` and check its keys and their types.

    Returns
    -------
    Protocol or None
        None if the file is missing or is not TOML.
    """
    if not path.is_file():
        problems.error(
            "the review folder has no review.toml", 'write one; `title = "..."` is enough', file=FILE_NAME
        )
        return None
    try:
        text = path.read_bytes().removeprefix(b"\xef\xbb\xbf").decode("utf-8").replace("\r\n", "\n")
        if (absurd := absurd_toml(text)) is not None:
            problems.error(absurd, "write a review.toml as `evidence new` does", file=FILE_NAME)
            return None
        content = _readable(tomllib.loads(text))
    except UnicodeDecodeError:
        problems.error("the file is not UTF-8", "save it as UTF-8", file=FILE_NAME)
        return None
    except (RecursionError, ValueError) as error:  # the parser's own, and of numbers without end
        line = re.search(r"line (\d+)", str(error))
        problems.error(
            f"the file is not TOML: {error}",
            'write texts between two ", tables as [protocol], analyses as [[protocol.analysis]]',
            file=FILE_NAME,
            line=int(line[1]) if line else None,
        )
        return None
    protocol = Protocol(text=text)
    _keys(content, REVIEW_KEYS, "review.toml", text, problems)
    if not content.get("title"):
        problems.error("the review has no title", 'write `title = "..."`', file=FILE_NAME)
    protocol.review = {
        key: content[key]
        for key, kind in REVIEW_KEYS.items()
        if isinstance(content.get(key), kind) and kind is not dict
    }
    if (language := protocol.review.get("language", DEFAULT)) not in LANGUAGES:
        known = ", ".join(f'"{code}" ({name})' for code, name in LANGUAGES.items())
        problems.error(
            f"there is no report in the language {language!r}",
            f"write one of {known}",
            file=FILE_NAME,
            line=_line(text, "language"),
        )
    if isinstance(content.get("variables"), dict):
        protocol.variables = content["variables"]
    if isinstance(content.get("expected"), dict):
        protocol.expected = content["expected"]
    settings = content.get("protocol", {})
    if isinstance(settings, dict):
        _keys(settings, PROTOCOL_KEYS, "[protocol]", text, problems)
        protocol.settings = _usable(settings, PROTOCOL_KEYS)
        entries = protocol.settings.pop("analysis", [])
        defaults = protocol.settings.get("defaults", {})
        _keys(defaults, analysis_keys(), "[protocol.defaults]", text, problems)
        for number, entry in enumerate(entries, 1):
            if not isinstance(entry, dict):
                problems.error("an analysis is not a table", "write [[protocol.analysis]]", file=FILE_NAME)
                continue
            where = f"analysis {entry.get('name', number)!r}"
            entry = _renamed(entry, where, text, problems)
            _keys(entry, analysis_keys(), where, text, problems)
            protocol.analyses.append(entry)
        for number, entry in enumerate(protocol.settings.pop("figure", []), 1):
            if not isinstance(entry, dict):
                problems.error("a figure is not a table", "write [[protocol.figure]]", file=FILE_NAME)
                continue
            where = f"figure {entry.get('number', number)!r}"
            _keys(entry, FIGURE_KEYS, where, text, problems)
            missing = [key for key in FIGURE_KEYS if not entry.get(key)]
            for key in missing:
                problems.error(f"{where} has no {key}", f"write `{key} = ...`", file=FILE_NAME)
            usable = _usable(entry, FIGURE_KEYS)
            if len(usable) == len(FIGURE_KEYS):
                protocol.figures.append(usable)
    return protocol


def _kind_of(entry: Mapping[str, Any]) -> Kind:
    """Tell what an analysis is: what it says, else pairwise where it names a treatment."""
    usual: Kind = "pairwise" if "treatment" in entry else "network"
    said: Any = entry.get("kind", usual)
    return said if said in ALSO_CALLED else usual


def _renamed(entry: Mapping[str, Any], where: str, text: str, problems: Problems) -> dict[str, Any]:
    """Give keys the name that the plan has for them, where they go by another (`options.ALSO_CALLED`)."""
    also, found = ALSO_CALLED[_kind_of(entry)], dict[str, Any]()
    for key, value in entry.items():
        name = also.get(key, key)
        if name in found or (name != key and name in entry):
            problems.error(
                f"{where} has {key} and {name}, which are one",
                f"write {name} alone",
                file=FILE_NAME,
                line=_line(text, key),
            )
        found[name] = value
    return found


def check_expected(protocol: Protocol, sheets: Sheets, problems: Problems) -> None:
    """Hold the rows of each file to the number that ``[expected]`` gives.

    A file that could not be taken apart has errors of its own and is not counted.
    """
    stems = {file.name.removesuffix(".csv"): file.name for file in FILES}
    unread = {problem.file for problem in problems.errors} - sheets.keys()
    for key, wanted in protocol.expected.items():
        line = _line(protocol.text, key)
        if key not in stems:
            problems.error(
                f"[expected] has no file {key!r}", suggestion(key, stems), file=FILE_NAME, line=line
            )
        elif not isinstance(wanted, int) or isinstance(wanted, bool) or wanted < 0:
            problems.error(
                f"{key} of [expected] is {wanted!r}",
                "write how many rows the file has below its header, a whole number",
                file=FILE_NAME,
                line=line,
            )
        elif stems[key] not in unread:
            sheet = sheets.get(stems[key])
            there = len(sheet) + sheet.refused if sheet is not None else 0
            if there != wanted:
                problems.error(
                    f"[expected] says that {stems[key]} has {wanted} rows, and it has {there}",
                    f"find what is {'missing' if there < wanted else 'too many'}, or correct the number",
                    file=FILE_NAME,
                    line=line,
                )


def numbered(protocol: Protocol, problems: Problems) -> list[dict[str, Any]]:
    """Give every figure and table of ``[[protocol.figure]]`` its number: rows of ``plan_figure``.

    A number that shows several has them lettered, as in Figure 3A.
    """
    rows: list[dict[str, Any]] = []
    for entry in protocol.figures:
        shown = entry["shows"]
        if len(shown) > len(ascii_uppercase):
            problems.error(
                f"figure {entry['number']!r} shows {len(shown)}, more than there are letters",
                "give it several numbers",
                file=FILE_NAME,
            )
        letters = ascii_uppercase if len(shown) > 1 else ("",)
        rows += [
            {"figure": entry["number"] + letter, "title": entry["title"], "shows": str(name)}
            for letter, name in zip(letters, shown, strict=False)
        ]
    for number, n in Counter(row["figure"] for row in rows).items():
        if n > 1:
            problems.error(f"two figures are called {number!r}", "give each its own number", file=FILE_NAME)
    return [row | {"position": position} for position, row in enumerate(rows, 1)]


def _fits(key: str, value: Any, known: Mapping[str, type]) -> bool:
    if key in OPTIONS:
        return OPTIONS[key].fits(value)
    return isinstance(value, known[key]) and (known[key] is bool or not isinstance(value, bool))


def _usable(table: Mapping[str, Any], known: Mapping[str, type]) -> dict[str, Any]:
    return {key: value for key, value in table.items() if key in known and _fits(key, value, known)}


def _line(text: str, key: str) -> int | None:
    match = re.search(rf"^\s*\[*\s*([\w.]*\.)?{re.escape(key)}\b", text, re.MULTILINE)
    return text.count("\n", 0, match.start(0)) + 1 + match[0].count("\n") if match else None


def _keys(
    table: Mapping[str, Any], known: Mapping[str, type], where: str, text: str, problems: Problems
) -> None:
    for key, value in table.items():
        if key not in known:
            problems.error(
                f"{where} has no key {key!r}", suggestion(key, known), file=FILE_NAME, line=_line(text, key)
            )
        elif not _fits(key, value, known):
            problems.error(
                f"{key} of {where} is {value!r}",
                f"it must be {_WORD[known[key]]}",
                file=FILE_NAME,
                line=_line(text, key),
            )


def plan(protocol: Protocol, sheets: Sheets, problems: Problems) -> list[dict[str, Any]]:
    """Compile the planned analyses, or derive the usual ones where none are planned: rows of ``plan``.

    Without ``[[protocol.analysis]]``, an outcome is given a network analysis for every set of more than two
    treatments that studies connect, and a pairwise analysis for every such pair.
    """
    names = _Vocabulary(
        _outcomes(sheets),
        _treatments(sheets),
        _classes(sheets),
        _times(sheets),
        (*variable_names(sheets), "treatment", "timepoint"),
        protocol.text,
    )
    settings = protocol.settings
    shared = {key: value for key, value in settings.items() if key in analysis_keys()}
    shared |= _usable(settings.get("defaults", {}), analysis_keys())
    _check_values(shared, "[protocol]", names, problems)
    entries = [_usable(entry, analysis_keys()) for entry in protocol.analyses]
    origin = "plan"
    if not protocol.analyses:
        if problems.errors:
            # The folder cannot be built: what would be planned on it would only repeat its errors.
            return []
        origin = "default"
        entries = _default_entries(sheets, names, shared.get("reference"))
        # These only one analysis can have.
        for key in ("name", "kind", "outcome", "measure", "treatment", "versus", "reference"):
            shared.pop(key, None)
    compiled: dict[str, dict[str, Any]] = {}
    for number, entry in enumerate(entries, 1):
        where = f"analysis {entry.get('name', number)!r}"
        _check_values(entry, where, names, problems)
        analysis = _compile(shared | entry, where, names, problems)
        if analysis is None:
            continue
        _refuse_strangers(entry, analysis["kind"], where, problems)
        _check_further(analysis, analysis["kind"], where, problems)
        if (name := analysis["name"]) in compiled:
            problems.error(f"two analyses are called {name!r}", "give each its own name", file=FILE_NAME)
        else:
            compiled[name] = analysis
    return [planned_row(analysis, position, origin) for position, analysis in enumerate(compiled.values(), 1)]


class _Vocabulary(NamedTuple):
    """What the review has: kind of each outcome, role of each treatment, classes, time points by outcome.

    Its variables, and the text of review.toml, too.
    """

    outcomes: dict[str, str]
    treatments: dict[str, str]
    classes: tuple[str, ...]
    times: dict[str, set[tuple[float, str | None]]]
    variables: tuple[str, ...]
    text: str


def _outcomes(sheets: Sheets) -> dict[str, str]:
    sheet = sheets.get("outcomes.csv")
    return {name: kind for _, name, kind in sheet.rows("outcome", "kind") if name} if sheet else {}


def _treatments(sheets: Sheets) -> dict[str, str]:
    sheet = sheets.get("treatments.csv")
    return (
        {name: role or "active" for _, name, role in sheet.rows("treatment", "role") if name} if sheet else {}
    )


def _classes(sheets: Sheets) -> tuple[str, ...]:
    sheet = sheets.get("treatments.csv")
    return tuple(dict.fromkeys(group for _, group in sheet.rows("class") if group)) if sheet else ()


def _times(sheets: Sheets) -> dict[str, set[tuple[float, str | None]]]:
    """Time points of each outcome that was measured, with their units as typed."""
    units = {unit.code for unit in facts.time_units()}
    found: dict[str, set[tuple[float, str | None]]] = defaultdict(set)
    for file in ("measurements.csv", "contrasts.csv"):
        if (sheet := sheets.get(file)) is None:
            continue
        for _, outcome, time, unit in sheet.rows("outcome", "timepoint", "timepoint_unit"):
            if outcome:
                times = found[outcome]
                if time is not None and (unit is None or unit in units):
                    times.add((time, unit))
    return found


def _known(
    value: Any, known: Iterable[str], what: str, where: str, declared_in: str, problems: Problems
) -> None:
    names = list(known)
    if value is not None and value not in names:
        problems.error(
            f"{where} names the unknown {what} {value!r}",
            suggestion(str(value), names, declared_in),
            file=FILE_NAME,
        )


def _check_values(entry: Mapping[str, Any], where: str, names: _Vocabulary, problems: Problems) -> None:
    """Check each value of an analysis by itself."""
    _known(entry.get("outcome"), names.outcomes, "outcome", where, "outcomes.csv", problems)
    _known(entry.get("measure"), _MEASURES, "measure", where, "", problems)
    both = (*names.treatments, *names.classes)
    _known(entry.get("treatment"), both, "treatment", where, "treatments.csv", problems)
    for key in ("versus", "reference"):
        _known(entry.get(key), names.treatments, key, where, "treatments.csv", problems)
    listed = entry.get("treatments", ())
    for treatment in () if listed == ALL_OUTCOMES else listed:
        _known(treatment, names.treatments, "treatment", where, "treatments.csv", problems)
    _check_order(entry.get("funnel_order", ()), where, names.treatments, problems)
    _check_variables(entry, where, names.variables, problems)
    for option in options_of(planned=True):
        if option.name in entry and (refusal := option.refusal(entry[option.name])):
            problems.error(f"{where}: {option.name} {refusal[0]}", refusal[1], file=FILE_NAME)


def _check_order(order: Iterable[Any], where: str, treatments: Iterable[str], problems: Problems) -> None:
    """Check that the order of a funnel names treatments, each once."""
    for treatment, n in Counter(map(str, order)).items():
        _known(treatment, treatments, "treatment in funnel_order", where, "treatments.csv", problems)
        if n > 1:
            problems.error(
                f"{where} names {treatment!r} {n} times in funnel_order", "name it once", file=FILE_NAME
            )


def _check_variables(
    entry: Mapping[str, Any], where: str, variables: Iterable[str], problems: Problems
) -> None:
    """Check that subgroups and moderators are variables of the review."""
    files = "studies.csv, arms.csv, measurements.csv or contrasts.csv"
    moderators, levels = entry.get("moderators", ()), entry.get("reference_levels", {})
    _known(entry.get("subgroup"), variables, "variable", where, files, problems)
    for name in (*moderators, *entry.get("covariates", ())):
        _known(name, variables, "variable", where, files, problems)
    if entry.get("cumulative") != PRECISION:
        _known(entry.get("cumulative"), (*variables, PRECISION), "variable", where, files, problems)
    for name, level in levels.items():
        if not isinstance(level, str):
            problems.error(
                f"{where}: the reference level of {name} is {level!r}", "write a text", file=FILE_NAME
            )
        if moderators and name not in moderators:
            problems.error(
                f"{where} has a reference level of {name!r}, which is none of its moderators",
                suggestion(name, [str(item) for item in moderators]),
                file=FILE_NAME,
            )


PRECISION = "precision"
"""Order of a cumulative analysis that is no variable."""

_OF_REGRESSION = {
    "pairwise": ("moderators", ("permutations", "at")),
    "network": ("covariates", ("slopes", "centre", "slope_prior_sd", "at")),
}
"""Key of the variables of a meta-regression, and what belongs to it, by the kind of analysis."""


def _check_further(entry: Mapping[str, Any], kind: Kind, where: str, problems: Problems) -> None:
    """Check analyses of sensitivity and what belongs to a meta-regression, together with the others."""
    names = [name for name in entry.get("sensitivity", ()) if not wrong_names([name], ALL_NAMES)]
    if wrong := wrong_names(names, of_kind(kind)):
        problems.error(
            f"{where} is {_KIND[kind]}, which has no {wrong[0].removeprefix('names ').strip(chr(39))}",
            f"its analyses of sensitivity are {', '.join(of_kind(kind))}",
            file=FILE_NAME,
        )
    engine = entry.get("engine", facts.default_engine())
    known = kind == "network" and engine in {one.code for one in facts.engines()}
    for name in [*names, *(key for key in entry if entry[key])] if known else ():
        if engine not in facts.offering(name):
            problems.error(
                f"{where}: the engine {engine} has no {name}",
                f'write `engine = "{facts.offering(name)[0]}"`',
                file=FILE_NAME,
            )
    key, belonging = _OF_REGRESSION[kind]
    variables = [str(name) for name in entry.get(key, ())]
    for name in belonging:
        if not entry.get(name):
            continue
        if not variables:
            problems.error(
                f"{where}: {name} is of a meta-regression",
                f"name its variables: `{key} = [...]`",
                file=FILE_NAME,
            )
        for variable, value in entry[name].items() if isinstance(entry[name], dict) else ():
            if variables and variable not in variables:
                problems.error(
                    f"{where}: {name} has {variable!r}, which is none of its {key}",
                    suggestion(variable, variables),
                    file=FILE_NAME,
                )
            elif OPTIONS[name].values is float and not isinstance(value, int | float):
                problems.error(
                    f"{where}: {name} of {variable} is {value!r}", "write a number", file=FILE_NAME
                )


def _refuse_strangers(entry: Mapping[str, Any], kind: str, where: str, problems: Problems) -> None:
    """Refuse options of another kind of analysis, but for those that may stand unread."""
    is_kind = _KIND[kind]
    other = "write `treatment` and `versus`" if kind == "network" else 'write `kind = "network"`'
    for key, value in entry.items():
        idle = kind in OPTIONS[key].kinds or OPTIONS[key].elsewhere == "unread"
        if not idle and value is not OPTIONS[key].default:
            problems.error(
                f"{where} is {is_kind}, which takes no {key}",
                OPTIONS[key].instead or f"leave {key} out, or {other}",
                file=FILE_NAME,
            )


def _compile(
    entry: Mapping[str, Any], where: str, names: _Vocabulary, problems: Problems
) -> dict[str, Any] | None:
    """Complete the settings of an analysis, or say what is missing or does not go together."""
    if "outcome" not in entry:
        problems.error(f"{where} has no outcome", 'write `outcome = "..."`', file=FILE_NAME)
        return None
    kind = names.outcomes.get(entry["outcome"])
    settings = {
        "kind": "pairwise" if "treatment" in entry else "network",
        "measure": facts.default_measure(kind).code if kind in KINDS else None,
        **entry,
    }
    measure = settings["measure"]
    if measure in _MEASURES and kind in KINDS and _MEASURES[measure].kind not in (None, kind):
        problems.error(
            f"{where}: {measure} is a measure for {_MEASURES[measure].kind} outcomes, "
            f"{entry['outcome']!r} is {kind}",
            f"one of {', '.join(fit.code for fit in facts.measures(kind=kind, given=facts.REVIEW))}",
            file=FILE_NAME,
        )
    if settings["kind"] == "pairwise":
        for key in ("treatment", "versus"):
            if key not in settings:
                problems.error(
                    f"{where} is pairwise and has no {key}", f'write `{key} = "..."`', file=FILE_NAME
                )
    if settings.get("chains") and (settings["kind"], settings.get("engine")) != ("network", "exact"):
        problems.error(
            f"{where} asks for chains beside another engine",
            'write `kind = "network"` and `engine = "exact"`; the engine mcmc always has its chains shown',
            file=FILE_NAME,
        )
    words = (settings.get(key) for key in ("outcome", "measure", "treatment", "versus"))
    settings.setdefault("name", " ".join(str(word) for word in words if word))
    settings["timepoint"] = _settled_time(settings, where, names, problems)
    return settings


def _rule(value: Any) -> TimepointRule | None:
    try:
        return TimepointRule.parse(str(value))
    except CallError:
        return None


def _settled_time(entry: Mapping[str, Any], where: str, names: _Vocabulary, problems: Problems) -> str:
    """Give the time rule of an analysis its unit; say what it lacks, and whether it finds anything."""
    value, outcome = entry.get("timepoint", "last"), entry["outcome"]
    if (rule := _rule(value)) is None:
        return str(value)
    line = _value_line(names.text, "timepoint", value)
    times = set(names.times.get(outcome, ()))
    try:
        rule, _ = rule.settled(outcome, (unit for _, unit in times))
    except TimeRuleError as error:
        problems.error(f"{where}: {error.what}", error.remedy, file=FILE_NAME, line=line)
        return str(rule)
    if rule.kind == "value" and rule.value is not None and outcome in names.times:
        days = {in_days(*time): time for time in sorted(times, key=lambda time: in_days(*time))}
        if in_days(rule.value, rule.unit) not in days:
            found = ", ".join(f"{time:g} {unit or ''}".strip() for time, unit in days.values())
            problems.error(
                f"{where}: no study has outcome {outcome!r} at time point {rule}",
                f"there are {found or 'none with a time'}; write one of them, or nearest:{rule}",
                file=FILE_NAME,
                line=line,
            )
    return str(rule)


def _value_line(text: str, key: str, value: Any) -> int | None:
    """Find the line on which a key has a value."""
    match = re.search(rf"^[^#\n]*\b{key}\s*=\s*[\"']?{re.escape(str(value))}", text, re.MULTILINE)
    return text.count("\n", 0, match.start(0)) + 1 if match else None


def _default_entries(sheets: Sheets, names: _Vocabulary, reference: str | None) -> list[dict[str, Any]]:
    """Return the usual analyses of the data, as they would stand in ``[[protocol.analysis]]``."""
    arms = sheets.get("arms.csv")
    if arms is None:
        return []
    treatment_of = {
        (s, e, a): treatment for _, s, e, a, treatment in arms.rows("study", "experiment", "arm", "treatment")
    }
    compared: dict[str, dict[tuple[Any, Any], set[str]]] = defaultdict(lambda: defaultdict(set))
    reported: dict[str, Counter[str]] = defaultdict(Counter)
    measured: set[Any] = set()
    for file, columns in (("measurements.csv", ("arm",)), ("contrasts.csv", ("arm_a", "arm_b"))):
        if (sheet := sheets.get(file)) is None:
            continue
        for _, study, experiment, outcome, *pair in sheet.rows("study", "experiment", "outcome", *columns):
            for arm in pair:
                if treatment := treatment_of.get((study, experiment, arm)):
                    compared[outcome][study, experiment].add(treatment)
        if file == "contrasts.csv":
            for _, outcome, measure in sheet.rows("outcome", "measure"):
                reported[outcome][measure] += outcome not in measured
        else:
            measured = set(sheet.values["outcome"])
    planned: list[dict[str, Any]] = []
    for outcome, kind in names.outcomes.items():
        if outcome not in compared:
            continue
        if kind not in KINDS:
            continue
        usual = facts.default_measure(kind).code
        often = reported[outcome]
        measure = usual if outcome in measured else min(often, key=lambda code: (-often[code], code))
        blocks = [block for block in compared[outcome].values() if len(block) > 1]
        size = Counter(treatment for block in blocks for treatment in block)
        networks = 0
        for component in _components(blocks):
            base = _base(component, names.treatments, size, reference)
            entry: dict[str, Any] = {"outcome": outcome, "measure": measure}
            if len(component) > 2:
                networks += 1
                entry |= {"kind": "network", "reference": base}
                if len(component) < len(size):
                    entry |= {"treatments": sorted(component)}
                if networks > 1:
                    entry |= {"name": f"{outcome} {measure} {base}"}
            else:
                (other,) = component - {base}
                entry |= {"kind": "pairwise", "treatment": other, "versus": base}
            planned.append(entry)
    return planned


def _components(blocks: list[set[str]]) -> list[set[str]]:
    """Return the sets of treatments that some chain of studies connects, the largest first."""
    components: list[set[str]] = []
    for block in blocks:
        touched = [component for component in components if component & block]
        components = [component for component in components if not component & block]
        components.append(set(block).union(*touched))
    return sorted(components, key=lambda component: (-len(component), sorted(component)))


def _base(
    component: set[str], treatments: Mapping[str, str], size: Mapping[str, int], reference: str | None
) -> str:
    """Return the protocol's reference, else the control in most studies, else the most frequent treatment."""
    if reference in component:
        return str(reference)
    rank = {"control": 0, "active": 1, "sham": 2}
    return min(component, key=lambda name: (rank.get(treatments.get(name, "active"), 1), -size[name], name))
