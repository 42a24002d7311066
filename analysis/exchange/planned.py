"""The plan's analyses as they enter: rows in files, and what a script in another language is told of each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.exchange.datasets import Dataset, computed, dataset_of, file_name, risk_of_bias, write_rows
from analysis.network.data.network import Network
from analysis.network.model import priors
from analysis.network.model.specification import effect_scale
from analysis.pairwise import PairwiseFit
from analysis.pairwise.data.combining import UNKNOWN_CORRELATION
from analysis.plan import planned_network, planned_pairwise
from evidence import facts
from evidence.errors import EvidenceError, RefusedError
from evidence.folder.options import OPTIONS, options_of
from evidence.names import apart
from evidence.selection import Selection
from evidence.system.frames import rows as rows_of

if TYPE_CHECKING:
    from analysis.pairwise.regression import Design

TAILS = ("{}-covariance", "{}-netmeta", "{}-jags", "{}-jags-codebook")
"""Files that stand beside those of an analysis."""


@dataclass(frozen=True)
class Planned:
    """One analysis of the plan.

    Attributes
    ----------
    row : mapping
        Of table ``plan``.
    file : str
        Name of its files.
    fit : PairwiseFit or None
        Of a pairwise analysis.
    dataset : Dataset or None
        Of a network.
    refused : str or None
        Why the analysis cannot be carried out.
    """

    row: Mapping[str, Any]
    file: str
    fit: PairwiseFit | None = None
    dataset: Dataset | None = None
    refused: str | None = None
    levels: dict[str, list[str]] = field(default_factory=dict)
    """Levels of each categorical moderator, the reference first."""

    @property
    def name(self) -> str:
        """Its name in the plan."""
        return str(self.row["analysis"])

    @property
    def moderators(self) -> list[str]:
        """Variables of its meta-regression."""
        return list(OPTIONS["moderators"].loaded(self.row["moderators"]) or ())

    @property
    def models(self) -> list[str]:
        """Models of a network."""
        return ["common", "random"] if self.row["model"] == "both" else [self.row["model"]]

    @property
    def of_counts(self) -> bool:
        """Whether the likelihood is of the arms' counts: not normal."""
        known = self.dataset is not None and self.dataset.by_arm and self.dataset.kind in ("binary", "rate")
        return known and "binomial" in (facts.engine(self.row["engine"]).likelihood or "")

    @property
    def bayesian(self) -> bool:
        """Whether the engine of a network is."""
        return self.dataset is not None and facts.engine(self.row["engine"]).framework == "Bayesian"

    @cached_property
    def priors(self) -> tuple[priors.Prior, float]:
        """Prior of tau, and standard deviation of the effects' prior, the engines' defaults filled in."""
        assert self.dataset is not None
        scale = effect_scale(self.dataset.net)
        stated = self.row["tau_prior"]
        prior = priors.Uniform(upper=scale) if stated is None else priors.parse(stated)
        return prior, self.row["effect_prior_sd"] or 15 * scale

    def said(self) -> Iterator[str]:
        """Say in words what it asks: every option of the plan that has a value."""
        idle = {"name", "kind", *(("ci",) if self.fit is None else ("leave_one_out", "seed"))}
        for option in options_of(self.row["kind"], planned=True):
            value = self.row[option.column]
            if option.name not in idle and value not in (None, False):
                yield f"{option.name} = {value}"


def planned(selection: Selection) -> list[Planned]:
    """Read every analysis of the plan, in its order; what is refused is kept with its reason.

    Raises
    ------
    RefusedError
        If none can be carried out.
    """
    found = selection.once("planned", lambda: _read(selection))
    if all(one.refused for one in found):
        reasons = "\n".join(f"{one.name}: {one.refused}" for one in found)
        raise RefusedError(f"There is no planned analysis to write.\n{reasons}".strip())
    return found


_NOT_IN_SCRIPTS = ("covariates", "class_effects", "baseline_sd_prior")
"""Options of a network that change its model, and that no script knows."""


