"""Every format that numbers can be read back from gives back what `WAYS_BACK` says, and no more than that."""

from __future__ import annotations

import csv
import json
from itertools import combinations
from pathlib import Path

import pytest

import evidence
from analysis.network.data.network import unit_label
from evidence.errors import ReviewError
from evidence.export import export
from evidence.exporters import WRITERS
from evidence.exporters.ways_back import CONTENT, PARTS, WAYS_BACK
from evidence.importers.arms import import_arms
from evidence.importers.network import import_bugs, import_gemtc

STUDIES = ('S "1", é', "O'Neil; 2", "a=b & c", "Four 2004")
A, B = 'A & "B"', "b'c; d"
WHOLE = ("review", "duckdb", "ro-crate")
"""Formats of whole reviews: test_export_formats.py and test_crate.py hold every row of theirs."""

OUTCOMES = {
    "death": ("OR", "binary"),
    "pain": ("MD", "continuous"),
    "pain change": ("MD", "continuous"),
    "falls": ("IRR", "rate"),
}
"""Outcomes measured in arms; pain at two times in two studies, and in two experiments of one."""
REPORTED = {"relapse": ("HR", "time_to_event"), "cure": ("OR", "binary"), "score": ("MD", "continuous")}
"""Effects without arms: logarithms and differences of a study of three arms, ratios with intervals as printed."""


def arms_and_measurements() -> tuple[list, list]:
    arms, measured, n = [], [], 10
    for i, study in enumerate(STUDIES):
        for j, treatment in enumerate([A, B, "plac"] if i == 0 else [A, "plac"] if i % 2 else [B, "plac"]):
            n += 3
            arms.append([study, "", f"arm {j}", treatment, n, "" if treatment == "plac" else 10 + i])
            place, rater = [study, "", f"arm {j}"], "nurse" if i % 2 else "self"
            measured.append([*place, "death", 7, n, "", "", 3 + i + j, "", ""])
            measured.append([*place, "pain", 7, n, 5.25 + i / 3 - j, 2.1 + 0.1 * j, "", "", rater])
            if i < 2:
                measured.append([*place, "pain", 28, n - 1, 4.25 + i / 3 - j, 2.3 + 0.1 * j, "", "", "nurse"])
            measured.append([*place, "pain change", 7, n, -1.5 + i / 3 - j, 2.2 + 0.1 * j, "", "", ""])
            measured.append([*place, "falls", 7, "", "", "", 4 + i + j, 100.5 + n, ""])
    for experiment in ("young", "old"):
        for j, treatment in enumerate((A, "plac")):
            n += 1
            arms.append(["Four 2004", experiment, f"arm {j}", treatment, n, ""])
            place = ["Four 2004", experiment, f"arm {j}"]
            measured.append([*place, "pain", 7, n, 3.1 - j, 1.7 + 0.1 * j, "", "", "nurse"])
    return arms, measured


def contrasts() -> list:
    one, two, three, four = STUDIES
    rows = []
    for outcome, measure, scale in (("relapse", "HR", "log"), ("score", "MD", "")):
        rows += [
            [one, "arm 0", "arm 2", outcome, measure, scale, -0.31, 0.21, "", "", 0.023, 40, 41, "public"],
            [one, "arm 1", "arm 2", outcome, measure, scale, -0.11, 0.22, "", "", 0.023, 42, 41, "public"],
            [two, "arm 0", "arm 1", outcome, measure, scale, -0.51, 0.33, "", "", "", 20, 21, "firm"],
            [three, "arm 0", "arm 1", outcome, measure, scale, -0.21, 0.13, "", "", "", 20, 21, "firm"],
        ]
    printed = ((two, 1.71, 1.1, 2.66), (three, 1.4, 0.7, 2.8), (four, 0.9, 0.4, 2.025))
    rows += [
        [study, "arm 0", "arm 1", "cure", "OR", "natural", ratio, "", lower, upper, "", 20, 21, ""]
        for study, ratio, lower, upper in printed
    ]
    return rows


