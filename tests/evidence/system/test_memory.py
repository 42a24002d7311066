"""What there is of memory is read from the system, container and process; the sentence holds the numbers."""

from __future__ import annotations

import shutil

import pytest

import evidence
from evidence import review
from evidence.errors import RefusedError
from evidence.system import memory

GB = 10**9


def write(root, files):
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(str(text))
    return root


MACHINE = {"proc/meminfo": "MemTotal: 16000000 kB\nMemAvailable:    8000000 kB\n"}
STAT = "anon 5\ninactive_file 1000000000\ntotal_inactive_file 1000000000\n"


@pytest.mark.parametrize(
    ("container", "expected"),
    [
        ({}, 8_000_000 * 1024),
        ({"proc/self/cgroup": "0::/\n"}, 8_000_000 * 1024),
        (
            {
                "proc/self/cgroup": "0::/app\n",
                "sys/fs/cgroup/app/memory.max": 4 * GB,
                "sys/fs/cgroup/app/memory.current": 3 * GB,
                "sys/fs/cgroup/app/memory.stat": STAT,
            },
            2 * GB,
        ),
        (
            {
                "proc/self/cgroup": "0::/slice/app\n",
                "sys/fs/cgroup/slice/app/memory.max": "max",
                "sys/fs/cgroup/slice/app/memory.current": GB,
                "sys/fs/cgroup/slice/app/memory.stat": STAT,
                "sys/fs/cgroup/slice/memory.max": 3 * GB,
                "sys/fs/cgroup/slice/memory.current": 2 * GB,
                "sys/fs/cgroup/slice/memory.stat": "anon 1\n",
            },
            GB,
        ),
        (
            {
                "proc/self/cgroup": "4:memory:/docker/x\n1:cpu:/\n",
                "sys/fs/cgroup/memory/memory.limit_in_bytes": 3 * GB,
                "sys/fs/cgroup/memory/memory.usage_in_bytes": 2 * GB,
                "sys/fs/cgroup/memory/memory.stat": STAT,
            },
            2 * GB,
        ),
    ],
    ids=["machine", "no limit", "version 2", "a group above", "version 1, as a container sees it"],
)
def test_the_least_of_machine_and_container_counts(tmp_path, container, expected):
    assert memory.available(write(tmp_path, MACHINE | container)) == expected


def test_a_limit_of_the_process_counts(tmp_path, monkeypatch):
    resource = pytest.importorskip("resource")
    monkeypatch.setattr(resource, "getrlimit", lambda which: (3 * GB, 4 * GB))
    pages = GB // resource.getpagesize()
    assert memory.available(write(tmp_path, MACHINE | {"proc/self/statm": f"{pages} 1 1"})) == pytest.approx(
        2 * GB, rel=1e-4
    )


def test_without_a_proc_there_is_what_the_system_calls_its_memory(tmp_path, monkeypatch):
    assert memory.available(tmp_path) > 1e8
    monkeypatch.delattr("os.sysconf")
    assert memory.available(tmp_path) == float("inf")


def test_both_numbers_and_the_remedy_are_said(monkeypatch):
    monkeypatch.setattr(memory, "available", lambda: 7.6e9)
    memory.refuse_without_room(7.5e9, "It", "Take less.")
    with pytest.raises(
        RefusedError, match=r"^It needs about 12 GB of memory; there is 7\.6 GB\. Take less\.$"
    ):
        memory.refuse_without_room(12e9, "It", "Take less.")


def test_sizes_are_written_with_two_digits():
    assert [memory.in_words(size) for size in (5e7, 9.996e8, 7.63e9, 9.97e9, 2.5e12)] == [
        "50 MB", "1.0 GB", "7.6 GB", "10 GB", "2.5 TB",
    ]  # fmt: skip


def test_ordinary_work_asks_nothing(monkeypatch):
    monkeypatch.setattr(memory, "available", lambda: pytest.fail("asked"))
    memory.refuse_without_room(memory.ORDINARY, "It", "")


def test_a_review_that_leaves_no_room_is_refused_before_it_is_read(tmp_path, monkeypatch):
    folder = tmp_path / "large"
    shutil.copytree(review.find("smoking"), folder)
    rows = (folder / "measurements.csv").read_text(encoding="utf-8")
    (folder / "measurements.csv").write_text(rows + "\n" * 4_000_000, encoding="utf-8")
    monkeypatch.setattr(memory, "available", lambda: 50e6)
    monkeypatch.setattr(review, "read_sheet", lambda *a: pytest.fail("it was read"))
    with pytest.raises(
        RefusedError, match=r"A review folder of 4 MB of text needs about 88 MB of memory; there is 50 MB\."
    ):
        evidence.build(folder, tmp_path / "large.duckdb")
    assert not (tmp_path / "large.duckdb").exists()