def _read(selection: Selection) -> list[Planned]:
    db = computed(selection)
    kinds = {row["outcome"]: row["kind"] for row in db.rows("select outcome, kind from outcome")}
    rob = risk_of_bias(db)
    taken: set[str] = set()
    found = []
    for row in db.rows("select * from plan order by position, analysis"):
        file = apart(file_name(row["analysis"]), taken, *TAILS)
        try:
            if row["kind"] == "pairwise":
                fit = planned_pairwise(db, row)
                if facts.pooling_methods()[fit.options.method].rests_on != "effects":
                    raise RefusedError(
                        f"It is pooled by {fit.options.method}; the scripts pool effects: "
                        "--format metafor writes the counts."
                    )
                found.append(Planned(row, file, fit=fit, levels=_levels(fit, row)))
                continue
            if unheld := [name for name in _NOT_IN_SCRIPTS if row[OPTIONS[name].column]]:
                raise RefusedError(
                    f"The scripts do not hold {', '.join(unheld)}: `evidence analyse` does it."
                )
            net = planned_network(db, row)
            one = dataset_of(db, net, file, kinds[row["outcome"]], row, rob)
            found.append(Planned(row, file, dataset=one))
        except EvidenceError as error:
            found.append(Planned(row, file, refused=error.message.splitlines()[0]))
    return found


def _levels(fit: PairwiseFit, row: Mapping[str, Any]) -> dict[str, list[str]]:
    moderators = OPTIONS["moderators"].loaded(row["moderators"])
    if not moderators:
        return {}
    levels = OPTIONS["reference_levels"].loaded(row["reference_levels"])
    design: Design = fit.meta_regression(*moderators, reference_levels=levels).design
    return {
        name: [first, *(design.names[column].removeprefix(f"{name}: ") for column in design.terms[name])]
        for name, first in design.reference.items()
    }


# --- the rows -----------------------------------------------------------------------------------------------

PAIRWISE_COLUMNS = {
    "row": "number of the row",
    "study": "study",
    "experiment": "experiment of the study",
    "treatment": "treatment: the effect is its, minus the comparator's",
    "versus": "comparator",
    "yi": "effect on the analysis scale (log for ratios)",
    "vi": "its sampling variance",
}
NETWORK_COLUMNS = {
    "row": "number of the row",
    "block": "number of the unit of randomisation: study, or its experiment",
    "study": "study",
    "experiment": "experiment of the study",
    "treatment": "treatment: the effect is its, minus the base arm's",
    "versus": "treatment of the study's base arm",
    "yi": "effect on the analysis scale (log for ratios)",
    "vi": "its sampling variance",
}
COVARIANCE_COLUMNS = {
    "row_1": "number of a row",
    "row_2": "number of a row that shares an arm with it",
    "covariance": "covariance of their effects",
}


def table(one: Planned) -> tuple[dict[str, str], list[list[Any]], list[tuple[int, int, float]]]:
    """Give the columns of an analysis with their meaning, its rows, and the covariances between them."""
    return _pairwise_table(one) if one.fit is not None else _network_table(one)


def _pairwise_table(
    one: Planned,
) -> tuple[dict[str, str], list[list[Any]], list[tuple[int, int, float]]]:
    fit = one.fit
    assert fit is not None
    contrasts, variance = fit.assembly.contrasts, fit.assembly.variance
    columns, more = dict(PAIRWISE_COLUMNS), []
    if fit.options.by is not None:
        columns["subgroup"] = f"level of {fit.options.by}"
        more.append(list(fit.level_of_contrast))
    for number, name in enumerate(one.moderators, 1):
        columns[f"moderator_{number}"] = name
        more.append(list(fit.variable(name)))
    rows = [
        [number, row["study"], row["experiment"], row.get("treatment_a", contrasts.treatment),
         contrasts.versus, row["estimate"], variance[number - 1], *(_known(v[number - 1]) for v in more)]
        for number, row in enumerate(rows_of(contrasts.frame), 1)
    ]  # fmt: skip
    place = {row["contrast_id"]: number for number, row in enumerate(rows_of(contrasts.frame), 1)}
    shared = []
    for row in rows_of(contrasts.covariance):
        if row["contrast_1"] in place and row["contrast_2"] in place:
            first, second = place[row["contrast_1"]], place[row["contrast_2"]]
            value = row["covariance"]
            if not np.isfinite(value):
                if fit.options.dependence != "combine":
                    continue
                value = UNKNOWN_CORRELATION * float(np.sqrt(variance[first - 1] * variance[second - 1]))
            shared.append((first, second, float(value)))
    return columns, rows, shared


