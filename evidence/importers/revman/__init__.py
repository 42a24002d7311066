"""Reviews made with RevMan: the data package of RevMan Web (ZIP) and the files of RevMan 5 (``.rm5``).

Every analysis becomes an outcome, its two groups the arms of each study. RevMan's own pooled results come
along, so that ours can be held against them.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evidence import facts
from evidence.errors import Problem, ReviewError
from evidence.facts.reference import reference
from evidence.folder.column_names import Spellings, plain
from evidence.importers.draft import ColumnMapping, Draft, ImportReport
from evidence.importers.sources import decode, inside, read_archive, read_xml
from evidence.importers.table import Table, table_of
from evidence.system.bounds import unreadable

_METHODS = {"mantelhaenszel": "MH", "mh": "MH", "peto": "Peto", "petooe": "Peto", "expoev": "Peto"}
_STATISTICS = {
    "Experimental mean": ("a", "mean"),
    "Experimental SD": ("a", "sd"),
    "Experimental cases": ("a", "events"),
    "Experimental N": ("a", "n"),
    "Control mean": ("b", "mean"),
    "Control SD": ("b", "sd"),
    "Control cases": ("b", "events"),
    "Control N": ("b", "n"),
    "MEAN_1": ("a", "mean"),
    "SD_1": ("a", "sd"),
    "EVENTS_1": ("a", "events"),
    "TOTAL_1": ("a", "n"),
    "MEAN_2": ("b", "mean"),
    "SD_2": ("b", "sd"),
    "EVENTS_2": ("b", "events"),
    "TOTAL_2": ("b", "n"),
    "GIV Mean": ("contrast", "estimate"),
    "GIV SE": ("contrast", "se"),
    "ESTIMATE": ("contrast", "estimate"),
    "SE": ("contrast", "se"),
    "O-E": ("contrast", "o_e"),
    "Variance": ("contrast", "variance"),
    "O_E": ("contrast", "o_e"),
    "VAR": ("contrast", "variance"),
}


@dataclass(frozen=True)
class StudyRow:
    """One study in one analysis, as typed.

    Attributes
    ----------
    study, year, subgroup : str
        Which study, and under which subgroup it stands.
    cells : dict of (side, statistic) to str
        Side is ``a`` (experimental), ``b`` (control) or ``contrast``.
    place : str
        Where the row stands in the source.
    """

    study: str
    year: str
    subgroup: str
    cells: dict[tuple[str, str], str]
    place: str


@dataclass(frozen=True)
class Analysis:
    """One analysis of a Cochrane review, with its own pooled result.

    Attributes
    ----------
    number, name, group : str
        ``1.2``, its name, and that of its comparison.
    kind : {"dichotomous", "continuous", "contrast", "o-e"}
        What its rows hold.
    measure : str
        Effect measure of ours, or RevMan's word where there is none.
    method : {"inverse_variance", "MH", "Peto"}
        How the common effect is pooled.
    model : {"common", "random"}
    tau2, ci : str
        Estimator and interval of the random effects, in the words of `analysis.pairwise.fit`.
    experimental, control : str
        Labels of the two groups.
    swapped : bool
        Analysed by those without the event.
    estimate, ci_lower, ci_upper : float or None
        RevMan's pooled result on the scale it prints (ratios as ratios); None where studies were not pooled.
    rows : tuple of StudyRow
    """

    number: str
    name: str
    group: str
    kind: str
    measure: str
    method: str
    model: str
    tau2: str
    ci: str
    experimental: str
    control: str
    swapped: bool
    estimate: float | None
    ci_lower: float | None
    ci_upper: float | None
    rows: tuple[StudyRow, ...]

    @property
    def outcome(self) -> str:
        """Name of its outcome in the review folder."""
        return f"{self.number} {self.name}"


def read_revman(path: str | Path) -> tuple[list[Analysis], list[tuple[str, dict[str, str]]]]:
    """Read the analyses of a review.

    Parameters
    ----------
    path : path
        ``.rm5``, or the ZIP archive of a data package.

    Returns
    -------
    analyses : list of Analysis
    judgements : list of (study, judgement by domain)
        Risk of bias, where the package has it.

    Raises
    ------
    ReviewError
        If the file is hostile, damaged, or holds no analyses of interventions.
    """
    file = Path(path)
    if file.suffix.lower() == ".rm5":
        return _read_rm5(file), []
    return _read_package(file)


def import_revman(
    file: str | Path,
    into: str | Path,
    *,
    treatment: str | None = None,
    control: str | None = None,
    dry_run: bool = False,
) -> tuple[ImportReport, list[Analysis]]:
    """Make or extend a review folder from a review made with RevMan.

    Parameters
    ----------
    file : path
        ``.rm5``, or the ZIP archive of a data package.
    into : path
        Review folder to make or extend.
    treatment, control : str, optional
        Names of the two groups where the file has none.
    dry_run : bool
        Check and report, write nothing.

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
    analyses, judgements = read_revman(path)
    report = ImportReport(path.name)
    draft = Draft(into, title=path.stem)
    spelling = Spellings()
    named = []
    for analysis in analyses:
        labels = (
            spelling(analysis.experimental or treatment or "experimental"),
            spelling(analysis.control or control or "control"),
        )
        if labels[0] == labels[1]:
            labels = f"{labels[0]} (experimental)", f"{labels[1]} (control)"
        named.append(Analysis(**{**vars(analysis), "experimental": labels[0], "control": labels[1]}))
    active = {analysis.experimental for analysis in named}
    for analysis in named:
        _add_analysis(path, analysis, active, draft, report)
    _add_judgements(path, judgements, draft, report)
    given = {key for analysis in analyses for row in analysis.rows for key in row.cells}
    for name, (side, statistic) in _STATISTICS.items():
        of_rm5 = name.isupper() and "-" not in name
        if (side, statistic) in given and of_rm5 == (path.suffix.lower() == ".rm5"):
            home = "contrasts.csv" if side == "contrast" else "measurements.csv"
            became = "o_minus_e" if statistic == "o_e" else statistic
            report.mappings.append(ColumnMapping(name, f"{home}: {became}"))
    report.notes.append("weights, intervals and pooled results are not kept: they follow from the data")
    return draft.finish(report, dry_run=dry_run), named


