"""A review that could be real: simulated studies of a given shape, whose true effects are known.

The twin of the model review (Ma et al. 2023) has its number of studies, its counts of species, models, cell
types, routes, controls and judgements, and true effects as printed in its Table 1; nothing else in it is
real. The same generator, with other numbers, gives reviews of any size for tests of coverage, calibration
and speed.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from evidence.errors import CallError
from evidence.system import files

Array = np.ndarray

NOTICE = "Simulated data: no study in this review was ever done."
"""What every simulated review says of itself."""


@dataclass(frozen=True)
class Outcome:
    """One simulated outcome.

    Attributes
    ----------
    outcome, label, unit : str
        As in ``outcomes.csv``.
    n_studies : int
        Studies that report it.
    effects : dict of str to float
        True effect of each treatment against the control, in the outcome's unit. Only these treatments have
        the outcome.
    tau : float
        True between-study standard deviation of each effect; between two arms of one study it is shared by
        half.
    control : float
        Median of the control groups' true means.
    variation : (float, float)
        Range of the coefficient of variation within a group.
    other_units : dict of str to (float, float)
        Other units in which some studies report: factor from the outcome's unit, share of the studies.
    timepoint : tuple of float
        Days at which it is measured; the last one is the one that counts, earlier ones show part of the
        effect.
    """

    outcome: str
    label: str
    unit: str
    n_studies: int
    effects: Mapping[str, float]
    tau: float
    control: float
    variation: tuple[float, float] = (0.15, 0.45)
    other_units: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    timepoint: tuple[float, ...] = (1.0, 3.0)


@dataclass(frozen=True)
class Ranges:
    """Smallest and largest of what studies say of their animals and of the treatment; some study has each.

    Attributes
    ----------
    weight : dict of str to (float, float)
        Body weight in grams, by species.
    age : dict of str to (float, float)
        Age in weeks, by species.
    dose : (float, float)
        Dose of the active arms.
    dose_unit : str
    delay : float
        Longest time from modelling to treatment, in days.
    """

    weight: Mapping[str, tuple[float, float]]
    age: Mapping[str, tuple[float, float]]
    dose: tuple[float, float]
    dose_unit: str
    delay: float


@dataclass(frozen=True)
class Shape:
    """What a simulated review looks like.

    Attributes
    ----------
    name, title, question : str
        Of the review.
    control : str
        Id of the control treatment.
    treatments : dict of str to (label, class)
        Active treatments.
    designs : dict of tuple of str to int
        Number of studies that compare each set of active treatments with the control.
    outcomes : tuple of Outcome
    group_size : (int, int)
        Smallest and largest group.
    counts : dict of str to dict of str to int
        For each study variable, how many studies have each level.
    judgements : dict of str to int
        For each SYRCLE item, how many studies have a low risk; the others are unclear.
    habits : dict of str to float
        Share of the studies that report sd, se, ci (mean with 95 % interval) and median (with quartiles).
    animals : (int, int), optional
        Animals in the smallest and in the largest study, all arms together; some study of two arms has each.
    ranges : Ranges, optional
        Extremes of what is described of animals and treatment; nothing of it is described without them.
    claims : tuple of (claim, text, query, operator, expected)
        Sentences of the simulated review, for ``claims.csv``.
    figures : tuple of (number, title, names)
        Numbered figures and tables of the plan.
    chains : bool
        Whether the plan has Markov chains drawn beside the exact posterior.
    reference : str
        Where the shape was taken from.
    """

    name: str
    title: str
    question: str
    control: str
    treatments: Mapping[str, tuple[str, str]]
    designs: Mapping[tuple[str, ...], int]
    outcomes: tuple[Outcome, ...]
    group_size: tuple[int, int] = (5, 12)
    counts: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    judgements: Mapping[str, int] = field(default_factory=dict)
    habits: Mapping[str, float] = field(
        default_factory=lambda: {"sd": 0.55, "se": 0.35, "ci": 0.04, "median": 0.06}
    )
    animals: tuple[int, int] | None = None
    ranges: Ranges | None = None
    claims: tuple[tuple[str, str, str, str, str], ...] = ()
    figures: tuple[tuple[str, str, tuple[str, ...]], ...] = ()
    chains: bool = False
    reference: str = ""

    @property
    def n_studies(self) -> int:
        """Number of studies."""
        return sum(self.designs.values())


_CELLS = {
    "ADMSC": "Adipose-derived MSC",
    "AFMSC": "Amniotic fluid MSC",
    "BMSC": "Bone marrow MSC",
    "ESC": "Embryonic stem cell",
    "IPSC": "Induced pluripotent stem cell",
    "LSC": "Liver stem cell",
    "MenSC": "Menstrual blood MSC",
    "PMSC": "Placental MSC",
    "UCMSC": "Umbilical cord MSC",
}

_OUTCOMES = ("alt", "ast", "tnf_alpha", "il6")

ALF = Shape(
    name="alf-simulated",
    title="Stem cells in animal models of acute liver failure: a simulated twin",
    question="Which type of stem cell works best in animal models of acute liver failure?",
    control="placebo",
    treatments={cell: (label, "stem cell") for cell, label in _CELLS.items()},
    # 21 + 21 + 2 + 39 + 1 + 2 + 2 + 4 + 1 = 93 cell types in 89 studies: three compare ADMSC with BMSC and
    # one MenSC with BMSC.
    designs={
        ("ADMSC", "BMSC"): 3,
        ("BMSC", "MenSC"): 1,
        ("ADMSC",): 18,
        ("AFMSC",): 2,
        ("BMSC",): 35,
        ("ESC",): 1,
        ("IPSC",): 2,
        ("LSC",): 2,
        ("MenSC",): 3,
        ("PMSC",): 1,
        ("UCMSC",): 21,
    },
    # Effects against placebo: Table 1 of the paper. The cell types outside its network have no printed
    # effect; theirs follow the order of the paper's subgroups. tau is what the widths of Table 1 imply for
    # that many studies.
    outcomes=(
        Outcome(
            "alt",
            "ALT",
            "U/L",
            78,
            {
                "ADMSC": -667.52,
                "AFMSC": -114.65,
                "BMSC": -533.83,
                "LSC": -6600.26,
                "MenSC": -204.31,
                "UCMSC": -1461.02,
                "IPSC": -900.0,
                "PMSC": -300.0,
                "ESC": -50.0,
            },
            tau=1200.0,
            control=2500.0,
            other_units={"ukat/L": (1 / 60, 0.06), "IU/L": (1.0, 0.2)},
        ),
        Outcome(
            "ast",
            "AST",
            "U/L",
            71,
            {
                "ADMSC": -606.72,
                "AFMSC": -928.62,
                "BMSC": -968.24,
                "LSC": -10542.45,
                "MenSC": -639.98,
                "UCMSC": -1657.56,
                "IPSC": -1700.0,
            },
            tau=1900.0,
            control=3000.0,
            other_units={"ukat/L": (1 / 60, 0.06), "IU/L": (1.0, 0.2)},
        ),
        Outcome(
            "tnf_alpha",
            "TNF-α",
            "pg/mL",
            26,
            {
                "ADMSC": -77.2,
                "AFMSC": -1.11,
                "BMSC": -13.45,
                "LSC": -20.86,
                "MenSC": -3.78,
                "UCMSC": -114.68,
            },
            tau=90.0,
            control=220.0,
            other_units={"ng/L": (1.0, 0.15), "ng/mL": (0.001, 0.1)},
        ),
        Outcome(
            "il6",
            "IL-6",
            "pg/mL",
            20,
            {
                "ADMSC": -89.51,
                "AFMSC": -6.71,
                "BMSC": -16.82,
                "LSC": -154.33,
                "MenSC": -3.14,
                "UCMSC": -33.87,
            },
            tau=70.0,
            control=260.0,
            other_units={"ng/L": (1.0, 0.15), "ng/mL": (0.001, 0.1)},
        ),
    ),
    group_size=(3, 24),
    counts={
        "design": {"randomised controlled": 74, "controlled": 15},
        "strain": {
            "Sprague-Dawley rat": 22,
            "Wistar rat": 6,
            "albino rat": 2,
            "F344-Fischer rat": 1,
            "BALB/c mouse": 16,
            "C57BL/6 mouse": 29,
            "ICR mouse": 3,
            "NOD-SCID mouse": 2,
            "Swiss albino mouse": 1,
            "dog": 1,
            "pig": 6,
        },
        "sex": {"male": 66, "female": 10, "not reported": 13},
        "model": {
            "partial hepatectomy": 7,
            "carbon tetrachloride": 25,
            "concanavalin A": 6,
            "D-galactosamine": 10,
            "D-galactosamine/lipopolysaccharide": 27,
            "acetaminophen": 9,
            "thioacetamide": 4,
            "ischaemia-reperfusion injury": 1,
        },
        "route": {
            "intraperitoneal": 4,
            "liver parenchyma": 3,
            "portal vein": 6,
            "splenic vein": 2,
            "tail vein": 71,
            "stent loading": 3,
        },
        "negative_control": {"normal saline": 32, "PBS": 35, "blank": 16, "DMEM": 6},
        "transplantation": {"before modelling": 4, "after modelling": 85},
    },
    # 18 g to 18 kg, 4 weeks to 1.5 years, 6 to 94 animals, 1e5 to 1e8 cells, within 4 days of modelling.
    animals=(6, 94),
    ranges=Ranges(
        weight={"mouse": (18, 30), "rat": (150, 350), "dog": (8000, 15000), "pig": (10000, 18000)},
        age={"mouse": (4, 12), "rat": (6, 14), "dog": (52, 78), "pig": (10, 30)},
        dose=(1e5, 1e8),
        dose_unit="cells",
        delay=4.0,
    ),
    claims=(
        ("studies", "89 studies were included", "select count(*) from study", "=", "89"),
        (
            "head-to-head",
            "Four studies compared one cell type with another",
            "select count(distinct study) from contrast where 'placebo' not in (treatment_a, treatment_b)",
            "=",
            "4",
        ),
        (
            "network",
            "Six cell types report all four outcomes and stand in the network beside the negative control",
            "select count(*) from (select treatment from measurement_standard where role = 'active'"
            " group by treatment having count(distinct outcome) = 4)",
            "=",
            "6",
        ),
        (
            "first",
            "Liver stem cells rank first on ALT, on AST and on IL-6",
            "select count(*) from (select result_run.outcome, result_ranking.treatment, rank() over"
            " (partition by result_run.outcome order by result_ranking.sucra desc) as place"
            " from result_ranking inner join result_run using (run_id) where result_ranking.model = 'random')"
            " where place = 1 and treatment = 'LSC' and outcome in ('alt', 'ast', 'il6')",
            "=",
            "3",
        ),
    ),
    figures=(
        ("Supplementary Table 2", "Characteristics of the included studies", ("characteristics",)),
        ("Figure 1", "Selection of studies", ("prisma-flow",)),
        ("Figure 2", "Risk of bias", ("risk-of-bias-summary-syrcle",)),
        ("Figure 3", "Network of treatments", tuple(f"{o}-network-network" for o in _OUTCOMES)),
        ("Table 1", "League table of four outcomes", ("league-across-outcomes",)),
        ("Figure 4", "Comparison-adjusted funnel plot", tuple(f"{o}-network-funnel" for o in _OUTCOMES)),
        ("Figure 5", "Ranking", tuple(f"{o}-network-rankogram" for o in _OUTCOMES)),
        ("Figure 6", "Leave-one-out analysis", tuple(f"{o}-pairwise-leave-one-out" for o in _OUTCOMES)),
        ("Figure 7", "Convergence of chains", tuple(f"{o}-network-psrf" for o in _OUTCOMES)),
        *(
            (f"Supplementary Figure {i}", "Forest plot by cell type", (f"{o}-pairwise-forest",))
            for i, o in enumerate(_OUTCOMES, 1)
        ),
    ),
    chains=True,
    judgements={"1": 0, "2": 81, "3": 0, "4": 78, "5": 0, "6": 8, "7": 31, "8": 0, "9": 89, "10": 0},
    reference="Counts and effects: Ma et al. 2023, World J Stem Cells 15(1):1-15, doi:10.4252/wjsc.v15.i1.1",
)
"""The shape of the model review."""


def synthetic_shape(
    n_studies: int, *, treatments: int = 10, outcomes: int = 1, multi_arm: float = 0.1
) -> Shape:
    """Make a shape of a given size, for tests and benchmarks.

    Parameters
    ----------
    n_studies : int
    treatments : int
        Active treatments, of which every study compares one or two with the control.
    outcomes : int
    multi_arm : float
        Share of the studies that compare two.

    Returns
    -------
    Shape
    """
    names = [f"T{i + 1:03d}" for i in range(treatments)]
    pairs = [(names[i], names[(i + 1) % treatments]) for i in range(treatments)] if treatments > 2 else []
    two = int(n_studies * multi_arm) if pairs else 0
    designs: dict[tuple[str, ...], int] = {}
    for i in range(two):
        pair = tuple(sorted(pairs[i % len(pairs)]))
        designs[pair] = designs.get(pair, 0) + 1
    for i in range(n_studies - two):
        one = (names[i % treatments],)
        designs[one] = designs.get(one, 0) + 1
    effects = {name: -10.0 * (i + 1) / treatments for i, name in enumerate(names)}
    return Shape(
        name=f"simulated-{n_studies}",
        title=f"A simulated review of {n_studies} studies",
        question="Which treatment lowers the score most?",
        control="control",
        treatments={name: (name, "active") for name in names},
        designs=designs,
        outcomes=tuple(
            Outcome(f"o{j + 1}", f"Outcome {j + 1}", "U/L", n_studies, effects, 3.0, 100.0, timepoint=(1.0,))
            for j in range(outcomes)
        ),
    )


def simulate(shape: Shape, directory: str | Path, *, seed: int = 1) -> Path:
    """Write a simulated review folder.

    Parameters
    ----------
    shape : Shape
    directory : path
        Folder to write; it must not exist, or be empty.
    seed : int
        The same seed gives the same bytes.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    CallError
        If the folder holds something, or the shape contradicts itself.
    """
    folder = Path(directory)
    if folder.exists() and any(folder.iterdir()):
        raise CallError(f"The folder {str(directory)!r} is not empty: name a new one.")
    _check(shape)
    with files.directory(folder) as staged:
        _write_review(shape, staged, seed)
    return folder


def _write_review(shape: Shape, folder: Path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    designs = [design for design, count in shape.designs.items() for _ in range(count)]
    rng.shuffle(designs)
    width = max(3, len(str(len(designs))))
    studies = [f"S{i + 1:0{width}d}" for i in range(len(designs))]
    sizes = rng.integers(shape.group_size[0], shape.group_size[1] + 1, len(designs))
    if shape.animals is not None:
        pairs = [i for i, design in enumerate(designs) if len(design) == 1]
        sizes[rng.choice(pairs, 2, replace=False)] = [total // 2 for total in shape.animals]
    _write(folder / "treatments.csv", ("treatment", "label", "class", "role"), _treatments(shape))
    _write(
        folder / "outcomes.csv",
        ("outcome", "label", "kind", "unit", "lower_is_better", "description"),
        ((o.outcome, o.label, "continuous", o.unit, "true", NOTICE) for o in shape.outcomes),
    )
    described = _studies(shape, studies, designs, rng)
    _write(folder / "studies.csv", tuple(described), zip(*described.values(), strict=True))
    _arms(shape, folder, described, designs, sizes, rng)
    _measurements(shape, folder, studies, designs, sizes, rng)
    if shape.judgements:
        _judgements(shape, folder, studies, rng)
    _flow(shape, folder)
    if shape.claims:
        header = ("claim", "text", "query", "operator", "expected")
        _write(folder / "claims.csv", header, shape.claims)
    (folder / "review.toml").write_text(_protocol(shape, seed), encoding="utf-8")


def truth(shape: Shape) -> dict[tuple[str, str], float]:
    """Return the true effect of each treatment against the control, by (outcome, treatment)."""
    return {(o.outcome, name): effect for o in shape.outcomes for name, effect in o.effects.items()}


def _check(shape: Shape) -> None:
    for variable, levels in shape.counts.items():
        if sum(levels.values()) != shape.n_studies:
            raise CallError(
                f"{variable} adds up to {sum(levels.values())}, not to {shape.n_studies} studies."
            )
    for outcome in shape.outcomes:
        able = sum(n for design, n in shape.designs.items() if set(design) <= outcome.effects.keys())
        if able < outcome.n_studies:
            raise CallError(
                f"{able} studies can report {outcome.outcome}, {outcome.n_studies} are asked for."
            )


def _write(path: Path, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.writer(handle, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


def _treatments(shape: Shape) -> Iterable[tuple[str, str, str, str]]:
    yield (shape.control, "Negative control", "control", "control")
    for name, (label, group) in shape.treatments.items():
        yield (name, label, group, "active")


def _studies(
    shape: Shape, studies: list[str], designs: list[tuple[str, ...]], rng: np.random.Generator
) -> dict[str, list[Any]]:
    """Describe every study: the columns of ``studies.csv``."""
    columns: dict[str, list[Any]] = {
        "study": studies,
        "label": [f"Simulated study {study[1:]}" for study in studies],
        "year": [int(year) for year in rng.integers(2008, 2023, len(studies))],
    }
    for variable, levels in shape.counts.items():
        values = [level for level, count in levels.items() for _ in range(count)]
        rng.shuffle(values)
        columns[variable] = values
    if "strain" in columns:
        columns["species"] = [strain.split()[-1] for strain in columns["strain"]]
    if shape.ranges is not None:
        weights, ages = (
            _between(np.array([limits[name] for name in columns["species"]]), rng)
            for limits in (shape.ranges.weight, shape.ranges.age)
        )
        columns["weight"] = [f"{w:.0f} g" if w < 1000 else f"{w / 1000:.1f} kg" for w in weights]
        columns["age"] = [f"{a:.0f} wk" if a < 52 else f"{a / 52:.1f} years" for a in ages]
    columns["cell_type" if shape.name == ALF.name else "compared"] = [
        " and ".join(design) for design in designs
    ]
    return columns


def _between(limits: Array, rng: np.random.Generator) -> Array:
    """Draw a value between the limits of each row, (n, 2); the lowest and the highest limit occur."""
    values = np.exp(rng.uniform(np.log(limits[:, 0]), np.log(limits[:, 1])))
    values[np.argmin(limits[:, 0])] = limits[:, 0].min()
    last = len(limits) - 1 - int(np.argmax(limits[::-1, 1]))
    values[last] = limits[:, 1].max()
    return values


def _arms(
    shape: Shape,
    folder: Path,
    described: Mapping[str, list[Any]],
    designs: list[tuple[str, ...]],
    sizes: Array,
    rng: np.random.Generator,
) -> None:
    header, given = ["study", "arm", "treatment", "n"], [("", "", "")] * len(designs)
    if (ranges := shape.ranges) is not None:
        header += ["dose", "dose_unit", "timing"]
        doses = _between(np.tile(ranges.dose, (len(designs), 1)), rng)
        hours = np.round(24 * _between(np.tile((1 / 24, ranges.delay), (len(designs), 1)), rng))
        when = described.get("transplantation", ["after modelling"] * len(designs))
        given = [
            (f"{float(f'{dose:.1g}'):.0f}", ranges.dose_unit, f"{hour:.0f} h {side}")
            for dose, hour, side in zip(doses, hours, when, strict=True)
        ]
    width = len(header)
    _write(
        folder / "arms.csv",
        header,
        (
            (study, arm, arm, int(size), *(told if arm != shape.control else ("", "", "")))[:width]
            for study, design, size, told in zip(described["study"], designs, sizes, given, strict=True)
            for arm in (*design, shape.control)
        ),
    )


def _reporting(
    shape: Shape, outcome: Outcome, designs: list[tuple[str, ...]], rng: np.random.Generator
) -> Array:
    """Choose the studies that report an outcome: each treatment at least once, if there are enough."""
    able = np.array([i for i, design in enumerate(designs) if set(design) <= outcome.effects.keys()])
    order = rng.permutation(able)
    first: dict[str, int] = {}
    for i in order:
        for name in designs[i]:
            first.setdefault(name, int(i))
    needed = list(dict.fromkeys(first.values()))
    rest = [int(i) for i in order if int(i) not in set(needed)]
    return np.sort(np.array([*needed, *rest][: outcome.n_studies]))


_STATISTICS = ("mean", "sd", "se", "median", "q1", "q3", "ci_lower", "ci_upper")


def _measurements(
    shape: Shape,
    folder: Path,
    studies: list[str],
    designs: list[tuple[str, ...]],
    sizes: Array,
    rng: np.random.Generator,
) -> None:
    header = ("study", "arm", "outcome", "timepoint", "timepoint_unit", "n", *_STATISTICS, "unit", "source",
              "locator", "method", "extractor")  # fmt: skip
    habits = list(shape.habits)
    shares = np.array([shape.habits[name] for name in habits])
    with (folder / "measurements.csv").open("w", encoding="utf-8", newline="") as handle:
        writer = csv.writer(handle, lineterminator="\n")
        writer.writerow(header)
        for number, outcome in enumerate(shape.outcomes):
            chosen = _reporting(shape, outcome, designs, rng)
            habit = rng.choice(habits, len(chosen), p=shares / shares.sum())
            units, factors, weights = _units(outcome)
            unit = rng.choice(len(units), len(chosen), p=weights)
            early = rng.random(len(chosen)) < (0.3 if len(outcome.timepoint) > 1 else 0.0)
            for i, how, u, twice in zip(chosen, habit, unit, early, strict=True):
                n = int(sizes[i])
                means = _true_means(outcome, designs[i], shape.control, rng)
                figure = f"Figure {number + 2}{'ABCDEF'[int(rng.integers(6))]}"
                spread = rng.uniform(*outcome.variation)
                times = outcome.timepoint if twice else outcome.timepoint[-1:]
                for t, day in enumerate(times):
                    share = 1.0 if t == len(times) - 1 else 0.5
                    for arm in (*designs[i], shape.control):
                        true = means[shape.control] + share * (means[arm] - means[shape.control])
                        sample = rng.normal(true, spread * true, n) * factors[u]
                        writer.writerow(
                            (studies[i], arm, outcome.outcome, f"{day:g}", "d", n, *_reported(sample, how),
                             units[u], f"Simulated study {studies[i][1:]}", figure, "figure", "simulation")
                        )  # fmt: skip


def _units(outcome: Outcome) -> tuple[list[str], list[float], Array]:
    names = [outcome.unit, *outcome.other_units]
    factors = [1.0, *(factor for factor, _ in outcome.other_units.values())]
    shares = [share for _, share in outcome.other_units.values()]
    return names, factors, np.array([1.0 - sum(shares), *shares])


def _true_means(
    outcome: Outcome, design: tuple[str, ...], control_arm: str, rng: np.random.Generator
) -> dict[str, float]:
    """Return the true mean of each arm: random effects correlated by half; no mean is below zero."""
    common = rng.normal(0.0, outcome.tau / np.sqrt(2.0))
    effects = {
        name: outcome.effects[name] + common + rng.normal(0.0, outcome.tau / np.sqrt(2.0)) for name in design
    }
    lowest = min(0.0, *effects.values())
    # A mean of an enzyme or cytokine is positive: groups with large reductions come from severe models.
    control = outcome.control * float(np.exp(rng.normal(0.0, 0.25))) - 1.05 * lowest
    return {control_arm: control} | {name: control + effect for name, effect in effects.items()}


def _reported(sample: Array, how: str) -> tuple[str, ...]:
    """Statistics of one group as an article would print them."""
    from scipy.special import stdtrit

    n = len(sample)
    mean, sd = float(sample.mean()), float(sample.std(ddof=1))
    cells = dict.fromkeys(_STATISTICS, "")
    if how == "median":
        q1, median, q3 = (float(q) for q in np.quantile(sample, [0.25, 0.5, 0.75]))
        cells |= {"median": _digits(median), "q1": _digits(q1), "q3": _digits(q3)}
    else:
        cells["mean"] = _digits(mean)
        if how == "ci":
            half = float(stdtrit(n - 1, 0.975)) * sd / np.sqrt(n)
            cells |= {"ci_lower": _digits(mean - half), "ci_upper": _digits(mean + half)}
        else:
            cells[how] = _digits(sd if how == "sd" else sd / np.sqrt(n))
    return tuple(cells[name] for name in _STATISTICS)


def _digits(value: float) -> str:
    """Print four significant digits, without an exponent."""
    return np.format_float_positional(value, 4, unique=False, fractional=False, trim="-")


def _judgements(shape: Shape, folder: Path, studies: list[str], rng: np.random.Generator) -> None:
    low = {
        item: set(rng.choice(len(studies), count, replace=False).tolist())
        for item, count in shape.judgements.items()
    }
    _write(
        folder / "risk_of_bias.csv",
        ("study", "tool", "item", "judgement", "support", "assessor"),
        (
            (study, "SYRCLE", item, "low" if i in low[item] else "unclear", "simulated", "simulation")
            for i, study in enumerate(studies)
            for item in shape.judgements
        ),
    )


def _flow(shape: Shape, folder: Path) -> None:
    """Write the boxes of the flow diagram; of the twin, the first and the last number are the paper's."""
    n = shape.n_studies
    found = 5436 if shape.name == ALF.name else 20 * n
    duplicates, assessed = int(0.38 * found), n + int(0.6 * n)
    screened, sought = found - duplicates, assessed + 11
    reasons = {"Not acute liver failure": 0.4, "No outcome of interest": 0.35, "No control group": 0.25}
    excluded = assessed - n
    parts = [int(share * excluded) for share in reasons.values()]
    parts[0] += excluded - sum(parts)
    rows: list[tuple[str, int, str]] = [
        ("database_results", found, ""),
        ("duplicates", duplicates, ""),
        ("records_screened", screened, ""),
        ("records_excluded", screened - sought, ""),
        ("dbr_sought_reports", sought, ""),
        ("dbr_notretrieved_reports", sought - assessed, ""),
        ("dbr_assessed", assessed, ""),
        *(("dbr_excluded", part, reason) for reason, part in zip(reasons, parts, strict=True)),
        ("new_studies", n, ""),
    ]
    _write(folder / "flow.csv", ("box", "n", "reason"), rows)


