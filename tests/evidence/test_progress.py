"""What is shown while long work is done."""

import pytest

import evidence
from analysis import plan
from evidence.cli import main
from evidence.commands.progress import remaining, status


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
    monkeypatch.setattr(plan, run.__name__, lambda *given, printed, **named: run(*given, **named))
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
