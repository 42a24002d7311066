"""Every audit names what is wrong, and nothing else."""

from __future__ import annotations

import pytest

from evidence.store.objects import sql_objects

AUDITS = [item.name for item in sql_objects() if item.name.startswith("audit_")]
COLUMNS = ["severity", "message", "remedy", "study", "source_file", "source_line"]


@pytest.mark.parametrize("name", AUDITS)
def test_columns_and_silence(name, empty_database):
    """The same columns everywhere, and no row of an empty database."""
    answer = empty_database.execute(f"select * from {name}")
    assert [column[0] for column in answer.description] == COLUMNS
    assert answer.fetchall() == []


def test_a_sound_review_passes(rows):
    rows.outcome("alt", lower_is_better=True)
    for study in ("s1", "s2", "s3"):
        for arm in ("drug", "control"):
            rows.measure(study, arm, n=8, mean=10, sd=2)
    assert [name for name in AUDITS if rows.query(f"select * from {name}")] == []


def messages(rows, name: str) -> list[str]:
    found = rows.query(f"select * from {name}")
    assert all(row["remedy"] and row["severity"] in ("error", "warning") for row in found)
    return [row["message"] for row in found]


class TestReaders:
    def test_disagreement(self, rows):
        rows.measure("s", "a", n=8, mean=1, sd=1, extractor="anna")
        rows.measure("s", "a", n=8, mean=2, sd=3, extractor="zoe")
        line = rows.line
        row = rows.one("select * from audit_extractor_disagreement")
        assert row["message"] == (
            "arm a, outcome alt: 2 readings (anna, zoe) differ in mean, sd; until they are settled, the most cautious"
            " counts, that of zoe"
        )
        assert (row["study"], row["source_file"], row["source_line"]) == ("s", "measurements.csv", line)

    def test_settled_by_consensus(self, rows):
        for extractor, mean in (("anna", 1), ("zoe", 2), ("consensus", 2)):
            rows.measure("s", "a", n=8, mean=mean, sd=1, extractor=extractor)
        assert messages(rows, "audit_extractor_disagreement") == []

    def test_agreement_on_what_both_read(self, rows):
        rows.measure("s", "a", n=8, mean=1, sd=1, extractor="anna")
        rows.measure("s", "a", n=8, mean=1, se=0.5, extractor="zoe")
        assert messages(rows, "audit_extractor_disagreement") == []


class TestSign:
    """A minus sign typed before a quantity that has none, and changes, which may have one."""

    def positive(self, rows, n: int, sd: float = 30, **outcome) -> None:
        rows.outcome("alt", **outcome)
        for number in range(n):
            rows.measure(f"s{number}", "drug", n=8, mean=300 + number, sd=sd)

    def test_a_negative_mean_among_positive_ones(self, rows):
        self.positive(rows, 5)
        rows.measure("t", "drug", n=8, mean=-310, sd=30)
        row = rows.one("select * from audit_sign")
        assert row["message"] == "arm drug, outcome alt: the mean is negative, where 5 others are positive"
        assert (row["severity"], row["study"], row["source_line"]) == ("warning", "t", rows.line)

    def test_means_around_zero_and_changes_are_no_slips(self, rows):
        self.positive(rows, 5, sd=400)  # changes: most means are within their SD
        rows.measure("t", "drug", n=8, mean=-310, sd=30)
        assert messages(rows, "audit_sign") == []

    def test_a_mean_that_may_be_zero_is_no_slip(self, rows):
        self.positive(rows, 5)
        rows.measure("t", "drug", n=8, mean=-5, sd=30)
        assert messages(rows, "audit_sign") == []

    def test_several_negative_ones_among_few_are_no_slips(self, rows):
        self.positive(rows, 9)
        for study in ("t", "u"):
            rows.measure(study, "drug", n=8, mean=-310, sd=30)
        assert messages(rows, "audit_sign") == []

    def test_an_outcome_with_a_bound_was_held_to_it_by_the_build(self, rows):
        self.positive(rows, 5, lower_bound=0)
        rows.measure("t", "drug", n=8, mean=-310, sd=30)
        assert messages(rows, "audit_sign") == []


