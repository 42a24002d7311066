"""Generated evidence for one question, and twins of it from which the same conclusions must follow.

An evidence set is everything that a review has on one outcome: its own studies, arms, treatments, measurements,
reported contrasts, direction, unit and questions. Many sets stand side by side in one review folder, which is built
once: what one question reads is its own set and nothing else, and that, too, is what the comparisons show.
"""

from __future__ import annotations

import copy
import csv
import json
import random
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

Row = dict[str, Any]

LETTERS = "abcdef"
CONTINUOUS = ("mean", "sd", "se", "median", "q1", "q3", "ci_lower", "ci_upper")
MEASURES = {
    "continuous": ("MD", "SMD", "ROM", "NMD"),
    "binary": ("OR", "RR", "RD"),
    "rate": ("IRR", "IRD"),
    "time_to_event": ("HR",),
}
RATIOS = {"ROM", "OR", "RR", "IRR", "HR"}
IN_UNIT = {"MD", "IRD"}
"""Measures whose effects change with the unit."""


@dataclass
class EvidenceSet:
    """Rows of every file about one outcome, and what is asked of them."""

    key: str
    kind: str
    measure: str
    outcome: Row
    treatments: list[Row]
    studies: list[Row]
    arms: list[Row]
    measurements: list[Row]
    contrasts: list[Row]
    pairwise: Row
    network: Row
    others: list[Row] = field(default_factory=list)
    """Further outcomes."""

    def questions(self) -> Iterable[tuple[str, Row]]:
        """Return the question that is asked, with its kind: half of the sets are pooled, half are networks."""
        return (("pairwise", self.pairwise), ("network", self.network))[int(self.key[1:]) // 5 % 2 :][:1]


def _text(value: float, digits: int = 4) -> Decimal:
    return Decimal(f"{value:.{digits}g}")


def make(seed: int, index: int) -> EvidenceSet:
    """Generate one evidence set; the same for the same seed and index, whatever stands beside it."""
    r = random.Random(f"{seed}/{index}")
    key = f"k{index:05d}"
    kind = r.choices(list(MEASURES), (0.45, 0.28, 0.1, 0.17))[0]
    measure = r.choice(MEASURES[kind])
    n_treatments = r.choice((2, 3, 3, 4, 4, 5, 6))
    letters = LETTERS[:n_treatments]
    names = {letter: f"{key}t{letter}" for letter in letters}
    control = r.choice(letters)
    sham = r.choice([x for x in letters if x != control]) if measure == "NMD" and n_treatments > 2 else None
    effect = {x: 0.0 if x == control else r.gauss(0, r.choice((0.02, 0.5, 1.2))) for x in letters}
    if sham:
        effect[sham] = r.choice((-4.0, 4.0))
    tau, every = r.choice((0.0, 0.1, 0.5)), r.random() < 0.3
    halves = (letters[: n_treatments // 2], letters[n_treatments // 2 :])
    apart = n_treatments > 3 and r.random() < 0.12 and measure != "NMD"
    several_times = r.random() < 0.35
    level, spread = r.choice((0.02, 4.0, 30.0, 900.0)), r.choice((0.05, 0.15, 0.4))
    same_n = r.choice((None, None, 8, 40))
    studies, arms, measurements, contrasts = [], [], [], []
    for number in range(r.choice((1, 1, 2, 2, 3, 4, 5, 6, 8, 10, 12))):
        study = f"{key}s{LETTERS[number // 6]}{LETTERS[number % 6]}"
        studies.append(
            {
                "study": study, "label": f"L{study}", "year": 2000 + r.randrange(20), "grp": r.choice("pq"),
                "weightless": r.randrange(1, 9),
            }
        )  # fmt: skip
        pool = r.choice(halves) if apart else letters
        take = min(len(pool), len(letters) if every else r.choice((2, 2, 2, 3, 4)))
        chosen = r.sample(pool, max(2, take)) if len(pool) > 1 else list(letters)
        if control not in chosen and control in pool and r.random() < 0.7:
            chosen[0] = control
        if sham:
            chosen = list(dict.fromkeys([control, sham, *chosen]))
        experiments = ("main", "second") if r.random() < 0.06 else ("main",)
        for experiment in experiments:
            shift = {x: effect[x] + r.gauss(0, tau) for x in letters}
            members = [(x, "") for x in chosen]
            if r.random() < 0.15:
                members.append((r.choice(chosen), "2"))
            rows = []
            for x, more in members:
                rows.append(
                    {
                        "study": study, "experiment": experiment, "arm": f"{key}a{x}{more}", "treatment": names[x],
                        "n": same_n or r.choice((2, 3, 5, 8, 12, 20, 45, 130)), "_shift": shift[x],
                    }
                )  # fmt: skip
            arms += rows
            unit = r.choice(("d", "d", "h"))
            for day in r.sample((1, 2, 5), r.choice((1, 2, 3))) if several_times else (None,):
                when: Row = {}
                if day is not None:
                    when = {"timepoint": day * (24 if unit == "h" else 1), "timepoint_unit": unit}
                if kind == "time_to_event" or (r.random() < 0.12 and measure != "NMD"):
                    contrasts += _reported(r, rows, key, measure, when)
                else:
                    measurements += _measured(r, rows, key, kind, when, level, spread)
    event = kind == "time_to_event"
    way = r.choice(("true", "false", "true", "false", ""))
    important = r.choice(("", "", "1.2")) if kind != "continuous" else r.choice(("", _text(level / 10)))
    outcome = {
        "outcome": key, "label": f"L{key}", "kind": kind,
        "unit": r.choice(("mg", "mm", "")) if kind == "continuous" else "",
        "lower_is_better": "" if event else way,
        "event_is_bad": (way or "true") if event else "",
        "smallest_important_difference": important,
    }  # fmt: skip
    role = {control: "control"} | ({sham: "sham"} if sham else {})
    treatments = [
        {"treatment": names[x], "label": f"L{names[x]}", "role": role.get(x, "active")} for x in letters
    ]
    asked = r.sample([x for x in letters if x != sham], 2) if n_treatments > 2 else list(letters)
    if control not in asked and r.random() < 0.6:
        asked[1] = control
    shared: Row = {"outcome": key, "measure": measure}
    shared["timepoint"] = r.choice(("first", "last", "nearest:2 d")) if several_times else "last"
    if r.random() < 0.25:
        shared["where"] = r.choice(("grp = 'p'", "year > 2008", "weightless < 5 and grp = 'q'"))
    pairwise = shared | {"treatment": names[asked[0]], "versus": names[asked[1]]}
    pairwise |= {"ci": r.choice(("HK", "HK", "Wald")), "tau2": r.choice(("REML", "REML", "DL", "PM"))}
    if r.random() < 0.1:
        pairwise["by"] = "grp"
    engine = r.choices(("frequentist", "exact"), (0.93, 0.07))[0]
    if measure in ("OR", "IRR") and r.random() < 0.04:
        engine = "counts"
    network = shared | {"engine": engine}
    # What is assumed before the data is said of effects against the reference, which names may choose.
    if engine != "frequentist" or r.random() < 0.8:
        network["reference"] = names[control]
    if n_treatments > 3 and r.random() < 0.2:
        network["treatments"] = [names[x] for x in sorted({control, *r.sample(letters, 3)})]
    if measure == "SMD":
        network["smd"] = r.choice("dg")
    if engine == "frequentist":
        network |= {"node_split": r.random() < 0.2, "leave_one_out": r.random() < 0.2}
    return EvidenceSet(
        key, kind, measure, outcome, treatments, studies, arms, measurements, contrasts, pairwise, network
    )


def _measured(
    r: random.Random, rows: list[Row], key: str, kind: str, when: Row, level: float, spread: float
) -> list[Row]:
    """Statistics of each arm as a paper prints them."""
    found = []
    base = r.choice((0.02, 0.15, 0.5, 0.9, 0.98))
    for row in rows:
        n, shift = row["n"], row["_shift"]
        cells: Row = {"n": n}
        if kind == "continuous":
            sd = level * spread * r.uniform(0.6, 1.6)
            mean = max(level * (1 + spread * (shift + r.gauss(0, n**-0.5))), level * 0.01)
            how = r.random()
            cells["mean"] = _text(mean)
            if how < 0.6:
                cells["sd"] = _text(sd)
            elif how < 0.8:
                cells["se"] = _text(sd / n**0.5)
            elif how < 0.88:
                half = Decimal(f"{1.96 * sd / n**0.5:.4g}")
                cells |= {"ci_lower": cells["mean"] - half, "ci_upper": cells["mean"] + half}
            elif how < 0.95 and n > 4:
                cells = {
                    "n": n,
                    "median": _text(mean),
                    "q1": _text(mean - 0.67 * sd),
                    "q3": _text(mean + 0.67 * sd),
                }
            elif how < 0.98:
                cells["sd"] = Decimal(0)
        elif kind == "binary":
            odds = base / (1 - base) * 2.718281828**shift
            cells["events"] = sum(r.random() < odds / (1 + odds) for _ in range(n))
        else:
            exposure = _text(n * r.uniform(0.5, 3), 3)
            cells["events"] = max(0, round(base * float(exposure) * 2.718281828**shift + r.gauss(0, 1)))
            cells["exposure"] = exposure
        about = {name: row[name] for name in ("study", "experiment", "arm")}
        found.append(about | {"outcome": key, **when, **cells})
    return found


def _reported(r: random.Random, rows: list[Row], key: str, measure: str, when: Row) -> list[Row]:
    """Contrasts against the first arm, with the covariance that they share."""
    found = []
    first, *others = rows
    var_base = _text(r.uniform(0.005, 0.03), 3)
    for row in others:
        se = _text((float(var_base) + r.uniform(0.005, 0.2)) ** 0.5, 3)
        estimate = _text(row["_shift"] - first["_shift"] + r.gauss(0, float(se)), 3)
        cells: Row = {"estimate": estimate, "se": se}
        if measure in RATIOS:
            cells |= {"scale": "log"}
        if len(others) > 1:
            cells["var_base"] = var_base
        about = {"study": first["study"], "experiment": first["experiment"]}
        about |= {"arm_a": row["arm"], "arm_b": first["arm"], "outcome": key, "measure": measure}
        found.append(about | when | cells)
    return found


# --- twins --------------------------------------------------------------------------------------------------


def by_unit(one: EvidenceSet, power: int) -> EvidenceSet:
    """Write a continuous outcome, or the time at risk of a rate, in another power of ten."""
    two = copy.deepcopy(one)

    def scale(row: Row, names: Iterable[str], k: int) -> None:
        for name in names:
            if isinstance(row.get(name), Decimal):
                row[name] = row[name].scaleb(k)

    for row in two.measurements:
        scale(row, CONTINUOUS, power)
        scale(row, ["exposure"], power)
    for row in two.contrasts:
        if one.measure in IN_UNIT:
            k = power if one.measure == "MD" else -power
            scale(row, ("estimate", "se"), k)
            scale(row, ("var_base",), 2 * k)
    if one.kind == "continuous":
        scale(two.outcome, ["smallest_important_difference"], power)
        two.outcome["unit"] = ""
    return two


def mixed_units(one: EvidenceSet, r: random.Random) -> EvidenceSet:
    """Let each study print its means in a unit of its own."""
    two = copy.deepcopy(one)
    powers = {"mg": {"mg": 0, "g": -3, "ug": 3}, "mm": {"mm": 0, "cm": -1, "m": -3}}.get(one.outcome["unit"])
    if powers is None or one.kind != "continuous":
        return two
    units = {study["study"]: r.choice(list(powers)) for study in two.studies}
    for row in two.measurements:
        row["unit"] = units[row["study"]]
        for name in CONTINUOUS:
            if isinstance(row.get(name), Decimal):
                row[name] = row[name].scaleb(powers[row["unit"]])
    return two


def in_another_order(one: EvidenceSet, r: random.Random) -> EvidenceSet:
    """Shuffle the rows of every file."""
    two = copy.deepcopy(one)
    for rows in (two.treatments, two.studies, two.arms, two.measurements, two.contrasts):
        r.shuffle(rows)
    return two


_NAME = re.compile(r"(k\d{5})(t[a-f]|s[a-f][a-f]|a[a-f]2?)(?![a-z0-9])")


def renamed(text: str) -> str:
    """Give the names of treatments, studies and arms in the order of the alphabet reversed; twice gives the first."""

    def other(match: re.Match[str]) -> str:
        head, tail = match[1], match[2]
        return (
            head + tail[0] + "".join(LETTERS[::-1][LETTERS.index(c)] if c in LETTERS else c for c in tail[1:])
        )

    return _NAME.sub(other, text)


def by_other_names(one: EvidenceSet) -> EvidenceSet:
    """Rename treatments, studies and arms so that their order is reversed."""
    two = copy.deepcopy(one)

    def through(value: Any) -> Any:
        if isinstance(value, str):
            return renamed(value)
        if isinstance(value, list):
            return [through(item) for item in value]
        if isinstance(value, dict):
            return {name: through(item) for name, item in value.items()}
        return value

    for name in ("treatments", "studies", "arms", "measurements", "contrasts", "pairwise", "network"):
        setattr(two, name, through(getattr(two, name)))
    return two


def reversed_direction(one: EvidenceSet) -> EvidenceSet:
    """Say that what was better is worse."""
    two = copy.deepcopy(one)
    for name in ("lower_is_better", "event_is_bad"):
        two.outcome[name] = {"true": "false", "false": "true"}.get(two.outcome[name], "")
    return two


def with_irrelevant_rows(one: EvidenceSet, r: random.Random) -> EvidenceSet:
    """Add another outcome, studies of treatments that are not asked about, and studies without data."""
    two = copy.deepcopy(one)
    other = one.key.replace("k", "x")
    kind = r.choice(("continuous", "binary"))
    two.others.append({"outcome": other, "label": f"L{other}", "kind": kind, "lower_is_better": "true"})
    for arm in one.arms:
        cells = {"mean": r.randrange(1, 90), "sd": 3} if kind == "continuous" else {"events": 1}
        about = {name: arm[name] for name in ("study", "experiment", "arm")}
        two.measurements.append(about | {"outcome": other, "n": arm["n"], **cells})
    two.studies.append({"study": f"{other}empty", "label": "Without data", "year": 2001, "grp": "p"})
    for letter in "yz":
        two.treatments.insert(
            0, {"treatment": f"{other}t{letter}", "label": f"L{other}t{letter}", "role": "active"}
        )
    two.studies.insert(0, {"study": f"{other}s", "label": "Others", "year": 1999, "grp": "q"})
    for letter in "yz":
        about = {"study": f"{other}s", "experiment": "main", "arm": f"a{letter}"}
        two.arms.insert(0, about | {"treatment": f"{other}t{letter}", "n": 9})
        cells = {"mean": 5, "sd": 2} if kind == "continuous" else {"events": 3}
        two.measurements.insert(0, about | {"outcome": other, "n": 9, **cells})
    if one.kind == "continuous" and "treatments" in one.network:
        # Of this outcome: not of the pair, and not of the treatments that the network is about.
        for letter, mean in (("y", 5), ("z", 6)):
            about = {"study": f"{other}s", "experiment": "main", "arm": f"a{letter}"}
            two.measurements.append(about | {"outcome": one.key, "n": 9, "mean": mean, "sd": 2})
    return two


def at_further_times(one: EvidenceSet, r: random.Random) -> EvidenceSet:
    """Measure each study once more at a time that the rule does not take."""
    two = copy.deepcopy(one)
    rule = one.pairwise["timepoint"]
    if not any("timepoint" in row for row in (*one.measurements, *one.contrasts)):
        return two
    day = {"last": Decimal("0.5"), "first": Decimal(9)}.get(rule, Decimal(60))
    for rows in (two.measurements, two.contrasts):
        done = set()
        for row in list(rows):
            what = tuple(row.get(name) for name in ("study", "experiment", "arm", "arm_a", "arm_b"))
            if what in done:
                continue
            done.add(what)
            when = {"timepoint": day * (24 if row["timepoint_unit"] == "h" else 1)}
            rows.append(row | when)
    return two


def cut_down(one: EvidenceSet, meets: Callable[[Row], bool]) -> EvidenceSet:
    """Delete every study that does not meet the condition, and arms of treatments that the network leaves out."""
    two = copy.deepcopy(one)
    two.studies = [row for row in two.studies if meets(row)]
    kept = {row["study"] for row in two.studies}
    for name in ("arms", "measurements", "contrasts"):
        setattr(two, name, [row for row in getattr(two, name) if row["study"] in kept])
    two.pairwise.pop("where", None)
    two.network.pop("where", None)
    return two


def satisfies(where: str) -> Callable[[Row], bool]:
    """Tell what a generated condition means, in Python."""
    return {
        "grp = 'p'": lambda row: row["grp"] == "p",
        "year > 2008": lambda row: row["year"] > 2008,
        "weightless < 5 and grp = 'q'": lambda row: row["weightless"] < 5 and row["grp"] == "q",
    }[where]


def by_other_spelling(one: EvidenceSet) -> EvidenceSet:
    """Print reported contrasts the other way round, and the SE in place of the SD."""
    two = copy.deepcopy(one)
    for row in two.measurements:
        if "sd" in row and row["sd"] > 0:
            row["se"] = repr(float(row.pop("sd")) / row["n"] ** 0.5)
    single = all("var_base" not in row for row in two.contrasts)
    for row in two.contrasts if single else ():
        row["arm_a"], row["arm_b"] = row["arm_b"], row["arm_a"]
        row["estimate"] = -row["estimate"]
    return two


# --- a folder -----------------------------------------------------------------------------------------------


def write(folder: Path, sets: Iterable[EvidenceSet]) -> Path:
    """Write evidence sets side by side into one review folder."""
    folder.mkdir(parents=True, exist_ok=True)
    sets = list(sets)
    files: dict[str, list[Row]] = {
        "outcomes": [row for one in sets for row in (one.outcome, *one.others)],
        "treatments": [row for one in sets for row in one.treatments],
        "studies": [row for one in sets for row in one.studies],
        "arms": [row for one in sets for row in one.arms],
        "measurements": [row for one in sets for row in one.measurements],
        "contrasts": [row for one in sets for row in one.contrasts],
    }
    for name, rows in files.items():
        if rows:
            _csv(folder / f"{name}.csv", rows)
    plan = "\n".join(_planned(one, kind, question) for one in sets for kind, question in one.questions())
    (folder / "review.toml").write_text(f'title = "Generated"\n\n{plan}', encoding="utf-8")
    return folder


def _planned(one: EvidenceSet, kind: str, question: Row) -> str:
    row = {"name": f"{one.key}-{kind}", "kind": kind} | question
    if "by" in row:
        row["subgroup"] = row.pop("by")
    return "[[protocol.analysis]]\n" + "".join(f"{name} = {json.dumps(cell)}\n" for name, cell in row.items())


def _csv(path: Path, rows: list[Row]) -> None:
    names = [name for name in dict.fromkeys(key for row in rows for key in row) if not name.startswith("_")]
    with path.open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(names)
        for row in rows:
            writer.writerow([_cell(row.get(name, "")) for name in names])


def _cell(value: Any) -> str:
    return format(value, "f") if isinstance(value, Decimal) else str(value)
