"""Variables: what describes studies, arms and effects is read from any file, has one type, and codes are no values."""

from __future__ import annotations

import csv
import io

import pytest

import evidence
from analysis import pairwise
from evidence.errors import ReviewError
from evidence.export import export
from evidence.folder.variables import variables_of
from evidence.review import read

# Statistics of the nine studies of a forum question: effect, variance and mean dose, one dose not reported.
NINE = [
    (0.10, 0.02, "10"), (0.15, 0.03, "10"), (0.22, 0.02, "20"), (0.30, 0.04, "20"), (0.33, 0.02, "30"),
    (0.41, 0.03, "30"), (0.52, 0.02, "40"), (0.48, 0.04, "40"), (0.30, 0.03, "NR"),
]  # fmt: skip


def table(rows: list[dict]) -> str:
    stream = io.StringIO()
    writer = csv.DictWriter(stream, list(dict.fromkeys(name for row in rows for name in row)))
    writer.writeheader()
    writer.writerows(rows)
    return stream.getvalue()


def write(folder, *, home="studies.csv", doses=None, toml="", name="mean_dose", extra=()):
    """A review of the nine studies; the dose stands in one of the four files that describe."""
    doses = doses or [dose for *_, dose in NINE]
    folder.mkdir()
    studies, arms, contrasts = [], [], []
    for number, ((y, v, _), dose) in enumerate(zip(NINE, doses, strict=True), 1):
        study = str(number)
        own = {name: dose}
        studies.append({"study": study} | (own if home == "studies.csv" else {}))
        for arm in ("treatment", "control"):
            cell = own if arm == "treatment" else {name: "0"}
            arms.append({"study": study, "arm": arm, "treatment": arm} | (cell if home == "arms.csv" else {}))
        contrasts.append(
            {"study": study, "outcome": "y", "arm_a": "treatment", "arm_b": "control", "measure": "MD",
             "estimate": y, "se": v**0.5} | (own if home == "contrasts.csv" else {})
        )  # fmt: skip
    for file, rows in (("studies.csv", studies), ("arms.csv", arms), ("contrasts.csv", contrasts)):
        (folder / file).write_text(table(rows), encoding="utf-8")
    (folder / "treatments.csv").write_text("treatment,role\ntreatment,active\ncontrol,control\n")
    (folder / "outcomes.csv").write_text("outcome,kind,lower_is_better\ny,continuous,true\n")
    (folder / "review.toml").write_text(f'title = "nine"\n{toml}', encoding="utf-8")
    return folder


def fitted(folder):
    db = evidence.open(evidence.build(folder, folder.parent / "nine.duckdb"))
    return pairwise.fit(db, outcome="y", measure="MD", treatment="treatment", versus="control")


@pytest.mark.parametrize(
    ("home", "name", "code"),
    [
        ("studies.csv", "mean_dose", "NR"),
        ("arms.csv", "mean_dose", ""),
        ("arms.csv", "dose", "NA"),
        ("contrasts.csv", "mean_dose", "unknown"),
    ],
)
def test_a_code_for_missing_is_no_level_of_a_moderator(tmp_path, home, name, code):
    doses = [dose if dose != "NR" else code for *_, dose in NINE]
    fit = fitted(write(tmp_path / "nine", home=home, name=name, doses=doses))
    regression = fit.meta_regression(name)
    slope = regression.coefficients().set_index("term").loc[name]
    # metafor 4.8 rma(yi, vi, mods = ~ dose, test = "knha") of the eight studies that have one
    assert slope["estimate"] == pytest.approx(0.0127, abs=5e-5)
    assert slope["ci_lower"] == pytest.approx(0.0099, abs=5e-5)
    assert slope["ci_upper"] == pytest.approx(0.0156, abs=5e-5)
    test = regression.tests().iloc[0]
    assert (round(test["statistic"], 1), test["df1"], test["df2"]) == (118.6, 1, 6)
    assert list(regression.left_out["study"]) == ["9"]


