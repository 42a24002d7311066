"""Walk a number back to the pages it was read from."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from evidence.errors import CallError
from evidence.names import joined, nearest
from evidence.query import EvidenceBase

__all__ = ["Part", "Reading", "Trace", "address", "addresses", "trace"]

_STATISTICS = (
    "n", "mean", "sd", "se", "median", "q1", "q3", "min", "max", "ci_lower", "ci_upper", "events", "exposure",
)  # fmt: skip
_REPORTED = ("estimate", "se", "ci_lower", "ci_upper", "o_minus_e", "variance", "n_a", "n_b")


@dataclass(frozen=True)
class Reading:
    """One row of the review folder: what was read, where, how and by whom.

    Attributes
    ----------
    what : str
        Arm, outcome and time point; for a reported contrast the two arms.
    reported : str
        The statistics as reported.
    used_as : str
        What was made of them, and how (empty where they are used as they stand).
    source, locator, method, extractor : str or None
        Publication, page or figure, text or table or figure or author, reader.
    place : str
        File and line of the review folder.
    """

    what: str
    reported: str
    used_as: str
    source: str | None
    locator: str | None
    method: str | None
    extractor: str | None
    place: str


@dataclass(frozen=True)
class Part:
    """One study's part in a number.

    Attributes
    ----------
    study, experiment : str
    weight : float or None
        Its share (of 1); None for a number that is no average.
    estimate, std_error : float or None
        Its own effect on the analysis scale.
    contrast_id : str or None
    readings : tuple of Reading
    """

    study: str
    experiment: str | None
    weight: float | None
    estimate: float | None
    std_error: float | None
    contrast_id: str | None
    readings: tuple[Reading, ...]


@dataclass(frozen=True)
class Trace:
    """A number and everything behind it.

    Attributes
    ----------
    address : str
        Names the number: ``run/treatment/versus/model``, a contrast_id, or a measurement_id.
    number : dict
        The row it stands in.
    parts : tuple of Part
        The studies behind it, heaviest first.
    notes : tuple of str
    """

    address: str
    number: dict[str, Any]
    parts: tuple[Part, ...]
    notes: tuple[str, ...] = field(default=())


def address(estimate: dict[str, Any]) -> str:
    """Address of a row of ``result_estimate``, joined with the `analysis` of its run.

    Parameters
    ----------
    estimate : dict
        With keys run_id, analysis, treatment, versus, model, evidence, subgroup, level and kind.

    Returns
    -------
    str
        ``run/treatment/versus/model``, with ``/variable=level`` for a subgroup and ``/direct`` or
        ``/indirect`` for a part of a network estimate. The run is the plan's name for it, else its run_id.
        A slash or backslash within a name has a backslash before it.
    """
    parts = [
        estimate["analysis"] or estimate["run_id"],
        estimate["treatment"],
        estimate["versus"],
        estimate["model"],
    ]
    if estimate["level"] is not None:
        parts.append(f"{estimate['subgroup']}={estimate['level']}")
    if estimate["kind"] == "network" and estimate["evidence"] != "network":
        parts.append(estimate["evidence"])
    return joined(parts, "/")


def addresses(db: EvidenceBase) -> dict[str, dict[str, Any]]:
    """Every result row that can be traced, by address, in the order of the plan."""
    rows = db.rows(
        """
        select run.analysis, run.kind, run.outcome, run.measure, run.scale, run.unit, estimate.*
        from result_estimate as estimate
        inner join result_run as run on estimate.run_id = run.run_id
        left join plan on run.analysis = plan.analysis
        order by plan.position nulls last, run.run_id, estimate.rowid
        """
    )
    return {address(row): row for row in rows}


def trace(db: EvidenceBase, name: str) -> Trace:
    """Find the rows and pages behind a number.

    Parameters
    ----------
    db : EvidenceBase
    name : str
        An address as `address` makes it, or the beginning of one; a contrast_id; a measurement_id; or a file
        and line of the review folder (``measurements.csv:12``).

    Raises
    ------
    CallError
        If nothing, or more than one number, has this address.

    Examples
    --------
    >>> import evidence
    >>> from evidence.trace import trace
    >>> with evidence.open("diabetes") as db:
    ...     found = trace(db, "measurements.csv:2")
    >>> found.parts[0].study, found.parts[0].readings[0].reported
    ('De Fronzo (1995)', 'n 213, mean -1.7, sd 1.459')
    """
    if name.isdigit():
        return _of_measurements(db, name, [int(name)])
    file, colon, line = name.rpartition(":")
    if colon and line.isdigit() and file.endswith(".csv"):
        return _of_line(db, file, int(line))
    if contrast := db.rows("select * from contrast where contrast_id = ?", [name]):
        return Trace(name, contrast[0], (_part(db, contrast[0], None),))
    known = addresses(db)
    found = [name] if name in known else [item for item in known if item.startswith(name)]
    if len(found) != 1:
        raise CallError(_not_one(name, found, list(known)))
    return _of_estimate(db, found[0], known[found[0]])


def _not_one(name: str, found: list[str], known: list[str]) -> str:
    if found:
        return f"{len(found)} numbers begin with {name!r}:" + "".join(f"\n  {item}" for item in found[:40])
    if not known:
        return (
            f"There is no number {name!r}: `evidence analyse FILE` keeps results, and prints their addresses."
        )
    close = nearest(name, known)
    hint = f" Did you mean {close!r}?" if close else ""
    return (
        f"There is no number {name!r}.{hint} An address is run/treatment/versus/model, a contrast_id, "
        f"a measurement_id or file:line; for example {known[0]!r}."
    )


def _of_estimate(db: EvidenceBase, name: str, row: dict[str, Any]) -> Trace:
    weights = db.rows(
        """
        select study, experiment, contrast_id, estimate, std_error, weight, measurement_ids
        from result_weight
        where run_id = ? and model = ?
            and ((treatment = ? and versus = ?) or (treatment = ? and versus = ?))
        order by weight desc nulls last, study, experiment, contrast_id
        """,
        [row["run_id"], row["model"], row["treatment"], row["versus"], row["versus"], row["treatment"]],
    )
    notes: list[str] = []
    if row["level"] is not None:
        members = {
            item["contrast_id"]
            for item in db.rows(
                "select contrast_id from result_contrast where run_id = ? and level = ?",
                [row["run_id"], row["level"]],
            )
        }
        weights = [item for item in weights if item["contrast_id"] in members]
        notes.append("Weights are those in the analysis of all studies.")
    if not weights:
        notes.append("This analysis kept no weights for this number.")
    return Trace(name, row, tuple(_part(db, item, item["weight"]) for item in weights), tuple(notes))


def _of_line(db: EvidenceBase, file: str, line: int) -> Trace:
    name = f"{file}:{line}"
    where = "where source_file = ? and source_line = ?"
    found = db.rows(f"select measurement_id from measurement {where} order by measurement_id", [file, line])
    if found:
        return _of_measurements(db, name, [row["measurement_id"] for row in found])
    reported = db.rows(f"select * from reported_contrast {where} order by reported_contrast_id", [file, line])
    if not reported:
        raise CallError(f"No measurement and no reported contrast was loaded from {name}.")
    reading = _reported(reported)
    part = Part(reported[0]["study"], reported[0]["experiment"], None, None, None, None, reading)
    return Trace(name, reported[0], (part,))


def _of_measurements(db: EvidenceBase, name: str, ids: list[int]) -> Trace:
    rows = db.rows(
        f"from measurement where measurement_id in ({', '.join(map(str, ids))}) order by measurement_id"
    )
    if not rows:
        raise CallError(f"There is no measurement {name}.")
    part = Part(rows[0]["study"], rows[0]["experiment"], None, None, None, None, _readings(db, ids))
    return Trace(name, rows[0], (part,))


def _part(db: EvidenceBase, row: dict[str, Any], weight: float | None) -> Part:
    """Find the readings behind a row by its measurement_ids or, where these are missing, its contrast_id."""
    ids = [int(item) for item in str(row["measurement_ids"] or "").split(",") if item.strip()]
    readings = _readings(db, ids)
    if not readings and row["contrast_id"]:
        readings = _reported(
            db.rows(
                "select reported_contrast.* from contrast inner join reported_contrast "
                "using (reported_contrast_id) where contrast.contrast_id = ? order by reported_contrast_id",
                [row["contrast_id"]],
            )
        )
    return Part(
        row["study"],
        row["experiment"],
        weight,
        row["estimate"],
        row["std_error"],
        row["contrast_id"],
        readings,
    )


def _readings(db: EvidenceBase, ids: Iterable[int]) -> tuple[Reading, ...]:
    listed = ", ".join(str(item) for item in ids)
    if not listed:
        return ()
    rows = db.rows(
        f"""
        select measurement.*, standard.mean as used_mean, standard.sd as used_sd, standard.unit as used_unit,
            standard.derivation, standard.flags
        from measurement
        left join measurement_standard as standard using (measurement_id)
        where measurement.measurement_id in ({listed})
        order by measurement.measurement_id
        """
    )
    return tuple(
        Reading(
            " ".join(
                str(item)
                for item in (row["arm"], row["outcome"], _number(row["timepoint"]), row["timepoint_unit"])
                if item
            ),
            _values(row, _STATISTICS) + (f" {row['unit']}" if row["unit"] else ""),
            _used_as(row),
            row["source"],
            row["locator"],
            row["method"],
            row["extractor"],
            f"{row['source_file']}:{row['source_line']}",
        )
        for row in rows
    )


def _used_as(row: dict[str, Any]) -> str:
    words = []
    if row["used_mean"] is not None and (row["used_mean"], row["used_sd"]) != (row["mean"], row["sd"]):
        unit = f" {row['used_unit']}" if row["used_unit"] else ""
        words.append(f"mean {_number(row['used_mean'])}, sd {_number(row['used_sd'])}{unit}")
    words += [str(row[key]) for key in ("derivation", "flags") if row[key] and row[key] != "reported"]
    return "; ".join(words)


def _reported(rows: list[dict[str, Any]]) -> tuple[Reading, ...]:
    return tuple(
        Reading(
            f"{row['arm_a']} vs {row['arm_b']}, {row['outcome']}",
            f"{'log ' if row['scale'] == 'log' else ''}{row['measure']} {_values(row, _REPORTED)}",
            "",
            row["source"],
            row["locator"],
            row["method"],
            row["extractor"],
            f"{row['source_file']}:{row['source_line']}",
        )
        for row in rows
    )


def _values(row: dict[str, Any], names: Iterable[str]) -> str:
    return ", ".join(f"{name} {_number(row[name])}" for name in names if row[name] is not None)


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.6g}"
