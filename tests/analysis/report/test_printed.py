"""What the report prints: labels and plain words, numbers as a journal has them, no empty columns, no repeats."""

from __future__ import annotations

import csv
from types import SimpleNamespace

import pandas as pd
import pytest

import evidence
from analysis.charts import tables
from analysis.charts.base.effect import Effect
from analysis.charts.base.theme import positive, printed
from analysis.charts.tables import Column, Table, dose
from analysis.report import words
from analysis.report.blocks import Text, everything
from analysis.report.links import Links, as_text
from analysis.report.material import Material
from analysis.report.sections import agreement, closing
from analysis.report.sections.about_runs import notes_of
from analysis.report.sections.opening import studies_section
from analysis.report.sections.whole import assemble
from evidence.facts import reasons

LONG = {"vehicle_of_control": "PBS", "cell_source": "human", "funding": "public", "housing": "in groups",
        "light": "12 h"}  # fmt: skip


@pytest.fixture(scope="module")
def material(small_review, tmp_path_factory):
    """Twelve studies with doses and columns of their own, judged, screened and read by two people."""
    folder = small_review.write(tmp_path_factory.mktemp("printed") / "two", "", small_review.studies())

    def rewrite(name, change):
        with (folder / name).open(encoding="utf-8") as lines:
            rows = change(list(csv.DictReader(lines)))
        small_review._csv(folder / name, rows)

    rewrite("studies.csv", lambda rows: [
        r | LONG | {"species": "mouse" if i % 2 else "rat", "sex": "male", "age": f"{i} wk", "strain": f"strain {i % 3}",
                    "weight": f"{20 + i} g", "cell_source": f"donor {i % 4}", "funding": f"grant {i % 5}",
                    "housing": f"cage {i % 2}"}
        for i, r in enumerate(rows)])  # fmt: skip
    rewrite("arms.csv", lambda rows: [
        r | ({"dose": "1000000" if r["study"] == "s01" else "30000000", "dose_unit": "cells"} if r["treatment"] != "c" else {"dose": "", "dose_unit": ""})
        for r in rows])  # fmt: skip
    rewrite("risk_of_bias.csv", lambda rows: [
        r | {"assessor": who, "judgement": "unclear" if who == "Zoe" and r["study"] == "s03" and r["item"] == "1" else
             r["judgement"]}
        for r in rows for who in ("Ann", "Zoe")])  # fmt: skip
    rewrite("measurements.csv", lambda rows: [
        r | {"extractor": who, "mean": "1" if who == "Zoe" and i == 0 else r["mean"]}
        for i, r in enumerate(rows) for who in ("Ann", "Zoe")])  # fmt: skip
    small_review._csv(folder / "records.csv", [{"record": f"r{i}", "title": f"t {i}"} for i in range(10)])
    small_review._csv(folder / "screening.csv", [
        {"record": f"r{i}", "stage": "title_abstract", "reviewer": who,
         "decision": "include" if i < 4 or (i == 4 and who == "Zoe") else "exclude"}
        for i in range(10) for who in ("Ann", "Zoe")])  # fmt: skip
    with evidence.open(evidence.build(folder, folder.with_suffix(".duckdb"))) as db:
        yield Material(db, {})


def test_characteristics_have_a_column_each_in_tables_of_a_pages_width(material):
    parts = studies_section(material, Links()).blocks
    assert [part.name for part in parts] == ["characteristics", "characteristics-2"]
    first, second = parts
    assert [column.label for column in first.columns][:3] == ["Study", "Year", "Animals"]
    assert {column.group for column in first.columns} == {"", "Population"}
    assert second.columns[0].label == "Study"
    assert {"Cell source", "Doses", "Funding"} <= {column.label for column in second.columns}
    groups = {column.label: column.group for column in second.columns}
    assert groups["Cell source"] == groups["Doses"] == "Interventions"
    assert groups["Funding"] == "Further"
    assert all(len(part.columns) <= 10 for part in parts)
    assert {row["doses"] for row in second.rows} == {"3 × 10⁷ cells", "10⁶ cells"}
    # What all studies have in common is said once: no column says it twelve times.
    assert "Sex of every study: male." in second.note
    assert "Vehicle of control of every study: PBS." in second.note
    assert first.data[0]["funding"] == "grant 0"


def test_agreement_of_screeners_and_assessors_is_shown_with_its_sentence(material):
    said, table = agreement.screening(material)
    # By hand: p_o = 0.9, p_e = 0.4 * 0.5 + 0.6 * 0.5 = 0.5, kappa = 0.8.
    assert said.paragraphs == (
        "Titles and abstracts: Ann and Zoe agreed on 9 of 10 records (90%; κ = 0.80, AC1 = 0.80).",
    )
    assert table.rows[0]["kappa"].startswith("0.80 [")
    assert "weighted" not in [column.key for column in table.columns]
    said, table = agreement.risk_of_bias(material)
    # Item 7 is unclear throughout for both: no kappa there, and 23 of 24 judgements are equal.
    assert said.paragraphs[0].startswith(
        "SYRCLE: Ann and Zoe agreed in 23 of 24 judgements (96%); κ by item from"
    )
    assert [row["kappa"] == "" for row in table.rows] == [False, True]
    assert [row["ac1"] for row in table.rows][1] == "1.00"