def _add_analysis(
    path: Path, analysis: Analysis, active: set[str], draft: Draft, report: ImportReport
) -> None:
    if analysis.measure not in {found.code for found in facts.measures(given=facts.REVIEW)}:
        report.left_out.append(
            Problem(
                f"analysis {analysis.outcome!r}: no effect measure {analysis.measure!r} is known here", ""
            )
        )
        return
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
            },
            key=(),
        )
    return None


def _add_judgements(
    path: Path, judgements: Iterable[tuple[str, dict[str, str]]], draft: Draft, report: ImportReport
) -> None:
    """Add judgements of RoB 2; those of other tools have no place here, and are counted."""
    items = {
        plain(str(row["label"])): str(row["item"]) for row in reference("rob_item") if row["tool"] == "RoB 2"
    }
    answers = {
        plain(str(row["label"])): str(row["judgement"])
        for row in reference("rob_answer")
        if row["tool"] == "RoB 2"
    }
    answers |= {f"{name}riskofbias": judgement for name, judgement in answers.items()}
    answers |= {"lowrisk": "low", "highrisk": "high"}
    left: Counter[str] = Counter()
    studies = {row.get("study") for row in draft.rows("studies.csv")}
    for study, by_domain in judgements:
        for domain, judgement in by_domain.items():
            name = domain.split(":")[0]
            item = items.get(plain(name)) or ("Overall" if plain(name).startswith("overall") else None)
            if item is None or plain(judgement) not in answers or study not in studies:
                left[name] += 1
                continue
            draft.add(
                "risk_of_bias.csv",
                {"study": study, "tool": "RoB 2", "item": item, "judgement": answers[plain(judgement)]},
            )
    for domain, count in left.items():
        report.left_out.append(
            Problem(
                f"{count} judgements of {domain!r}",
                "an item of RoB 2 of a study that was imported, or use evidence import robvis",
                path.name,
            )
        )


