"""Ratios as papers print them: judged by columns, asked where that does not decide, never turned round."""

from __future__ import annotations

import csv
import math
import random
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

import evidence
from evidence.cli import cli
from evidence.errors import CallError, ReviewError
from evidence.facts.scales import Printed, fits_se, judge
from evidence.folder.column_names import effect_name
from evidence.importers.arms import import_arms

# Colditz et al. 1994, JAMA 271:698, as in Stata's FAQ on meta-analysis of ratios with limits.
BCG = """study,treat1,treat2,rr,rr_ll,rr_ul
1,BCG,none,.411,.134,1.257
2,BCG,none,.205,.086,.486
3,BCG,none,.26,.073,.919
4,BCG,none,.237,.179,.312
5,BCG,none,.804,.516,1.254
6,BCG,none,.456,.387,.536
7,BCG,none,.198,.078,.499
8,BCG,none,1.012,.895,1.145
9,BCG,none,.625,.393,.996
10,BCG,none,.254,.149,.431
11,BCG,none,.712,.573,.886
12,BCG,none,1.562,.374,6.528
13,BCG,none,.983,.582,1.659
"""
ODDS = "study,treat1,treat2,OR,se\nAlpha,A,C,0.62,0.12\nBeta,A,C,0.80,0.15\nGamma,A,C,0.71,0.10\n"
NARROW = (
    "study,treat1,treat2,{0},lower,upper\na,A,C,1.05,1.00,1.10\nb,A,C,1.02,0.98,1.06\nc,A,C,1.10,1.02,1.18\n"
)


def take(folder: Path, text: str, measure: str = "OR", **options) -> dict[str, str]:
    """Import a table; gives the first row of contrasts.csv."""
    file = folder / "table.csv"
    file.write_text(text, encoding="utf-8")
    import_arms(
        file, folder / "review", outcome=f"y{measure}", measure=measure, lower_is_better=True, **options
    )
    with (folder / "review" / "contrasts.csv").open(encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle))[-1]


def refused(folder: Path, text: str, measure: str = "OR", **options) -> str:
    with pytest.raises(ReviewError) as caught:
        take(folder, text, measure, **options)
    assert not (folder / "review").exists()
    return str(caught.value)


def test_printed_ratios_give_the_pooled_ratio_that_other_programs_give(tmp_path):
    from analysis import pairwise

    assert take(tmp_path, BCG, "RR")["scale"] == "natural"
    assert take(tmp_path, NARROW.format("HR"), "HR")["scale"] == "natural"
    with evidence.open(evidence.build(tmp_path / "review", tmp_path / "r.duckdb")) as db:
        fit = pairwise.fit(
            db, outcome="yRR", measure="RR", treatment="BCG", versus="none", tau2="REML", ci="HK"
        )
        found = {row.model: row for row in fit.estimates().itertuples()}
        narrow = pairwise.fit(db, outcome="yHR", measure="HR", treatment="A", versus="C").estimates()
        assert db.rows("select * from audit_ratio_scale") == []
        assert db.rows("select * from audit_reported_interval") == []
    for model, expected in (("common", (0.651, 0.602, 0.705)), ("random", (0.490, 0.331, 0.726))):
        # metafor 3.8.1: rma(yi, sei, method = "EE"), and method = "REML", test = "knha" 0.4898 (0.3305 to 0.7260)
        row = found[model]
        assert [round(math.exp(x), 3) for x in (row.estimate, row.ci_lower, row.ci_upper)] == list(expected)
    assert round(found["random"].p_value, 4) == 0.0019
    assert all(1.03 < math.exp(x) < 1.06 for x in narrow["estimate"])


def test_odds_ratios_with_an_se_are_asked_about_and_the_answer_is_taken(tmp_path):
    for mapping in ({}, {"OR": "estimate"}):
        said = refused(tmp_path, ODDS, mapping=mapping)
        assert "--se-scale natural" in said
        assert "--se-scale log" in said
    of_log = take(tmp_path, ODDS, se_scale="log")
    assert (of_log["scale"], of_log["estimate"], of_log["se"], of_log["se_scale"]) == (
        "natural", "0.71", "0.10", "log",
    )  # fmt: skip


