import ast
from pathlib import Path
from shutil import copyfile

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import analysis
import evidence
from analysis import network, pairwise
from evidence.checking.condition import select_studies
from evidence.database import connect
from evidence.errors import CallError, RefusedError, ReviewError
from evidence.facts.timepoint import TimepointRule
from evidence.query import EvidenceBase
from evidence.question import Question, _arms, _timed, known, read
from evidence.store.stored import refresh


@pytest.fixture(scope="module")
def db(example_file):
    with evidence.open(example_file) as base:
        yield base


def chosen(db, **options):
    picked = read(db, Question(**({"outcome": "alt", "measure": "ROM"} | options)))
    return picked, [
        (row.study, row.timepoint, row.treatment_a, row.treatment_b) for row in picked.contrasts.itertuples()
    ]


def test_an_outcome_without_measurements_has_no_arms_but_all_their_columns():
    columns = ["study", "arm", "mean", "events", "exposure", "block"]

    class Base:
        def kept_frame(self, query, params):
            return pd.DataFrame(columns=columns)

    chosen = pd.DataFrame({"block": [1], "arm_a": ["drug"], "arm_b": ["ctl"]})
    arms = _arms(Base(), "death", chosen)
    assert list(arms) == columns
    assert len(arms) == 0


# --- time points ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("first", TimepointRule("first")),
        (" Last ", TimepointRule("last")),
        ("12", TimepointRule("value", 12.0)),
        ("-1.5", TimepointRule("value", -1.5)),
        ("nearest:24", TimepointRule("nearest", 24.0)),
        ("nearest: 24", TimepointRule("nearest", 24.0)),
        ("24 h", TimepointRule("value", 24.0, "h")),
        ("24h", TimepointRule("value", 24.0, "h")),
        ("Nearest:1.5 WK", TimepointRule("nearest", 1.5, "wk")),
        ("1e1 d", TimepointRule("value", 10.0, "d")),
    ],
)
def test_rules_are_read_and_written(text, rule):
    assert TimepointRule.parse(text) == rule
    assert TimepointRule.parse(str(rule)) == rule


@pytest.mark.parametrize(
    "text",
    ["", "latest", "nearest", "nearest:", "nearest:soon", "first:2", "12 L", "24 h 3", "nan", "inf", "-inf",
     "nearest:nan", "NaN d", "1e999"],
)  # fmt: skip
def test_what_is_no_rule_is_refused(text):
    with pytest.raises(CallError, match="no time point rule"):
        TimepointRule.parse(text)


@pytest.mark.parametrize(
    ("rule", "times"),
    [
        ("last", {"Example 2018": 72, "Example 2019": 24, "Example 2020": 48, "Example 2021": 24}),
        ("first", {"Example 2018": 24, "Example 2019": 24, "Example 2020": 48, "Example 2021": 24}),
        ("24 h", {"Example 2018": 24, "Example 2019": 24, "Example 2021": 24}),
        ("1 d", {"Example 2018": 24, "Example 2019": 24, "Example 2021": 24}),
        ("nearest:60 h", {"Example 2018": 72, "Example 2019": 24, "Example 2020": 48, "Example 2021": 24}),
        ("nearest:48 h", {"Example 2018": 24, "Example 2019": 24, "Example 2020": 48, "Example 2021": 24}),
    ],
)
def test_each_study_enters_at_one_time_point(db, rule, times):
    picked, rows = chosen(db, timepoint=rule)
    assert {study: time for study, time, *_ in rows} == times
    assert str(picked.timepoint) == rule
    assert ("info", f"Time point of each study: {rule} (as asked).") in picked.notes
    untimely = picked.exclusions[picked.exclusions["stage"] == "timepoint"]
    every = {(row["study"], row["timepoint"]) for row in db.rows(
        "select distinct study, timepoint from contrast where outcome = 'alt' and measure = 'ROM'")}  # fmt: skip
    assert len(untimely) == len(every) - len(times)


def test_without_a_rule_the_plan_decides_as_in_the_view(db):
    picked, _ = chosen(db)
    view = db.rows("select contrast_id from analysis_contrast where outcome = 'alt' and measure = 'ROM'")
    assert set(picked.contrasts["contrast_id"]) == {row["contrast_id"] for row in view}
    assert ("info", "Time point of each study: last (by the review's plan).") in picked.notes


