"""Networks from tables and from evidence bases: what enters, in which form, and what is refused."""

from __future__ import annotations

from io import StringIO
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

import evidence
from analysis import network, plan
from analysis.network.data.blocks import positive_definite
from evidence.commands.display import show_run
from evidence.errors import CallError, RefusedError
from evidence.query import EvidenceBase

COLUMNS = ["study", "treatment_a", "treatment_b", "estimate", "std_error"]


def contrasts(*rows: tuple[Any, ...], **options: Any) -> Any:
    return network.from_contrasts(pd.DataFrame(list(rows), columns=COLUMNS), **options)


def triangle(
    study: str, variances: tuple[float, float, float], means: tuple[float, float, float]
) -> list[tuple]:
    names = "ABC"
    return [
        (study, names[i], names[j], means[i] - means[j], np.sqrt(variances[i] + variances[j]))
        for i in range(3)
        for j in range(i)
    ]


def test_a_two_arm_study_keeps_its_numbers() -> None:
    net = contrasts(("s", "B", "A", 1.5, 0.5), reference="A")
    (block,) = net.blocks
    assert net.treatments == ("A", "B")
    assert block.y.tolist() == [[1.5]]
    assert block.S.tolist() == [[[0.25]]]
    flipped = contrasts(("s", "A", "B", 1.5, 0.5), reference="A").blocks[0]
    assert flipped.y.tolist() == [[-1.5]]


def test_the_covariance_of_a_multi_arm_study_is_the_variance_of_its_base_arm() -> None:
    net = contrasts(*triangle("s", (0.04, 0.09, 0.25), (0.0, 1.0, 3.0)), reference="A")
    (block,) = net.blocks
    np.testing.assert_allclose(block.y, [[1.0, 3.0]], rtol=1e-14)
    np.testing.assert_allclose(block.S, [[[0.13, 0.04], [0.04, 0.29]]], rtol=1e-12)


def test_the_base_arm_is_the_reference_else_the_first_in_the_alphabet() -> None:
    rows = [*triangle("three", (0.04, 0.09, 0.25), (0, 1, 3)), ("two", "C", "B", 2.0, 0.3)]
    net = contrasts(*rows, reference="C")
    assert net.treatments == ("C", "A", "B")
    three = next(block for block in net.blocks if block.k == 3)
    assert [net.treatments[t] for t in three.treatment[0]] == ["C", "A", "B"]
    np.testing.assert_allclose(three.S[0], [[0.29, 0.25], [0.25, 0.34]], rtol=1e-12)
    assert contrasts(*rows[:3], ("x", "C", "D", 1.0, 1.0), reference="D").blocks[1].treatment.tolist() == [
        [1, 2, 3]
    ]


def test_another_reference_is_the_same_network() -> None:
    rows = [*triangle("three", (0.04, 0.09, 0.25), (0, 1, 3)), ("two", "C", "B", 2.0, 0.3)]
    one, other = contrasts(*rows, reference="A"), contrasts(*rows, reference="C")
    moved = network.set_reference(one, "C")
    assert moved.treatments == other.treatments
    for ours, theirs in zip(moved.blocks, other.blocks):
        assert ours.treatment.tolist() == theirs.treatment.tolist()
        np.testing.assert_allclose(ours.y, theirs.y, atol=1e-14)
        np.testing.assert_allclose(ours.S, theirs.S, rtol=1e-12)
    with pytest.raises(CallError, match="no treatment 'Z'; there are A, B, C"):
        network.set_reference(one, "Z")


def test_the_default_reference_is_what_most_studies_have_and_ties_go_to_the_alphabet() -> None:
    net = contrasts(("1", "A", "B", 1, 1), ("2", "B", "C", 1, 1), ("3", "C", "D", 1, 1))
    assert net.reference == "B"
    assert net.notes == (("info", "Reference treatment: B, which most studies have (2 of 3)."),)


