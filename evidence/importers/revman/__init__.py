"""Reviews made with RevMan: RevMan Web's data package (as downloaded), its study data, RevMan 5's files.

Every analysis becomes an outcome, its two groups the arms of each study, its measure and method a planned
analysis. Risk of bias, characteristics, publications and footnotes come along, and RevMan's own pooled
results, so that ours can be held against them.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Unpack

from evidence import facts
from evidence.errors import Problem
from evidence.folder.column_names import Spellings
from evidence.importers.draft import ColumnMapping, Draft, ImportReport
from evidence.importers.revman.judgements import add_judgements
from evidence.importers.revman.model import (
    STATISTICS,
    Analysis,
    Content,
    Listed,
    StudyInfo,
    StudyRow,
    number,
)
from evidence.importers.revman.package import read_package
from evidence.importers.revman.rm5 import read_rm5
from evidence.importers.revman.tables import (
    SIDES,
    add_study_data,
    is_export,
    is_study_data,
    read_export,
)
from evidence.importers.sources import refuse_unused
from evidence.importers.table import Reading, read_table
from evidence.system.bounds import unreadable

_TABLES = frozenset((".csv", ".tsv", ".xlsx", ".xlsm"))


def read_revman(path: str | Path, **reading: Unpack[Reading]) -> Content:
    """Read the analyses of a review.

    Parameters
    ----------
    path : path
        ``.rm5``, the ZIP archive of a data package (as downloaded, or the one within), or RevMan 5's CSV
        export.
    **reading
        See `import_revman`.

    Returns
    -------
    Content
        Analyses, judgements of risk of bias, and what is said of the studies.

    Raises
    ------
    ReviewError
        If the file is hostile, damaged, or holds no analyses of interventions.
    """
    file = Path(path)
    ending = file.suffix.lower()
    if ending == ".rm5":
        refuse_unused(file, "XML, which says how it is written", **reading)
        return read_rm5(file)
    if ending in _TABLES:
        table = read_table(file, **reading)
        if is_export(table):
            return read_export(table)
        raise unreadable(
            file,
            "is neither an export of RevMan 5's analyses nor study data of RevMan",
            "give columns Study, Arm and Sample size or Cases, or use evidence import arms",
        )
    encoding = reading.pop("encoding", None)
    refuse_unused(file, "an archive of tables of its own", **reading)
    return read_package(file, encoding)


def import_revman(
    file: str | Path,
    into: str | Path,
    *,
    treatment: str | None = None,
    control: str | None = None,
    arms: str | Path | None = None,
    outcome: str | None = None,
    dry_run: bool = False,
    **reading: Unpack[Reading],
) -> tuple[ImportReport, list[Analysis]]:
    """Make or extend a review folder from a review made with RevMan.

    Parameters
    ----------
    file : path
        ``.rm5``, a data package of RevMan Web, RevMan 5's CSV export, or study data of RevMan (CSV or XLSX).
    into : path
        Review folder to make or extend.
    treatment, control : str, optional
        Names of the two groups where the file has none.
    arms : path, optional
        Of study data: RevMan's table of arms, which says what each was given.
    outcome : str, optional
        Of study data that names no outcome.
    dry_run : bool
        Check and report, write nothing.
    **reading
        How tables are opened (`evidence.importers.table.Reading`): sheet, header; encoding of those of an
        archive, too.

    Returns
    -------
    report : ImportReport
    analyses : list of Analysis
        What was read, with RevMan's own pooled results; the names of the groups are those of the folder.

    Raises
    ------
    ReviewError
        If the file cannot be read, or the folder would have errors.
    """
    path = Path(file)
    report = ImportReport(path.name)
    if path.suffix.lower() in _TABLES:
        table = read_table(path, **reading)
        if is_study_data(table):
            draft = Draft(into, title=path.stem)
            report.notes += table.notes
            given = read_table(arms, encoding=reading.get("encoding")) if arms is not None else None
            add_study_data(table, draft, report, arms=given, outcome=outcome)
            return draft.finish(report, dry_run=dry_run), []
    content = read_revman(path, **reading)
    report.notes += content.notes
    draft = Draft(into, title=content.title or path.stem)
    named = _named(content.analyses, treatment, control)
    active = {analysis.experimental for analysis in named}
    taken = [analysis for analysis in named if _add_analysis(path, analysis, active, draft, report)]
    for study in content.studies:
        _add_study(study, draft)
    _add_listed(content.listed, draft, report)
    add_judgements(content.judgements, draft, report)
    draft.protocol = _protocol(content, taken)
    _report_columns(path, content.analyses, report)
    report.notes.append("weights, intervals and pooled results are not kept: they follow from the data")
    if content.studies:
        report.notes.append(
            "characteristics of studies became columns of studies.csv, publications reports.csv"
        )
    if (draft.directory / "review.toml").is_file():
        report.notes.append(
            "review.toml is there already: the analyses of the file are not added to its plan"
        )
    return draft.finish(report, dry_run=dry_run), named


def _named(analyses: list[Analysis], treatment: str | None, control: str | None) -> list[Analysis]:
    """Give the two groups of every analysis the names that they have in the folder."""
    spelling = Spellings()
    named = []
    for analysis in analyses:
        labels = (
            spelling(analysis.experimental or treatment or "experimental"),
            spelling(analysis.control or control or "control"),
        )
        if labels[0] == labels[1]:
            labels = f"{labels[0]} (experimental)", f"{labels[1]} (control)"
        named.append(replace(analysis, experimental=labels[0], control=labels[1]))
    return named


def _add_study(study: StudyInfo, draft: Draft) -> None:
    year = study.year if study.year.isdigit() else ""
    draft.add("studies.csv", {"study": study.name, "label": study.name, "year": year, **study.texts})
    for report in study.reports:
        draft.add(
            "reports.csv", {"study": study.name, **report}, key=("study", "title", "doi", "pmid", "year")
        )


def _add_listed(listed: Iterable[Listed], draft: Draft, report: ImportReport) -> None:
    """Keep studies that were not included as records, with the reason that the review gives."""
    n = 0
    for study in listed:
        n += 1
        for nth, publication in enumerate(study.reports or [{"title": study.study}], 1):
            record = f"listed {study.study}" + (f" ({nth})" if nth > 1 else "")
            cells = {"title": study.study, "year": "", **publication}
            draft.add("records.csv", {"record": record, **cells})
            decided = {
                "record": record,
                "stage": "listed",
                "decision": study.decision,
                "reason": study.reason,
            }
            draft.add("screening.csv", decided)
    if n:
        report.notes.append(
            f"{n} studies that the review lists and does not include are records, with its reasons in"
            " screening.csv (stage listed); such a list is no flow, and none is counted from it"
        )


def _protocol(content: Content, analyses: Iterable[Analysis]) -> str:
    """Write the review's own analyses as its plan: measure, groups, estimator, interval and method."""
    lines = [f"source = {json.dumps(content.source, ensure_ascii=False)}"] if content.source else []
    for item in analyses:
        if item.swapped or facts.measure(item.measure).kind is None:
            continue
        entry = {
            "name": item.outcome,
            "kind": "pairwise",
            "outcome": item.outcome,
            "measure": item.measure,
            "treatment": item.experimental,
            "versus": item.control,
            "tau2": item.tau2,
            "ci": item.ci,
        }
        # Without an event on one side Mantel and Haenszel have no ratio; RevMan adds halves, as inverse
        # variance does here.
        if item.method != "inverse_variance" and not (item.method == "MH" and _without_events(item)):
            entry["method"] = item.method
        lines += ["", "[[protocol.analysis]]"]
        lines += [f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in entry.items()]
    return "\n".join(lines) + "\n" if lines else ""


