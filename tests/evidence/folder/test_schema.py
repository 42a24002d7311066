"""The schema: documented to the last column, and reference data held to their sources."""

from __future__ import annotations

import csv
import re
from collections import Counter
from fractions import Fraction

import pytest

from evidence.database import connect
from evidence.facts.reference import REFERENCE_TABLES, reference
from evidence.folder.layout import FILE, FILES
from evidence.folder.options import plan_table, planned_row
from evidence.store.dictionary import data_dictionary
from evidence.store.objects import create_tables, sql_objects
from evidence.store.viewmap import view_map
from evidence.system.resources import schema_directory, sql_directory


@pytest.fixture(scope="module")
def tables():
    with connect() as connection:
        create_tables(connection)
        yield connection


def query(tables, sql):
    return tables.execute(sql).fetchall()


def test_every_table_and_column_is_documented_in_two_thoughts(tables):
    described = query(
        tables,
        "select table_name, comment from duckdb_tables() "
        "union all select table_name || '.' || column_name, comment from duckdb_columns() where not internal",
    )
    assert len(described) > 400
    for name, comment in described:
        assert comment is not None, name
        meaning, _, extraction = comment.partition(". ")
        assert meaning, name
        assert extraction.endswith("."), name


def test_data_dictionary_is_in_step_with_the_schema():
    written = (schema_directory() / "README.md").read_text(encoding="utf-8")
    assert written == data_dictionary(), "run `python -m evidence.store.dictionary`"


def test_map_of_the_views_is_in_step_with_their_files():
    written = (sql_directory() / "README.md").read_text(encoding="utf-8")
    assert written == view_map(), "run `python -m evidence.store.viewmap`"
    for item in sql_objects():
        assert f"| `{item.name}` |" in written


def test_data_dictionary_names_everything(tables):
    text = data_dictionary()
    for (table,) in query(tables, "select table_name from duckdb_tables()"):
        assert f"\n### {table}\n" in text
    assert 'arm ||--o{ measurement : "study, experiment, arm"' in text
    assert text.count("erDiagram") == 1


def test_declared_files_fit_their_tables(tables):
    types = {
        (table, column): kind
        for table, column, kind in query(
            tables, "select table_name, column_name, data_type from duckdb_columns()"
        )
    }
    fits = {"number": "DOUBLE", "boolean": "BOOLEAN", "date": "DATE"}
    for file in FILES:
        for column in file.columns:
            kind = types[file.table, column.target]
            if column.type == "integer":
                assert kind in ("INTEGER", "BIGINT"), (file.name, column.name)
            else:
                assert kind == fits.get(column.type, "VARCHAR"), (file.name, column.name)
        assert set(file.key) <= set(file.by_name)
        assert all(column.default is None or not column.required for column in file.columns)


def test_files_come_after_those_they_refer_to():
    place = {file.table: position for position, file in enumerate(FILES)}
    for position, file in enumerate(FILES):
        for column in file.columns:
            assert place.get(column.references or "", -1) <= position


def test_required_columns_are_those_that_the_table_requires(tables):
    required = {
        (table, name)
        for table, names in query(
            tables,
            "select table_name, constraint_column_names from duckdb_constraints() "
            "where constraint_type in ('NOT NULL', 'PRIMARY KEY')",
        )
        for name in names
    }
    filled = {
        ("study", "label"),
        ("treatment", "label"),
        ("outcome", "label"),
        ("arm", "role"),
        ("search", "search"),
        ("rob_tool", "label"),
        ("rob_item", "position"),
        ("rob_item", "domain"),
        ("rob_item", "label"),
        ("rob_item", "optional"),
        ("rob_answer", "position"),
        ("rob_answer", "label"),
        ("rob_answer", "symbol"),
        ("rob_answer", "color"),
        ("rob_answer", "color_blind_safe"),
    }
    for file in FILES:
        for column in file.columns:
            present = column.required or column.default is not None or (file.table, column.target) in filled
            assert present >= ((file.table, column.target) in required), (file.name, column.name)


def test_plan_has_a_column_for_every_key(tables):
    columns = {
        name
        for (name,) in query(tables, "select column_name from duckdb_columns() where table_name = 'plan'")
    }
    assert columns == set(planned_row({}, 1, "plan"))


def test_the_table_of_the_plan_is_written_from_the_options():
    written = (schema_directory() / "70_plan.sql").read_text(encoding="utf-8")
    assert written == plan_table(), "run python -m evidence.folder.options"


@pytest.mark.parametrize("table", REFERENCE_TABLES)
def test_reference_data_have_the_columns_of_their_table(tables, table):
    names = [
        name
        for (name,) in query(
            tables,
            f"select column_name from duckdb_columns() where table_name = '{table}' order by column_index",
        )
    ]
    assert list(reference(table)[0]) == names


