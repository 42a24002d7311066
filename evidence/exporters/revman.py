"""A data package as RevMan Web writes one: every pair of treatments of every outcome is an analysis."""

from __future__ import annotations

import csv
import io
import math
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from evidence import facts
from evidence.errors import RefusedError
from evidence.selection import Selection

_DATA_TYPE = {"continuous": "Continuous", "binary": "Dichotomous"}
"""Data type of a kind of outcome in RevMan's words; others are entered as contrasts."""

_ROWS = (
    "Analysis group", "Analysis number", "Analysis name", "Subgroup", "Study", "Study year",
    "GIV Mean", "GIV SE", "Experimental mean", "Experimental SD", "Experimental cases", "Experimental N",
    "Control mean", "Control SD", "Control cases", "Control N", "O-E", "Variance", "Weight", "Mean",
    "CI start", "CI end",
)  # fmt: skip
_SETTINGS = (
    "Analysis group", "Analysis group name", "Analysis number", "Analysis name", "Experimental group label",
    "Control group label", "Data type", "Statistical method", "Effect measure", "Analysis model",
    "Heterogeneity estimator", "CI method", "Swap event and non-event", "Studies", "Mean", "CI start",
    "CI end",
    "Tau2", "Chi2", "I2",
)  # fmt: skip


def write_revman(selection: Selection, directory: Path) -> list[Path]:
    """Write a ZIP archive of CSV files: studies, data rows, settings with pooled results, risk of bias.

    Pooled results are those of the view `pooled`: random effects by DerSimonian and Laird, normal intervals.
    """
    db = selection.db
    left_out = {
        f"{row['outcome']} by {row['measure']} is not written: RevMan has no such measure"
        for row in db.rows(
            "select distinct outcome, measure from comparison_contrast order by outcome, measure"
        )
        if facts.name_in("revman", row["measure"]) is None and not _has_other(db, row["outcome"])
    }
    not_written = {
        f"risk of bias by {row['tool']}{row['of']} is not written"
        for row in db.rows(
            "select distinct tool, if(tool = 'RoB 2', ' for single outcomes', '') as of from rob_judgement "
            "where tool <> 'RoB 2' or outcome is not null"
        )
    }
    selection.lose("revman", *sorted(left_out | not_written))
    settings, data = _comparisons(selection)
    if not settings:
        raise RefusedError(
            f"There is no comparison in a measure that RevMan has ({', '.join(facts.names_in('revman'))})."
        )
    name = db.value("select review from review")
    members = {
        f"{name}-study-data/{name}-study-information.csv": _csv(
            ("Study", "Year"),
            [{"Study": row["study"], "Year": row["year"]} for row in db.rows("from study order by study")],
        ),
        f"{name}-analysis-data/{name}-data-rows.csv": _csv(_ROWS, data),
        f"{name}-analysis-data/{name}-overall-estimates-and-settings.csv": _csv(_SETTINGS, settings),
    }
    judged = _risk_of_bias(selection)
    if judged:
        members[f"{name}-study-data/{name}-risk-of-bias.csv"] = judged
    path = directory / f"{name}-revman.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for member, text in members.items():
            archive.writestr(zipfile.ZipInfo(member, (2000, 1, 1, 0, 0, 0)), text)
    return [path]


def _comparisons(selection: Selection) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Give settings and result of every comparison that RevMan can hold, and the rows of their data."""
    db = selection.db
    planned = {(row["outcome"], row["measure"]) for row in db.rows("select outcome, measure from plan")}
    outcomes = [row["outcome"] for row in db.rows("select outcome from outcome order by outcome")]
    labels = {row["treatment"]: row["label"] for row in db.rows("select treatment, label from treatment")}
    settings: list[dict[str, Any]] = []
    data: list[dict[str, Any]] = []
    number: dict[str, int] = {}
    for pair in db.rows("from pooled order by outcome, measure, treatment_a, treatment_b"):
        outcome, measure = pair["outcome"], pair["measure"]
        asked = any(o == outcome for o, _ in planned)
        words = facts.name_in("revman", measure)
        if words is None or (asked and (outcome, measure) not in planned):
            continue
        number[outcome] = number.get(outcome, 0) + 1
        a, b = labels[pair["treatment_a"]], labels[pair["treatment_b"]]
        place = {
            "Analysis group": outcomes.index(outcome) + 1,
            "Analysis number": number[outcome],
            "Analysis name": f"{outcome}, {a} versus {b}, {measure}",
        }
        kind = _DATA_TYPE.get(str(facts.measure(measure).kind), "Contrast level")
        rows = _data_rows(selection, pair, kind)
        if kind == "Contrast level" or any("GIV Mean" in row for row in rows):
            kind = "Contrast level"
            rows = [{**row, "GIV Mean": row["estimate"], "GIV SE": row["std_error"]} for row in rows]
        data += [{**place, **row} for row in rows]
        settings.append({**place, **_settings(pair, a, b, kind, words)})
    return settings, data


def _settings(pair: Mapping[str, Any], a: str, b: str, kind: str, measure: str) -> dict[str, Any]:
    """How a comparison of `a` with `b` was pooled, and what came out; `measure` in RevMan's words."""
    return {
        "Analysis group name": pair["outcome"],
        "Experimental group label": a,
        "Control group label": b,
        "Data type": kind,
        "Statistical method": "Inverse variance",
        "Effect measure": measure,
        "Analysis model": "Random effects",
        "Heterogeneity estimator": "DerSimonian and Laird",
        "CI method": "Wald-type",
        "Swap event and non-event": "No",
        "Studies": pair["n_studies"],
        **_effect(
            pair["measure"], *(pair[f"random_{name}"] for name in ("estimate", "ci_lower", "ci_upper"))
        ),
        "Tau2": pair["tau2"],
        "Chi2": pair["Q"],
        "I2": pair["I2"],
    }


