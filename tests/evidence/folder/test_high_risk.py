"""Which studies are at high risk of bias, by tools that do not say it in each answer."""

from __future__ import annotations

import pytest

import evidence
from analysis import pairwise
from analysis.report.blocks import Text
from analysis.report.links import Links
from analysis.report.material import Material
from analysis.report.sections.opening import risk_of_bias_section

HEAD = "study,tool,item,judgement\n"


def stars(study: str, selection: int, comparability: int, outcome: int) -> str:
    """Judgements by item: one star each, comparability up to two."""
    given = {f"S{i}": int(i <= selection) for i in range(1, 5)} | {"C1": comparability}
    given |= {f"O{i}": int(i <= outcome) for i in range(1, 4)}
    return "".join(f"{study},NOS cohort,{item},{n} star{'s' * (n != 1)}\n" for item, n in given.items())


def high(review_folder, tmp_path, judgements: str) -> list[tuple]:
    folder = review_folder({"risk_of_bias.csv": HEAD + judgements})
    with evidence.open(evidence.build(folder, tmp_path / "r.duckdb")) as db:
        rows = db.rows("select study, tool, n_high from high_risk_study where outcome = 'alt' order by all")
    return [tuple(row.values()) for row in rows]


def test_stars_are_held_to_the_thresholds_of_ahrq(review_folder, tmp_path):
    """Good 3 1 2, fair 2 1 2; poor: 1 for selection, none for comparability, or 1 for outcome."""
    given = stars("Li 2019", 3, 1, 2) + stars("Wu 2020", 2, 2, 3) + stars("Xu 2021", 1, 0, 3)
    assert high(review_folder, tmp_path, given) == [("Xu 2021", "NOS cohort", 2)]
    with evidence.open(tmp_path / "r.duckdb") as db:
        found = {
            (row["study"], row["domain"]): (row["points"], row["severity"])
            for row in db.rows("from rob_points where outcome = 'alt'")
        }
    assert found == {
        ("Li 2019", "selection"): (3, 1), ("Li 2019", "comparability"): (1, 1), ("Li 2019", "outcome"): (2, 1),
        ("Wu 2020", "selection"): (2, 2), ("Wu 2020", "comparability"): (2, 1), ("Wu 2020", "outcome"): (3, 1),
        ("Xu 2021", "selection"): (1, 3), ("Xu 2021", "comparability"): (0, 3), ("Xu 2021", "outcome"): (3, 1),
    }  # fmt: skip


def test_a_typed_sum_counts_and_an_unfinished_domain_does_not(review_folder, tmp_path):
    given = (
        "Li 2019,NOS case-control,Selection,4 stars\nLi 2019,NOS case-control,C1,1 star\n"
        "Li 2019,NOS case-control,Exposure,1 star\nLi 2019,NOS case-control,Total,6 stars\n"
        "Wu 2020,NOS case-control,S1,0 stars\nXu 2021,NOS case-control,Total,2 stars\n"
    )
    assert high(review_folder, tmp_path, given) == [("Li 2019", "NOS case-control", 1)]


def test_the_overall_appraisal_of_jbi_decides_and_applicability_is_no_bias(review_folder, tmp_path):
    given = (
        "Li 2019,JBI cohort,1,no\nLi 2019,JBI cohort,Overall,include\nWu 2020,JBI cohort,1,yes\n"
        "Wu 2020,JBI cohort,Overall,exclude\nXu 2021,JBI cohort,1,no\nXu 2021,QUADAS-2,D1,low\n"
        "Xu 2021,QUADAS-2,A1,high concern\nLi 2019,INSPECT-SR,4.9,yes\nLi 2019,INSPECT-SR,D4,some concerns\n"
    )
    assert high(review_folder, tmp_path, given) == [("Wu 2020", "JBI cohort", 1)]


def test_who_leaves_out_studies_at_high_risk_is_told_whose_risk_nobody_knows(review_folder, tmp_path):
    given = "Li 2019,JBI cohort,1,no\n"
    folder = review_folder({"risk_of_bias.csv": HEAD + given})
    with evidence.open(evidence.build(folder, tmp_path / "r.duckdb")) as db:
        asked = {"outcome": "alt", "measure": "MD", "treatment": "BMSC", "versus": "saline"}
        notes = dict(pairwise.fit(db, **asked, exclude_high_rob=True).assembly.contrasts.notes)
        assert notes["warning"].startswith(
            "The judgements by JBI cohort do not say how high the risk of bias is of Li 2019: they stay in. "
            "The overall appraisal decides"
        )
        assert "The risk of bias is not judged of Wu 2020: they stay in." in notes["info"]
        assert not any(
            "risk of bias" in text for _, text in pairwise.fit(db, **asked).assembly.contrasts.notes
        )


def test_the_report_says_what_makes_a_high_risk_by_a_tool_whose_answers_do_not(review_folder, tmp_path):
    folder = review_folder({"risk_of_bias.csv": HEAD + "Li 2019,JBI cohort,1,no\n"})
    with evidence.open(evidence.build(folder, tmp_path / "r.duckdb")) as db:
        section = risk_of_bias_section(Material(db, {}), Links())
    (said,) = (text for block in section.blocks if isinstance(block, Text) for text in block.paragraphs)
    assert said.startswith("JBI cohort: The overall appraisal decides: exclude is a high risk.")


@pytest.mark.parametrize(
    "header", ["1.1,1.2,2.1,4.11", "D1_1,d1_2,D2_1,d4_11", "Check 1.1,Q1.2,2.1 Ethics,4.11"]
)
def test_checks_of_inspect_sr_are_read_by_their_numbers(tmp_path, header):
    from evidence.importers.appraisal.robvis import import_robvis

    file = tmp_path / "inspect.csv"
    rest = "No concerns,Some concerns,No concerns,Serious concerns,Serious concerns"
    file.write_text(
        f"Study,{header},D1,D2,D3,D4,Overall\nLi 2019,No,N,Unclear,Yes,{rest}\n", encoding="utf-8"
    )
    import_robvis(file, tmp_path / "back")
    text = (tmp_path / "back" / "risk_of_bias.csv").read_text(encoding="utf-8")
    for item, judgement in (
        ("1.1", "no"),
        ("1.2", "no"),
        ("2.1", "unclear"),
        ("4.11", "yes"),
        ("D4", "serious concerns"),
    ):
        assert f"INSPECT-SR,{item},{judgement}" in text
