"""A table is understood as a whole: every fault that was met in a real table, with the right number or the refusal.

Advice that a refusal prints is followed to the letter, until it works.
"""

from __future__ import annotations

import csv
import re
import shlex
from pathlib import Path

import openpyxl
import pytest
from click.testing import CliRunner

from evidence.cli import cli
from evidence.errors import CallError, EvidenceError, ReviewError
from evidence.importers.arms import import_arms


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle))


class Desk:
    """A person who imports tables into one folder."""

    def __init__(self, place: Path) -> None:
        self.place, self.folder = place, place / "review"

    def take(self, text: str, name: str = "t.csv", outcome: str | None = "y", **options):
        file = self.place / name
        file.write_text(text, encoding="utf-8")
        return import_arms(file, self.folder, outcome=outcome, **options)

    def file(self, name: str) -> list[dict[str, str]]:
        return rows(self.folder / f"{name}.csv")

    def measured(self, *columns: str) -> list[tuple[str, ...]]:
        treatment = {
            (r["study"], r.get("experiment", ""), r["arm"]): r["treatment"] for r in self.file("arms")
        }
        return [
            (
                r["study"],
                treatment[r["study"], r.get("experiment", ""), r["arm"]],
                *(r.get(c, "") for c in columns),
            )
            for r in self.file("measurements")
        ]

    def refused(self, text: str, **options) -> str:
        with pytest.raises(EvidenceError) as caught:
            self.take(text, **options)
        assert not self.folder.exists()
        return str(caught.value)

    def command(self, text: str, *arguments: str, name: str = "t.csv", outcome: str | None = "y"):
        file = self.place / name
        if text:
            file.write_text(text, encoding="utf-8")
        said = ["--outcome", outcome] if outcome else []
        return CliRunner().invoke(
            cli, ["import", "arms", str(file), "--into", str(self.folder), *said, *arguments]
        )

    def follow(self, text: str, *arguments: str, **options):
        """Call, and follow the first advice that is printed, until the import works."""
        given = list(arguments)
        for _ in range(6):
            result = self.command(text, *given, **options)
            if result.exit_code == 0:
                return result, given
            advice = advised(result.output)
            assert advice, result.output
            given += advice
        raise AssertionError(result.output)


def advised(output: str) -> list[str]:
    """Options of the first advice in a message: up to where it offers another."""
    found = re.search(
        r"--(map|control|treatment|measure|rows|fill-down|header|encoding|scale|outcome)\b.*", output
    )
    if found is None:
        return []
    text = re.split(r"; |, or | or --|, --scale log|\)", found[0])[0]
    words, options = shlex.split(text.split(" for ")[0].rstrip(".;,")), []
    while words and words[0].startswith("--"):
        take = 1 if words[0] == "--fill-down" else 2
        options += [word.rstrip(",;") for word in words[:take]]
        words = words[take:]
    return options


@pytest.fixture
def desk(tmp_path):
    return Desk(tmp_path)


ADJUSTED = (
    "study,treatment,n,mean,sd,adj_mean,adj_sd\nA,drug,20,5.0,2.0,4.1,1.9\nA,placebo,20,7.0,2.0,7.7,1.8\n"
)


def permuted(text: str, order: list[int]) -> str:
    lines = [line.split(",") for line in text.strip().split("\n")]
    return "\n".join(",".join(line[i] for i in order) for line in lines) + "\n"


@pytest.mark.parametrize("order", [[0, 1, 2, 3, 4, 5, 6], [5, 6, 3, 4, 2, 1, 0], [3, 5, 0, 4, 1, 6, 2]])
def test_what_a_person_maps_wins_in_any_order_of_columns(desk, order):
    report = desk.take(permuted(ADJUSTED, order), mapping={"adj_mean": "mean", "adj_sd": "sd"})
    assert desk.measured("mean", "sd") == [("A", "drug", "4.1", "1.9"), ("A", "placebo", "7.7", "1.8")]
    assert "'adj_mean' is taken as the mean" in str(report)