def _float(text: str | None) -> float | None:
    try:
        return float(text) if text else None
    except ValueError:
        return None


def _read_package(file: Path) -> tuple[list[Analysis], list[tuple[str, dict[str, str]]]]:
    members = read_archive(file)
    tables = {}
    for ending in ("-data-rows.csv", "-overall-estimates-and-settings.csv"):
        names = [name for name in members if name.endswith(ending)]
        if len(names) != 1:
            raise unreadable(
                file,
                f"holds {len(names) or 'no'} files ...{ending}",
                "give the data package of one review of interventions, as downloaded",
            )
        tables[ending] = _member(file, names[0], members[names[0]])
    by_analysis: dict[str, list[StudyRow]] = {}
    for place, row in _dictionaries(tables["-data-rows.csv"]):
        number = f"{row.get('Analysis group', '')}.{row.get('Analysis number', '')}"
        by_analysis.setdefault(number, []).append(
            StudyRow(
                row.get("Study", ""),
                row.get("Study year", ""),
                row.get("Subgroup", ""),
                {key: row[name] for name, key in _STATISTICS.items() if row.get(name)},
                place,
            )
        )
    analyses = [
        _of_package(row, tuple(by_analysis.get(number, ())))
        for _, row in _dictionaries(tables["-overall-estimates-and-settings.csv"])
        if (number := f"{row.get('Analysis group', '')}.{row.get('Analysis number', '')}")
    ]
    judgements = []
    for name in (name for name in members if name.endswith("-risk-of-bias.csv")):
        for _, row in _dictionaries(_member(file, name, members[name])):
            found = {
                column.split(":", 1)[1].strip(): cell
                for column, cell in row.items()
                if column.startswith("Domain (judgement)") and ":" in column and cell
            }
            judgements.append((row.get("Study", ""), found))
    return analyses, judgements


def _member(file: Path, name: str, raw: bytes) -> Table:
    member = inside(file, name)
    text, _ = decode(member, raw)
    return table_of(member, text)


def _dictionaries(table: Table) -> list[tuple[str, dict[str, str]]]:
    """Rows by column, with their place; a column that the tool writes twice keeps its first value."""
    return [
        (f"{table.name} line {line}", dict(reversed(list(zip(table.header, cells)))))
        for line, cells in table.rows
    ]


def _of_package(row: dict[str, str], rows: tuple[StudyRow, ...]) -> Analysis:
    kinds = {"dichotomous": "dichotomous", "continuous": "continuous", "oeandvariance": "o-e"}
    method = plain(row.get("Statistical method", ""))
    return Analysis(
        number=f"{row.get('Analysis group', '')}.{row.get('Analysis number', '')}",
        name=row.get("Analysis name", ""),
        group=row.get("Analysis group name", ""),
        kind=kinds.get(plain(row.get("Data type", "")), "contrast"),
        measure=_measure(row.get("Effect measure", "")),
        method=_METHODS.get(method, "inverse_variance"),
        model="random" if row.get("Analysis model", "").lower().startswith("random") else "common",
        tau2="REML" if "reml" in plain(row.get("Heterogeneity estimator", "")) else "DL",
        ci="HK" if "hksj" in plain(row.get("CI method", "")) else "Wald",
        experimental=row.get("Experimental group label") or row.get("Experimental intervention", ""),
        control=row.get("Control group label") or row.get("Control intervention", ""),
        swapped=row.get("Swap event and non-event", "").lower() in ("true", "yes"),
        estimate=_float(row.get("Mean")),
        ci_lower=_float(row.get("CI start")),
        ci_upper=_float(row.get("CI end")),
        rows=rows,
    )


