"""Shared fixtures."""

from __future__ import annotations

import json
import os
import runpy
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import pytest

# Reference results may stand beside the checkout; tests that use them say so and skip where they are absent.
_BESIDE = Path(__file__).resolve().parents[2] / "shared"
_FROM_BESIDE = {"oracle_directory", "trial_data"}
NOT_HERE = "not in this version: "
"""How the reason of a skip begins that no tool could mend."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test that reads the directory beside the checkout, whether or not it says so."""
    for item in items:
        if _FROM_BESIDE & set(getattr(item, "fixturenames", ())):
            item.add_marker("oracle")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Let no test skip where everything it needs has to be there, but for benchmarks."""
    report = yield
    needs = "REQUIRE_ORACLES" if item.get_closest_marker("oracle") else "REQUIRE_TOOLS"
    if report.skipped and not hasattr(report, "wasxfail") and os.environ.get(needs):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        if item.path.parent.name != "benchmarks" and NOT_HERE not in reason:
            report.outcome = "failed"
            report.longrepr = f"{needs} is set, and this test skips. {reason}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Nor a whole file of tests."""
    report = yield
    if report.skipped and os.environ.get("REQUIRE_TOOLS"):
        report.outcome = "failed"
        report.longrepr = f"REQUIRE_TOOLS is set, and this file skips. {report.longrepr}"
    return report


def _beside(*parts: str) -> Path:
    path = _BESIDE.joinpath(*parts)
    if not path.exists():
        pytest.skip(f"reference data {'/'.join(parts)} do not stand beside the checkout")
    return path


@pytest.fixture(scope="session", autouse=True)
def built_cache(tmp_path_factory) -> Iterator[Path]:
    """Keep what tests build out of the user's cache, in one place for all workers of a run."""
    place = tmp_path_factory.getbasetemp().parent / "evidence-cache"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EVIDENCE_CACHE", str(place))
        yield place


@pytest.fixture(scope="session")
def oracle_directory() -> Path:
    """Directory with open reference results (data/ and expected/); skips where it is absent."""
    return _beside("oracle")


@pytest.fixture(scope="session")
def oracle(oracle_directory) -> Iterator[Callable[[str], dict]]:
    """Load one reference result by name: ``oracle("senn2013")["network"]``.

    Where ``ORACLE_LEDGER`` names a folder, the figures that the tests read are written down in it (`ledger`).
    """
    folder, read = os.environ.get("ORACLE_LEDGER"), set[str]()
    ledger = runpy.run_path(str(Path(__file__).parent / "oracles" / "ledger.py")) if folder else {}

    def load(name: str) -> dict:
        found = json.loads((oracle_directory / "expected" / f"{name}.json").read_text(encoding="utf-8"))
        return ledger["Block"](name, found, read) if folder else found

    yield load
    if folder:
        ledger["keep"](Path(folder), read)


@pytest.fixture(scope="session")
def trial_data() -> Path:
    """Directory with real evidence for trials, not part of the project; skips where it is absent."""
    return _beside("data")


@pytest.fixture
def empty_database(tmp_path):
    """An empty evidence base, open for writing, with all tables, macros and views."""
    from evidence.database import connect
    from evidence.store.blank import copy_blank

    copy_blank(tmp_path / "empty.duckdb")
    with connect(tmp_path / "empty.duckdb", write=True) as connection:
        yield connection


@pytest.fixture
def physically_cut(tmp_path) -> Callable[[str, int], Path]:
    """Write a copy of a bundled review without the studies after a year: ``physically_cut("smoking", 1984)``."""
    import csv

    from evidence.review import find

    def write(name: str, year: int) -> Path:
        target = tmp_path / f"{name}-{year}" / name
        target.mkdir(parents=True)
        studies = list(csv.DictReader((find(name) / "studies.csv").read_text(encoding="utf-8").splitlines()))
        known = {row["study"] for row in studies if int(row["year"]) <= year}
        for file in find(name).iterdir():
            text = file.read_text(encoding="utf-8")
            if file.suffix == ".csv" and file.name not in ("flow.csv", "searches.csv"):
                header, *rows = csv.reader(text.splitlines())
                if "study" in header:
                    rows = [row for row in rows if row[header.index("study")] in known]
                with (target / file.name).open("w", encoding="utf-8", newline="") as stream:
                    csv.writer(stream).writerows([header, *rows])
            elif file.suffix == ".toml":
                (target / file.name).write_text(text, encoding="utf-8")
        return target

    return write
