"""Every direct comparison for metafor: the contrasts that the pairwise analysis pools, and a script."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from analysis import pairwise
from analysis.exchange.datasets import TAILS, computed, file_name, questions, write_rows
from analysis.pairwise import PairwiseFit
from evidence import facts
from evidence.errors import EvidenceError, RefusedError
from evidence.names import apart
from evidence.question import comparisons, measured
from evidence.selection import Selection
from evidence.system.frames import plain, records
from evidence.system.frames import rows as rows_of

_RAW = {
    "continuous": ("m{}i:mean", "sd{}i:sd", "n{}i:n"),
    "binary": ("{letter}i:events", "n{}i:n"),
    "rate": ("x{}i:events", "t{}i:exposure"),
}


def write_metafor(selection: Selection, directory: Path) -> list[Path]:
    """Write the contrasts of each outcome and measure, and a script that pools them.

    A row is a pair of arms, with the numbers of both, and the variables of its study, arms and measurements.
    The script gives what ``evidence pool`` gives: random effects by the plan's estimator with the interval of
    Hartung and Knapp, the effects of one study combined by their sampling covariance.
    """
    db = computed(selection)
    target = directory / "metafor"
    files: list[Path] = []
    taken: set[str] = set()
    for plan in questions(db):
        outcome, measure = plan["outcome"], plan["measure"]
        rows, covariances, unused = [], [], set()
        for treatment, versus in comparisons(db, outcome, measure):
            try:
                fit = pairwise.fit(db, outcome=outcome, measure=measure, treatment=treatment, versus=versus)
            except EvidenceError as error:
                selection.lose(
                    "metafor", f"{outcome} by {measure}, {treatment} against {versus}: {error.message}"
                )
                continue
            rows += _rows(selection, fit, plan["kind"])
            covariances += _covariances(fit)
            unused |= _unused(fit)
        if not rows:
            continue
        if unused:
            selection.lose(
                "metafor",
                f"{outcome} by {measure}: {len(unused)} rows that the analysis does not use (see the view "
                "exclusion)",
            )
        name = apart(file_name(f"{outcome}-{measure}"), taken, *TAILS)
        filled = {column for row in rows for column, value in row.items() if value is not None}
        ordered = dict.fromkeys((*_COLUMNS, *(column for row in rows for column in row)))
        columns = [column for column in ordered if column in filled and column not in _LAST] + list(_LAST)
        files.append(
            write_rows(
                target / f"{name}.csv",
                columns,
                [[row.get(column) for column in columns] for row in rows],
                "NA",
            )
        )
        selection.describe(f"metafor/{name}.csv", {column: _meaning(column) for column in columns})
        if covariances:
            files.append(write_rows(target / f"{name}-covariance.csv", list(_COVARIANCE), covariances))
            selection.describe(f"metafor/{name}-covariance.csv", _COVARIANCE)
        script = target / f"{name}.R"
        text = _script(name, measure, plan["kind"], plan["tau2"], bool(covariances))
        script.write_text(text, encoding="utf-8")
        files.append(script)
    if not files:
        raise RefusedError("There is no direct comparison to write for metafor.")
    return files


_LAST = ("yi", "sei")
_COVARIANCE = {
    "contrast_1": "contrast, as in the table of contrasts",
    "contrast_2": "contrast that shares an arm with it",
    "covariance": "covariance of their estimates",
}
_COLUMNS = {
    "comparison": "the treatments: effects are first minus second",
    "contrast": "contrast_id of the view contrast",
    "study": "study",
    "experiment": "experiment of the study",
    "timepoint": "when it was measured",
    "timepoint_unit": "unit of that time",
    "treat1": "first treatment",
    "treat2": "second treatment",
    "first_arm": "arm of the first treatment",
    "second_arm": "arm of the second treatment",
    "yi": "effect on the analysis scale (log for ratios)",
    "sei": "standard error of yi",
}
_OF_ESCALC = frozenset(
    column.partition(":")[0].format(place, letter=letter)
    for columns in _RAW.values() for column in columns for place, letter in ((1, "a"), (2, "c"))
)  # fmt: skip
_STATISTIC = {"m": "mean", "sd": "standard deviation", "n": "n", "a": "events", "c": "events", "x": "events",
              "t": "time at risk"}  # fmt: skip


def _meaning(column: str) -> str:
    """Say what a column holds: names of `escalc` are a statistic, the number of its arm, and i."""
    if column in _COLUMNS:
        return _COLUMNS[column]
    if column not in _OF_ESCALC:
        return f"the variable {column}"
    statistic = _STATISTIC[column.rstrip("i").rstrip("12")]
    arm = "second_arm" if "2" in column or column == "ci" else "first_arm"
    return f"{statistic} of {arm}, as escalc of metafor calls it"


def _rows(selection: Selection, fit: PairwiseFit, kind: str) -> list[dict[str, Any]]:
    """One row per contrast, with its variables and, where they are known, the statistics of both arms."""
    contrasts = fit.assembly.contrasts
    variables = _variables(selection, contrasts.variables)
    outcome = str(contrasts.outcome)
    arms = selection.once(
        f"measurements of {outcome}",
        lambda: {row["measurement_id"]: row for row in records(measured(selection.db, outcome))},
    )
    rows = []
    for contrast, described in zip(rows_of(contrasts.frame), variables, strict=True):
        row: dict[str, Any] = {
            "comparison": f"{contrasts.treatment} - {contrasts.versus}",
            "contrast": contrast["contrast_id"],
            "study": contrast["study"],
            "experiment": contrast["experiment"],
            "timepoint": plain(contrast["timepoint"]),
            "timepoint_unit": plain(contrast["timepoint_unit"]),
            "treat1": contrasts.treatment,
            "treat2": contrasts.versus,
            "first_arm": contrast["arm_a"],
            "second_arm": contrast["arm_b"],
        }
        ids = contrast["measurement_ids"]
        known = [int(i) for i in ids.split(",")] if isinstance(ids, str) and ids else []
        sides = {arms[i]["arm"]: arms[i] for i in known if i in arms}
        for place, letter, side in ((1, "a", "arm_a"), (2, "c", "arm_b")):
            arm = sides.get(contrast[side], {})
            for column in _RAW.get(kind, ()):
                column, _, ours = column.partition(":")
                row[column.format(place, letter=letter)] = arm.get(ours)
        rows.append({**row, "yi": contrast["estimate"], "sei": contrast["std_error"], **described})
    return rows


def _variables(selection: Selection, frame: Any) -> list[dict[str, Any]]:
    """Give each contrast its variables by the name of their column; of arms and rows those of first_arm."""
    whole = selection.once(
        "variables of whole contrasts",
        lambda: {
            row["name"]
            for row in selection.db.rows(
                "select variable as name from study_variable union select characteristic "
                "from contrast_characteristic"
            )
        },
    )
    taken = {*_COLUMNS, *_OF_ESCALC}
    names = {
        name: apart(name if name in whole else f"{name} of first_arm", taken)
        for name in frame.columns
        if name not in ("timepoint", "timepoint_unit", "treatment")
    }
    return [{names[name]: plain(row[name]) for name in names} for row in rows_of(frame)]


def _unused(fit: PairwiseFit) -> set[tuple[str, ...]]:
    """List what the analysis does not use, by all that is said of it."""
    left_out = fit.assembly.contrasts.exclusions
    return set() if left_out is None else {tuple(map(str, row.values())) for row in rows_of(left_out)}


def _covariances(fit: PairwiseFit) -> list[tuple[str, str, float]]:
    """Covariances of contrasts that share an arm, each once."""
    frame = fit.assembly.contrasts.covariance
    place = set(fit.assembly.contrasts.frame["contrast_id"])
    return [
        (row["contrast_1"], row["contrast_2"], row["covariance"])
        for row in rows_of(frame)
        if row["contrast_1"] in place and row["contrast_2"] in place
    ]


_ESCALC = {
    "continuous": "m1i = m1i, sd1i = sd1i, n1i = n1i, m2i = m2i, sd2i = sd2i, n2i = n2i",
    "binary": "ai = ai, n1i = n1i, ci = ci, n2i = n2i",
    "rate": "x1i = x1i, t1i = t1i, x2i = x2i, t2i = t2i",
}


def _script(name: str, measure: str, kind: str, tau2: str, shared: bool) -> str:
    again = ""
    # escalc takes the same statistics: the difference it finds is a check of the views.
    if kind in _ESCALC and facts.measure(measure).given == "arms" and facts.name_in("metafor", measure):
        again = f"""\