@pytest.mark.parametrize("rule", [pytest.param("24 h", marks=pytest.mark.slow), "nearest:2 d"])
def test_python_and_the_view_pick_the_same(example_file, tmp_path, rule):
    copy = tmp_path / "copy.duckdb"
    copyfile(example_file, copy)
    connection = connect(copy, write=True)
    connection.execute("update plan set timepoint = ?", [rule])
    connection.close()
    with evidence.open(copy) as db:
        view = db.rows("select contrast_id from analysis_contrast where outcome = 'alt' and measure = 'ROM'")
        picked = read(db, Question("alt", "ROM")).contrasts["contrast_id"]
        assert sorted(picked) == sorted(row["contrast_id"] for row in view)


# --- conditions on studies ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("where", "years"),
    [
        ("species = 'rat'", [2018, 2020]),
        ("species = 'rat' and year > 2018", [2020]),
        ("not (species = 'rat')", [2019, 2021]),
        ("funding = 'public'", [2018, 2021]),
        ("Funding in ('public', 'industry')", [2018, 2020, 2021]),
        ("study in (select study from rob_judgement where item = '5' and judgement = 'high')", [2019]),
        ("exists (select 1 from arm where arm.study = study.study and dose > 1000000)", [2020]),
        ("label like '%2021' -- the last", [2021]),
        ("year between 2019 and 2020", [2019, 2020]),
        ("false", []),
    ],
)
def test_conditions_choose_studies(db, where, years):
    assert select_studies(db, where) == [f"Example {year}" for year in years]


@pytest.mark.parametrize(
    ("where", "words"),
    [
        ("1 = 1) or (2 = 2", "is no condition"),
        ("species = 'rat'; delete from study", "is no condition"),
        ("species = 'rat' order by study", "is no condition"),
        ("", "is no condition"),
        ("(" * 200 + "1" + ")" * 200 + " = 1", "nested too deeply"),
        ("spcies = 'rat'", "Did you mean 'species'?"),
        ("fundng = 'public'", "Did you mean 'funding'?"),
        ("species > 5", "--where 'species > 5'"),
        ("(select 1 from read_text('/etc/passwd')) is not null", "out of reach"),
        ("study in (select study from studie)", "no table or view 'studie'"),
    ],
)
def test_wrong_conditions_are_refused_in_words(db, where, words):
    with pytest.raises(CallError) as caught:
        select_studies(db, where)
    assert words in str(caught.value)


def test_characteristics_that_are_all_numbers_compare_as_numbers(empty_database, tmp_path):
    connection = empty_database
    for study, size, dose in (("a", "9", "5 mg"), ("b", "10", "7 mg"), ("c", None, None)):
        connection.execute(
            "insert into study (study, label, source_file, source_line) values (?, ?, '', 0)", [study] * 2
        )
        for name, value in (("litter size", size), ("dose", dose)):
            if value is not None:
                connection.execute("insert into characteristic values (?, ?, ?, '', 0)", [study, name, value])
    connection.close()
    with evidence.open(tmp_path / "empty.duckdb") as db:
        assert select_studies(db, '"litter size" > 9') == ["b"]
        assert select_studies(db, '"litter size" is null') == ["c"]
        assert select_studies(db, "dose = '7 mg'") == ["b"]


def test_a_condition_is_applied_said_and_accounted_for(db):
    picked, rows = chosen(db, where="species = 'rat'")
    assert {study for study, *_ in rows} == {"Example 2018", "Example 2020"}
    assert ("info", "Only studies where species = 'rat': 2 of 4.") in picked.notes
    gone = picked.exclusions[picked.exclusions["stage"] == "where"]
    assert sorted(gone["study"]) == ["Example 2019", "Example 2021"]
    assert set(gone["reason"]) == {"the study does not meet the condition: species = 'rat'"}


# --- treatments and refusals ----------------------------------------------------------------------------------


def test_treatments_restrict_contrasts(db):
    picked, rows = chosen(db, treatments=["b", "vehicle"])
    assert {(a, b) for *_, a, b in rows} == {("b", "vehicle")}
    gone = picked.exclusions[picked.exclusions["stage"] == "treatments"]
    assert sorted(gone["study"]) == ["Example 2018", "Example 2021"]


def test_rows_that_could_not_be_used_are_among_the_exclusions(diabetes_file):
    with evidence.open(diabetes_file) as db:
        stage = db.value(
            "select count(*) from exclusion where measure = 'ROM' and stage <> 'analysis_contrast'"
        )
        assert stage > 0
        with pytest.raises(RefusedError, match="What did not enter"):
            read(db, Question("hba1c", "ROM", where="false"))


