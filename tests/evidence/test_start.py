"""What a command loads, and how often it asks: counted, since seconds differ between machines."""

import subprocess
import sys

import pytest

HEAVY = (
    "altair", "bibtexparser", "docx", "duckdb", "great_tables", "jinja2", "networkx", "numpy", "numpy.f2py.f2py2e",
    "openpyxl", "pandas", "pyarrow", "pymc", "rapidfuzz", "rich", "scipy", "scipy.linalg", "scipy.optimize",
    "scipy.sparse", "scipy.special", "scipy.stats", "sqlglot", "vl_convert",
)  # fmt: skip
"""Modules that take longer than a hundredth of a second each."""

POOL = (
    "pool",
    "diabetes",
    "--outcome",
    "hba1c",
    "--measure",
    "MD",
    "--treatment",
    "metf",
    "--versus",
    "plac",
)

COMPUTING = {"duckdb", "rich", "numpy", "pandas", "scipy", "scipy.special"}

_SAID = """
import atexit, sys
queries = []
def said():
    sys.stdout.flush()
    print("LOADED", *[name for name in {heavy!r} if name in sys.modules], file=sys.stderr)
    print("ASKED", len(queries), len(set(queries)), file=sys.stderr)
atexit.register(said)
from evidence import cli
class Counted:
    def __init__(self, connection):
        self.connection = connection
    def __getattr__(self, name):
        return getattr(self.connection, name)
    def execute(self, query, parameters=None):
        queries.append((query, repr(parameters)))
        return self.connection.execute(query, parameters)
if {count}:
    import evidence.opening
    connect = evidence.opening.connect
    evidence.opening.connect = lambda *given, **named: Counted(connect(*given, **named))
cli.main({arguments!r})
"""


def run(*arguments: str, count: bool = False) -> tuple[set[str], int, int]:
    """Modules of `HEAVY` that a command loads, the queries it asks, and how many of them are different."""
    code = _SAID.format(heavy=HEAVY, arguments=list(arguments), count=count)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    lines = {words[0]: words[1:] for line in done.stderr.splitlines() if (words := line.split())}
    asked, different = map(int, lines["ASKED"])
    return set(lines["LOADED"]), asked, different


@pytest.mark.parametrize(
    ("arguments", "loaded"),
    [
        (("--help",), set()),
        (("pool", "--help"), set()),
        (("sql", "diabetes", "select 1"), {"duckdb", "rich"}),
        (("catalog", "diabetes"), {"duckdb", "rich"}),
        (("check", "smoking"), {"duckdb", "rich"}),
        (POOL, COMPUTING),
        (("nma", *POOL[1:6]), COMPUTING | {"scipy.sparse"}),
        (("nma", *POOL[1:6], "--engine", "exact"), COMPUTING | {"scipy.sparse"}),
    ],
    ids=lambda given: " ".join([*given[:2], *given[7:]][:3]) if isinstance(given, tuple) else "",
)
def test_a_command_loads_nothing_heavy_that_it_does_not_use(arguments, loaded):
    assert run(*arguments)[0] <= loaded


def test_pooling_asks_each_question_once_and_few_of_them():
    _, asked, different = run(*POOL, count=True)
    assert 10 < asked <= 24
    assert asked == different


def test_the_first_forest_plot_loads_and_asks_little(tmp_path):
    picture = ("plot", "smoking", "forest", "-o", str(tmp_path / "forest.svg"))
    loaded, asked, different = run(*picture, count=True)
    assert loaded <= {
        "altair",
        "jinja2",
        "duckdb",
        "rich",
        "numpy",
        "pandas",
        "scipy",
        "scipy.special",
        "scipy.linalg",
        "vl_convert",
    }
    assert 10 < asked <= 40
    assert asked == different


def test_what_is_put_off_at_the_start_is_there_when_it_is_asked_for():
    code = (
        "from evidence.system.start import start_light; start_light(); start_light()\n"
        "import pandas, scipy.special, sys\n"
        "assert 'pyarrow' not in sys.modules and 'numpy.f2py.f2py2e' not in sys.modules\n"
        "import numpy\n"
        "assert numpy.f2py.get_include() and 'numpy.f2py.f2py2e' in sys.modules\n"
        "from importlib.util import find_spec\n"
        "if find_spec('pyarrow'):\n"
        "    import pyarrow\n"
        "    assert pandas.DataFrame({'a': ['x']}).a.tolist() == pyarrow.array(['x']).to_pylist()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