def test_agreement_of_extractors_is_shown(material):
    said, table = agreement.extraction(material)
    readings = sum(row["n"] for row in table.data)
    same = sum(row["n_equal"] for row in table.data)
    assert readings - same == 1
    assert f"read the same in {same:,} of {readings:,} numbers" in said.paragraphs[0]


def test_a_single_reviewer_has_nothing_to_agree_with():
    alone = SimpleNamespace(db=SimpleNamespace(rows=lambda query: []))
    for of in (agreement.screening, agreement.risk_of_bias, agreement.extraction):
        assert list(of(alone)) == []


def test_arms_are_called_by_label_treatment_or_dose(material):
    some = {row["arm"] for row in material.readings}
    assert some == {"Drug a", "Drug b", "Drug c", "Drug d"}
    assert material.arm("s00", "a-arm, c-arm") == "Drug a, Drug c"
    assert material.arm("s00", "unknown") == "unknown"


def test_rows_that_need_nothing_are_counted_by_reason(material):
    (text, *_, table) = closing.exclusions_section(material).blocks
    assert isinstance(text, Text)
    assert table.name == "exclusions-needing-nothing" or table.name == "exclusions"
    assert [column.key for column in table.columns][-2:] == ["studies", "rows"]
    assert sum(int(row["rows"].replace(",", "")) for row in table.rows) >= len(table.rows)
    assert len(table.rows) < 5


def test_the_kind_of_a_reason_leaves_out_what_differs_from_row_to_row():
    kinds = {
        reasons.kind(
            "analysis_contrast", f"another time point of the study, {t}, is analysed by the rule last"
        )
        for t in ("24 h", "3 d, of 7")
    }
    assert kinds == {"another time point of the study is analysed by the rule …"}
    assert reasons.kind("where", "no such reason") == "no such reason"


HETEROGENEITY = [
    {"model": "common", "level": None, "tau": 0.0, "tau2": 0.0, "i2": 0.9, "q": 42.2, "df": 3, "p_value": 1e-8, "method": "Q"},
    {"model": "random", "level": None, "tau": 1222.0099, "tau2": 1493308.2, "i2": 0.9, "q": 42.2, "df": 3, "p_value": 1e-8,
     "method": "REML", "tau_lower": 0.0, "tau_upper": 54322.821, "interval_method": "Q-profile"},
]  # fmt: skip


def level(name, df):
    return {**HETEROGENEITY[1], "level": name, "df": df, "subgroup": "basis"}


def heterogeneity(rows):
    return tables.heterogeneity_and_inconsistency(
        pd.DataFrame(rows), effect=Effect("MD", "ALT", unit="U/L"), digits=0, name="h"
    )


def test_tau_has_the_decimals_of_the_effects_and_its_interval_with_it():
    table = heterogeneity(HETEROGENEITY)
    common, random = table.rows
    assert random["tau"] == "1,222 [0, 54,323] (Q-profile)"
    assert (common["tau"], common["method"]) == ("", "")
    assert table.columns[2].label == "τ (U/L)"
    assert "note" not in [column.key for column in table.columns]
    assert table.data[1]["tau"] == 1222.0099, "full precision stays in the data"
    assert positive(0.004) == "<0.01"
    assert Effect("OR").spread_text(0.3537) == "0.35"


@pytest.mark.parametrize(
    ("levels", "kept"),
    [
        # One level repeats all studies; a level of one study has no heterogeneity.
        ([level("all", 3)], 2),
        ([level("a", 2), level("b", 0), level("c", 1)], 4),
    ],
)
def test_subgroups_are_listed_where_they_say_more_than_the_whole(levels, kept):
    assert len(heterogeneity(HETEROGENEITY + levels).rows) == kept


def test_a_column_without_a_cell_is_not_printed():
    columns = (Column("a", "A"), Column("b", "B"), Column("c", "C"))
    table = Table("t", "T", columns, ({"a": 1, "b": "", "c": None}, {"a": 2, "b": None}))
    assert [column.key for column in table.columns] == ["a"]
    assert Table("t", "T", columns, ()).columns == columns


def test_doses_are_written_as_people_write_them():
    assert dose(30000000.0, "cells") == "3 × 10⁷ cells"
    assert dose(1e6, "cells") == "10⁶ cells"
    assert dose(1250000, "cells/kg") == "1.25 × 10⁶ cells/kg"
    assert dose(0.5, "mL") == "0.5 mL"
    assert dose(None, "mL") == ""