def test_a_mapping_wins_in_wide_tables_and_over_another_name_of_the_study(desk):
    desk.take(
        "study_id,author,adj1,mean1,sd1,n1,mean2,sd2,n2\nR01,Li,4,5,1,9,6,1,9\n",
        mapping={"author": "study", "adj1": "mean1"},
    )
    assert desk.measured("mean") == [("Li", "treatment", "4"), ("Li", "control", "6")]
    assert desk.file("studies")[0]["study_id"] == "R01"


def test_two_columns_mapped_to_one_meaning_and_targets_without_a_place_are_refused(desk):
    said = desk.refused(ADJUSTED, mapping={"mean": "mean", "adj_mean": "mean"})
    assert "'mean' and 'adj_mean' are mapped to one meaning" in said
    said = desk.refused(ADJUSTED, mapping={"adj_mean": "mean1"})
    assert "'adj_mean' is to be 'mean1'" in said
    said = desk.refused(ADJUSTED, mapping={"adj_sd": "sdd"})
    assert "which nothing is called" in said
    assert "of one of several groups: treatment1 n1 mean1 sd1" in said


def test_the_targets_stand_in_the_help():
    said = " ".join(CliRunner().invoke(cli, ["import", "arms", "--help"]).output.split())
    for target in ("treatment1", "percent", "o_minus_e", "sd^2", "timepoint_unit"):
        assert target in said


@pytest.mark.parametrize("order", [[0, 1, 2, 3, 4], [0, 1, 3, 4, 2], [2, 4, 3, 0, 1]])
def test_a_follow_up_time_beside_counts_is_no_person_time(desk, order):
    report = desk.take(
        permuted("study,treatment,time,r,n\nM,diuretic,5.8,43,1081\nM,placebo,5.8,34,2213\n", order)
    )
    assert desk.file("outcomes")[0]["kind"] == "binary"
    assert desk.file("studies")[0]["time"] == "5.8"
    assert "--map time=exposure" in str(report)


def test_a_follow_up_time_that_is_person_time_is_taken_when_that_is_said(desk):
    desk.take("study,treatment,time,r,n\nM,a,5800,43,1081\nM,b,9100,34,2213\n", mapping={"time": "exposure"})
    assert desk.file("outcomes")[0]["kind"] == "rate"


@pytest.mark.parametrize("text", [
    "study,treatment,time,r\nM,a,5.8,43\nM,b,5.8,34\n",
    "study,event.e,time.e,event.c,time.c\nM,43,5.8,34,5.8\nN,4,2,3,2\n",
])  # fmt: skip
def test_the_same_time_in_all_arms_is_asked_about_where_there_is_no_n(desk, text):
    assert "as a follow-up time is and person-time is not" in " ".join(desk.refused(text).split())
    desk.follow(text)
    assert desk.file("outcomes")[0]["kind"] == "rate"


def test_time_beside_means_is_kept_and_is_no_exposure(desk):
    desk.take("study,treatment,time,mean,sd,n\nM,a,3,1,1,5\nM,b,3,2,1,5\n")
    assert "exposure" not in desk.file("measurements")[0]


@pytest.mark.parametrize(
    "header", ["MD,se", "se,MD", "MD,ci_lower", "r,se", "Effect size,SE"]
)  # fmt: skip
def test_a_column_without_a_group_is_not_of_each_arm(desk, header):
    text = f"study,t1,mean1,n1,sd1,t2,mean2,n2,sd2,{header}\nA 2001,drug,5,40,2,placebo,7,40,2,-2,-3.1\n"
    desk.take(text)
    assert desk.measured("mean", "sd", "se", "ci_lower", "events") == [
        ("A 2001", "drug", "5", "2", "", "", ""),
        ("A 2001", "placebo", "7", "2", "", "", ""),
    ]


def test_an_se_of_the_difference_leaves_means_without_a_spread_and_says_so(desk):
    report = desk.take("study,t1,mean1,n1,t2,mean2,n2,MD,se\nA 2001,drug,5,40,placebo,7,40,-2,0.5\n")
    assert "se" not in desk.file("measurements")[0]
    assert "no column holds an SD" in str(report)


