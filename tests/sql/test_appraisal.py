"""Characteristics, risk of bias, screening and the PRISMA flow."""

from __future__ import annotations

import pytest

BOXES = (
    "previous_studies", "database_results", "database_specific_results", "register_results", "citations_results",
    "duplicates", "records_screened", "records_excluded", "dbr_sought_reports", "dbr_notretrieved_reports",
    "dbr_assessed", "dbr_excluded", "other_sought_reports", "other_notretrieved_reports", "other_assessed",
    "other_excluded", "new_studies", "new_reports", "total_studies",
)  # fmt: skip


class TestCharacteristics:
    def test_one_row_says_it_all(self, rows):
        rows.study("s", year=2020, species="mouse")
        rows.arm("s", "low", "drug", n=8, dose=0.5, dose_unit="mg/kg", route="i.p.")
        rows.arm("s", "high", "drug", n=9, dose=10, dose_unit="mg/kg", route="i.p.", timing="day 1")
        rows.measure("s", "placebo", n=10, mean=1, sd=1)
        rows.measure("s", "placebo", n=7, mean=1, sd=1, timepoint=2)
        rows.measure("s", "low", "ast", n=8, mean=1, sd=1)
        for doi in ("10.1/b", "10.1/a"):
            rows.insert(
                "report",
                [{"report_id": rows.line, "study": "s", "doi": doi, **rows.place("reports.csv")}],
            )
        rows.insert(
            "characteristic",
            [{"study": "s", "characteristic": "funding", "value": "public", **rows.place("studies.csv")}],
        )
        found = rows.one("select * from study_characteristics")
        assert found["treatments"] == "drug; placebo"
        assert set(found["doses"].split("; ")) == {"0.5 mg/kg", "10 mg/kg"}
        assert (found["routes"], found["timings"]) == ("i.p.", "day 1")
        assert (found["n_experiments"], found["n_arms"], found["n_participants"]) == (1, 3, 27)
        assert (found["n_reports"], found["dois"]) == (2, "10.1/a; 10.1/b")
        assert (found["outcomes"], found["characteristics"]) == ("alt; ast", "funding: public")
        assert (found["year"], found["species"], found["sex"]) == (2020, "mouse", None)

    def test_shared_control_counts_once(self, rows):
        for experiment, shared in (("e1", None), ("e2", "e1")):
            rows.arm("s", f"drug {experiment}", "drug", experiment=experiment, n=10)
            rows.arm(
                "s", f"control {experiment}", "control", experiment=experiment, n=8, shared_control_of=shared
            )
        assert rows.one("select n_participants from study_characteristics")["n_participants"] == 28

    def test_study_without_anything(self, rows):
        rows.study("s")
        found = rows.one("select n_arms, n_participants, n_reports, outcomes from study_characteristics")
        assert found == {"n_arms": 0, "n_participants": None, "n_reports": 0, "outcomes": None}


@pytest.fixture
def judged(rows):
    rows.insert("rob_tool", [{"tool": "SYRCLE", "label": "SYRCLE", "citation": "Hooijmans 2014"}])
    for position, item in enumerate("12", start=1):
        rows.insert(
            "rob_item",
            [
                {
                    "tool": "SYRCLE",
                    "item": item,
                    "position": position,
                    "domain": "selection",
                    "label": f"item {item}",
                }
            ],
        )
    for severity, judgement in enumerate(("low", "unclear", "high"), start=1):
        rows.insert(
            "rob_answer",
            [
                {
                    "tool": "SYRCLE",
                    "judgement": judgement,
                    "label": judgement,
                    "position": severity,
                    "severity": severity,
                    "symbol": "+?x"[severity - 1],
                    "color": f"#{severity}",
                    "color_blind_safe": f"#{severity}",
                }
            ],
        )

    def judge(study, item, judgement, assessor="anna", **row):
        rows.study(study)
        rows.next_id += 1
        row = {"rob_judgement_id": rows.next_id, "tool": "SYRCLE", **row, **rows.place("risk_of_bias.csv")}
        keys = {"study": study, "item": item, "judgement": judgement, "assessor": assessor}
        rows.insert("rob_judgement", [{**keys, **row}])

    rows.judge = judge
    return rows


