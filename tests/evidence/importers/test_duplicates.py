"""Records found twice: the pair that is shown matched, what a person said is remembered, few are asked about."""

from __future__ import annotations

import csv
import random
import string
from collections import defaultdict
from pathlib import Path

import pytest

from evidence.errors import ReviewError
from evidence.importers.duplicates import confirm, propose, write_proposals

Record = dict[str, str]


def record(name: str, title: str, year: str = "2020", **cells: str) -> Record:
    return {"record": name, "title": title, "year": year, **cells}


def rows(path: Path) -> list[Record]:
    with path.open(encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle))


def folder_of(tmp_path: Path, records: list[Record]) -> Path:
    folder = tmp_path / "review"
    folder.mkdir()
    (folder / "review.toml").write_text('title = "t"\n', encoding="utf-8")
    columns = list(dict.fromkeys(column for row in records for column in row))
    with (folder / "records.csv").open("w", encoding="utf-8", newline="") as handle:
        writer = csv.DictWriter(handle, columns)
        writer.writeheader()
        writer.writerows(records)
    return folder


def answer(folder: Path, tmp_path: Path, answers: dict[tuple[str, str], str]) -> list[Record]:
    """Propose, answer what is asked, confirm; give the proposals as they stood in the file."""
    file = tmp_path / "d.csv"
    write_proposals(folder, file)
    proposals = rows(file)
    for row in proposals:
        row["confirmed"] = answers.get((row["record"], row["duplicate_of"]), "")
    with file.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.DictWriter(handle, list(proposals[0]))
        writer.writeheader()
        writer.writerows(proposals)
    confirm(file, folder)
    return proposals


ALPHA = "Effects of stem cells on acute liver failure in mice"
BETA = "Gene expression in the kidneys of diabetic rats after exercise"


def test_the_pair_that_is_shown_is_the_pair_that_matched(tmp_path):
    folder = folder_of(
        tmp_path,
        [
            record("A1", ALPHA, doi="10.1000/x", authors="Li, A."),
            record("B1", BETA, doi="10.1000/x", authors="Li, A."),
            record("B2", BETA, authors="Li, A."),
        ],
    )
    shown = answer(folder, tmp_path, {("B2", "B1"): "yes", ("B1", "A1"): "no"})
    assert [(row["record"], row["duplicate_of"], row["certainty"]) for row in shown] == [
        ("B1", "A1", "ask"),
        ("B2", "B1", "sure"),
    ]
    assert "titles differ" in shown[0]["evidence"]
    assert shown[1]["title"] == shown[1]["title_of_kept"] == BETA
    marked = {row["record"]: row["duplicate_of"] for row in rows(folder / "records.csv")}
    assert marked == {"A1": "", "B1": "", "B2": "B1"}
    # "No" is remembered, and so is what follows from it: nothing is asked a second time.
    assert write_proposals(folder, tmp_path / "again.csv") == []


def test_abstracts_of_one_supplement_and_chapters_of_one_book_are_not_taken_for_one():
    titles = [
        "Stem cells in mice with acute liver failure", "Exercise and diabetic kidneys of rats",
        "A survey of nurses on pain after surgery", "Antibiotics for sore throats of children",
    ]  # fmt: skip
    supplement = [
        record(
            f"a{i}", title, doi="10.1016/supplement", authors=f"Author{chr(97 + i)}, X.", journal="J Hepatol"
        )
        for i, title in enumerate(titles)
    ]
    assert propose(supplement) == []
    # Found twice, each is found, and with its own copy.
    copies = [row | {"record": f"b{row['record']}"} for row in supplement]
    assert {(p.record, p.duplicate_of) for p in propose(supplement + copies)} == {
        (f"ba{i}", f"a{i}") for i in range(4)
    }


