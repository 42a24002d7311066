"""A review folder made of a few answers: question, outcomes, treatments, design, tool, effect measures."""

from __future__ import annotations

import csv
import re
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from evidence import facts
from evidence.errors import CallError
from evidence.facts.reference import keyed
from evidence.folder.layout import KINDS
from evidence.names import suggestion

Ask = Callable[..., Any]
"""Asks one thing: ``ask(words, default=..., check=...)``; `check` gives the value or raises `ValueError`."""

MEASURES = {"continuous": "MD", "binary": "OR", "rate": "IRR", "time_to_event": "HR"}
"""Effect measure that is proposed for each kind of outcome."""
_COLUMNS = {
    True: "study,label,year,design,species,strain,sex,age,weight,model,country",
    False: "study,label,year,design,sex,age,country,funding",
}
"""Header of studies.csv, of animals and of people."""
_HEADERS = {
    "arms.csv": "study,experiment,arm,treatment,n,dose,dose_unit,route,timing",
    "measurements.csv": "study,experiment,arm,outcome,timepoint,timepoint_unit,n,mean,sd,se,median,q1,q3,min,"
    "max,events,exposure,unit,source,locator,method,extractor,note",
    "risk_of_bias.csv": "study,tool,item,judgement,support,assessor,outcome",
    "searches.csv": "search,database,date,query,hits",
}


@dataclass
class Outcome:
    """One outcome: short and full name, what it is, in which unit, which way is better, and its measure."""

    outcome: str
    label: str
    kind: str = "continuous"
    unit: str = ""
    lower_is_better: bool | None = None
    negative: bool = False
    measure: str = "MD"


@dataclass
class Answers:
    """What was answered."""

    question: str
    title: str
    outcomes: list[Outcome]
    treatments: list[str]
    control: str
    design: str = ""
    species: str = ""
    tool: str = ""
    studies: list[str] = field(default_factory=list)


def short(label: str) -> str:
    """Make the short name of an outcome: alt of ALT, il_6 of IL-6."""
    return re.sub(r"\W+", "_", label.strip().lower()).strip("_") or "outcome"


# --- what an answer may be ----------------------------------------------------------------------------------


def some(value: str) -> str:
    """Take a text that says something."""
    if not (text := " ".join(str(value).split())):
        raise ValueError("write something")
    return text


def several(value: Any) -> list[str]:
    """Take names apart that commas part; none twice."""
    names = [
        some(name)
        for name in (value if isinstance(value, list) else str(value).split(","))
        if str(name).strip()
    ]
    if twice := {name for name in names if names.count(name) > 1}:
        raise ValueError(f"{sorted(twice)[0]!r} is there twice")
    return names


def at_least_one(value: Any) -> list[str]:
    """Take names, one or more."""
    if not (names := several(value)):
        raise ValueError("name at least one")
    return names


def one_of(known: Iterable[str], *, empty: bool = False, declared_in: str = "") -> Callable[[Any], str]:
    """Make a check for one of the names known, in any case of letters; nothing where that may be."""
    names = {name.casefold(): name for name in known}

    def check(value: Any) -> str:
        text = str(value).strip()
        if empty and not text:
            return ""
        if text.casefold() not in names:
            raise ValueError(f"{text!r} is not known: {suggestion(text, list(names.values()), declared_in)}")
        return names[text.casefold()]

    return check


def yes_or_no(value: Any) -> bool:
    """Take yes or no."""
    if isinstance(value, bool):
        return value
    text = str(value).strip().lower()
    if text not in ("y", "yes", "true", "n", "no", "false"):
        raise ValueError("answer y or n")
    return text[0] in "yt"


def _unit(value: Any) -> str:
    return one_of(keyed("unit"), empty=True, declared_in="units.csv later, and leave it empty now")(value)


def _measure(kind: str) -> Callable[[Any], str]:
    return one_of(measure.code for measure in facts.measures(kind=kind, given=facts.REVIEW))