@pytest.mark.parametrize(
    "pair",
    [
        "treat1,treat2", "treatment1,treatment2", "t1,t2", "group1,group2", "treatment,control",
        "intervention,comparator", "arm_a,arm_b", "drug,comparator", "trt1,trt2", "Treatment 1,Treatment 2",
    ],
)  # fmt: skip
@pytest.mark.parametrize("numbers", ["ai,n1i,ci,n2i", "event.e,n.e,event.c,n.c", "r1,n1,r2,n2"])
def test_names_of_treatments_beside_numbers_of_two_groups_are_used(desk, pair, numbers):
    desk.take(f"study,{pair},{numbers}\nA,alpha,placebo,5,20,8,20\nB,beta,placebo,5,20,8,20\n")
    assert [row[1:] for row in desk.measured("events")] == [
        ("alpha", "5"), ("placebo", "8"), ("beta", "5"), ("placebo", "8"),
    ]  # fmt: skip


def test_a_column_of_the_drug_names_the_first_group_only(desk):
    desk.take(
        "study,precursor,n_treatment,treat_mean,treat_sd,n_control,ctrl_mean,ctrl_sd\nA,NMN,9,5,1,9,6,1\nB,NR1,9,5,1,9,6,1\n",
        mapping={"precursor": "treatment"},
        control="placebo",
    )
    assert [row[1] for row in desk.measured()] == ["NMN", "placebo", "NR1", "placebo"]


def test_groups_that_columns_name_are_not_named_again(desk):
    said = desk.refused("study,t1,r1,n1,t2,r2,n2\nA,x,1,9,y,2,9\n", treatment="z")
    assert "names its groups in 't1'" in said
    said = desk.refused("study,treatment,r,n\nA,x,1,9\nA,y,1,9\n", control="z")
    assert "names its groups in 'treatment'" in said


@pytest.mark.parametrize("order", [[0, 1, 2, 3, 4, 5, 6], [6, 5, 4, 3, 2, 1, 0]])
def test_an_id_beside_a_study_is_a_number(desk, order):
    desk.take(permuted("id,study,year,ai,n1i,ci,n2i\n1,Morton,1984,1,40,2,36\n", order))
    assert desk.file("studies") == [{"study": "Morton", "label": "Morton", "year": "1984", "id": "1"}]


def test_a_table_with_a_number_an_id_and_a_trial(desk):
    report = desk.take("table,id,trial,ai,n1i,ci,n2i\n6,1,Reynolds,3,38,3,39\n9,1,Reynolds,3,30,3,30\n")
    assert {row[0] for row in desk.measured()} == {"Reynolds"}
    assert "several rows has an experiment" in str(report)


def test_test_statistics_are_no_treatments_and_no_events(desk):
    text = "author,n_1,x_1,SD_1,n_2,x_2,SD_2,t,F,r,d\nBarr,12,5.5,1.2,12,4.5,1.1,3.23,10.4,.5,.9\nHayne,14,5.1,1.0,14,4,1,2.09,4.4,.4,.8\n"
    desk.take(text)
    assert desk.measured("mean", "sd", "events") == [
        ("Barr", "treatment", "5.5", "1.2", ""), ("Barr", "control", "4.5", "1.1", ""),
        ("Hayne", "treatment", "5.1", "1.0", ""), ("Hayne", "control", "4", "1", ""),
    ]  # fmt: skip


def test_an_import_that_takes_no_row_is_an_error(desk):
    said = desk.refused("study,treatment,r,n\n,,,\nA,,,\n")
    assert "no row of t.csv could be taken" in said


def test_one_letter_is_not_enough_where_cells_are_not_what_it_says(desk):
    said = desk.refused("author,t,r,n\nBarr,3.23,.5,24\nHayne,2.09,.4,28\n")
    assert "neither an arm-level nor a contrast-level table" in said
    assert "perhaps" not in said


SPECIES = """study,species,strain,sex,year,treatment,n,mean,sd
A 2001,mouse,C57,male,2001,drug,10,5,2
A 2001,mouse,C57,male,2001,control,10,7,2
A 2001,rat,Wistar,female,2002,drug2,10,5,2
A 2001,rat,Wistar,female,2002,control2,10,7,2
B,mouse,C57,male,2003,drug,10,5,2
B,mouse,C57,male,2003,control,10,7,2
"""


