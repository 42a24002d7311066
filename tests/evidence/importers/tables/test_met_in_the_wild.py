"""Kinds of tables met in public repositories: each is read right, or asked about with advice that is right when followed."""

from __future__ import annotations

import contextlib
import csv
import itertools
import random
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from evidence.cli import cli
from evidence.errors import EvidenceError
from evidence.facts.reference import reference
from evidence.importers.arms import import_arms
from evidence.importers.table import Table
from evidence.importers.tables.header import STATISTICS, group_words, readings


def rows(folder: Path, name: str) -> list[dict[str, str]]:
    with (folder / f"{name}.csv").open(encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle))


def take(place: Path, text: str, *options: str):
    """Import a table by the command line; gives exit code, what is printed, and the folder."""
    file, folder = place / "t.csv", place / "review"
    file.write_text(text, encoding="utf-8")
    result = CliRunner().invoke(
        cli,
        ["import", "arms", str(file), "--into", str(folder), "--outcome", "y", "--lower-is-better", *options],
    )
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.output, folder


def advice(said: str) -> list[str]:
    """Options behind "perhaps", the first way alone."""
    return (
        shlex.split(said.split("perhaps ", 1)[1].split("; ")[0].split(", or ")[0])
        if "perhaps" in said
        else []
    )


HAZARDS = "study_id,mean_age,intervention_dose,log_hr,se_log_hr\nA,61,10,-0.2,0.1\nB,58,20,-0.3,0.15\n"


@pytest.mark.parametrize(("text", "given", "estimate"), [
    (HAZARDS, ["--measure", "HR"], "-0.2"),
    ("Study,OR,CI_Lower,CI_Upper\nA,0.5,0.25,1\nB,0.8,0.6,1.0667\n", ["--measure", "OR"], "0.5"),
    ("Study,RR,Lower_CI,Upper_CI,Treatment_Type\nA,.5,.25,1,x\nB,.8,.6,1.0667,y\n", ["--measure", "RR"], ".5"),
    ("id,lnOR,selnOR,treat1,treat2\nA,.5,.2,x,y\nB,.4,.3,x,z\n", ["--measure", "OR"], None),
    ("author,smd,se,meetings\nA,.5,.1,3\nB,.4,.1,4\n", ["--measure", "SMD"], ".5"),
])  # fmt: skip
def test_a_table_of_effects_is_asked_for_the_measure_that_its_columns_name(tmp_path, text, given, estimate):
    code, said, _ = take(tmp_path, text)
    assert code == 1
    assert advice(said) == given
    code, said, folder = take(tmp_path, text, *given)
    assert code == 0, said
    if estimate is not None:
        assert rows(folder, "contrasts")[0]["estimate"] == estimate


@pytest.mark.parametrize("text", [
    # Advice was: the mean age as the outcome, the dose as the treatment, the SE of an effect as that of an arm.
    "study_id,mean_age,intervention_dose,score\nA,61,10,3\nB,58,20,4\n",
    "study_id,mean_age,intervention_dose,se_effect,n\nA,61,10,3,9\nB,58,20,4,8\n",
    # Two outcomes of two groups: advice was that the outcomes are the groups.
    "Study,Pain Drug mean,Pain Drug sd,Pain Other mean,Pain Other sd,QoL Drug mean,QoL Drug sd,QoL Other mean,QoL Other sd\n"
    "A,1,1,2,1,3,1,4,1\nB,1,1,2,1,3,1,4,1\n",
])  # fmt: skip
def test_advice_that_would_make_a_wrong_folder_is_not_given(tmp_path, text):
    code, said, _ = take(tmp_path, text)
    assert code == 1
    assert not any(bad in said for bad in ("mean_age=", "dose=", "se_effect=", "--treatment"))