# --- asking -------------------------------------------------------------------------------------------------


def interview(ask: Ask) -> Answers:
    """Ask for all that a folder begins with, one thing after the other."""
    question = ask("The question, in one sentence", check=some)
    title = ask("Title of the review", default=question.rstrip("?"), check=some)
    treatments = ask("Treatments, with commas between", check=at_least_one)
    control = ask("What they are compared with", default="control", check=_not_among(treatments))
    species = ask("Species, if it is of animals (rat, mouse; empty for people)", default="", check=str.strip)
    designs = ("controlled animal experiment", "randomised trial")
    design = ask("Design of the studies", default=designs[0 if species else 1], check=some)
    tool = ask(
        "Tool for risk of bias (empty for none)",
        default="SYRCLE" if species else "RoB 2",
        check=one_of(keyed("rob_tool"), empty=True, declared_in="rob_tools.csv later"),
    )
    outcomes: list[Outcome] = []
    while not outcomes or ask("Another outcome? (y/n)", default="n", check=yes_or_no):
        outcomes.append(_ask_outcome(ask, [outcome.outcome for outcome in outcomes]))
    studies = ask("Studies found so far, with commas between (empty for none)", default="", check=several)
    return Answers(question, title, outcomes, treatments, control, design, species, tool, studies)


def _ask_outcome(ask: Ask, taken: list[str]) -> Outcome:
    def new(value: Any) -> str:
        if short(some(value)) in taken:
            raise ValueError(f"{short(value)!r} is there already")
        return some(value)

    label = ask("Outcome", check=new)
    kind = ask(f"  what it is ({', '.join(KINDS)})", default=KINDS[0], check=one_of(KINDS))
    found = Outcome(short(label), label, kind)
    if kind == "continuous":
        found.unit = ask("  unit (empty where studies use scales of their own)", default="", check=_unit)
        found.negative = ask("  can a value be negative? (y/n)", default="n", check=yes_or_no)
    found.lower_is_better = ask("  is lower better? (y/n)", default="y", check=yes_or_no)
    proposed = "SMD" if kind == "continuous" and not found.unit else MEASURES[kind]
    found.measure = ask("  effect measure", default=proposed, check=_measure(kind))
    return found


def _not_among(treatments: list[str]) -> Callable[[Any], str]:
    def check(value: Any) -> str:
        if some(value) in treatments:
            raise ValueError(f"{value!r} is one of the treatments")
        return some(value)

    return check


