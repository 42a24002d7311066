"""Claims: what each operator makes of a query's answer, what is refused at the build, and the command audit."""

from __future__ import annotations

import csv
import io
import json

import pytest
from click.testing import CliRunner

import evidence
from evidence.checking.claims import check_claims
from evidence.cli import cli
from evidence.errors import ReviewError

HEADER = "claim,kind,text,query,operator,expected,tolerance,needs\n"


def judged(review_folder, *rows):
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(rows)
    with evidence.open(review_folder({"claims.csv": HEADER + out.getvalue()})) as db:
        return {verdict.claim: verdict for verdict in check_claims(db)}


def test_operators(review_folder):
    cases = [
        ("select 2", "=", "2", "", "holds", "2"),
        ("select 2.004", "=", "2", "0.005", "holds", "2.004"),
        ("select 2.006", "=", "2", "0.005", "does not hold", "2.006"),
        ("select 'UCMSC'", "=", "LSC", "", "does not hold", "UCMSC"),
        ("select true", "=", "true", "", "holds", "true"),
        ("select date '2022-05-03'", "=", "2022-05-03", "", "holds", "2022-05-03"),
        ("select 'a'", "<>", "b", "", "holds", "a"),
        ("select 3", "<", "3", "", "does not hold", "3"),
        ("select 3", "<=", "3", "", "holds", "3"),
        ("select 3", ">", "3", "0.1", "holds", "3"),
        ("select 95", "between", "93 and 97", "", "holds", "95"),
        ("select 98", "between", "93, 97", "", "does not hold", "98"),
        ("select -1.5", "between", "-2,-1", "", "holds", "-1.5"),
        ("select 1 > 2", "is true", "", "", "does not hold", "false"),
        ("select 1 > 2", "is false", "", "", "holds", "false"),
        ("select 1 where false", "is empty", "", "", "holds", "no row"),
        ("select 'x' from range(7)", "is empty", "", "", "does not hold", "x; x; x; x; x; and 2 more"),
        ("select 7", "is true", "", "", "cannot be checked", "7"),
        ("select 'few'", "<", "3", "", "cannot be checked", "few"),
        ("select 'nan'::double", "<>", "3", "", "cannot be checked", None),
        ("select null", "=", "3", "", "cannot be checked", None),
        ("select 1 where false", "=", "1", "", "cannot be checked", None),
        ("select * from (values (1), (2))", "=", "1", "", "cannot be checked", "1; 2"),
        ("select nothing from nowhere", "=", "1", "", "cannot be checked", None),
    ]
    rows = [(str(i), "", "t", *case[:4], "") for i, case in enumerate(cases)]
    for one, case in zip(judged(review_folder, *rows).values(), cases, strict=True):
        assert (one.verdict, one.found) == case[4:], case
        assert (one.needs is None) == (one.verdict != "cannot be checked"), case


def test_a_claim_without_a_query_says_what_it_would_need(review_folder):
    found = judged(
        review_folder,
        ("a", "", "t", "", "", "", "", "the study data"),
        ("b", "check", "t", "", "", "", "", ""),
    )
    assert found["a"].needs == "the study data"
    assert found["a"].kind == "claim"
    assert (found["b"].kind, found["b"].needs) == ("check", "a query and an operator")


def test_several_rows_are_not_taken_for_one_value(review_folder):
    found = judged(review_folder, ("a", "", "t", "select unnest([1, 2, 3])", "=", "1", "", ""))
    assert found["a"].needs == "a query that gives one value: it gave 3 rows"


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (("a", "", "t", "select 1", "", "1", "", ""), "has a query and no operator"),
        (("a", "", "t", "", "=", "1", "", ""), "has the operator '=' and no query"),
        (("a", "", "t", "select 1", "=", "", "", ""), "has nothing to compare with"),
        (("a", "", "t", "select 1", "is empty", "1", "", ""), "takes no expected value"),
        (("a", "", "t", "select 1", "between", "93", "", ""), "between takes two values"),
        (("a", "", "t", "select 1", "equals", "93", "", ""), "operator"),
        (("a", "guess", "t", "select 1", "=", "93", "", ""), "kind"),
        (("a", "", "t", "select 1", "=", "93", "-1", ""), "tolerance"),
    ],
)
def test_a_claim_that_cannot_be_judged_is_refused_with_its_place(review_folder, row, message):
    with pytest.raises(ReviewError) as refused:
        judged(review_folder, row)
    (problem,) = refused.value.problems
    assert (problem.file, problem.line) == ("claims.csv", 2)
    assert message in f"{problem.column} {problem.message}"