def test_four_arms_and_covariances_that_differ() -> None:
    # Any covariance of the arms can be told by the six standard errors.
    rng = np.random.default_rng(3)
    root = rng.normal(size=(4, 4))
    V, y = root @ root.T + np.eye(4), rng.normal(size=4)
    rows = [
        ("s", f"T{i}", f"T{j}", y[i] - y[j], np.sqrt(V[i, i] + V[j, j] - 2 * V[i, j]))
        for i in range(4)
        for j in range(i)
    ]
    (block,) = contrasts(*rows, reference="T0", measure="SMD").blocks
    D = np.array([[-1, 1, 0, 0], [-1, 0, 1, 0], [-1, 0, 0, 1]])
    np.testing.assert_allclose(block.S[0], D @ V @ D.T, rtol=1e-12)
    np.testing.assert_allclose(block.y[0], D @ y, atol=1e-14)


def test_names_of_other_tools_are_understood() -> None:
    frame = pd.DataFrame({"studlab": [1], "treat1": [2], "treat2": [1], "TE": [1.0], "seTE": [0.5]})
    net = network.from_contrasts(frame, reference=1)
    assert net.studies == (("1", "main"),)
    assert net.treatments == ("1", "2")


def test_order_of_rows_and_studies_does_not_matter() -> None:
    rows = [
        *triangle("b", (0.04, 0.09, 0.25), (0, 1, 3)),
        ("a", "C", "B", 2.0, 0.3),
        ("c", "A", "B", 2.0, 0.3),
    ]
    one, other = contrasts(*rows), contrasts(*rows[::-1])
    assert one.studies == other.studies == (("a", "main"), ("b", "main"), ("c", "main"))
    for ours, theirs in zip(one.blocks, other.blocks):
        np.testing.assert_array_equal(ours.study, theirs.study)
        np.testing.assert_allclose(ours.y, theirs.y, atol=1e-15)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (
            [("s", "A", "B", 1, 0.2), ("s", "B", "C", 1, 0.2), ("s", "A", "C", 3, 0.2)],
            "do not add up.*B - A: -1",
        ),
        (
            [("s", "A", "B", 1, 0.1), ("s", "B", "C", 1, 0.1), ("s", "A", "C", 2, 1.0)],
            "no covariance.*C - A: 1",
        ),
        # The base arm's variance would be negative: (0.04 + 0.04 - 0.09) / 2.
        (
            [("s", "A", "B", 1, 0.2), ("s", "A", "C", 2, 0.2), ("s", "B", "C", 1, 0.3)],
            "no covariance.*C - B: 0.3",
        ),
        (
            [("s", "A", "B", 1, 0.2), ("s", "B", "C", 1, 0.2)],
            r"2 of 3 comparisons of its 3 arms \(A, B, C\).*var_base",
        ),
        ([("s", "A", "B", 1, 0.2), ("s", "B", "A", 1, 0.2)], "listed more than once"),
        ([("s", "A", "A", 1, 0.2)], "an arm is compared with itself"),
        ([("s", "A", "B", 1, -0.2)], "standard error is -0.2"),
        ([("s", "A", "B", 1, 0.0)], "standard error is 0"),
        ([("s", "A", "B", np.inf, 0.2)], "estimate is inf"),
        ([("s", None, "B", 1, 0.2)], "names no treatment_a"),
        ([("s", "A", "B", "x", 0.2)], "estimate holds 'x'"),
        ([("s", "A", "B", None, 0.2)], "no comparison to analyse"),
    ],
)
def test_what_cannot_be_used_is_refused_by_name(rows: list[tuple], message: str) -> None:
    with pytest.raises(RefusedError, match=f"(?s){message}"):
        contrasts(*rows)


def test_every_wrong_study_is_named_at_once() -> None:
    wrong = [("A", "B", 1, 0.2), ("B", "C", 1, 0.2), ("A", "C", 3, 0.2)]
    with pytest.raises(RefusedError) as error:
        contrasts(*[("first", *row) for row in wrong], *[("second", *row) for row in wrong])
    assert [problem.study for problem in error.value.problems] == ["first", "second"]