def test_one_cell_that_is_no_number_among_numbers_is_an_error_naming_it(tmp_path):
    doses = [dose for *_, dose in NINE]
    doses[4], doses[8] = "3O", "35"
    with pytest.raises(ReviewError) as caught:
        read(write(tmp_path / "typo", home="arms.csv", doses=doses))
    (problem,) = caught.value.problems
    assert (problem.file, problem.line, problem.study, problem.arm, problem.column) == (
        "arms.csv", 10, "5", "treatment", "mean_dose",
    )  # fmt: skip
    assert problem.message.startswith("'3O' is no number, as the other 17 are")
    assert 'mean_dose = "category" under [variables]' in problem.remedy


def test_a_variable_can_be_declared(tmp_path):
    doses = [dose for *_, dose in NINE]
    declared = write(
        tmp_path / "declared", home="contrasts.csv", toml='[variables]\nmean_dose = "category"\n'
    )
    fit = fitted(declared)
    assert fit.variable("mean_dose").dropna().tolist() == [dose for dose in doses if dose != "NR"]
    with pytest.raises(ReviewError) as caught:
        read(write(tmp_path / "wrong", toml='[variables]\nmean_dose = "number"\nmean_dosis = "numeric"\n'))
    first, second = caught.value.problems
    assert "mean_dose = 'number'" in first.message
    assert "'mean_dosis', which no file has" in second.message
    assert "did you mean 'mean_dose'?" in second.remedy