@pytest.fixture(scope="module")
def review(tmp_path_factory) -> Path:
    """Names with quotes, commas, semicolons and signs; every kind of outcome; variables of all levels."""
    folder = tmp_path_factory.mktemp("ways") / "review"
    folder.mkdir()
    arms, measured = arms_and_measurements()
    every = OUTCOMES | REPORTED
    tables = {
        "studies": [["study", "year", "country"],
                    *([study, 2001, "NO" if i % 2 else "IT"] for i, study in enumerate(STUDIES))],
        "treatments": [["treatment", "label", "role"], [A, A, "active"], [B, B, "active"],
                       ["plac", "plac", "control"]],
        "outcomes": [["outcome", "label", "kind", "unit", "lower_is_better", "event_is_bad"],
                     *([outcome, outcome, kind, "points" if kind == "continuous" else "", "true",
                        "true" if kind == "time_to_event" else ""] for outcome, (_, kind) in every.items())],
        "arms": [["study", "experiment", "arm", "treatment", "n", "dose"], *arms],
        "measurements": [["study", "experiment", "arm", "outcome", "timepoint", "timepoint_unit", "n", "mean", "sd",
                          "events", "exposure", "rater"], *([*row[:5], "d", *row[5:]] for row in measured)],
        "contrasts": [["study", "arm_a", "arm_b", "outcome", "measure", "scale", "estimate", "se", "ci_lower",
                       "ci_upper", "var_base", "n_a", "n_b", "sponsor"], *contrasts()],
    }  # fmt: skip
    for name, rows in tables.items():
        with (folder / f"{name}.csv").open("w", encoding="utf-8", newline="") as stream:
            csv.writer(stream, lineterminator="\n").writerows(rows)
    (folder / "review.toml").write_text('title = "Ways back"\n[protocol]\nreference = "plac"\n', "utf-8")
    return folder


