"""Hostile and broken tables end in a clear error, and leave nothing behind."""

from __future__ import annotations

import zipfile
from pathlib import Path

import openpyxl
import pytest
from click.testing import CliRunner

from evidence.cli import cli
from evidence.errors import EvidenceError
from evidence.importers.arms import import_arms
from evidence.importers.sources import read_archive, read_text
from evidence.system import bounds

HEADER = ["study", "treatment", "mean", "sd", "n"]


def workbook(path: Path, *rows: list[object]) -> Path:
    book = openpyxl.Workbook()
    for row in (HEADER, *rows):
        book.active.append(row)
    book.save(path)
    return path


def refused(file: Path, message: str) -> None:
    into = file.with_name("review")
    with pytest.raises(EvidenceError, match=message):
        import_arms(file, into, outcome="score")
    assert not into.exists()


def test_a_formula_without_a_result(tmp_path):
    file = workbook(tmp_path / "d.xlsx", ["A", "x", "=1+1", 1, 9], ["A", "y", 2, 1, 9])
    refused(file, r"d\.xlsx:2: the formula '=1\+1' has no stored result")


def test_a_formula_that_failed(tmp_path):
    file = workbook(tmp_path / "d.xlsx", ["A", "x", 1, 1, 9], ["A", "y", "#DIV/0!", 1, 9])
    refused(file, r"d\.xlsx:3: a formula gives #DIV/0!")


def replaced(file: Path, member: str, content: bytes) -> Path:
    """Write another content for one member of a workbook."""
    with zipfile.ZipFile(file) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, old in members.items():
            archive.writestr(name, content if name == member else old)
    return file


def test_a_workbook_with_entities(tmp_path):
    file = workbook(tmp_path / "d.xlsx", ["A", "x", 1, 1, 9])
    laughs = (
        b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "haha"><!ENTITY b "&a;&a;&a;">]>'
        b'<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>'
        b'<row r="1"><c r="A1" t="inlineStr"><is><t>&b;</t></is></c></row></sheetData></worksheet>'
    )
    refused(replaced(file, "xl/worksheets/sheet1.xml", laughs), "d.xlsx")


def test_a_workbook_that_unpacks_without_end(tmp_path):
    file = workbook(tmp_path / "d.xlsx", ["A", "x", 1, 1, 9])
    refused(replaced(file, "xl/worksheets/sheet1.xml", b" " * 60_000_000), "unpacks from")


@pytest.mark.parametrize("ending", ["xlsx", "dta", "parquet"])
def test_what_only_has_the_ending(tmp_path, ending):
    (tmp_path / f"d.{ending}").write_bytes(b"not at all" * 100)
    refused(tmp_path / f"d.{ending}", "is not a readable")


def test_an_endless_line_is_found_before_it_is_read(tmp_path):
    file = tmp_path / "d.csv"
    with file.open("wb") as stream:
        stream.write(b"study,treatment\nA,")
        stream.truncate(400_000_000)
    with pytest.raises(EvidenceError, match="a line of over 1,000,000 characters"):
        read_text(file)


def test_a_file_too_large(tmp_path, monkeypatch):
    monkeypatch.setattr(bounds, "MAX_BYTES", 10)
    (tmp_path / "d.csv").write_text("study,treatment,mean\n")
    refused(tmp_path / "d.csv", "at most 10 are read: split it")


@pytest.mark.parametrize("name", ["/etc/passwd", "..\\x.csv", "a/../../x.csv", "C:\\x.csv"])
def test_members_that_leave_their_folder(tmp_path, name):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(zipfile.ZipInfo(name), "x")
    with pytest.raises(EvidenceError, match="leaves its folder"):
        read_archive(tmp_path / "a.zip")


def test_too_many_members(tmp_path, monkeypatch):
    monkeypatch.setattr(bounds, "MAX_MEMBERS", 3)
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for number in range(4):
            archive.writestr(str(number), "x")
    with pytest.raises(EvidenceError, match="holds 4 files"):
        read_archive(tmp_path / "a.zip")