again <- escalc("{measure}", {_ESCALC[kind]}, data = data)
cat("largest difference from escalc:", max(abs(again$yi - data$yi), na.rm = TRUE), "\\n")
"""
    read = f'shared <- read.csv("{name}-covariance.csv")\n' if shared else ""
    fill = """\
  at <- cbind(match(shared$contrast_1, rows$contrast), match(shared$contrast_2, rows$contrast))
  found <- !is.na(at[, 1]) & !is.na(at[, 2])
  V[rbind(at[found, , drop = FALSE], at[found, 2:1, drop = FALSE])] <- rep(shared$covariance[found], 2)
""" if shared else ""  # fmt: skip
    return f"""\
# Pairwise meta-analyses of {name}: random effects, {tau2}, intervals of Hartung and Knapp; the effects of one
# study are combined by their sampling covariance first.
library(metafor)
data <- read.csv("{name}.csv")
{read}{again}for (rows in split(data, data$comparison)) {{
  V <- diag(rows$sei^2, nrow(rows))
{fill}  combined <- do.call(rbind, lapply(split(seq_len(nrow(rows)), rows$study), function(i) {{
    W <- solve(V[i, i, drop = FALSE])
    data.frame(yi = sum(W %*% rows$yi[i]) / sum(W), vi = 1 / sum(W))
  }}))
  if (nrow(combined) < 2) next
  fit <- rma(yi, vi, data = combined, method = "{tau2}", test = "knha")
  numbers <- c(fit$k, fit$beta, fit$se, fit$ci.lb, fit$ci.ub, fit$tau2)
  cat(rows$comparison[1], "HK", numbers, "\\n", sep = "|")
}}
"""