# --- units ----------------------------------------------------------------------------------------------------


def factor(unit: str) -> Fraction:
    (row,) = [row for row in reference("unit") if row["unit"] == unit]
    return Fraction(str(row["factor"]))


def dimension(unit: str) -> str:
    (row,) = [row for row in reference("unit") if row["unit"] == unit]
    return str(row["dimension"])


@pytest.mark.parametrize(
    ("many", "of", "one"),
    [
        # 1 kat = 1 mol/s, 1 U = 1 umol/min (21st CGPM 1999, resolution 12)
        (60, "U/L", "ukat/L"),
        (1, "IU/L", "U/L"),
        (1000, "U/L", "U/mL"),
        (1000, "nkat/L", "ukat/L"),
        # decimal prefixes
        (1, "pg/mL", "ng/L"),
        (1000, "pg/mL", "ng/mL"),
        (1, "ng/mL", "ug/L"),
        (10, "mg/L", "mg/dL"),
        (10, "g/L", "g/dL"),
        (1, "ug/mL", "mg/L"),
        (1000, "umol/L", "mmol/L"),
        (1000, "mg", "g"),
        (10, "mm", "cm"),
        (1000, "uL", "mL"),
        (100, "%", "fraction"),
        (1000, "cells/uL", "10^9/L"),
        (1, "10^3/uL", "10^9/L"),
        # time
        (7, "d", "wk"),
        (12, "mo", "a"),
        # NIST SP 811, appendix B
        (Fraction("133.322387415"), "Pa", "mmHg"),
        (Fraction("98.0665"), "Pa", "cmH2O"),
        (Fraction("4.184"), "J", "cal"),
    ],
)
def test_conversions(many, of, one):
    assert dimension(of) == dimension(one)
    assert factor(of) * many == factor(one)


@pytest.mark.parametrize(("of", "one", "many"), [("s", "min", 60), ("min", "h", 60), ("h", "d", 24)])
def test_times_that_are_no_decimal_fraction_of_a_day(of, one, many):
    assert float(factor(of)) * many == pytest.approx(float(factor(one)), rel=1e-15)


def test_time_is_counted_in_days():
    assert factor("d") == 1
    assert float(factor("h")) == 1 / 24


def test_what_does_not_convert_has_dimensions_of_its_own():
    apart = [
        "U/L", "pg/mL", "pmol/mL", "fold change", "log2 fold change", "fold of baseline", "mRNA relative to reference gene",
        "protein relative to loading control", "% of control", "%", "mmol/mol", "mIU/L", "U/mg protein", "pg/mg protein",
        "points", "AU", "OD", "INR",
    ]  # fmt: skip
    assert len({dimension(unit) for unit in apart}) == len(apart)


def test_every_unit_has_a_positive_factor_and_a_label():
    assert all(factor(str(row["unit"])) > 0 and row["label"] for row in reference("unit"))
    assert max(Counter(str(row["unit"]).casefold() for row in reference("unit")).values()) == 1


def test_every_dimension_has_a_base_unit():
    bases = {row["dimension"] for row in reference("unit") if Fraction(str(row["factor"])) == 1}
    assert bases == {row["dimension"] for row in reference("unit")}


# --- risk of bias ---------------------------------------------------------------------------------------------


def items(tool: str) -> list[dict]:
    return [row for row in reference("rob_item") if row["tool"] == tool]


def answers(tool: str) -> list[str]:
    return [str(row["judgement"]) for row in reference("rob_answer") if row["tool"] == tool]


def needed(tool: str) -> list[str]:
    return [str(row["item"]) for row in items(tool) if row["optional"] == "false"]


DOMAINS = [*(f"D{number}" for number in range(1, 8)), "Overall"]


def test_syrcle_has_ten_items_of_six_types():
    # Hooijmans et al. 2014, table 2; tables that judge the whole, too, are read
    assert needed("SYRCLE") == [str(number) for number in range(1, 11)]
    assert Counter(row["domain"] for row in items("SYRCLE") if row["item"] != "Overall") == {
        "selection": 3,
        "performance": 2,
        "detection": 2,
        "attrition": 1,
        "reporting": 1,
        "other": 1,
    }
    assert all(str(row["question"]).endswith("?") for row in items("SYRCLE") if row["item"] != "Overall")
    assert answers("SYRCLE") == ["low", "unclear", "high"]


