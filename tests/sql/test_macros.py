"""Distribution functions in SQL against SciPy on wide grids, and against high-precision values far in the tails."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from scipy import special, stats

from evidence.database import connect
from evidence.store.objects import create_objects, sql_objects

DISTRIBUTIONS = (
    "normal_cdf",
    "normal_sf",
    "normal_quantile",
    "t_cdf",
    "t_sf",
    "t_quantile",
    "chi2_cdf",
    "chi2_sf",
    "digamma",
    "trigamma",
)
PINNED = json.loads(Path(__file__).parents[1].joinpath("oracles", "distributions.json").read_text())
REPEATED = settings(
    deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture(scope="module")
def macros():
    """A database with the macros and nothing else."""
    connection = connect(threads=1)
    create_objects(connection, only=DISTRIBUTIONS)
    yield connection
    connection.close()


def evaluate(connection, call: str, *columns) -> np.ndarray:
    """Answers of a macro call in the columns a, b, ... as floats, NULL as nan."""
    values = np.broadcast_arrays(*[np.asarray(column, dtype=float) for column in columns])
    names = "abc"[: len(values)]
    lists = ", ".join(f"unnest(cast(? as double[])) as {name}" for name in names)
    rows = connection.execute(f"select {call} from (select {lists})", [v.ravel().tolist() for v in values])
    return np.array([math.nan if row[0] is None else row[0] for row in rows.fetchall()])


def relative_error(found: np.ndarray, expected: np.ndarray) -> float:
    """Largest relative error where the expected value is a normal number; infinite where one is missing."""
    expected = np.asarray(expected, dtype=float).ravel()
    used = np.abs(expected) > 1e-300
    error = np.abs(found[used] / expected[used] - 1)
    return float(np.max(np.where(np.isnan(error), math.inf, error)))


class TestSciPy:
    def test_derivatives_of_the_log_gamma_function(self, macros):
        x = np.concatenate([np.arange(1, 400) / 2, np.geomspace(0.01, 1e8, 300)])
        for name, order in (("digamma", 0), ("trigamma", 1)):
            found = evaluate(macros, f"{name}(a)", x)
            assert np.abs(found - special.polygamma(order, x)).max() < 1e-9
            assert relative_error(found, special.polygamma(order, x)) < 1e-7

    def test_the_sd_of_normal_numbers_has_that_bias_and_variance_in_its_logarithm(self, macros):
        """By integration over the distribution of chi-squared: E and Var of ln(s / sigma)."""
        for n in (2, 3, 5, 9, 30):
            log = stats.chi2(n - 1).expect(lambda q, n=n: np.log(q / (n - 1)) / 2, epsabs=1e-11)
            square = stats.chi2(n - 1).expect(lambda q, n=n: (np.log(q / (n - 1)) / 2) ** 2, epsabs=1e-11)
            half = (n - 1) / 2
            bias, variance = (
                evaluate(macros, "(digamma(a) - ln(a)) / 2", half),
                evaluate(macros, "trigamma(a) / 4", half),
            )
            assert bias[0] == pytest.approx(log, rel=1e-6)
            assert variance[0] == pytest.approx(square - log**2, rel=1e-6)

    def test_normal_tails(self, macros):
        z = np.linspace(-37, 37, 7401)
        assert relative_error(evaluate(macros, "normal_sf(a)", z), stats.norm.sf(z)) < 1e-12
        assert relative_error(evaluate(macros, "normal_cdf(a)", z), stats.norm.cdf(z)) < 1e-12

    def test_normal_quantile(self, macros):
        p = np.concatenate([10.0 ** np.linspace(-300, -1, 600), np.linspace(0.001, 0.999, 999)])
        assert relative_error(evaluate(macros, "normal_quantile(a)", p), special.ndtri(p)) < 1e-14

    @pytest.mark.parametrize(
        "df", [0.5, 0.8, 1, 2, 2.5, 3, 4, 7, 15, 29, 30, 31, 100, 1_000, 31_622, 1_000_000]
    )
    def test_t_tails(self, macros, df):
        t = np.concatenate(
            [-np.linspace(0.01, 8, 60), np.linspace(0.01, 40, 200), 10.0 ** np.linspace(2, 9, 20)]
        )
        assert relative_error(evaluate(macros, "t_sf(a, b)", t, df), stats.t.sf(t, df)) < 1e-10
        assert relative_error(evaluate(macros, "t_cdf(a, b)", t, df), stats.t.cdf(t, df)) < 1e-10

    @pytest.mark.parametrize("df", [0.5, 0.8, 1, 2, 2.5, 3, 5, 12, 60, 999, 100_000, 1_000_000])
    def test_t_quantile(self, macros, df):
        p = np.concatenate(
            [10.0 ** np.linspace(-20, -2, 40), np.linspace(0.02, 0.48, 47), [0.9, 0.975, 0.995]]
        )
        assert relative_error(evaluate(macros, "t_quantile(a, b)", p, df), stats.t.ppf(p, df)) < 1e-10

    @pytest.mark.parametrize(
        "df", [0.5, 1, 2, 2.5, 3, 4, 9, 29, 31, 32, 33, 64, 200, 1_000, 4_321, 10_000, 1_000_000]
    )
    def test_chi2_tails(self, macros, df):
        x = df * np.concatenate([10.0 ** np.linspace(-8, -1, 30), np.linspace(0.1, 3, 150)])
        x = np.concatenate([x, df + math.sqrt(2 * df) * np.linspace(0, 30, 60)])
        assert relative_error(evaluate(macros, "chi2_sf(a, b)", x, df), stats.chi2.sf(x, df)) < 1e-10
        assert relative_error(evaluate(macros, "chi2_cdf(a, b)", x, df), stats.chi2.cdf(x, df)) < 1e-10

    def test_tiny_heterogeneity_p_value_is_not_zero(self, macros):
        # BCG trials as risk differences: Q = 386.8 on 12 df, 2.1e-75 in metafor 5.1-0.
        found = evaluate(macros, "chi2_sf(a, b)", 386.7759418365598, 12)
        assert found[0] == pytest.approx(2.0823820625060954e-75, rel=1e-9)


@pytest.mark.parametrize("macro", [name for name in PINNED if name != "source"])
def test_high_precision_values(macros, macro):
    rows = np.array(PINNED[macro], dtype=float)
    call = f"{macro}(a)" if rows.shape[1] == 2 else f"{macro}(a, b)"
    assert relative_error(evaluate(macros, call, *rows[:, :-1].T), rows[:, -1]) < 1e-12


class TestClosedForms:
    def test_t_with_one_and_two_degrees_of_freedom(self, macros):
        t = 10.0 ** np.linspace(-6, 8, 200)
        assert relative_error(evaluate(macros, "t_sf(a, 1)", t), np.arctan2(1, t) / math.pi) < 1e-13
        root = np.sqrt(t * t + 2)
        assert relative_error(evaluate(macros, "t_sf(a, 2)", t), 1 / (root * (root + t))) < 1e-13

    def test_chi2_with_one_and_two_degrees_of_freedom(self, macros):
        x = np.linspace(0.01, 600, 400)
        assert relative_error(evaluate(macros, "chi2_sf(a, 2)", x), np.exp(-x / 2)) < 1e-12
        found = evaluate(macros, "chi2_sf(a, 1) - 2 * normal_sf(sqrt(a))", x)
        assert np.max(np.abs(found)) < 1e-15

    def test_t_becomes_the_normal_distribution(self, macros):
        z = np.linspace(-9, 9, 37)
        assert relative_error(evaluate(macros, "t_sf(a, 1e16)", z), stats.norm.sf(z)) < 1e-12
        assert relative_error(evaluate(macros, "t_sf(a, 'infinity')", z), stats.norm.sf(z)) < 1e-12
        assert evaluate(macros, "t_quantile(0.975, 'infinity') - normal_quantile(a)", 0.975)[0] == 0


class TestProperties:
    @pytest.mark.slow
    @REPEATED
    @given(t=st.floats(0, 1e3), df=st.floats(0.5, 1e5))
    def test_t_tails_complement_and_mirror(self, macros, t, df):
        upper, lower, mirrored = macros.execute(
            "select t_sf(t, df), t_cdf(t, df), t_sf(-t, df) from (select ? as t, ? as df)", [t, df]
        ).fetchone()
        assert upper + lower == pytest.approx(1, abs=1e-15)
        assert mirrored == lower

    @pytest.mark.slow
    @REPEATED
    @given(exponent=st.floats(-250, -0.31), df=st.floats(0.8, 1e6))
    def test_t_quantile_inverts_the_distribution(self, macros, exponent, df):
        p = 10.0**exponent
        found, t = macros.execute(
            "select t_cdf(t, df), t from (select t_quantile(p, df) as t, df from (select ? as p, ? as df))",
            [p, df],
        ).fetchone()
        assume(abs(t) < 1e250)
        assert found == pytest.approx(p, rel=1e-11)

    @REPEATED
    @given(exponent=st.floats(-299, -0.31))
    def test_normal_quantile_inverts_the_distribution(self, macros, exponent):
        p = 10.0**exponent
        assert macros.execute("select normal_cdf(normal_quantile(?))", [p]).fetchone()[0] == pytest.approx(
            p, rel=1e-11
        )

    @pytest.mark.slow
    @REPEATED
    @given(x=st.floats(1e-6, 3e4), df=st.integers(1, 10_000))
    def test_chi2_recurrence(self, macros, x, df):
        # Q(df + 2) - Q(df) = (x/2)^(df/2) exp(-x/2) / Gamma(df/2 + 1): Abramowitz and Stegun 1964, 26.4.8
        below, above = macros.execute(
            "select chi2_sf(x, df), chi2_sf(x, df + 2) from (select ? as x, ? as df)", [x, df]
        ).fetchone()
        step = math.exp(df / 2 * math.log(x / 2) - x / 2 - math.lgamma(df / 2 + 1))
        assert above - below == pytest.approx(step, rel=1e-9, abs=1e-14)
        assert 0 <= below <= above <= 1


class TestDomain:
    EDGES = (
        None, math.nan, math.inf, -math.inf, 0.0, -0.0, 5e-324, 1e-300, 1e-17, 0.1, 0.5, 1.0, 2.0, 15.99, 16.0,
        1e3, 1e9, 1e18, 1e154, 1e308, -1e-300, -1.0, -1e9, -1e308,
    )  # fmt: skip

    @pytest.mark.parametrize("macro", ["normal_sf", "normal_cdf", "normal_quantile"])
    def test_one_argument_never_raises(self, macros, macro):
        macros.execute(
            "create or replace temp table edge as select unnest(cast(? as double[])) as x", [list(self.EDGES)]
        )
        for x, found in macros.execute(f"select x, {macro}(x) from edge").fetchall():
            self.check(macro, found, x)

    @pytest.mark.parametrize("macro", ["t_sf", "t_cdf", "t_quantile", "chi2_sf", "chi2_cdf"])
    def test_two_arguments_never_raise(self, macros, macro):
        macros.execute(
            "create or replace temp table edge as select unnest(cast(? as double[])) as x", [list(self.EDGES)]
        )
        rows = macros.execute(
            f"select a.x, b.x, {macro}(a.x, b.x) from edge as a cross join edge as b"
        ).fetchall()
        for x, df, found in rows:
            self.check(macro, found, x, df)

    @staticmethod
    def check(macro, found, *arguments):
        if any(value is None or math.isnan(value) for value in arguments):
            assert found is None
        elif found is not None:
            assert not math.isnan(found)
            assert "quantile" in macro or 0 <= found <= 1

    @pytest.mark.parametrize(
        ("call", "expected"),
        [
            ("normal_sf('infinity')", 0),
            ("normal_sf('-infinity')", 1),
            ("normal_quantile(0)", -math.inf),
            ("normal_quantile(1)", math.inf),
            ("normal_quantile(1.5)", None),
            ("t_sf('infinity', 3)", 0),
            ("t_cdf('infinity', 3)", 1),
            ("t_sf(2, 0)", None),
            ("t_sf(2, -1)", None),
            ("t_quantile(0.5, 4)", 0),
            ("t_quantile(0, 4)", -math.inf),
            ("t_quantile(-0.1, 4)", None),
            ("chi2_sf(-1, 4)", 1),
            ("chi2_cdf(-1, 4)", 0),
            ("chi2_sf('infinity', 4)", 0),
            ("chi2_sf(3, 0)", None),
            ("normal_sf(null)", None),
            ("t_quantile(null, 3)", None),
            ("chi2_sf(3, null)", None),
        ],
    )
    def test_edges(self, macros, call, expected):
        assert macros.execute(f"select {call}").fetchone()[0] == expected

    def test_whole_and_decimal_arguments(self, macros):
        found = macros.execute(
            "select t_sf(2, 5), chi2_sf(7, 3), t_quantile(0.975, 5), normal_sf(1.5)"
        ).fetchone()
        expected = (stats.t.sf(2, 5), stats.chi2.sf(7, 3), stats.t.ppf(0.975, 5), stats.norm.sf(1.5))
        assert found == pytest.approx(expected, rel=1e-12)

    @pytest.mark.slow
    def test_names_of_the_caller_do_not_stand_in_for_arguments(self, macros):
        # Column and table names like those inside the macros, also within a correlated subquery.
        names = (
            "t",
            "df",
            "p",
            "q",
            "h",
            "r",
            "s",
            "v",
            "x",
            "z",
            "a",
            "b",
            "d",
            "c",
            "node",
            "width",
            "start",
            "tail",
        )
        columns = ", ".join(f"cast({i + 2} as double) as {name}" for i, name in enumerate(names))
        calls = (
            "t_sf(1.5, 4)",
            "chi2_sf(9, 4)",
            "chi2_cdf(1, 4)",
            "t_quantile(0.3, 4)",
            "normal_quantile(0.3)",
        )
        for call in (*calls, "normal_sf(1.5)", "normal_cdf(1.5)"):
            expected = macros.execute(f"select {call}").fetchone()
            for name in names:
                found = macros.execute(
                    f"select {call}, (select {call}) from (select {columns}) as {name}"
                ).fetchone()
                assert found == expected * 2, (call, name)
        found = macros.execute(
            "select t_sf(q.t, q.df) from (select 1.5 as t, 4 as df, 7.0 as p) as q"
        ).fetchone()
        assert found == macros.execute("select t_sf(1.5, 4)").fetchone()

    def test_the_other_setting_for_division_gives_the_same_numbers(self, macros):
        calls = (
            "select t_sf(2.3, 4), chi2_sf(40, 7), normal_sf(30), t_quantile(0.025, 9), normal_quantile(1e-40)"
        )
        strict = macros.execute(calls).fetchone()
        macros.execute("set ieee_floating_point_ops = true")
        try:
            assert macros.execute(calls).fetchone() == strict
        finally:
            macros.execute("set ieee_floating_point_ops = false")


def test_every_macro_is_documented():
    found = [item for item in sql_objects() if item.kind == "macro"]
    assert {*DISTRIBUTIONS} <= {item.name for item in found}
    for item in found:
        assert {"Title", "Formula", "Caveats"} <= item.header.keys(), item.name
        assert item.name not in DISTRIBUTIONS or "Reference" in item.header, item.name