def test_an_age_is_a_characteristic_and_never_the_outcome(tmp_path):
    text = (
        "study,n_treat,n_control,age_mean_treat,age_mean_control,bmi_mean\nA,9,9,50,51,25\nB,8,8,40,41,26\n"
    )
    assert take(tmp_path, text)[0] == 1
    text = (
        "study,treat_n,control_n,age_mean_treat,age_sd_treat,age_mean_control,age_sd_control,"
        "mean_treat,sd_treat,mean_control,sd_control\nA,9,8,50,9,51,9,1.5,1,2.5,1\n"
    )
    code, said, folder = take(tmp_path, text)
    assert code == 0, said
    assert [(r["mean"], r["sd"]) for r in rows(folder, "measurements")] == [("1.5", "1"), ("2.5", "1")]


def test_groups_a_and_b_are_numbered_and_their_treatments_named(tmp_path):
    text = (
        "study,treatmentA,eventsA,nA,treatmentB,eventsB,nB\nA,drug,1,10,plac,2,11\nB,plac,3,12,other,4,13\n"
    )
    code, said, folder = take(tmp_path, text)
    assert code == 0, said
    assert [(r["study"], r["treatment"], r["n"]) for r in rows(folder, "arms")] == [
        ("A", "drug", "10"), ("A", "plac", "11"), ("B", "plac", "12"), ("B", "other", "13"),
    ]  # fmt: skip
    assert [r["events"] for r in rows(folder, "measurements")] == ["1", "2", "3", "4"]


def test_a_plural_is_no_statistic_of_a_group():
    for word, (side, _) in group_words().items():
        assert readings(word) == () or side not in {r.group for r in readings(word)} or len(word) == 1, word
        if word + "s" not in group_words() and len(word) > 2:
            assert not any(r.group == side for r in readings(word + "s")), word


@pytest.mark.parametrize(("header", "telling"), [
    ("study,treatment,time,mean,sd,n", "time"),
    ("study,treatment,weeks,mean,sd,n", "weeks"),
    ("study,treatment,follow_up_months,mean,sd,n", "follow_up_months"),
    ("study,treatment,Visit,events,total", "Visit"),
])  # fmt: skip
def test_the_same_people_at_several_times_are_no_further_arms(tmp_path, header, telling):
    tail = ["1.5", "2", "10"] if "mean" in header else ["3", "10"]
    text = header + "\n" + "".join(
        ",".join(["A", arm, time, *tail]) + "\n" for arm in ("x", "y") for time in ("2", "4", "8")
    )  # fmt: skip
    code, said, folder = take(tmp_path, text)
    assert code == 1
    assert f"--map {telling}=timepoint" in said
    assert f"--map {telling}=experiment" in said
    assert not folder.exists()
    code, said, folder = take(tmp_path, text, "--map", f"{telling}=timepoint")
    assert code == 0, said
    assert [r["arm"] for r in rows(folder, "arms")] == ["x", "y"]
    measured = rows(folder, "measurements")
    assert [(r["arm"], r["timepoint"]) for r in measured] == list(itertools.product("xy", "248"))
    unit = {"weeks": "wk", "follow_up_months": "mo"}.get(telling, "")
    assert {r.get("timepoint_unit", "") for r in measured} == {unit}


def test_a_wide_table_with_several_times_of_a_study_is_asked_about(tmp_path):
    text = "study,week,n_exp,mean_exp,sd_exp,n_ctrl,mean_ctrl,sd_ctrl\nA,4,9,1,1,9,2,1\nA,8,9,1.5,1,9,2,1\n"
    code, said, _ = take(tmp_path, text)
    assert code == 1
    assert "--map week=timepoint" in said
    code, said, folder = take(tmp_path, text, "--map", "week=experiment")
    assert code == 0, said
    assert len(rows(folder, "arms")) == 4


def test_what_no_column_of_times_tells_apart_is_taken_as_before(tmp_path):
    text = "study,treatment,age_months,mean,sd,n\nA,x,2,1,1,9\nA,x,4,1,1,9\nA,y,2,1,1,9\nA,y,4,1,1,9\n"
    code, said, folder = take(tmp_path, text)
    assert code == 0, said
    assert [r["arm"] for r in rows(folder, "arms")] == ["x", "x (2)", "y", "y (2)"]