def test_rounded_reports_are_accepted_and_do_not_depend_on_the_order_of_names() -> None:
    def rows(a: str, b: str, c: str) -> list[tuple]:
        return [("s", a, b, 0.333, 0.2), ("s", b, c, 0.333, 0.2), ("s", a, c, 0.667, 0.2)]

    one = contrasts(*rows("A", "B", "C"), reference="A").blocks[0].y[0]
    other = contrasts(*rows("Z", "B", "C"), reference="Z").blocks[0].y[0]
    np.testing.assert_allclose(one, [-1 / 3, -2 / 3], atol=1e-3)
    np.testing.assert_allclose(one, other[[0, 1]], atol=1e-15)


def test_a_disconnected_network_lists_its_parts() -> None:
    with pytest.raises(RefusedError, match="2 parts") as error:
        contrasts(("1", "A", "B", 1, 1), ("2", "C", "D", 1, 1), ("3", "D", "E", 1, 1))
    assert str(error.value).endswith("part 1: C, D, E (2 studies)\n  part 2: A, B (1 study)")
    net = contrasts(("1", "A", "B", 1, 1), ("2", "C", "D", 1, 1), treatments=["C", "D"])
    assert net.treatments == ("C", "D")
    assert net.exclusions["study"].tolist() == ["1"]


def test_unknown_names_are_calls_to_correct() -> None:
    with pytest.raises(CallError, match="no column estimate"):
        network.from_contrasts(
            pd.DataFrame({"study": [1], "treatment_a": [1], "treatment_b": [2], "se": [1]})
        )
    with pytest.raises(CallError, match="reference 'Z' is in no study"):
        contrasts(("1", "A", "B", 1, 1), reference="Z")
    with pytest.raises(CallError, match="No study has Z"):
        contrasts(("1", "A", "B", 1, 1), treatments=["A", "Z"])
    with pytest.raises(CallError, match="A network has no colour"):
        contrasts(("1", "A", "B", 1, 1), colour="red")


def test_two_arms_of_a_treatment_are_combined_by_their_precision() -> None:
    arms = pd.DataFrame(
        {
            "study": "s",
            "arm": ["P1", "P2", "A1", "A2", "B"],
            "treatment": ["P", "P", "A", "A", "B"],
            "y": [0.0, 0.5, 1.0, 2.0, -3.0],
            "v": [0.04, 0.06, 0.09, 0.16, 0.25],
        }
    )
    net = network.from_arms(arms, reference="P")
    weight = 1 / arms["v"]
    mean = (weight * arms["y"]).groupby(arms["treatment"]).sum() / weight.groupby(arms["treatment"]).sum()
    variance = 1 / weight.groupby(arms["treatment"]).sum()
    (block,) = net.blocks
    np.testing.assert_allclose(block.y[0], [mean["A"] - mean["P"], mean["B"] - mean["P"]], rtol=1e-12)
    shared = variance["P"]
    expected = [[variance["A"] + shared, shared], [shared, variance["B"] + shared]]
    np.testing.assert_allclose(block.S[0], expected, rtol=1e-12)
    assert any(message.startswith("Arms with the same treatment were combined") for _, message in net.notes)


def test_known_covariances_stand_in_for_comparisons_that_were_not_reported() -> None:
    frame = pd.DataFrame(
        [("s", "A", "C", 1.0, 0.5, "ac"), ("s", "B", "C", 2.0, 0.6, "bc")], columns=[*COLUMNS, "contrast_id"]
    )
    covariance = pd.DataFrame({"contrast_1": ["ac"], "contrast_2": ["bc"], "covariance": [0.1]})
    for reference, S in (
        ("C", [[0.25, 0.1], [0.1, 0.36]]),
        ("A", [[0.25 + 0.36 - 0.2, 0.25 - 0.1], [0.25 - 0.1, 0.25]]),
    ):
        (block,) = network.from_contrasts(frame, covariance=covariance, reference=reference).blocks
        np.testing.assert_allclose(block.S[0], S, rtol=1e-12)
    covariance["covariance"] = 0.4
    with pytest.raises(RefusedError, match="no covariance of the arms"):
        network.from_contrasts(frame, covariance=covariance)


