"""Because of which row: each number and sentence that moved, attributed to what changed, by exact refits.

Every attribution is of refits: the evidence as it was with some of the changes made
(`evidence.living.mixed`), read by the question and fitted by the engine like any other. With up to eight
groups of changes that bear on an analysis all their subsets are fitted, and each group's part is its Shapley
value: what it adds on average over all orders in which the changes could have been made. It is the only
division that adds up, treats alike what acts alike, and gives nothing to what does nothing (Shapley 1953, in
Contributions to the Theory of Games II, pp. 307-317). With more groups a part is what the number would move
back by without that group alone; what the groups do together is a row of its own.

A sentence has no parts: it is turned by each smallest set of changes that, made in the old state, makes it
say what it says now.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from math import factorial
from typing import TYPE_CHECKING, Any

from analysis.living.moved import numbers
from analysis.plan import engine_parameters, fitted, planned_options
from evidence import facts
from evidence.errors import EvidenceError
from evidence.folder.options import ALL_OUTCOMES
from evidence.living.difference import Change
from evidence.living.mixed import Applied, Between, Group
from evidence.question import Question, important_difference, read
from evidence.results import Run
from evidence.system.frames import records

if TYPE_CHECKING:
    import pandas as pd

    from evidence.query import EvidenceBase

__all__ = ["COLUMNS", "MOST", "because", "least"]

MOST = 8
"""Groups of changes of which all subsets are fitted: 256 refits of each analysis."""

COLUMNS = (
    "analysis", "quantity", "model", "treatment", "versus", "evidence", "level", "main", "movement",
    "set_number", "position", "because", "part", "method", "changed_table", "study", "outcome", "arm",
    "n_changes", "n_refits", "note",
)  # fmt: skip
"""Columns of `because`, as those of table ``change_because``."""

_KEY = ("quantity", "model", "treatment", "versus", "evidence", "level")
IMPORTANT = "smallest_important_difference"
"""Where the specification of a refit has what it was of its outcome then, on the analysis scale."""
_INSTEAD = "exact"
"""Engine that stands for one that samples."""
_NOTHING = 1e-12
"""A part, against the numbers it is a difference of, that is rounding."""

_Key = tuple[Any, ...]
_Values = dict[_Key, float]


def because(
    old: EvidenceBase,
    new: EvidenceBase,
    changes: Sequence[Change],
    moved: pd.DataFrame,
    turned: pd.DataFrame | None = None,
    said: Said | None = None,
    *,
    most: int = MOST,
    progress: Callable[[str], None] | None = None,
) -> pd.DataFrame:
    """Attribute what moved to what changed.

    Parameters
    ----------
    old, new : EvidenceBase
    changes : sequence of Change
        As `evidence.living.difference.changes` finds them.
    moved : DataFrame
        As `analysis.living.moved.moved` gives it; numbers that both states have are attributed.
    turned : DataFrame, optional
        Conclusions that turned: kind, analysis, treatment, versus, before, after (their states in few words).
    said : callable, optional
        Gives of a refit, and of the smallest important difference it was made with, the state of each of its
        conclusions by (kind, treatment, versus).
    most : int
        Up to so many groups that bear on an analysis all subsets of them are fitted.
    progress : callable, optional
        Called with a few words before each refit.

    Returns
    -------
    DataFrame
        With `COLUMNS`: the parts of each number, largest first (``position``), which sum to its movement, on
        the analysis scale and in the new unit. ``method`` is "Shapley", "without it" (one at a time),
        "remainder" (what groups do together, or what could not be told apart: ``note`` says why), "names and
        units" (what refits under new names and in new units give otherwise) or "chains" (what Markov chains
        moved otherwise than the exact engine by which they are attributed). Of a conclusion (``quantity`` is
        its kind) ``part`` is empty: ``method`` is "alone" or "together", and rows with one ``set_number`` are
        the changes that turn it together.

    Notes
    -----
    A refit of a network of 25 studies takes about 0.15 s, all subsets of eight groups half a minute; only
    groups that change what enters an analysis count for it.

    Examples
    --------
    >>> import evidence
    >>> from analysis import plan
    >>> from analysis.living.because import because
    >>> from analysis.living.moved import moved
    >>> with evidence.open("diabetes") as db:
    ...     len(because(db, db, [], moved([], [])))
    0
    """
    import pandas as pd

    both = records(moved[moved["change"] == "changed"])
    of_runs = [] if turned is None or said is None else records(turned[turned["kind"].isin(KINDS)])
    rows: list[dict[str, Any]] = []
    if both or of_runs:
        with Between(old, new, changes) as between:
            refits = Refits(between, most=most, progress=progress)
            for analysis in dict.fromkeys(str(row["analysis"]) for row in (*both, *of_runs)):
                if between.plan(analysis, between.all) is None:
                    continue
                mine = [row for row in both if row["analysis"] == analysis]
                rows += _of_analysis(refits, analysis, mine) if mine else []
                for row in of_runs:
                    if row["analysis"] == analysis and said is not None:
                        rows += _of_conclusion(refits, row, said)
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype(object).where(lambda cells: cells.notna(), None)


KINDS = ("effect", "importance", "best", "order")
"""Conclusions that are drawn from a run, and turned by refits."""

Said = Callable[[Run, float | None], Mapping[tuple[str, str | None, str | None], str | None]]


@dataclass
class Refits:
    """Refits of the planned analyses in states between two, each made once.

    Attributes
    ----------
    between : Between
    most : int
        Groups of which all subsets are fitted.
    progress : callable or None
    """

    between: Between
    most: int = MOST
    progress: Callable[[str], None] | None = None
    _kept: dict[tuple[str, Applied], Run | EvidenceError] = field(default_factory=dict)
    _bearing: dict[str, tuple[int, ...]] = field(default_factory=dict)
    _shared: bool | None = None

    def bearing(self, analysis: str) -> tuple[int, ...]:
        """Places of the groups that bear on an analysis: that change anything of what enters it."""
        if analysis not in self._bearing:
            self._bearing[analysis] = tuple(self._find_bearing(analysis))
        return self._bearing[analysis]

    def run(self, analysis: str, applied: Iterable[int]) -> Run:
        """Fit an analysis with some of the groups that bear on it made, and all that do not.

        Raises
        ------
        EvidenceError
            If it is refused.
        """
        made = frozenset(applied) | (self.between.all - set(self.bearing(analysis)))
        if (analysis, made) not in self._kept:
            if self.progress is not None:
                self.progress(f"{analysis}: refit {self.count(analysis) + 1}")
            with self.between.made(made) as db:
                try:
                    self._kept[analysis, made] = _fit(db, self._row(analysis, made))
                except EvidenceError as error:
                    self._kept[analysis, made] = error
        found = self._kept[analysis, made]
        if isinstance(found, EvidenceError):
            raise found
        return found

    def count(self, analysis: str) -> int:
        """Count the refits of an analysis so far."""
        return sum(name == analysis for name, _ in self._kept)

    def subsets(self, analysis: str) -> list[Applied] | None:
        """All subsets of the groups that bear on an analysis; None where there are too many."""
        places = self.bearing(analysis)
        if len(places) > self.most:
            return None
        return [frozenset(some) for n in range(len(places) + 1) for some in combinations(places, n)]

    def by_chains(self, analysis: str) -> bool:
        """Whether the planned engine samples, and the exact one stands for it."""
        return _samples(self._row(analysis, self.between.all))

    def _row(self, analysis: str, made: Applied) -> Mapping[str, Any]:
        row = self.between.plan(analysis, made)
        assert row is not None  # A number of it is there before and after.
        return row

    def _find_bearing(self, analysis: str) -> Iterable[int]:
        rows = [self._row(analysis, made) for made in (self.between.all, frozenset[int]())]
        of_studies: set[int] = set()
        whole = any(row["treatments"] == ALL_OUTCOMES or "study" in str(row["where_sql"]) for row in rows)
        if self._shared is None:
            self._shared = self.between.shared_rules_hold()
        for row, made in zip(rows, (self.between.all, frozenset[int]())):
            with self.between.every_version(made) as (db, pairs):
                if whole or not self._shared:
                    of_studies |= set(pairs)
                else:
                    said = _entering(db, row)
                    of_studies |= {
                        place
                        for place, told in pairs.items()
                        if said is None or any(said.get(one) != said.get(other) for one, other in told)
                    }
        outcomes = {row["outcome"] for row in rows}
        for place, group in enumerate(self.between.groups):
            if place in of_studies or _bears(group, analysis, outcomes):
                yield place


def _samples(row: Mapping[str, Any]) -> bool:
    """Whether a planned analysis is by Markov chains: by an engine that needs what draws them."""
    return row["kind"] == "network" and bool(facts.engine(row["engine"]).needs)


def _bears(group: Group, analysis: str, outcomes: set[str]) -> bool:
    """Whether a change of a row that is not a study's can bear on an analysis."""
    if group.table == "plan":
        return group.name == f"analysis {analysis}"
    if group.table == "outcome":
        return group.outcome in outcomes
    return group.study is None