@pytest.mark.parametrize(
    ("tool", "keys", "judgements"),
    [
        # Higgins et al. 2011, BMJ 343:d5928
        ("RoB 1", [*map(str, range(1, 8))], ["low", "unclear", "high"]),
        # Sterne et al. 2019, BMJ 366:l4898, with its variants; "no information" as in robvis
        ("RoB 2", [*DOMAINS[:5], "Overall"], ["low", "some concerns", "high", "no information"]),
        (
            "RoB 2 cluster",
            ["D1", "D1b", *DOMAINS[1:5], "Overall"],
            ["low", "some concerns", "high", "no information", "not applicable"],
        ),
        (
            "RoB 2 crossover",
            ["D1", "DS", *DOMAINS[1:5], "Overall"],
            ["low", "some concerns", "high", "no information"],
        ),
        # Sterne et al. 2016, BMJ 355:i4919
        ("ROBINS-I", DOMAINS, ["low", "moderate", "serious", "critical", "no information"]),
        # riskofbias.info, 20 November 2025: six domains, and no answer that nothing is known
        (
            "ROBINS-I V2",
            [*DOMAINS[:6], "Overall"],
            ["low", "low except confounding", "moderate", "serious", "critical"],
        ),
        # Higgins et al. 2024, Environ Int 186:108602
        (
            "ROBINS-E",
            DOMAINS,
            ["low", "low except confounding", "some concerns", "high", "very high", "no information"],
        ),
        # Whiting et al. 2011, Ann Intern Med 155:529
        (
            "QUADAS-2",
            DOMAINS[:4],
            ["low", "unclear", "high", "low concern", "unclear concern", "high concern"],
        ),
        # Hayden et al. 2013, Ann Intern Med 158:280; "no information" as in robvis
        ("QUIPS", DOMAINS[:6], ["low", "moderate", "high", "no information"]),
        # Wilkinson et al. 2025
        (
            "INSPECT-SR",
            [*DOMAINS[:4], "Overall"],
            ["no concerns", "some concerns", "serious concerns", "no", "not applicable", "unclear", "yes"],
        ),
        ("NOS cohort", [], [f"{n} star{'s' * (n != 1)}" for n in range(9, -1, -1)]),
        *(
            (
                f"JBI {name}",
                [*map(str, range(1, n + 1))],
                ["yes", "not applicable", "unclear", "no", "include", "seek further information", "exclude"],
            )
            for name, n in (
                ("randomized trials", 13),
                ("randomized trials 2023", 13),
                ("quasi-experimental", 9),
                ("cohort", 11),
                ("case-control", 10),
                ("cross-sectional", 8),
                ("prevalence", 9),
                ("case series", 10),
                ("case reports", 8),
                ("diagnostic accuracy", 10),
            )
        ),
    ],
)
def test_a_tool_has_the_items_and_answers_of_its_paper(tool, keys, judgements):
    assert needed(tool) == keys
    assert answers(tool) == judgements


def test_inspect_sr_has_its_21_checks_in_four_domains():
    # Wilkinson et al. 2025: 3, 5, 2 and 11 checks, answered yes (something may be wrong), no, unclear or not applicable
    checks = [row for row in items("INSPECT-SR") if "." in str(row["item"])]
    assert [row["item"] for row in checks] == [
        f"{domain}.{check}" for domain, n in ((1, 3), (2, 5), (3, 2), (4, 11)) for check in range(1, n + 1)
    ]
    assert {row["answers"] for row in checks} == {"yes|no|unclear|not applicable"}
    assert {row["answers"] for row in items("INSPECT-SR") if row not in checks} == {
        "no concerns|some concerns|serious concerns"
    }


def test_a_tool_says_how_it_tells_a_high_risk_or_its_answers_do():
    """Of each tool: every answer of its items has a severity, or the tool's row says what decides."""
    severe = {(row["tool"], row["judgement"]): row["severity"] for row in reference("rob_answer")}
    for tool in reference("rob_tool"):
        silent = [
            judgement
            for row in items(str(tool["tool"]))
            for judgement in (
                str(row["answers"]).split("|") if row["answers"] else answers(str(tool["tool"]))
            )
            if severe[tool["tool"], judgement] is None
            and judgement not in ("no information", "not applicable")
        ]
        assert bool(silent) == bool(tool["note"]), (tool["tool"], set(silent))
    assert {row["tool"] for row in reference("rob_threshold")} == {"NOS cohort", "NOS case-control"}
    for row in reference("rob_threshold"):
        known = {item["item"]: item["domain"] for item in items(str(row["tool"]))}
        assert row["sum_item"] in known
        assert row["domain"] in known.values()


