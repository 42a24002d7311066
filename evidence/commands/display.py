"""Print a run to read: what was asked, effects, heterogeneity, ranks, and what a reader must know."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, TextIO

from evidence import facts
from evidence.output import (
    SYNTHETIC,
    effect_digits,
    figures,
    p_value,
    percent,
    positive,
    significant,
    statistic,
    write_table,
)
from evidence.results import IMPORTANTLY_BETTER, OVER_ALL
from evidence.system.frames import cells, records

if TYPE_CHECKING:
    import pandas as pd

    from evidence.results import Run

NO_R2 = "not defined: without the moderators tau2 is 0 or given"


def show_run(run: Run, stream: TextIO) -> None:
    """Print a run.

    Effects of ratio measures and their limits are printed as ratios (their logarithms are what is kept and
    what JSON has); tau stays on the analysis scale.
    """
    write = stream.write
    if run.synthetic:
        write(SYNTHETIC + "\n")
    for line in _head(run):
        write(line + "\n")
    _effects(run, stream)
    _heterogeneity(run, stream)
    _meta_regression(run, stream)
    _further(run, stream)
    _ranking(run, stream)
    _league(run, stream)
    _inconsistency(run, stream)
    _diagnostics(run, stream)
    for line in _subgroup_tests(run):
        write(line + "\n")
    _leave_one_out(run, stream)
    for line in (*_notes(run), *_exclusions(run)):
        write(line + "\n")


def _head(run: Run) -> list[str]:
    about = facts.measure(run.measure, run.form)
    unit = about.unit_of(run.unit)
    unit = f", in {unit}" if unit else ""
    question = f"{run.treatment} versus {run.versus}" if run.kind == "pairwise" else f"versus {run.reference}"
    size = f"{run.n_studies} {'study' if run.n_studies == 1 else 'studies'}, {run.n_arms} arms"
    if run.kind == "network":
        size += f", {run.n_treatments} treatments"
    lines = [f"{run.outcome}: {about.label} ({run.measure}{unit}), {question}; {size}; {run.engine}."]
    none = f"{about.null:g}"
    if run.lower_is_better is None:
        lines.append("The outcome does not say which direction is better: no ranking.")
    else:
        better, side = ("Lower", "below") if run.lower_is_better else ("Higher", "above")
        lines.append(f"{better} is better: {side} {none} favours the treatment named first.")
    if run.scale == "log":
        lines.append("Effects and limits are ratios; tau is on the logarithmic scale.")
    lines.append(f"Intervals are 95 % {facts.engine(run.engine).interval_word} intervals; run {run.run_id}.")
    return lines


def _effects(run: Run, stream: TextIO) -> None:
    rows = _records(run, "estimates")
    by = any(row["level"] for row in rows)
    if run.kind == "network":
        rows = [row for row in rows if row["versus"] == run.reference and row["evidence"] == "network"]
    else:
        rows.sort(key=lambda row: row["level"] is not None)
    variant = run.specification.get("prediction")
    prediction = f"prediction ({variant})" if variant else "prediction"
    columns = [
        "model",
        "treatment",
        "versus",
        "effect",
        "interval",
        "ad hoc interval",
        prediction,
        "p",
        "studies",
    ]
    cells = [
        [
            row["model"],
            row["treatment"],
            row["versus"],
            _effect(run, row["estimate"]),
            _limits(run, row["ci_lower"], row["ci_upper"]),
            _limits(run, row["adhoc_lower"], row["adhoc_upper"]),
            _limits(run, row["pi_lower"], row["pi_upper"]),
            p_value(row["p_value"]),
            row["n_studies"],
        ]
        for row in rows
    ]
    if by:
        columns.insert(0, str(run.subgroup))
        cells = [[row["level"] or "all", *line] for row, line in zip(rows, cells, strict=True)]
    _table(columns, cells, stream)
    if run.kind == "network":
        more = "" if "league" in run.frames else "All pairs: --league. "
        stream.write(f"{more}Direct and indirect evidence apart, at full precision: --format json.\n")


def _heterogeneity(run: Run, stream: TextIO) -> None:
    digits = _digits(run)
    cells = [
        [
            *([row["level"] or "all"] if run.subgroup else []),
            row["model"],
            row["method"],
            positive(row["tau"], digits),
            _between(row["tau_lower"], row["tau_upper"], digits),
            "" if row["tau2"] is None else figures(row["tau2"]),
            percent(row["i2"]),
            statistic("q", row["q"]),
            statistic("df", row["df"]),
            p_value(row["p_value"]),
        ]
        for row in _records(run, "heterogeneity")
    ]
    ways = sorted(
        {row["interval_method"] for row in _records(run, "heterogeneity") if row["interval_method"]}
    )
    interval = f"tau interval ({', '.join(ways)})" if ways else "tau interval"
    columns = ["model", "method", "tau", interval, "tau2", "I2", "Q", "df", "p"]
    _table([*([run.subgroup] if run.subgroup else []), *columns], cells, stream)


def _subgroup_tests(run: Run) -> Iterable[str]:
    """Say whether subgroups differ by more than chance."""
    found = _quantities(run, "subgroups")
    for (model, variable), row in found.items():
        if row["p_value"] is not None:
            test = ", ".join(f"{name} {statistic(name.lower(), row[name.lower()])}" for name in ("Q", "df"))
            said = f"{test}, p {p_value(row['p_value'])}"
            yield f"Difference between subgroups by {variable} ({model}): {said}."


def _meta_regression(run: Run, stream: TextIO) -> None:
    """Show coefficients and tests of a meta-regression, and what it leaves unexplained."""
    found = {item: row for (_, item), row in _quantities(run, "meta-regression").items()}
    if not found or run.kind != "pairwise":
        return
    notes = {
        row["item"]: row["note"] for row in _records(run, "sensitivity") if row["method"] == "meta-regression"
    }
    cells = [
        [
            item,
            _effect(run, row.get("estimate")),
            _limits(run, row.get("ci_lower"), row.get("ci_upper")),
            statistic("statistic", row["statistic"]),
            " and ".join(filter(None, (statistic(name, row.get(name)) for name in ("df", "df1", "df2")))),
            p_value(row["p_value"]),
            notes.get(item),
        ]
        for item, row in found.items()
        if "statistic" in row
    ]
    _table(["meta-regression", "effect", "interval", "statistic", "df", "p", "note"], cells, stream)
    rest = found["residual heterogeneity"]
    stream.write(
        f"Residual tau2 {figures(rest['tau2'] or 0.0)}, I2 {percent(rest['i2'])}, "
        f"explained between-study variance (R2) {percent(rest['r2']) or NO_R2}.\n"
    )


def _further(run: Run, stream: TextIO) -> None:
    """Print analyses of sensitivity, where a run has some."""
    frame = run.frames["sensitivity"]
    if len(frame):
        from evidence.commands.further import show_further

        show_further(run, stream, _table)
    if found := _records(run, "thresholds"):
        from analysis.charts.base.effect import Effect
        from evidence.commands.further import show_thresholds

        last = [row for row in found if row["model"] == found[-1]["model"]]
        show_thresholds(last, Effect.of_run(run.row()), {}, stream)


def _quantities(run: Run, method: str) -> dict[tuple[str, str], dict[str, float | None]]:
    """Rows of one sensitivity analysis, by model and item."""
    found: dict[tuple[str, str], dict[str, float | None]] = {}
    for row in _records(run, "sensitivity"):
        if row["method"] == method and row["quantity"] != "refused":
            found.setdefault((row["model"], row["item"]), {})[row["quantity"]] = row["value"]
    return found


def _ranking(run: Run, stream: TextIO) -> None:
    rows = sorted(
        _records(run, "ranking"),
        # What differs by rounding only stays in its order.
        key=lambda row: (row["model"], round(row["mean_rank"] or math.inf, 9)),
    )
    better = {
        (row["model"], row["item"]): row["value"]
        for row in _records(run, "sensitivity")
        if (row["method"], row["quantity"]) == (IMPORTANTLY_BETTER, OVER_ALL)
    }
    score = facts.engine(run.engine).score
    columns = ("mean_rank", score, "p_best")
    cells = [
        [
            row["model"],
            row["treatment"],
            # The probability of being best is drawn; its error is in the third place, or the second.
            *(_decimals(row[column], 2 if column in ("mean_rank", "p_best") else 4) for column in columns),
            _decimals(better.get((row["model"], row["treatment"])), 4),
        ]
        for row in rows
    ]
    headings = [facts.score(score)["label"] if column == score else column for column in columns]
    _table(("model", "treatment", *headings, "p_importantly_better"), cells, stream)
    for row in _records(run, "fit", quantity="POTH"):
        about = f"{row['model']}: {row['value']:.3f}, {row['note']}"
        stream.write(f"Precision of the hierarchy (POTH, from 0 to 1), {about}.\n")


def _league(run: Run, stream: TextIO) -> None:
    """Print the league table of random effects where they were fitted, and with prediction intervals."""
    if "league" not in run.frames:
        return
    from analysis.network.tables import league_matrix

    league = run.frames["league"]
    model = league["model"].iloc[-1]
    league = league[league["model"] == model]
    for predictive in (False, True) if league["pi_lower"].notna().any() else (False,):
        square = league_matrix(league, predictive=predictive)
        stream.write(f"League table, {model} effects, the best first. {square.index.name}\n")
        _table(
            ["", *square.columns],
            [[name, *row] for name, row in zip(square.index, square.to_numpy())],
            stream,
        )


def _inconsistency(run: Run, stream: TextIO) -> None:
    rows = _records(run, "inconsistency")
    tests = [row for row in rows if row["difference"] is None and row["df"]]
    names = ("model", "method", "component")
    cells = [
        [*[row[c] for c in names], *(statistic(c, row[c]) for c in ("q", "df")), p_value(row["p_value"])]
        for row in tests
    ]
    _table([*names, "q", "df", "p"], cells, stream)
    for row in rows:
        if row["component"] and row["method"] == "unrelated mean effects":
            stream.write(f"Against unrelated mean effects ({row['model']}): {row['note']}.\n")
    columns = ("model", "method", "treatment", "versus", "direct", "indirect", "difference", "interval", "p")
    cells = [
        [
            row["model"],
            row["method"],
            row["treatment"],
            row["versus"],
            _effect(run, row["direct"]),
            _effect(run, row["indirect"]),
            _effect(run, row["difference"]),
            _limits(run, row["ci_lower"], row["ci_upper"]),
            p_value(row["p_value"]),
        ]
        for row in rows
        if row["difference"] is not None
    ]
    _table(columns, cells, stream)
    remarks: dict[tuple[bool, str], dict[str, None]] = {}
    for row in rows:
        if row["treatment"] is not None and row["note"]:
            pair = f"{row['treatment']} versus {row['versus']}"
            remarks.setdefault((row["difference"] is None, row["note"]), {})[pair] = None
    for (refused, note), pairs in remarks.items():
        said = "Not split" if refused else "Not independent"
        stream.write(f"{said}, {note}: {', '.join(pairs)}.\n")


def _diagnostics(run: Run, stream: TextIO) -> None:
    """Show how draws came about and how far they can be trusted."""
    columns = ("model", "parameter", "rhat", "ess_bulk", "ess_tail", "divergences", "note")
    rows = [row for row in _records(run, "diagnostics") if row["ess_bulk"] is not None and row["note"]]
    _table(columns, [[row[column] for column in columns] for row in rows], stream)


def _leave_one_out(run: Run, stream: TextIO) -> None:
    """Say how far each effect moves when one study is left out, and what then has none."""
    frame = run.frames.get("leave_one_out")
    if frame is None or frame.empty:
        return
    question = ["model", "treatment", "versus"]
    estimate = frame["estimate"].astype(float)
    known = estimate.abs() < math.inf
    found = frame.assign(estimate=estimate)[known].reset_index(drop=True)
    groups = found.groupby(question, sort=False, dropna=False)["estimate"]
    table = []
    lowest, highest = groups.idxmin(), groups.idxmax()
    for names, low, high in zip(lowest.index.tolist(), lowest, highest, strict=True):
        ends = [_effect(run, float(found["estimate"][place])) for place in (low, high)]
        # What no study moves is the same but for rounding.
        named = [found["study"][place] if ends[0] != ends[1] else "" for place in (low, high)]
        table.append([*names, ends[0], named[0], ends[1], named[1]])
    lost: dict[tuple[str, str], dict[str, None]] = {}
    for row in records(frame[~known & frame["note"].notna()]):
        lost.setdefault((row["study"], row["note"]), {})[row["treatment"]] = None
    if table or lost:
        stream.write("Leaving out one study:\n")
    _table((*question, "lowest", "without", "highest", "without"), table, stream)
    for (study, note), treatments in lost.items():
        stream.write(f"{', '.join(treatments)}: {note} ({study}).\n")


def _notes(run: Run) -> Iterable[str]:
    for row in _records(run, "notes"):
        yield f"{'Warning' if row['severity'] == 'warning' else 'Note'}: {row['message']}"


def _exclusions(run: Run) -> Iterable[str]:
    frame = run.frames.get("exclusions")
    if frame is None or frame.empty:
        return
    counts = Counter(zip(cells(frame["reason"]), cells(frame["remedy"].fillna("")), strict=True))
    for (reason, remedy), n in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
        yield f"Not used, {n} x: {reason}" + (f" -> {remedy}" if remedy else "")


def _records(run: Run, name: str, quantity: str | None = None) -> list[dict[str, Any]]:
    frame: pd.DataFrame | None = run.frames.get(name)
    if frame is None:
        return []
    return records(frame if quantity is None else frame[frame["quantity"] == quantity])


def _table(columns: Sequence[str], rows: Sequence[Sequence[Any]], stream: TextIO) -> None:
    """Print a table without the columns that are empty in every row."""
    full = [index for index in range(len(columns)) if any(row[index] not in (None, "") for row in rows)]
    if rows:
        write_table([columns[i] for i in full], [[row[i] for i in full] for row in rows], stream)


def _effect(run: Run, value: float | None) -> str:
    if value is None:
        return ""
    return significant(math.exp(value) if run.scale == "log" else value)


def _limits(run: Run, lower: float | None, upper: float | None) -> str:
    if lower is None or upper is None:
        return ""
    return f"{_effect(run, lower)} to {_effect(run, upper)}"


def _digits(run: Run) -> int:
    """Choose the decimals of a run's heterogeneity: those that the report gives its effects."""
    half = (
        (row["ci_upper"] - row["ci_lower"]) / 2
        for row in _records(run, "estimates")
        if row["ci_lower"] is not None and row["ci_upper"] is not None
    )
    return effect_digits(half, least=facts.measure(run.measure).least_digits, log=run.scale == "log")


def _between(lower: float | None, upper: float | None, digits: int) -> str:
    return "" if lower is None or upper is None else f"{positive(lower, digits)} to {positive(upper, digits)}"


def _decimals(value: float | None, places: int) -> str:
    return "" if value is None else f"{value:.{places}f}"
