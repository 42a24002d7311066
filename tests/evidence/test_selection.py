from shutil import copyfile

import pytest

import evidence
from evidence.database import connect
from evidence.errors import CallError, RefusedError
from evidence.selection import TimepointRule, known, select_contrasts, select_studies


@pytest.fixture(scope="module")
def db(example_file):
    with evidence.open(example_file) as base:
        yield base


def chosen(db, **options):
    picked = select_contrasts(db, **({"outcome": "alt", "measure": "ROM"} | options))
    return picked, [
        (row.study, row.timepoint, row.treatment_a, row.treatment_b) for row in picked.contrasts.itertuples()
    ]


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
    ],
)
def test_rules_are_read_and_written(text, rule):
    assert TimepointRule.parse(text) == rule
    assert TimepointRule.parse(str(rule)) == rule


@pytest.mark.parametrize("text", ["", "latest", "nearest", "nearest:", "nearest:soon", "first:2", "12 h"])
def test_what_is_no_rule_is_refused(text):
    with pytest.raises(CallError, match="no time point rule"):
        TimepointRule.parse(text)


@pytest.mark.parametrize(
    ("rule", "times"),
    [
        ("last", {"Example 2018": 72, "Example 2019": 24, "Example 2020": 48, "Example 2021": 24}),
        ("first", {"Example 2018": 24, "Example 2019": 24, "Example 2020": 48, "Example 2021": 24}),
        ("24", {"Example 2018": 24, "Example 2019": 24, "Example 2021": 24}),
        ("nearest:60", {"Example 2018": 72, "Example 2019": 24, "Example 2020": 48, "Example 2021": 24}),
        ("nearest:48", {"Example 2018": 24, "Example 2019": 24, "Example 2020": 48, "Example 2021": 24}),
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


@pytest.mark.parametrize("rule", ["first", "24", "nearest:48", "nearest:60"])
def test_python_and_the_view_pick_the_same(example_file, tmp_path, rule):
    copy = tmp_path / "copy.duckdb"
    copyfile(example_file, copy)
    connection = connect(copy, write=True)
    connection.execute("update plan set timepoint = ?", [rule])
    connection.close()
    with evidence.open(copy) as db:
        view = db.rows("select contrast_id from analysis_contrast where outcome = 'alt' and measure = 'ROM'")
        picked = select_contrasts(db, outcome="alt", measure="ROM").contrasts["contrast_id"]
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
            select_contrasts(db, outcome="hba1c", measure="ROM", where="false")


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"outcome": "ALT"}, CallError, "There is no outcome 'ALT'. Did you mean 'alt'?"),
        ({"measure": "RMO"}, CallError, "There is no measure 'RMO'"),
        ({"treatments": ["a", "vehical"]}, CallError, "Did you mean 'vehicle'?"),
        ({"measure": "OR"}, RefusedError, "has no contrast in measure 'OR'. It has: "),
        ({"timepoint": "5"}, RefusedError, "time point 24 h does not count under the rule 5"),
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