def test_what_differs_within_a_study_is_said_and_kept_and_the_remedy_works(desk):
    report = desk.take(SPECIES)
    (first, second) = desk.file("studies")
    assert (first["species"], first["year"], second["species"]) == ("", "", "mouse")
    assert [row.get("species", "") for row in desk.file("arms")] == ["mouse", "mouse", "rat", "rat", "", ""]
    assert "'species' differs within study 'A 2001'" in str(report)
    option = re.search(r"--map (study\+species=study)", str(report))
    assert option
    again = Desk(desk.place)
    again.folder = desk.place / "again"
    assert again.command(SPECIES, "--map", option[1]).exit_code == 0
    assert [(row["study"], row["species"]) for row in again.file("studies")] == [
        ("A 2001 mouse", "mouse"), ("A 2001 rat", "rat"), ("B mouse", "mouse"),
    ]  # fmt: skip


OUTCOMES = """study,outcome,treatment,n,mean,sd,events,certainty,country
A,pain,drug,20,5,2,,low,DE
A,pain,placebo,20,7,2,,low,DE
A,qol,drug,20,50,20,,high,DE
A,qol,placebo,20,70,20,,high,DE
A,death,drug,20,,,1,high,DE
A,death,placebo,20,,,2,high,DE
"""


def test_what_describes_an_outcome_does_not_describe_the_study(desk):
    desk.take(OUTCOMES, outcome="pain")
    desk.take(OUTCOMES, outcome="qol")
    assert desk.file("studies") == [{"study": "A", "label": "A", "country": "DE"}]
    assert [(r["outcome"], r["certainty"]) for r in desk.file("measurements")] == [
        ("pain", "low"), ("pain", "low"), ("qol", "high"), ("qol", "high"),
    ]  # fmt: skip


def test_all_outcomes_of_a_long_table_in_one_call(desk):
    assert desk.command(OUTCOMES, outcome=None).exit_code == 0
    assert {r["outcome"]: r["kind"] for r in desk.file("outcomes")} == {
        "pain": "continuous", "qol": "continuous", "death": "binary",
    }  # fmt: skip
    assert len(desk.file("measurements")) == 6
    assert len(desk.file("arms")) == 2
    with pytest.raises(CallError, match="--unit is of one outcome"):
        import_arms(desk.place / "t.csv", desk.place / "other", unit="mm")
    with pytest.raises(CallError, match="--outcome NAME"):
        desk.take("study,treatment,r,n\nA,x,1,9\nA,y,2,9\n", outcome=None)


def test_a_second_import_in_another_unit_keeps_its_unit(desk):
    text = "study,treatment,n,mean,sd\n{0},x,9,1,1\n{0},y,9,2,1\n"
    desk.take(text.format("A"), unit="g")
    desk.take(text.format("B"), unit="mg")
    assert [row.get("unit", "") for row in desk.file("measurements")] == ["", "", "mg", "mg"]
    assert desk.file("outcomes")[0]["unit"] == "g"
    desk.take(text.format("C"), lower_is_better=True)
    with pytest.raises(CallError, match="lower_is_better of 'y' is true in the folder"):
        desk.take(text.format("D"), lower_is_better=False)


GROUPS = [
    "n_e,mean_e,sdv_e,n_c,mean_c,sdv_c",
    "IG_n,IG_Mean_post,IG_SD_post,CG_n,CG_Mean_post,CG_SD_post",
    "n_treatment,treat_mean,treat_sd,n_control,ctrl_mean,ctrl_sd",
    "n_exp,mean_exp,sd_exp,n_ctrl,mean_ctrl,sd_ctrl",
    "Intervention N,Intervention Mean,Intervention SD,Control N,Control Mean,Control SD",
    "Ne,Me,Se,Nc,Mc,Sc",
    "nT,mT,sdT,nC,mC,sdC",
    "N1,M1,SD1,N2,M2,SD2",
    "n.psyc,mean.psyc,sd.psyc,n.cont,mean.cont,sd.cont",
    "Sample size (experimental),Mean (experimental),SD (experimental),Sample size (control),Mean (control),SD (control)",
    "experimental_n,experimental_mean,experimental_std_dev,control_n,control_mean,control_std_dev",
    "n1i,m1i,sd1i,n2i,m2i,sd2i",
]