@pytest.mark.parametrize("command", ["arms", "references", "robvis", "revman", "syrf", "bugs", "gemtc"])
def test_no_command_ends_in_a_traceback(tmp_path, command):
    for number, content in enumerate((b"", b"\x00\x01\x02", b"\xff\xfea", b"a,b\n\xe9,1\n", b"{" * 5000)):
        file = tmp_path / f"{number}.csv"
        file.write_bytes(content)
        options = ["--outcome", "o"] if command in ("arms", "bugs", "gemtc") else []
        arguments = ["import", command, str(file), "--into", str(tmp_path / "review"), *options]
        result = CliRunner().invoke(cli, arguments)
        assert result.exit_code in (1, 2), result.output
        assert isinstance(result.exception, SystemExit), result.exception
        assert not (tmp_path / "review").exists()


BOMB = '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]><{0}>&b;</{0}>'
OUTSIDE = '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><{0}>&a;</{0}>'


@pytest.mark.parametrize(
    ("command", "name", "content", "words"),
    [
        ("gemtc", "n.xml", BOMB.format("network"), "declares entities"),
        ("gemtc", "n.xml", OUTSIDE.format("network"), "declares entities"),
        ("revman", "n.rm5", BOMB.format("COCHRANE_REVIEW"), "declares entities"),
        (
            "gemtc",
            "n.xml",
            "<network>" + "<a>" * 100_000 + "</a>" * 100_000 + "</network>",
            "holds no measurement",
        ),
        ("gemtc", "n.json", "[" * 100_000 + "]" * 100_000, "is not JSON"),
        ("bugs", "n.txt", "list(N = 1:1000000000000, r = c(1))", "too long"),
        ("bugs", "n.txt", 'list(r = system("touch pwned"))', "'system' is no number"),
        ("bugs", "n.txt", "list(r = c(" * 5_000, "cannot be"),
        ("references", "n.ris", "TY  - JOUR\nTI  - a\n", "has no end"),
        ("references", "n.ris", b"TY  - JOUR\nTI  - caf\xe9\nER  - \n", "is not UTF-8"),
        ("references", "n.bib", "@article{a, title={unclosed", "cannot be read"),
        ("references", "n.nbib", "foo\n", "is no field"),
        ("arms", "n.csv", b"study,treatment,mean,sd,n\n" + b"A,x,1,1,8\n" * 900 + b"A,y\x00,2,1,8\n", "NUL"),
        (
            "arms",
            "n.csv",
            'study,treatment,mean,sd,n\n"A,x,1,1,8\nA,y,2,1,8\n',
            "never closed, so that everything to line 3",
        ),
        (
            "arms",
            "n.csv",
            "study,treatment,mean,sd,n\nA,x,inf,1,8\nA,y,1e400,1,8\n",
            "too large for a number",
        ),
        ("arms", "n.csv", "study,treatment,mean,sd,n\nA,x,1_000,1,8\nA,y,2,1,8\n", "'1_000' is not a number"),
        ("arms", "n.csv", "study,treatment,mean,sd,n\nA,x,1,1,8\n".encode("utf-16"), "is UTF-16"),
    ],
)
def test_hostile_and_broken_files_of_every_kind(tmp_path, command, name, content, words):
    """Exit code 1, what is wrong in words, no traceback, nothing written, nothing run."""
    file = tmp_path / name
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    options = ["--outcome", "score"] if command in ("arms", "gemtc", "bugs") else []
    arguments = ["import", command, str(file), "--into", str(tmp_path / "review"), *options]
    result = CliRunner().invoke(cli, arguments)
    assert (result.exit_code, words in result.output) == (1, True), result.output
    assert isinstance(result.exception, SystemExit)
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_an_archive_that_lies_about_its_size(tmp_path):
    """The stated size passes every limit; what comes out is checked against it."""
    file = tmp_path / "review.zip"
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a-data-rows.csv", b"0" * 20_000_000)
    raw = bytearray(file.read_bytes())
    for mark, offset in ((b"PK\x01\x02", 24), (b"PK\x03\x04", 22)):
        start = raw.find(mark) + offset
        raw[start : start + 4] = (100).to_bytes(4, "little")
    file.write_bytes(raw)
    with pytest.raises(
        EvidenceError, match=r"review\.zip: a-data-rows\.csv: the file is not a readable file of"
    ):
        read_archive(file)