def test_arms_carry_counts_in_step_with_the_blocks() -> None:
    arms = pd.DataFrame(
        {
            "study": ["a", "a", "b", "b", "b", "c"],
            "treatment": ["T", "P", "U", "P", "T", "P"],
            "y": [0.1, 0.2, 0.3, 0.4, 0.5, 0.6],
            "v": 1.0,
            "events": [1, 2, 3, 4, 5, 6],
            "n": 10,
        }
    )
    net = network.from_arms(arms, reference="P", measure="OR")
    two, three = net.arms
    assert two.events.tolist() == [[2, 1]]
    assert three.events.tolist() == [[4, 5, 3]]
    assert net.exclusions[["study", "reason"]].values.tolist() == [
        ["c", "only one treatment reported the outcome"]
    ]
    assert net.n_by_treatment == {"P": 20, "T": 20, "U": 10}
    moved = network.set_reference(net, "T")
    assert moved.arms[0].events.tolist() == [[1, 2]]
    with pytest.raises(RefusedError, match="more than once"):
        network.from_arms(pd.concat([arms, arms.iloc[:1]]))
    with pytest.raises(RefusedError, match="variance 0"):
        network.from_arms(arms.assign(v=0.0))


def test_an_arm_has_one_treatment() -> None:
    frame = pd.DataFrame(
        [("s", "A", "B", 1, 1, "x", "y"), ("s", "A", "C", 1, 1, "y", "z")],
        columns=[*COLUMNS, "arm_a", "arm_b"],
    )
    with pytest.raises(RefusedError, match="treatments A and B"):
        network.from_contrasts(frame)


def test_covariates_follow_the_studies() -> None:
    covariates = pd.DataFrame({"study": ["b", "a"], "dose": [2.0, 1.0]})
    net = contrasts(("a", "A", "B", 1, 1), ("b", "A", "B", 1, 1), covariates=covariates)
    assert net.covariates["dose"].tolist() == [1.0, 2.0]
    with pytest.raises(RefusedError, match="more than once for a"):
        contrasts(("a", "A", "B", 1, 1), covariates=pd.DataFrame({"study": ["a", "a"], "dose": 1.0}))


def test_positive_definite_whatever_the_unit() -> None:
    S = np.array([[2.0, 1.0], [1.0, 2.0]])
    for scale in (1e-200, 1.0, 1e200):
        assert positive_definite(scale * S[None])[0]
    assert not positive_definite(np.array([[[1.0, 2.0], [2.0, 1.0]]]))[0]
    assert not positive_definite(np.zeros((1, 2, 2)))[0]


# --- from an evidence base --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def diabetes(tmp_path_factory: pytest.TempPathFactory) -> Any:
    path = evidence.build("diabetes", output=tmp_path_factory.mktemp("network") / "diabetes.duckdb")
    with evidence.open(path) as db:
        yield db


def test_a_bundled_review_gives_its_network(diabetes: EvidenceBase) -> None:
    net = network.load(diabetes, "hba1c", "MD")
    assert (len(net.studies), len(net.treatments), net.n_arms) == (26, 10, 53)
    assert net.reference == "plac"  # the plan's
    assert net.labels["plac"] == "placebo"
    assert net.lower_is_better is True
    assert net.arms is not None
    assert [block.k for block in net.blocks] == [2, 3]
    for block, arm in zip(net.blocks, net.arms):
        assert arm.mean is not None
        np.testing.assert_allclose(arm.mean[:, 1:] - arm.mean[:, :1], block.y, atol=1e-12)
    assert sum(net.n_by_treatment.values()) == diabetes.value("select sum(n) from measurement_standard")


