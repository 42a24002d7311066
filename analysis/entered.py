"""What entered a run, as rows of ``result_contrast``: every count and figure of the run follows from them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.described import Described, group_name
from analysis.results import COLUMNS, frame
from evidence.system.frames import cells, plain, records

if TYPE_CHECKING:
    import pandas as pd

    from analysis.network.data.network import Network
    from analysis.pairwise import PairwiseFit

_STATISTICS = ("mean", "sd", "events", "exposure")


def of_pairwise(
    fit: PairwiseFit, variables: Sequence[str] = (), reported: Mapping[str, int] | None = None
) -> pd.DataFrame:
    """Contrasts of a pairwise run, treatment minus comparator, each with its level of the subgroup.

    Parameters
    ----------
    fit : PairwiseFit
    variables : sequence of str
        Further variables that were used (moderators): kept as JSON.
    reported : mapping of str to int, optional
        Row of the review folder of each contrast that was reported as such.

    Returns
    -------
    DataFrame
        With the columns of ``result_contrast`` but run_id; of a class of treatments each has its member.
    """
    rows = pairwise_rows(fit)
    if variables:
        values = {name: list(fit.variable(name)) for name in dict.fromkeys(variables)}
        rows["variables"] = [
            json.dumps({name: plain(column[place]) for name, column in values.items()}, ensure_ascii=False)
            for place in range(len(rows))
        ]
    return rows.assign(reported_contrast_id=_reported(rows, reported or {}))


def of_network(net: Network, reported: Mapping[str, int] | None = None) -> pd.DataFrame:
    """Contrasts of a network run, effect and standard error as analysed (for SMD d or g as asked).

    Parameters
    ----------
    net : Network
    reported : mapping of str to int, optional
        As in `of_pairwise`.

    Returns
    -------
    DataFrame
        With the columns of ``result_contrast`` but run_id: every pair of arms within a study.
    """
    rows = network_rows(net)
    return (
        rows
        if net.contrasts is None
        else rows.assign(reported_contrast_id=_reported(net.contrasts, reported or {}))
    )


def pairwise_rows(fit: PairwiseFit) -> pd.DataFrame:
    """Contrasts of a pairwise fit as `of_pairwise` has them, of what the fit itself knows."""
    from analysis.pairwise.subgroups import level_name

    contrasts = fit.assembly.contrasts
    members = contrasts.variables.get("treatment")
    rows = contrasts.frame.assign(
        treatment_a=contrasts.treatment if members is None else list(members), treatment_b=contrasts.versus
    )
    if fit.options.by is not None:
        rows["level"] = list(fit.variable(fit.options.by).map(level_name))
    return _with_arms(rows, contrasts.measured, contrasts.review)


def network_rows(net: Network) -> pd.DataFrame:
    """Contrasts of a network as `of_network` has them, of what the network itself knows."""
    if net.contrasts is None:
        return frame("contrasts")
    return _with_arms(net.contrasts.copy(), net.measured, net.review)


def _with_arms(rows: pd.DataFrame, of_arms: pd.DataFrame | None, review: Described) -> pd.DataFrame:
    """Add what is known of both arms, and keep the columns of the table."""
    unit = cells(rows["study"]), cells(rows["experiment"])
    places = ([-1] * len(rows),) * 2 if of_arms is None else _measured(rows, of_arms)
    for side, place in zip("ab", places, strict=True):
        keys = zip(*unit, cells(rows[f"arm_{side}"]), strict=True)
        rows[f"animals_{side}"] = [review.group.get(key) or group_name(key[1], key[2]) for key in keys]
        if of_arms is None:
            continue
        for name in _STATISTICS:
            values = of_arms[name].to_numpy(dtype=float)
            found = np.append(values, np.nan)[place]
            rows[f"{name}_{side}"] = found if np.isfinite(found).any() else None
    return rows.reindex(columns=list(COLUMNS["contrasts"]))


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


def _reported(rows: pd.DataFrame, known: Mapping[str, int]) -> list[Any]:
    """Find the row of the review folder where a contrast was reported as such."""
    if "reported_contrast_id" in rows:
        return list(rows["reported_contrast_id"])
    return [known.get(name) for name in cells(rows["contrast_id"])]


Rows = list[dict[str, Any]]


def counts(contrasts: pd.DataFrame) -> tuple[Rows, Rows]:
    """Count what entered by treatment and by comparison, as the views ``run_node`` and ``run_edge`` do.

    For runs that are not stored: of those that are, the views are to be read.
    """
    rows = records(contrasts)
    arms: dict[tuple[str, str], dict[str, str]] = {}
    for row in rows:
        found = arms.setdefault((row["study"], row["experiment"]), {})
        found |= {row[f"arm_{side}"]: row[f"treatment_{side}"] for side in "ab"}
    several = {unit for unit, found in arms.items() if len(set(found.values())) > 2}
    nodes, edges = _Tally(several), _Tally(several)
    for row in rows:
        for side in "ab":
            nodes.add((row[f"treatment_{side}"],), row, side)
            edges.add((row["treatment_a"], row["treatment_b"]), row, side)
    of_nodes = [{"treatment": key[0], **found} for key, found in nodes.counted()]
    several_of = Counter((row["treatment_a"], row["treatment_b"]) for row in rows)
    of_edges = []
    for (a, b), found in edges.counted():
        del found["n_unknown"]
        of_edges.append({"treatment_a": a, "treatment_b": b, **found, "n_contrasts": several_of[a, b]})
    return sorted(of_nodes, key=lambda row: -row["n_studies"]), of_edges


class _Tally:
    """Arms, studies and participants by some key."""

    def __init__(self, several: set[tuple[str, str]]) -> None:
        self.several = several
        self.arms: dict[tuple[str, ...], dict[tuple[str, str, str], float | None]] = {}
        self.groups: dict[tuple[str, ...], dict[tuple[str, str], float | None]] = {}

    def add(self, key: tuple[str, ...], row: Mapping[str, Any], side: str) -> None:
        """Take an arm of a contrast."""
        n = row[f"n_{side}"]
        for found, member in (
            (self.arms, (row["study"], row["experiment"], row[f"arm_{side}"])),
            (self.groups, (row["study"], row[f"animals_{side}"])),
        ):
            known: dict[Any, float | None] = found.setdefault(key, {})  # type: ignore[assignment]
            before = known.get(member)
            known[member] = before if n is None else n if before is None else max(before, n)

    def counted(self) -> Iterator[tuple[tuple[str, ...], dict[str, Any]]]:
        """Give the counts of each key, in the order of keys."""
        for key, arms in sorted(self.arms.items()):
            known = [n for n in self.groups[key].values() if n is not None]
            yield (
                key,
                {
                    "n_studies": len({study for study, _, _ in arms}),
                    "n_arms": len(arms),
                    "n_participants": sum(known) if known else None,
                    "n_unknown": sum(n is None for n in arms.values()),
                    "n_multi_arm": len({arm[:2] for arm in arms} & self.several),
                },
            )
