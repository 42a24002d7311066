"""What an evidence base concludes: sentences, ranks, figures' data and printed text of each question, as plain values."""

from __future__ import annotations

import io
import math
import re
import traceback
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from contextlib import redirect_stderr, redirect_stdout, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import evidence
from analysis import plan
from analysis.charts.base.files import specification
from analysis.plan import run_network, run_pairwise, run_planned
from analysis.report import words
from analysis.report.blocks import Figure, everything
from analysis.report.conclusion import conclude
from analysis.report.firmness import firmness
from analysis.report.links import Links, as_text
from analysis.report.material import Material
from analysis.report.sections.network import network_section
from analysis.report.sections.pairwise import pairwise_section
from evidence.cli import main
from evidence.commands import display
from evidence.commands.display import show_run
from evidence.database import connect
from evidence.errors import EvidenceError
from evidence.names import slug
from evidence.query import EvidenceBase
from evidence.results import TABLES, Run, read
from evidence.store.definitions import remember
from evidence.store.rows import insert
from evidence.system.frames import plain, records

if TYPE_CHECKING:
    import duckdb


@dataclass
class Conclusion:
    """What one question gave: a run with its words, or a refusal, or what should never happen."""

    run: Run | None = None
    refusal: str | None = None
    fault: str | None = None
    answer: str = ""
    details: tuple[str, ...] = ()
    conclusion: str = ""
    """What stands on the first screen of a report."""
    firm: tuple[str, ...] = ()
    printed: str = ""
    sides: tuple[str, str] | None = None
    order: tuple[str, ...] = ()
    figures: dict[str, Any] = field(default_factory=dict)
    """Of some: the specification of every figure of the report's section, by the end of its name."""


def ask(
    db: EvidenceBase,
    kind: str,
    question: Mapping[str, Any],
    analysis: str,
    planned: Mapping[str, Any] | None = None,
) -> Conclusion:
    """Carry out one question, by its row of the plan or by options; sentences come later (`speak`)."""
    try:
        if planned is not None:
            return Conclusion(run=run_planned(db, planned))
        with_name = dict(question) | {"analysis": analysis}
        run = run_pairwise(db, **with_name) if kind == "pairwise" else run_network(db, **with_name)
    except EvidenceError as error:
        return Conclusion(refusal=str(error))
    except Exception:
        return Conclusion(fault=traceback.format_exc()[-1500:])
    return Conclusion(run=run)


def keep(connection: duckdb.DuckDBPyConnection, runs: Iterable[Run]) -> None:
    """Store runs in the file, a table at a time: `evidence.results.save` writes the file anew for each call."""
    some = list({run.run_id: run for run in runs}.values())
    rows = [run.row() for run in some]
    if not rows:
        return
    insert(connection, "result_run", {name: [row[name] for row in rows] for name in rows[0]})
    for name, table in TABLES.items():
        columns: dict[str, list[Any]] = {"run_id": []}
        size = 0
        for run in some:
            frame = run.frames.get(name)
            if frame is None or frame.empty:
                continue
            columns["run_id"] += [run.run_id] * len(frame)
            for column in frame.columns:
                given = columns.setdefault(column, [None] * size)
                given += [None] * (size - len(given)) + [plain(value) for value in frame[column]]
            size += len(frame)
            for given in columns.values():
                given += [None] * (size - len(given))
        insert(connection, table, columns)


def speak(file: Path, conclusions: Mapping[Any, Conclusion], draw: Container[Any]) -> None:
    """Add sentences, printed text and ranks to each conclusion that has a run, and figures to some."""
    said = {key: one for key, one in conclusions.items() if one.run is not None}
    with connect(file, write=True) as connection:
        keep(connection, (one.run for one in said.values()))
    remember(file)
    with evidence.open(file) as db:
        material = Material(db, {})
        for key, one in said.items():
            try:
                _say(material, one)
                if key in draw:
                    one.figures = _drawn(material, read(db, one.run.run_id))
            except Exception:
                one.fault = traceback.format_exc()[-1500:]