def test_notes_speak_of_treatments_by_their_names_and_of_numbers_in_digits():
    names = {"plac": "Negative control", "lsc": "Liver stem cell"}
    messages = [
        ("info", "treatment = lsc: 2 effects: no prediction interval, which needs 3."),
        ("info", "cells is a class of treatments: lsc, plac."),
        ("info", "Priors: tau ~ uniform(0, 6000) U/L; each effect against plac ~ normal(0, 1.2e+05^2) U/L."),
    ]
    run = SimpleNamespace(
        subgroup="treatment",
        frames={
            "notes": pd.DataFrame(messages, columns=["severity", "message"]),
            "estimates": pd.DataFrame({"level": ["lsc", "plac", None]}),
        },
    )
    (text,) = notes_of(run, names)
    assert text.paragraphs == (
        "treatment = Liver stem cell: 2 effects: no prediction interval, which needs 3.",
        "cells is a class of treatments: Liver stem cell, Negative control.",
        "Priors: τ ~ uniform(0, 6,000) U/L; each effect against Negative control ~ normal(0, 120,000²) U/L.",
    )
    # Where a subgroup has one level, what is said of it is said of the whole.
    run.frames["estimates"] = pd.DataFrame({"level": ["lsc", None]})
    (text,) = notes_of(run, names)
    assert not any(line.startswith("treatment =") for line in text.paragraphs)
    assert printed("mean - tau2") == "mean − τ²"


def test_one_sign_convention_active_treatments_first_in_the_league_across_outcomes():
    from analysis.report.sections.across import league_across

    rows = [
        {"treatment": "c", "versus": "a", "estimate": 6407.0, "ci_lower": 4229.0, "ci_upper": 8583.0, "model": "random",
         "evidence": "network"},
        {"treatment": "b", "versus": "a", "estimate": 10.0, "ci_lower": -5.0, "ci_upper": 25.0, "model": "random",
         "evidence": "network"},
    ]  # fmt: skip
    run = SimpleNamespace(
        kind="network", analysis="n", outcome="y", measure="MD", run_id="r",
        frames={"estimates": pd.DataFrame(rows).assign(level=None, subgroup=None)},
    )  # fmt: skip
    effect = Effect("MD", "ALT", treatments={"a": "Liver", "b": "Bone", "c": "Control"})
    material = SimpleNamespace(
        runs=[run, run], treatments={"c": "Control", "a": "Liver", "b": "Bone"},
        roles={"c": "control", "a": "active", "b": "active"}, effect=lambda run: effect,
    )  # fmt: skip
    table = league_across(material, Links())
    assert [row["pair"] for row in table.rows] == [
        "Liver versus Bone", "Liver versus Control", "Bone versus Control"
    ]  # fmt: skip
    assert as_text(table.rows[1]["r0"]).startswith("−6,407 [−8,583, −4,229]")


def test_what_a_claim_found_is_printed_by_its_label():
    material = SimpleNamespace(treatments={"LSC": "Liver stem cell"}, outcomes={"alt": "ALT"})
    called = lambda value: Material.called(material, value)  # noqa: E731
    assert [called(v) for v in ("LSC", "= LSC", "= 90 (± 2.5)", "is true", None, "alt")] == [
        "Liver stem cell", "Liver stem cell", "90 (± 2.5)", "true", "", "ALT"
    ]  # fmt: skip


def test_the_model_fit_is_in_words_and_tau_in_the_unit_of_effects():
    frame = pd.DataFrame(
        [
            {"engine": "exact", "model": "random", "quantity": q, "value": v, "note": n}
            for q, v, n in (
                ("Dbar", 79.6512, "posterior mean"), ("tau mean", 1125.6789, None), ("POTH", 0.8, "of the SUCRAs"),
                ("log_marginal_likelihood", -697.5, "tau ~ uniform(0, 6000) U/L"),
            )
        ]
    )  # fmt: skip
    table = tables.model_fit(frame, effect=Effect("MD", unit="U/L"), digits=0, name="f")
    assert [(row["quantity"], row["m0"]) for row in table.rows] == [
        ("D̄", "79.7"), ("τ, posterior mean", "1,126 U/L"), ("POTH", "0.80"), ("log marginal likelihood", "−697.5")
    ]  # fmt: skip
    assert table.rows[3]["note"] == "τ ~ uniform(0, 6,000) U/L"
    assert table.columns[1].label == "Random effects"
    assert words.MODELS["random"] == "random effects"


def test_every_part_of_a_numbered_table_has_its_number(material, monkeypatch):
    monkeypatch.setitem(material.__dict__, "numbers", {"characteristics": "Table 3. Studies"})
    sections = assemble(material, Links())
    parts = [
        block
        for block in everything(sections)
        if isinstance(block, Table) and "characteristics" in block.name
    ]
    assert len(parts) > 1
    said = [material.numbers[part.name] for part in parts]
    assert said[:2] == ["Table 3. Studies", "Table 3. Studies (part 2)"]
