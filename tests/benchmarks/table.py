"""The benchmark table: what takes how long, side by side with what a user would pick instead.

    python tests/benchmarks/table.py [--peers PYTHON] [--keep FOLDER] [--only TEXT] [--write docs/speed.md]

Seconds are of CPU (user and system, children too), the least of three runs where one takes less than five seconds; memory
is the peak of resident memory. ``--peers`` is the Python of an environment with pimeta, PyMARE and PyMetaAnalysis;
metafor and JAGS are Debian's (r-cran-metafor, jags, r-cran-rjags). What is not there is left out. Figures are kept in
the folder as they come, so that the table can be measured piece by piece: ``--only`` takes the works whose name has
the text in it, and what the folder has already is not measured again.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path

HERE = Path(__file__).parent
LARGEST = 8_000_000_000
"""Bytes of memory with which a work is given up."""
SIZES = {476: "1 k", 4_762: "10 k", 47_619: "100 k", 100_000: "210 k", 476_190: "1 M"}
"""Simulated reviews: studies, and how many measurements they have."""
GROWING = ("build", "contrasts", "pooled", "check", "pool", "nma", "export")
SUMS = {
    "contrasts": "select count(*), sum(estimate), sum(std_error) from contrast",
    "pooled": "select count(*), sum(random_estimate), sum(random_p_value) from pooled",
}

Figure = dict[str, float | str]


@dataclass(frozen=True)
class Row:
    """A row of the table: a work, what it took before and is to reach (seconds, MB), and its peers.

    `times`: how many times its CPU the first peer is to take at least.
    """

    work: str
    words: str
    before: str
    reach: float | None = None
    memory: float | None = None
    peers: dict[str, str] = field(default_factory=dict)
    times: float | None = None


REML = {
    "metafor": "metafor REML",
    "PyMARE": "PyMARE REML",
    "PyMetaAnalysis": "PyMetaAnalysis REML",
    "pimeta": "pimeta REML",
}
ROWS = (
    Row("sql small", '`sql "select count(*) from contrast"`, small review, from process start', "0.34 s", 0.25),
    Row("nma small", "`nma`, small review, from process start", "2.0 s", 0.8),
    Row("pool small", "`pool`, small review, from process start", "2.3 s", 0.8),
    Row("check small", "`check`, small review, from process start", "2.5 s", 0.8),
    Row("load", "`network.load`, 26 studies, warm", "0.65 s", 0.05),
    Row("report diabetes", "report of diabetes", "12 s", 5),
    Row("report alf-simulated", "report of alf-simulated", "81 s", 35),
    Row("exact review", "exact, 26 x 10: warm fit with estimates", "9 ms", 0.005),
    Row("exact pairs", "exact, 89 x 7: fit, every contrast, SUCRA", "3 ms", 0.002),
    Row("exact tables", "exact, 89 x 7: every table, leave-one-out and splits too", "144 ms", 0.035),
    Row("exact start", "exact, 89 x 7, from process start", "0.59 s", None, None, {"JAGS, 4 x 25,000": "JAGS"}, 15),
    Row("exact large", "exact, 10,000 x 100: estimates and ranks", "2.7 s", 0.6),
    Row("frequentist", "frequentist network, 10,000 x 40", "< 1 s", 0.3, 300),
    Row("leave one out", "frequentist leave-one-out, 300 x 50", "34 s", 0.5),
    Row("frequentist 300", "frequentist network, 300 x 50", "-", None, None, {"pimeta": "pimeta network"}),
    Row("REML", "REML, k = 1,000", "-", None, None, REML),
    Row("DL", "DL, k = 1,000,000", "-", None, None,
        {"NumPy": "NumPy DL", "PyMARE": "PyMARE DL", "PyMetaAnalysis": "PyMetaAnalysis DL"}, 1 / 3),
    Row("pool 20,000", "`pool`, k = 20,000, from process start", "> 500 s", 1, 500),
    Row("nma@100000", "`nma`, 210 k measurements", "119 s, 6.2 GB", 5, 1_000),
    Row("pool@100000", "`pool`, 210 k measurements", "34 s, 2.6 GB", 3),
    Row("check@100000", "`check`, 210 k measurements", "45 s", 5),
    Row("export@100000", "export as CSV, 210 k measurements", "> 400 s", 15),
    Row("build@476190", "build, 1 M measurements", "80 s, 8.5 GB", 20, 2_000),
    Row("contrasts@476190", "contrasts, 1 M measurements", "5 s", 1, 1_000, {"pandas": "pandas contrasts"}),
    Row("pooled@476190", "pooled, 1 M measurements", "10 s", 1, 1_000),
)  # fmt: skip


class Bench:
    """Where tables, files and figures are kept, and how each work is measured."""

    def __init__(self, keep: Path, peers: str | None, longest: int) -> None:
        self.keep, self.peers, self.longest = keep, peers, longest
        self.out = str(keep / f"out-{os.getpid()}")
        self.file = keep / "figures.json"
        self.figures: dict[str, Figure] = json.loads(self.file.read_text()) if self.file.is_file() else {}

    def command(self, work: str) -> list[str] | None:
        """Give the command of a work; None where what it needs is not installed."""
        name, _, size = work.partition("@")
        evidence = [sys.executable, "-m", "evidence.cli"]
        if name in GROWING:
            return [*evidence, *self._of_size(name, int(size))]
        small, one = str(self.keep / "diabetes.duckdb"), ["--outcome", "hba1c", "--measure", "MD"]
        ours = {
            "sql small": ["sql", small, "select count(*) from contrast"],
            "nma small": ["nma", small, *one],
            "pool small": ["pool", small, *one, "--treatment", "metf", "--versus", "plac"],
            "check small": ["check", small],
            "report diabetes": ["report", "diabetes", "-o", self.out],
            "report alf-simulated": ["report", "alf-simulated", "-o", self.out],
            "pool 20,000": ["pool", self.built("one", 20_000), *_PAIR],
        }
        if name in ours:
            return [*evidence, *ours[name]]
        large = str(self.keep / "contrasts-10000x40.csv")
        tables = {"leave one out": "300x50", "exact large": "10000x100", "pimeta network": "300x50"}
        table = str(self.keep / f"contrasts-{tables.get(name, '89x7')}.csv")
        effects = str(self.keep / f"effects-{1_000_000 if name.endswith('DL') else 1_000}.csv")
        table = effects if name.endswith(("DL", "REML")) else table
        works = [sys.executable, str(HERE / "works.py")]
        if name in ("load", "exact review"):
            return [*works, name, small]
        if name.startswith("frequentist"):
            return [
                *works,
                "frequentist",
                large if name == "frequentist" else table.replace("89x7", "300x50"),
            ]
        if name == "exact start":
            return [*works, "exact once", table]
        if name == "pandas contrasts":
            table = str(self.keep / f"sim{max(SIZES)}" / "measurements.csv")
        if name == "JAGS":
            out = str(self.keep / "jags.csv")
            return _script("rjags", "tsd2_normal.R", str(self.keep / "arms-89x7.csv"), out)
        if name.startswith("metafor"):
            return _script("metafor", "peers.R", name.split()[1], table)
        if name.startswith(("NumPy", "pandas")):
            return [sys.executable, str(HERE / "peers.py"), name, table]
        if name.startswith(("PyMARE", "PyMeta", "pimeta")):
            return [self.peers, str(HERE / "peers.py"), name, table] if self.peers else None
        return [*works, name, table]

    def _of_size(self, name: str, studies: int) -> list[str]:
        if name == "build":
            return ["build", self.simulated("sim", studies), "-o", str(self.keep / f"sim{studies}.duckdb")]
        file = self.built("sim", studies)
        return {
            "check": ["check", file],
            "pool": ["pool", file, *_PAIR],
            "nma": ["nma", file, *_PAIR[:4]],
            "export": ["export", file, "--to", self.out, "--format", "csv"],
        }.get(name) or ["sql", file, SUMS[name]]

    def simulated(self, name: str, studies: int) -> str:
        """Give the folder of a simulated review."""
        folder = self.keep / f"{name}{studies}"
        if not folder.exists():
            folder.unlink(missing_ok=True)  # a link to what is no longer there
            shape = f"synthetic_shape({studies}{', treatments=1' if name == 'one' else ''})"
            code = f"from evidence.folder.simulate import *; simulate({shape}, {str(folder)!r})"
            subprocess.run([sys.executable, "-c", code], check=True)
        return str(folder)

    def built(self, name: str, studies: int) -> str:
        """Give the file of a simulated review, built where it is not there."""
        file = self.keep / f"{name}{studies}.duckdb"
        if not file.is_file():
            self.prepare("build", self.simulated(name, studies), "-o", str(file))
        return str(file)

    def prepare(self, *words: str) -> None:
        subprocess.run([sys.executable, "-m", "evidence.cli", *words], check=True, stdout=subprocess.DEVNULL)

    def measure(self, work: str) -> None:
        """Measure a work where its figure is not kept."""
        if work in self.figures or (command := self.command(work)) is None:
            return
        found, own = self.run(command)
        if not own and float(found["cpu"]) < 5:
            found = min(found, *(self.run(command)[0] for _ in range(2)), key=lambda one: one["cpu"])
        if self.file.is_file():
            # Other pieces may be measured at the same time.
            self.figures = json.loads(self.file.read_text())
        self.figures[work] = found
        self.file.write_text(json.dumps(self.figures, indent=1))
        print(work, found, file=sys.stderr, flush=True)

    def run(self, command: Sequence[str]) -> tuple[Figure, bool]:
        """Run a command; its figure, and whether that is what it said of itself."""
        shutil.rmtree(self.out, ignore_errors=True)
        with tempfile.TemporaryFile("w+") as output:
            process = subprocess.Popen(command, stdout=output, stderr=output, preexec_fn=self.bound)
            _, status, used = os.wait4(process.pid, 0)
            output.seek(0)
            lines = output.read().strip().splitlines()
        cpu, peak = used.ru_utime + used.ru_stime, used.ru_maxrss / 1024
        if os.waitstatus_to_exitcode(status) not in (0, 1):
            said = lines[-1][:200] if lines and cpu < self.longest else ""
            return {
                "cpu": math.inf,
                "peak": peak,
                "failed": said or f"not done after {self.longest} s of CPU",
            }, True
        if command[1].endswith(("works.py", "peers.py", "peers.R")) and lines and lines[-1][0] == "{":
            return json.loads(lines[-1]), True
        return {"cpu": cpu, "peak": peak}, False

    def bound(self) -> None:
        """Bound the process that this runs in."""
        resource.setrlimit(resource.RLIMIT_CPU, (self.longest, self.longest))
        resource.setrlimit(resource.RLIMIT_DATA, (LARGEST, LARGEST))

    def table(self) -> Iterator[str]:
        """Lines of the table, and of the growth."""
        yield "| work | before | reach | now | memory | reached | what a user would pick instead |"
        yield "| --- | --- | --- | --- | --- | --- | --- |"
        for row in ROWS:
            mine = self.figures.get(row.work)
            if mine is None:
                yield f"| {row.words} | {row.before} | {_seconds(row.reach) if row.reach else ''} | not measured | | | |"
            else:
                others = {who: self.figures[of] for who, of in row.peers.items() if of in self.figures}
                said = "; ".join(f"{who}: {_ratio(other, mine)}" for who, other in others.items())
                now, peak = mine.get("failed") or _seconds(float(mine["cpu"])), _memory(float(mine["peak"]))
                reach = [_seconds(row.reach)] if row.reach else []
                reach += [_memory(row.memory)] if row.memory else []
                reach += [f"{next(iter(row.peers))}: {row.times:.2g} times"] if row.times else []
                over = [float(mine["cpu"]) / row.reach] if row.reach else []
                over += [float(mine["peak"]) / row.memory] if row.memory else []
                if row.times and others:
                    over.append(row.times * float(mine["cpu"]) / float(next(iter(others.values()))["cpu"]))
                verdict = "" if not over else "yes" if max(over) <= 1 else f"no, by {max(over):.1f}"
                cells = (row.words, row.before, ", ".join(reach), now, peak, verdict, said)
                yield f"| {' | '.join(map(str, cells))} |"
        yield ""
        yield from self._growth({n: words for n, words in SIZES.items() if n != 100_000})

    def _growth(self, names: dict[int, str]) -> Iterator[str]:
        yield f"| work | {' | '.join(names.values())} | exponent | of the last step |"
        yield "| --- " * (len(names) + 3) + "|"
        for name in GROWING:
            cells, done = [], []
            for n in names:
                found = self.figures.get(f"{name}@{n}", {"cpu": math.inf, "peak": 0, "failed": "-"})
                seconds, peak = float(found["cpu"]), float(found["peak"])
                cells.append(str(found.get("failed") or f"{_seconds(seconds)}, {_memory(peak)}"))
                done += [(n, seconds)] if math.isfinite(seconds) else []
            yield f"| {name} | {' | '.join([*cells, _slope(done), _slope(done[-2:])])} |"


_PAIR = ["--outcome", "o1", "--measure", "MD", "--treatment", "T001", "--versus", "control"]


def _script(package: str, file: str, *words: str) -> list[str] | None:
    script = shutil.which("Rscript")
    call = [script, "-e", f"library({package})"]
    if script is None or subprocess.run(call, capture_output=True, check=False).returncode:
        return None
    return [script, str(HERE / file), *words]


def _slope(points: Sequence[tuple[int, float]]) -> str:
    if len(points) < 2:
        return "-"
    x, y = ([math.log(point[i]) for point in points] for i in (0, 1))
    a, b = sum(x) / len(x), sum(y) / len(y)
    return f"{sum((i - a) * (j - b) for i, j in zip(x, y)) / sum((i - a) ** 2 for i in x):.2f}"


def _ratio(other: Figure, mine: Figure) -> str:
    if "failed" in other:
        return str(other["failed"])
    times = float(other["cpu"]) / float(mine["cpu"])
    return f"{times:,.{0 if times >= 10 else 1}f} times our CPU ({_seconds(float(other['cpu']))}), {_memory(float(other['peak']))}"


def _seconds(value: float) -> str:
    return f"{value:.3g} s" if value >= 0.1 else f"{1000 * value:.2g} ms"


def _memory(value: float) -> str:
    return f"{value:,.0f} MB" if value < 1000 else f"{value / 1000:.1f} GB"


def machine(peers: str | None) -> str:
    """Say what was measured on, and with which versions."""
    about = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.partition(": ")[2] for line in about if line.startswith("model name")), "unknown")
    size = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    names = ("duckdb", "numpy", "scipy", "pandas")
    said = [f"Python {sys.version.split()[0]}", *(f"{name} {metadata.version(name)}" for name in names)]
    if peers:
        code = "from importlib.metadata import version as v; print(*(f'{n} {v(n)}' for n in ('pimeta', 'PyMARE', 'PyMetaAnalysis')), sep=', ')"
        said.append(subprocess.run([peers, "-c", code], capture_output=True, text=True).stdout.strip())
    if shutil.which("Rscript"):
        code = "cat(R.version$major, R.version$minor, sep='.'); cat(', metafor', paste0(packageVersion('metafor')), ', rjags', paste0(packageVersion('rjags')))"
        said.append(
            "R " + subprocess.run(["Rscript", "-e", code], capture_output=True, text=True).stdout.strip()
        )
    return f"{os.cpu_count()} cores ({model}), {size:.0f} GB; {', '.join(said)}."


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--peers", help="Python of an environment with the peers")
    parser.add_argument("--keep", type=Path, help="folder for tables, files and figures")
    parser.add_argument(
        "--only", default="", help="only works with this text in their name, or, with @, at its end"
    )
    parser.add_argument(
        "--longest", type=int, default=400, help="seconds of CPU after which a work is given up"
    )
    parser.add_argument("--write", type=Path, help="page whose part between the marks the table replaces")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        keep = (given.keep or Path(folder)).resolve()
        keep.mkdir(parents=True, exist_ok=True)
        bench = Bench(keep, given.peers, given.longest)
        if not (keep / "arms-89x7.csv").is_file():
            subprocess.run([sys.executable, str(HERE / "peers.py"), "data", str(keep)], check=True)
        if not (keep / "diabetes.duckdb").is_file():
            bench.prepare("build", "diabetes", "-o", str(keep / "diabetes.duckdb"))
        works = [work for row in ROWS for work in (row.work, *row.peers.values())]
        works += [f"{name}@{n}" for n in SIZES if n != 100_000 for name in GROWING]
        for work in dict.fromkeys(works):
            if work.endswith(given.only) if "@" in given.only else given.only in work:
                bench.measure(work)
        lines = [f"Measured on {machine(given.peers)}", "", *bench.table()]
    print("\n".join(lines))
    if given.write:
        head, mark, rest = given.write.read_text(encoding="utf-8").partition("<!-- table -->\n")
        tail = rest.partition("<!-- end of table -->")[2]
        text = f"{head}{mark}{chr(10).join(lines)}\n<!-- end of table -->{tail}"
        given.write.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