class TestSpread:
    @pytest.fixture
    def five(self, rows):
        for i, sd in enumerate((9, 10, 10, 11, 12)):
            for arm in ("drug", "control"):
                rows.measure(f"s{i}", arm, n=16, mean=100, sd=sd)
        return rows

    def test_se_typed_as_sd(self, five):
        for arm in ("drug", "control"):
            five.measure("doubtful", arm, n=16, mean=100, sd=2.5)
        row = five.one("select * from audit_suspicion")
        assert row["study"] == "doubtful"
        assert row["message"] == (
            "outcome alt: the SD is 25 % of the usual one, and 100 % if it is a standard error"
        )

    def test_sd_typed_as_se(self, five):
        for arm in ("drug", "control"):
            five.measure("doubtful", arm, n=16, mean=100, se=10)
        (message,) = messages(five, "audit_suspicion")
        assert message == (
            "outcome alt: the SD computed from the SE is 381 % of the usual one, "
            "and 95 % if the SE is a standard deviation"
        )

    def test_a_small_spread_that_a_root_does_not_explain_may_be_a_decimal_point(self, five):
        for arm in ("drug", "control"):
            five.measure("precise", arm, n=16, mean=100, sd=0.1)
        (said,) = messages(five, "audit_suspicion")
        assert "decimal point elsewhere" in said

    def test_spread_is_relative_to_means_above_zero(self, five):
        # Three times smaller animals: everything is three times smaller.
        for arm in ("drug", "control"):
            five.measure("small", arm, n=100, mean=33, sd=3.3)
        assert messages(five, "audit_suspicion") == []

    def test_numbers_without_end(self, rows):
        rows.report("s", "drug", "control", estimate=1, se=1)
        rows.report("s", "drug", "control", measure="HR", estimate=1e301, se=1)
        rows.report("s", "drug", "control", "ast", estimate=1, se=1e-200)
        assert sorted(messages(rows, "audit_not_finite")) == [
            f"contrast s|main|{contrast}|drug|control has no finite estimate, "
            "or a standard error too small or too large to weight it by"
            for contrast in ("alt||HR", "ast||MD")
        ]

    def test_extreme_effect(self, rows):
        rows.measure("s", "drug", n=10, mean=20, sd=1)
        rows.measure("s", "control", n=10, mean=10, sd=1)
        assert messages(rows, "audit_extreme_effect") == [
            "drug against control, outcome alt: the means are 10 standard deviations apart"
        ]


class TestStudies:
    def test_single_arm(self, rows):
        rows.unit("d", "time", 1)
        rows.measure("s", "drug", n=10, mean=20, sd=1, timepoint=7, timepoint_unit="d")
        assert messages(rows, "audit_single_arm") == [
            "outcome alt at 7.0 d: only arm drug can be used, so there is nothing to compare it with"
        ]
        assert messages(rows, "audit_study_without_contrast") == [
            "the study has numbers, but none that gives a comparison"
        ]

    def test_study_without_numbers(self, rows):
        rows.study("s")
        assert messages(rows, "audit_study_without_contrast") == ["the study has no numbers at all"]

    def test_n(self, rows):
        rows.arm("s", "drug", n=10)
        rows.measure("s", "drug", n=12, mean=20, sd=1)
        rows.measure("s", "drug", "ast", n=5, mean=20, sd=1)
        assert messages(rows, "audit_n_above_arm") == [
            "arm drug, outcome alt: n is 12.0, but the arm has 10.0"
        ]
        assert (
            "n is 5.0 for one outcome or time point and 12.0 for another"
            in messages(rows, "audit_n_inconsistent")[0]
        )

    def test_same_report(self, rows):
        for i, (study, doi, pmid) in enumerate(
            (("a", "10.1/X", None), ("b", "10.1/x", None), ("c", None, "7"))
        ):
            rows.study(study)
            rows.insert(
                "report",
                [{"report_id": i, "study": study, "doi": doi, "pmid": pmid, **rows.place("reports.csv")}],
            )
        assert messages(rows, "audit_same_report") == ["doi 10.1/x is a report of a, b"]

    def test_treatments_and_arms_without_data(self, rows):
        rows.treatment("forgotten")
        rows.measure("s", "drug", n=10, mean=20, sd=1)
        rows.arm("s", "control")
        assert messages(rows, "audit_treatment_without_arm") == ["treatment forgotten has no arm"]
        assert messages(rows, "audit_arm_without_data") == [
            "arm control has no measurement and is in no reported contrast"
        ]

    def test_mixed_units(self, rows):
        rows.unit("s", "time", 1)
        rows.unit("m", "length", 1)
        rows.measure("one", "drug", n=5, mean=1, sd=1, unit="s")
        rows.measure("two", "drug", n=5, mean=1, sd=1, unit="m")
        assert messages(rows, "audit_mixed_units") == [
            "outcome alt has no unit and is measured in m, s: SMD and ROM are given for it, MD is not"
        ]

    def test_direction(self, rows):
        rows.outcome("alt")
        rows.outcome("ast", lower_is_better=True)
        assert messages(rows, "audit_direction_missing") == [
            "outcome alt does not say whether lower is better: treatments cannot be ranked on it"
        ]

    def test_shared_control(self, rows):
        for experiment, shared in (("e1", None), ("e2", "e1")):
            rows.arm("s", "control", experiment=experiment, shared_control_of=shared)
            for arm in ("drug", "control"):
                rows.measure("s", arm, experiment=experiment, n=5, mean=1, sd=1)
        assert messages(rows, "audit_shared_control") == [
            "arm control of experiment e2 is the same group as arm control of experiment e1: both count for outcome alt"
        ]