def test_a_group_falls_apart_where_a_person_says_no(tmp_path):
    names = ["a", "b", "c"]
    folder = folder_of(
        tmp_path, [record(name, ALPHA, authors="Li, A.", volume="3", pages="7") for name in names]
    )
    shown = answer(folder, tmp_path, {("b", "a"): "yes", ("c", "a"): "yes", ("c", "b"): "yes"})
    assert len(shown) == 2
    assert [row["duplicate_of"] for row in rows(folder / "records.csv")] == ["", "a", "a"]
    later = tmp_path / "later.csv"
    later.write_text("confirmed,record,duplicate_of\nno,c,a\n", encoding="utf-8")
    if ("c", "a") not in {(row["record"], row["duplicate_of"]) for row in shown}:
        # What joins them must be answered, too: the error says so, and its remedy works.
        with pytest.raises(ReviewError, match="answer no to one of the pairs that join them as well"):
            confirm(later, folder)
        later.write_text("confirmed,record,duplicate_of\nno,c,a\nno,c,b\n", encoding="utf-8")
    report = confirm(later, folder)
    assert "1 record no longer marked" in str(report)
    assert [row["duplicate_of"] for row in rows(folder / "records.csv")] == ["", "a", ""]
    assert write_proposals(folder, tmp_path / "again.csv") == []


def test_answers_that_contradict_each_other_are_refused_and_nothing_is_written(tmp_path):
    folder = folder_of(tmp_path, [record(name, ALPHA) for name in "abc"])
    before = (folder / "records.csv").read_bytes()
    file = tmp_path / "d.csv"
    file.write_text("confirmed,record,duplicate_of\nyes,b,a\nyes,c,b\nno,c,a\n", encoding="utf-8")
    with pytest.raises(ReviewError, match=r"'c' and 'a' are said to differ"):
        confirm(file, folder)
    assert (folder / "records.csv").read_bytes() == before


@pytest.mark.parametrize(
    ("one", "other", "certainty"),
    [
        ({"pages": "221-8"}, {"pages": "221-228"}, "sure"),
        ({"title": "Effects of TNF-α on the livers of mice"}, {"title": "Effects of TNF-alpha on the livers of mice"}, "sure"),
        ({"title": f"[{ALPHA}]"}, {}, "sure"),
        ({"journal": "J Hepatol"}, {"journal": "Journal of hepatology"}, "sure"),
        ({"title": f"{ALPHA}: a randomised trial"}, {}, "sure"),
        ({"title": f"{ALPHA}, part I"}, {"title": f"{ALPHA}, part II"}, None),
        ({"title": f"{ALPHA}, part 2"}, {"title": f"{ALPHA}, part II"}, "sure"),
        ({"title": f"Erratum: {ALPHA}"}, {}, None),
        ({"title": "Editorial", "volume": "1", "pages": "1"}, {"title": "Editorial", "volume": "2", "pages": "9"}, None),
        ({"doi": "10.1101/preprint"}, {"doi": "10.1016/article"}, "ask"),
        ({"journal": "Chest", "volume": "9", "pages": "1"}, {"journal": "Thorax", "volume": "3", "pages": "7"}, "ask"),
        ({"authors": "Wu, B.", "pages": ""}, {"authors": "Li, A."}, "ask"),
    ],
)  # fmt: skip
def test_what_speaks_for_and_against_a_pair(one, other, certainty):
    common = {"authors": "Li, A.; Wu, C.", "journal": "J Hepatol", "volume": "3", "pages": "221-8"}
    pair = [record("a", ALPHA, **(common | {k: v for k, v in one.items() if k != "title"})),
            record("b", ALPHA, **(common | {k: v for k, v in other.items() if k != "title"}))]  # fmt: skip
    pair[0]["title"], pair[1]["title"] = one.get("title", ALPHA), other.get("title", ALPHA)
    assert [proposal.certainty for proposal in propose(pair)] == ([certainty] if certainty else [])