# --- the command --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def alf(tmp_path_factory):
    return str(evidence.build("alf", tmp_path_factory.mktemp("alf") / "alf.duckdb"))


def audit(*arguments):
    return CliRunner().invoke(cli, ["audit", *arguments])


@pytest.mark.slow
def test_audit_prints_rankings_and_verdicts_for_a_reader(alf):
    result = audit(alf)
    assert result.exit_code == 0
    text = result.output
    start = text.index("Ma et al. 2023 tnf_alpha MD")
    table = text[start : text.index("Ma et al. 2023 il6 MD")]
    places = [table.index(f" {name} ") for name in ("UCMSC", "ADMSC", "LSC", "BMSC", "MenSC", "AFMSC")]
    assert places == sorted(places)
    for line in ("0.53      0.88", "0.16      0.73", "0.08      0.44"):
        assert line in table
    assert text.index("Holds (29)") < text.index("Does not hold (32)") < text.index("Cannot be checked (7)")
    assert "29 holds; 32 does not hold; 7 cannot be checked." in text
    assert max(len(line.rstrip()) for line in text.splitlines()) <= 100


def test_audit_as_json_has_every_part(alf):
    content = json.loads(audit(alf, "--format", "json").output)
    assert list(content) == ["tables", "rankings", "claims", "retractions"]
    tnf = {row["treatment"]: row for row in content["rankings"] if row["outcome"] == "tnf_alpha"}
    for name, sucra, best in (
        ("UCMSC", 0.88, 0.53), ("ADMSC", 0.73, 0.16), ("LSC", 0.44, 0.08), ("BMSC", 0.39, 0.01),
        ("MenSC", 0.39, 0.12), ("AFMSC", 0.38, 0.11),
    ):  # fmt: skip
        assert tnf[name]["sucra"] == pytest.approx(sucra, abs=0.01)
        assert tnf[name]["p_best"] == pytest.approx(best, abs=0.01)
    verdicts = {row["claim"]: row["verdict"] for row in content["claims"]}
    assert verdicts["rank-first-tnf-alpha"] == "does not hold"
    assert len(content["tables"]) == 4
    assert all(row["repair"] == 0 for row in content["tables"])


@pytest.mark.slow
def test_audit_as_csv_and_markdown(alf):
    rows = list(csv.DictReader(io.StringIO(audit(alf, "--format", "csv").output)))
    assert len(rows) == 68
    assert {row["kind"] for row in rows} == {"claim", "check"}
    rankings = list(csv.DictReader(io.StringIO(audit(alf, "--format", "csv", "--part", "rankings").output)))
    assert len(rankings) == 28
    page = audit(alf, "--format", "md").output
    assert page.index("## Tables") < page.index("## Rankings") < page.index("## Claims")


def test_audit_strict_exits_with_1(alf):
    assert audit(alf, "--strict").exit_code == 1


def test_audit_of_a_review_that_prints_nothing(review_folder):
    folder = review_folder({"claims.csv": None, "published_estimates.csv": None})
    result = audit(str(folder))
    assert (result.exit_code, result.stdout) == (
        0,
        "No claim, no printed league table and no retraction to check.\n",
    )
    content = json.loads(audit(str(folder), "--format", "json").stdout)
    assert content == {"tables": [], "rankings": [], "claims": [], "retractions": []}


@pytest.mark.parametrize("command", [("audit",), ("check",), ("sql", "select 1 as one"), ("trace",)])
def test_commands_that_show_simulated_data_say_so(command):
    from evidence.system.resources import template_directory

    result = CliRunner().invoke(cli, [command[0], str(template_directory()), *command[1:]])
    assert "SIMULATED DATA" in result.stderr
    assert "SIMULATED DATA" not in result.stdout
