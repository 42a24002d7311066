"""Meta-analyses in MetaLab's layout (one row per effect) become a review folder.

Two groups with means and SDs are arms. Everything else that MetaLab holds (one group measured twice, effects
from test statistics) has no independent arms: its effect size is a contrast, as it was calculated beforehand.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Unpack

from evidence.errors import Problem, ReviewError
from evidence.importers.databases.moderators import is_words, level_of, named_in
from evidence.importers.draft import ColumnMapping, Draft, ImportReport
from evidence.importers.table import Reading, Table, read_table

_NEEDED = ("study_id", "participant_design", "n_1", "x_1")
_ARM = {"n": "n", "x": "mean", "sd": "sd"}
_EFFECTS = (
    ("g_calc", "g_var_calc", "Hedges' g, as MetaLab calculated it"),
    ("d_calc", "d_var_calc", "Cohen's d, as MetaLab calculated it: without the correction for small samples"),
    ("d", "d_var", "Cohen's d, as printed: without the correction for small samples"),
)
_STUDY = ("study_id", "short_cite", "long_cite", "doi")


def import_metalab(
    file: str | Path,
    into: str | Path,
    *,
    outcome: str,
    lower_is_better: bool | None = None,
    treatment: str = "treatment",
    control: str = "control",
    dry_run: bool = False,
    **reading: Unpack[Reading],
) -> ImportReport:
    """Make or extend a review folder from a data set of MetaLab.

    Parameters
    ----------
    file : path
        CSV, XLSX or another table with MetaLab's fields: ``study_ID, expt_num, participant_design, n_1, x_1,
        SD_1`` with their twins, ``d, d_var``, and, in what its website gives, ``g_calc, g_var_calc``.
    into : path
        Review folder to make or extend.
    outcome : str
        What the effects are about; MetaLab pools its measures as standardised mean differences.
    lower_is_better : bool, optional
        Direction of benefit.
    treatment, control : str
        Names of what stands in ``x_1`` and in ``x_2`` (or chance).
    dry_run : bool
        Check and report, write nothing.
    **reading
        How the table is opened (`evidence.importers.table.Reading`): sheet, header, encoding.

    Returns
    -------
    ImportReport

    Raises
    ------
    ReviewError
        If needed columns are missing, no row can be taken, or the folder would have errors.
    """
    table = read_table(file, **reading)
    names = [name.lower() for name in table.header]
    missing = [name for name in _NEEDED if name not in names]
    table.refuse_without(missing, "is not in the layout of MetaLab", "see metalab's field specification")
    rows = [(line, dict(zip(names, cells))) for line, cells in table.rows]
    report = ImportReport(table.name, notes=list(table.notes))
    draft = Draft(into, title=Path(file).stem)
    direction = None if lower_is_better is None else str(lower_is_better).lower()
    draft.add(
        "outcomes.csv",
        {"outcome": outcome, "label": outcome, "kind": "continuous", "lower_is_better": direction},
    )
    for name, role in ((treatment, "active"), (control, "control")):
        draft.add("treatments.csv", {"treatment": name, "label": name, "role": role})
    effects = _Effects(table, [cells for _, cells in rows], draft, report, outcome, (treatment, control))
    for line, cells in rows:
        draft.place = table.name, line
        effects.take(line, cells)
    draft.place = None
    if not effects.taken:
        raise ReviewError(f"{table.name} has no row that can be taken.", report.left_out)
    every = (*effects.of_study.items(), *effects.of_arm.items(), *effects.of_effect.items())
    draft.categories |= {to for name, to in every if is_words(cells[name] for _, cells in rows)}
    effects.say()
    report.mappings += [effects.mapping(name) for name in table.header]
    return draft.finish(report, dry_run=dry_run)


class _Effects:
    """Rows of MetaLab on their way into a review folder."""

    def __init__(
        self,
        table: Table,
        rows: Sequence[Mapping[str, str]],
        draft: Draft,
        report: ImportReport,
        outcome: str,
        names: tuple[str, str],
    ) -> None:
        self.source, self.draft, self.report = table.name, draft, report
        self.outcome, self.names = outcome, names
        self.taken: Counter[str] = Counter()
        self.experiments: Counter[tuple[str, str]] = Counter()
        lower = [name.lower() for name in table.header]
        original = dict(zip(lower, table.header))
        used = (
            {f"{column}_{k}" for column in _ARM for k in "12"} | set(_STUDY) | {"expt_num", "expt_condition"}
        )
        used |= {column for pair in _EFFECTS for column in pair[:2]}
        further = [name for name in lower if name and name not in used]
        self.of_study: dict[str, str] = {}
        self.of_arm: dict[str, str] = {}
        self.of_effect: dict[str, str] = {}
        for name in further:
            stem = name[:-2] if name.endswith(("_1", "_2")) else ""
            if stem and {f"{stem}_1", f"{stem}_2"} <= set(further):
                self.of_arm[name] = named_in("arms.csv", original[name][:-2])
            elif level_of(rows, name, _study_of, blank_is_a_value=True) == "studies.csv":
                self.of_study[name] = named_in("studies.csv", original[name])
            else:
                self.of_effect[name] = named_in("contrasts.csv", named_in("measurements.csv", original[name]))

    def take(self, line: int, cells: Mapping[str, str]) -> None:
        """Add an effect to the draft, or say in the report why it is left out."""
        between = cells["participant_design"].lower() == "between"
        as_arms = between and all(cells.get(f"{column}_{k}") for column in _ARM for k in "12")
        effect = next((e for e in _EFFECTS if cells.get(e[0]) and _positive(cells.get(e[1], ""))), None)
        if not as_arms and effect is None:
            self.report.left_out.append(
                Problem(
                    "no two groups with n, mean and SD, and no effect size with its variance",
                    "give d and d_var, or the table with g_calc and g_var_calc that MetaLab's website gives",
                    self.source,
                    line,
                    study=cells["study_id"],
                )
            )
            return
        self._add_study(cells)
        place = {"study": cells["study_id"], "experiment": self._experiment(cells)}
        for k, name in zip("12", self.names):
            self.draft.add("arms.csv", {**place, "arm": name, "treatment": name, **self._arm(cells, k)})
        told = {to: cells[name] for name, to in self.of_effect.items() if cells[name]}
        told |= {"source": self.source, "locator": f"line {line}"}
        if as_arms:
            self.taken["two groups: means and SDs"] += 1
            for k, name in zip("12", self.names):
                statistics = {to: cells[f"{column}_{k}"] for column, to in _ARM.items()}
                row = {**place, "arm": name, "outcome": self.outcome, **statistics, **told}
                self.draft.add("measurements.csv", row, key=())
            return
        assert effect is not None
        self.taken[effect[2]] += 1
        self.draft.add(
            "contrasts.csv",
            {
                **place,
                "outcome": self.outcome,
                "arm_a": self.names[0],
                "arm_b": self.names[1],
                "measure": "SMD",
                "estimate": cells[effect[0]],
                "se": repr(math.sqrt(float(cells[effect[1]]))),
                **told,
                "note": f"{effect[0]}; se is the root of {effect[1]} {cells[effect[1]]}",
            },
            key=(),
        )

    def _add_study(self, cells: Mapping[str, str]) -> None:
        study = cells["study_id"]
        told = {to: cells[name] for name, to in self.of_study.items() if cells[name]}
        self.draft.add("studies.csv", {"study": study, "label": cells.get("short_cite") or study, **told})
        if cells.get("long_cite") or cells.get("doi"):
            self.draft.add(
                "reports.csv",
                {"study": study, "title": cells.get("long_cite"), "doi": cells.get("doi")},
                key=("study", "title", "doi"),
            )

    def _experiment(self, cells: Mapping[str, str]) -> str:
        """Name the experiment of a row; rows with one name are told apart by a number."""
        parts = [cells.get("expt_num", ""), cells.get("expt_condition", "")]
        name = ", ".join(part for part in parts if part) or "main"
        self.experiments[cells["study_id"], name] += 1
        count = self.experiments[cells["study_id"], name]
        return name if count == 1 else f"{name} ({count})"

    def _arm(self, cells: Mapping[str, str], k: str) -> dict[str, str]:
        told = {to: cells[name] for name, to in self.of_arm.items() if name.endswith(f"_{k}") and cells[name]}
        return told | ({"n": cells[f"n_{k}"]} if _positive(cells.get(f"n_{k}", "")) else {})

    def say(self) -> None:
        """Report what the effects were taken from."""
        told = "; ".join(f"{n} from {what}" for what, n in self.taken.items())
        self.report.notes.append(f"effects are taken as {self.names[0]!r} minus {self.names[1]!r}: {told}")
        if sum(n > 1 for n in Counter(study for study, _ in self.experiments).values()):
            self.report.notes.append(
                "a study with several effects has an experiment for each; those of the same infants"
                " (same_infant) depend on each other"
            )

    def mapping(self, column: str) -> ColumnMapping:
        """Say what became of a column."""
        name = column.lower()
        homes = {
            "study_id": "studies.csv: study",
            "short_cite": "studies.csv: label",
            "long_cite": "reports.csv: title",
            "doi": "reports.csv: doi",
            **dict.fromkeys(("expt_num", "expt_condition"), "arms.csv: experiment"),
            **{f"{column_}_{k}": f"measurements.csv: {to}" for column_, to in _ARM.items() for k in "12"},
            **{own: f"studies.csv: {to}" for own, to in self.of_study.items()},
            **{own: f"arms.csv: {to}" for own, to in self.of_arm.items()},
            **{own: f"measurements.csv, contrasts.csv: {to}" for own, to in self.of_effect.items()},
            **{effect: "contrasts.csv: estimate" for effect, _, _ in _EFFECTS},
            **{variance: "contrasts.csv: se" for _, variance, _ in _EFFECTS},
        }
        why = "where a row has no two groups" if homes.get(name, "").startswith("contrasts.csv") else ""
        return ColumnMapping(column, homes.get(name, ""), why if name in homes else "it is empty")


def _study_of(cells: Mapping[str, str]) -> str:
    return cells["study_id"]


def _positive(number: str) -> bool:
    try:
        return float(number) > 0
    except ValueError:
        return False