def test_reasons_of_a_refusal_come_the_most_frequent_first_then_by_name(diabetes_file):
    with evidence.open(diabetes_file) as db, pytest.raises(RefusedError) as refused:
        read(db, Question("hba1c", "ROM", where="false"))
    said = [line.split(" x ") for line in str(refused.value).splitlines()[1:]]
    assert len(said) > 1
    assert said == sorted(said, key=lambda part: (-int(part[0]), part[1]))


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"outcome": "ALT"}, CallError, "There is no outcome 'ALT'. Did you mean 'alt'?"),
        ({"measure": "RMO"}, CallError, "There is no measure 'RMO'"),
        ({"treatments": ["a", "vehical"]}, CallError, "Did you mean 'vehicle'?"),
        ({"measure": "OR"}, RefusedError, "has no contrast in measure 'OR'. It has: "),
        ({"timepoint": "5"}, RefusedError, "time point 24 h does not count under the rule 5 h"),
        ({"timepoint": "5"}, RefusedError, "the time points there are 24 h, 48 h, 72 h"),
        ({"timepoint": "nan"}, CallError, "'nan' is no time point rule"),
        ({"where": "species = 'cat'"}, RefusedError, "4 x the study does not meet the condition"),
        ({"treatments": ["a"]}, RefusedError, "is left with time point last; treatments a."),
    ],
)
def test_refusals_name_what_would_work(db, options, error, words):
    with pytest.raises(error) as caught:
        chosen(db, **options)
    assert words in str(caught.value)


def test_known_returns_what_there_is(db):
    assert known(db, "treatment", "a") == "a"
    assert known(db, "effect_measure", "MD", "measure") == "MD"


def test_rows_are_in_one_order(db):
    picked, _ = chosen(db, timepoint="first")
    keys = ["study", "experiment", "timepoint", "treatment_a", "treatment_b", "arm_a", "arm_b"]
    assert picked.contrasts[keys].equals(picked.contrasts[keys].sort_values(keys).reset_index(drop=True))


# --- time: units, comparisons, arms ---------------------------------------------------------------------------

HOURS = {
    "A": (12, 24, 36), "B": (8, 40), "C": (24, 168), "D": (168,), "E": (1, 672), "F": (36, 60),
}  # fmt: skip
"""Time points of each study, in hours; outcomes in_h, in_d and mixed have them in other units."""
UNITS = {"in_h": "h", "in_d": "d"}
HOUR = {"h": 1, "d": 24, "wk": 168, "min": 1 / 60}
COURSE = {
    "s1": {28: "bc"}, "s2": {28: "bc"}, "s3": {7: "abc", 28: "ac"}, "s4": {7: "ac", 28: "ac"},
}  # fmt: skip
"""Treatments that each study measures on each day: of s3 the animals of b were sacrificed on day 7."""


def written(folder, measured, plan=""):
    """Write a review of continuous measurements: study, arm (its treatment), outcome, time, unit, mean."""
    folder.mkdir()
    studies = sorted({row[0] for row in measured})
    arms = sorted({row[:2] for row in measured})
    treatments = sorted({arm for _, arm in arms})
    outcomes = sorted({row[2] for row in measured})
    files = {
        "review.toml": f'title = "Time"\nsynthetic = true\n{plan}',
        "studies.csv": "study,year,species\n" + "".join(
            f"{study},{2000 + n},{('mouse', 'rat')[n % 2]}\n" for n, study in enumerate(studies)),
        "treatments.csv": "treatment,label,class,role\n" + "".join(
            f"{name},,{'' if name in 'cp' else 'drugs'},{'control' if name in 'cp' else 'active'}\n"
            for name in treatments),
        "outcomes.csv": "outcome,kind,unit,lower_is_better\n" + "".join(
            f"{name},continuous,U/L,true\n" for name in outcomes),
        "arms.csv": "study,arm,treatment,n\n" + "".join(f"{s},{a},{a},10\n" for s, a in arms),
        "measurements.csv": "study,arm,outcome,timepoint,timepoint_unit,n,mean,sd,unit\n" + "".join(
            f"{s},{a},{o},{t!r},{u},10,{m},2,U/L\n" for s, a, o, t, u, m in measured),
        "risk_of_bias.csv": "study,tool,item,judgement\n" + f"{studies[0]},SYRCLE,7,high\n",
    }  # fmt: skip
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def time_course():
    rows = []
    for n, (study, hours) in enumerate(HOURS.items()):
        mixed = ("h", "d", "wk", "min")[n % 4]
        for outcome, unit in {**UNITS, "mixed": mixed}.items():
            rows += [
                (study, arm, outcome, hour / HOUR[unit], unit, 50 + (hour + n if arm == "a" else 0))
                for hour in hours for arm in "ap"
            ]  # fmt: skip
    return rows + [
        (study, arm, "late", float(day), "d", 30 + 7 * ord(arm) % 5 + day + n)
        for n, (study, days) in enumerate(COURSE.items())
        for day, arms in days.items()
        for arm in arms
    ]