@pytest.mark.parametrize("names", GROUPS)
@pytest.mark.parametrize("reverse", [False, True])
def test_two_groups_named_as_people_name_them(desk, names, reverse):
    header = f"study,{names}"
    text = f"{header}\nA,11,5,2,12,7,3\nB,13,6,2,14,8,3\n"
    order = list(range(7))
    desk.take(permuted(text, order[::-1] if reverse else order))
    found = desk.measured("n", "mean", "sd")
    assert [row[2:] for row in found] == [
        ("11", "5", "2"), ("12", "7", "3"), ("13", "6", "2"), ("14", "8", "3"),
    ]  # fmt: skip
    assert found[1][1] == "control"


@pytest.mark.parametrize(
    ("header", "second"),
    [
        ("x.nrt,n.nrt,x.ctrl,n.ctrl", "control"), ("ev.exp,n.exp,ev.cont,n.cont", "control"),
        ("event.cisa,n.cisa,event.plac,n.plac", "placebo"), ("xt,nt,xc,nc", "control"),
        ("xTi,nTi,xCi,nCi", "control"), ("Events intervention,Total intervention,Events control,Total control", "control"),
    ],
)  # fmt: skip
def test_events_of_two_groups_named_as_people_name_them(desk, header, second):
    desk.take(f"study,{header}\nA,3,10,5,11\nB,2,9,4,8\n")
    found = desk.measured("events", "n")
    assert [row[2:] for row in found] == [("3", "10"), ("5", "11"), ("2", "9"), ("4", "8")]
    assert found[1][1] == second


@pytest.mark.parametrize(
    ("header", "kind"),
    [("id,study,year,trt,xi,ni", "binary"), ("study,ni,treatment,comment,mi,sdi", "continuous")],
)
def test_metafors_names_of_arms(desk, header, kind):
    n = len(header.split(","))
    lines = {
        "binary": ["1,A,1999,x,3,10", "2,A,1999,y,4,11"],
        "continuous": ["A,10,x,c,1.5,2", "A,11,y,c,2.5,2"],
    }
    desk.take("\n".join([header, *lines[kind]]) + "\n")
    assert n
    assert desk.file("outcomes")[0]["kind"] == kind
    assert [row[:2] for row in desk.measured()] == [("A", "x"), ("A", "y")]


def test_several_readings_of_each_group_are_asked_about_and_the_advice_works(desk):
    text = "study,IG_n,IG_Mean_week4,IG_SD_week4,IG_Mean_week8,IG_SD_week8,CG_n,CG_Mean_week4,CG_SD_week4,CG_Mean_week8,CG_SD_week8\n"
    text += "A,9,1,2,3,4,8,5,6,7,8\n"
    assert "given several times" in desk.refused(text)
    desk.follow(text)
    assert desk.measured("n", "mean", "sd") == [
        ("A", "treatment", "9", "1", "2"), ("A", "control", "8", "5", "6"),
    ]  # fmt: skip


def test_a_baseline_is_not_the_outcome(desk):
    desk.take("study,n_e,mean_pre_e,mean_e,sd_e,n_c,mean_pre_c,mean_c,sd_c\nA,9,1,2,3,8,4,5,6\n")
    assert [row[2] for row in desk.measured("mean")] == ["2", "5"]


def test_means_and_events_of_the_same_rows_are_two_outcomes(desk):
    text = "author,year,n1i,m1i,sd1i,n2i,m2i,sd2i,ai,bi,ci,di\nCote,2001,50,.98,.7,40,1,1.1,2,48,3,37\n"
    assert "two outcomes, of means and of events" in desk.refused(text)
    _, given = desk.follow(text)
    assert given[:2] == ["--map", "ai="]
    assert desk.file("outcomes")[0]["kind"] == "continuous"


def test_a_control_group_beside_numbers_of_nobody_is_asked_about(desk):
    text = "study,treatment,n,mean,sd,n_control,mean_control,sd_control\nA,x,9,1,1,8,2,1\nB,x,9,1,1,8,2,1\n"
    assert "are of one group" in desk.refused(text)
    desk.follow(text)
    assert [row[2] for row in desk.measured("mean")] == ["1", "2", "1", "2"]