def test_a_chosen_reference_and_treatments(diabetes: EvidenceBase) -> None:
    net = network.load(diabetes, "hba1c", "MD", reference="metf", treatments=["plac", "metf", "acar"])
    assert net.treatments == ("metf", "acar", "plac")
    assert len(net.exclusions) == 26 - len(net.studies)
    with pytest.raises(CallError, match="no treatment 'Metf'"):
        network.load(diabetes, "hba1c", "MD", reference="Metf")
    with pytest.raises(CallError, match="no outcome"):
        network.load(diabetes, "hba1", "MD")
    with pytest.raises(CallError, match="'all outcomes', not 'some'"):
        network.load(diabetes, "hba1c", "MD", treatments="some")
    assert len(network.load(diabetes, "hba1c", "MD", treatments="all outcomes").treatments) == 10


def test_smd_as_d_or_g(diabetes: EvidenceBase) -> None:
    d, g = (network.load(diabetes, "hba1c", "SMD", smd=smd) for smd in ("d", "g"))
    assert (np.abs(g.blocks[0].y) <= np.abs(d.blocks[0].y)).all()
    np.testing.assert_allclose(g.blocks[0].y, d.blocks[0].y, rtol=0.03)
    assert d.unit is None
    with pytest.raises(CallError, match="smd"):
        network.load(diabetes, "hba1c", "SMD", smd="h")


@pytest.mark.parametrize("measure", ["MD", "SMD"])
def test_continuous_measures_keep_the_covariance_of_a_three_arm_study(
    diabetes: EvidenceBase, measure: str
) -> None:
    net = network.load(diabetes, "hba1c", measure)
    three = next(block for block in net.blocks if block.k == 3)
    study = net.studies[int(three.study[0])][0]
    given = diabetes.rows(
        "select covariance from contrast_covariance where study = ? and measure = ?", [study, measure]
    )
    # Of the three pairs of contrasts, one shares the base arm with the sign of the block.
    assert any(abs(abs(row["covariance"]) - three.S[0, 0, 1]) < 1e-12 for row in given)


@pytest.fixture(scope="module")
def smoking(tmp_path_factory: pytest.TempPathFactory) -> Any:
    path = evidence.build("smoking", output=tmp_path_factory.mktemp("network") / "smoking.duckdb")
    with evidence.open(path) as db:
        yield db


@pytest.mark.parametrize("measure", ["OR", "RR", "RD"])
def test_networks_of_counts_are_those_of_the_arms(smoking: EvidenceBase, measure: str) -> None:
    net = network.load(smoking, "cessation", measure, reference="no_contact")
    assert net.scale == ("additive" if measure == "RD" else "log")
    arms = smoking.sql("select * from arm_effect where measure = ?", [measure]).df()
    again = network.from_arms(arms.drop(columns="measurement_id"), measure=measure, reference="no_contact")
    assert net.arms is not None
    assert net.arms[0].events is not None
    for ours, theirs in zip(net.blocks, again.blocks):
        np.testing.assert_allclose(ours.y, theirs.y, atol=1e-12)
        np.testing.assert_allclose(ours.S, theirs.S, rtol=1e-10)
    fit = network.fit(net, tau2="DL")
    if measure == "OR":
        assert fit.tau2 == pytest.approx(0.5988752589247012, rel=1e-10)  # netmeta 3.4-0


REVIEW = {
    "studies.csv": "study,year,dose\nS1,2001,1\nS2,2002,2\nS3,2003,3\nS4,2004,4\n",
    "treatments.csv": "treatment,label,role\nP,Placebo,control\nA,Drug A,active\nB,Drug B,active\nC,Drug C,active\n",
    "outcomes.csv": "outcome,label,kind,lower_is_better\ndeath,Death,binary,true\n",
    "arms.csv": "study,arm,treatment,n\nS1,p,P,50\nS1,a,A,50\nS2,p,P,50\nS2,b,B,50\nS2,a,A,50\nS3,p,P,50\nS3,c,C,50\n"
    "S4,p,P,50\nS4,a,A,50\nS4,b,B,50\n",
    "measurements.csv": "study,arm,outcome,n,events\nS1,p,death,50,10\nS1,a,death,50,5\nS2,p,death,50,12\n"
    "S2,b,death,50,0\nS2,a,death,50,6\nS3,p,death,50,0\nS3,c,death,50,0\n",
    "contrasts.csv": "study,outcome,arm_a,arm_b,measure,estimate,se,var_base\nS4,death,a,p,OR,-0.4,0.5,0.1\n"
    "S4,death,b,p,OR,-0.6,0.6,0.1\n",
    "risk_of_bias.csv": "study,tool,item,judgement\nS1,RoB 2,D1,high\nS1,RoB 2,Overall,low\nS2,RoB 2,Overall,high\n",
}
TITLE = 'title = "Deaths"\n[protocol]\ntimepoint = "last"\n'