def test_own_columns_come_back_from_an_exported_folder(tmp_path):
    # The ninth dose looks like a code for a missing one, and is said to be a value.
    doses = [dose if dose != "NR" else "999" for *_, dose in NINE]
    planned = """
[variables]
mean_dose = { type = "numeric", missing = [] }
note = "category"
[[protocol.analysis]]
outcome = "y"
measure = "MD"
treatment = "treatment"
versus = "control"
moderators = ["mean_dose", "note"]
reference_levels = { note = "a" }
"""
    folder = write(tmp_path / "nine", home="arms.csv", doses=doses, toml=planned)
    arms = (folder / "arms.csv").read_text(encoding="utf-8").splitlines()
    notes = ["note", *"aabb" * 4, "a", "b"]
    lines = [f"{line},{note}" for line, note in zip(arms, notes, strict=True)]
    (folder / "arms.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    built = evidence.build(folder, tmp_path / "one.duckdb")
    export(built, tmp_path / "out", ["review"])
    again = evidence.open(evidence.build(tmp_path / "out" / "review", tmp_path / "two.duckdb"))
    first = evidence.open(built)
    for query in (
        "select * from arm_characteristic order by all",
        "select * from variable order by all",
        "select * from plan",
        "select * from contrast_variable order by all",
    ):
        assert first.rows(query) == again.rows(query)
        assert first.rows(query)


def test_the_view_and_python_give_the_same_variables(example_file):
    db = evidence.open(example_file)
    contrasts = db.frame(
        "select * from contrast where outcome = 'alt' and measure = 'ROM' order by contrast_id"
    )
    wide = variables_of(db, contrasts, "alt")
    long = db.frame("select * from contrast_variable where outcome = 'alt' and measure = 'ROM'")
    assert set(wide) == set(long["variable"])
    for name in wide:
        of_view = long[long["variable"] == name].set_index("contrast_id")
        column = "number" if of_view["type"].iloc[0] == "numeric" else "value"
        of_view = of_view[column].reindex(contrasts["contrast_id"])
        assert wide[name].dropna().tolist() == of_view.dropna().tolist()


def problems_of(folder):
    with pytest.raises(ReviewError) as refused:
        read(folder)
    return refused.value.problems


@pytest.mark.parametrize("home", ["studies.csv", "arms.csv", "contrasts.csv"])
@pytest.mark.parametrize("code", ["-99", "-9", "-999.0", "999", "9999", "-999.9"])
def test_a_number_that_is_likely_a_code_for_a_missing_value_is_none_and_warned_of(tmp_path, home, code):
    doses = [dose if dose != "NR" else code for *_, dose in NINE]
    folder = write(tmp_path / "nine", home=home, doses=doses)
    (problem,) = [p for p in read(folder).warnings if "code" in p.message]
    assert (problem.severity, problem.file, problem.study, problem.column) == (
        "warning",
        home,
        "9",
        "mean_dose",
    )
    assert problem.line == (18 if home == "arms.csv" else 10)
    assert f"mean_dose is {code}" in problem.message
    assert f'missing = ["{code}"]' in problem.remedy
    if home != "studies.csv" and code != "-9":  # Wherever it stands, one code; of studies, every code.
        return
    # As in the test of NR: the slope of the eight studies that have a dose.
    regression = fitted(folder).meta_regression("mean_dose")
    slope = regression.coefficients().set_index("term").loc["mean_dose"]
    assert slope["estimate"] == pytest.approx(0.0127, abs=5e-5)
    assert list(regression.left_out["study"]) == ["9"]


def test_a_code_in_several_rows_is_said_once(tmp_path):
    doses = [dose for *_, dose in NINE]
    doses[0] = doses[3] = doses[8] = "999"
    (problem,) = [p for p in read(write(tmp_path / "nine", doses=doses)).warnings if "code" in p.message]
    assert problem.line == 2
    assert "(also in lines 5, 10)" in problem.message


def test_a_code_for_a_time_is_an_error(tmp_path):
    folder = write(tmp_path / "nine")
    lines = (folder / "contrasts.csv").read_text(encoding="utf-8").splitlines()
    lines = [
        f"{line},{cell}" for line, cell in zip(lines, ["timepoint", *["24"] * 4, "48", *["24"] * 3, "999"])
    ]
    (folder / "contrasts.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    assert any(
        p.column == "timepoint" and p.line == 10 and "looks like a code" in p.message
        for p in problems_of(folder)
    )


def test_a_code_among_words_is_asked_about(tmp_path):
    doses = ["low", "high"] * 4 + ["-99"]
    (problem,) = [p for p in read(write(tmp_path / "nine", doses=doses)).warnings if "code" in p.message]
    assert "a number among words" in problem.message


@pytest.mark.parametrize(
    "doses",
    [["10", "60", "99"] * 3, ["-99", "-40", "30"] * 3, ["800", "999", "1200"] * 3, ["7", "9", "12"] * 3],
)
def test_numbers_that_could_be_codes_but_lie_among_the_others_are_values(tmp_path, doses):
    assert not [p for p in read(write(tmp_path / "nine", doses=doses)).warnings if "code" in p.message]


@pytest.mark.parametrize(
    "declared", ['missing = ["-99"]', 'mean_dose = { type = "numeric", missing = [-99.0] }']
)
def test_a_declared_code_is_no_value(tmp_path, declared):
    doses = [dose if dose != "NR" else "-99" for *_, dose in NINE]
    home = "arms.csv" if declared.startswith("missing") else "studies.csv"
    folder = write(tmp_path / "nine", home=home, doses=doses, toml=f"[variables]\n{declared}\n")
    fit = fitted(folder)
    # As in the test of NR: the slope of the eight studies that have a dose.
    slope = fit.meta_regression("mean_dose").coefficients().set_index("term").loc["mean_dose"]
    assert slope["estimate"] == pytest.approx(0.0127, abs=5e-5)


def test_declarations_of_codes_that_cannot_be_followed_are_named(tmp_path):
    toml = '[variables]\nmean_dose = { missing = "-99", tipe = "numeric" }\nweigth = { missing = ["9"] }\n'
    said = " ".join(p.message for p in problems_of(write(tmp_path / "nine", toml=toml)))
    assert "declares mean_dose missing as '-99'" in said
    assert "mean_dose has no key 'tipe'" in said
    assert "[variables] names 'weigth'" in said


@pytest.mark.parametrize(
    ("column", "code"), [("mean", "-99"), ("mean", "9999"), ("sd", "9999"), ("n", "-99")]
)
def test_a_statistic_that_is_likely_a_code_is_warned_of_or_refused(tmp_path, column, code):
    folder = write(tmp_path / "nine")
    rows = [
        {"study": str(study), "arm": arm, "outcome": "y", "n": 10, "mean": 20 + study, "sd": 3 + study / 10}
        for study in range(1, 10)
        for arm in ("treatment", "control")
    ]
    rows[5][column] = code
    (folder / "contrasts.csv").unlink()
    (folder / "measurements.csv").write_text(table(rows), encoding="utf-8")
    if column == "n":
        assert any(p.column == "n" and p.line == 7 and p.study == "3" for p in problems_of(folder))
        return
    problem = next(p for p in read(folder).warnings if "looks like a code" in p.message)
    assert (problem.file, problem.line, problem.study, problem.arm, problem.column) == (
        "measurements.csv", 7, "3", "control", column,
    )  # fmt: skip