def test_the_name_of_the_error_says_whose_it_is(tmp_path):
    row = take(tmp_path, ODDS.replace(",se\n", ",se_log_or\n"))
    assert (row["scale"], row["se_scale"]) == ("natural", "log")


def test_narrow_intervals_are_asked_about_where_no_name_tells(tmp_path):
    said = refused(tmp_path, NARROW.format("TE"), "HR")
    assert "column 'TE' may hold hazard ratios as printed or their natural logarithms" in said
    assert take(tmp_path, NARROW.format("TE"), "HR", scale="natural")["scale"] == "natural"


@pytest.mark.parametrize(
    ("header", "rows", "scale"),
    [
        ("logOR,lower,upper", [(0.5, 0.1, 0.9), (0.3, 0.2, 0.4)], "log"),
        ("TE,seTE", [(-0.5, 0.1), (0.3, 0.2)], "log"),
        ("lnOR,selnOR", [(0.5, 0.1), (0.3, 0.2)], "log"),
        ("OR,lower,upper", [(-0.5, -0.9, -0.1), (0.3, 0.2, 0.4)], "log"),
        ("estimate,ci_lower,ci_upper", [(9.5, 4.1, 22.0), (3.1, 1.2, 8.0)], "natural"),
        ("Odds ratio,LCL,UCL", [(1.05, 1.0, 1.1)], "natural"),
        ("aOR,95% CI lower,95% CI upper", [(1.05, 1.0, 1.1)], "natural"),
        ("OR,lower,upper", [(0.5, 0.1, 0.9), (0.4, 0.02, 0.78)], None),
        ("logOR,lower,upper", [(0.41, 0.13, 1.26), (0.24, 0.18, 0.31)], None),
    ],
)
def test_numbers_and_names_decide_together(tmp_path, header, rows, scale):
    text = f"study,treat1,treat2,{header}\n" + "".join(
        f"s{i},A,C,{','.join(map(str, row))}\n" for i, row in enumerate(rows)
    )
    if scale is None:
        assert "--scale natural" in refused(tmp_path, text)
    else:
        assert take(tmp_path, text)["scale"] == scale


def test_effect_and_interval_in_one_cell_are_taken_apart(tmp_path):
    row = take(
        tmp_path, 'study,"RR (90% CI)"\na,0.41 (0.13 to 1.26)\nb,"0.24 [0.18, 0.31]"\n', "RR", treatment="BCG"
    )
    assert {key: row[key] for key in ("arm_a", "scale", "estimate", "ci_lower", "ci_upper", "ci_level")} == {
        "arm_a": "BCG", "scale": "natural", "estimate": "0.24", "ci_lower": "0.18", "ci_upper": "0.31",
        "ci_level": "0.9",
    }  # fmt: skip


def test_a_log_rank_test_is_kept_as_reported(tmp_path):
    row = take(tmp_path, "study,treat1,treat2,O-E,Variance\na,A,C,-4.2,10\n", "HR")
    assert (row["o_minus_e"], row["variance"], row.get("estimate"), row.get("se")) == (
        "-4.2",
        "10",
        None,
        None,
    )


def test_two_columns_that_may_be_the_estimate_are_asked_about(tmp_path):
    text = "study,treat1,treat2,OR,logOR,selogOR\na,A,C,0.5,-0.69,.2\n"
    said = refused(tmp_path, text)
    assert "--map OR=estimate --map logOR=" in said
    assert take(tmp_path, text, mapping={"OR": "estimate", "logOR": ""})["estimate"] == "0.5"


def test_a_scale_is_refused_for_a_difference_and_a_target_that_is_none(tmp_path):
    with pytest.raises(CallError, match="MD is a difference"):
        take(tmp_path, "study,treat1,treat2,TE,seTE\na,A,C,1,2\n", "MD", scale="log")
    with pytest.raises(CallError) as caught:
        take(tmp_path, "study,treatment,mean,sd,n,age\na,A,1,1,5,3\n", mapping={"age": "mean_age"})
    assert "'age' is to stand for 'mean_age', which nothing is called" in str(caught.value)