@pytest.fixture(scope="module")
def timed(tmp_path_factory):
    place = tmp_path_factory.mktemp("timed")
    with evidence.open(
        evidence.build(written(place / "timed", time_course()), place / "timed.duckdb")
    ) as base:
        yield base


@pytest.mark.parametrize(
    "rule",
    [
        "last", "1 d", "nearest:1440 min",
        *(pytest.param(rule, marks=pytest.mark.slow) for rule in ("first", "24 h", "nearest:0.25 wk", "4 wk")),
    ],
)  # fmt: skip
def test_a_rule_means_the_same_time_whatever_units_the_rows_are_typed_in(timed, rule):
    found = {}
    for outcome, unit in {**UNITS, "mixed": "d"}.items():
        body = read(timed, Question(outcome, "MD", treatment="a", versus="p", timepoint=rule))
        assert str(body.timepoint) == rule
        found[outcome] = {
            row.study: (round(row.timepoint * HOUR[unit], 6), row.estimate)
            for row in body.contrasts.itertuples()
        }
    assert found["in_h"] == found["in_d"] == found["mixed"]
    assert len(found["mixed"]) == (len(HOURS) if rule[0] in "fln" else 2 if rule in ("24 h", "1 d") else 1)


def test_of_two_time_points_equally_near_the_earlier_counts_in_every_unit(timed):
    for outcome, hour in (("in_h", 1), ("in_d", 24), ("mixed", 24)):
        body = read(timed, Question(outcome, "MD", timepoint="nearest:24 h"))
        times = dict(zip(body.contrasts["study"], body.contrasts["timepoint"] * hour, strict=True))
        assert (round(times["B"], 6), round(times["A"], 6)) == (8, 24)


def test_a_bare_number_is_read_in_the_only_unit_and_said_or_refused(timed):
    body = read(timed, Question("in_d", "MD", timepoint="nearest:1"))
    assert str(body.timepoint) == body.question.timepoint == "nearest:1 d"
    said = "The time rule nearest:1 is read as nearest:1 d: every time point of in_d is in d."
    assert ("info", said) in body.notes
    for rule in ("nearest:1", "24"):
        with pytest.raises(CallError, match=r"different units \(d, h, min, wk\): write it with its unit"):
            read(timed, Question("mixed", "MD", timepoint=rule))


def test_a_row_typed_in_another_unit_cannot_change_what_a_number_means(tmp_path):
    rows = [
        (study, arm, "alt", float(week), "wk", 100 - (gain if arm == "a" else 0))
        for study in "AB" for week, gain in ((2, 40), (12, 10)) for arm in "ap"
    ]  # fmt: skip
    more = [("C", arm, "alt", 84.0, "d", 100 - (10 if arm == "a" else 0)) for arm in "ap"]
    asked = {"outcome": "alt", "measure": "MD", "treatment": "a", "versus": "p"}
    for name, measured in (("weeks", rows), ("both", rows + more)):
        with evidence.open(
            evidence.build(written(tmp_path / name, measured), tmp_path / f"{name}.duckdb")
        ) as base:
            fit = pairwise.fit(base, **asked, timepoint="nearest:12 wk")
            assert fit.estimates()["estimate"].round(6).tolist() == [-10, -10]
            if name == "both":
                with pytest.raises(CallError, match=r"for example nearest:12 (d|wk)"):
                    pairwise.fit(base, **asked, timepoint="nearest:12")
    plan = '[protocol]\ntimepoint = "nearest:12"\n'
    with pytest.raises(ReviewError) as caught:
        evidence.build(written(tmp_path / "planned", rows + more, plan), tmp_path / "planned.duckdb")
    (problem,) = caught.value.problems
    assert (problem.file, problem.line) == ("review.toml", 4)
    assert "could mean several times" in problem.message
    assert problem.remedy.startswith("write it with its unit")