WORDS = [
    "acute",
    "adult",
    "aerobic",
    "anxiety",
    "arm",
    "asthma",
    "blood",
    "bone",
    "brain",
    "cancer",
    "cardiac",
    "care",
    "cell",
    "chronic",
    "clinic",
    "cohort",
    "cortex",
    "cure",
    "dementia",
    "dental",
    "depression",
    "diabetes",
    "diet",
    "disease",
    "dose",
    "drug",
    "early",
    "effect",
    "elderly",
    "exercise",
    "factor",
    "failure",
    "fat",
    "fever",
    "gene",
    "glucose",
    "gut",
    "health",
    "heart",
    "hepatic",
    "hormone",
    "human",
    "hypoxia",
    "immune",
    "infant",
    "infection",
    "injury",
    "insulin",
    "iron",
    "kidney",
    "lesion",
    "lipid",
    "liver",
    "lung",
    "malaria",
    "marker",
    "memory",
    "mice",
    "model",
    "mood",
    "motor",
    "muscle",
    "nerve",
    "nurse",
    "obesity",
    "oral",
    "organ",
    "outcome",
    "oxygen",
    "pain",
    "patient",
    "placebo",
    "plasma",
    "pregnancy",
    "protein",
    "quality",
    "rat",
    "receptor",
    "relapse",
    "renal",
    "repair",
    "risk",
    "school",
    "score",
    "serum",
    "skin",
    "sleep",
    "social",
    "spinal",
    "stress",
    "stroke",
    "surgery",
    "therapy",
    "tissue",
    "toxic",
    "trauma",
    "trial",
    "tumour",
    "vaccine",
    "virus",
    "weight",
]
JOURNALS = {
    "Journal of Hepatology": "J Hepatol", "British Medical Journal": "Br Med J", "Annals of Surgery": "Ann Surg",
    "European Heart Journal": "Eur Heart J", "Clinical Infectious Diseases": "Clin Infect Dis",
}  # fmt: skip