class TestRiskOfBias:
    def test_missing_items_and_studies(self, rows):
        rows.insert("rob_tool", [{"tool": "T", "label": "T", "citation": "-"}])
        for item in "12":
            rows.insert(
                "rob_item", [{"tool": "T", "item": item, "position": 1, "domain": "d", "label": f"i{item}"}]
            )
        for word in ("low", "high"):
            rows.insert(
                "rob_answer",
                [
                    {
                        "tool": "T",
                        "judgement": word,
                        "label": word,
                        "position": 1,
                        "symbol": "+",
                        "color": "#0",
                        "color_blind_safe": "#0",
                    }
                ],
            )
        rows.study("s1")
        rows.study("s2")
        for i, (assessor, judgement) in enumerate((("anna", "low"), ("zoe", "high"))):
            rows.insert(
                "rob_judgement",
                [
                    {
                        "rob_judgement_id": i,
                        "study": "s1",
                        "tool": "T",
                        "item": "1",
                        "judgement": judgement,
                        "assessor": assessor,
                        **rows.place("risk_of_bias.csv"),
                    }
                ],
            )
        assert sorted(messages(rows, "audit_item_not_judged")) == [
            "T item 2 (i2) is not judged",
            "the risk of bias of this study is not judged",
        ]
        assert messages(rows, "audit_assessor_disagreement") == [
            "T item 1: anna says low, zoe says high; until they agree, the worst counts"
        ]


class TestFlow:
    def boxes(self, rows, **numbers):
        for i, (box, n) in enumerate(numbers.items()):
            rows.insert("prisma_box", [{"box": box, "position": i, "section": "screening", "label": box}])
            rows.insert("flow", [{"box": box, "n": n, **rows.place("flow.csv")}])

    def test_sums_that_hold(self, rows):
        rows.study("s")
        self.boxes(
            rows, database_results=100, duplicates=20, records_screened=80, records_excluded=70,
            dbr_sought_reports=10, dbr_notretrieved_reports=1, dbr_assessed=9, new_studies=1, total_studies=1,
        )  # fmt: skip
        assert messages(rows, "audit_flow") == []

    def test_sums_that_do_not(self, rows):
        for study in "stuv":
            rows.study(study)
        self.boxes(
            rows, database_results=100, records_screened=80, records_excluded=70, dbr_sought_reports=11,
            dbr_assessed=10, new_studies=3,
        )  # fmt: skip
        assert sorted(messages(rows, "audit_flow")) == [
            "the flow does not add up: identified 100 less removed 0 is not screened 80",
            "the flow does not add up: it ends in 3 studies, studies.csv has 4",
            "the flow does not add up: screened 80 less excluded 70 is not sought 11",
            "the flow does not add up: sought 11 less not retrieved 0 is not assessed 10",
        ]

    def test_records(self, rows):
        rows.study("s")
        rows.study("t")
        for record, row in (("r1", {}), ("r2", {"study": "s"}), ("r3", {"duplicate_of": "gone"})):
            rows.insert("record", [{"record": record, **row, **rows.place("records.csv")}])
        for record in ("r1", "r2"):
            keys = {"record": record, "stage": "full_text", "reviewer": "anna", "decision": "include"}
            rows.insert("screening", [{**keys, **rows.place("screening.csv")}])
        assert sorted(messages(rows, "audit_orphan_record")) == [
            "no record that was found belongs to this study",
            "record r1 is included but belongs to no study",
            "record r3 is a duplicate of gone, which is not among the records",
        ]


