"""The networks to write: one for each outcome and effect measure that the review's plan analyses."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from analysis import network
from analysis.network.data.blocks import arm_blocks
from analysis.network.data.network import ArmBlock, Block, Network
from evidence import facts
from evidence.errors import EvidenceError, RefusedError
from evidence.names import apart, visible
from evidence.query import EvidenceBase
from evidence.question import Question, measured, measures
from evidence.selection import Selection


@dataclass(frozen=True)
class Dataset:
    """One network, and what is wanted to write it down.

    Attributes
    ----------
    name : str
        Name of its files: outcome and measure.
    net : Network
    kind : str
        Kind of the outcome.
    arms : tuple of ArmBlock or None
        Data by arm in step with the network's blocks; None if some study gives contrasts alone.
    tau2 : str
        Estimator of the between-study variance that the plan names.
    tau_prior : str or None
    effect_prior_sd : float or None
        Priors that the plan names.
    seed : int
    rob : dict of str to int
        Overall risk of bias of a study: 1 low, 2 some concerns, 3 high.
    """

    name: str
    net: Network
    kind: str
    arms: tuple[ArmBlock, ...] | None
    tau2: str
    tau_prior: str | None
    effect_prior_sd: float | None
    seed: int
    rob: Mapping[str, int]

    @property
    def by_arm(self) -> bool:
        """Whether a model of the arms estimates the measure asked for."""
        return self.arms is not None and facts.default_measure(self.kind).code == self.net.measure

    def studies(self) -> Iterator[Study]:
        """Give the studies, two-armed ones first, in the order of the network's blocks."""
        for place, block in enumerate(self.net.blocks):
            for row, index in enumerate(block.study):
                yield Study(self, int(index), block, self.arms[place] if self.arms else None, row)


@dataclass(frozen=True)
class Study:
    """One unit of randomisation of a network."""

    dataset: Dataset
    index: int
    block: Block
    arms: ArmBlock | None
    row: int

    @property
    def label(self) -> str:
        """Its printed name."""
        return self.dataset.net.study_label(self.index)

    @property
    def rob(self) -> int | None:
        """Overall risk of bias: 1 low, 2 some concerns, 3 high."""
        return self.dataset.rob.get(self.dataset.net.studies[self.index][0])

    @property
    def numbers(self) -> list[int]:
        """Places of its treatments in the network, the base arm's first."""
        return [int(place) for place in self.block.treatment[self.row]]

    @property
    def treatments(self) -> list[str]:
        """Its treatments, the base arm's first."""
        return [self.dataset.net.treatments[place] for place in self.numbers]

    @property
    def y(self) -> np.ndarray:
        """(k - 1,) effects against the base arm."""
        return self.block.y[self.row]

    @property
    def covariance(self) -> np.ndarray:
        """(k - 1, k - 1) covariance of `y`."""
        return self.block.S[self.row]

    def pairs(self) -> Iterator[tuple[int, int, float, float]]:
        """Give places i < j among its arms, and the effect of i minus j with its standard error."""
        y = np.concatenate([[0.0], self.y])
        gram = np.zeros((len(y), len(y)))
        gram[1:, 1:] = self.covariance
        for i in range(len(y)):
            for j in range(i + 1, len(y)):
                variance = gram[i, i] + gram[j, j] - 2 * gram[i, j]
                yield i, j, float(y[i] - y[j]), float(np.sqrt(variance))

    def value(self, name: str, arm: int) -> float | None:
        """Return events, n, exposure, mean, se or sd of one of its arms; None where it is not known."""
        if self.arms is None:
            return None
        if name == "sd":
            se, n = self.value("se", arm), self.value("n", arm)
            return None if se is None or n is None else se * float(np.sqrt(n))
        values = getattr(self.arms, name)
        found = None if values is None else float(values[self.row, arm])
        return None if found is None or np.isnan(found) else found