def _without_events(analysis: Analysis) -> bool:
    sums = [sum(number(row.cells.get((side, "events"))) or 0 for row in analysis.rows) for side in "ab"]
    return analysis.kind == "dichotomous" and min(sums) == 0


def _report_columns(path: Path, analyses: list[Analysis], report: ImportReport) -> None:
    """Say what became of the columns or attributes that hold numbers of the analyses there are."""
    ending = path.suffix.lower()
    given = {
        key
        for analysis in analyses
        for row in analysis.rows
        for key in row.cells
        if key[0] != "contrast" or analysis.kind in ("contrast", "o-e")
    }
    names = SIDES if ending in _TABLES else STATISTICS
    for name, (side, statistic) in names.items():
        of_rm5 = name.isupper() and "-" not in name
        if (side, statistic) in given and (ending in _TABLES or of_rm5 == (ending == ".rm5")):
            home = "contrasts.csv" if side == "contrast" else "measurements.csv"
            became = "o_minus_e" if statistic == "o_e" else statistic
            report.mappings.append(ColumnMapping(name, f"{home}: {became}"))


def _add_analysis(
    path: Path, analysis: Analysis, active: set[str], draft: Draft, report: ImportReport
) -> bool:
    """Add an analysis; says whether a study of it has numbers."""
    if analysis.measure not in {found.code for found in facts.measures(given=facts.REVIEW)}:
        report.left_out.append(
            Problem(
                f"analysis {analysis.outcome!r}: no effect measure {analysis.measure!r} is known here", ""
            )
        )
        return False
    if analysis.swapped:
        report.notes.append(f"analysis {analysis.outcome!r} counts those without the event; events are kept")
    kind = str(facts.measure(analysis.measure).kind)
    counted = Counter(row.study for row in analysis.rows)
    seen: Counter[str] = Counter()
    added = 0
    for row in analysis.rows:
        seen[row.study] += 1
        experiment = ""
        if counted[row.study] > 1:
            experiment = f"{analysis.number} {row.subgroup or f'row {seen[row.study]}'}"
        problem = _add_row(path, analysis, row, kind, experiment, active, draft)
        if problem is None:
            added += 1
        else:
            report.left_out.append(problem)
    if added:
        draft.add(
            "outcomes.csv",
            {
                "outcome": analysis.outcome,
                "label": analysis.name,
                "kind": kind,
                "description": analysis.group,
            },
        )
    elif not analysis.rows:
        report.left_out.append(Problem(f"analysis {analysis.outcome!r} has no study", "", path.name))
    return added > 0