def test_a_plan_that_finds_nothing_is_an_error_of_the_review(tmp_path):
    rows = [("A", arm, "alt", time, "h", 5) for arm in "ap" for time in (24.0, 72.0)]
    plan = (
        '[[protocol.analysis]]\nname = "day two"\noutcome = "alt"\nmeasure = "MD"\ntimepoint = "2 d"\n'
        '[[protocol.analysis]]\nname = "day three"\noutcome = "alt"\nmeasure = "MD"\ntimepoint = 72\n'
    )
    with pytest.raises(ReviewError) as caught:
        evidence.build(written(tmp_path / "plan", rows, plan), tmp_path / "plan.duckdb")
    (problem,) = caught.value.problems
    assert "analysis 'day two': no study has outcome 'alt' at time point 2 d" in problem.message
    assert problem.remedy == "there are 24 h, 72 h; write one of them, or nearest:2 d"
    assert (problem.file, problem.line) == ("review.toml", 7)


def test_the_plan_stores_its_rule_with_the_unit_and_the_check_finds_a_time_that_is_not_there(tmp_path):
    rows = [("A", arm, "alt", time, "h", 5) for arm in "ap" for time in (24.0, 72.0)]
    plan = '[[protocol.analysis]]\nname = "day three"\noutcome = "alt"\nmeasure = "MD"\ntimepoint = 72\n'
    path = evidence.build(written(tmp_path / "plan", rows, plan), tmp_path / "plan.duckdb")
    connection = connect(path, write=True)
    assert connection.execute("select timepoint from plan").fetchall() == [("72 h",)]
    assert connection.execute("select * from audit_plan_time").fetchall() == []
    connection.execute("update plan set timepoint = '5 d'")
    refresh(connection)
    ((severity, message),) = connection.execute("select severity, message from audit_plan_time").fetchall()
    connection.close()
    assert (severity, message) == (
        "error", "analysis day three: no study has outcome alt at time point 5 d; there are 24.0 h, 72.0 h",
    )  # fmt: skip


def test_a_comparison_takes_the_last_time_point_that_has_it(timed):
    asked = {"outcome": "late", "measure": "MD"}
    days = {}
    for a, b in ("bc", "ac", "ab"):
        body = read(timed, Question(**asked, treatment=a, versus=b, timepoint="last"))
        days[a + b] = dict(zip(body.contrasts["study"], body.contrasts["timepoint"], strict=True))
        pooled = timed.rows(
            "select study, timepoint from comparison_contrast where outcome = 'late' and measure = 'MD' "
            "and least(treatment_a, treatment_b) = $1 and greatest(treatment_a, treatment_b) = $2", [a, b]
        )  # fmt: skip
        assert {row["study"]: row["timepoint"] for row in pooled} == days[a + b]
    assert days == {"bc": {"s1": 28, "s2": 28, "s3": 7}, "ac": {"s3": 28, "s4": 28}, "ab": {"s3": 7}}
    k = {(r["treatment_a"], r["treatment_b"]): r["n_studies"] for r in timed.rows(
        "from pooled where outcome = 'late' and measure = 'MD'")}  # fmt: skip
    assert k == {("b", "c"): 3, ("a", "c"): 2, ("a", "b"): 1}


def test_a_network_takes_the_last_time_point_with_the_most_arms_and_says_so(timed):
    net = network.load(timed, "late", "MD", timepoint="last")
    assert net.treatments == ("c", "a", "b")
    times = dict(zip(net.contrasts["study"], net.contrasts["timepoint"], strict=True))
    assert times == {"s1": 28, "s2": 28, "s3": 7, "s4": 28}
    view = timed.rows(
        "select study, timepoint from analysis_contrast where outcome = 'late' and measure = 'MD'"
    )
    assert {row["study"]: row["timepoint"] for row in view} == times
    assert (
        "info", "So that more of their arms enter, a time point other than last counts for s3 (7 d, not 28 d).",
    ) in net.notes  # fmt: skip