def datasets(selection: Selection, format: str) -> list[Dataset]:
    """Read the networks to write, and say what is not in them.

    Raises
    ------
    RefusedError
        If there is none.
    """
    found, losses = selection.once("datasets", lambda: _read(selection))
    selection.lose(format, *losses)
    if not found:
        raise RefusedError(f"There is no network to write as {format}.\n" + "\n".join(losses))
    return found


_ASKED = (
    "measurement_standard", "contrast", "contrast_network", "contrast_covariance", "analysis_contrast",
    "comparison_contrast",
    "exclusion",
)  # fmt: skip


def computed(selection: Selection) -> EvidenceBase:
    """Return the evidence selected, with the views that every analysis asks computed once for all of them."""

    def compute() -> EvidenceBase:
        for view in _ASKED:
            # A temporary table is found before the view of its name.
            selection.db.connection.execute(f"create temp table {view} as from {view}")
        return selection.db

    return selection.once("computed", compute)


def _read(selection: Selection) -> tuple[list[Dataset], list[str]]:
    db = computed(selection)
    found: list[Dataset] = []
    losses: list[str] = []
    taken: set[str] = set()
    rob = risk_of_bias(db)
    for plan in questions(db):
        outcome, measure = plan["outcome"], plan["measure"]
        about = f"{outcome} by {measure}"
        try:
            net = network.load(
                db, outcome, measure, reference=plan["reference"], smd=plan["smd"], **plan["restricted"]
            )
        except EvidenceError as error:
            losses.append(f"{about} is not written: {error.message.splitlines()[0]}")
            continue
        excluded = 0 if net.exclusions is None else len(net.exclusions)
        if excluded:
            losses.append(f"{about}: {excluded} rows that the analysis does not use (see the view exclusion)")
        losses += [f"{about}: {text}" for _, text in net.notes if "combined" in text or "not in the" in text]
        name = apart(file_name(f"{outcome}-{measure}"), taken, *TAILS)
        found.append(dataset_of(db, net, name, plan["kind"], plan, rob))
    return found, losses


def dataset_of(
    db: EvidenceBase, net: Network, name: str, kind: str, plan: Mapping[str, Any], rob: Mapping[str, int]
) -> Dataset:
    """Put a network beside the arms behind it, and what the plan says of it."""
    arms = net.arms
    if arms is None and kind == "continuous":
        arms = _means(db, net)
    return Dataset(
        name,
        net,
        kind,
        arms,
        plan["tau2"],
        plan["tau_prior"],
        plan["effect_prior_sd"],
        plan["seed"],
        rob,
    )


def questions(db: EvidenceBase) -> list[dict[str, Any]]:
    """Return the plan's outcomes and measures, networks first; for other outcomes the usual measure."""
    rows = db.rows(
        """
        select plan.*, outcome.kind as outcome_kind
        from plan inner join outcome on plan.outcome = outcome.outcome
        order by case plan.kind when 'network' then 0 else 1 end, plan.position
        """
    )
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for row in rows:
        asked = Question.of_plan(row)
        # A network is written as its analysis reads it; a pairwise analysis restricts nothing but itself.
        names = () if asked.pairwise else ("timepoint", "where", "treatments", "exclude_high_rob")
        found.setdefault(
            (row["outcome"], row["measure"]),
            {
                **row,
                "kind": row["outcome_kind"],
                "restricted": {name: getattr(asked, name) for name in names},
            },
        )
    usual: dict[str, Any] = {
        "reference": None,
        "restricted": {},
        "smd": "d",
        "tau2": "REML",
        "tau_prior": None,
        "effect_prior_sd": None,
        "seed": 1,
    }
    kinds = {row["outcome"]: row["kind"] for row in db.rows("select outcome, kind from outcome")}
    for outcome, there in measures(db).items():
        if outcome not in {known for known, _ in found}:
            wanted = facts.default_measure(kinds[outcome]).code
            measure = wanted if wanted in there else there[0]
            found[outcome, measure] = {
                **usual, "outcome": outcome, "kind": kinds[outcome], "measure": measure
            }  # fmt: skip
    return list(found.values())