def _measure(words: str) -> str:
    known = facts.read_name("revman", re.sub(r"\(.*?\)", "", words))
    return known or words


def _read_rm5(file: Path) -> list[Analysis]:
    root = read_xml(file)
    if root.tag != "COCHRANE_REVIEW":
        raise unreadable(file, f"begins with {root.tag}, not COCHRANE_REVIEW", "export it from RevMan 5")
    studies = {
        study.get("ID", ""): (study.get("NAME") or study.get("ID", ""), study.get("YEAR", ""))
        for study in root.iter("STUDY")
    }
    problems: list[Problem] = []
    analyses = []
    kinds = {"DICH": "dichotomous", "CONT": "continuous", "IV": "contrast", "IPD": "o-e"}
    for comparison in root.iter("COMPARISON"):
        for element in comparison:
            start, _, end = element.tag.partition("_")
            if start not in kinds or end != "OUTCOME":
                continue
            rows = tuple(_rm5_rows(file, element, start, studies, problems))
            analyses.append(_of_rm5(comparison, element, kinds[start], rows))
    if problems:
        raise ReviewError(f"{file.name} cannot be imported.", problems)
    if not analyses:
        raise unreadable(file, "holds no analysis", "export a review of interventions with its analyses")
    return analyses


def _rm5_rows(
    file: Path,
    outcome: Any,
    start: str,
    studies: dict[str, tuple[str, str]],
    problems: list[Problem],
) -> Iterable[StudyRow]:
    groups = [("", outcome), *((_name(g), g) for g in outcome.findall(f"{start}_SUBGROUP"))]
    for subgroup, group in groups:
        for number, data in enumerate(group.findall(f"{start}_DATA"), 1):
            study = data.get("STUDY_ID", "")
            if study not in studies:
                problems.append(
                    Problem(
                        f"{outcome.get('ID')}: unknown study {study!r}",
                        "list it among the studies of the review",
                        file.name,
                    )
                )
                continue
            cells = {
                key: data.get(name)
                for name, key in _STATISTICS.items()
                if data.get(name) and not (name == "SE" and start != "IV")
            }
            place = ", ".join(p for p in (outcome.get("ID", ""), subgroup, f"row {number}") if p)
            yield StudyRow(*studies[study], subgroup, cells, place)


def _of_rm5(comparison: Any, outcome: Any, kind: str, rows: tuple[StudyRow, ...]) -> Analysis:
    method = plain(outcome.get("METHOD", ""))
    measure = outcome.get("EFFECT_MEASURE", "").replace("_", " ")
    pooled = outcome.get("TOTALS", "YES") == "YES" and outcome.get("ESTIMABLE", "YES") == "YES"
    return Analysis(
        number=f"{comparison.get('NO', '')}.{outcome.get('NO', '')}",
        name=_name(outcome),
        group=_name(comparison),
        kind=kind,
        measure=_measure(measure),
        method="Peto" if plain(measure) == "petoor" else _METHODS.get(method, "inverse_variance"),
        model="random" if outcome.get("RANDOM") == "YES" else "common",
        tau2="DL",
        ci="Wald",
        experimental=(outcome.findtext("GROUP_LABEL_1") or "").strip(),
        control=(outcome.findtext("GROUP_LABEL_2") or "").strip(),
        swapped=outcome.get("SWAP_EVENTS") == "YES",
        estimate=_float(outcome.get("EFFECT_SIZE")) if pooled else None,
        ci_lower=_float(outcome.get("CI_START")) if pooled else None,
        ci_upper=_float(outcome.get("CI_END")) if pooled else None,
        rows=rows,
    )


def _name(element: Any) -> str:
    return (
        " ".join("".join(element.find("NAME").itertext()).split()) if element.find("NAME") is not None else ""
    )
