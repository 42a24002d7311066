"""Reading cells: nothing is guessed, nothing is lost, and no input ends in anything but a named error."""

from __future__ import annotations

import csv
import io
import statistics

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evidence import facts
from evidence.errors import ReviewError
from evidence.facts.plausibility import STATISTICS, arm_findings, contrast_findings, rounding
from evidence.folder.layout import FILE
from evidence.folder.sheet import Problems, read_sheet
from evidence.names import nearest, skeleton, suggestion, visible
from evidence.review import read

quick = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
cell_text = st.text(
    st.characters(codec="utf-8", exclude_characters="\0", exclude_categories=["Cs"]), max_size=30
)


def sheet_of(tmp_path, name, header, rows):
    stream = io.StringIO(newline="")
    csv.writer(stream).writerows([header, *rows])
    path = tmp_path / name
    path.write_text(stream.getvalue(), encoding="utf-8", newline="")
    problems = Problems()
    return read_sheet(path, FILE[name], problems), problems


def said_of(folder):
    try:
        return read(folder).warnings
    except ReviewError as error:
        return error.problems


@quick
@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=20))
def test_numbers_arrive_exactly(tmp_path, numbers):
    rows = [["s", "a", "o", repr(number)] for number in numbers]
    sheet, problems = sheet_of(tmp_path, "measurements.csv", ["study", "arm", "outcome", "mean"], rows)
    assert problems.found == []
    assert sheet.values["mean"] == numbers


@quick
@given(st.lists(cell_text, min_size=1, max_size=10))
def test_verbatim_text_arrives_as_typed(tmp_path, cells):
    rows = [["s", "a", "o", str(line), cell] for line, cell in enumerate(cells)]
    sheet, problems = sheet_of(
        tmp_path, "measurements.csv", ["study", "arm", "outcome", "mean", "note"], rows
    )
    assert problems.errors == []
    # But for characters that no reader sees, which are read as blanks and said.
    assert sheet.values["note"] == [visible(cell).strip() or None for cell in cells]


def test_lines_are_counted_through_line_breaks_in_cells(tmp_path):
    rows = [["a", "first\nsecond"], ["b", ""], ["c", "x"]]
    sheet, _ = sheet_of(tmp_path, "treatments.csv", ["treatment", "description"], rows)
    assert sheet.lines == [2, 4, 5]


def test_blank_lines_and_empty_columns_at_the_end_do_no_harm(tmp_path):
    path = tmp_path / "treatments.csv"
    path.write_text("treatment,role,,\n\nA,active,,\n,,,\nB,control,,\n", encoding="utf-8")
    problems = Problems()
    sheet = read_sheet(path, FILE["treatments.csv"], problems)
    assert problems.found == []
    assert sheet.values["treatment"] == ["A", "B"]
    assert sheet.lines == [3, 5]


@pytest.mark.parametrize(
    ("typed", "value"), [("true", True), ("Yes", True), ("1", True), ("FALSE", False), ("no", False)]
)
def test_true_and_false(tmp_path, typed, value):
    sheet, _ = sheet_of(
        tmp_path, "outcomes.csv", ["outcome", "kind", "lower_is_better"], [["o", "binary", typed]]
    )
    assert sheet.values["lower_is_better"] == [value]


@quick
@given(
    st.sampled_from(["arms.csv", "measurements.csv", "studies.csv", "review.toml", "searches.csv"]),
    st.binary(max_size=200),
)
def test_any_bytes_end_in_a_review_or_a_named_error(review_folder, file, content):
    folder = review_folder({file: content})
    assert all(problem.message and problem.file for problem in said_of(folder))


@quick
@given(
    st.sampled_from(["arms.csv", "measurements.csv", "contrasts.csv", "outcomes.csv", "records.csv"]),
    st.integers(0, 30),
    st.integers(0, 25),
    cell_text,
)
def test_any_cell_ends_in_a_review_or_a_named_error(review_folder, file, line, column, text):
    folder = review_folder()
    rows = list(csv.reader((folder / file).read_text(encoding="utf-8").splitlines()))
    row = rows[line % len(rows)]
    row[column % len(row)] = text
    stream = io.StringIO(newline="")
    csv.writer(stream).writerows(rows)
    assert all(
        problem.message and problem.file for problem in said_of(review_folder({file: stream.getvalue()}))
    )