def test_stars_of_the_newcastle_ottawa_scale_have_their_limits():
    for tool, last in (("NOS cohort", "O"), ("NOS case-control", "E")):
        most = {str(row["item"]): len(str(row["answers"]).split("|")) - 1 for row in items(tool)}
        assert most == {
            **dict.fromkeys(("S1", "S2", "S3", "S4"), 1),
            "C1": 2,
            **dict.fromkeys((f"{last}1", f"{last}2", f"{last}3"), 1),
            "Selection": 4,
            {"O": "Outcome", "E": "Exposure"}[last]: 3,
            "Total": 9,
        }


def test_every_tool_has_citation_positions_and_told_apart_answers():
    for row in reference("rob_tool"):
        tool = str(row["tool"])
        assert re.search(r"doi 10\.|jbi\.global|riskofbias\.info|Ottawa Hospital", str(row["citation"])), tool
        assert [row["position"] for row in items(tool)] == [str(k + 1) for k in range(len(items(tool)))]
        drawn = {str(row["judgement"]): row for row in reference("rob_answer") if row["tool"] == tool}
        sets = {tuple(str(row["answers"]).split("|")) for row in items(tool) if row["answers"]}
        for judgements in sets or {tuple(drawn)}:
            for look in ("symbol", "color", "color_blind_safe"):
                looks = [str(drawn[judgement][look]) for judgement in judgements]
                assert len(set(looks)) == len(looks), (tool, look)
        for row in drawn.values():
            assert re.fullmatch("#[0-9A-F]{6}", str(row["color"]) and str(row["color_blind_safe"]))


def test_a_symbol_of_another_chart_stands_for_a_judgement_of_its_tool():
    for row in reference("rob_symbol"):
        assert row["judgement"] in answers(str(row["tool"]))


def test_colours_are_those_of_the_cochrane_set():
    colors = {(row["tool"], row["judgement"]): row["color"] for row in reference("rob_answer")}
    assert colors["RoB 2", "low"] == "#02C100"
    assert colors["RoB 2", "some concerns"] == colors["SYRCLE", "unclear"] == "#E2DF07"
    assert colors["RoB 2", "high"] == colors["ROBINS-I", "serious"] == "#BF0000"
    assert colors["ROBINS-I", "critical"] == "#820000"
    assert colors["ROBINS-I", "no information"] == "#4EA1F7"


# --- the rest ---------------------------------------------------------------------------------------------------


def test_prisma_boxes_are_those_of_the_2020_diagram():
    boxes = [row["box"] for row in reference("prisma_box")]
    # keys of the PRISMA2020 package (Haddaway et al. 2022, Campbell Syst Rev 18:e1230)
    assert boxes == [
        "previous_studies", "previous_reports", "database_results", "database_specific_results", "register_results",
        "register_specific_results", "website_results", "organisation_results", "citations_results", "duplicates",
        "excluded_automatic", "excluded_other", "records_screened", "records_excluded", "dbr_sought_reports",
        "dbr_notretrieved_reports", "other_sought_reports", "other_notretrieved_reports", "dbr_assessed",
        "dbr_excluded", "other_assessed", "other_excluded", "new_studies", "new_reports", "total_studies",
        "total_reports", "total_studies_ma", "total_reports_ma",
    ]  # fmt: skip
    assert {row["section"] for row in reference("prisma_box")} == {"identification", "screening", "included"}


def test_aliases_lead_to_columns_of_review_folders():
    columns = {
        column.name
        for name in ("arms.csv", "measurements.csv", "contrasts.csv")
        for column in FILE[name].columns
    }
    # The importer takes a class to treatments.csv, and the root of a variance to se; events and non-events give n.
    columns |= {"class", "variance", "non_events"}
    for row in reference("column_alias"):
        assert row["column_name"] in columns
    assert ("arm level", "std.dev", "sd", "gemtc") in {
        (row["file"], row["alias"], row["column_name"], row["tool"]) for row in reference("column_alias")
    }


def test_an_ambiguous_name_is_no_alias():
    ambiguous = {"error", "dev", "variance", "outcomeerror"}
    arm_level = [row for row in reference("column_alias") if row["file"] == "arm level"]
    assert not ambiguous & {str(row["alias"]).casefold() for row in arm_level}


def test_missing_codes_mean_one_of_three_things():
    assert {row["meaning"] for row in reference("missing_code")} == {
        "not reported",
        "not applicable",
        "unclear",
    }


def test_reference_files_are_tidy():
    for table in REFERENCE_TABLES:
        path = schema_directory() / "reference" / f"{table}.csv"
        with path.open(encoding="utf-8", newline="") as stream:
            rows = list(csv.reader(stream, strict=True))
        assert {len(row) for row in rows} == {len(rows[0])}, table
        assert all(cell == cell.strip() for row in rows for cell in row), table