def _protocol(shape: Shape, seed: int) -> str:
    network = [name for name in shape.treatments if all(name in o.effects for o in shape.outcomes)]
    nodes = ", ".join(f'"{name}"' for name in (*network, shape.control))
    lines = [
        f'title = "{shape.title}"',
        f'question = "{shape.question}"',
        f'source = "{NOTICE} Made by `evidence simulate` with seed {seed}."',
        *([f'citation = "{shape.reference}"'] if shape.reference else []),
        "synthetic = true",
        "",
        "[protocol]",
        f'reference = "{shape.control}"',
        'timepoint = "last"',
        f"seed = {seed}",
    ]
    classes = sorted({group for _, group in shape.treatments.values()})
    for outcome in shape.outcomes:
        lines += [
            "",
            "[[protocol.analysis]]",
            f'name = "{outcome.outcome}-pairwise"',
            'kind = "pairwise"',
            f'outcome = "{outcome.outcome}"',
            'measure = "MD"',
            f'treatment = "{classes[0]}"',
            f'versus = "{shape.control}"',
            'subgroup = "treatment"',
            'tau2 = "DL"',
            'ci = "Wald"',
            "leave_one_out = true",
            "",
            "[[protocol.analysis]]",
            f'name = "{outcome.outcome}-network"',
            'kind = "network"',
            f'outcome = "{outcome.outcome}"',
            'measure = "MD"',
            'engine = "exact"',
            'model = "both"',
            f"treatments = [{nodes}]",
            f'tau_prior = "uniform(0, {5 * outcome.tau:g})"',
            f"effect_prior_sd = {100 * outcome.tau:g}",
            "node_split = true",
            "leave_one_out = true",
            *(["chains = true"] if shape.chains else []),
        ]
    for number, title, shows in shape.figures:
        names = ", ".join(f'"{name}"' for name in shows)
        lines += [
            "",
            "[[protocol.figure]]",
            f'number = "{number}"',
            f'title = "{title}"',
            f"shows = [{names}]",
        ]
    return "\n".join(lines) + "\n"