def test_an_arm_that_the_rule_loses_is_named_with_its_reason(timed):
    net = network.load(timed, "late", "MD", timepoint="28 d")
    body = read(timed, Question("late", "MD", timepoint="nearest:3 wk"))
    assert dict(zip(body.contrasts["study"], body.contrasts["timepoint"], strict=True))["s3"] == 7
    lost = net.exclusions[(net.exclusions["study"] == "s3") & net.exclusions["arm"].notna()]
    assert lost["reason"].tolist() == [
        "arm b (b) was measured at 7 d and not at 28 d, the time point of its study that counts under the rule 28 d"
    ]
    assert "b" in net.treatments


@settings(max_examples=25, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from("ABCD"),
        st.dictionaries(st.sampled_from([None, 1.0, 2.0, 3.0, 7.0]), st.sets(st.sampled_from("abcd"), min_size=2), min_size=1),
        min_size=1,
    ),
    st.sampled_from(["first", "last", "2", "nearest:2", "nearest:5"]),
    st.randoms(use_true_random=False),
)  # fmt: skip
def test_the_choice_is_that_of_the_definition_and_does_not_depend_on_the_order_of_rows(
    blank, course, text, random
):
    rows = [
        {"study": study, "experiment": "main", "timepoint": time, "block": 10 * ord(study) + int(time or 0),
         "arm_a": a, "arm_b": b, "treatment_a": a, "treatment_b": b}
        for study, times in course.items() for time, arms in times.items()
        for a in sorted(arms) for b in sorted(arms) if a < b
    ]  # fmt: skip
    random.shuffle(rows)
    frame = pd.DataFrame(rows)
    frame["timepoint"] = frame["timepoint"].astype(float)
    rule = TimepointRule.parse(text)
    for asked in (Question("y", "MD"), Question("y", "MD", treatment="a", versus="b")):
        found = _timed(blank, asked, rule, frame)
        found = found[found["place"] == 1]
        chosen = {study: part["timepoint"].tolist() for study, part in found.groupby("study")}
        for study, times in course.items():
            expected = _by_definition(rule, times, asked.pairwise)
            got = {None if time != time else time for time in chosen.get(study, [])}
            assert got == ({expected} if expected != "none" else set())


def _by_definition(rule, times, pairwise):
    """The time point that counts: with a time before without; in a network most arms first; then by the rule."""

    def key(time):
        far = {"first": lambda: time, "last": lambda: -time}.get(rule.kind, lambda: abs(time - rule.value))
        return (0 if pairwise else -len(times[time]), far(), time)

    known_times = [
        time for time in times if time is not None and (rule.kind != "value" or time == rule.value)
    ]
    if known_times:
        return min(known_times, key=key)
    return "none" if rule.kind == "value" else None


@pytest.fixture(scope="module")
def blank(tmp_path_factory):
    from evidence.store.blank import copy_blank

    path = tmp_path_factory.mktemp("blank") / "blank.duckdb"
    copy_blank(path)
    with connect(path) as connection:
        yield EvidenceBase(connection)


# --- one reader -----------------------------------------------------------------------------------------------

ANALYSED = {
    "contrast", "contrast_network", "contrast_covariance", "measurement_standard", "analysis_contrast",
    "comparison_contrast", "contrast_choice", "high_risk_study",
}  # fmt: skip
HONEST = {
    # Not an analysis: figures of coverage, provenance, simulation.
    "analysis/plot/whole.py", "analysis/recipes/query_and_export.py",
    "analysis/report/sections/closing.py", "analysis/report/links.py",
    "evidence/folder/simulate.py", "evidence/trace.py",
    # An example that a notebook shows.
    "evidence/catalog.py",
    # Questions that the reader of a site asks and changes.
    "analysis/site/questions.py",
    # Names what a format has no place for.
    "evidence/exporters/ways_back.py",
    # Evaluates conditions on contrasts for the reader.
    "evidence/checking/condition.py",
    # Writes what the view `pooled` pooled, beside its rows.
    "evidence/exporters/revman.py",
}  # fmt: skip


def test_no_other_module_selects_what_an_analysis_uses():
    import re

    asks = re.compile(rf"\b(?:from|join)\s+({'|'.join(sorted(ANALYSED))})\b")
    root = Path(analysis.__file__).parents[1]
    found = set()
    for path in [*root.glob("analysis/**/*.py"), *root.glob("evidence/**/*.py")]:
        nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
        said = {
            id(node.value) for node in nodes if isinstance(node, ast.Expr)
        }  # docstrings and their examples
        texts = [
            node.value for node in nodes
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in said
        ]  # fmt: skip
        if any(asks.search(text) for text in texts):
            found.add(path.relative_to(root).as_posix())
    assert "evidence/question.py" in found
    # An exception that is none any more is taken off the list.
    assert found - HONEST == {"evidence/question.py"}
    assert found >= HONEST


