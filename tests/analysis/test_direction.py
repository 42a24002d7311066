"""Reversing an outcome's direction reverses every word, rank and order, and no number.

Every outcome stands twice in one review, with the same data and opposite directions.
"""

from __future__ import annotations

import io
import random

import numpy as np
import pandas as pd
import pytest

from analysis import charts
from analysis.charts.base.effect import Effect
from analysis.charts.base.files import specification
from analysis.plan import _forms_mixed, run_network, run_pairwise
from analysis.report import words
from analysis.report.links import Links, as_text
from analysis.results import frame
from evidence import build, facts
from evidence.commands.display import show_run
from evidence.opening import open as open_base

TREATMENTS = ("drug", "other", "ctl")
SHIFT = {"drug": -1.2, "other": -0.5, "ctl": 0.0, "sham": -3.0}
"""What each treatment does, in standard deviations: lower than control."""
KINDS = {
    "continuous": ("size", "mmol/L"),
    "binary": ("sick", ""),
    "rate": ("falls", ""),
    "time_to_event": ("y", ""),
}
FREQUENTIST = ("frequentist",)
BAYESIAN = tuple(engine.code for engine in facts.engines() if engine.bayesian and not engine.needs)
FROM_REVIEWS = facts.measures(given=facts.REVIEW)


def _outcomes() -> str:
    lines = ["outcome,label,kind,unit,lower_is_better,event_is_bad"]
    for kind, (name, unit) in KINDS.items():
        for way, value in (("low", "true"), ("high", "false")):
            said = f",{value}" if kind == "time_to_event" else f"{value},"
            lines.append(f"{name}_{way},{name.title()},{kind},{unit},{said}")
    return "\n".join(lines) + "\n"


def _files() -> dict[str, str]:
    draw = random.Random(7)
    arms = ["study,arm,treatment,n"]
    measured = ["study,arm,outcome,n,mean,sd,events,exposure,unit"]
    reported = ["study,outcome,arm_a,arm_b,measure,estimate,se"]
    for study in (f"s{i}" for i in range(1, 6)):
        for arm in (*TREATMENTS, "sham"):
            arms.append(f"{study},{arm},{arm},40")
            effect = SHIFT[arm] + draw.gauss(0, 0.1)
            mean = 10 + 2 * effect
            events = max(1, round(40 * min(0.95, 0.55 + 0.16 * effect)))
            for way in ("low", "high"):
                measured.append(f"{study},{arm},size_{way},40,{mean:.3f},2,,,mmol/L")
                measured.append(f"{study},{arm},sick_{way},40,,,{events},,")
                measured.append(f"{study},{arm},falls_{way},40,,,{events},400,")
        hazard = -0.8 + draw.gauss(0, 0.05)
        for way in ("low", "high"):
            reported.append(f"{study},y_{way},drug,ctl,HR,{hazard:.3f},0.2")
    return {
        "review.toml": 'title = "Both ways"\n',
        "studies.csv": "study,label,year\n" + "".join(f"s{i},S{i},200{i}\n" for i in range(1, 6)),
        "treatments.csv": "treatment,label,role\ndrug,Drug,active\nother,Other,active\nctl,Control,control\nsham,Sham,sham\n",
        "outcomes.csv": _outcomes(),
        "arms.csv": "\n".join(arms) + "\n",
        "measurements.csv": "\n".join(measured) + "\n",
        "contrasts.csv": "\n".join(reported) + "\n",
    }


@pytest.fixture(scope="module")
def both_ways(tmp_path_factory):
    folder = tmp_path_factory.mktemp("both") / "ways"
    folder.mkdir()
    for name, text in _files().items():
        (folder / name).write_text(text)
    with open_base(build(folder, folder.parent / "ways.duckdb")) as db:
        yield db


def keys(measure: facts.Measure) -> tuple[str, str]:
    name = KINDS[measure.kind or "continuous"][0]
    return f"{name}_low", f"{name}_high"


def reverses(measure: facts.Measure) -> bool:
    """Whether the measure's direction is that of the outcome or its event."""
    return measure.direction != "higher"