def test_a_mapping_written_as_in_r_is_turned_round(tmp_path):
    text = "study,treat1,treat2,effect size,error\na,A,C,0.5,.2\n"
    asked = {"estimate": "effect size", "se": "error", "wieght": "n"}
    with pytest.raises(CallError) as caught:
        take(tmp_path, text, "MD", mapping=asked)
    remedies = [problem.remedy for problem in caught.value.problems]
    assert remedies[0].endswith("--map 'effect size=estimate'")
    assert remedies[1].endswith("--map error=se")
    assert "--map" not in remedies[2]
    turned = {"effect size": "estimate", "error": "se"}
    assert take(tmp_path, text, "MD", mapping=turned)["estimate"] == "0.5"


def test_the_command_prints_advice_that_works_when_it_is_followed(tmp_path):
    file = tmp_path / "odds.csv"
    file.write_text(ODDS, encoding="utf-8")
    call = ["import", "arms", str(file), "--into", str(tmp_path / "r"), "--outcome", "os", "--measure", "OR"]
    result = CliRunner().invoke(cli, call)
    assert result.exit_code == 1
    advice = result.output.partition("say which: ")[2]
    option = shlex.split(advice.partition(" for ")[0])
    assert option == ["--se-scale", "natural"]
    assert CliRunner().invoke(cli, [*call, *option]).exit_code == 0


@pytest.mark.parametrize(
    ("name", "meaning"),
    [
        ("logOR", ("estimate", "OR", "log")), ("aHR", ("estimate", "HR", "natural")),
        ("Hazard ratio (HR)", ("estimate", "HR", "natural")), ("ln(RR)", ("estimate", "RR", "log")),
        ("rr_ul", ("ci_upper", "RR", None)), ("se(logOR)", ("se", "OR", "log")), ("se_or", ("se", "OR", None)),
        ("95% CI", ("interval", None, None)), ("Upper limit", ("ci_upper", None, None)),
        ("RR (95% CI)", ("estimate and interval", "RR", "natural")),
        ("relative risk", ("estimate", "RR", "natural")), ("IRR", ("estimate", "IRR", "natural")),
        *((name, None) for name in ("author", "color", "error", "ARR", "RRR", "hrs", "from", "country", "n", "TE")),
    ],
)  # fmt: skip
def test_what_names_of_columns_say(name, meaning):
    found = effect_name(name)
    assert (found and (found.target, found.measure, found.scale)) == meaning


NAMES = {
    "log": ("logOR", "ln_or", "TE", "effect", "yi"),
    "natural": ("OR", "Odds ratio", "TE", "effect", "aOR"),
}


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32))
def test_no_column_of_ratios_is_read_on_the_wrong_scale(seed):
    """True log ratios are normal; printed to 2 or 3 decimals or figures, under a name that fits or says nothing."""
    rng = random.Random(seed)
    for _ in range(40):
        scale = rng.choice(("log", "natural"))
        centre, spread, widest = (
            rng.choice((0, 0.5, 1, -0.7)),
            rng.choice((0, 0.2, 0.6)),
            rng.choice((0.05, 0.3, 0.9)),
        )
        form = f"{rng.choice((2, 3))}{rng.choice('fg')}"
        rows = []
        for _ in range(rng.randint(1, 15)):
            se = rng.uniform(widest / 3, widest)
            at = rng.gauss(centre, spread) + rng.gauss(0, se)
            numbers = [at, at - 1.959964 * se, at + 1.959964 * se]
            rows.append(Printed(*(f"{math.exp(x) if scale == 'natural' else x:.{form}}" for x in numbers)))
        named = effect_name(rng.choice(NAMES[scale]))
        verdict = judge(rows, named.scale if named else None)
        assert verdict.scale in (scale, None), (rows, named)
        if len(rows) >= 5 and widest == 0.9:
            assert verdict.scale == scale, (rows, verdict)


def test_the_se_beside_ratios_and_limits_is_told_by_them():
    rows = [("0.5", "0.338", "0.740"), ("1.5", "1.014", "2.22")]
    assert fits_se([(*row, "0.2") for row in rows], "natural") == "log"
    assert fits_se([(*row, se) for row, se in zip(rows, ("0.1", "0.3"))], "natural") == "natural"
    assert fits_se([(*row, "0.7") for row in rows], "natural") is None
    assert fits_se([("1.00", "0.68", "1.48", "0.2")], "natural") is None