def test_high_risk_of_bias_is_left_out_alike_in_both_kinds_of_analysis(timed):
    pair = read(timed, Question("in_h", "MD", treatment="a", versus="p", exclude_high_rob=True))
    net = read(timed, Question("in_h", "MD", exclude_high_rob=True))
    rows = [
        body.exclusions[body.exclusions["stage"] == "risk_of_bias"].to_dict("records") for body in (pair, net)
    ]
    assert [row["study"] for row in rows[0]] == ["A"]
    assert str(rows[0]) == str(rows[1])
    assert set(pair.contrasts["study"]) == set(net.contrasts["study"]) == set("BCDEF")


def test_conditions_answer_as_a_review_without_the_other_studies(timed, tmp_path):
    kept = sorted(row["study"] for row in timed.rows("select study from study where species = 'mouse'"))
    rows = [row for row in time_course() if row[0] in kept]
    with evidence.open(evidence.build(written(tmp_path / "mice", rows), tmp_path / "mice.duckdb")) as mice:
        for outcome, rule in (("in_h", "last"), ("mixed", "nearest:24 h"), ("late", "last")):
            whole = read(timed, Question(outcome, "MD", where="species = 'mouse'", timepoint=rule))
            part = read(mice, Question(outcome, "MD", timepoint=rule))
            columns = ["study", "timepoint", "treatment_a", "treatment_b", "estimate", "std_error"]
            pd.testing.assert_frame_equal(whole.contrasts[columns], part.contrasts[columns])
            assert (whole.scale, whole.unit, whole.labels) == (part.scale, part.unit, part.labels)


def test_conditions_may_name_what_describes_arms_and_effects(tmp_path):
    rows = [(s, a, "y", 7.0, "d", 10 + n + 5 * (a == "a")) for n, s in enumerate("ABCDE") for a in "ap"]
    folder = written(tmp_path / "dose", rows)
    text = "study,arm,treatment,n,dose,cell\n"
    for study, dose, cell in zip(
        "ABCDE", (1, 2, 5, 10, "NR"), ("fresh", "frozen") * 2 + ("NR",), strict=False
    ):
        text += f"{study},a,a,10,{dose},{cell}\n{study},p,p,10,,\n"
    (folder / "arms.csv").write_text(text, encoding="utf-8")
    expected = {
        "dose > 1.5": "BCD", "cell = 'fresh'": "AC", "timepoint <= 7 and species = 'mouse'": "ACE",
    }  # fmt: skip
    with evidence.open(evidence.build(folder, tmp_path / "dose.duckdb")) as base:
        for where, studies in expected.items():
            pair = read(base, Question("y", "MD", treatment="a", versus="p", where=where))
            assert "".join(pair.contrasts["study"]) == studies
            assert pair.notes[0] == ("info", f"Only effects where {where}: {len(studies)} of 5.")
        # A control has no dose, and stays.
        assert "".join(read(base, Question("y", "MD", where="dose > 1.5")).contrasts["study"]) == "BCD"


def test_a_review_of_reported_contrasts_alone_is_pooled(tmp_path):
    folder = tmp_path / "reported"
    folder.mkdir()
    for file, text in {
        "review.toml": 'title = "Reported"\n',
        "studies.csv": "study,label\na,A\nb,B\n",
        "treatments.csv": "treatment,label,role\nT,T,active\nP,P,control\n",
        "outcomes.csv": "outcome,label,kind,lower_is_better\ny,Y,continuous,true\n",
        "arms.csv": "study,arm,treatment\na,T,T\na,P,P\nb,T,T\nb,P,P\n",
        "contrasts.csv": "study,outcome,arm_a,arm_b,measure,estimate,se\na,y,T,P,MD,1,1\nb,y,T,P,MD,3,1\n",
    }.items():
        (folder / file).write_text(text)
    with evidence.open(evidence.build(folder, tmp_path / "reported.duckdb")) as db:
        fit = pairwise.fit(db, outcome="y", measure="MD", treatment="T", versus="P")
        assert set(fit.estimates()["estimate"]) == {2.0}