@pytest.mark.parametrize(
    ("column", "cells", "events"),
    [
        ("percent", ("25", "50%"), ("2", "4")), ("proportion", ("0.25", "50%"), ("2", "4")),
        ("proportion", ("0.33", "0.57"), (None, None)),
    ],
)  # fmt: skip
def test_shares_of_n_become_events_or_are_refused_by_line(desk, column, cells, events):
    text = f"study,treatment,n,ae\nA,x,8,{cells[0]}\nA,y,8,{cells[1]}\n"
    if events[0] is None:
        said = desk.refused(text, mapping={"ae": column})
        assert "t.csv:2 (column 'ae'): 0.33 of 8 is 2.64 events, no whole number" in said
        assert "t.csv:3" in said
        return
    desk.take(text, mapping={"ae": column})
    assert tuple(row[2] for row in desk.measured("events")) == events


def test_a_rounded_share_is_counted_and_a_coarse_one_is_said(desk):
    report = desk.take("study,treatment,n,p\nA,x,7,0.57\nA,y,2000,0.36\n", mapping={"p": "proportion"})
    assert [row[2] for row in desk.measured("events")] == ["4", "720"]
    assert "line 3: the share is printed too coarsely" in str(report)


def test_nearly_whole_counts_are_rounded_and_others_are_shown_with_all_digits(desk):
    report = desk.take("study,treatment,n,events\nA,x,28,10.000004\nA,y,28.0000001,3\n")
    assert [row[2:] for row in desk.measured("events", "n")] == [("10", "28"), ("3", "28")]
    assert "1 number of 'events' within 0.001 of a whole number were rounded" in str(report)
    with pytest.raises(EvidenceError, match=re.escape("events is 10.01, not a whole number")):
        import_arms(
            write(desk.place / "u.csv", "study,treatment,n,events\nA,x,28,10.01\nA,y,28,3\n"),
            desk.place / "u",
            outcome="y",
        )


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_variances_are_asked_about_and_become_standard_deviations(desk):
    text = "study,n.amlo,mean.amlo,var.amlo,n.plac,mean.plac,var.plac\nA,46,.23,.2254,48,-.0027,.0007\n"
    assert "may hold variances" in desk.refused(text)
    desk.follow(text)
    assert [round(float(row[2]), 6) for row in desk.measured("sd")] == [0.474763, 0.026458]


TOTAL = "Study,ai,n1i,ci,n2i\nA,3,20,7,20\nB,5,30,10,30\n{},8,50,17,50\n"


@pytest.mark.parametrize("name", ["Total", "Total (95% CI)", "Overall", "Subtotal"])
def test_a_row_of_totals_is_no_study(desk, name):
    report = desk.take(TOTAL.format(name))
    assert {row[0] for row in desk.measured()} == {"A", "B"}
    assert f"{name!r} is a row of totals" in str(report)


def test_a_sum_under_another_name_and_a_study_called_total_are_asked_about(desk):
    text = "Study,ai,n1i,ci,n2i\nA,3,20,7,20\nB,5,30,10,30\nC,1,10,2,10\nEnsemble,9,60,19,60\n"
    assert "'Ensemble' holds the sums of the rows above it" in desk.refused(text)
    desk.follow(text)
    assert {row[0] for row in desk.measured()} == {"A", "B", "C"}
    named = TOTAL.format("TOTAL").replace("8,50", "9,51")
    other = Desk(desk.place)
    other.folder = desk.place / "other"
    with pytest.raises(ReviewError, match="is called like a row of totals"):
        import_arms(write(desk.place / "n.csv", named), other.folder, outcome="y")


def workbook(path: Path, *sheets: tuple[str, list[list[object]]], hidden: tuple[int, ...] = ()) -> Path:
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, lines in sheets:
        page = book.create_sheet(name)
        for line in lines:
            page.append(line)
        for row in hidden:
            page.row_dimensions[row].hidden = True
    book.save(path)
    return path


TWO_LINES = [
    ["Study", "Drug", None, None, "Placebo", None, None],
    [None, "N", "Mean", "SD", "N", "Mean", "SD"],
    ["A", 11, 5, 2, 12, 7, 3],
    ["B", 13, 6, 2, 14, 8, 3],
]