def _add_row(
    path: Path,
    analysis: Analysis,
    row: StudyRow,
    kind: str,
    experiment: str,
    active: set[str],
    draft: Draft,
) -> Problem | None:
    cells = {key: value for key, value in row.cells.items() if value != ""}
    contrast: dict[str, object] | None = None
    if analysis.kind == "o-e":
        observed, variance = cells.get(("contrast", "o_e")), cells.get(("contrast", "variance"))
        if observed and variance and variance.strip("0."):
            contrast = {"o_minus_e": observed, "variance": variance}
    elif analysis.kind == "contrast" and ("contrast", "estimate") in cells:
        contrast = {name: cells.get(("contrast", name)) for name in ("estimate", "se")}
        if facts.measure(analysis.measure).is_ratio:
            # RevMan takes generic inverse-variance estimates of ratios as logarithms.
            contrast["scale"] = "log"
    needed = "events" if kind == "binary" else "mean"
    sides = all((side, needed) in cells for side in "ab")
    empty = {cells.get((side, "n"), "0") for side in "ab"} == {"0"}
    if contrast is None and (not sides or empty):
        return Problem(
            f"analysis {analysis.outcome!r} ({row.place}): no numbers",
            "a study that is not estimable has none to give",
            path.name,
            study=row.study,
        )
    draft.add("studies.csv", {"study": row.study, "label": row.study, "year": row.year})
    for side, label in (("a", analysis.experimental), ("b", analysis.control)):
        role = "control" if side == "b" and label not in active else "active"
        draft.add("treatments.csv", {"treatment": label, "label": label, "role": role})
        number = cells.get((side, "n"), "")
        arm = {"study": row.study, "experiment": experiment, "arm": label}
        draft.add("arms.csv", {**arm, "treatment": label, "n": "" if number == "0" else number})
        if contrast is None:
            names = ("n", "events") if kind == "binary" else ("n", "mean", "sd")
            draft.add(
                "measurements.csv",
                {
                    **arm,
                    "outcome": analysis.outcome,
                    **{name: cells.get((side, name)) for name in names},
                    "source": path.name,
                    "locator": row.place,
                    "note": row.note,
                    "subgroup": row.subgroup,
                },
                key=(),
            )
    if contrast is not None:
        draft.add(
            "contrasts.csv",
            {
                "study": row.study,
                "experiment": experiment,
                "outcome": analysis.outcome,
                "arm_a": analysis.experimental,
                "arm_b": analysis.control,
                "measure": analysis.measure,
                **contrast,
                "source": path.name,
                "locator": row.place,
                "note": row.note,
                "subgroup": row.subgroup,
            },
            key=(),
        )
    return None