def _say(material: Material, one: Conclusion) -> None:
    run, links = one.run, Links()
    effect = material.effect(run)
    one.answer = as_text(words.answer(material, run, links))
    one.details = tuple(as_text(text) for text in words.details(material, run))
    one.conclusion = as_text(conclude(material, run, links))
    one.firm = tuple(as_text(text) for text in firmness(material, run, links))
    stream = io.StringIO()
    show_run(run, stream)
    one.printed = _of_any_folder(stream.getvalue())
    one.sides = effect.favours("A", "B")
    if run.kind == "network":
        one.order = tuple(words.ranked(run, words.main_model(run))[0])


def _of_any_folder(text: str) -> str:
    # Other sets stand in the same folder: how many studies meet a condition is not this one's.
    text = re.sub(r"(Only studies where .*): \d+ of \d+", r"\1", text)
    return re.sub(r"run [0-9a-f]{16}", "run", text)


def typed(file: Path, kind: str, question: Mapping[str, Any]) -> tuple[str, Run | None]:
    """Ask a question on the command line; what is printed, and the run that it shows."""
    words = ["pool" if kind == "pairwise" else "nma", str(file)]
    for name, value in question.items():
        option = "--" + {"treatments": "treatment"}.get(name, name).replace("_", "-")
        for item in value if isinstance(value, list) else [value]:
            words += [option] if item is True else [] if item is False else [option, str(item)]
    out, err, shown = io.StringIO(), io.StringIO(), []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(display, "show_run", lambda run, stream: (shown.append(run), show_run(run, stream)))
        for whole in (
            run_pairwise,
            run_network,
        ):  # with the frames that a command leaves out, to compare them
            patch.setattr(plan, whole.__name__, _with_every_frame(whole))
        with redirect_stdout(out), redirect_stderr(err), suppress(SystemExit):
            main(words)
    return _of_any_folder(out.getvalue() + err.getvalue()), shown[0] if shown else None


def _with_every_frame(run: Callable[..., Run]) -> Callable[..., Run]:
    return lambda *given, printed, **options: run(*given, **options)


def _drawn(material: Material, run: Run) -> dict[str, Any]:
    section = (pairwise_section if run.kind == "pairwise" else network_section)(material, run, Links())
    drawn = {
        block.name.removeprefix(slug(run.analysis)): _nameless(specification(block.chart))
        for block in everything([section, *section.parts])
        if isinstance(block, Figure)
    }
    # Treatments stand in the order of their file around a network, and in a comparison of the funnel.
    loose = {"-network", "-funnel"} if run.kind == "network" else set()
    return drawn | {name: wordbag(" ".join(texts(drawn[name]))) for name in loose & set(drawn)}


def _nameless(part: Any) -> Any:
    """Leave out of a specification what names rows of the file: links, runs, and names of data."""
    if isinstance(part, Mapping):
        if "datasets" in part:
            part = part | {"datasets": list(part["datasets"].values())}
        if set(part) == {"name"}:
            return {}
        return {key: _nameless(value) for key, value in part.items() if key not in ("href", "usermeta")}
    if isinstance(part, list | tuple):
        return [_nameless(item) for item in part]
    return part


def unlike_figures(one: Mapping[str, Any], two: Mapping[str, Any], tolerance: float) -> Iterator[str]:
    """Say where figures differ, numbers by more than the tolerance."""
    for text in _unlike_parts(one, two, tolerance, "figures"):
        yield text
        return


def _unlike_parts(one: Any, two: Any, tolerance: float, where: str) -> Iterator[str]:
    if isinstance(one, Mapping) and isinstance(two, Mapping) and set(one) == set(two):
        for key in one:
            yield from _unlike_parts(one[key], two[key], tolerance, f"{where} {key}")
    elif isinstance(one, list) and isinstance(two, list) and len(one) == len(two):
        for number, (a, b) in enumerate(zip(one, two, strict=True)):
            yield from _unlike_parts(a, b, tolerance, f"{where} {number}")
    elif isinstance(one, float | int) and isinstance(two, float | int):
        if not math.isclose(one, two, rel_tol=tolerance, abs_tol=tolerance):
            yield f"{where}: {one!r} and {two!r}"
    elif one != two:
        yield f"{where}: {one!r} and {two!r}"


def texts(part: Any) -> Iterator[str]:
    """Every text of a figure, colours among them, in order."""
    if isinstance(part, str):
        yield part
    elif isinstance(part, Mapping | list):
        for item in part.values() if isinstance(part, Mapping) else part:
            yield from texts(item)


