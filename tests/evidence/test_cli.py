import json
import operator
import os
import shutil
import signal
import subprocess
import sys
import time
from inspect import signature
from pathlib import Path

import pytest
from click.testing import CliRunner

import evidence
from evidence.cli import COMMANDS, by_task, cli
from evidence.importers import IMPORTERS
from evidence.output import significant

HEAVY = ("pandas", "scipy", "pymc", "altair", "numpy", "arviz", "networkx", "sqlglot", "jinja2")
EVIDENCE = [sys.executable, "-m", "evidence.cli"]


def call(*arguments, **options):
    return CliRunner().invoke(cli, [str(item) for item in arguments], **options)


# --- help, names, exit codes ----------------------------------------------------------------------------------

PATHS = [(name,) for name in COMMANDS] + [("import", name) for name in IMPORTERS]


def test_every_importer_is_registered_once_and_has_a_command():
    commands = cli.get_command(None, "import")
    assert commands.list_commands(None) == list(IMPORTERS)
    for name, importer in IMPORTERS.items():
        assert {"file", "into", "dry_run"} <= signature(importer.load()).parameters.keys(), name
        command = commands.get_command(None, name)
        assert command.name == name
        assert importer.help.split("\n")[0] in command.help
        assert f"Reads {importer.formats}." in command.help


@pytest.mark.parametrize("path", PATHS, ids=" ".join)
def test_every_command_explains_itself_with_an_example(path):
    result = call(*path, "--help")
    assert result.exit_code == 0
    assert "Example:\n" in result.output
    example = result.output.partition("Example:\n")[2]
    assert f"evidence {path[0]}" in example
    command = cli.get_command(None, path[0])
    for name in path[1:]:
        command = command.get_command(None, name)
    assert command.help
    assert [
        option.name for option in command.params if option.param_type_name == "option" and not option.help
    ] == []


def test_the_list_of_commands_is_by_task_and_each_in_order():
    result = call("--help")
    lists = result.output.partition("Options:")[2].splitlines()
    listed = [line.split()[0] for line in lists if line.startswith("  ")]
    tasks = by_task(list(COMMANDS))
    assert [name for name in listed if name in COMMANDS] == [
        name for names in tasks.values() for name in names
    ]
    assert all(f"\n{task}:\n" in result.output for task in tasks)


def test_a_mistyped_command_is_recognised():
    result = call("catalogue")
    assert result.exit_code == 2
    assert "Did you mean 'catalog'?" in result.output


def test_version():
    assert evidence.__version__ in call("--version").output


