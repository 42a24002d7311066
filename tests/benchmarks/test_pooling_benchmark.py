"""Pooling in SQL: 10,000 subgroups with every p-value, 1,000 leave-one-outs, and the distributions alone."""

import pytest

from evidence.database import connect
from evidence.store.objects import used_by


@pytest.fixture(scope="module")
def contrasts():
    """100,000 generated contrasts in 100 comparisons, each study with two variables of 50 levels: 10,000 subgroups."""
    connection = connect()
    connection.execute(
        """
        create table comparison_contrast as
        select
            concat('contrast ', i) as contrast_id, concat('study ', i // 100) as study, 'main' as experiment,
            concat('outcome ', i % 10) as outcome, 'MD' as measure, concat('drug ', (i // 10) % 10) as treatment_a,
            'control' as treatment_b, 'a' as arm_a, 'b' as arm_b,
            sin(i) + i % 7 / 5 as estimate, 0.1 + abs(cos(i)) as std_error
        from range(100000) as drawn (i)
        """
    )
    connection.execute(
        """
        create table study_variable as
        select concat('study ', i) as study, 'country' as variable, concat('country ', i % 50) as value
        from range(1000) as drawn (i)
        union all
        select concat('study ', i), 'year', cast(1970 + (i // 7) % 50 as varchar) from range(1000) as drawn (i)
        """
    )
    for item in used_by(("pooled", "subgroup", "leave_one_out")):
        if item.room in ("macros", "pooling"):
            connection.execute(item.sql)
    yield connection
    connection.close()


def test_ten_thousand_subgroups(benchmark, contrasts):
    rows = benchmark.pedantic(lambda: contrasts.execute("select * from subgroup").fetchall(), rounds=3)
    assert len(rows) == 10_000


def test_a_thousand_leave_one_outs(benchmark, contrasts):
    query = "select * from leave_one_out where outcome = 'outcome 3' and measure = 'MD' and treatment_a = 'drug 4'"
    rows = benchmark.pedantic(lambda: contrasts.execute(query).fetchall(), rounds=3)
    assert len(rows) == 1_000


@pytest.mark.parametrize(
    "call", ["normal_sf(x)", "normal_quantile(p)", "t_sf(x, df)", "t_quantile(p, df)", "chi2_sf(x * df, df)"]
)
def test_ten_thousand_calls(benchmark, contrasts, call):
    query = f"""
        select sum({call})
        from (select i % 500 / 100 as x, (i + 0.5) / 10000 as p, 1 + i % 60 as df from range(10000) as drawn (i))
    """
    benchmark.pedantic(lambda: contrasts.execute(query).fetchall(), rounds=3)