def labelled(n: int, seed: int = 14) -> tuple[list[Record], dict[str, int]]:
    """Make a labelled set of `n` records with the quirks of real ones; gives each record's publication.

    Copies differ as databases differ: journals abbreviated, pages cut, DOIs as addresses or missing, initials in
    place of names, a subtitle lost, capitals, accents, brackets, a year of print against one online. Among the
    others are abstracts of supplements that share a DOI, chapters of one book, parts I and II, errata of an
    article, editorials, and an abstract with the title of the article that followed it.
    """
    draw = random.Random(seed)
    publications: list[Record] = []

    def publication(**cells: str) -> Record:
        title = " ".join(draw.choices(WORDS, k=draw.randint(7, 14))).capitalize()
        family = ["".join(draw.choices(string.ascii_lowercase, k=7)).capitalize() for _ in range(4)]
        number = len(publications)
        page = draw.randint(1, 1900)
        row = {
            "title": title, "authors": "; ".join(f"{name}, John M." for name in family),
            "year": str(draw.randint(1985, 2023)), "journal": draw.choice(list(JOURNALS)),
            "volume": str(draw.randint(1, 90)), "pages": f"{page}-{page + draw.randint(1, 9)}",
            "doi": f"10.1016/j.{number}.{draw.randint(1000, 9999)}", "pmid": str(20_000_000 + number),
        } | cells  # fmt: skip
        publications.append(row)
        return row

    for i in range(n // 2 - n // 10):
        row = publication()
        if i % 20 == 0:
            twin = {k: row[k] for k in ("authors", "journal", "year")}
            publication(**twin, title=f"{row['title']}: part II")
            row["title"] += ": part I"
        elif i % 20 == 1:
            publication(title=f"Erratum: {row['title']}", authors=row["authors"], journal=row["journal"])
        elif i % 20 == 2:
            publication(title="Editorial", year=row["year"], journal=row["journal"])
        elif i % 20 == 3:
            # The abstract of a congress: title and authors of the article two years before it.
            publication(
                title=row["title"], authors=row["authors"], year=str(int(row["year"]) - 2),
                journal="Congress of physicians", doi="", pmid="",
            )  # fmt: skip
        elif i % 40 == 4:
            for _ in range(4):
                publication(doi=f"10.1016/supplement.{i}", year=row["year"], journal=row["journal"], pmid="")
    records: list[Record] = []
    truth: dict[str, int] = {}
    while len(records) < n:
        number = len(records) if len(records) < len(publications) else draw.randrange(len(publications))
        row = publications[number]
        name = f"r{len(records)}"
        records.append({"record": name, **(row if len(records) < len(publications) else quirky(row, draw))})
        truth[name] = number
    draw.shuffle(records)
    return records, truth


def quirky(row: Record, draw: random.Random) -> Record:
    """Copy a record as another database has it."""
    copy = dict(row)
    first, _, last = row["pages"].partition("-")
    cut = f"{first}-{last[-1]}" if first[:-1] == last[:-1] else row["pages"]
    for chance, changes in (
        (0.7, {"journal": JOURNALS.get(row["journal"], row["journal"])}),
        (0.6, {"pmid": ""}),
        (0.4, {"doi": ""}),
        (0.3, {"doi": f"https://doi.org/{row['doi'].upper()}" if row["doi"] else ""}),
        (0.5, {"pages": cut}),
        (0.1, {"pages": ""}),
        (0.1, {"volume": f"{row['volume']} (Supplement 1)"}),
        (0.5, {"authors": "; ".join(f"{name.split(',')[0]} JM" for name in row["authors"].split("; "))}),
        (0.3, {"title": row["title"].upper() if draw.random() < 0.5 else f"[{row['title']}]."}),
        (0.1, {"title": f"{row['title']}: a study of many patients"}),
        (0.1, {"year": str(int(row["year"]) + 1)}),
        (0.05, {"title": row["title"].replace("e", "é", 1)}),
        (0.05, {"title": row["title"].replace("a", "", 1)}),
    ):
        if draw.random() < chance:
            copy |= changes
    return copy


def test_of_2000_labelled_records_99_percent_are_told_right_and_few_are_left_to_a_person():
    records, truth = labelled(2_000)
    proposals = propose(records)
    asked = [proposal for proposal in proposals if proposal.certainty == "ask"]
    assert len(asked) <= 0.05 * len(records)
    # A person knows; whatever is sure is taken unseen.
    right = [p for p in proposals if p.certainty == "sure" or truth[p.record] == truth[p.duplicate_of]]
    parent = {row["record"]: row["record"] for row in records}

    def root(name: str) -> str:
        while parent[name] != name:
            name = parent[name]
        return name

    for proposal in right:
        parent[root(proposal.record)] = root(proposal.duplicate_of)
    groups: dict[str, list[int]] = defaultdict(list)
    for row in records:
        groups[root(row["record"])].append(truth[row["record"]])
    duplicates = len(records) - len(set(truth.values()))
    removed = sum(len(group) - 1 for group in groups.values())
    wrongly = sum(len(set(group)) - 1 for group in groups.values())
    sensitivity = (removed - wrongly) / duplicates
    specificity = 1 - wrongly / len(set(truth.values()))
    assert (duplicates, len(set(truth.values()))) == (960, 1040)
    assert sensitivity >= 0.99, sensitivity
    assert specificity >= 0.99, specificity


def test_sure_pairs_can_be_filled_in_and_the_doubtful_are_left(tmp_path):
    common = {"authors": "Li, A.", "volume": "3", "pages": "7-9", "journal": "J Hepatol"}
    folder = folder_of(
        tmp_path,
        [
            record("a", ALPHA, **common), record("b", ALPHA, **common),
            record("c", BETA, doi="10.1101/1"), record("d", BETA, doi="10.1016/2"),
        ],
    )  # fmt: skip
    write_proposals(folder, tmp_path / "d.csv", accept_sure=True)
    filled = {row["record"]: (row["confirmed"], row["certainty"]) for row in rows(tmp_path / "d.csv")}
    assert filled == {"b": ("yes", "sure"), "d": ("", "ask")}
    report = confirm(tmp_path / "d.csv", folder)
    assert "1 record marked" in str(report)
    assert [row["same"] for row in rows(folder / "record_pairs.csv")] == ["true"]
    # What was not answered is asked again.
    assert [p.record for p in write_proposals(folder, tmp_path / "again.csv")] == ["d"]
