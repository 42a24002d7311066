"""Data packages of RevMan Web: the ZIP as downloaded, or the data package within it."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterable
from pathlib import Path

from evidence.folder.column_names import plain
from evidence.importers.references.reference import RIS, Tally, record_of
from evidence.importers.references.tagged import read_ris
from evidence.importers.revman.model import (
    LISTS,
    STATISTICS,
    Analysis,
    Content,
    Judgement,
    Listed,
    StudyInfo,
    StudyRow,
    measure_named,
    method_of,
    number,
)
from evidence.importers.sources import decode, inside, read_archive
from evidence.importers.table import Table, table_of
from evidence.system.bounds import check_members, parsing, unreadable
from evidence.system.files import scratch

_KINDS = {"dichotomous": "dichotomous", "continuous": "continuous", "oeandvariance": "o-e"}
_REASON = "reason_for_exclusion"
_UNJUDGED = frozenset(("", "notapplicable", "na"))


def read_package(file: Path, encoding: str | None = None) -> Content:
    """Read the data package of a review.

    Raises
    ------
    ReviewError
        If the archive is hostile or damaged, or holds no analyses of interventions.
    """
    members = _data(file, read_archive(file))
    tables = {}
    for ending in ("-data-rows.csv", "-overall-estimates-and-settings.csv"):
        names = [name for name in members if name.endswith(ending)]
        if len(names) != 1:
            raise unreadable(
                file,
                f"holds {len(names) or 'no'} files ...{ending}",
                "give the data package of one review of interventions, as downloaded",
            )
        tables[ending] = _member(file, names[0], members[names[0]], encoding)
    rows: dict[str, list[StudyRow]] = {}
    for place, row in dictionaries(tables["-data-rows.csv"]):
        rows.setdefault(_number(row), []).append(
            StudyRow(
                row.get("Study", ""),
                row.get("Study year", ""),
                row.get("Subgroup", ""),
                {key: row[name] for name, key in STATISTICS.items() if row.get(name)},
                place,
                row.get("Footnotes", ""),
            )
        )
    analyses = [
        _analysis(row, tuple(rows.get(_number(row), ())))
        for _, row in dictionaries(tables["-overall-estimates-and-settings.csv"])
        if _number(row) != "."
    ]
    judgements, studies = [], []
    for name, raw in members.items():
        if name.endswith("-risk-of-bias.csv"):
            judgements += _judgements(_member(file, name, raw, encoding))
        elif name.endswith("-study-information.csv"):
            studies += _studies(_member(file, name, raw, encoding))
    by_name = {study.name: study for study in studies}
    for study, report in _publications(file, members, "included", encoding):
        if study in by_name:
            by_name[study].reports.append(report)
    listed = _listed(file, members, studies, encoding)
    source = f"{file.name} (RevMan Web)"
    included = [study for study in studies if not study.texts.get(_REASON)]
    return Content(analyses, judgements, included, listed, source=source)


def _data(file: Path, members: dict[str, bytes]) -> dict[str, bytes]:
    """Give the files of the data package: what is downloaded holds it as an archive within the archive."""
    if any(name.endswith("-data-rows.csv") for name in members):
        return members
    inner = [name for name in members if name.lower().endswith(".zip")]
    packages = []
    for name in inner:
        with scratch() as folder:
            copy = folder / "inner.zip"
            copy.write_bytes(members[name])
            with parsing(inside(file, name), "a readable ZIP archive"), zipfile.ZipFile(copy) as archive:
                check_members(inside(file, name), archive)
            found = read_archive(copy)
        if any(member.endswith("-data-rows.csv") for member in found):
            packages.append(found)
    if len(packages) > 1:
        raise unreadable(file, f"holds {len(packages)} data packages", "give one of them at a time")
    return packages[0] if packages else members


def _member(file: Path, name: str, raw: bytes, encoding: str | None) -> Table:
    member = inside(file, name)
    text, _ = decode(member, raw, encoding)
    return table_of(member, text)


def dictionaries(table: Table) -> list[tuple[str, dict[str, str]]]:
    """Rows by column, with their place; a column that the tool writes twice keeps its first value."""
    return [
        (f"{table.name} line {line}", dict(reversed(list(zip(table.header, cells)))))
        for line, cells in table.rows
    ]


def _number(row: dict[str, str]) -> str:
    return f"{row.get('Analysis group', '')}.{row.get('Analysis number', '')}"


def _analysis(row: dict[str, str], rows: tuple[StudyRow, ...]) -> Analysis:
    measure = row.get("Effect measure", "")
    unpooled = row.get("Overall estimates", "").lower() in ("false", "no")
    estimate = None if unpooled else number(row.get("Mean"))
    low, high = number(row.get("CI start")), number(row.get("CI end"))
    if estimate is not None and estimate == low == high == 0:
        # RevMan writes noughts for what it has not computed.
        estimate = None
    return Analysis(
        number=_number(row),
        name=row.get("Analysis name", ""),
        group=row.get("Analysis group name", ""),
        kind=_KINDS.get(plain(row.get("Data type", "")), "contrast"),
        measure=measure_named(measure),
        method=method_of(row.get("Statistical method", ""), measure),
        model="random" if row.get("Analysis model", "").lower().startswith("random") else "common",
        tau2="REML" if "reml" in plain(row.get("Heterogeneity estimator", "")) else "DL",
        ci="HK" if "hksj" in plain(row.get("CI method", "")) else "Wald",
        experimental=row.get("Experimental group label") or row.get("Experimental intervention", ""),
        control=row.get("Control group label") or row.get("Control intervention", ""),
        swapped=row.get("Swap event and non-event", "").lower() in ("true", "yes"),
        estimate=estimate,
        ci_lower=low if estimate is not None else None,
        ci_upper=high if estimate is not None else None,
        rows=rows,
    )


def _judgements(table: Table) -> list[Judgement]:
    found = []
    for _, row in dictionaries(table):
        for column, answer in row.items():
            kind, colon, words = column.partition(":")
            if plain(kind) != "domainjudgement" or not colon or plain(answer) in _UNJUDGED:
                continue
            item, _, group = words.strip().partition(":")
            support = row.get(f"Domain (support):{words}", "")
            group = "" if plain(group) == "alloutcomes" else group.strip()
            found.append(Judgement(row.get("Study", ""), item.strip(), group, answer, support))
    return found


def _studies(table: Table) -> list[StudyInfo]:
    found = []
    for _, row in dictionaries(table):
        texts = {
            column.split(":", 1)[1].strip().lower().replace(" ", "_"): cell
            for column, cell in row.items()
            if column.startswith("Char:") and cell
        }
        found.append(StudyInfo(row.get("Study", ""), row.get("Year", ""), texts))
    return found


def _publications(
    file: Path, members: dict[str, bytes], which: str, encoding: str | None
) -> Iterable[tuple[str, dict[str, str]]]:
    """Study and publication, of those that the package has as RIS; tag NS says which study each is of."""
    for name, raw in members.items():
        if not re.search(rf"-{which}[\w-]*\.ris$", name) or not raw.strip():
            continue
        member = inside(file, name)
        for reference in read_ris(member, decode(member, raw, encoding)[0])[0]:
            row = record_of(reference, RIS, Tally())
            if row["title"] or row["doi"] or row["pmid"]:
                names = ("doi", "pmid", "title", "authors", "journal", "year")
                yield reference.first("NS"), {column: row[column] for column in names if row[column]}


def _listed(
    file: Path, members: dict[str, bytes], studies: Iterable[StudyInfo], encoding: str | None
) -> list[Listed]:
    """Studies not included, by the publications and characteristics that say so."""
    reasons = {study.name: study.texts[_REASON] for study in studies if study.texts.get(_REASON)}
    found = []
    for which, (decision, otherwise) in LISTS.items():
        reports: dict[str, list[dict[str, str]]] = {}
        for study, report in _publications(file, members, which, encoding):
            reports.setdefault(study or report.get("title", ""), []).append(report)
        if which == "excluded":
            reports |= {study: [] for study in reasons if study not in reports}
        found += [
            Listed(study, decision, reasons.get(study, otherwise), publications)
            for study, publications in reports.items()
        ]
    return found
