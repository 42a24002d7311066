"""What entered a run, as rows of ``result_contrast``: every count and figure of the run follows from them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.results import COLUMNS, frame
from evidence.names import joined
from evidence.question import as_reported, measured
from evidence.system.frames import cells, plain

if TYPE_CHECKING:
    import pandas as pd

    from analysis.network.data.network import Network
    from analysis.pairwise import PairwiseFit
    from evidence.query import EvidenceBase

_STATISTICS = ("mean", "sd", "events", "exposure")


def of_pairwise(db: EvidenceBase, fit: PairwiseFit, variables: Sequence[str] = ()) -> pd.DataFrame:
    """Contrasts of a pairwise run, treatment minus comparator, each with its level of the subgroup.

    Parameters
    ----------
    db : EvidenceBase
        Where the fit was read from.
    fit : PairwiseFit
    variables : sequence of str
        Further variables that were used (moderators): kept as JSON.

    Returns
    -------
    DataFrame
        With the columns of ``result_contrast`` but run_id; of a class of treatments each has its member.
    """
    from analysis.pairwise.subgroups import level_name

    contrasts = fit.assembly.contrasts
    members = contrasts.variables.get("treatment")
    rows = contrasts.frame.assign(
        treatment_a=contrasts.treatment if members is None else list(members), treatment_b=contrasts.versus
    )
    if fit.options.by is not None:
        rows["level"] = list(fit.variable(fit.options.by).map(level_name))
    if variables:
        values = {name: list(fit.variable(name)) for name in dict.fromkeys(variables)}
        rows["variables"] = [
            json.dumps({name: plain(column[place]) for name, column in values.items()}, ensure_ascii=False)
            for place in range(len(rows))
        ]
    return _kept(db, rows, contrasts.outcome)


def of_network(db: EvidenceBase, net: Network) -> pd.DataFrame:
    """Contrasts of a network run, effect and standard error as analysed (for SMD d or g as asked).

    Parameters
    ----------
    db : EvidenceBase
        Where the network was read from.
    net : Network

    Returns
    -------
    DataFrame
        With the columns of ``result_contrast`` but run_id: every pair of arms within a study.
    """
    return frame("contrasts") if net.contrasts is None else _kept(db, net.contrasts, net.outcome)


def _kept(db: EvidenceBase, rows: pd.DataFrame, outcome: str) -> pd.DataFrame:
    """Add what is known of both arms, and keep the columns of the table."""
    rows = rows.copy()
    animals, of_arms = _animals(db, rows["study"]), measured(db, outcome)
    unit = cells(rows["study"]), cells(rows["experiment"])
    for side, place in zip("ab", _measured(rows, of_arms), strict=True):
        keys = zip(*unit, cells(rows[f"arm_{side}"]), strict=True)
        rows[f"animals_{side}"] = [animals.get(key) or _group(key[1], key[2]) for key in keys]
        for name in _STATISTICS:
            values = of_arms[name].to_numpy(dtype=float)
            found = np.append(values, np.nan)[place]
            rows[f"{name}_{side}"] = found if np.isfinite(found).any() else None
    rows["reported_contrast_id"] = _reported(db, rows)
    return rows.reindex(columns=list(COLUMNS["contrasts"]))


def _animals(db: EvidenceBase, studies: pd.Series) -> dict[tuple[str, str, str], str]:
    """Name the group of animals of every arm: arms that a review says are one group have one name."""
    rows = db.rows(
        """
        select arm.study, arm.experiment, arm.arm,
            origin.experiment as origin_experiment, origin.arm as origin_arm
        from arm
        left join arm as origin
            on arm.study = origin.study and origin.shared_control_of is null
            and (
                origin.arm = arm.shared_control_of
                or (origin.experiment = arm.shared_control_of and origin.treatment = arm.treatment)
            )
        where arm.study in (select unnest(?))
        """,
        [sorted(set(cells(studies)))],
    )
    named: dict[tuple[str, str, str], str] = {}
    for row in rows:
        own = (row["study"], row["experiment"], row["arm"])
        shared = (row["origin_experiment"], row["origin_arm"])
        name = _group(*(own[1:] if row["origin_arm"] is None else shared))
        named[own] = min(named.get(own, name), name)
    return named


def _group(experiment: str, arm: str) -> str:
    return joined((experiment, arm), "/")


def _measured(rows: pd.DataFrame, of_arms: pd.DataFrame) -> tuple[list[int], list[int]]:
    """Places among measured arms of both arms of each contrast; -1 for one put together from several."""
    place = {f"{number:.0f}": i for i, number in enumerate(of_arms["measurement_id"].astype(float).tolist())}
    arms = cells(of_arms["arm"])
    found: tuple[list[int], list[int]] = [], []
    ids = cells(rows["measurement_ids"]) if "measurement_ids" in rows else [""] * len(rows)
    for text, *names in zip(ids, cells(rows["arm_a"]), cells(rows["arm_b"]), strict=True):
        items = [place.get(item.strip()) for item in text.split(",")] if isinstance(text, str) else []
        known = [item for item in items if item is not None]
        by_arm = {arms[item]: item for item in known} if len(known) == 2 else {}
        for side, name in zip(found, names, strict=True):
            side.append(by_arm.get(name, -1))
    return found


def _reported(db: EvidenceBase, rows: pd.DataFrame) -> list[Any]:
    """Find the row of the review folder where a contrast was reported as such."""
    if "reported_contrast_id" in rows:
        return list(rows["reported_contrast_id"])
    if not rows["measurement_ids"].isna().any():
        return [None] * len(rows)
    known = as_reported(db)
    return [known.get(name) for name in cells(rows["contrast_id"])]