@pytest.mark.parametrize("header", [None, 1, 2])
def test_a_heading_of_two_lines_is_read_as_one(desk, header):
    file = workbook(desk.place / "t.xlsx", ("Data", TWO_LINES), ("Notes", [["x"]]), hidden=(4,))
    report = import_arms(file, desk.folder, outcome="y", header=header)
    assert desk.measured("n", "mean", "sd")[:2] == [
        ("A", "Drug", "11", "5", "2"), ("A", "placebo", "12", "7", "3"),
    ]  # fmt: skip
    said = str(report)
    assert "lines 1 and 2 name the columns together" in said
    assert "sheet 'Data'; not read: 'Notes' (--sheet)" in said
    assert "1 row of the sheet hidden in the workbook (4) were read like the others" in said


def test_a_title_above_a_heading_of_two_lines(desk):
    file = workbook(desk.place / "t.xlsx", ("Data", [["Table 2"], [], *TWO_LINES]))
    result, given = desk.follow("", name="t.xlsx")
    assert given == ["--header", "3"], result.output
    assert len(desk.measured()) == 4
    assert file.exists()


def test_what_r_writes_is_read(desk):
    text = '"study" "treatment" "responders" "sampleSize"\n"1" "A b" "x" 3 10\n"2" "A b" "y" 4 11\n'
    desk.take(text, name="data.txt")
    assert desk.measured("events", "n") == [("A b", "x", "3", "10"), ("A b", "y", "4", "11")]
    text = "study treatment diff std.err\n1 1 A NA 0.5\n2 1 C -0.31 0.67\n"
    file = write(desk.place / "effects.txt", text)
    import_arms(file, desk.place / "effects", outcome="y", measure="MD")
    assert rows(desk.place / "effects" / "contrasts.csv")[0]["var_base"] == "0.25"


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "utf-16"])
def test_other_encodings_are_read_when_they_are_named(desk, encoding):
    file = desk.place / "t.csv"
    file.write_bytes("study,treatment,r,n\nMüller,x,3,10\nMüller,y,4,11\n".encode(encoding))
    _, given = desk.follow("")
    assert given[0] == "--encoding"
    assert desk.measured("events") == [("Müller", "x", "3"), ("Müller", "y", "4")]
    assert desk.command("", "--encoding", "nonsense").exit_code == 2


def test_rows_are_chosen_by_a_condition(desk):
    text = "study,treatment,r,n,excluded,dose\nA,x,3,10,no,5\nA,y,4,11,no,\nB,x,1,9,yes,5\nB,y,1,9,yes,\n"
    report = desk.take(text, rows="excluded = 'no' and coalesce(dose, 0) < 6")
    assert {row[0] for row in desk.measured()} == {"A"}
    assert "2 of 4 rows do not meet" in str(report)
    for bad, said in (
        ("study", "BOOL"),
        ("exclude = 'no'", "excluded"),
        ("dose > 99", "No row"),
        ("1; drop table rows", "no condition"),
        ("n in (select * from read_csv('/etc/passwd'))", ""),
    ):
        result = desk.command(text, "--rows", bad)
        assert result.exit_code in (1, 2), bad
        assert said in result.output, result.output


def test_variables_of_effects_are_kept(desk):
    text = "study,treat1,treat2,TE,seTE,measured\nA,x,y,1,.5,self\nA,x,y,2,.5,rater\nB,x,y,1,.4,self\n"
    report = desk.take(text, measure="MD")
    assert [(row["study"], row["measured"]) for row in desk.file("contrasts")] == [
        ("A", "self"), ("A", "rater"), ("B", "self"),
    ]  # fmt: skip
    assert "has an experiment for each of them" in str(report)


def test_names_beat_codes(desk):
    desk.take("Study,T,Treatment,R,N\nA,1,drug,3,10\nA,2,placebo,4,11\n")
    assert [row[1] for row in desk.measured()] == ["drug", "placebo"]


