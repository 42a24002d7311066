"""Nothing that is written depends on an order that no query asks for.

SQL promises an order only where a query asks for one, and among equal keys none. Which order comes depends on
threads, load and version, so that what is written from it can differ between two runs of the same command.
"""

from __future__ import annotations

import csv
import os
import random
import shutil
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pytest
import sqlglot
from click.testing import CliRunner
from sqlglot import exp

from evidence.cli import cli
from evidence.query import EvidenceBase
from evidence.review import find

KEY = "key_of_the_order_"


@cache
def _keyed(query: str) -> tuple[str, int] | None:
    """Give the query with what it orders by as further columns, and how many they are; None without order."""
    tree = sqlglot.parse_one(query, dialect="duckdb")
    order = tree.args.get("order")
    if order is None:
        return None
    by = [item.this for item in order.expressions]
    if any(isinstance(item, exp.Column | exp.Var) and item.name.lower() == "all" for item in by):
        return query, -1
    numbered = isinstance(tree, exp.Select)
    if numbered:
        for position, item in enumerate(by):
            if item.is_int:
                item = tree.expressions[int(item.name) - 1].unalias()
            tree = tree.select(exp.alias_(item.copy(), f"{KEY}{position}"))
    return tree.sql(dialect="duckdb"), len(by) if numbered else 0


def disorder(monkeypatch: Any, seed: int) -> None:
    """Have every evidence base answer in another order wherever a query leaves it open."""
    draw = random.Random(seed)

    def order(db: EvidenceBase, query: str, params: Any, n_rows: int) -> list[int]:
        """Positions of the rows in an order that the query allows as well."""
        places = list(range(n_rows))
        try:
            keyed = _keyed(query)
        except sqlglot.errors.SqlglotError:
            return places
        if keyed is None:
            draw.shuffle(places)
            return places
        text, n_keys = keyed
        if n_keys <= 0:
            return places
        with suppress(duckdb.Error):
            rows = db.connection.execute(text, params).fetchall()
            if len(rows) == n_rows:
                keys = [tuple(map(str, row[-n_keys:])) for row in rows]
                groups: dict[tuple[str, ...], list[int]] = {}
                for place, key in zip(places, keys, strict=True):
                    groups.setdefault(key, []).append(place)
                for group in groups.values():
                    draw.shuffle(group)
                return [groups[key].pop() for key in keys]
        return places

    def rows(db: EvidenceBase, query: str, params: Any = None) -> list[dict[str, Any]]:
        found = true_rows(db, query, params)
        return [found[place] for place in order(db, query, params, len(found))] if len(found) > 1 else found

    def frame(db: EvidenceBase, query: str, params: Any = None) -> pd.DataFrame:
        found = true_frame(db, query, params)
        if len(found) < 2:
            return found
        return found.iloc[order(db, query, params, len(found))].reset_index(drop=True)

    true_rows: Callable[..., list[dict[str, Any]]] = EvidenceBase.rows
    true_frame: Callable[..., pd.DataFrame] = EvidenceBase.frame
    monkeypatch.setattr(EvidenceBase, "rows", rows)
    monkeypatch.setattr(EvidenceBase, "frame", frame)


FORMATS = (
    "csv,xlsx,json,review,ro-crate,revman,robvis,prisma2020,ris,bibtex,references,metafor,netmeta,gemtc,multinma,"
    "cinema,stata,plan-r,plan-stata,jags,bugs"
)


def made(review: str, folder: Path) -> dict[str, bytes]:
    """Everything that is written and printed of a review, by name."""
    file = str(folder / f"{Path(review).name}.duckdb")
    printed = {}
    for words in (
        ["report", review, "-o", str(folder)],
        ["export", file, "--to", str(folder / "export"), "--format", FORMATS],
        ["check", file],
        ["audit", file],
        ["catalog", file],
        ["trace", file],
    ):
        ended = CliRunner().invoke(cli, words)
        assert ended.exit_code in (0, 1), ended.output
        printed[f"printed by {words[0]}"] = ended.output.replace(str(folder), "FOLDER").encode()
    return printed | {
        str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


@pytest.fixture(params=os.environ.get("ORDER_REVIEWS", "twins").split(","))
def review(request, tmp_path) -> str:
    """A bundled review by its name; "twins" is one whose studies have one label and one year, so that they tie."""
    if request.param != "twins":
        return request.param
    folder = shutil.copytree(find("parkinson"), tmp_path / "twins")
    with (folder / "studies.csv").open(encoding="utf-8", newline="") as stream:
        studies = list(csv.DictReader(stream))
    with (folder / "studies.csv").open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, [*studies[0], "sex", "dose"], lineterminator="\n")
        writer.writeheader()
        writer.writerows(
            row | {"label": "Twin", "year": 2001, "sex": "both", "dose": "high"} for row in studies
        )
    return str(folder)


@pytest.mark.slow
def test_what_is_written_does_not_depend_on_an_order_that_is_not_asked_for(review, tmp_path, monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1000000000")
    one = made(review, tmp_path / "as it comes")
    disorder(monkeypatch, 1)
    other = made(review, tmp_path / "any other")
    assert one.keys() == other.keys()
    unlike = {name: _where(one[name], other[name]) for name in one if one[name] != other[name]}
    assert not unlike, "\n".join(f"{name}: {where}" for name, where in unlike.items())


def _where(a: bytes, b: bytes) -> str:
    """Say where two files first differ, as either has it."""
    at = next((at for at, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))
    return f"{a[max(0, at - 90) : at + 90]!r} | {b[max(0, at - 90) : at + 90]!r}"