# --- names ------------------------------------------------------------------------------------------------------


@given(cell_text)
def test_skeletons_have_themselves_as_skeleton(name):
    assert skeleton(skeleton(name)) == skeleton(name)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("B ", "B"),
        ("B", "В"),  # Cyrillic
        ("bone  marrow", "bone marrow"),
        ("TNF–α", "tnf-α"),
        ("ﬁbroblast", "fibroblast"),
        ("no\u00a0break", "no break"),
        ("µg", "μg"),
        ("µg", "ug"),
        ("soft\u00adhyphen", "softhyphen"),
    ],
)
def test_names_that_look_alike(one, other):
    assert skeleton(one) == skeleton(other)


@pytest.mark.parametrize(("one", "other"), [("B1", "B2"), ("A-1", "A 1"), ("naive", "naïve"), ("Al", "A1")])
def test_names_that_can_be_told_apart(one, other):
    assert skeleton(one) != skeleton(other)


def test_nearest_name():
    assert nearest("plcebo", ["placebo", "metformin"]) == "placebo"
    assert nearest("days", ["d", "wk"], {"day": "d", "week": "wk"}) == "d"
    assert nearest("xyz", ["placebo"]) is None
    assert suggestion("x", []) == "leave it out"
    assert suggestion("x", [], "arms.csv") == "add it to arms.csv"


# --- plausibility -----------------------------------------------------------------------------------------------


def errors(findings):
    return [finding for finding in findings if finding.severity == "error"]


@given(
    st.lists(st.integers(-10_000, 10_000), min_size=3, max_size=40),
    st.integers(0, 4),
    st.lists(st.integers(0, 3), min_size=10, max_size=10),
)
def test_statistics_of_a_real_sample_never_contradict_each_other(sample, scale, digits):
    values = [value / 10**scale for value in sample]
    n, sd = len(values), statistics.stdev(values)
    q1, median, q3 = statistics.quantiles(values, n=4, method="inclusive")
    exact = {
        "mean": statistics.mean(values), "sd": sd, "se": sd / n**0.5, "median": median, "q1": q1, "q3": q3,
        "min": min(values), "max": max(values), "ci_lower": statistics.mean(values) - 2 * sd / n**0.5,
        "ci_upper": statistics.mean(values) + 2 * sd / n**0.5,
    }  # fmt: skip
    typed = {name: f"{value:.{places}f}" for (name, value), places in zip(exact.items(), digits)} | {
        "n": str(n)
    }
    given_numbers = {name: float(typed[name]) if name in typed else None for name in STATISTICS}
    assert errors(arm_findings(given_numbers, typed)) == []


@given(st.floats(0.01, 1e6), st.integers(2, 500), st.floats(1.1, 100))
def test_sd_and_se_that_are_too_far_apart_contradict_each_other(sd, n, times):
    given_numbers = dict.fromkeys(STATISTICS) | {
        "n": float(n),
        "mean": 1.0,
        "sd": sd,
        "se": times * sd / n**0.5,
    }
    assert [finding.column for finding in errors(arm_findings(given_numbers, {}))] == ["se"]


@given(st.floats(-5, 5), st.floats(0.01, 5))
def test_symmetric_intervals_on_the_log_scale_are_right(estimate, se):
    numbers = {
        "estimate": estimate,
        "se": se,
        "ci_lower": estimate - 1.96 * se,
        "ci_upper": estimate + 1.96 * se,
    }
    empty = dict.fromkeys(("scale", "se_scale", "o_minus_e", "variance"))
    assert errors(contrast_findings(facts.measure("OR"), empty | numbers, {})) == []


@pytest.mark.parametrize(
    ("typed", "half"),
    [("10", 0.5), ("10.0", 0.05), ("1e3", 500), ("1.5e-2", 0.0005), ("", 0), ("-3.25", 0.005)],
)
def test_rounding_is_half_the_last_digit(typed, half):
    assert rounding(typed) == pytest.approx(half)