@pytest.fixture(scope="module")
def exported(review, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("exported")
    export(review, folder, [name for name in WAYS_BACK if name not in WHOLE])
    return folder


def content(path: Path, studies: dict[str, str] | None = None) -> dict[str, dict]:
    """Content of a review, by what tells its rows apart: units of randomisation by their printed name."""
    studies = studies or {}

    def unit(row: dict) -> str:
        return studies.get(row["study"]) or unit_label((row["study"], row["experiment"]))

    def pair(row: dict) -> tuple:
        return unit(row), row["outcome"], frozenset((row["treatment_a"], row["treatment_b"]))

    with evidence.open(path) as db:
        arms = db.rows("from measurement_standard order by timepoint")
        measures = {outcome: measure for outcome, (measure, _) in (OUTCOMES | REPORTED).items()}
        every = db.rows("from contrast order by timepoint")
        effects = [row for row in every if row["measure"] == measures[row["outcome"]]]
        pairs = {row["contrast_id"]: pair(row) for row in every}
        return {
            "arms": {(unit(row), row["outcome"], row["treatment"]): row for row in arms},
            "every time": {(unit(row), row["outcome"], row["treatment"], row["timepoint"]): row for row in arms},
            "effects": {pair(row): (abs(row["estimate"]), row["std_error"]) for row in effects},
            "covariances": {
                frozenset((pairs[row["contrast_1"]], pairs[row["contrast_2"]])): (abs(row["covariance"]),)
                for row in db.rows("from contrast_covariance where outcome in ('relapse', 'score')")
            },
            "experiments": {(row["study"], row["experiment"]): () for row in arms},
            "of_studies": {
                (row["study"], row["variable"]): row["value"] for row in db.rows("from study_variable")
            },
            "of_arms": {
                (row["study"], row["arm"], row["variable"]): row["value"]
                for row in db.rows("from arm_variable")
            },
            "of_effects": {
                (row["characteristic"], row["value"]): ()
                for table in ("measurement_characteristic", "contrast_characteristic")
                for row in db.rows(f"from {table}")
            },
        }  # fmt: skip


def read_back(exported: Path, format: str, back: Path) -> list[tuple[Path, dict[str, str]]]:
    """Import every outcome that was exported; gives folders, and names of studies that are numbers there."""
    folders: list[tuple[Path, dict[str, str]]] = []
    for outcome, (measure, kind) in (OUTCOMES | REPORTED).items():
        name = f"{outcome.replace(' ', '-')}-{measure}"
        way = WAYS_BACK[format]
        file = (exported / format / way.file.format(name=name)).resolve()
        how: dict = {"outcome": outcome, "lower_is_better": True}
        if kind == "continuous":
            how["unit"] = "points"
        if outcome in REPORTED or format == "netmeta" or (format, kind) == ("cinema", "rate"):
            how["measure"] = measure
            how["scale"] = None if measure == "MD" else "log"
        if kind == "time_to_event":
            how["event_is_bad"] = True
        if outcome in REPORTED and "contrasts" not in way.equal:
            assert format in ("metainsight", "jags", "bugs")
        elif not file.exists():
            assert (format, kind) == ("metainsight", "rate")
        elif format in ("jags", "bugs"):
            with (exported / format / f"{name}-codebook.csv").open(encoding="utf-8", newline="") as stream:
                codes = list(csv.DictReader(stream))
            names = {row["number"]: row["name"] for row in codes if row["variable"] == "t"}
            import_bugs(file, back / name, names=names, **how)
            studies = {f"Study {row['number']}": row["label"] for row in codes if row["variable"] == "study"}
            folders.append((back / name, studies))
        elif format == "gemtc":
            import_gemtc(file, back / "all", **how)
        elif format == "csv" and outcome in REPORTED:
            file = (exported / format / way.contrasts_file).resolve()
            rows = f"measure = '{measure}'"
            mapping = {"variance_base": "var_base", "treatment_a": "arm_a", "treatment_b": "arm_b", "arm_a": "",
                       "arm_b": ""}  # fmt: skip
            import_arms(file, back / "all", rows=rows, mapping=mapping, **how)
        else:
            import_arms(file, back / "all", **how)
    return folders or [(back / "all", {})]


def close(one: float | None, other: float | None) -> bool:
    return one is not None and other is not None and other == pytest.approx(one, rel=1e-12)


def equal_content(want: dict[str, dict], found: dict[str, dict]) -> set[str]:
    """Keys of `CONTENT` that came back equal."""

    def of(key: tuple, *outcomes: str) -> bool:
        return key[1] in outcomes

    def same(*columns: str, kinds: tuple[str, ...]) -> bool:
        keys = {
            key for key in want["arms"] if of(key, *(o for o, (_, kind) in OUTCOMES.items() if kind in kinds))
        }
        there = {key for key in found["arms"] if key[1] in {o for _, o, _ in keys}}
        return keys == there and all(
            close(want["arms"][key][column], found["arms"][key][column]) for key in keys for column in columns
        )

    def effects(what: str, outcomes: dict) -> bool:
        pairs = {
            key for key in want[what]
            if next(iter(key))[1] in outcomes or (what == "effects" and key[1] in outcomes)
        }  # fmt: skip
        return pairs <= found[what].keys() and all(
            close(a, b) for key in pairs for a, b in zip(want[what][key], found[what][key])
        )

    arms_effects = {o: m for o, m in OUTCOMES.items() if any(key[1] == o for key in found["effects"])}
    units = {unit for unit, *_ in want["effects"]}
    treatments = {name for *_, pair in want["effects"] for name in pair}
    equal = {
        "studies": units == {unit for unit, *_ in found["effects"]},
        "treatments": treatments == {name for *_, pair in found["effects"] for name in pair},
        "n": same("n", kinds=("binary", "continuous")),
        "events": same("events", kinds=("binary",)),
        "rates": same("events", "exposure", kinds=("rate",)),
        "means": same("mean", "sd", kinds=("continuous",)),
        "effects": bool(arms_effects) and effects("effects", arms_effects),
        "contrasts": effects("effects", REPORTED),
        "covariances": effects("covariances", REPORTED),
        "experiments": want["experiments"].keys() <= found["experiments"].keys(),
        "times": want["every time"].keys() == found["every time"].keys()
        and all(close(row["mean"], found["every time"][key]["mean"]) for key, row in want["every time"].items()
                if row["mean"] is not None),
        "of_studies": want["of_studies"].items() <= found["of_studies"].items(),
        "of_arms": want["of_arms"].items() <= found["of_arms"].items(),
        "of_effects": want["of_effects"].keys() <= found["of_effects"].keys(),
    }  # fmt: skip
    return {name for name, is_equal in equal.items() if is_equal}


TRIED = ("studies", "treatments", "n", "events", "rates", "means", "effects", "contrasts", "covariances",
         "experiments", "times", "of_studies", "of_arms", "of_effects")  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("format", [name for name in WAYS_BACK if name not in WHOLE])
def test_what_comes_back_is_what_the_matrix_says(exported, review, tmp_path, format):
    want = content(review)
    found: dict[str, dict] = {}
    for folder, studies in read_back(exported, format, tmp_path):
        for what, rows in content(folder, studies).items():
            found.setdefault(what, {}).update(rows)
    assert equal_content(want, found) == set(WAYS_BACK[format].equal) & set(TRIED)


@pytest.mark.slow
def test_what_a_format_does_not_hold_is_said_by_name(exported):
    losses = json.loads((exported / "provenance.json").read_text(encoding="utf-8"))["losses"]
    named = {
        "times": "pain: 7.0 d, 28.0 d", "of_studies": "country, year", "of_arms": "dose", "of_effects": "rater, sponsor",
        "experiments": "Four 2004", "printed": "cure by OR as a ratio", "contrasts": "cure by OR, relapse by HR, score by MD",
        "rates": "falls", "means": "pain, pain change",
    }  # fmt: skip
    for format, way in WAYS_BACK.items():
        said = " ".join(losses.get(format, []))
        for what, names in named.items():
            if format not in WHOLE:
                assert (f"{CONTENT[what].said} ({names})" in said) == (what in way.lacks()), (format, what)


def test_the_matrix_names_formats_and_content_that_there_are():
    assert {*WAYS_BACK, *PARTS} <= set(WRITERS)
    assert all({*way.equal, *way.holds} <= set(CONTENT) for way in WAYS_BACK.values())
    assert set(TRIED) <= set(CONTENT)


PAIRS = (
    "studlab,treat1,treat2,mean1,sd1,n1,mean2,sd2,n2\n"
    + "".join(
        f"three,{one},{two},{one * 2},1,{10 + one},{two * 2},1,{10 + two}\n" for one, two in combinations((1, 2, 3), 2)
    ).replace(",1,2,", ",t1,t2,").replace(",1,3,", ",t1,t3,").replace(",2,3,", ",t2,t3,")
    + "two,t1,t2,5,1.5,20,4,1.4,21\n"
)  # fmt: skip


def arms_of(folder: Path) -> set[tuple]:
    with evidence.open(folder) as db:
        return {
            tuple(row.values())
            for row in db.rows("select study, experiment, arm, n from measurement_standard")
        }


def test_a_study_that_stands_in_all_pairs_of_its_arms_has_each_arm_once(tmp_path):
    """As netmeta's pairwise() writes them: no column names the arms, their numbers are the same."""
    file = tmp_path / "pairs.csv"
    file.write_text(PAIRS, encoding="utf-8")
    report = import_arms(file, tmp_path / "back", outcome="pain", lower_is_better=True)
    assert "1 study stands in pairs of arms: each arm is taken once" in report.notes
    assert arms_of(tmp_path / "back") == {
        ("three", "main", "t1", 11), ("three", "main", "t2", 12), ("three", "main", "t3", 13),
        ("two", "main", "t1", 20), ("two", "main", "t2", 21),
    }  # fmt: skip


def test_pairs_whose_numbers_differ_are_groups_of_their_own(tmp_path):
    file = tmp_path / "pairs.csv"
    file.write_text(PAIRS.replace("three,t2,t3,4,1,12", "three,t2,t3,4,1,14"), encoding="utf-8")
    import_arms(file, tmp_path / "back", outcome="pain", lower_is_better=True)
    assert len(arms_of(tmp_path / "back")) == 8


def test_arms_that_are_named_are_the_same_arm_or_an_error(tmp_path):
    """Two groups of one treatment against one control, as metafor's export writes them."""
    file = tmp_path / "pairs.csv"
    rows = (
        "study,treat1,treat2,first_arm,second_arm,m1i,sd1i,n1i,m2i,sd2i,n2i\n"
        "s,drug,plac,low,control,3,1,10,4,1,12\ns,drug,plac,high,control,2,1,11,4,1,12\n"
    )
    file.write_text(rows, encoding="utf-8")
    import_arms(file, tmp_path / "back", outcome="pain", lower_is_better=True)
    assert arms_of(tmp_path / "back") == {
        ("s", "main", "low", 10), ("s", "main", "high", 11), ("s", "main", "control", 12)
    }  # fmt: skip
    file.write_text(rows.replace("11,4,1,12", "11,4,1,13"), encoding="utf-8")
    with pytest.raises(ReviewError, match=r"(?s)pairs.csv:3.*'control' has another n than in line 2"):
        import_arms(file, tmp_path / "again", outcome="pain", lower_is_better=True)


def test_an_effect_whose_arms_have_no_numbers_is_not_dropped_without_a_word(tmp_path):
    file = tmp_path / "mixed.csv"
    file.write_text(
        "study,treat1,treat2,m1i,sd1i,n1i,m2i,sd2i,n2i,yi,sei\ns,a,b,3,1,10,4,1,12,-1,0.4\nt,a,b,,,,,,,-2,0.5\n",
        encoding="utf-8",
    )
    report = import_arms(file, tmp_path / "back", outcome="pain", lower_is_better=True)
    assert any(
        note.startswith("line 3: an effect and no numbers of its arms; NOT TAKEN") for note in report.notes
    )