def _entering(db: EvidenceBase, row: Mapping[str, Any]) -> dict[str, Hashable] | None:
    """Everything of each study that enters a planned analysis; None where nothing can be read."""
    try:
        body = read(db, Question.of_plan(row))
    except EvidenceError:
        return None
    used = " ".join(str(row[name]) for name in ("subgroup", "moderators", "covariates", "cumulative"))
    variables = [str(name) for name in body.variables if str(name) in used]
    of_study: dict[str, list[Any]] = {}
    unsaid = {"study", "contrast_id", "block", "measurement_ids", "reported_contrast_id"}
    contrasts = records(body.contrasts)
    which = {one["contrast_id"]: one for one in contrasts}
    for one, described in zip(contrasts, records(body.variables)):
        said = [(name, value) for name, value in one.items() if name not in unsaid]
        of_study.setdefault(one["study"], []).append((said, [described[name] for name in variables]))
    for one in records(body.covariance):
        first, second = which[one["contrast_1"]], which[one["contrast_2"]]
        arms = [first["arm_a"], first["arm_b"], second["arm_a"], second["arm_b"]]
        of_study.setdefault(first["study"], []).append((arms, one["arm_shared"], one["covariance"]))
    unsaid = {"study", "measurement_id", "block"}
    for one in records(body.arms):
        of_study[one["study"]].append([(name, value) for name, value in one.items() if name not in unsaid])
    return {study: tuple(sorted(map(repr, said))) for study, said in of_study.items()}