@pytest.mark.parametrize(
    "arguments",
    [
        ("sql", "nothing.duckdb", "select 1"),
        ("sql", "diabets", "select 1"),
        ("sql", "parkinson"),
        ("sql", "parkinson", "select 1", "--timeout", "0"),
        ("sql", "parkinson", "select 1", "--format", "yaml"),
        ("sql", "parkinson", "select 1", "--format", "parquet"),
        ("sql", "parkinson", "select 1", "-o", "no/such/folder.csv"),
        ("sql", "parkinson", "select 1", "-o", "."),
        ("catalog", "parkinson", "nothing"),
        ("check", "nothing.duckdb"),
        ("build", "no-such-review"),
        ("build", "parkinson", "-o", "no/such/folder.duckdb"),
        ("pool", "parkinson", "--outcome", "off_tim", "--measure", "MD", "--treatment", "a", "--versus", "b"),
        ("pool", "parkinson", "--outcome", "off_time"),
        ("nma", "parkinson", "--outcome", "off_time", "--measure", "XX"),
        ("nma", "parkinson", "--outcome", "off_time", "--measure", "MD", "--tau-prior", "uniform(0, 5)"),
        ("analyse", "parkinson"),
        ("trace", "parkinson", "nothing"),
        ("export", "parkinson", "--to", "out", "--format", "xml"),
        ("import", "arms", "nothing.csv", "--into", "x", "--outcome", "y"),
        ("import", "nothing"),
        ("build", "caf\udce9"),
        ("import", "arms", "table.csv", "--into", "x", "--outcome", "y", "--unit", "\udcb5g"),
    ],
    ids=lambda words: ascii(" ".join(words)),
)
def test_wrong_calls_end_with_two_and_words(arguments, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = call(*arguments)
    assert result.exit_code == 2, result.output
    assert isinstance(result.exception, SystemExit)
    assert "Error: " in result.output
    assert "Traceback" not in result.output
    assert list(tmp_path.iterdir()) == []


def test_wrong_data_end_with_one_and_every_error(tmp_path):
    assert call("new", tmp_path / "mine").exit_code == 0
    text = (tmp_path / "mine" / "arms.csv").read_text(encoding="utf-8")
    (tmp_path / "mine" / "arms.csv").write_text(
        text.replace(",vehicle,10,", ",vehical,-10,"), encoding="utf-8"
    )
    result = call("build", tmp_path / "mine", "-o", tmp_path / "mine.duckdb")
    assert result.exit_code == 1
    assert "arms.csv:2" in result.output
    assert "vehical" in result.output
    assert "-10" in result.output
    assert not (tmp_path / "mine.duckdb").exists()
    assert call("sql", tmp_path / "mine", "select 1").exit_code == 1


# --- folders --------------------------------------------------------------------------------------------------


def test_reviews_are_listed():
    result = call("reviews")
    assert result.exit_code == 0
    for name in ("diabetes", "smoking", "parkinson", "maternal-diet", "alf"):
        assert name in result.output


def test_a_new_folder_builds_checks_and_is_explained(tmp_path):
    folder = tmp_path / "mine"
    assert call("new", folder).exit_code == 0
    file = tmp_path / "mine.duckdb"
    built = call("build", folder, "-o", file)
    assert built.exit_code == 0
    assert "4 studies, 9 arms" in built.output
    checked = call("check", file)
    assert checked.exit_code == 0
    assert "0 errors, 0 warnings." in checked.output
    guide = (folder / "README.md").read_text(encoding="utf-8")
    assert "## measurements.csv" in guide
    assert "| study | name, required; one that studies.csv has | Study." in guide
    again = call("new", folder)
    assert again.exit_code == 2
    assert "not empty" in again.output


def test_the_template_says_that_it_is_invented(example_file):
    with evidence.open(example_file) as db:
        assert db.value("select synthetic from review") is True


@pytest.mark.slow
def test_check_shows_warnings_and_fails_on_errors(diabetes_file, tmp_path, monkeypatch):
    from evidence.database import connect

    # Views that a file brings are not read; this one is as if the package had it.
    monkeypatch.setattr("evidence.opening.are_ours", lambda path: True)

    copy = tmp_path / "copy.duckdb"
    shutil.copyfile(diabetes_file, copy)
    connection = connect(copy, write=True)
    connection.execute("create view audit_extra as select 'warning' as severity, 'too round' as message, 'ask the authors' as remedy, "
                       "'Alex (1998)' as study, 'arms.csv' as source_file, 7 as source_line")  # fmt: skip
    connection.close()
    result = call("check", copy)
    assert result.exit_code == 0
    assert "warning: arms.csv:7 (study 'Alex (1998)'): too round" in result.output
    connection = connect(copy, write=True)
    connection.execute("create or replace view audit_extra as select 'error' as severity, 'not so' as message, null as remedy, "
                       "null as study, null as source_file, null as source_line")  # fmt: skip
    connection.close()
    result = call("check", copy)
    assert result.exit_code == 1
    assert "error: not so" in result.output


def test_import_arms_makes_a_folder(tmp_path):
    table = tmp_path / "table.csv"
    table.write_text("study,treatment,n,mean,sd\nA,x,10,1,1\nA,y,10,2,1\nB,x,12,1.5,1\nB,y,12,2.5,1\n")
    result = call(
        "import", "arms", table, "--into", tmp_path / "mine", "--outcome", "pain", "--lower-is-better"
    )
    assert result.exit_code == 0, result.output
    assert "4 rows added" in result.output
    assert call("build", tmp_path / "mine", "-o", tmp_path / "mine.duckdb").exit_code == 0
    result = call("import", "arms", table, "--into", tmp_path / "x", "--outcome", "pain", "--column", "sd")
    assert result.exit_code == 2
    assert "SOURCE=TARGET" in result.output


# --- sql ------------------------------------------------------------------------------------------------------

QUERY = (
    "select study, 1 / 3.0::double as x, null as n, '=1+1' as formula, 1.50::decimal(10, 2) as d, [1, 2] as l, "
    "true as b, 'a|b' as bar, 'nan'::double as nan from study order by study limit 2"
)


def test_table(diabetes_file):
    result = call("sql", diabetes_file, QUERY)
    assert result.exit_code == 0
    assert "0.333333" in result.output
    assert "Alex (1998)" in result.output


def test_a_long_table_says_what_it_does_not_show(diabetes_file):
    result = call("sql", diabetes_file, "select * from range(1500)")
    assert "500 more rows are not shown" in result.output


def test_csv(diabetes_file):
    result = call("sql", diabetes_file, QUERY, "--format", "csv")
    assert result.output.splitlines() == [
        "study,x,n,formula,d,l,b,bar,nan",
        'Alex (1998),0.3333333333333333,,=1+1,1.50,"[1, 2]",true,a|b,nan',
        'Baksi (2004),0.3333333333333333,,=1+1,1.50,"[1, 2]",true,a|b,nan',
    ]


def test_json(diabetes_file):
    result = call("sql", diabetes_file, QUERY, "--format", "json")
    assert json.loads(result.output)[0] == {
        "study": "Alex (1998)", "x": 1 / 3, "n": None, "formula": "=1+1", "d": 1.5, "l": [1, 2], "b": True,
        "bar": "a|b", "nan": None,
    }  # fmt: skip
    both = call(
        "sql", diabetes_file, "select study, study, study as study_1 from study limit 1", "--format", "json"
    )
    assert list(json.loads(both.output)[0]) == ["study", "study_1", "study_1_1"]
    none = call("sql", diabetes_file, "select study from study where false", "--format", "json")
    assert json.loads(none.output) == []


def test_markdown(diabetes_file):
    result = call("sql", diabetes_file, "select 'a|b' as bar, 'x\ny' as line, 2 as n", "--format", "md")
    assert result.output == "| bar | line | n |\n| --- | --- | --- |\n| a\\|b | x<br>y | 2 |\n"


def test_xlsx_holds_texts_as_texts(diabetes_file, tmp_path):
    import openpyxl

    target = tmp_path / "answer.xlsx"
    assert call("sql", diabetes_file, QUERY, "-o", target).exit_code == 0
    first = target.read_bytes()
    book = openpyxl.load_workbook(target)
    cells = [[cell.value for cell in row] for row in book["answer"].rows]
    assert cells[1] == ["Alex (1998)", 1 / 3, None, "=1+1", 1.5, "[1, 2]", True, "a|b", None]
    assert book["answer"]["D2"].data_type == "s"
    assert ("query", QUERY) in [tuple(cell.value for cell in row) for row in book["about"].rows]
    assert call("sql", diabetes_file, QUERY, "-o", target).exit_code == 0
    assert target.read_bytes() == first


@pytest.mark.parametrize("name", ["answer.csv", "answer.json", "answer.md", "answer.parquet", "answer.txt"])
def test_output_files(diabetes_file, tmp_path, name):
    target = tmp_path / name
    result = call("sql", diabetes_file, "select study from study", "-o", target)
    assert result.exit_code == 0
    assert result.output == ""
    assert target.stat().st_size > 0
    assert list(tmp_path.iterdir()) == [target]
    assert target.stat().st_mode & 0o777 == 0o666 & ~_umask()


def _umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_an_answer_that_fails_leaves_the_old_file(diabetes_file, tmp_path):
    for name in ("answer.csv", "answer.parquet", "answer.xlsx"):
        (tmp_path / name).write_text("old")
        late = "select i, case when i = 90000 then cast('x' || i as integer) end as x from range(100000) t(i)"
        result = call("sql", diabetes_file, late, "-o", tmp_path / name)
        assert result.exit_code == 2
        assert (tmp_path / name).read_text() == "old"
    assert len(list(tmp_path.iterdir())) == 3


def test_the_query_may_come_from_standard_input(diabetes_file):
    result = call("sql", diabetes_file, "-", "--format", "csv", input="select count(*) as n from study")
    assert result.output == "n\n26\n"


@pytest.mark.parametrize(
    "statement",
    ["copy study to 'x.csv'", "select * from read_text('/etc/passwd')", "explain analyze delete from study"],
)  # fmt: skip
def test_hostile_statements_end_with_two(diabetes_file, statement, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for arguments in ((), ("-o", "answer.csv"), ("-o", "answer.parquet"), ("-o", "answer.xlsx")):
        result = call("sql", diabetes_file, statement, *arguments)
        assert result.exit_code == 2
        assert list(tmp_path.iterdir()) == []


def test_a_bundled_name_works_for_reading(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "parkinson").mkdir()  # the folder of its report, say
    result = call("sql", "parkinson", "select count(*) as n from study", "--format", "csv")
    assert result.output == "n\n7\n"


# --- processes ------------------------------------------------------------------------------------------------


def test_a_timeout_ends_the_process(diabetes_file):
    query = "select count(*) from range(100000000000) a, range(100000000) b"
    begin = time.monotonic()
    done = subprocess.run(
        [*EVIDENCE, "sql", str(diabetes_file), query, "--timeout", "0.5"], capture_output=True, text=True
    )
    assert done.returncode == 2
    assert "took too long" in done.stderr
    assert time.monotonic() - begin < 20


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_a_value_that_wants_all_memory_is_refused(diabetes_file, tmp_path, form):
    """One list is one step of the engine, whose own limit does not see it grow."""
    target = tmp_path / f"answer.{form}"
    query = "select unnest(range(3000000000)) as i"
    done = subprocess.run(
        [*EVIDENCE, "sql", str(diabetes_file), query, "-o", str(target)], capture_output=True, text=True
    )
    assert (done.returncode, list(tmp_path.iterdir())) == (2, [])
    assert "more memory" in done.stderr
    assert "Traceback" not in done.stderr


def test_control_c_ends_quietly(diabetes_file):
    query = "select count(*) from range(100000000000) a, range(100000000) b"
    process = subprocess.Popen(
        [*EVIDENCE, "sql", str(diabetes_file), query],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A shell that runs the tests in the background has them ignore Ctrl-C.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    time.sleep(5)
    process.send_signal(signal.SIGINT)
    try:
        out, err = process.communicate(timeout=20)
    finally:
        process.kill()
    assert process.returncode == 130
    assert "Traceback" not in err
    assert "Stopped by Ctrl-C" in err
    assert out == ""


def test_a_closed_pipe_ends_quietly(diabetes_file):
    for form in ("csv", "json"):
        process = subprocess.Popen(
            [*EVIDENCE, "sql", str(diabetes_file), "select * from range(3000000)", "--format", form],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        process.stdout.readline()
        process.stdout.close()
        err = process.stderr.read()
        process.stderr.close()
        process.wait(timeout=30)
        assert "Traceback" not in err
        assert "Exception ignored" not in err


def imported(*arguments):
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "evidence.cli", *map(str, arguments)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return {
        line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if line.startswith("import time")
    }


def test_help_and_queries_import_nothing_heavy(diabetes_file):
    assert not imported("--help") & {*HEAVY, "duckdb", "rich"}
    for arguments in ((), ("--format", "csv"), ("--format", "json")):
        modules = imported("sql", diabetes_file, "select * from contrast", *arguments)
        assert "duckdb" in modules
        assert not modules & set(HEAVY)


def test_help_and_queries_load_nothing_heavy(diabetes_file):
    """Counted in modules, not in seconds: what a busy machine takes says nothing."""
    heavy = {"pandas", "numpy", "scipy", "altair", "pymc", "sqlglot"}
    for arguments, spared in (
        (["--help"], heavy | {"duckdb"}),
        (["sql", str(diabetes_file), "select 1"], heavy),
    ):
        code = (
            "import sys\nfrom evidence.cli import main\ntry:\n"
            f"    main({arguments!r})\nexcept SystemExit:\n    pass\n"
            "print('loaded:', *sys.modules, file=sys.stderr)"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        loaded = set(done.stderr.rsplit("loaded:", 1)[1].split())
        assert not loaded & spared


# --- analyses -------------------------------------------------------------------------------------------------

METFORMIN = ("--outcome", "hba1c", "--measure", "MD", "--treatment", "metf", "--versus", "plac")
FRAMES = ("estimates", "heterogeneity", "ranking", "rank_probabilities", "inconsistency", "leave_one_out",
          "diagnostics")  # fmt: skip


def test_pool_prints_json_with_every_digit(diabetes_file):
    result = call("pool", diabetes_file, *METFORMIN, "--tau2", "DL", "--ci", "Wald", "--format", "json")
    assert result.exit_code == 0, result.output
    document = json.loads(result.output)
    assert set(FRAMES) <= set(document)
    run = document["run"]
    assert (run["outcome"], run["measure"], run["scale"], run["unit"]) == ("hba1c", "MD", "additive", "%")
    assert (run["treatment"], run["versus"], run["n_studies"]) == ("metf", "plac", 4)
    assert (run["engine"], run["timepoint"], run["synthetic"]) == ("frequentist", "last", False)
    assert run["versions"]["evidence-base"] == evidence.__version__
    random = next(row for row in document["estimates"] if row["model"] == "random")
    # DerSimonian and Laird 1986, equation 8, written out.
    with evidence.open(diabetes_file) as db:
        rows = db.rows(
            "select estimate as y, 1 / std_error ^ 2 as w from contrast "
            "where measure = 'MD' and treatment_a = 'metf' and treatment_b = 'plac'"
        )
    y, w = [row["y"] for row in rows], [row["w"] for row in rows]
    common = sum(map(operator.mul, y, w)) / sum(w)
    q = sum(wi * (yi - common) ** 2 for yi, wi in zip(y, w, strict=True))
    tau2 = (q - len(y) + 1) / (sum(w) - sum(wi**2 for wi in w) / sum(w))
    v = [1 / (1 / wi + tau2) for wi in w]
    assert random["estimate"] == pytest.approx(sum(map(operator.mul, y, v)) / sum(v), rel=1e-10)
    assert random["std_error"] == pytest.approx(sum(v) ** -0.5, rel=1e-10)


def test_pool_prints_a_page_to_read(example_file):
    arguments = ("--outcome", "alt", "--measure", "MD", "--treatment", "a", "--versus", "vehicle")
    result = call("pool", example_file, *arguments, "--by", "species")
    assert result.exit_code == 0, result.output
    for words in ("a versus vehicle", "Lower is better: below 0 favours", "95 % confidence", "REML", "mouse",
                  "Leaving out one study", "Hartung-Knapp", "U/L", "SIMULATED DATA: no number here"):  # fmt: skip
        assert words in result.output


def test_pool_prints_subgroup_tests_and_meta_regression():
    arguments = (
        "pool",
        "diabetes",
        "--outcome",
        "hba1c",
        "--measure",
        "MD",
        "--treatment",
        "rosi",
        "--versus",
        "plac",
    )
    asked = (*arguments, "--by", "basis", "--common-tau2", "--moderator", "year", "--tau2-interval", "PL")
    shown = call(*asked)
    assert shown.exit_code == 0, shown.output
    for words in ("meta-regression", "intercept", "test of year", "Residual tau2", "R2"):
        assert words in shown.output
    document = json.loads(call(*asked, "--format", "json").output)
    specification = document["run"]["specification"]
    asked_for = [specification[name] for name in ("separate_tau2", "tau2_interval", "moderators")]
    assert asked_for == [False, "PL", ["year"]]
    rows = {(row["method"], row["item"], row["quantity"]): row["value"] for row in document["sensitivity"]}
    assert f"{rows['meta-regression', 'year', 'estimate']:.4g}" in shown.output
    tests = [
        row for row in document["sensitivity"] if row["method"] == "subgroups" and row["quantity"] == "q"
    ]
    assert ("Difference between subgroups" in shown.output) == any(row["value"] is not None for row in tests)
    unknown = call(*arguments, "--moderator", "yeer")
    assert unknown.exit_code == 2
    assert "Did you mean 'year'" in unknown.output


@pytest.mark.slow
def test_nma_prints_a_league_table_and_what_cannot_be_split(diabetes_file):
    arguments = ("nma", diabetes_file, "--outcome", "hba1c", "--measure", "MD", "--league")
    result = call(*arguments, "--node-split", "--leave-one-out")
    assert result.exit_code == 0, result.output
    for words in ("League table, random effects, the best first. row versus column: MD (95 % interval)",
                  "row versus column: MD (95 % prediction interval)", "Precision of the hierarchy (POTH",
                  "Not split, there is no indirect evidence: benf versus plac",
                  "sita: not connected with plac without this study (Hermansen (2007))",
                  "Reference treatment: plac, by the review's plan."):  # fmt: skip
        assert words in result.output
    document = json.loads(call(*arguments, "--tau2", "0.1", "--format", "json").output)
    assert len(document["league"]) == 2 * 10 * 9
    assert {row["orientation"] for row in document["league"]} == {"row versus column"}
    sides = call(*arguments[:-1], "--split-method", "side-splitting", "--format", "json")
    methods = {
        row["method"] for row in json.loads(sides.output)["inconsistency"] if row["direct"] is not None
    }
    assert methods == {"side-splitting"}
    unknown = call(*arguments[:-1], "--split-method", "halves")
    assert (unknown.exit_code, "there are back-calculation, SIDDE, side-splitting" in unknown.output) == (
        2,
        True,
    )
    other = call(*arguments[:-1], "--engine", "exact", "--split-method", "SIDDE")
    assert (other.exit_code, "one way to split" in other.output) == (2, True)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0999999, "0.1000"),
        (-1.04, "-1.040"),
        (12345.6, "12346"),
        (0.0, "0"),
        (1e-9, "1e-09"),
        (1.9e8, "1.9e+08"),
    ],
)
def test_numbers_are_printed_with_four_significant_digits(value, text):
    assert significant(value) == text


def test_ratios_are_printed_as_ratios_and_kept_as_logarithms():
    arguments = ("nma", "smoking", "--outcome", "cessation", "--measure", "OR")
    shown = call(*arguments)
    assert shown.exit_code == 0, shown.output
    assert "Effects and limits are ratios; tau is on the logarithmic scale." in shown.output
    assert "Higher is better: above 1 favours" in shown.output
    document = json.loads(call(*arguments, "--format", "json").output)
    assert document["run"]["scale"] == "log"
    row = next(
        row for row in document["estimates"] if row["model"] == "random" and row["evidence"] == "network"
    )
    from math import exp

    assert f"{exp(row['estimate']):.4g}" in shown.output


def test_nma_gives_the_optimum_of_the_likelihood(diabetes_file):
    """Senn 2013 at arm level: tau2 by REML 0.0999 (metafor rma.mv with the covariance of multi-arm studies)."""
    document = json.loads(
        call("nma", diabetes_file, "--outcome", "hba1c", "--measure", "MD", "--format", "json").output
    )
    assert document["run"]["reference"] == "plac"
    assert document["run"]["n_treatments"] == 10
    random = next(row for row in document["heterogeneity"] if row["model"] == "random")
    assert random["tau2"] == pytest.approx(0.0999, abs=5e-5)
    assert {row["model"] for row in document["estimates"]} == {"common", "random"}
    assert document["ranking"]


def test_nma_with_flat_priors_is_json(diabetes_file):
    options = ("--engine", "exact", "--effect-prior-sd", "inf", "--model", "random", "--leave-one-out")
    result = call("nma", diabetes_file, "--outcome", "hba1c", "--measure", "MD", *options, "--format", "json")
    document = json.loads(result.output)
    assert document["run"]["specification"]["effect_prior_sd"] == "infinity"
    alone = [row for row in document["leave_one_out"] if row["note"]]
    assert alone
    assert all(row["estimate"] is None for row in alone)


@pytest.mark.slow
def test_save_keeps_and_trace_finds(diabetes_file, tmp_path):
    file = tmp_path / "review.duckdb"
    shutil.copyfile(diabetes_file, file)
    result = call("pool", file, *METFORMIN, "--save")
    assert result.exit_code == 0, result.output
    with evidence.open(file) as db:
        run = db.value("select run_id from result_run")
    assert f"evidence trace {file} {run}" in result.output
    found = call("trace", file, f"{run}/metf/plac/random")
    assert found.exit_code == 0
    assert "measurements.csv:" in found.output
    refused = call("pool", "diabetes", *METFORMIN, "--save")
    assert refused.exit_code == 2
    assert "evidence build diabetes -o diabetes.duckdb" in refused.output


def test_conditions_and_time_points_reach_the_analysis(example_file):
    arguments = ("pool", example_file, "--outcome", "alt", "--measure", "ROM", "--treatment", "a", "--versus",
                 "vehicle", "--format", "json")  # fmt: skip
    document = json.loads(call(*arguments, "--where", "species = 'mouse'", "--timepoint", "first").output)
    assert document["run"]["n_studies"] == 2
    assert document["run"]["where_sql"] == "species = 'mouse'"
    assert document["run"]["timepoint"] == "first"
    assert document["run"]["synthetic"] is True
    assert {row["study"] for row in document["weights"]} == {"Example 2019", "Example 2021"}
    assert document["exclusions"]


def test_engines_refuse_options_of_others(diabetes_file):
    result = call("nma", diabetes_file, "--outcome", "hba1c", "--measure", "MD", "--effect-prior-sd", "3")
    assert result.exit_code == 2
    assert "The frequentist engine has no option --effect-prior-sd" in result.output


def test_a_refusal_ends_with_one(example_file):
    result = call("nma", example_file, "--outcome", "alt", "--measure", "OR")
    assert result.exit_code == 1
    assert "It has: " in result.output


@pytest.mark.slow
def test_analyse_runs_the_plan_and_keeps_it(example_file, tmp_path):
    file = tmp_path / "example.duckdb"
    shutil.copyfile(example_file, file)
    result = call("analyse", file)
    assert result.exit_code == 0, result.output
    with evidence.open(file) as db:
        assert [row["analysis"] for row in db.rows("select analysis from result_run order by 1")] == [
            "alt-a", "alt-network", "mortality-network",
        ]  # fmt: skip


@pytest.mark.slow
def test_analyse_names_what_is_refused_and_keeps_the_rest(example_file, tmp_path):
    from evidence.database import connect

    file = tmp_path / "example.duckdb"
    shutil.copyfile(example_file, file)
    connection = connect(file, write=True)
    connection.execute("update plan set where_sql = 'species = ''cat''' where analysis = 'alt-network'")
    connection.execute("delete from plan where analysis = 'mortality-network'")
    connection.close()
    result = call("analyse", file)
    assert result.exit_code == 1
    assert "alt-network is not carried out: No contrast of outcome 'alt'" in result.output
    with evidence.open(file) as db:
        assert db.rows("select analysis from result_run") == [{"analysis": "alt-a"}]


def test_packaged_files_travel():
    from evidence.system.resources import template_directory

    assert (template_directory() / "review.toml").is_file()
    assert template_directory().parent == Path(evidence.__file__).parent