# --- numbers, by what they are about ------------------------------------------------------------------------

_EFFECTS = ("estimate", "ci_lower", "ci_upper", "pi_lower", "pi_upper", "adhoc_lower", "adhoc_upper")
_SWAP = {"ci_lower": "ci_upper", "pi_lower": "pi_upper", "adhoc_lower": "adhoc_upper"}
_SWAP |= {upper: lower for lower, upper in _SWAP.items()}


def numbers(run: Run, renamed=lambda text: text, factor: float = 1.0, turn: bool = False) -> dict[tuple, Any]:
    """Every number of a run by what it is about, comparisons in one direction.

    Parameters
    ----------
    run : Run
    renamed : callable
        Applied to every name.
    factor : float
        By which effects, standard errors and tau are divided.
    turn : bool
        Turn the comparison of a pairwise run.
    """
    found: dict[tuple, Any] = {}

    def pair(row: Mapping[str, Any]) -> tuple[tuple[str, str], bool]:
        a, b = renamed(row["treatment"]), renamed(row["versus"])
        return ((a, b), False) if a < b else ((b, a), True)

    def effects(row: Mapping[str, Any], names: Iterable[str], turned: bool) -> Iterable[tuple[str, Any]]:
        for name in names:
            value = row.get(_SWAP.get(name, name) if turned else name)
            yield name, None if value is None else value / factor * (-1 if turned else 1)

    for row in _rows(run, "estimates"):
        who, turned = pair(row)
        about = ("estimate", row["model"], row["level"], row["evidence"], who)
        for name, value in effects(row, _EFFECTS, turned):
            found[*about, name] = value
        if row["std_error"] is not None:
            found[*about, "std_error"] = row["std_error"] / factor
        for name in ("p_value", "n_studies"):
            found[*about, name] = row[name]
        found[*about, "no verdict"] = row["no_verdict"]
    for row in _rows(run, "heterogeneity"):
        about = ("heterogeneity", row["model"], row["level"])
        for name in ("tau", "tau_lower", "tau_upper"):
            found[*about, name] = None if row[name] is None else row[name] / factor
        found[*about, "tau2"] = None if row["tau2"] is None else row["tau2"] / factor**2
        for name in ("i2", "q", "df", "p_value"):
            found[*about, name] = row[name]
    for row in _rows(run, "ranking"):
        for name in ("mean_rank", "sucra", "p_score", "p_best"):
            found["ranking", row["model"], renamed(row["treatment"]), name] = row[name]
    for row in _rows(run, "rank_probabilities"):
        found["rank", row["model"], renamed(row["treatment"]), row["rank"]] = row["probability"]
    for row in _rows(run, "leave_one_out"):
        who, turned = pair(row)
        about = ("left out", row["model"], renamed(row["study"]), who)
        for name, value in effects(row, ("estimate", "ci_lower", "ci_upper"), turned):
            found[*about, name] = value
    for row in _rows(run, "inconsistency"):
        if row["treatment"] is None:
            # A design is named by its treatments, in the order of their names.
            design = ":".join(sorted(renamed(part) for part in str(row["component"]).split(":")))
            for name in ("q", "df", "p_value"):
                found["inconsistency", row["model"], row["method"], design, name] = row[name]
            continue
        who, turned = pair(row)
        for name, value in effects(row, ("direct", "indirect", "difference"), turned):
            found["split", row["model"], row["method"], who, name] = value
        found["split", row["model"], row["method"], who, "p"] = row["p_value"]
    if turn:
        return found
    for row in _rows(run, "contrasts"):
        a, b = (f"{renamed(row[f'treatment_{x}'])}/{renamed(str(row[f'arm_{x}']))}" for x in "ab")
        sign = 1 if a < b else -1
        about = ("drawn", renamed(row["study"]), row["experiment"], *sorted((a, b)))
        found[*about, "estimate"] = sign * row["estimate"] / factor
        found[*about, "std_error"] = row["std_error"] / factor
    return found


def _rows(run: Run, name: str) -> list[dict[str, Any]]:
    frame = run.frames.get(name)
    if frame is None:
        return []
    return records(frame)


