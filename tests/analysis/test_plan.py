import re
import shutil
import sys
from dataclasses import asdict
from importlib import reload

import pytest
from click.testing import CliRunner

import evidence
from analysis import plan
from analysis.pairwise.options import Options
from analysis.results import COLUMNS
from evidence.cli import cli
from evidence.commands import analyses
from evidence.database import connect
from evidence.errors import CallError, EvidenceError, RefusedError, ReviewError
from evidence.folder.options import NETWORK, OPTIONS, Flag, Option, plan_table
from evidence.results import TABLES, plain
from evidence.review import find, read


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    return evidence.build("parkinson", tmp_path_factory.mktemp("built") / "parkinson.duckdb")


@pytest.fixture(scope="module")
def db(file):
    with evidence.open(file) as base:
        yield base


@pytest.fixture(scope="module")
def question(db):
    row = db.rows("select * from plan where kind = 'network' order by position")[0]
    return {"outcome": row["outcome"], "measure": row["measure"]}


def changed(file, tmp_path, *statements):
    copy = tmp_path / "copy.duckdb"
    shutil.copyfile(file, copy)
    connection = connect(copy, write=True)
    for statement in statements:
        connection.execute(statement)
    connection.close()
    return evidence.open(copy)


def test_every_planned_analysis_becomes_a_run(db):
    runs, refused = plan.try_plan(db)
    assert refused == {}
    rows = db.rows("select * from plan order by position")
    assert [run.analysis for run in runs] == [row["analysis"] for row in rows]
    for run, row in zip(runs, rows, strict=True):
        assert (run.kind, run.outcome, run.measure, run.timepoint) == (
            row["kind"], row["outcome"], row["measure"], row["timepoint"],
        )  # fmt: skip
        assert run.synthetic is False
        for name, frame in run.frames.items():
            if name in TABLES:
                assert set(COLUMNS[name]) <= set(frame.columns), name
        if run.kind == "network":
            assert bool(len(run.frames.get("leave_one_out", ()))) == row["leave_one_out"]


def test_equal_questions_give_equal_runs(db, question):
    runs = [plan.run_network(db, **question) for _ in range(2)]
    assert runs[0].run_id == runs[1].run_id
    for name in ("estimates", "heterogeneity", "ranking"):
        left, right = (run.frames[name].to_dict("records") for run in runs)
        assert [{k: plain(v) for k, v in row.items()} for row in left] == [
            {k: plain(v) for k, v in row.items()} for row in right
        ]


@pytest.mark.parametrize(
    "options",
    [
        {"tau2": "DL"},
        {"model": "common"},
        {"where": "year < 2100"},
        {"timepoint": "first"},
        {"leave_one_out": True},
    ],
)
def test_another_question_is_another_run(db, question, options):
    assert plan.run_network(db, **question).run_id != plan.run_network(db, **question, **options).run_id


@pytest.mark.slow
def test_other_data_are_another_run(db, file, question, tmp_path):
    first = db.value("select min(measurement_id) from measurement")
    with changed(
        file, tmp_path, f"update measurement set mean = mean + 1 where measurement_id = {first}"
    ) as other:
        runs = [plan.run_network(base, **question) for base in (db, other)]
    assert runs[0].input_hash != runs[1].input_hash
    assert runs[0].run_id != runs[1].run_id


@pytest.mark.slow
def test_columns_that_are_not_used_do_not_matter(db, file, question, tmp_path):
    with changed(file, tmp_path, "update measurement set note = 'read again'") as other:
        assert plan.run_network(db, **question).run_id == plan.run_network(other, **question).run_id


def test_engines_are_told_only_what_they_take(db, question):
    for engine in ("frequentist", "exact"):
        assert not {"net", "model"} & plan.engine_parameters(engine)
    assert "tau2" in plan.engine_parameters("frequentist")
    assert {"tau_prior", "effect_prior_sd", "seed"} <= plan.engine_parameters("exact")
    with pytest.raises(CallError, match="has no option --tau-prior"):
        plan.run_network(db, **question, tau_prior="uniform(0, 5)")
    with pytest.raises(CallError, match="no engine"):
        plan.engine_parameters("bayes")


def test_an_engine_that_is_not_installed_says_how_to_get_it(db, question, monkeypatch):
    monkeypatch.setitem(sys.modules, "analysis.network.exact", None)
    with pytest.raises(CallError, match=r"pip install 'evidence-base\[mcmc\]'"):
        plan.run_network(db, **question, engine="exact")


def test_chains_beside_an_exact_fit_say_what_they_need_where_pymc_is_not_installed(db, question, monkeypatch):
    monkeypatch.setattr("analysis.network.mcmc.chains.find_spec", lambda name: None)
    run = plan.run_network(db, **question, engine="exact", chains=True)
    (note,) = [m for m in run.frames["notes"]["message"] if "chains" in m]
    assert "pip install 'evidence-base[mcmc]'" in note
    assert not len(run.frames["convergence"])
    assert run.specification["chains"] is True


@pytest.mark.slow
def test_chains_beside_an_exact_fit_converge_to_it(db, question):
    run = plan.run_network(db, **question, engine="exact", model="random", chains=True, seed=5)
    last = run.frames["convergence"].sort_values("iteration").groupby("parameter")["psrf"].last()
    assert last.max() < 1.05
    (note,) = [m for m in run.frames["notes"]["message"] if "chains" in m]
    apart = float(note.rsplit(" to ", 1)[1].split()[0])
    assert apart < 0.1


def test_the_seed_is_kept_where_it_is_used(db, question):
    assert plan.run_network(db, **question, engine="exact", seed=7).seed == 7