@pytest.fixture(scope="module")
def deaths(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("deaths")
    for name, text in REVIEW.items():
        (folder / name).write_text(text, encoding="utf-8")
    (folder / "review.toml").write_text(TITLE, encoding="utf-8")
    with evidence.open(evidence.build(folder, output=folder / "deaths.duckdb")) as db:
        yield db


def test_counts_reported_contrasts_and_a_treatment_that_no_study_reaches(deaths: EvidenceBase) -> None:
    net = network.load(deaths, "death", "OR", reference="P", covariates=["dose"])
    # S3 has no event at all, so C is out of reach, and said to be.
    assert net.treatments == ("P", "A", "B")
    assert any(
        severity == "warning" and message.startswith("C is not in the network")
        for severity, message in net.notes
    )
    assert net.covariates is not None
    assert net.covariates["dose"].tolist() == [1.0, 2.0, 4.0]
    # S4 was reported as contrasts with the variance of its base arm.
    three = net.blocks[1]
    assert [net.studies[s][0] for s in three.study] == ["S2", "S4"]
    np.testing.assert_allclose(three.y[1], [-0.4, -0.6], rtol=1e-12)
    np.testing.assert_allclose(three.S[1], [[0.25, 0.1], [0.1, 0.36]], rtol=1e-12)
    assert net.arms is None
    # S2: half an event in every arm of the study, for B has none (Cochrane Handbook, 10.4.4.2).
    odds = np.log([12.5 / 38.5, 6.5 / 44.5, 0.5 / 50.5])
    np.testing.assert_allclose(three.y[0], odds[1:] - odds[0], rtol=1e-12)
    with pytest.raises(CallError, match="no study variable 'colour'"):
        network.load(deaths, "death", "OR", covariates=["colour"])


def test_conditions_and_risk_of_bias_decide_what_enters(deaths: EvidenceBase) -> None:
    recent = network.load(deaths, "death", "OR", where="year > 2001")
    assert [study for study, _ in recent.studies] == ["S2", "S4"]
    # S1 is low overall although one domain is high; S2 is high overall.
    sound = network.load(deaths, "death", "OR", exclude_high_rob=True)
    assert [study for study, _ in sound.studies] == ["S1", "S4"]
    assert "high risk of bias" in sound.exclusions["reason"].tolist()


def test_a_consensus_keeps_a_study_that_an_assessor_judged_high(tmp_path) -> None:
    folder = tmp_path / "deaths"
    folder.mkdir()
    judged = "study,tool,item,judgement,assessor\nS1,RoB 2,D1,low,JM\nS1,RoB 2,D1,high,ZS\n"
    loaded = {}
    for name, more in (("open", ""), ("settled", "S1,RoB 2,D1,low,consensus\n")):
        files = REVIEW | {"risk_of_bias.csv": judged + more, "review.toml": TITLE}
        for file, text in files.items():
            (folder / file).write_text(text, encoding="utf-8")
        with evidence.open(evidence.build(folder, output=tmp_path / f"{name}.duckdb")) as db:
            net = network.load(db, "death", "OR", exclude_high_rob=True)
            loaded[name] = [study for study, _ in net.studies]
    assert loaded == {"open": ["S2", "S4"], "settled": ["S1", "S2", "S4"]}


PLAN = """title = "Deaths"
[protocol]
exclude_high_rob = true
[[protocol.analysis]]
name = "sound"
outcome = "death"
[[protocol.analysis]]
name = "shared"
outcome = "death"
treatments = "all outcomes"
exclude_high_rob = false
[[protocol.analysis]]
name = "pair"
outcome = "death"
treatment = "A"
versus = "P"
where = "year > 1999"
[[protocol.analysis]]
name = "pain"
outcome = "pain"
measure = "OR"
treatment = "A"
versus = "P"
"""


def test_the_plan_decides_what_enters(tmp_path) -> None:
    folder = tmp_path / "deaths"
    folder.mkdir()
    more = {
        "review.toml": PLAN,
        "outcomes.csv": REVIEW["outcomes.csv"] + "pain,Pain,binary,true\n",
        "measurements.csv": REVIEW["measurements.csv"] + "S1,p,pain,50,20\nS1,a,pain,50,10\n",
    }
    for name, text in (REVIEW | more).items():
        (folder / name).write_text(text, encoding="utf-8")
    with evidence.open(evidence.build(folder, output=tmp_path / "deaths.duckdb")) as db:
        runs = {run.analysis: run for run in plan.run_plan(db)}
        listed = db.rows("select study, outcome, tool from high_risk_study order by study, outcome")
        with pytest.raises(CallError, match="all outcomes"):
            network.load(db, "death", "OR", treatments="some")
    # Of S1 only a domain is high, not the overall judgement; nobody judged S4.
    assert [(row["study"], row["outcome"]) for row in listed] == [("S2", "death"), ("S2", "pain")]
    sound, shared, pair = runs["sound"], runs["shared"], runs["pair"]
    assert (sound.n_studies, sound.n_treatments) == (2, 3)
    left_out = sound.frames["exclusions"]
    assert left_out.loc[left_out["reason"] == "high risk of bias", "study"].tolist() == ["S2"]
    assert sound.specification["exclude_high_rob"]
    # Pain was measured under P and A only.
    assert (shared.n_studies, shared.n_treatments) == (3, 2)
    assert (
        "Treatments compared in every outcome of the plan: A, P."
        in shared.frames["notes"]["message"].tolist()
    )
    assert pair.n_studies == 2
    assert "S2" in pair.frames["exclusions"]["study"].tolist()


def test_the_reference_is_said(diabetes: EvidenceBase, deaths: EvidenceBase) -> None:
    planned = network.load(diabetes, "hba1c", "MD").notes
    assert ("info", "Reference treatment: plac, by the review's plan.") in planned
    default = network.load(deaths, "death", "OR")
    assert default.reference == "P"
    said = "Reference treatment: P, the control of most studies; the review's plan names none."
    assert ("info", said) in default.notes
    # A reference that the chosen treatments do not hold is no use; the default plan's is not worth a word.
    part = network.load(deaths, "death", "OR", treatments=["A", "B"])
    assert part.reference == "A"
    assert not any("has no data here" in message for _, message in part.notes)


def test_how_likely_each_treatment_is_importantly_better(tmp_path) -> None:
    folder = tmp_path / "deaths"
    folder.mkdir()
    outcomes = (
        "outcome,label,kind,lower_is_better,smallest_important_difference\ndeath,Death,binary,true,1.25\n"
    )
    for name, text in (REVIEW | {"review.toml": TITLE, "outcomes.csv": outcomes}).items():
        (folder / name).write_text(text, encoding="utf-8")
    with evidence.open(evidence.build(folder, output=tmp_path / "deaths.duckdb")) as db:
        run = plan.run_network(db, outcome="death", measure="OR", model="common")
    table = run.frames["sensitivity"].set_index(["item", "quantity"])["value"]
    rows = run.frames["estimates"].query("evidence == 'network'").set_index(["treatment", "versus"])
    # An odds ratio of A against P below 1 / 1.25.
    effect, error = rows.loc[("A", "P"), ["estimate", "std_error"]]
    by_hand = norm.cdf((-np.log(1.25) - effect) / error)
    assert table["A", "probability versus P"] == pytest.approx(by_hand, rel=1e-12)
    both = table["A", "probability versus P"] + table["A", "probability versus B"]
    assert table["A", "mean probability over all others"] == pytest.approx(both / 2)
    page = StringIO()
    show_run(run, page)
    assert "p_importantly_better" in page.getvalue()
