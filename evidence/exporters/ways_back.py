"""What of an export comes back equal, and by which command: the matrix of formats and content.

``docs/formats.md`` prints it; ``tests/analysis/test_ways_back.py`` exports a review of hostile names in every
format, reads it back, and holds each entry to what it finds, in both directions.
"""

from __future__ import annotations

from dataclasses import dataclass

CONTENT = {
    "studies": "names of studies, whatever letters they have",
    "treatments": "names of treatments, whatever letters they have",
    "n": "animals or participants of each arm",
    "events": "events of each arm",
    "means": "mean and SD of each arm",
    "effects": "effects and their standard errors, to twelve digits, those of studies of several arms too",
    "times": "time points",
    "rest": "statistics as reported, characteristics, risk of bias, records, searches, the plan",
}
"""What a review holds, by a short name."""

_ARMS = ("studies", "treatments", "n", "events", "means", "effects")


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
    """

    command: str
    equal: tuple[str, ...]
    file: str = ""


WAYS_BACK = {
    "review": WayBack("evidence build review", tuple(CONTENT), "review"),
    "duckdb": WayBack("evidence sql evidence.duckdb", tuple(CONTENT), "evidence.duckdb"),
    "ro-crate": WayBack("evidence build ro-crate/review", tuple(CONTENT), "ro-crate/review"),
    "csv": WayBack(
        "evidence import arms views/measurement_standard.csv", (*_ARMS, "times"),
        "../views/measurement_standard.csv",
    ),
    "metafor": WayBack("evidence import arms metafor/NAME-arms.csv", _ARMS, "{name}-arms.csv"),
    "netmeta": WayBack(
        "evidence import arms netmeta/NAME.csv", ("studies", "treatments", "effects"), "{name}.csv"
    ),
    "gemtc": WayBack("evidence import gemtc gemtc/NAME.json", _ARMS, "{name}.json"),
    "multinma": WayBack("evidence import arms multinma/NAME.csv", _ARMS, "{name}.csv"),
    "cinema": WayBack("evidence import arms cinema/NAME.csv", _ARMS, "{name}.csv"),
    "metainsight": WayBack("evidence import arms metainsight/NAME.csv", _ARMS, "{name}.csv"),
    "stata": WayBack("evidence import arms stata/NAME.dta", _ARMS, "{name}.dta"),
    "jags": WayBack("evidence import bugs jags/NAME.data.R, with the names of its code-book", _ARMS,
                    "{name}.data.R"),
    "bugs": WayBack("evidence import bugs bugs/NAME.data.txt, with the names of its code-book", _ARMS,
                    "{name}.data.txt"),
}  # fmt: skip
"""Formats whose numbers can be read back. Of contrasts without arms, those that netmeta's table holds."""

PARTS = {
    "revman": "evidence import revman: pairs of arms at one time point, with RevMan's own results",
    "robvis": "evidence import robvis: the judgements that count",
    "prisma2020": "evidence import prisma: the boxes of the flow diagram",
    "ris": "evidence import ris: records without their duplicates",
    "bibtex": "evidence import bibtex: records without their duplicates",
}
"""Formats of one part of a review, and what comes back of it."""
