"""States of a review: folders, files, bundled names, and folders as git has them in a revision."""

from __future__ import annotations

import subprocess

import pytest

from evidence.errors import CallError, ReviewError
from evidence.living.state import located, opened

_TOML = 'title = "t"\nquestion = "q"\n'


def _git(folder, *arguments):
    names = ("-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false")
    done = subprocess.run(
        ["git", "-C", str(folder), *names, *arguments], check=True, capture_output=True, text=True
    )
    return done.stdout


def _write(folder, studies):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "review.toml").write_text(_TOML)
    (folder / "studies.csv").write_text("study,year\n" + "".join(f"{name},2000\n" for name in studies))
    (folder / "treatments.csv").write_text("treatment,role\na,active\nb,control\n")
    (folder / "outcomes.csv").write_text("outcome,kind\no,binary\n")
    (folder / "arms.csv").write_text(
        "study,arm,treatment\n" + "".join(f"{name},{arm},{arm}\n" for name in studies for arm in "ab")
    )
    return folder


@pytest.fixture
def repository(tmp_path):
    """A repository with a review in a folder `my review`: one study in the first revision, two in the last."""
    root = tmp_path / "repository"
    folder = _write(root / "my review", ["s1"])
    _git(root.parent, "init", "-q", "-b", "main", str(root))
    _git(root, "add", "-A")
    _git(root, "commit", "-q", "-m", "one")
    _git(root, "tag", "v1")
    _write(folder, ["s1", "s2"])
    _git(root, "commit", "-q", "-a", "-m", "two")
    _write(folder, ["s1", "s2", "s3"])
    return folder


def _studies(name):
    with opened(name) as db:
        return [row["study"] for row in db.rows("select study from study order by study")]


def test_a_state_is_a_folder_a_file_a_bundled_name_or_a_revision(repository, tmp_path):
    import evidence

    assert _studies(repository) == ["s1", "s2", "s3"]
    assert _studies(f"{repository}@HEAD") == ["s1", "s2"]
    assert _studies(f"{repository}@v1") == _studies(f"{repository}@HEAD~1") == ["s1"]
    assert _studies(f"{repository}@HEAD@{{1}}") == ["s1"]
    assert _studies(evidence.build(repository, tmp_path / "f.duckdb")) == ["s1", "s2", "s3"]
    assert len(_studies("diabetes")) == 26


def test_a_revision_carries_the_review_s_name_and_touches_nothing(repository, monkeypatch):
    before = _git(repository.parent, "status", "--porcelain"), (repository.parent / ".git/index").read_bytes()
    # As git tells a hook of another repository: what is named counts.
    monkeypatch.setenv("GIT_DIR", str(repository.parent.parent))
    with located(f"{repository}@v1") as place:
        assert place.name == "my review"
        assert {path.name for path in place.iterdir()} == {
            "review.toml", "studies.csv", "treatments.csv", "outcomes.csv", "arms.csv",
        }  # fmt: skip
    assert not place.exists()
    monkeypatch.delenv("GIT_DIR")
    assert before == (
        _git(repository.parent, "status", "--porcelain"), (repository.parent / ".git/index").read_bytes()
    )  # fmt: skip


def test_a_folder_whose_name_has_an_at_is_that_folder(tmp_path):
    assert _studies(_write(tmp_path / "a@b", ["s9"])) == ["s9"]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("{folder}@nowhere", "no revision 'nowhere'.*git log --oneline"),
        ("{folder}@--help", "no revision '--help'"),
        ("{root}@HEAD", "has no review.toml.*in which the review was"),
        ("{outside}@HEAD", "is in no git repository"),
        ("diabetes@v1", "no folder 'diabetes' of which 'v1'"),
        ("missing", "no review folder 'missing'"),
        ("a@b.duckdb", "no file 'a@b.duckdb'"),
    ],
)
def test_what_is_no_state_is_said_with_what_would_be(repository, tmp_path, name, said):
    outside = tmp_path / "outside"
    outside.mkdir()
    text = name.format(folder=repository, root=repository.parent, outside=outside)
    with pytest.raises(CallError, match=said), opened(text):
        pass


def test_of_a_shallow_clone_it_is_said_how_to_fetch_the_rest(repository, tmp_path):
    clone = tmp_path / "clone"
    _git(tmp_path, "clone", "-q", "--depth", "1", f"file://{repository.parent}", str(clone))
    with pytest.raises(CallError, match=r"shallow.*fetch-depth: 0"), opened(f"{clone / 'my review'}@HEAD~1"):
        pass


def test_a_link_in_a_revision_is_refused_by_name(repository):
    (repository / "flow.csv").symlink_to("studies.csv")
    _git(repository.parent, "add", "-A")
    _git(repository.parent, "commit", "-q", "-m", "link")
    with pytest.raises(CallError, match=r"flow\.csv is a link"), opened(f"{repository}@HEAD"):
        pass


def test_a_revision_that_does_not_build_says_which_and_every_error(repository):
    (repository / "studies.csv").write_text("study,year\ns1,no\ns1,2000\n")
    _git(repository.parent, "commit", "-q", "-a", "-m", "broken")
    refused = pytest.raises(ReviewError, match="@HEAD': my review cannot be built")
    with refused as caught, opened(f"{repository}@HEAD"):
        pass
    assert len(caught.value.problems) >= 2