def _has_other(db: Any, outcome: str) -> bool:
    found = db.rows(
        "select distinct measure from comparison_contrast where outcome = ? order by measure", [outcome]
    )
    return any(facts.name_in("revman", row["measure"]) for row in found)


def _data_rows(selection: Selection, pair: Mapping[str, Any], kind: str) -> list[dict[str, Any]]:
    """One row per contrast; with the arms' statistics unless it was reported without them."""
    rows = selection.db.rows(
        """
        select contrast.*, study.year,
            a.n as n_1, a.mean as mean_1, a.sd as sd_1, a.events as events_1,
            b.n as n_2, b.mean as mean_2, b.sd as sd_2, b.events as events_2
        from comparison_contrast as contrast
        inner join study on contrast.study = study.study
        left join measurement_standard as a on contrast.block = a.block and contrast.arm_a = a.arm
        left join measurement_standard as b on contrast.block = b.block and contrast.arm_b = b.arm
        where contrast.outcome = ? and contrast.measure = ? and treatment_a = ? and treatment_b = ?
        order by contrast.study, contrast.experiment, arm_a, arm_b
        """,
        [pair["outcome"], pair["measure"], pair["treatment_a"], pair["treatment_b"]],
    )
    found = []
    for row in rows:
        cells: dict[str, Any] = {
            "Study": row["study"],
            "Study year": row["year"],
            "Subgroup": "" if row["experiment"] == "main" else row["experiment"],
            "estimate": row["estimate"],
            "std_error": row["std_error"],
            **_effect(
                pair["measure"],
                row["estimate"],
                row["estimate"] - facts.NORMAL_975 * row["std_error"],
                row["estimate"] + facts.NORMAL_975 * row["std_error"],
            ),
        }
        for side, place in (("Experimental", "1"), ("Control", "2")):
            cells[f"{side} N"] = row[f"n_{place}"]
            if kind == "Continuous":
                cells |= {f"{side} mean": row[f"mean_{place}"], f"{side} SD": row[f"sd_{place}"]}
            elif kind == "Dichotomous":
                cells[f"{side} cases"] = row[f"events_{place}"]
        if row["origin"] == "reported":
            cells["GIV Mean"] = row["estimate"]
        found.append(cells)
    return found


def _effect(measure: str, *values: float | None) -> dict[str, float | None]:
    """Return estimate and interval as RevMan prints them: ratios as ratios."""
    ratio = facts.measure(measure).is_ratio
    printed = [None if value is None else math.exp(value) if ratio else value for value in values]
    return dict(zip(("Mean", "CI start", "CI end"), printed, strict=True))


def _risk_of_bias(selection: Selection) -> str:
    rows: dict[str, dict[str, Any]] = {}
    for row in selection.db.rows(
        "from rob_traffic_light where tool = 'RoB 2' and outcome is null order by study, position"
    ):
        label = row["label"][:1].upper() + row["label"][1:]
        cells = rows.setdefault(row["study"], {"Study": row["study"]})
        cells[f"Domain (judgement): {label}"] = f"{row['judgement_label']} risk of bias"
    if not rows:
        return ""
    columns = list(dict.fromkeys(column for row in rows.values() for column in row))
    return _csv(columns, list(rows.values()))


def _csv(columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> str:
    stream = io.StringIO()
    writer = csv.DictWriter(stream, columns, restval="", extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({key: "" if value is None else value for key, value in row.items()})
    return stream.getvalue()