SOUND = "study,treatment,mean,sd,n\nA,x,1,1,9\nA,y,2,1,9\n"


@pytest.mark.parametrize("member", ["xl/workbook.xml", "xl/worksheets/sheet1.xml", "[Content_Types].xml"])
@pytest.mark.parametrize("content", [None, b"", b"<worksheet><sheetData><row", b"\x00\xff"])
def test_a_workbook_with_a_damaged_or_missing_member(tmp_path, member, content):
    file = workbook(tmp_path / "d.xlsx", ["A", "x", 1, 1, 9], ["A", "y", 2, 1, 9])
    with zipfile.ZipFile(file) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    del members[member]
    with zipfile.ZipFile(file, "w") as archive:
        for name, old in (members | ({} if content is None else {member: content})).items():
            archive.writestr(name, old)
    refused(file, "is not a readable XLSX workbook")


def test_a_workbook_with_one_cell_far_away(tmp_path, monkeypatch):
    monkeypatch.setattr(bounds, "MAX_CELLS", 100_000)
    book = openpyxl.Workbook()
    book.active.append(HEADER)
    book.active["A20"] = "A"
    book.active["XFD20"] = 1
    book.active["XFD60"] = 1
    book.active["A1000000"] = "far"
    book.save(tmp_path / "d.xlsx")
    refused(tmp_path / "d.xlsx", "has over 100,000 cells, by the place of the last")


@pytest.mark.parametrize(
    ("command", "name", "content", "words"),
    [
        ("bugs", "n.txt", "list(t=structure(.Data=c(1,2), .Dim=c(1e400,2)))", "'1e400' is no whole number"),
        ("bugs", "n.txt", "list(t=c(1e400:3))", "is no whole number"),
        ("bugs", "n.txt", f"list(t=c(1:{'9' * 5000}))", "'999999999999999999999999999...' is no whole"),
        ("gemtc", "n.json", f'{{"entries": [{{"study": {"9" * 5000}}}]}}', "is not JSON"),
    ],
)
def test_numbers_and_lines_that_no_parser_bears(tmp_path, command, name, content, words):
    (tmp_path / name).write_text(content, encoding="utf-8")
    options = [] if command == "references" else ["--outcome", "y"]
    result = CliRunner().invoke(
        cli, ["import", command, str(tmp_path / name), "--into", str(tmp_path / "review"), *options]
    )
    assert isinstance(result.exception, SystemExit), result.exception
    assert words in result.output


def test_a_blank_line_behind_the_type_of_a_reference_is_none_of_its_fields(tmp_path):
    from evidence.importers.references import import_references

    (tmp_path / "n.ris").write_text("TY  - JOUR\n\nTI  - a\nER  - \n", encoding="utf-8")
    assert import_references(tmp_path / "n.ris", tmp_path / "review").added == {"records.csv": 1}


def test_what_stands_in_the_folder_is_not_written_again_without_its_surplus_cells(tmp_path):
    (tmp_path / "d.csv").write_text(SOUND, encoding="utf-8")
    import_arms(tmp_path / "d.csv", tmp_path / "review", outcome="score")
    studies = tmp_path / "review" / "studies.csv"
    studies.write_text(
        studies.read_text().replace("A\n", "A,,surplus\n").replace("A,A", "A,A,B,C"), encoding="utf-8"
    )
    before = studies.read_bytes()
    (tmp_path / "d.csv").write_text(SOUND.replace("A,", "B,"), encoding="utf-8")
    with pytest.raises(EvidenceError, match=r"studies\.csv has errors as it stands"):
        import_arms(tmp_path / "d.csv", tmp_path / "review", outcome="score")
    assert studies.read_bytes() == before
