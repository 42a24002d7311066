"""What of an export comes back equal, and by which command: the matrix of formats and content.

``docs/formats.md`` prints it; ``tests/analysis/test_ways_back.py`` exports a review of hostile names in every
format, reads it back, and holds each entry to what it finds, in both directions. What a format does not hold
of the review at hand, `lost` says by name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from evidence.exporters import LOSSES

if TYPE_CHECKING:
    from evidence.selection import Selection


class Content(NamedTuple):
    """Something that a review may hold.

    Attributes
    ----------
    said : str
        What it is.
    there : str
        Query whose column ``name`` says what the review at hand has of it; no row where it has none.
    """

    said: str
    there: str


_PRINTED = ("median", "q1", "q3", "min", "max", "ci_lower", "ci_upper")
_WORDS = {
    "searches": "search", "records": "record", "decisions": "screening", "boxes of the flow": "flow",
}  # fmt: skip
_OF_PLAN = {
    "analyses": "plan", "published estimates": "published_estimate", "published counts": "published_count",
    "claims": "claim",
}  # fmt: skip


def _filled(table: str, columns: Sequence[str]) -> str:
    return " union all ".join(
        f"select '{column.replace('_', ' ')}' as name "
        f"where exists(select 1 from {table} where {column} is not null)"
        for column in columns
    )


def _counted(tables: Mapping[str, str]) -> str:
    return (
        " union all ".join(
            f"select count(*) || ' {word}' as name from {table} having count(*) > 0"
            for word, table in tables.items()
        )
        + " order by all"
    )


def _names(what: str, of: str) -> str:
    return f"select distinct {what} as name from {of} order by all"


_ANALYSIS = "outcome || ' by ' || measure"
_TIME = "timepoint || ' ' || timepoint_unit"
_EVERY_TIME = " union ".join(
    f"select outcome, timepoint, timepoint_unit from {view}"
    for view in ("measurement_standard", "reported_contrast_standard")
)

CONTENT = {
    "studies": Content("names of studies, whatever letters they have", _names("study", "study")),
    "treatments": Content(
        "names of treatments, whatever letters they have", _names("treatment", "treatment")
    ),
    "n": Content(
        "animals or participants of each arm",
        _names("outcome", "measurement_standard where n is not null and kind <> 'rate'"),
    ),
    "events": Content("events of each arm", _names("outcome", "measurement_standard where kind = 'binary'")),
    "rates": Content(
        "events and time at risk of each arm", _names("outcome", "measurement_standard where kind = 'rate'")
    ),
    "means": Content(
        "mean and SD of each arm", _names("outcome", "measurement_standard where kind = 'continuous'")
    ),
    "effects": Content(
        "effects of arms and their standard errors, to twelve digits, those of studies of several arms too",
        _names(_ANALYSIS, "contrast where origin = 'arms'"),
    ),
    "contrasts": Content(
        "effects reported without arms and their standard errors (logarithms of ratios), to twelve digits",
        _names(_ANALYSIS, "contrast where origin = 'reported'"),
    ),
    "covariances": Content(
        "covariances of effects reported without arms that share one",
        _names(
            _ANALYSIS,
            "contrast_covariance "
            "where contrast_1 in (select contrast_id from contrast where origin = 'reported')",
        ),
    ),
    "experiments": Content(
        "experiments of one study kept apart within it",
        _names("study", "arm group by study having count(distinct experiment) > 1"),
    ),
    "times": Content(
        "several time points of an outcome",
        f"select outcome || ': ' || string_agg({_TIME}, ', ' order by timepoint) as name "
        f"from ({_EVERY_TIME}) group by outcome having count(distinct timepoint) > 1 order by all",
    ),
    "of_studies": Content("variables of studies", _names("variable", "study_variable")),
    "of_arms": Content("variables of arms", _names("variable", "arm_variable")),
    "of_effects": Content(
        "variables of measurements and of reported effects",
        "select characteristic as name from measurement_characteristic "
        "union select characteristic from contrast_characteristic order by all",
    ),
    "printed": Content(
        "statistics as they were printed",
        f"{_filled('measurement', _PRINTED)} union all "
        + _names(f"{_ANALYSIS} || ' as a ratio'", "reported_contrast where scale = 'natural'"),
    ),
    "sources": Content(
        "source, page and reader of each number",
        " union ".join(
            _filled(table, ("source", "locator")) for table in ("measurement", "reported_contrast")
        )
        + " order by all",
    ),
    "risk_of_bias": Content("risk of bias by item", _names("tool", "rob_judgement")),
    "records": Content("searches, records, decisions and the flow", _counted(_WORDS)),
    "plan": Content("the plan, published numbers and claims", _counted(_OF_PLAN)),
}
"""What a review holds, by a short name."""

_ARMS = ("studies", "treatments", "n", "events", "rates", "means", "effects")
_CONTRASTS = ("contrasts", "covariances")


@dataclass(frozen=True)
class WayBack:
    """How an export is read back.

    Attributes
    ----------
    command : str
        What reads it.
    equal : tuple of str
        Keys of `CONTENT` that come back equal.
    file : str
        Of the format's folder, with {name} for outcome and measure.
    contrasts : str
        What reads an outcome whose effects were reported without arms, where that is another command.
    contrasts_file : str
        Its file, if that is another one.
    holds : tuple of str
        Keys of `CONTENT` that stand in the format's files, although no command reads them from there.
    """

    command: str
    equal: tuple[str, ...]
    file: str = ""
    contrasts: str = ""
    contrasts_file: str = ""
    holds: tuple[str, ...] = field(default=())

    def lacks(self) -> list[str]:
        """Keys of content that the format has no place for."""
        return [name for name in CONTENT if name not in self.equal and name not in self.holds]


_ALL = tuple(CONTENT)
_NO_RATES = tuple(name for name in _ARMS if name != "rates")
_MEASURED = "the same with --measure M"
WAYS_BACK = {
    "review": WayBack("evidence build review", _ALL, "review"),
    "duckdb": WayBack("evidence sql evidence.duckdb", _ALL, "evidence.duckdb"),
    "ro-crate": WayBack("evidence build ro-crate/review", _ALL, "ro-crate/review"),
    "csv": WayBack(
        "evidence import arms views/measurement_standard.csv",
        (*_ARMS, *_CONTRASTS, "experiments", "times"),
        "../views/measurement_standard.csv",
        "evidence import arms views/reported_contrast_standard.csv --measure M --rows \"measure = 'M'\" "
        "--map variance_base=var_base --map treatment_a=arm_a --map treatment_b=arm_b --map arm_a= --map "
        "arm_b=; for ratios --scale log",
        "../views/reported_contrast_standard.csv",
        _ALL,
    ),
    "metafor": WayBack(
        "evidence import arms metafor/NAME.csv",
        (*_ARMS, "contrasts", "experiments", "of_studies"),
        "{name}.csv",
        _MEASURED,
        holds=("covariances", "of_arms", "of_effects"),
    ),
    "netmeta": WayBack(
        "evidence import arms netmeta/NAME.csv --measure M",
        ("studies", "treatments", "effects", *_CONTRASTS),
        "{name}.csv",
        holds=("n",),
    ),
    "gemtc": WayBack(
        "evidence import gemtc gemtc/NAME.json", (*_ARMS, *_CONTRASTS), "{name}.json", _MEASURED
    ),
    "multinma": WayBack(
        "evidence import arms multinma/NAME.csv", (*_ARMS, *_CONTRASTS), "{name}.csv", _MEASURED
    ),
    "cinema": WayBack(
        "evidence import arms cinema/NAME.csv, rates with --measure IRR",
        (*_NO_RATES, *_CONTRASTS),
        "{name}.csv",
        _MEASURED,
    ),
    "metainsight": WayBack(
        "evidence import arms metainsight/NAME.csv", _NO_RATES, "{name}.csv"
    ),
    "stata": WayBack(
        "evidence import arms stata/NAME.dta", (*_ARMS, *_CONTRASTS), "{name}.dta", _MEASURED
    ),
    "jags": WayBack(
        "evidence import bugs jags/NAME.data.R, with the names of its code-book", _ARMS, "{name}.data.R",
        holds=_CONTRASTS,
    ),
    "bugs": WayBack(
        "evidence import bugs bugs/NAME.data.txt, with the names of its code-book", _ARMS, "{name}.data.txt",
        holds=_CONTRASTS,
    ),
}  # fmt: skip
"""Formats whose numbers can be read back."""

PARTS = {
    "revman": "evidence import revman: pairs of arms at one time point, with RevMan's own results",
    "robvis": "evidence import robvis: the judgements that count",
    "prisma2020": "evidence import prisma: the boxes of the flow diagram",
    "ris": "evidence import ris: records without their duplicates",
    "bibtex": "evidence import bibtex: records without their duplicates",
}
"""Formats of one part of a review, and what comes back of it."""

_LACKED = {
    **{name: way.lacks() for name, way in WAYS_BACK.items()},
    "revman": [
        "rates", "covariances", "times", "of_studies", "of_arms", "of_effects", "printed", "sources",
        "records", "plan",
    ],
}  # fmt: skip
_KEPT = {("revman", "year")}
"""Names of content that a format holds, although it has no place for the others of their kind."""
_MOST = 6


def lost(selection: Selection, format: str) -> list[str]:
    """Say by name what a format has no place for of what is exported.

    Parameters
    ----------
    selection : Selection
    format : str
        A format.

    Returns
    -------
    list of str
        Sentences, or none where the format holds all that there is.
    """
    always = [LOSSES[format]] if format in LOSSES else []
    said = []
    for name in _LACKED.get(format, ()):
        content = CONTENT[name]
        names = selection.once(f"names of {name}", partial(_named, selection, content.there))
        there = [one for one in names if (format, one) not in _KEPT]
        if there:
            more = f" and {len(there) - _MOST} more" if len(there) > _MOST else ""
            said.append(f"{content.said} ({', '.join(there[:_MOST])}{more})")
    return always + ([f"does not hold: {'; '.join(said)}"] if said else [])


def _named(selection: Selection, query: str) -> list[str]:
    return [str(row["name"]) for row in selection.db.rows(query)]
