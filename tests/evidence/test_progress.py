"""What is shown while long work is done."""

from contextlib import contextmanager
from dataclasses import replace
from importlib import import_module
from shlex import split

import pytest

import evidence
from analysis import plan
from evidence.cli import COMMANDS, main
from evidence.commands.progress import remaining, status
from evidence.system.progress import listening


@pytest.mark.parametrize(
    ("step", "elapsed", "said"),
    [
        ("3/12 hba1c: pooling", 20.0, "(about 2 min left)"),
        ("12/12 last", 22.0, "(about 2 s left)"),
        ("2/50 long", 30.0, "(about 24 min left)"),
        ("1/12 first", 20.0, ""),
        ("3/12 quick", 0.5, ""),
        ("of no number", 20.0, ""),
    ],
)
def test_the_time_that_is_left_follows_from_the_steps_that_are_done(step, elapsed, said):
    assert remaining(step, elapsed) == said


def test_nothing_is_shown_where_nobody_looks(capsys):
    with status() as say:
        say("1/2 working")
    assert capsys.readouterr() == ("", "")


ASKED = "--outcome hba1c --measure MD"
PAIR = f"{ASKED} --treatment metf --versus plac"
SAID = {
    "build": "build diabetes -o {file}",
    "check": "check diabetes --mend 0",
    "sql": "sql diabetes 'select 1'",
    "sql into a file": "sql diabetes 'select 1' -o {folder}/answer.csv",
    "catalog": "catalog diabetes",
    "audit": "audit smoking",
    "trace": "trace diabetes",
    "pool": f"pool diabetes {PAIR}",
    "pool --save": f"pool {{file}} {PAIR} --save",
    "nma": f"nma diabetes {ASKED}",
    "nma --save": f"nma {{file}} {ASKED} --save",
    "plot": f"plot diabetes forest {PAIR} -o {{folder}}/forest.svg",
    "multiverse": "multiverse diabetes hba1c-metformin",
    "threshold": "threshold diabetes",
    "replay": "replay diabetes --analysis hba1c-metformin",
    "update-worth": "update-worth diabetes hba1c-metformin",
    "readings": "readings diabetes --outcome hba1c --measure MD",
    "import": "import arms {folder}/arms.csv --into {folder}/imported --outcome y --lower-is-better",
    "export": "export diabetes --to {folder}/out --format csv --where \"study = 'Alex (1998)'\"",
    "simulate": "simulate {folder}/twin --studies 2",
}
"""How each command is called that may take more than two seconds."""
AS_LONG = {"analyse", "diff", "records", "report", "gallery", "site"}
"""Those whose progress other tests see; they take long whatever they are given."""


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("progress")
    evidence.build("diabetes", folder / "review.duckdb")
    (folder / "arms.csv").write_text(
        "study,treatment,n,mean,sd\na,x,9,1,1\na,y,9,2,1\nb,x,9,1,1\nb,y,9,3,1\n"
    )
    return folder


@pytest.mark.parametrize("name", SAID)
def test_a_command_says_what_it_does_and_prints_when_it_is_done(place, monkeypatch, capsys, name):
    said, early = [], []

    @contextmanager
    def heard():
        with listening(said.append):
            yield said.append
        early.append(capsys.readouterr().out)

    for command in COMMANDS.values():
        module = import_module(command.partition(":")[0])
        if hasattr(module, "status"):
            monkeypatch.setattr(module, "status", heard)
    words = SAID[name].format(file=place / "review.duckdb", folder=place)
    with pytest.raises(SystemExit) as ended:
        main(split(words))
    assert ended.value.code == 0
    assert said
    assert set(early) == {""}


def test_every_command_but_the_quick_ones_is_among_them():
    assert {name.split()[0] for name in SAID} | AS_LONG | {"reviews", "new", "describe"} == set(COMMANDS)


def test_a_pairwise_analysis_says_its_steps():
    said = []
    asked = {"outcome": "hba1c", "measure": "MD", "treatment": "metf", "versus": "plac"}
    with evidence.open("diabetes") as db:
        plan.run_pairwise(db, **asked, progress=said.append)
    assert [step.split()[0] for step in said] == ["1/4", "2/4", "3/4", "4/4"]


@pytest.mark.parametrize(
    ("words", "further", "unseen"),
    [
        ("pool diabetes --outcome hba1c --measure MD --treatment metf --versus plac", ["--by", "design"],
         ("weights", "selection_model", "trim_fill", "influence")),
        ("nma smoking --outcome cessation --measure OR", [], ("weights", "rank_probabilities", "convergence")),
    ],
    ids=["pool", "nma"],
)  # fmt: skip
def test_a_printed_analysis_computes_nothing_that_is_not_printed(monkeypatch, capsys, words, further, unseen):
    from analysis import entered
    from analysis.network.frequentist.fitted import FrequentistFit
    from analysis.pairwise.fitting import PairwiseFit

    def printed():
        with pytest.raises(SystemExit):
            main([*words.split(), *further])
        return capsys.readouterr().out

    kind = words.split()[0]
    run = plan.run_pairwise if kind == "pool" else plan.run_network

    def whole(*given, printed, **named):
        made = run(*given, **named)
        # What is kept has its usual tests besides, which are printed where they are asked for.
        rows = made.frames["sensitivity"]
        return replace(made, frames={**made.frames, "sensitivity": rows[rows["method"] == "subgroups"]})

    monkeypatch.setattr(plan, run.__name__, whole)
    everything = printed()
    monkeypatch.setattr(plan, run.__name__, run)
    fits = PairwiseFit if kind == "pool" else FrequentistFit
    for place, name in [
        (entered, "of_pairwise"),
        (entered, "of_network"),
        *((fits, name) for name in unseen),
    ]:
        monkeypatch.setattr(place, name, None)
    assert printed() == everything
    assert len(everything.splitlines()) > 10