def _fit(db: EvidenceBase, row: Mapping[str, Any]) -> Run:
    """Fit a planned analysis, with the frames of what is attributed."""
    options = planned_options(row)
    if _samples(row):
        theirs = engine_parameters(row["engine"]) - engine_parameters(_INSTEAD)
        options = {name: value for name, value in options.items() if name not in theirs}
        options |= {"engine": _INSTEAD, "model": "random"}
    fit, asked = fitted(db, row["kind"], options)
    network = row["kind"] == "network"
    (of,) = db.kept_rows("select * from outcome where outcome = ?", [asked["outcome"]])
    how = facts.measure(asked["measure"])
    data: Any = fit.network if network else fit.contrasts  # type: ignore[union-attr]
    frames = {"estimates": fit.estimates(), "heterogeneity": fit.heterogeneity()}
    if network:
        frames["ranking"] = fit.ranking()  # type: ignore[union-attr]
    return Run(
        kind=row["kind"],
        engine=asked.get("engine") or "frequentist",
        outcome=asked["outcome"],
        measure=asked["measure"],
        scale=data.scale,
        specification={"smd": asked.get("smd"), IMPORTANT: important_difference(of, how)},
        input_hash="",
        frames=frames,
        analysis=row["analysis"],
        unit=data.unit,
        lower_is_better=data.lower_is_better,
        treatment=None if network else data.treatment,
        versus=None if network else data.versus,
        reference=data.reference if network else None,
        n_studies=len({study for study, _ in data.studies}) if network else len(fit.studies),  # type: ignore[union-attr]
    )