class TestRiskOfBias:
    def test_consensus_counts(self, judged):
        judged.judge("s", "1", "low", "anna")
        judged.judge("s", "1", "high", "consensus")
        judged.judge("s", "2", "unclear", "zoe")
        judged.judge("s", "2", "high", "bert")
        found = judged.query(
            "select item, judgement, symbol, assessor, n_assessors from rob_traffic_light order by 1"
        )
        assert [tuple(row.values()) for row in found] == [
            ("1", "high", "x", "consensus", 2),
            ("2", "high", "x", "bert", 2),
        ]

    @pytest.mark.parametrize(
        ("given", "judgement", "settled_by", "told"),
        [
            ([("low", "anna")], "low", "single", "anna: low"),
            ([("low", "zoe"), ("low", "anna")], "low", "agreement", "zoe: low, anna: low"),
            ([("low", "anna"), ("unclear", "zoe")], "unclear", "worst", "anna: low, zoe: unclear"),
            ([("unclear", "anna"), ("low", "zoe")], "unclear", "worst", "anna: unclear, zoe: low"),
            (
                [("high", "b"), ("low", "a"), ("low", "consensus")],
                "low",
                "consensus",
                "b: high, a: low, consensus: low",
            ),
            ([("low", "a"), ("no information", "b")], "no information", "worst", "a: low, b: no information"),
            (
                [("no information", "a"), ("unclear", "b")],
                "unclear",
                "worst",
                "a: no information, b: unclear",
            ),
        ],
    )
    def test_consensus_counts_then_agreement_then_the_worst(self, judged, given, judgement, settled_by, told):
        judged.insert(
            "rob_answer",
            [
                {
                    "tool": "SYRCLE",
                    "judgement": "no information",
                    "label": "",
                    "position": 4,
                    "symbol": "?",
                    "color": "#0",
                    "color_blind_safe": "#0",
                }
            ],
        )
        for answer, assessor in given:
            judged.judge("s", "1", answer, assessor)
        row = judged.one("select judgement, settled_by, judgements from rob_traffic_light")
        assert row == {"judgement": judgement, "settled_by": settled_by, "judgements": told}

    def test_an_item_counts_once_however_many_assessors_judge_it(self, judged):
        judged.outcome("alt")
        for item in ("1", "2"):
            judged.judge("s", item, "high", "anna")
            judged.judge("s", item, "high", "zoe")
        assert judged.query("select study, outcome, n_high from high_risk_study") == [
            {"study": "s", "outcome": "alt", "n_high": 2}
        ]

    def test_consensus_takes_a_study_off_the_list_of_high_risk(self, judged):
        judged.outcome("alt")
        for item in ("1", "2"):
            judged.judge("s", item, "low", "anna")
            judged.judge("s", item, "high", "zoe")
        assert judged.one("select n_high from high_risk_study") == {"n_high": 2}
        for item in ("1", "2"):
            judged.judge("s", item, "low", "consensus")
        assert judged.query("select * from high_risk_study") == []

    def test_risk_of_bias_of_a_run_is_counted_over_its_studies_and_their_weight(self, judged):
        judged.outcome("alt")
        judged.effect_measure("MD")
        for treatment in ("a", "b"):
            judged.treatment(treatment)
        for study, answers in {"low": "low", "mixed": "unclear", "high": "high", "other": "high"}.items():
            judged.judge(study, "1", "low")
            judged.judge(study, "2", answers)
        judged.study("unjudged")
        run = {"run_id": "p", "engine": "frequentist"}
        pair = {"treatment": "a", "versus": "b", "model": "random"}
        judged.insert(
            "result_run",
            [run | {"kind": "pairwise", "outcome": "alt", "measure": "MD", "scale": "additive",
                    "specification": "{}", "input_hash": "", "versions": "{}"}],
        )  # fmt: skip
        judged.insert(
            "result_estimate",
            [run | pair | {"estimate": 1, "ci_lower": 0.5, "ci_upper": 1.5, "evidence": "direct"}],
        )
        weights = {"low": 0.5, "mixed": 0.2, "high": 0.1, "unjudged": 0.2}
        sides = {
            "treatment_a": "a",
            "treatment_b": "b",
            "arm_a": "a",
            "arm_b": "b",
            "animals_a": "a",
            "animals_b": "b",
        }
        for study, weight in weights.items():
            own = {"study": study, "experiment": "main", "contrast_id": study}
            judged.insert("result_contrast", [{"run_id": "p"} | own | sides])
            judged.insert("result_weight", [run | pair | own | {"weight": weight}])
        # The study that did not enter is not counted, nor is the one that nobody judged.
        row = judged.one("select * from run_risk_of_bias")
        assert row == {"run_id": "p", "model": "random", "n_judged": 3, "n_high": 1, "n_low": 1,
                       "share_high": 0.1, "share_low": 0.5}  # fmt: skip

    def test_a_judgement_for_the_outcome_goes_before_one_for_all(self, judged):
        judged.outcome("alt")
        judged.outcome("ast")
        judged.judge("s", "1", "high")
        judged.judge("s", "1", "low", "anna", outcome="alt")
        judged.judge("s", "1", "unclear", "zoe", outcome="alt")
        found = judged.query(
            "select outcome, judged_for, judgement, settled_by from rob_by_outcome order by 1"
        )
        assert [tuple(row.values()) for row in found] == [
            ("alt", "outcome", "unclear", "worst"),
            ("ast", "study", "high", "single"),
        ]
        assert judged.query("select outcome, n_high from high_risk_study") == [
            {"outcome": "ast", "n_high": 1}
        ]

    def test_summary_with_and_without_weights(self, judged):
        for study, n, judgement in (
            ("a", 10, "low"),
            ("b", 30, "low"),
            ("c", 60, "high"),
            ("d", None, "high"),
        ):
            judged.arm(study, "control", n=n)
            judged.judge(study, "1", judgement)
        found = {row["judgement"]: row for row in judged.query("select * from rob_summary")}
        assert (found["low"]["n"], found["low"]["n_judged"], found["low"]["share"]) == (2, 4, 0.5)
        assert (found["low"]["weighted_share"], found["low"]["weights"]) == (0.4, "participants")
        assert (found["high"]["weighted_share"], found["high"]["n_without_weight"]) == (0.6, 1)

    def test_no_n_at_all(self, judged):
        judged.judge("a", "1", "low")
        found = judged.one("select share, weighted_share from rob_summary")
        assert found == {"share": 1, "weighted_share": None}

    def test_judgements_by_outcome_are_rows_of_their_own(self, judged):
        judged.outcome("alt")
        judged.judge("a", "1", "low")
        judged.judge("a", "1", "high", outcome="alt")
        assert len(judged.query("select * from rob_traffic_light")) == 2