class TestPlan:
    def planned(self, rows, kind, measure, **row):
        rows.effect_measure(measure)
        rows.insert(
            "plan",
            [
                {
                    "analysis": kind,
                    "position": 1,
                    "kind": kind,
                    "outcome": "alt",
                    "measure": measure,
                    "origin": "plan",
                    **row,
                }
            ],
        )

    @pytest.fixture
    def two_pairs(self, rows):
        for study, arms in (("s", ("a", "control")), ("t", ("b", "c"))):
            for arm in arms:
                rows.measure(study, arm, n=5, mean=-1, sd=1)
        return rows

    def test_disconnected_network(self, two_pairs):
        self.planned(two_pairs, "network", "MD")
        assert messages(two_pairs, "audit_plan") == [
            "analysis network: the network is disconnected, as nothing links it with b, c"
        ]

    def test_no_direct_comparison(self, two_pairs):
        self.planned(two_pairs, "pairwise", "MD", treatment="a", versus="b")
        assert messages(two_pairs, "audit_plan") == ["analysis pairwise: no study compares a with b"]

    def test_direct_comparison(self, two_pairs):
        self.planned(two_pairs, "pairwise", "MD", treatment="control", versus="a")
        assert messages(two_pairs, "audit_plan") == []

    def test_a_class_of_treatments_is_compared_where_one_of_them_is(self, two_pairs):
        two_pairs.connection.execute("update treatment set class = 'cells' where treatment = 'a'")
        self.planned(two_pairs, "pairwise", "MD", treatment="cells", versus="control")
        assert messages(two_pairs, "audit_plan") == []

    def test_no_contrast(self, two_pairs):
        self.planned(two_pairs, "network", "ROM")
        assert messages(two_pairs, "audit_plan") == [
            "analysis network: there is no contrast of outcome alt by ROM"
        ]

    def test_log_ratio(self, rows):
        rows.measure("s", "drug", n=4, mean=1, sd=1)
        rows.measure("s", "control", n=4, mean=2, sd=1)
        self.planned(rows, "network", "ROM")
        assert len(messages(rows, "audit_log_ratio_unstable")) == 1
        assert "arm drug" in messages(rows, "audit_log_ratio_unstable")[0]


class TestRetractions:
    """Notices are matched by DOI or PMID however these are written, and never by a title."""

    def report(self, rows, study: str, **cells) -> None:
        rows.study(study)
        rows.insert(
            "report", [{"report_id": rows.line, "study": study, **cells, **rows.place("reports.csv")}]
        )

    def notice(self, rows, nature: str = "retraction", **cells) -> None:
        rows.insert(
            "retraction",
            [{"retraction_id": rows.line, "nature": nature, **cells, **rows.place("retractions.csv")}],
        )

    def test_the_ways_identifiers_are_written(self, rows):
        self.report(rows, "a", doi="https://doi.org/10.1000/ABC.1")
        self.report(rows, "b", doi="doi:10.1000%2FABC.2. ")
        self.report(rows, "c", pmid="77", title="Cells in mice")
        self.report(rows, "d", doi="10.1000/abc.11", pmid="777", title="Cells in mice")
        self.notice(rows, doi="10.1000/abc.1", date="2024-01-23", reason="Fake")
        self.notice(rows, "expression_of_concern", doi="HTTP://DX.DOI.ORG/10.1000/abc.2")
        self.notice(rows, "correction", pmid="77", doi="10.1/unlike", title="Cells in mice")
        assert sorted(messages(rows, "audit_retracted_study")) == [
            "a publication of this study (PubMed 77) was corrected",
            "a publication of this study (doi doi:10.1000%2FABC.2. ) has an expression of concern",
            "a publication of this study (doi https://doi.org/10.1000/ABC.1) was retracted on 2024-01-23: Fake",
        ]
        matched = rows.query("select study, matched_by from retracted_study order by study")
        assert [tuple(row.values()) for row in matched] == [("a", "doi"), ("b", "doi"), ("c", "pmid")]

    def test_a_record_counts_for_its_study_and_that_of_the_record_kept_in_its_place(self, rows):
        rows.study("a")
        for record, cells in (
            ("r1", {"study": "a"}),
            ("r2", {"duplicate_of": "r1", "pmid": "5"}),
            ("r3", {"pmid": "5"}),
        ):
            rows.insert("record", [{"record": record, **cells, **rows.place("records.csv")}])
        self.notice(rows, pmid="5")
        found = rows.query("select record, study from retracted_publication order by record")
        assert [tuple(row.values()) for row in found] == [("r2", "a"), ("r3", None)]
        assert len(messages(rows, "audit_retracted_study")) == 1

    def test_what_was_reinstated_later_is_no_longer_named(self, rows):
        for study, again in (("a", "2024-06-01"), ("b", "2023-01-01")):
            self.report(rows, study, doi=f"10.1000/{study}")
            self.notice(rows, doi=f"10.1000/{study}", date="2024-01-01")
            self.notice(rows, "reinstatement", doi=f"10.1000/{study}", date=again)
        rows.measure("b", "drug", n=8, mean=10, sd=2)
        assert [row["study"] for row in rows.query("select * from audit_retracted_study")] == ["b"]
        assert rows.one("select remedy from audit_retracted_study")["remedy"].startswith(
            "look at the results without"
        )
        assert rows.query("select distinct study, in_evidence from retracted_study order by study") == [
            {"study": "a", "in_evidence": False},
            {"study": "b", "in_evidence": True},
        ]
