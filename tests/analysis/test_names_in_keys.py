"""Names may hold what keys are joined with: a review under such names gives the numbers of plain names."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis import network
from analysis.described import group_name
from evidence import build
from evidence.names import joined
from evidence.opening import open as open_base

# Plain name: name that collides with another where names are joined without care. Both sort alike.
STUDIES = {
    ("s1", "e"): ("x", "y|z"),
    ("s1", "f"): ("x", "|y"),
    ("s2", "e"): ("x|", "y"),
    ("s3", "e"): ("x|y", "z"),
    ("s4", "e"): ("y\\", "v"),
}
TREATMENTS = {"a1": "a", "a2": "a/random", "a3": "a:b", "a4": "any", "b": "b:c", "c": "c", "plac": "plac|"}
ARMS = {"w": ("a3", "p"), "x": ("a3", "p|q"), "y": ("plac", "q|r"), "z": ("plac", "r")}
OTHERS = (("c", "a4"), ("a1", "b"), ("c", "a2"), ("a3", "c"), ("a1", "b"))


def slow(query):
    return pytest.param(query, marks=pytest.mark.slow)


def _write(folder, wicked: bool):
    """The same data under plain or under wicked names."""

    def study(name):
        return STUDIES[name] if wicked else name

    def treatment(name):
        return TREATMENTS[name] if wicked else name

    arms, measured = ["study,experiment,arm,treatment,n"], ["study,experiment,arm,outcome,n,mean,sd"]
    for i, name in enumerate(STUDIES):
        rows = [(arm, t, odd) for arm, (t, odd) in ARMS.items()] if i < 3 else []
        rows += [(t, t, t) for t in OTHERS[i]]
        for j, (arm, t, odd) in enumerate(rows):
            key = f"{','.join(study(name))},{odd if wicked else arm}"
            arms.append(f"{key},{treatment(t)},10")
            measured.append(f"{key},y,10,{50 + 7 * i + 3 * j + (i * j) % 4},{8 + (i + j) % 3}")
    treatments = ["treatment,label,role"]
    treatments += [f"{treatment(t)},{t},{'control' if t == 'plac' else 'active'}" for t in TREATMENTS]
    studies = dict.fromkeys(study(name)[0] for name in STUDIES)
    folder.mkdir()
    for file, lines in {
        "review.toml": ['title = "Names"'],
        "studies.csv": ["study,label,year", *(f"{s},{s},2001" for s in studies)],
        "treatments.csv": treatments,
        "outcomes.csv": ["outcome,label,kind,lower_is_better", "y,Y,continuous,true"],
        "arms.csv": arms,
        "measurements.csv": measured,
    }.items():
        (folder / file).write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def bases(tmp_path_factory):
    folder = tmp_path_factory.mktemp("names")
    plain = build(_write(folder / "plain", False), folder / "plain.duckdb")
    wicked = build(_write(folder / "wicked", True), folder / "wicked.duckdb")
    with open_base(plain) as one, open_base(wicked) as other:
        yield one, other


def test_no_two_contrasts_have_one_id_whatever_the_names(bases):
    for db in bases:
        n, different = next(
            db.sql("select count(*), count(distinct contrast_id) from contrast").df().itertuples(index=False)
        )
        assert n == different


def test_ordinary_names_keep_the_contrast_id_they_had(bases):
    ids = [
        row["contrast_id"]
        for row in bases[0].rows("select contrast_id from contrast where study = 's1' and experiment = 'e'")
    ]
    assert "s1|e|y||MD|w|y" in ids


@pytest.mark.parametrize(
    "query",
    [
        "select measure, k, random_estimate as estimate from pooled",
        "select measure, n_contrasts as k, n_arms, n_participants, n_multi_arm from network_edge",
        slow("select measure, n_arms, n_participants, n_multi_arm from network_node"),
        slow("select measure, n_treatments, n_arms, n_multi_arm from network_component"),
        slow("select measure, covariance from contrast_covariance"),
    ],
)
def test_names_that_hold_bars_change_no_pooled_number_and_no_count(bases, query):
    one, other = (
        sorted(
            tuple(f"{v:.9g}" if isinstance(v, float) else str(v) for v in row.values())
            for row in db.rows(query)
        )
        for db in bases
    )
    assert one == other
    assert one


def test_designs_whose_names_hold_colons_stay_apart(bases):
    one, other = (db.value("select count(*) from network_design where measure = 'MD'") for db in bases)
    assert one == other


def test_names_that_hold_separators_change_no_network_estimate(bases):
    found = []
    for db in bases:
        fit = network.fit(network.load(db, outcome="y", measure="SMD"), engine="frequentist")
        found.append(list(fit.estimates()["estimate"]))
    assert found[0] == pytest.approx(found[1])


@given(
    st.lists(st.text("a|/:\\", max_size=4), min_size=1, max_size=3),
    st.lists(st.text("a|/:\\", max_size=4), min_size=1, max_size=3),
)
@settings(max_examples=25)
def test_two_lists_of_names_never_give_one_text(one, other):
    for separator in "|/:":
        assert (joined(one, separator) == joined(other, separator)) == (one == other)


def test_addresses_and_groups_of_animals_are_told_apart_where_names_hold_a_slash():
    assert joined(("a/b", "c"), "/") != joined(("a", "b/c"), "/")
    assert joined(("alt-a", "a", "vehicle", "random"), "/") == "alt-a/a/vehicle/random"
    assert group_name("a/b", "c") != group_name("a", "b/c")
