"""Files of RevMan 5 (``.rm5``): analyses, risk of bias, characteristics, references, footnotes."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from evidence.errors import Problem, ReviewError
from evidence.importers.references.identifiers import normal_doi
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
from evidence.importers.sources import read_xml
from evidence.system.bounds import unreadable

_KINDS = {"DICH": "dichotomous", "CONT": "continuous", "IV": "contrast", "IPD": "o-e", "OTHER": "other"}
_ANSWERS = {"YES": "low", "NO": "high", "UNKNOWN": "unclear"}
_REPORT = {"AU": "authors", "TI": "title", "SO": "journal", "YR": "year"}


def read_rm5(file: Path) -> Content:
    """Read a file of RevMan 5.

    Raises
    ------
    ReviewError
        If it is damaged, names studies that it does not list, or holds no analysis.
    """
    root = read_xml(file)
    if root.tag != "COCHRANE_REVIEW":
        raise unreadable(file, f"begins with {root.tag}, not COCHRANE_REVIEW", "export it from RevMan 5")
    names = {
        study.get("ID", ""): (study.get("NAME") or study.get("ID", ""), study.get("YEAR", ""))
        for study in root.iter("STUDY")
    }
    problems: list[Problem] = []
    analyses = []
    for comparison in root.iter("COMPARISON"):
        for element in comparison:
            start, _, end = element.tag.partition("_")
            if start in _KINDS and end == "OUTCOME":
                rows = tuple(_rows(file, element, start, names, problems))
                analyses.append(_analysis(comparison, element, _KINDS[start], rows))
    if problems:
        raise ReviewError(f"{file.name} cannot be imported.", problems)
    if not analyses:
        raise unreadable(file, "holds no analysis", "export a review of interventions with its analyses")
    footnotes = [_text(note) for note in root.iter("FOOTNOTES") if _text(note)]
    said = f"{file.name} (RevMan 5)" + (f". Footnotes: {' / '.join(footnotes)}" if footnotes else "")
    notes = [
        f"the table of findings {_text(table.find('TITLE')) or table.get('ID', '')!r} is not kept: a review"
        " folder has no place for its words and grades, and its numbers follow from the analyses"
        for table in root.iter("SOF_TABLE")
    ]
    return Content(
        analyses,
        list(_judgements(root, names)),
        _studies(root),
        list(_listed(root)),
        title=_text(root.find("COVER_SHEET/TITLE")),
        source=said,
        notes=notes,
    )


def _text(element: Any) -> str:
    return " ".join(" ".join(element.itertext()).split()) if element is not None else ""


def _rows(
    file: Path,
    outcome: Any,
    start: str,
    studies: dict[str, tuple[str, str]],
    problems: list[Problem],
) -> Iterable[StudyRow]:
    groups = [("", outcome), *((_name(g), g) for g in outcome.findall(f"{start}_SUBGROUP"))]
    for subgroup, group in groups:
        for position, data in enumerate(group.findall(f"{start}_DATA"), 1):
            study = data.get("STUDY_ID", "")
            if study not in studies:
                what = f"{outcome.get('ID')}: unknown study {study!r}"
                problems.append(Problem(what, "list it among the studies of the review", file.name))
                continue
            cells = {
                key: data.get(name)
                for name, key in STATISTICS.items()
                if data.get(name) and not (name == "SE" and start != "IV")
            }
            place = ", ".join(p for p in (outcome.get("ID", ""), subgroup, f"row {position}") if p)
            yield StudyRow(*studies[study], subgroup, cells, place, _text(data.find("FOOTNOTE")))


def _analysis(comparison: Any, outcome: Any, kind: str, rows: tuple[StudyRow, ...]) -> Analysis:
    measure = outcome.get("EFFECT_MEASURE", "").replace("_", " ")
    pooled = outcome.get("TOTALS", "YES") == "YES" and outcome.get("ESTIMABLE", "YES") == "YES"
    return Analysis(
        number=f"{comparison.get('NO', '')}.{outcome.get('NO', '')}",
        name=_name(outcome),
        group=_name(comparison),
        kind=kind,
        measure=measure_named(measure),
        method=method_of(outcome.get("METHOD", ""), measure),
        model="random" if outcome.get("RANDOM") == "YES" else "common",
        tau2="DL",
        ci="Wald",
        experimental=(outcome.findtext("GROUP_LABEL_1") or "").strip(),
        control=(outcome.findtext("GROUP_LABEL_2") or "").strip(),
        swapped=outcome.get("SWAP_EVENTS") == "YES",
        estimate=number(outcome.get("EFFECT_SIZE")) if pooled else None,
        ci_lower=number(outcome.get("CI_START")) if pooled else None,
        ci_upper=number(outcome.get("CI_END")) if pooled else None,
        rows=rows,
    )


def _name(element: Any) -> str:
    return _text(element.find("NAME"))


def _judgements(root: Any, studies: dict[str, tuple[str, str]]) -> Iterable[Judgement]:
    for item in root.iter("QUALITY_ITEM"):
        groups = {group.get("ID"): _name(group) for group in item.iter("QUALITY_ITEM_DATA_ENTRY_GROUP")}
        for entry in item.iter("QUALITY_ITEM_DATA_ENTRY"):
            # An item judged for all outcomes at once is judged for none in particular.
            group = groups.get(entry.get("GROUP_ID"), "") if len(groups) > 1 else ""
            study = studies.get(entry.get("STUDY_ID", ""), (entry.get("STUDY_ID", ""), ""))[0]
            answer = _ANSWERS.get(entry.get("RESULT", ""), entry.get("RESULT", ""))
            yield Judgement(study, _name(item), group, answer, _text(entry.find("DESCRIPTION")))


def _studies(root: Any) -> list[StudyInfo]:
    texts: dict[str, dict[str, str]] = {}
    for character in root.iter("INCLUDED_CHAR"):
        texts[character.get("STUDY_ID", "")] = {
            part.tag.removeprefix("CHAR_").lower(): _text(part)
            for part in character
            if part.tag.startswith(("CHAR_", "USER_DEF")) and _text(part)
        }
    found = []
    included = root.find("STUDIES_AND_REFERENCES/STUDIES/INCLUDED_STUDIES")
    for study in included if included is not None else ():
        name = study.get("NAME") or study.get("ID", "")
        reports = [_report(reference) for reference in study.findall("REFERENCE")]
        about = texts.get(study.get("ID", ""), {})
        found.append(StudyInfo(name, study.get("YEAR", ""), about, [report for report in reports if report]))
    return found


def _listed(root: Any) -> Iterable[Listed]:
    for name, (decision, otherwise) in LISTS.items():
        reasons = {
            entry.get("STUDY_ID", ""): _text(entry.find("CHAR_REASON_FOR_EXCLUSION"))
            for entry in root.iter(f"{name.upper()}_CHAR")
        }
        for study in root.findall(f"STUDIES_AND_REFERENCES/STUDIES/{name.upper()}_STUDIES/STUDY"):
            reports = [_report(reference) for reference in study.findall("REFERENCE")]
            reason = reasons.get(study.get("ID", ""), "") or otherwise
            yield Listed(study.get("NAME") or study.get("ID", ""), decision, reason, reports)


def _report(reference: Any) -> dict[str, str]:
    row = {column: _text(reference.find(tag)) for tag, column in _REPORT.items()}
    for identifier in reference.iter("IDENTIFIER"):
        kind, value = identifier.get("TYPE", ""), identifier.get("VALUE", "")
        if kind == "DOI":
            row["doi"] = normal_doi(value)
        elif kind in ("PUBMED", "MEDLINE"):
            digits = value.removeprefix("PMID:").strip()
            row["pmid"] = digits if digits.isdigit() else ""
    row["year"] = row["year"] if row["year"].isdigit() else ""
    return {column: value for column, value in row.items() if value}