def test_events_called_e_are_offered_as_events(tmp_path):
    text = "Author,Ee,Ne,Ec,Nc\nA,2,10,3,11\nB,4,20,5,21\n"
    _, said, _ = take(tmp_path, text)
    code, said, folder = take(tmp_path, text, *advice(said))
    assert code == 0, said
    assert [(r["events"], r["n"]) for r in rows(folder, "measurements")] == [
        ("2", "10"), ("3", "11"), ("4", "20"), ("5", "21"),
    ]  # fmt: skip


def test_the_column_of_the_study_is_guessed_by_its_name_in_advice(tmp_path):
    tail = "n_exp,mean_exp,sd_exp,n_ctrl,mean_ctrl,sd_ctrl"
    text = f"es_ID,species_ID,paper_ID,{tail}\n1,7,p1,9,1,1,9,2,1\n2,8,p2,9,1,1,9,2,1\n"
    _, said, _ = take(tmp_path, text)
    assert "say --map paper_ID=study, or --number-studies" in said
    assert take(tmp_path, text, "--map", "paper_ID=study")[0] == 0


def test_one_column_mapped_to_two_meanings_is_refused(tmp_path):
    code, said, _ = take(tmp_path, "study,treatment,n,mean,x\nA,a,9,1,2\n", "--map", "x=sd", "--map", "x=se")
    assert code == 2
    assert "'x' is mapped twice, to 'sd' and to 'se'" in said


def test_no_header_ends_in_anything_but_a_folder_or_a_message(tmp_path):
    """Headers put together at random of the words that columns are called by."""
    rng = random.Random(3)
    vocabulary = [str(row["alias"]) for row in reference("column_alias")] + list(group_words())
    vocabulary += [str(row["name"]) for row in reference("measure_name")] + [
        "time",
        "week",
        "A",
        "B",
        "2",
        "age",
    ]
    cells = ["3", "4.5", "0.2", "x", "drug", "placebo", "2001", "", "12%", "A 2001"]
    for _ in range(150):
        width = rng.randint(2, 9)
        names = ["".join(rng.sample(vocabulary, rng.randint(1, 2))) for _ in range(width)]
        header = tuple(dict.fromkeys([*names, *rng.sample(("study", "treatment", "n", "mean"), 2)]))
        table = Table(
            "t.csv", header, tuple((i, tuple(rng.choice(cells) for _ in header)) for i in range(2, 6))
        )
        with contextlib.suppress(EvidenceError):
            import_arms(table, tmp_path / "none", outcome="y", dry_run=True)


@pytest.mark.parametrize("column", ["n", "events"])
def test_thousands_parted_by_points_are_no_decimals(tmp_path, column):
    text = "study,treatment,n,events\nA,x,1204,104\nA,y,1198,119\n"
    number = "1204" if column == "n" else "104"
    wrong = text.replace(f",{number}", ",1.204", 1)
    code, said, _ = take(tmp_path, wrong)
    assert code == 1
    assert f"'1.204' as {column}: its point may part thousands, or decimals -> write 1204, or 1.2040" in said
    # An effective sample size is none that is meant to be thousands.
    text = "study,treatment,n,mean,sd\nA,x,45.333,1,1\nA,y,27.12,2,1\n"
    code, said, folder = take(tmp_path, text)
    assert code == 0, said
    assert [r["n"] for r in rows(folder, "measurements")] == ["45.333", "27.12"]


@pytest.mark.parametrize(
    "name", ["Gesamt", "Pooled (random)", "Mean", "Random effects model", "Overall (I2 = 30%)", "Summe"]
)
def test_a_row_of_totals_is_none_in_any_words(tmp_path, name):
    text = f"study,ai,n1i,ci,n2i\nA,5,20,8,21\nB,3,33,4,31\n{name},9,50,10,50\n"
    code, said, folder = take(tmp_path, text)
    assert code == 1
    assert "called like a row of totals" in said
    code, said, folder = take(tmp_path, text, "--rows", f"study <> '{name}'")
    assert code == 0, said
    assert {r["study"] for r in rows(folder, "studies")} == {"A", "B"}