def effect_of(run) -> Effect:
    return Effect.of_run(run.row(), "Outcome", {"drug": "Drug", "other": "Other", "ctl": "Control"})


def printed(run) -> str:
    stream = io.StringIO()
    show_run(run, stream)
    return stream.getvalue()


def direction_line(run) -> str:
    (line,) = [line for line in printed(run).splitlines() if "is better" in line]
    return line


TURNED = {"Lower": "Higher", "Higher": "Lower", "below": "above", "above": "below"}


def turned(text: str) -> str:
    return " ".join(TURNED.get(word, word) for word in text.split(" "))


def same_numbers(one, other, frames=("estimates", "heterogeneity", "leave_one_out", "weights")):
    for name in frames:
        left, right = (run.frames[name].select_dtypes("number") for run in (one, other))
        pd.testing.assert_frame_equal(left, right, check_exact=True)


def texts(chart) -> str:
    return str(specification(chart))


def check_pairwise(db, measure: facts.Measure) -> None:
    low, high = (
        run_pairwise(db, outcome=outcome, measure=measure.code, treatment="drug", versus="ctl", ci="Wald")
        for outcome in keys(measure)
    )
    # Wald: of a Hartung-Knapp interval that happens to be narrow nothing is said.
    same_numbers(low, high)
    better = {"higher": False}.get(measure.direction, True)
    assert (low.lower_is_better, high.lower_is_better) == (better, False)
    if reverses(measure):
        assert direction_line(low) == turned(direction_line(high))
    else:
        assert direction_line(low) == direction_line(high)
    for run in (low, high):
        effect = effect_of(run)
        estimate = run.frames["estimates"]["estimate"].iloc[0]
        winner = "Drug" if (estimate < 0) == run.lower_is_better else "Control"
        side = "left" if estimate < 0 else "right"
        halves = dict(zip(("left", "right"), effect.favours("Drug", "Control"), strict=True))
        assert halves[side] == f"Favours {winner}"
        answer = as_text(words._pairwise_answer(run, effect, Links()))
        assert f"The interval favours {winner}." in answer
        loser = "Control" if winner == "Drug" else "Drug"
        assert f"favours {loser}" not in answer
        studies = pd.DataFrame(
            {"study": ["s1", "s2"], "estimate": [estimate, estimate], "std_error": [0.1, 0.1]}
        )
        drawn = texts(charts.forest(studies, effect=effect, treatment="drug", versus="ctl"))
        assert drawn.index("Favours " + halves["left"][8:]) >= 0
        assert "Favours " + halves["right"][8:] in drawn


def check_network(db, measure: facts.Measure, engine: str) -> None:
    low, high = (
        run_network(
            db, outcome=outcome, measure=measure.code, engine=engine, reference="ctl", seed=3,
            treatments=list(TREATMENTS) if measure.kind != "time_to_event" else None, analysis=outcome,
        )
        for outcome in keys(measure)
    )  # fmt: skip
    same_numbers(low, high, ("estimates", "heterogeneity"))
    score = facts.engine(engine).score
    n = low.n_treatments
    for model in ("common", "random"):
        one, other = (
            run.frames["ranking"][lambda rows, model=model: rows["model"] == model]
            .set_index("treatment")
            .sort_index()
            for run in (low, high)
        )
        if reverses(measure):
            np.testing.assert_allclose(one[score], 1 - other[score], atol=1e-9)
            np.testing.assert_allclose(one["mean_rank"], n + 1 - other["mean_rank"], atol=1e-9)
        else:
            np.testing.assert_array_equal(one[score], other[score])
    order_low, used, _ = words.ranked(low, "random")
    order_high, _, _ = words.ranked(high, "random")
    assert used == score
    # Lower than control, by much and by less: which is best is known.
    best_first = list(TREATMENTS) if n == 3 else ["drug", "ctl"]
    assert order_high == (best_first[::-1] if reverses(measure) else order_low)
    assert order_low == (best_first if reverses(measure) else order_high)
    if reverses(measure):
        assert direction_line(low) == turned(direction_line(high))
    for run, order in ((low, order_low), (high, order_high)):
        effect = effect_of(run)
        label = facts.score(score)["label"]
        answer = as_text(words._network_answer(run, effect, Links()))
        assert f"Ranked by {label}: {effect.label(order[0])} (" in answer
        wrong = {"SUCRA", "P-score"} - {label}
        assert not any(word in answer + printed(run) for word in wrong)
        if order[0] == "ctl":
            assert "Not one of" in answer
        else:
            assert f"Not one of {n - 1} treatments is better" not in answer
            assert "worse: Control" not in answer
        drawn = charts.league(run.frames["estimates"].query("model == 'random'"), effect=effect, order=order)
        assert "best first" in texts(drawn)
        funnel = charts.comparison_adjusted_funnel(
            pd.DataFrame({"study": ["s1", "s2", "s3"], "treatment": "drug", "versus": "ctl",
                          "estimate": [0.1, 0.2, 0.4], "std_error": [0.1, 0.2, 0.3], "centre": 0.2}),
            effect=effect, order=order,
        )  # fmt: skip
        left, _ = effect.favours("the earlier", "the later")
        assert left == ("Favours the earlier" if run.lower_is_better else "Favours the later")
        assert left in texts(funnel)