def _of_analysis(refits: Refits, analysis: str, moved: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Attribute every number of one analysis that moved."""
    places = refits.bearing(analysis)
    reference = refits.run(analysis, places).reference
    refused: dict[Applied, str] = {}
    known: dict[Applied, _Values] = {}

    def values(made: Applied) -> _Values:
        if made not in known:
            try:
                found = numbers(refits.run(analysis, made), {}, reference)
                known[made] = {key: cell[0] for key, cell in found.items() if cell[0] is not None}
            except EvidenceError as error:
                known[made], refused[made] = {}, error.message
        return known[made]

    everything = frozenset(places)
    subsets = refits.subsets(analysis)
    if subsets is None:
        needed = [everything, frozenset(), *(everything - {place} for place in places)]
    else:
        needed = subsets
    for made in needed:
        values(made)
    rows: list[dict[str, Any]] = []
    for number in moved:
        key = tuple(number[name] for name in _KEY)
        of = {made: found[key] for made, found in known.items() if key in found}
        about = {name: number[name] for name in ("analysis", *_KEY, "main")}
        parts = list(_parts(refits, analysis, number, of, subsets is not None, refused))
        parts.sort(key=lambda part: (part["method"] in _LAST, -abs(part["part"]), part["because"]))
        rows += [
            about | {"position": position, "movement": _movement(number), "n_refits": len(known)} | part
            for position, part in enumerate(parts, 1)
        ]
    return rows


_LAST = ("remainder", "names and units", "chains")


def _movement(number: Mapping[str, Any]) -> float:
    return float(number["after"]) - float(number["before"]) * float(number.get("factor") or 1.0)


def _parts(
    refits: Refits,
    analysis: str,
    number: Mapping[str, Any],
    of: Mapping[Applied, float],
    every: bool,
    refused: Mapping[Applied, str],
) -> Iterable[dict[str, Any]]:
    """Parts of one movement; they sum to it."""
    places = refits.bearing(analysis)
    whole, nothing = frozenset(places), frozenset[int]()
    scale = max(abs(float(number["before"])), abs(float(number["after"])), 1e-300)
    movement, left = _movement(number), _movement(number)
    note = None
    if whole in of and nothing in of:
        explained = of[whole] - of[nothing]
        if refits.by_chains(analysis):
            left -= movement - explained
            yield _other("the simulation of Markov chains", movement - explained, "chains", _BY_EXACT)
        elif refits.between.renamed or refits.between.converted:
            apart = of[nothing] - (float(number["after"]) - movement)
            if abs(apart) > _NOTHING * scale:
                left -= apart
                yield _other("names and units", apart, "names and units", None)
    parts: dict[int, float] = {}
    if every and len(of) == 2 ** len(places):
        parts, method = shapley(places, of), "Shapley"
    elif whole in of:
        method = "without it"
        parts = {place: of[whole] - of[whole - {place}] for place in places if whole - {place} in of}
        note = _why_not(refits, places, of, refused, every)
    for place, part in parts.items():
        left -= part
        if abs(part) > _NOTHING * scale:
            yield _of_group(refits.between.groups[place], part, method)
        else:
            left += part
    if abs(left) > _NOTHING * scale or not parts:
        yield _other(_TOGETHER if parts else "all changes together", left, "remainder", note)


_TOGETHER = "what changes do together"
_BY_EXACT = (
    "Markov chains are attributed by the exact engine's refits; this row is what they moved otherwise."
)


def _why_not(
    refits: Refits,
    places: Sequence[int],
    of: Mapping[Applied, float],
    refused: Mapping[Applied, str],
    every: bool,
) -> str | None:
    """Say why parts are not those of all subsets."""
    if not every:
        return f"{len(places)} groups of changes: each was taken back by itself; no other subset was fitted."
    whole = frozenset(places)
    names = [refits.between.groups[place].name for place in places if whole - {place} not in of]
    said = next((refused[whole - {place}] for place in places if whole - {place} in refused), None)
    if names:
        why = f": {said}" if said else ""
        return f"Without {', '.join(names)} there is no such number{why}"
    return "With some of the changes alone there is no such number."


def _of_conclusion(refits: Refits, row: Mapping[str, Any], said: Said) -> Iterator[dict[str, Any]]:
    """Give the smallest sets of changes that turn a conclusion."""
    analysis, key = str(row["analysis"]), (row["kind"], row["treatment"], row["versus"])
    places = frozenset(refits.bearing(analysis))
    states: dict[Applied, str | None] = {}
    for made in (frozenset(), places, *_tried(refits, analysis)):
        if made not in states:
            try:
                run = refits.run(analysis, made)
                states[made] = said(run, run.specification[IMPORTANT]).get(key)
            except EvidenceError:
                states[made] = None
    about: dict[str, Any] = {"analysis": analysis, "quantity": row["kind"], "treatment": row["treatment"]}
    about |= {"versus": row["versus"], "main": True, "n_refits": len(states)}
    if (states[frozenset()], states[places]) != (row["before"], row["after"]):
        note = "Refits do not say what the runs say: they are of names, units or Markov chains."
        yield about | {
            "set_number": 1,
            "position": 1,
            "because": "all changes together",
            "method": "together",
            "note": note,
        }
        return
    sets = least(made for made, state in states.items() if state == row["after"])
    several = f"{len(places)} groups of changes: {len(states)} sets of them were tried."
    tried = None if refits.subsets(analysis) is not None else several
    for number, made in enumerate(sets, 1):
        for position, place in enumerate(sorted(made), 1):
            part = _of_group(refits.between.groups[place], None, "alone" if len(made) == 1 else "together")
            yield about | {"set_number": number, "position": position, "note": tried} | part


def _tried(refits: Refits, analysis: str) -> Iterable[Applied]:
    """List the sets of changes that are tried: all, or single ones and, where there is room, pairs."""
    subsets = refits.subsets(analysis)
    if subsets is not None:
        return subsets
    places = refits.bearing(analysis)
    alone = [frozenset((place,)) for place in places]
    pairs = [frozenset(pair) for pair in combinations(places, 2)]
    room = len(pairs) <= 2**refits.most and all(map(refits.between.has, pairs))
    return [*alone, *(pairs if room else [])]


def _of_group(group: Group, part: float | None, method: str) -> dict[str, Any]:
    return {
        "because": group.name,
        "part": part,
        "method": method,
        "changed_table": group.table,
        "study": group.study,
        "outcome": group.outcome,
        "arm": group.arm,
        "n_changes": len(group.changes),
    }


def _other(name: str, part: float, method: str, note: str | None) -> dict[str, Any]:
    return {"because": name, "part": part, "method": method, "note": note}


def shapley(places: Sequence[int], of: Mapping[Applied, float]) -> dict[int, float]:
    """Divide what changes make together among them.

    Parameters
    ----------
    places : sequence of int
        The changes.
    of : mapping of frozenset of int to float
        The number with each subset of them made.

    Returns
    -------
    dict of int to float
        Each one's mean contribution over all orders; they sum to the number with all less that with none.

    Examples
    --------
    >>> from analysis.living.because import shapley
    >>> made = {frozenset(): 0.0, frozenset({0}): 1.0, frozenset({1}): 0.0, frozenset({0, 1}): 3.0}
    >>> shapley([0, 1], made)
    {0: 2.0, 1: 1.0}
    """
    n = len(places)
    weights = [factorial(size) * factorial(n - size - 1) / factorial(n) for size in range(n)]
    parts = dict.fromkeys(places, 0.0)
    for made, value in of.items():
        for place in places:
            if place in made:
                parts[place] += weights[len(made) - 1] * value
            else:
                parts[place] -= weights[len(made)] * value
    return parts


def least(turned: Iterable[Applied]) -> list[Applied]:
    """Give, of sets of changes that turn a sentence, those of which no part does, the smallest first.

    Examples
    --------
    >>> from analysis.living.because import least
    >>> least([frozenset({1, 2}), frozenset({0}), frozenset({0, 1})])
    [frozenset({0}), frozenset({1, 2})]
    """
    found: list[Applied] = []
    for made in sorted(turned, key=lambda some: (len(some), sorted(some))):
        if not any(smaller <= made for smaller in found):
            found.append(made)
    return found