def _means(db: EvidenceBase, net: Network) -> tuple[ArmBlock, ...] | None:
    """Read means and their standard errors for a network of another measure than MD."""
    import pandas as pd

    if net.contrasts is None:
        return None
    arm = measured(db, str(net.outcome))[["study", "experiment", "treatment", "timepoint", "n", "mean", "se"]]
    times = net.contrasts[["study", "experiment", "timepoint"]].drop_duplicates()
    return arm_blocks(net, pd.merge(arm, times, on=["study", "experiment", "timepoint"]))


def risk_of_bias(db: EvidenceBase) -> dict[str, int]:
    """Overall judgement of each study where its tool has one, else the worst item or domain: 1, 2 or 3."""
    return {
        row["study"]: row["level"]
        for row in db.rows(
            """
            select study, least(3, coalesce(max(severity) filter (where overall), max(severity))) as level
            from (
                select study, severity, lower(item) = 'overall' as overall
                from rob_traffic_light where severity is not null
                union all
                select study, max(severity), true from rob_points
                inner join (select tool, count(*) as n from rob_threshold group by tool) as whole using (tool)
                group by study, outcome, tool, n having max(severity) = 3 or count(*) = n
            ) group by study
            """
        )
    }


TAILS = ("{}-codebook", "{}-covariance", "{}-treatments")
"""Files that stand beside those of a data set's name."""


def file_name(text: str) -> str:
    """Make a file's name, without its ending, that any system can hold."""
    return re.sub(r"[^\w.-]+", "-", text).strip("-.")[:100] or "network"


MEANINGS = {
    "study": "study, with its experiment where it has several",
    "treatment": "treatment of the arm",
    "events": "how many had the event",
    "n": "animals or participants of the arm",
    "mean": "mean of the arm, in the outcome's unit",
    "sd": "standard deviation of the arm",
    "se": "standard error of the arm's mean",
    "exposure": "time at risk of the arm",
    "estimate": "effect of the first treatment against the second, on the analysis scale (log for ratios)",
    "std_error": "its standard error",
    "treat1": "first treatment: effects are first minus second",
    "treat2": "second treatment",
    "relative": "effect against the study's base arm, whose own row is NA, on the analysis scale",
    "relative_error": "standard error of that effect; in the base arm's row, of its mean",
    "rob": "overall risk of bias of the study: 1 low, 2 some concerns, 3 high",
    "study_number": "number of the study: no name is read as code",
    "code": "treatment, in letters that Stata takes",
    "n1": "animals or participants of the first treatment",
    "n2": "animals or participants of the second treatment",
}
"""What the columns of the formats hold, by our own word for it."""


def write_rows(path: Path, columns: Sequence[str], rows: Iterable[Sequence[Any]], missing: str = "") -> Path:
    """Write a CSV file; a number keeps all its digits, a missing one is written as asked."""
    path.parent.mkdir(exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows([missing if cell is None else number(cell) for cell in row] for row in rows)
    return path


def plain_ids(treatments: Sequence[str], longest: int | None = None) -> dict[str, str]:
    """Names of letters, digits and underscores, which is what gemtc and Stata take.

    Parameters
    ----------
    treatments : sequence of str
    longest : int, optional
        Letters that a name may have; Stata's network takes 32.
    """
    ids: dict[str, str] = {}
    for name in treatments:
        plain = re.sub(r"[^A-Za-z0-9_]", "_", name)[:longest]
        chosen, number = plain, len(ids) + 1
        while chosen in ids.values():
            tail = f"_{number}"
            chosen = plain[: longest and longest - len(tail)] + tail
            number += 1
        ids[name] = chosen
    return ids


def number(value: Any) -> Any:
    """Write a number with 15 digits, all that a number as typed can have."""
    return f"{value:.15g}" if isinstance(value, float | np.floating) else value


def one_line(text: str) -> str:
    """Write a text into a comment, which ends where a line ends."""
    return " ".join(visible(text).split())


def quoted(text: str) -> str:
    """Write a text as R reads it."""
    return json.dumps(text, ensure_ascii=False)