@pytest.mark.slow
def test_what_is_refused_is_named_and_the_rest_is_done(db, file, tmp_path):
    name = db.value("select analysis from plan order by position limit 1")
    with changed(
        file, tmp_path, f"update plan set where_sql = 'year < 1900' where analysis = '{name}'"
    ) as other:
        runs, refused = plan.try_plan(other)
        assert list(refused) == [name]
        assert isinstance(refused[name], RefusedError)
        assert len(runs) == db.value("select count(*) from plan") - 1
        with pytest.raises(EvidenceError, match=name):
            plan.run_plan(other)


def test_progress_is_told(db):
    said = []
    plan.try_plan(db, progress=said.append)
    n = db.value("select count(*) from plan")
    assert said[0].startswith(f"1/{n} ")
    assert any(": fitting the frequentist engine" in step for step in said)


def test_studies_too_many_to_be_left_out_in_turn_are_not_and_it_is_said(monkeypatch):
    monkeypatch.setattr(plan, "MOST_REFITTED", 3)
    asked = [
        "pool",
        "diabetes",
        "--outcome",
        "hba1c",
        "--measure",
        "MD",
        "--treatment",
        "metf",
        "--versus",
        "plac",
    ]
    shown = CliRunner().invoke(cli, [*asked, "--ci", "CR2"])
    assert shown.exit_code == 0
    assert "No study was left out in turn: each of 4 would be a fit of its own." in shown.output
    assert "Leaving out one study" not in shown.output
    # From the sums of one fit there is nothing that is too many.
    assert "Leaving out one study" in CliRunner().invoke(cli, asked).output


@pytest.mark.slow
@pytest.mark.parametrize("review", ["diabetes", "smoking", "maternal-diet"])
def test_the_plans_of_the_bundled_reviews_can_be_carried_out(review, tmp_path):
    with evidence.open(evidence.build(review, tmp_path / "review.duckdb")) as base:
        runs, refused = plan.try_plan(base)
        assert refused == {}
        assert len(runs) == base.value("select count(*) from plan")


def test_dependence_is_handed_on_from_the_plan_and_kept_in_the_specification(db, monkeypatch):
    """The plan and the command line ask the same function."""
    handed = {}
    monkeypatch.setattr(plan, "run_pairwise", lambda base, **options: handed.update(options))
    row = next(iter(db.rows("select * from plan limit 1")))
    asked = row | {"kind": "pairwise", "treatment": "a", "versus": "b", "dependence": "multilevel"}
    plan.run_planned(db, asked)
    assert handed["dependence"] == "multilevel"
    assert "dependence" in asdict(Options())


@pytest.fixture
def herd(monkeypatch):
    """An option that a contributor declares, and nothing else; commands are imported anew with it."""
    option = Option(
        "herd",
        NETWORK,
        "Herd that the animals are of. A or B.",
        choices=("A", "B"),
        flag=Flag("Herd of the animals.", metavar="HERD"),
    )
    monkeypatch.setitem(OPTIONS, option.name, option)
    reload(analyses)
    yield option
    monkeypatch.undo()
    reload(analyses)


def folder_with(tmp_path, text):
    folder = tmp_path / "review"
    shutil.copytree(find("parkinson"), folder)
    toml = folder / "review.toml"
    head = toml.read_text(encoding="utf-8").split("[[protocol.analysis]]")[0]
    toml.write_text(f"{head}[[protocol.analysis]]\n{text}\n", encoding="utf-8")
    return folder


def test_an_option_is_declared_once_and_the_folder_and_the_plan_have_it(herd, question, tmp_path):
    asked = "\n".join(f'{key} = "{value}"' for key, value in question.items())
    review = read(folder_with(tmp_path / "good", f'{asked}\nherd = "A"'))
    (rows,) = (rows for rows in review.rows if rows.table == "plan")
    assert rows.columns["herd"] == ["A"]
    for text, said in (
        (f'{asked}\nherd = "C"', "herd is 'C'"),
        (f"{asked}\nherd = 3", "herd of analysis 1 is 3"),
        (f'{asked}\ntreatment = "x"\nversus = "y"\nherd = "A"', "is pairwise, which takes no herd"),
    ):
        with pytest.raises(ReviewError) as refused:
            read(folder_with(tmp_path / str(len(text)), text))
        assert said in " ".join(problem.message for problem in refused.value.problems)
    with connect() as connection:
        connection.execute(re.sub(r"references \w+ \(\w+\)", "", plan_table()))
        (comment,) = connection.execute(
            "select comment from duckdb_columns() where table_name = 'plan' and column_name = 'herd'"
        ).fetchone()
    assert comment == herd.comment


def test_an_option_is_declared_once_and_runs_and_commands_have_it(db, question, request):
    without = plan.run_network(db, **question)
    request.getfixturevalue("herd")
    assert plan.run_network(db, **question).run_id == without.run_id
    run = plan.run_network(db, **question, herd="A")
    assert run.run_id != without.run_id
    assert run.specification["herd"] == "A"
    row = db.rows("select * from plan where kind = 'network' order by position")[0]
    assert plan.run_planned(db, {**row, "herd": "B"}).specification["herd"] == "B"
    asked = ["nma", "parkinson", *(word for key, value in question.items() for word in (f"--{key}", value))]
    called = CliRunner().invoke(
        cli, [*asked, "--reference", row["reference"], "--herd", "A", "--format", "json"]
    )
    assert called.exit_code == 0, called.output
    assert "Herd of the animals." in CliRunner().invoke(cli, ["nma", "--help"]).output
    shown = plan.run_network(db, **question, reference=row["reference"], herd="A")
    assert shown.run_id in called.output
