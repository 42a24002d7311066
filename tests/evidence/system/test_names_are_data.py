"""Names come from other people: through every writer they stay names, and never become code, markup or a path."""

import json
import os
import random
import re
import shutil
import subprocess
from html.parser import HTMLParser

import pytest
from click.testing import CliRunner
from hypothesis import example, given, settings
from hypothesis import strategies as st

import evidence
from evidence.cli import cli
from evidence.names import INVISIBLE, apart, slug, visible

MARK = "PWNED"
NAMES = int(os.environ.get("NAMES", "30"))
HOSTILE = (
    "../../../escaped/pwn",
    "/tmp/pwn",
    "..\\..\\pwn",
    f'x"><img src=x onerror="document.title=\'{MARK}\'">',
    f"</script><script>document.title='{MARK}'</script>",
    "<!--<script>",
    f'\ue000" onfocus="document.title=\'{MARK}\'" tabindex="0" autofocus x="\ue001a\ue002',
    f"\ue000javascript:document.title='{MARK}'\ue001click\ue002",
    f'placebo\nsystem("touch {MARK}")\n#',
    f'"); system("touch {MARK}"); ("',
    f"'); system('touch {MARK}'); ('",
    "\x1b]0;title\x07\x1b[31mred",
    "\x02from a\x0bPDF\x1f",
    "=cmd|' /C calc'!A0",
    "@SUM(1)",
    "`rm -rf .`$(touch PWNED)",
    "{{ 7 * 7 }}{% raw %}",
    "CON",
    "nul.txt",
    ".hidden",
    "-rf",
    "a" * 300,
    "naïve – µ 中文 🙂 עברית",
    "NULL",
    "'; drop table study; --",
    "%s %n {0}",
    "line\u2028separator\u0085",
    " blank ",
)