@pytest.mark.parametrize("code", ["NMD", "HR"])
def test_pairwise_words_turn_with_the_direction_and_numbers_do_not(both_ways, code):
    check_pairwise(both_ways, facts.measure(code))


@pytest.mark.slow
def test_network_ranks_turn_with_the_direction_and_numbers_do_not(both_ways):
    check_network(both_ways, facts.measure("SMD"), "frequentist")


@pytest.mark.slow
@pytest.mark.parametrize("measure", FROM_REVIEWS, ids=lambda measure: measure.code)
def test_pairwise_in_every_measure(both_ways, measure):
    check_pairwise(both_ways, measure)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("measure", "engine"),
    [
        pytest.param(measure, engine, id=f"{measure.code}-{engine}")
        for measure in FROM_REVIEWS
        for engine in (*FREQUENTIST, *BAYESIAN)
        if engine != "counts" or measure.code in ("OR", "IRR")  # it has models of counts only
    ],
)
def test_networks_in_every_measure_and_engine(both_ways, measure, engine):
    check_network(both_ways, measure, engine)


@pytest.mark.slow
def test_smd_is_called_what_was_computed(both_ways):
    g = run_pairwise(both_ways, outcome="size_low", measure="SMD", treatment="drug", versus="ctl")
    d, again = (
        run_network(both_ways, outcome="size_low", measure="SMD", reference="ctl", smd=smd)
        for smd in ("d", "g")
    )
    for run, name, other in (
        (g, "Hedges' g", "Cohen's d"),
        (d, "Cohen's d", "Hedges' g"),
        (again, "Hedges' g", "Cohen's d"),
    ):
        text = printed(run)
        assert f"standardised mean difference ({name}) (SMD)" in text
        assert other not in text
        assert effect_of(run).title == f"Standardised mean difference ({name}): Outcome"
        write = words._pairwise_answer if run.kind == "pairwise" else words._network_answer
        assert name in write(run, effect_of(run), Links())


def test_an_outcome_without_direction_favours_nothing():
    effect = Effect("HR", outcome="Endpoint")
    assert effect.better(-0.5) is None
    assert effect.favours("Drug", "Control") is None


def test_reported_smds_among_computed_ones_are_named_by_study():
    rows = pd.DataFrame({"study": ["s1", "r2", "r1"], "reported_contrast_id": [None, 4, 3]})
    frames = {"contrasts": rows, "notes": frame("notes", [])}
    (note,) = _forms_mixed(frames, "SMD", "d")["notes"]["message"]
    assert note == (
        "SMD as reported, Hedges' g or Cohen's d as the authors have it: r1, r2; the others are Cohen's d, "
        "computed from arms."
    )
    assert not _forms_mixed(frames, "MD", "d")
    assert not _forms_mixed({**frames, "contrasts": rows[:1]}, "SMD", "d")
