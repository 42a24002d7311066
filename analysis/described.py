"""What a review says of what enters an analysis: printed names, order, roles, judgements of bias.

It is read once, beside the contrasts, and goes with a fit: pictures of the fit need no open file.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from evidence.names import joined

if TYPE_CHECKING:
    from evidence.query import EvidenceBase

_ANIMALS = ("mouse", "mice", "rat", "rabbit", "pig", "dog", "monkey", "sheep", "zebrafish")


@dataclass(frozen=True)
class Described:
    """Names and order of what a review holds; empty for a table that came from no review.

    Attributes
    ----------
    outcomes, treatments, studies : mapping of str to str
        Printed names: outcomes and treatments as the review lists them, studies the oldest first.
    roles : mapping of str to str
        Role of each treatment: active, control or sham.
    years, species : mapping of str to value
        Of the studies; None where they are not known.
    judgements : tuple of dict
        Rows of the view ``rob_by_outcome``, of one outcome or of all.
    group : mapping of (study, experiment, arm) to str
        Name of the group of animals of each arm that the review says is one with another arm's.
    arms : tuple of dict
        Rows of `ARMS`.
    synthetic : bool
        Whether the review's data are simulated.
    """

    outcomes: Mapping[str, str] = field(default_factory=dict)
    treatments: Mapping[str, str] = field(default_factory=dict)
    studies: Mapping[str, str] = field(default_factory=dict)
    roles: Mapping[str, str] = field(default_factory=dict)
    years: Mapping[str, Any] = field(default_factory=dict)
    species: Mapping[str, str | None] = field(default_factory=dict)
    judgements: tuple[Mapping[str, Any], ...] = ()
    group: Mapping[tuple[str, str, str], str] = field(default_factory=dict)
    arms: tuple[Mapping[str, Any], ...] = ()
    synthetic: bool = False

    @classmethod
    def read(cls, db: EvidenceBase, outcome: str | None = None) -> Described:
        """Read it from an evidence base, with the judgements that count for an outcome, or for any."""
        treatments = db.kept_rows("select * from treatment order by source_line")
        studies = db.kept_rows(
            "select study, label, year, lower(species) as species from study "
            "order by year nulls last, label, study"
        )
        outcomes = db.kept_rows("select * from outcome order by source_line")
        order = "order by tool, study, position"
        judged = (
            db.kept_rows(f"select * from rob_by_outcome {order}")
            if outcome is None
            else db.kept_rows(f"select * from rob_by_outcome where outcome = ? {order}", [outcome])
        )
        said = db.kept_rows("select bool_or(synthetic) as said from review")
        return cls(
            {row["outcome"]: row["label"] for row in outcomes},
            {row["treatment"]: row["label"] for row in treatments},
            {row["study"]: row["label"] for row in studies},
            {row["treatment"]: row["role"] for row in treatments},
            {row["study"]: row["year"] for row in studies},
            {row["study"]: row["species"] for row in studies},
            tuple(judged),
            _groups(db),
            tuple(db.kept_rows(ARMS)),
            bool(said and said[0]["said"]),
        )

    @property
    def by_year(self) -> list[str]:
        """Studies, the oldest first, as every forest plot and table lists them."""
        return list(self.studies)

    def units(self, studies: Iterable[Any] | None = None) -> str:
        """Say what the units of studies are: animals where every species is one, else participants."""
        chosen = self.species if studies is None else set(studies)
        known = [str(name) for study in chosen if (name := self.species.get(study)) is not None]
        animals = [name for name in known if any(animal in name for animal in _ANIMALS)]
        return "animals" if known and len(animals) == len(known) else "participants"

    def judged(self, studies: Iterable[Any], outcome: str) -> list[Mapping[str, Any]]:
        """Judgements of some studies, as they count for an outcome."""
        entered = set(studies)
        return [row for row in self.judgements if row["study"] in entered and row["outcome"] == outcome]


ARMS = (
    "select arm.study, arm.arm, arm.label, arm.dose, arm.dose_unit, treatment.label as treatment, "
    "count(*) over (partition by arm.study, arm.experiment, arm.treatment) as n, "
    "count(*) over (partition by arm.study, arm.experiment, arm.treatment, arm.dose, arm.dose_unit) "
    "as alike "
    "from arm inner join treatment using (treatment) order by arm.study, arm.experiment, arm.arm"
)
"""Asks for what the names of arms are made of."""

UNDESCRIBED = Described()
"""Of a table that came from no review."""


def _groups(db: EvidenceBase) -> dict[tuple[str, str, str], str]:
    """Name the group of animals of every arm that is one with another: all such arms have one name."""
    rows = db.kept_rows(
        """
        select arm.study, arm.experiment, arm.arm,
            origin.experiment as origin_experiment, origin.arm as origin_arm
        from arm
        inner join arm as origin
            on arm.study = origin.study and origin.shared_control_of is null
            and (
                origin.arm = arm.shared_control_of
                or (origin.experiment = arm.shared_control_of and origin.treatment = arm.treatment)
            )
        where arm.shared_control_of is not null
        """
    )
    named: dict[tuple[str, str, str], str] = {}
    for row in rows:
        own = (row["study"], row["experiment"], row["arm"])
        name = group_name(row["origin_experiment"], row["origin_arm"])
        named[own] = min(named.get(own, name), name)
    return named


def group_name(experiment: str, arm: str) -> str:
    """Name a group of animals by one of its arms."""
    return joined((experiment, arm), "/")