def _known(value: Any) -> Any:
    return None if value is None or value != value else value


def _network_table(
    one: Planned,
) -> tuple[dict[str, str], list[list[Any]], list[tuple[int, int, float]]]:
    assert one.dataset is not None
    net: Network = one.dataset.net
    rows: list[list[Any]] = []
    shared = []
    for block, study in enumerate(one.dataset.studies(), 1):
        start = len(rows) + 1
        name, experiment = net.studies[study.index]
        for place, treatment in enumerate(study.treatments[1:]):
            variance = float(study.covariance[place, place])
            rows.append(
                [start + place, block, name, experiment, treatment, study.treatments[0],
                 float(study.y[place]), variance]
            )  # fmt: skip
            shared += [
                (start + before, start + place, float(study.covariance[before, place]))
                for before in range(place)
            ]
    return dict(NETWORK_COLUMNS), rows, shared


def write_table(selection: Selection, target: Path, one: Planned) -> list[Path]:
    """Write the rows of an analysis and, where some share an arm, their covariances."""
    columns, rows, shared = table(one)
    files = [write_rows(target / f"{one.file}.csv", list(columns), rows)]
    selection.describe(f"{target.name}/{one.file}.csv", columns)
    if shared:
        name = f"{one.file}-covariance.csv"
        files.append(write_rows(target / name, list(COVARIANCE_COLUMNS), shared))
        selection.describe(f"{target.name}/{name}", COVARIANCE_COLUMNS)
    return files


# --- what was found -----------------------------------------------------------------------------------------

EXPECTED_COLUMNS = (
    "analysis", "model", "subgroup", "without", "term", "treatment", "versus", "estimate", "std_error",
    "ci_lower", "ci_upper",
)  # fmt: skip
_EXPECTED = """
    with run as (select run_id, analysis, kind, engine from result_run where list_contains($names, analysis))
    select analysis, model, coalesce(level, '') as subgroup, '' as without, '' as term, treatment, versus,
        estimate, std_error, ci_lower, ci_upper
    from result_estimate inner join run using (run_id)
    where kind = 'pairwise' or evidence = 'network'
    union all
    select analysis, model, '', study, '', treatment, versus, estimate, std_error, ci_lower, ci_upper
    from result_leave_one_out inner join run using (run_id)
    where estimate is not null and (kind = 'pairwise' or run.engine = 'frequentist')
    union all
    select run.analysis, any_value(sensitivity.model), '', '', item, result_run.treatment, result_run.versus,
        max(value) filter (where quantity = 'estimate'), max(value) filter (where quantity = 'std_error'),
        max(value) filter (where quantity = 'ci_lower'), max(value) filter (where quantity = 'ci_upper')
    from result_sensitivity as sensitivity
    inner join run using (run_id)
    inner join result_run using (run_id)
    where sensitivity.method = 'meta-regression'
    group by run.analysis, item, result_run.treatment, result_run.versus
    having max(value) filter (where quantity = 'estimate') is not null
    order by all
"""


def write_expected(selection: Selection, target: Path, names: Sequence[str]) -> list[Path]:
    """Write the result rows of these analyses, where the evidence base has any."""
    rows = selection.db.rows(_EXPECTED, {"names": list(names)})
    if not rows:
        return []
    path = write_rows(
        target / "expected.csv",
        list(EXPECTED_COLUMNS),
        [[row[name] for name in EXPECTED_COLUMNS] for row in rows],
        "NA",
    )
    meanings = dict.fromkeys(EXPECTED_COLUMNS, "as in result_estimate")
    meanings |= {
        "analysis": "analysis of the plan",
        "subgroup": "level of the subgroups' variable; empty for all studies",
        "without": "study left out",
        "term": "coefficient of a meta-regression",
    }
    selection.describe(f"{target.name}/expected.csv", meanings)
    return [path]