def differences(
    one: Mapping[tuple, Any], two: Mapping[tuple, Any], tolerance: float, drawn: float = 0.0
) -> list[str]:
    """Say where two sets of numbers differ; shares of draws may by `drawn`."""
    found = [f"only in one: {key}" for key in sorted(set(one) ^ set(two), key=str)[:3]]
    for key in sorted(set(one) & set(two), key=str):
        a, b = one[key], two[key]
        if isinstance(a, int | float) and isinstance(b, int | float):
            within = drawn if drawn and (key[0] == "rank" or key[-1] == "p_best") else tolerance * 1e-3
            if not math.isclose(a, b, rel_tol=tolerance, abs_tol=within):
                found.append(f"{key}: {a!r} and {b!r}")
        elif a != b:
            found.append(f"{key}: {a!r} and {b!r}")
    return found[:5]


_NUMBER = re.compile(r"(?<![A-Za-z\d])[−-]?[<>]?\d+(,\d{3})*(\.\d+)?([eE][+-]?\d+)?")


def masked(text: str) -> str:
    """Leave a text without its numbers, and without what depends on their width."""
    return re.sub(r"[\s─-]+", " ", _NUMBER.sub("#", text)).strip()


def wordbag(text: str) -> list[list[str]]:
    """Lines of a text with the words of each sorted: the same in whatever order names come."""
    return sorted(sorted(re.findall(r"[^\s,;:.─]+", line)) for line in text.splitlines())


# --- words against numbers ----------------------------------------------------------------------------------

_NEVER = re.compile(r"(?<![A-Za-z])(nan|None|inf|NaT|<NA>|infinity)(?![A-Za-z])")


def unfounded(one: Conclusion) -> list[str]:
    """Say where the words of a conclusion are not what its numbers say."""
    found = []
    spoken = "\n".join([one.answer, *one.details, one.conclusion, *one.firm, one.printed, one.refusal or ""])
    if bad := _NEVER.search(spoken):
        found.append(f"{bad[0]!r} in {spoken[max(0, bad.start() - 80) : bad.end() + 20]!r}")
    if re.search(r"\bp (= )?0(\.0+)?(?![\d.])", spoken):
        found.append("p printed as 0")
    if one.run is None:
        return found
    rows = [row for row in _rows(one.run, "estimates") if row["level"] is None]
    check = _pairwise_words if one.run.kind == "pairwise" else _network_words
    return found + check(one, rows)


def _pairwise_words(one: Conclusion, rows: list[dict[str, Any]]) -> list[str]:
    run = one.run
    usable = {row["model"]: row for row in rows if row["ci_lower"] is not None}
    main = usable.get("random") or usable.get("common")
    says = re.search(
        r"The interval (?:with the Hartung-Knapp factor kept at 1 )?favours L(\w+)\.", one.answer
    )
    if main is None:
        return ["a verdict without an interval"] if says else []
    stem = "ci" if main["adhoc_lower"] is None else "adhoc"
    lower, upper = main[f"{stem}_lower"], main[f"{stem}_upper"]
    may = main["no_verdict"] is None and upper > lower and not lower <= 0 <= upper
    better = run.lower_is_better
    expected = None
    if may and better is not None:
        expected = run.treatment if (main["estimate"] < 0) == better else run.versus
    told = re.search(r"L(\w+) was (better|worse) than L(\w+): ", one.conclusion)
    winner = told and told[1 if told[2] == "better" else 3]
    if winner != expected:
        return [f"{winner} is better, and the numbers say {expected}: {one.conclusion!r}"]
    included = main["no_verdict"] is None and upper > lower and lower <= 0 <= upper
    if ("could not be told apart" in one.conclusion) != included:
        return [f"told apart, or not, against {lower} to {upper}: {one.conclusion!r}"]
    if (says[1] if says else None) != expected:
        return [f"favours {says and says[1]}, and the numbers {expected}: {one.answer!r}"]
    if "No conclusion is drawn" in one.answer and main["no_verdict"] is None and upper > lower:
        return ["no conclusion although one may be drawn"]
    for name, value in (("effect", main["estimate"]), ("limit", lower), ("limit", upper)):
        if value is None or not math.isfinite(value):
            found = f"{name} is {value}"
            return [found]
    return []