@pytest.mark.parametrize(("text", "column"), [
    ("study,treatment,n,mean,sd,unit\nA,x,9,5,2,blinks\nA,y,9,6,2,blinks\n", "unit"),
    ("study,treatment,n,mean,sd,se\nA,x,9,5,2,0.2\nA,y,9,6,2,.67\n", "se"),
    ("study,n_e,mean_e,sd_e,se_e,n_c,mean_c,sd_c,se_c\nA,9,5,2,0.2,9,6,2,.67\n", "se_e"),
])  # fmt: skip
def test_wrong_cells_of_a_column_that_can_go_have_a_way_out_that_works(tmp_path, text, column):
    code, said, folder = take(tmp_path, text)
    assert code == 1
    assert said.count("an import can leave it out") == 1
    way = shlex.split(said.split("an import can leave it out: ")[1].splitlines()[0])
    assert f"{column}=" in way
    code, said, folder = take(tmp_path, text, *way)
    assert code == 0, said
    assert len(rows(folder, "arms")) >= 2


def test_a_column_called_like_one_with_a_fixed_list_is_another_where_it_holds_other_words(tmp_path):
    text = "study,treat1,treat2,smd,se,scale\nA,x,y,0.5,0.2,BDI\nB,x,y,0.4,0.2,HAMD\n"
    code, said, folder = take(tmp_path, text, "--measure", "SMD")
    assert code == 0, said
    assert [r["scale"] for r in rows(folder, "studies")] == ["BDI", "HAMD"]
    text = "study,treat1,treat2,OR,ci_lower,ci_upper,scale\nA,x,y,-0.7,-1.4,0,log\n"
    (tmp_path / "other").mkdir()
    code, said, folder = take(tmp_path / "other", text, "--measure", "OR")
    assert code == 0, said
    assert rows(folder, "contrasts")[0]["scale"] == "log"


def test_years_with_letters_are_years_and_what_is_in_press_has_none(tmp_path):
    text = "study,year,ai,n1i,ci,n2i\nA,2000a,5,20,8,21\nB,(2001),3,33,4,31\nC,in press,3,33,4,31\nD,n.d.,3,33,4,31\n"
    code, said, folder = take(tmp_path, text)
    assert code == 0, said
    assert [r["year"] for r in rows(folder, "studies")] == ["2000", "2001", "", ""]
    assert "left empty: 'in press', 'n.d.'" in said


def test_citations_are_no_treatments(tmp_path):
    text = (
        "study_ID,Reference,control,exp_mean,exp_se,exp_n,con_mean,con_se,con_n\n"
        "s1,Reyes et al. (2012a),20%,13.9,1.28,8,11.97,1.28,8\ns2,Mayer 2009,,1,.5,8,2,.5,8\n"
    )
    code, said, _ = take(tmp_path, text)
    assert code == 1
    assert "arm 2 has mean, se, n and no treatment" in said
    code, said, folder = take(
        tmp_path, text, *shlex.split(said.split("without these names: ")[1].splitlines()[0])
    )
    assert code == 0, said
    assert {r["treatment"] for r in rows(folder, "treatments")} == {"treatment", "control"}
    assert [r["Reference"] for r in rows(folder, "studies")] == ["Reyes et al. (2012a)", "Mayer 2009"]


def test_a_code_with_a_letter_is_no_statistic(tmp_path):
    assert not any(reading.options & STATISTICS for reading in readings("R2D_TX"))
    assert {r.group for r in readings("post_m_exp")} == {"1"}
    code, _, _ = take(tmp_path, "study,R2D_TX,R2D_COMP,N_TX,N_COMP\nA,1,0,40,41\nB,0,1,30,31\n")
    assert code == 1