def read_answers(path: Path) -> Answers:
    """Read the answers from a TOML file, under the names of `Answers` and `Outcome`.

    Raises
    ------
    CallError
        If the file cannot be read, or an answer is missing, unknown or not one that may be given.
    """
    try:
        said = tomllib.loads(path.read_text(encoding="utf-8"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise CallError(f"{path} is not TOML: {error}.") from None
    outcomes = said.get("outcomes")
    if not isinstance(outcomes, list) or not outcomes or not all(isinstance(one, dict) for one in outcomes):
        raise CallError(f"{path} has no [[outcomes]]: one table for each outcome, with its label.")
    known = set(Answers.__dataclass_fields__)
    for table, keys in ((said, known), *((one, set(Outcome.__dataclass_fields__)) for one in outcomes)):
        for key in table:
            if key not in keys:
                raise CallError(f"{path} has the unknown key {key!r}: {suggestion(key, keys)}.")
    treatments = _given(path, said, "treatments", at_least_one)
    found = [_outcome(path, one) for one in outcomes]
    if len({one.outcome for one in found}) < len(found):
        raise CallError(f"{path}: two outcomes have the same short name.")
    return Answers(
        question=_given(path, said, "question", some),
        title=_given(path, said, "title", some, str(said.get("question", "")).rstrip("?")),
        outcomes=found,
        treatments=treatments,
        control=_given(path, said, "control", _not_among(treatments), "control"),
        design=_given(path, said, "design", str, ""),
        species=_given(path, said, "species", str, ""),
        tool=_given(path, said, "tool", one_of(keyed("rob_tool"), empty=True), ""),
        studies=_given(path, said, "studies", several, []),
    )


def _outcome(path: Path, said: Mapping[str, Any]) -> Outcome:
    label = _given(path, said, "label", some, said.get("outcome"))
    kind = _given(path, said, "kind", one_of(KINDS), KINDS[0])
    unit = _given(path, said, "unit", _unit, "")
    lower = said.get("lower_is_better")
    return Outcome(
        outcome=_given(path, said, "outcome", some, short(label)),
        label=label,
        kind=kind,
        unit=unit,
        lower_is_better=None if lower is None else _given(path, said, "lower_is_better", yes_or_no),
        negative=_given(path, said, "negative", yes_or_no, False),
        measure=_given(
            path, said, "measure", _measure(kind), "SMD" if kind == KINDS[0] and not unit else MEASURES[kind]
        ),
    )


def _given(
    path: Path, said: Mapping[str, Any], key: str, check: Callable[[Any], Any], default: Any = None
) -> Any:
    value = said.get(key, default)
    if value is None:
        raise CallError(f"{path} has no {key}.")
    try:
        return check(value)
    except ValueError as error:
        raise CallError(f"{path}: {key}: {error}.") from None


# --- writing ------------------------------------------------------------------------------------------------


def write(answers: Answers, folder: Path) -> None:
    """Write review.toml and the CSV files; those of what is still to be read have a header alone."""
    (folder / "review.toml").write_text(_toml(answers), encoding="utf-8")
    rows = [[name, name, "active"] for name in answers.treatments] + [
        [answers.control, answers.control, "control"]
    ]
    _csv(folder / "treatments.csv", "treatment,label,role", rows)
    _csv(
        folder / "outcomes.csv",
        "outcome,label,kind,unit,lower_is_better,lower_bound",
        [
            [
                one.outcome,
                one.label,
                one.kind,
                one.unit,
                "" if one.lower_is_better is None else str(one.lower_is_better).lower(),
                0 if one.kind == "continuous" and not one.negative else "",
            ]
            for one in answers.outcomes
        ],
    )
    header = _COLUMNS[bool(answers.species)]
    species = answers.species if "," not in answers.species else ""
    known = {"design": answers.design, "species": species}
    studies = [
        {
            "study": name,
            "label": name,
            **known,
            "year": year[0] if (year := re.findall(r"\b(?:19|20)\d\d\b", name)) else "",
        }
        for name in answers.studies
    ]
    _csv(
        folder / "studies.csv", header, [[row.get(name, "") for name in header.split(",")] for row in studies]
    )
    for name, columns in _HEADERS.items():
        if name != "risk_of_bias.csv" or answers.tool:
            _csv(folder / name, columns, [])


def _toml(answers: Answers) -> str:
    lines = [
        "#:schema ./review.schema.json",
        f"title = {_quoted(answers.title)}",
        f"question = {_quoted(answers.question)}",
        *(
            [f"# risk of bias: {answers.tool}; its items and judgements stand in README.md"]
            if answers.tool
            else []
        ),
        "",
        "[protocol]",
        f"reference = {_quoted(answers.control)}",
        'timepoint = "last"           # first, last, a time with its unit (24 h), or nearest:24 h',
    ]
    for one in answers.outcomes:
        lines += ["", "[[protocol.analysis]]"]
        said = {"name": one.outcome, "outcome": one.outcome, "measure": one.measure}
        if len(answers.treatments) > 1:
            said |= {"kind": "network"}
        else:
            said |= {"kind": "pairwise", "treatment": answers.treatments[0], "versus": answers.control}
        lines += [f"{key} = {_quoted(value)}" for key, value in said.items()]
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _csv(path: Path, header: str, rows: Iterable[Iterable[Any]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(header.split(","))
        writer.writerows(rows)