def _network_words(one: Conclusion, rows: list[dict[str, Any]]) -> list[str]:
    run, found = one.run, []
    model = words.main_model(run)
    against: dict[str, tuple[float, float]] = {}
    for row in rows:
        if row["model"] != model or row["evidence"] != "network" or row["ci_lower"] is None:
            continue
        if row["versus"] == run.reference:
            against[row["treatment"]] = (row["ci_lower"], row["ci_upper"])
        elif row["treatment"] == run.reference:
            against[row["versus"]] = (-row["ci_upper"], -row["ci_lower"])
    below = {name for name, (_, upper) in against.items() if upper < 0}
    above = {name for name, (lower, _) in against.items() if lower > 0}
    if run.lower_is_better is None:
        if not re.search(
            rf"excludes no effect for {len(below | above)} of {len(against)} treatments", one.answer
        ):
            found.append(f"clear: {below | above}, and {one.answer!r}")
        if "favours" in one.answer or "better" in one.answer or "Ranked" in one.answer:
            found.append("a verdict without a direction")
        return found
    good, bad = (below, above) if run.lower_is_better else (above, below)
    said = re.search(
        r"(Not one|\d+) of (\d+) treatments (?:is|are) better than .+? by (?:its interval|their intervals)",
        one.answer,
    )
    if said is None or (said[1], said[2]) != (str(len(good) or "Not one"), str(len(against))):
        found.append(f"favoured: {good}, and {one.answer!r}")
    worse = re.search(r"(\d+) (?:is|are) worse: ", one.answer)
    if (int(worse[1]) if worse else 0) != len(bad):
        found.append(f"worse: {bad}, and {one.answer!r}")
    for name in good:
        if f"L{name} " not in one.answer:
            found.append(f"{name} is not named: {one.answer!r}")
    found += _best_words(one, rows, model, ranked=bool(one.order) and "ranked first" in one.conclusion)
    if f"Against L{run.reference}, {len(good) or 'none'} of {len(against)} treatments" not in one.conclusion:
        found.append(f"better: {good}, and {one.conclusion!r}")
    if (f"{len(bad)} were worse" in one.conclusion or f"{len(bad)} was worse" in one.conclusion) != bool(bad):
        found.append(f"worse: {bad}, and {one.conclusion!r}")
    ranks = {
        row["treatment"]: round(row["mean_rank"], 9)
        for row in _rows(run, "ranking")
        if row["model"] == model and row["mean_rank"] is not None
    }
    if ranks and [ranks[name] for name in one.order] != sorted(ranks.values()):
        found.append(f"the order is not that of the mean ranks: {one.order} {ranks}")
    return found


def _best_words(one: Conclusion, rows: list[dict[str, Any]], model: str, ranked: bool) -> list[str]:
    """Hold what is said to be the best against the intervals of every other treatment."""
    sign = 1 if one.run.lower_is_better else -1
    worse_than: dict[str, set[str]] = {}
    for row in rows:
        if row["model"] != model or row["evidence"] != "network" or row["ci_lower"] is None:
            continue
        lower, upper = sorted((sign * row["ci_lower"], sign * row["ci_upper"]))
        if upper < 0:
            worse_than.setdefault(row["treatment"], set()).add(row["versus"])
        if lower > 0:
            worse_than.setdefault(row["versus"], set()).add(row["treatment"])
    names = {row["treatment"] for row in rows} | {row["versus"] for row in rows}
    best = {name for name, beaten in worse_than.items() if len(beaten) == len(names) - 1}
    said = re.search(r"The best is L(\w+) \(", one.conclusion)
    if said is not None and {said[1]} != best:
        return [f"the best is {said[1]}, and the numbers say {best}: {one.conclusion!r}"]
    if ranked and best:
        return [f"no best treatment, and the numbers say {best}: {one.conclusion!r}"]
    told = re.search(r"ranked first .*is not shown to be better than ([^.]*)\.", one.conclusion)
    if told is not None:
        for name in re.findall(r"L(\w+)", told[1]):
            if name in worse_than.get(one.order[0], set()):
                return [f"{one.order[0]} is better than {name}: {one.conclusion!r}"]
    return []