@pytest.mark.parametrize(
    ("text", "given"),
    [
        ("study,treatment,death,n\nA,x,3,10\nA,y,4,11\n", ["--map", "death=events"]),
        ("id,treatment,death,randomized\n1,x,3,10\n1,y,4,11\n2,x,1,9\n2,y,1,8\n", ["--map", "death=events"]),
        (
            "study,d.asp,n.asp,d.plac,n.plac\nA,3,10,5,11\nB,2,9,4,8\n",
            ["--map", "d.asp=events1", "--map", "n.asp=n1", "--map", "d.plac=events2", "--map", "n.plac=n2"],
        ),
        (
            "Study,Brain_n,Brain_m,Brain_s,No_brain_n,No_brain_m,No_brain_s\nA,9,1,1,8,2,1\nB,9,1,1,8,2,1\n",
            ["--treatment", "brain", "--control", "no brain"],
        ),
        ("paper no,group,ALT mean,ALT sd,animals\nA,x,3,1,10\nA,y,4,1,11\n", None),
    ],
)  # fmt: skip
def test_suggestions_were_tried_and_work(desk, text, given):
    _, followed = desk.follow(text)
    assert given is None or followed == given
    assert desk.file("measurements")


@pytest.mark.parametrize("text", [
    "trial,pop,nt,nc,ep1t,ep1c,ep2t,ep2c\nA,x,9,9,1,1,2,2\nB,y,9,9,1,1,2,2\n",
    "study,bc.ins.ins,bc.ins.del,ct.ins.ins,ct.ins.del\nA,1,2,3,4\nB,1,2,3,4\n",
    "study,sample,control,ni,ri\n1,1,3,129,.68\n2,1,4,98,.1\n",
])  # fmt: skip
def test_no_suggestion_is_better_than_a_wrong_one(desk, text):
    said = desk.refused(text)
    assert "perhaps" not in said
    assert "targets of the row" in said


def test_a_time_with_its_unit_in_the_name_is_a_time_point(desk):
    text = "study,treatment,Time (h),n,mean,sd\nA,x,24,9,1,1\nA,x,48,9,2,1\nA,y,24,9,3,1\nA,y,48,9,4,1\n"
    desk.take(text)
    assert [(r["timepoint"], r["timepoint_unit"]) for r in desk.file("measurements")] == [
        ("24", "h"), ("48", "h"), ("24", "h"), ("48", "h"),
    ]  # fmt: skip
    assert len(desk.file("arms")) == 2


def test_columns_given_twice_are_harmless_where_nobody_needs_them(desk):
    text = "study,treatment,r,n,Method of action:,Method of action: \nA,x,3,10,a,b\nA,y,4,11,a,b\n"
    desk.take(text)
    assert len(desk.measured()) == 2
    with pytest.raises(ReviewError, match="column 'r' is given twice"):
        import_arms(
            write(desk.place / "d.csv", "study,treatment,r,n,r\nA,x,3,10,4\nA,y,4,11,3\n"),
            desk.place / "d",
            outcome="y",
        )
    report = import_arms(
        write(desk.place / "e.csv", "study,treatment,r,n,r\nA,x,3,10,3\nA,y,4,11,4\n"),
        desk.place / "e",
        outcome="y",
    )
    assert "column 'r' stands twice, with the same cells: read once" in str(report)


def test_what_was_there_is_kept_and_said(desk):
    desk.take("study,treatment,r,n,year\nA,x,3,10,2001\nA,y,4,11,2001\n")
    report = desk.take("study,treatment,mean,sd,n,year\nA,x,3,1,10,2002\nA,y,4,1,11,2002\n", outcome="z")
    assert desk.file("studies")[0]["year"] == "2001"
    assert "studies.csv: year of A is '2001', and not '2002' (line 2)" in str(report)


def test_a_centred_year_is_no_year(desk):
    desk.take("study,yi,vi,year\n1,.5,.1,4.5\n2,.4,.1,-7.5\n", measure="SMD")
    assert "year" not in desk.file("studies")[0]


def test_a_difference_by_its_own_name_is_the_estimate(desk):
    desk.take("author,smd,se\nA,.5,.1\nB,.4,.1\n", measure="SMD")
    assert [row["estimate"] for row in desk.file("contrasts")] == [".5", ".4"]