def run(*arguments):
    result = CliRunner().invoke(cli, [str(argument) for argument in arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def toml(text):
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def cell(text):
    return '"' + text.replace('"', '""') + '"'


def review(folder, names):
    """A review of three treatments, whose every name is hostile: studies, treatments, outcome, analysis, title."""
    folder.mkdir()
    control, drug, other, outcome, analysis, title = names
    outcome = f"m{outcome}z"
    control, drug, other = (f"{prefix}{name}z" for prefix, name in zip("cdo", (control, drug, other)))
    (folder / "review.toml").write_text(
        f"title = {toml(title)}\n[[protocol.analysis]]\nname = {toml(analysis)}\n"
        f'kind = "network"\noutcome = {toml(visible(outcome))}\nmeasure = "OR"\n',
        encoding="utf-8",
    )
    lines = ["treatment,label,role"]
    lines += [
        f"{cell(name)},{cell(name)},{role}"
        for name, role in ((control, "control"), (drug, "active"), (other, "active"))
    ]
    (folder / "treatments.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (folder / "outcomes.csv").write_text(
        f"outcome,label,kind,lower_is_better\n{cell(outcome)},{cell(outcome)},binary,true\n", encoding="utf-8"
    )
    studies, arms, rows = ["study,label,year"], ["study,arm,treatment,n"], ["study,arm,outcome,events,n"]
    for number, pair in enumerate([(drug, control), (other, control), (drug, other), (drug, control)]):
        study = f"{number} {names[number]}z"
        studies.append(f"{cell(study)},{cell(study)},20{number:02}")
        for place, name in enumerate(pair):
            arms.append(f"{cell(study)},{cell(name)},{cell(name)},30")
            rows.append(f"{cell(study)},{cell(name)},{cell(outcome)},{8 + 3 * place + number},30")
    for name, text in (("studies", studies), ("arms", arms), ("measurements", rows)):
        (folder / f"{name}.csv").write_text("\n".join(text) + "\n", encoding="utf-8")
    return folder


def batches():
    """Six names for each review; NAMES says how many in all: after the list, two of it put together."""
    draw = random.Random(2026)
    names = list(HOSTILE)
    while len(names) < NAMES:
        names.append("".join(name[:120] for name in draw.sample(HOSTILE, 2)))
    return [tuple(names[(6 * start + i) % len(names)] for i in range(6)) for start in range(-(-NAMES // 6))]


class Strict(HTMLParser):
    """Notes every attribute that could run, and every script."""

    def __init__(self):
        super().__init__()
        self.scripts, self.handlers, self.links, self.sources = 0, [], [], []

    def handle_starttag(self, tag, attrs):
        self.scripts += tag == "script" and dict(attrs).get("type") != "application/json"
        self.handlers += [(tag, name) for name, _ in attrs if name.startswith("on")]
        self.links += [value for name, value in attrs if name == "href"]
        self.sources += [value for name, value in attrs if name == "src"]


def check_page(page):
    text = page.read_text(encoding="utf-8")
    parser = Strict()
    parser.feed(text)
    assert parser.scripts == 1
    assert parser.handlers == []
    assert parser.sources == []
    assert all(re.match(r"#|figures/|tables/|results/|[\w.-]+$|https?://", link) for link in parser.links)
    assert "script-src 'sha256-" in text
    assert not INVISIBLE.search(text)


def check_folder(folder, around):
    """Nothing outside the folder, no name in it that a system cannot hold."""
    assert {path.name for path in around.iterdir()} <= {"review", "report", "out", "r.duckdb"}
    for path in folder.rglob("*"):
        assert len(path.name.encode()) < 200
        assert not INVISIBLE.search(path.name)


@pytest.mark.slow
@pytest.mark.parametrize("names", batches(), ids=range(-(-NAMES // 6)))
def test_no_name_leaves_its_place(tmp_path, names):
    folder = review(tmp_path / "review", names)
    report = run("report", folder, "-o", tmp_path / "report")
    assert report.exit_code == 0, report.output
    check_page(tmp_path / "report" / "index.html")
    check_folder(tmp_path / "report", tmp_path)
    formats = (
        "csv,xlsx,json,sqlite,duckdb,review,metafor,netmeta,gemtc,multinma,cinema,stata,jags,bugs,metainsight"
    )
    exported = run("export", folder, "--to", tmp_path / "out", "--format", formats)
    assert exported.exit_code == 0, exported.output
    check_folder(tmp_path / "out", tmp_path)
    for listed in (report.output, exported.output):
        assert "\x1b" not in listed
    scripts = sorted((tmp_path / "out").rglob("*.R"))
    assert scripts
    if shutil.which("Rscript"):
        # Read, not run: netmeta and gemtc need not be there. What is code shows in the parse.
        for script in scripts:
            asked = f"cat(unlist(lapply(parse({json.dumps(str(script))}), function(e) deparse(e[[1]]))), sep = '\\n')"
            parsed = subprocess.run(["Rscript", "-e", asked], capture_output=True, text=True, check=False)
            assert parsed.returncode == 0, parsed.stderr
            assert "system" not in parsed.stdout.split()
    for script in (tmp_path / "out").rglob("*.txt"):
        assert not re.search(r"^\s*system", script.read_text(encoding="utf-8"), re.MULTILINE)
    again = evidence.build(tmp_path / "out" / "review" if (tmp_path / "out" / "review").exists() else folder)
    again.unlink()


def test_a_slug_is_a_name_of_a_file_and_nothing_else():
    made = {name: slug(name) for name in HOSTILE}
    assert len(set(made.values())) == len(HOSTILE)
    for text in made.values():
        assert re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,120}", text)
        assert text.lower().split(".")[0] not in ("con", "nul")
    assert slug("hba1c-metformin") == "hba1c-metformin"


# Names that come close to each other: blanks, hyphens, what is cut off, and what other names are turned into.
CLOSE = st.text("ab -._/\u00e9A", max_size=6) | st.text(max_size=4)
CLOSE = (
    CLOSE
    | CLOSE.map(slug)
    | CLOSE.map(lambda text: "x" * 120 + text)
    | CLOSE.map(lambda text: slug(text) + " ")
)


@given(st.lists(CLOSE, unique=True))
@example(["a b", "a-b"])
@example(["\u00e9", slug("\u00e9")])
@example(["con", "x-con"])
@example(["", "x"])
@settings(max_examples=500)
def test_no_two_names_make_one_slug(names):
    made = [slug(name) for name in names]
    assert len(set(made)) == len(names)
    assert all(re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,120}", text) for text in made)


@given(st.lists(CLOSE))
def test_no_two_names_make_one_file_where_capitals_are_small_letters(names):
    taken = set()
    files = [apart(slug(name), taken, "{}-covariance").lower() for name in names]
    files += [f"{name}-covariance" for name in files]
    assert len(set(files)) == 2 * len(names)


@given(st.lists(CLOSE, min_size=1, max_size=5), st.booleans())
@example(["alt", "ALT", "a", "a-b", "panel"], True)
@settings(deadline=None)
def test_nothing_on_a_page_has_the_place_of_something_else(names, switch):
    """Files of figures and tables; ids of these, of sections and of what is in pictures."""
    from analysis.charts.tables import Table
    from analysis.report import blocks, writing

    sections = [
        blocks.Section(
            f"{name}-effects",
            "",
            [blocks.Figure(f"{name}-forest", "", switch or None), Table(f"{name}-forest", "", (), ())],
            [
                blocks.Section(part, "", [blocks.Figure(blocks.stem(name, "b"), "")])
                for part in (name, f"figure-{name}-forest")
            ],
        )
        for name in names
    ]
    given_before = [block.name for block in blocks.everything(sections)]
    before = blocks.tell_apart(sections)
    made = list(blocks.everything(sections))
    assert [before[block.name] for block in made] == given_before
    files = [block.name for block in made]
    files += [block.name + blocks.SAFE for block in made if isinstance(block, blocks.Figure) and block.switch]
    assert len({file.lower() for file in files}) == len(files)
    anchors = [part.anchor for section in sections for part in (section, *section.parts)]
    ids = [
        *anchors,
        *(f"{anchor}-title" for anchor in anchors),
        "panel",
        "panel-title",
        "panel-body",
        "choice",
        "data",
    ]
    for block in made:
        kind = "figure" if isinstance(block, blocks.Figure) else "table"
        ids.append(f"{kind}-{block.name}")
        picture = writing._scoped('<svg><g id="clip0"/><g id="a" fill="url(#clip0)"/></svg>', block.name)
        inside = re.findall(r'id="([^"]+)"', picture)
        assert f"url(#{inside[0]})" in picture
        ids += inside
    assert len(set(ids)) == len(ids)


def test_links_are_made_by_the_report_alone():
    from analysis.report.links import as_html, as_text, mark

    forged = "\ue000javascript:alert(1)\ue001click\ue002"
    assert "<a" not in as_html(forged)
    assert as_html(mark(forged, "#n1")).count("<a") == 1
    assert as_html(mark("x", "#n1")) == '<a href="#n1">x</a>'
    assert as_text(mark("x", "#n1")) == "x"
    assert as_html('\ue000" onfocus="x\ue001a\ue002').count("<") == 0
    assert not INVISIBLE.search(as_html(forged) + as_text(forged))


def test_characters_that_no_reader_sees_are_read_as_blanks_and_said(tmp_path):
    run("new", tmp_path / "mine")
    treatments = tmp_path / "mine" / "treatments.csv"
    lines = treatments.read_text(encoding="utf-8").splitlines()
    lines[1] = lines[1].replace(",", ",\x02\ue000", 1)
    treatments.write_text("\n".join(lines) + "\n", encoding="utf-8")
    path = evidence.build(tmp_path / "mine", tmp_path / "x.duckdb")
    with evidence.open(path) as db:
        (warning,) = db.rows("select * from build_warning where message like '%no reader sees%'")
        assert (warning["source_file"], warning["source_line"]) == ("treatments.csv", 2)
        assert not any(INVISIBLE.search(row["label"]) for row in db.rows("select label from treatment"))