@pytest.fixture
def searched(rows):
    rows.insert(
        "prisma_box",
        [{"box": box, "position": i, "section": "screening", "label": box} for i, box in enumerate(BOXES)],
    )
    rows.insert("search", [{"search": "s1", "source": "MEDLINE", **rows.place("searches.csv")}])
    rows.insert("search", [{"search": "s2", "source": "Embase", **rows.place("searches.csv")}])

    def found(record, search="s1", **row):
        rows.insert("record", [{"record": record, "search": search, **row, **rows.place("records.csv")}])

    def decide(record, stage, decision, reviewer="anna", reason=None):
        keys = {
            "record": record,
            "stage": stage,
            "reviewer": reviewer,
            "decision": decision,
            "reason": reason,
        }
        rows.insert("screening", [{**keys, **rows.place("screening.csv")}])

    def box(name, n, reason=None):
        rows.insert("flow", [{"box": name, "n": n, "reason": reason, **rows.place("flow.csv")}])

    rows.found, rows.decide, rows.box = found, decide, box
    return rows


def flow(rows) -> dict:
    return {
        (row["box"], row["reason"]): (row["n"], row["origin"])
        for row in rows.query("select * from prisma_flow")
    }


class TestFlow:
    def test_typed_where_there_are_no_records(self, searched):
        searched.study("s")
        searched.box("database_results", 120)
        searched.box("dbr_excluded", 3, "no control")
        assert flow(searched) == {
            ("database_results", None): (120, "typed"),
            ("dbr_excluded", "no control"): (3, "typed"),
            ("total_studies", None): (1, "counted"),
        }

    def test_counted_where_there_are_records(self, searched):
        searched.study("study")
        searched.found("r1", study="study")
        searched.found("r2", "s2", duplicate_of="r1")
        for record in ("r3", "r4", "r5", "r6"):
            searched.found(record)
        searched.found("r7", None)
        searched.decide("r1", "title_abstract", "include")
        searched.decide("r1", "full_text", "include")
        searched.decide("r2", "title_abstract", "exclude")
        searched.decide("r3", "title_abstract", "exclude")
        for record in ("r4", "r5", "r6"):
            searched.decide(record, "title_abstract", "unclear")
        searched.decide("r4", "full_text", "exclude", reason="no control")
        searched.decide("r5", "full_text", "not_retrieved")
        searched.box("database_results", 999)
        searched.box("previous_studies", 4)
        assert flow(searched) == {
            ("database_results", None): (6, "counted"),
            ("database_specific_results", "MEDLINE"): (5, "counted"),
            ("database_specific_results", "Embase"): (1, "counted"),
            ("citations_results", None): (1, "counted"),
            ("duplicates", None): (1, "counted"),
            ("records_screened", None): (5, "counted"),
            ("records_excluded", None): (1, "counted"),
            ("dbr_sought_reports", None): (4, "counted"),
            ("dbr_notretrieved_reports", None): (1, "counted"),
            ("dbr_assessed", None): (2, "counted"),
            ("dbr_excluded", None): (1, "counted"),
            ("dbr_excluded", "no control"): (1, "counted"),
            ("other_sought_reports", None): (0, "counted"),
            ("other_notretrieved_reports", None): (0, "counted"),
            ("other_assessed", None): (0, "counted"),
            ("other_excluded", None): (0, "counted"),
            ("new_reports", None): (1, "counted"),
            ("new_studies", None): (1, "counted"),
            ("previous_studies", None): (4, "typed"),
            ("total_studies", None): (1, "counted"),
        }

    def test_reviewers_who_differ(self, searched):
        for record in ("r1", "r2", "r3"):
            searched.found(record)
            searched.decide(record, "title_abstract", "exclude", "anna", "animals")
            searched.decide(record, "title_abstract", "include", "zoe")
        searched.decide("r2", "title_abstract", "exclude", "consensus", "review")
        searched.decide("r3", "title_abstract", "unclear", "bert")
        found = searched.query(
            "select record, decision, reason, n_reviewers, conflict from screening_decision order by 1"
        )
        assert [tuple(row.values()) for row in found] == [
            ("r1", "include", None, 2, True),
            ("r2", "exclude", "review", 3, False),
            ("r3", "include", None, 3, True),
        ]
        assert len(searched.query("select * from audit_screening_conflict")) == 2

    def test_decisions_on_duplicates_do_not_count(self, searched):
        searched.found("r1")
        searched.found("r2", duplicate_of="r1")
        searched.decide("r2", "title_abstract", "include")
        assert searched.query("select * from screening_decision") == []
        assert flow(searched)["records_screened", None] == (0, "counted")
