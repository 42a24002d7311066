"""A review over time: the same as refits on folders without the later studies; sentences turn where verdicts do."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

import evidence
from analysis import plan
from analysis.living.replay import COLUMNS, replay
from analysis.living.statements import Statement
from analysis.living.turning import turned
from evidence.cli import cli
from evidence.errors import CallError, EvidenceError

NUMBERS = {
    "estimates": ("estimate", "std_error", "ci_lower", "ci_upper", "pi_lower", "pi_upper", "p_value"),
    "heterogeneity": ("tau", "tau_lower", "tau_upper", "tau2", "i2", "q", "df"),
    "ranking": ("mean_rank", "sucra", "p_score", "p_best"),
}
NAMES = ("engine", "model", "treatment", "versus", "evidence")


@pytest.fixture(scope="module")
def smoking():
    return replay("smoking")


def numbers(frame: pd.DataFrame, name: str) -> pd.DataFrame:
    """Give the numbers of a frame by what they are of; of a pairwise run those of all studies."""
    if "level" in frame:
        frame = frame[frame["level"].isna()]
    names = [column for column in NAMES if column in frame and column in COLUMNS[name]]
    kept = frame[[*names, *NUMBERS[name]]].copy()
    kept[names] = kept[names].astype(object).where(kept[names].notna(), "")
    return kept.set_index(names).astype(float).sort_index()


def refit(folder) -> dict[str, dict[str, pd.DataFrame] | None]:
    found = {}
    with evidence.open(folder) as db:
        for row in db.rows("select * from plan order by position"):
            try:
                found[row["analysis"]] = dict(plan.run_planned(db, {**row, "chains": False}).frames)
            except EvidenceError:
                found[row["analysis"]] = None
    return found


def agree(found, folder, year: int) -> int:
    """Hold a year of a replay against refits on a folder; give how many analyses were compared."""
    compared = 0
    for analysis, frames in refit(folder).items():
        of_year = {}
        for name in NUMBERS:
            frame = getattr(found, name)
            of_year[name] = frame[(frame["analysis"] == analysis) & (frame["year"] == year)]
        if frames is None:
            assert all(part.empty for part in of_year.values()), (analysis, year)
            continue
        for name in NUMBERS:
            if name not in frames:
                assert of_year[name].empty
                continue
            ours, theirs = numbers(of_year[name], name), numbers(frames[name], name)
            assert list(ours.index) == list(theirs.index), (analysis, year, name)
            np.testing.assert_allclose(
                ours, theirs, rtol=1e-9, atol=1e-9, err_msg=f"{analysis} {year} {name}"
            )
        compared += 1
    return compared


def test_a_year_is_what_the_folder_without_later_studies_gives(smoking, physically_cut):
    assert agree(smoking, physically_cut("smoking", 1986), 1986) == 2


@pytest.mark.slow
@pytest.mark.parametrize("name", ["diabetes", "smoking", "maternal-diet", "parkinson"])
def test_every_year_is_what_the_folder_without_later_studies_gives(name, physically_cut):
    found = replay(name)
    compared = [agree(found, physically_cut(name, year), year) for year in found.days.years]
    assert len(compared) == len(set(found.states["year"]))
    assert compared[-1] == len(set(found.states["analysis"]))


@pytest.mark.slow
def test_the_exact_engine_in_a_few_years_of_the_simulated_review(physically_cut):
    found = replay("alf-simulated", claims=False)
    for year in (2011, 2016):
        assert agree(found, physically_cut("alf-simulated", year), year) == 8


PAIRS = (("A", "B", 2000), ("C", "D", 2001), ("B", "C", 2003), ("A", "D", 2003))


@pytest.fixture
def small(tmp_path):
    """Write a review of four studies, whose network is connected by the last year only."""

    def write(plan: str = "", years: bool = True, more: str = ""):
        folder = tmp_path / "small"
        folder.mkdir(exist_ok=True)
        (folder / "review.toml").write_text(
            'title = "Small"\n[protocol]\nreference = "A"\n[[protocol.analysis]]\nname = "net"\n'
            f'kind = "network"\noutcome = "y"\nmeasure = "MD"\n{plan}'
        )
        tables = {
            "studies": ["study,year" if years else "study"]
            + [f"s{i},{year}" if years else f"s{i}" for i, (*_, year) in enumerate(PAIRS)],
            "treatments": ["treatment,role", "A,control", "B,active", "C,active", "D,active"],
            "outcomes": ["outcome,kind,lower_is_better", "y,continuous,true"],
            "arms": ["study,arm,treatment,n"]
            + [f"s{i},{name},{name},20" for i, (a, b, _) in enumerate(PAIRS) for name in (a, b)],
            "measurements": ["study,arm,outcome,n,mean,sd"]
            + [
                f"s{i},{name},y,20,{'ABCD'.index(name) * 2 + i / 10},1"
                for i, (a, b, _) in enumerate(PAIRS)
                for name in (a, b)
            ],
            "claims": ["claim,text,query,operator,expected", *(more or "").splitlines()],
        }
        for name, lines in tables.items():
            if len(lines) > 1:
                (folder / f"{name}.csv").write_text("\n".join(lines) + "\n")
        return folder

    return write


def test_a_network_that_is_not_connected_yet_is_said_to_be_and_does_not_fail(small):
    found = replay(small())
    assert found.states["status"].tolist() == ["estimated", "refused", "estimated"]
    refused = found.states.iloc[1]
    assert (refused["year"], refused["n_studies"], refused["n_new"]) == (2001, 2, 1)
    assert "falls into 2 parts" in refused["note"]
    assert set(found.estimates["year"]) == {2000, 2003}
    done = CliRunner().invoke(cli, ["replay", str(small())])
    assert done.exit_code == 0, done.output
    assert "The network is not connected: it falls into 2 parts" in done.stdout


def test_a_break_in_what_can_be_said_begins_a_sentence_anew(small):
    found = replay(small())
    said = found.statements.set_index("treatment").loc["B"]
    assert (said["since"], said["n_studies"], said["n_all"], said["verdict"]) == (2003, 4, 4, "worse")
    assert (
        said["said"]
        == "B was worse than A: since 2003, after 4 of 4 studies; before: B was worse than A (2000)."
    )


@pytest.mark.slow
def test_a_question_that_sees_other_studies_is_asked_of_each_cut_review(small):
    where = 'where = "year >= (select min(year) from study)"\n'
    plain, seeing = replay(small()), replay(small(where))
    for name in ("states", "estimates", "ranking"):
        pd.testing.assert_frame_equal(getattr(plain, name), getattr(seeing, name))


@pytest.mark.slow
def test_claims_are_followed_and_those_that_ask_other_results_are_said_not_to_be(small):
    claims = (
        "n,Four studies,select count(*) from study,=,4\n"
        "first,A is first,select treatment from result_ranking where model = 'random' order by sucra desc limit 1,=,A\n"
        "omit,No study matters,select count(*) from result_leave_one_out,=,0\n"
    )
    rows = replay(small(more=claims)).statements.set_index("claim")
    assert rows.loc["n", "said"] == (
        "Four studies: holds since 2003, after 4 of 4 studies; before: does not hold (2000 to 2001)."
    )
    assert rows.loc["first", "verdict"] == "holds"
    assert rows.loc["omit", "verdict"].startswith("not followed")


def test_the_exact_engine_stands_in_for_chains_and_that_is_said(small):
    found = replay(small('engine = "mcmc"\nlikelihood = "normal"\n'))
    assert set(found.states["engine"]) == {"exact"}
    assert found.states["note"].iloc[-1] == "the exact engine stands in for mcmc"


def test_what_cannot_be_replayed_is_refused_with_what_would_help(small):
    with pytest.raises(EvidenceError, match=r"No study of small has a date.*fill in year in studies\.csv"):
        replay(small(years=False))
    with pytest.raises(CallError, match="no analysis 'nett'"):
        replay(small(), analyses=["nett"])
    with pytest.raises(EvidenceError, match="alf plans no analysis"):
        replay("alf")


def test_a_built_file_is_replayed_as_its_folder_is(smoking, tmp_path):
    found = replay(evidence.build("smoking", tmp_path / "smoking.duckdb"))
    for name in COLUMNS:
        pd.testing.assert_frame_equal(getattr(found, name), getattr(smoking, name))


def states(*years: int) -> list[dict]:
    return [{"analysis": "a", "year": year, "n_all": 9} for year in years]


def row(year: int, verdict: str) -> dict:
    one = Statement("effect", "x", "y", verdict)
    return {
        "analysis": "a", "year": year, "n_studies": year - 2000, "about": one.about, "treatment": "x",
        "versus": "y", "claim": None, "verdict": verdict, "statement": one.said({}),
    }  # fmt: skip


def test_a_verdict_that_left_and_came_back_counts_from_its_return():
    rows = [row(2001, "better"), row(2002, "not told apart"), row(2003, "better"), row(2004, "better")]
    (found,) = turned(rows, states(2001, 2002, 2003, 2004))
    assert (found["since"], found["n_studies"], found["n_all"], found["turns"]) == (2003, 3, 4, 2)
    assert found["before"] == "x and y could not be told apart"
    assert (found["before_from"], found["before_to"]) == (2002, 2002)


def test_what_can_no_longer_be_said_is_no_sentence_of_today():
    assert turned([row(2001, "better")], states(2001, 2002)) == []


def test_the_last_year_says_what_the_review_says_today(smoking):
    today = smoking.states[smoking.states["year"] == 1995]
    with evidence.open("smoking") as db:
        runs = {run.analysis: run for run in plan.run_plan(db)}
    assert dict(zip(today["analysis"], today["n_studies"])) == {n: run.n_studies for n, run in runs.items()}
    assert (smoking.statements["since"] <= 1995).all()
    assert (smoking.statements["n_studies"] <= smoking.statements["n_all"]).all()


def test_rows_are_written_as_asked(tmp_path):
    target = tmp_path / "ranks.csv"
    call = ["replay", "smoking", "--analysis", "cessation-network", "--format", "csv", "--table", "ranking"]
    done = CliRunner().invoke(cli, [*call, "-o", str(target)])
    assert done.exit_code == 0, done.output
    assert pd.read_csv(target).columns.tolist() == list(COLUMNS["ranking"])
    done = CliRunner().invoke(cli, ["replay", "smoking", "--format", "json"])
    document = json.loads(done.stdout)
    assert document["replay"] == {"review": "smoking", "by": "year", "dates": {"study": 24}, "undated": []}
    for name, columns in COLUMNS.items():
        assert list(document[name][0]) == list(columns)


def test_charts_draw_the_rows_of_a_replay(smoking):
    from analysis import charts

    rows = smoking.ranking[smoking.ranking["model"] == "random"]
    drawn = charts.replay_ranks(rows, labels=smoking.labels).to_dict()["datasets"]["ranks"]
    assert {(row["treatment"], row["year"], row["place"]) for row in drawn} == {
        (row.treatment, row.year, row.place) for row in rows[rows["place"].notna()].itertuples()
    }
    cells = charts.replay_timeline(smoking.timeline, smoking.statements).to_dict()["datasets"]["sentences"]
    for said in smoking.statements.itertuples():
        name = f"{said.analysis}: {said.statement}"
        true = [row["year"] for row in cells if row["statement"] == name and row["state"] == "true then"]
        assert set(smoking.states["year"][smoking.states["year"] >= said.since]) <= set(true)
