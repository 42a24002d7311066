"""Pairwise meta-analysis from an evidence base: what enters, what does not, and that SQL says the same."""

from __future__ import annotations

import numpy as np
import pytest

import evidence
from analysis import network, pairwise, sensitivity
from evidence.errors import CallError, RefusedError

STUDIES = "study,label,year,species,blinded\n" + "".join(
    f"{name},{name},{year},{species},{blinded}\n"
    for name, year, species, blinded in (
        ("ada", 2001, "rat", "yes"), ("bo", 2003, "mouse", "no"), ("cy", 2005, "rat", "yes"), ("di", 2008, "mouse", "no"),
        ("ed", 2010, "rat", ""),
    )
)  # fmt: skip
TREATMENTS = "treatment,label,role\ndrug,Drug,active\nother,Other drug,active\nsaline,Saline,control\nhealthy,Healthy,sham\n"
OUTCOMES = "outcome,label,kind,unit,lower_is_better\nalt,ALT,continuous,U/L,true\ndeath,Death,binary,,true\n"
ARMS = [
    ("ada", "low", "drug", 10), ("ada", "high", "drug", 12), ("ada", "saline", "saline", 11),
    ("bo", "drug", "drug", 8), ("bo", "saline", "saline", 9), ("bo", "healthy", "healthy", 6),
    ("cy", "drug", "drug", 20), ("cy", "saline", "saline", 21), ("cy", "other", "other", 19),
    ("di", "drug", "drug", 15), ("di", "saline", "saline", 14),
    ("ed", "drug", "drug", 7), ("ed", "saline", "saline", 7),
]  # fmt: skip
ALT = {
    ("ada", "low"): (180, 40), ("ada", "high"): (150, 35), ("ada", "saline"): (260, 50),
    ("bo", "drug"): (200, 60), ("bo", "saline"): (240, 70), ("bo", "healthy"): (40, 9),
    ("cy", "drug"): (170, 45), ("cy", "saline"): (230, 40), ("cy", "other"): (200, 50),
    ("di", "drug"): (190, 55), ("di", "saline"): (215, 45),
    ("ed", "drug"): (210, None), ("ed", "saline"): (220, 30),
}  # fmt: skip
DEATHS = {
    ("ada", "low"): 3, ("ada", "high"): 2, ("ada", "saline"): 6, ("bo", "drug"): 0, ("bo", "saline"): 4,
    ("cy", "drug"): 5, ("cy", "saline"): 9, ("cy", "other"): 7, ("di", "drug"): 0, ("di", "saline"): 0,
}  # fmt: skip


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    folder = tmp_path_factory.mktemp("review")
    (folder / "review.toml").write_text('title = "Test"\nsynthetic = true\n')
    (folder / "studies.csv").write_text(STUDIES)
    (folder / "treatments.csv").write_text(TREATMENTS)
    (folder / "outcomes.csv").write_text(OUTCOMES)
    arms = [f"{study},{arm},{treatment},{n}" for study, arm, treatment, n in ARMS]
    (folder / "arms.csv").write_text("study,arm,treatment,n\n" + "\n".join(arms) + "\n")
    n = {(study, arm): size for study, arm, _, size in ARMS}
    rows = [
        f"{study},{arm},alt,{day},d,{n[study, arm]},{mean - 10 * day},{'' if sd is None else sd},,U/L"
        for (study, arm), (mean, sd) in ALT.items()
        for day in ((1, 3) if study == "cy" else (1,))
    ]
    rows += [
        f"{study},{arm},death,7,d,{n[study, arm]},,,{events}," for (study, arm), events in DEATHS.items()
    ]
    head = "study,arm,outcome,timepoint,timepoint_unit,n,mean,sd,events,unit\n"
    (folder / "measurements.csv").write_text(head + "\n".join(rows) + "\n")
    return evidence.build(folder, folder / "test.duckdb")


@pytest.fixture(scope="module")
def db(file):
    with evidence.open(file) as found:
        yield found


def question(**more):
    return {"outcome": "alt", "measure": "MD", "treatment": "drug", "versus": "saline", **more}


_FITS: dict[str, pairwise.PairwiseFit] = {}


def asked(db, **more):
    """The fit to a question, made once: reading it takes most of the time."""
    key = repr(sorted(more.items()))
    if key not in _FITS:
        _FITS[key] = pairwise.fit(db, **question(**more))
    return _FITS[key]


def md(study, arm="drug", day=1):
    """Difference and variance of one study, by hand."""
    n = {(s, a): size for s, a, _, size in ARMS}
    (m1, s1), (m2, s2) = ALT[study, arm], ALT[study, "saline"]
    return m1 - m2, s1**2 / n[study, arm] + s2**2 / n[study, "saline"]


def test_reads_contrasts_and_says_what_it_left_out(db):
    fit = asked(db)
    assert fit.studies == ("ada", "bo", "cy", "di")
    frame = fit.assembly.contrasts.frame.set_index("contrast_id")
    assert len(frame) == 5
    for row in frame.itertuples():
        effect, variance = md(row.study, row.arm_a)
        assert row.estimate == pytest.approx(effect)
        assert row.std_error**2 == pytest.approx(variance)
    gone = fit.exclusions()
    assert "ed" in set(gone["study"])
    assert gone.loc[gone["study"] == "ed", "source_file"].eq("measurements.csv").any()
    assert fit.contrasts.unit == "U/L"
    assert fit.contrasts.lower_is_better
    assert fit.notes()["message"].str.contains("last").any()


def test_the_file_itself_says_the_same(file, db):
    with evidence.open(file) as base:
        fit = pairwise.fit(base, **question())
    assert fit.estimates().equals(asked(db).estimates())
    assert len(fit.exclusions()) == len(asked(db).exclusions())


def test_shared_control_has_its_exact_covariance(db):
    fit = asked(db, tau2=0.0, ci="Wald")
    effects = [md("ada", "high"), md("ada", "low"), md("bo"), md("cy"), md("di")]
    y = np.array([effect for effect, _ in effects])
    V = np.diag([variance for _, variance in effects])
    V[0, 1] = V[1, 0] = ALT["ada", "saline"][1] ** 2 / 11
    inverse = np.linalg.inv(V)
    row = fit.estimates().iloc[0]
    assert row["estimate"] == pytest.approx(inverse.sum(0) @ y / inverse.sum(), rel=1e-10)
    assert row["std_error"] == pytest.approx(inverse.sum() ** -0.5, rel=1e-10)
    split = asked(db, shared="split")
    expected = np.diag(V).copy()
    expected[:2] += V[0, 1]
    assert np.sort(split.assembly.variance) == pytest.approx(np.sort(expected), rel=1e-10)
    assert row["n_studies"] == 4


def test_the_other_way_round(db):
    one, other = (
        asked(db),
        asked(db, treatment="saline", versus="drug"),
    )
    assert other.estimates()["estimate"].to_numpy() == pytest.approx(
        -one.estimates()["estimate"].to_numpy(), rel=1e-12
    )
    assert other.estimates()["ci_lower"].to_numpy() == pytest.approx(
        -one.estimates()["ci_upper"].to_numpy(), rel=1e-12
    )


def test_time_point_and_condition(db):
    first = asked(db, timepoint="first")
    last = asked(db)
    taken = {
        name: fit.contrasts.frame.set_index("study").loc["cy", "timepoint"]
        for name, fit in (("a", first), ("b", last))
    }
    assert taken == {"a": 1.0, "b": 3.0}
    rats = asked(db, where="species = 'rat' and year > 2001")
    assert rats.studies == ("cy",)
    with pytest.raises(CallError, match="Did you mean 'species'"):
        asked(db, where="specis = 'rat'")


def test_subgroups_and_regression_on_study_variables(db):
    fit = asked(db, by="species")
    assert list(fit.levels) == ["mouse", "rat"]
    rats = asked(db, where="species = 'rat'").estimates()
    level = fit.estimates().query("level == 'rat'")
    assert level["estimate"].to_numpy() == pytest.approx(rats["estimate"].to_numpy(), rel=1e-12)
    coefficients = asked(db).meta_regression("year", "blinded").coefficients()
    assert list(coefficients["term"]) == ["intercept", "year", "blinded: no"]
    assert list(asked(db).cumulative()["study"][:4]) == ["ada", "bo", "cy", "di"]
    with pytest.raises(CallError, match="Did you mean 'species'"):
        asked(db, by="specie")


def test_unknown_names(db):
    for change, said in (
        ({"outcome": "deaths"}, "death"), ({"treatment": "drugs"}, "drug"), ({"versus": "salin"}, "saline"),
    ):  # fmt: skip
        with pytest.raises(CallError, match=f"Did you mean '{said}'"):
            asked(db, **change)
    # Names as short as these are listed, not guessed: OR must not be proposed for COR.
    with pytest.raises(CallError, match="There are: alt, death"):
        asked(db, outcome="altt")
    with pytest.raises(CallError, match=r"There is no measure 'MDD'\. There are: .*MD"):
        asked(db, measure="MDD")
    with pytest.raises(CallError, match="two different treatments"):
        asked(db, versus="drug")
    with pytest.raises(CallError, match="Say which versus"):
        pairwise.fit(db, outcome="alt", measure="MD", treatment="drug")
    with pytest.raises(RefusedError, match="OR"):
        asked(db, measure="OR")
    with pytest.raises(RefusedError, match="No study compares"):
        asked(db, versus="healthy", treatment="other")


def test_counts(db):
    deaths = {"outcome": "death", "treatment": "drug", "versus": "saline", "where": "study <> 'ada'"}
    fit = pairwise.fit(db, measure="OR", method="Peto", **deaths)
    assert fit.studies == ("bo", "cy")
    a, n1, c, n2 = np.array([0, 5]), np.array([8, 20]), np.array([4, 9]), np.array([9, 21])
    m, n = a + c, n1 + n2
    variance = n1 * n2 * m * (n - m) / (n**2 * (n - 1))
    assert fit.estimates()["estimate"].iloc[0] == pytest.approx(
        np.sum(a - n1 * m / n) / variance.sum(), rel=1e-12
    )
    assert "di" in set(fit.exclusions()["study"])  # no event in either arm
    with pytest.raises(RefusedError, match="share arms"):
        pairwise.fit(db, measure="OR", method="MH", dependence="independent", **(deaths | {"where": None}))
    assert pairwise.fit(db, measure="OR", method="MH", **(deaths | {"where": None})).studies[0] == "ada"
    likelihood = pairwise.fit(db, measure="OR", method="binomial", **deaths).estimates()
    assert np.isfinite(likelihood["estimate"]).all()


def test_weights_lead_back_to_the_measurements(db):
    weights = asked(db).weights()
    ids = {int(item) for row in weights["measurement_ids"] for item in row.split(",")}
    found = db.sql(
        f"select count(*) from measurement where measurement_id in ({','.join(map(str, ids))})"
    ).fetchall()
    assert found[0][0] == len(ids)


def test_effect_measures_in_one_table(db):
    table = sensitivity.effect_measures(db, outcome="alt", treatment="drug", versus="saline")
    assert list(dict.fromkeys(table["case"])) == ["MD", "SMD", "ROM", "NMD"]
    for measure in ("MD", "SMD", "ROM"):
        expected = asked(db, measure=measure).estimates()
        part = table[table["case"] == measure]
        assert part["estimate"].to_numpy() == pytest.approx(expected["estimate"].to_numpy(), rel=1e-12)
    nmd = table[table["case"] == "NMD"]
    assert (nmd["n_studies"] == 1).all()
    assert nmd["left_out"].iloc[0].startswith("ada: ")
    refused = sensitivity.effect_measures(
        db, outcome="alt", treatment="drug", versus="saline", measures=("MD", "OR")
    )
    assert "OR" in refused[refused["case"] == "OR"]["refused"].iloc[0]
    with pytest.raises(RefusedError):
        sensitivity.effect_measures(db, outcome="alt", treatment="drug", versus="saline", measures=("OR",))


def test_what_if(db):
    table = sensitivity.what_if(db, {"rats": "species = 'rat'", "none": "year > 2050"}, **question())
    assert list(dict.fromkeys(table["case"])) == ["all studies", "rats", "none"]
    assert table[table["case"] == "rats"]["left_out"].iloc[0].startswith("bo: the study does not meet")
    assert "year > 2050" in table[table["case"] == "none"]["refused"].iloc[0]
    shared = sensitivity.what_if(db, ["year > 2001"], where="species = 'rat'", **question())
    assert shared["n_studies"].tolist() == [2, 2, 1, 1]
    with pytest.raises(CallError):
        sensitivity.what_if(db, {}, **question())
    with pytest.raises(CallError, match="There is no"):
        sensitivity.what_if(db, ["speces = 'rat'"], **question())


def test_estimators_in_one_table(db):
    table = sensitivity.estimators(db, **question())
    assert len(table) == 1 + 8 * 3
    expected = asked(db, tau2="PM", ci="HK-adhoc").estimates().iloc[1]
    row = table[table["case"] == "PM, HK-adhoc"].iloc[0]
    assert row["ci_upper"] == pytest.approx(expected["ci_upper"], rel=1e-12)


def test_bayes_is_the_two_treatment_case(db, oracle_directory, oracle):
    import pandas as pd

    entry = oracle("bcg")
    expected = entry["bayes_exact_contrast_level"]["re_halfnormal05"]["basic"]
    reference = entry["pairwise"]["measures"]["RR"]
    frame = pd.DataFrame({"study": reference["study"], "yi": reference["yi"], "vi": reference["vi"]})
    found = network.fit(
        network.from_pairwise(pairwise.fit(frame, measure="RR")),
        engine="exact",
        tau_prior="half-normal(0.5)",
        effect_prior_sd=100,
    )
    row = found.estimates().query("model == 'random'").iloc[0]
    assert row["estimate"] == pytest.approx(expected["mean"][0], abs=1e-6)
    assert row["std_error"] == pytest.approx(expected["sd"][0], abs=1e-6)
    assert row["ci_lower"] == pytest.approx(expected["q2.5"][0], abs=1e-5)
    assert row["pi_upper"] == pytest.approx(expected["pred_q97.5"][0], abs=1e-5)
    several = network.fit(network.from_pairwise(asked(db)), engine="exact")
    assert set(several.estimates()["model"]) == {"common", "random"}


# --- SQL and Python ---------------------------------------------------------------------------------------------

PAIR = ["outcome", "measure", "treatment_a", "treatment_b"]
REVIEWS = [
    "parkinson",
    "maternal-diet",
    pytest.param("diabetes", marks=pytest.mark.slow),
    pytest.param("smoking", marks=pytest.mark.slow),
]


@pytest.fixture(scope="module", params=REVIEWS)
def pooled(request):
    """The pooling views of one bundled review, and its contrasts by comparison."""
    with evidence.open(request.param) as base:
        contrasts = base.sql("select * from analysis_contrast").df()
        variables = base.sql("select study, variable, value from study_variable").df()
        views = {
            name: base.sql(f"select * from {name}").df() for name in ("pooled", "subgroup", "leave_one_out")
        }
    return views, dict(list(contrasts.groupby(PAIR))), variables


def some(rows, most=6):
    """A few rows, spread over all."""
    return rows.iloc[np.unique(np.linspace(0, len(rows) - 1, most).astype(int))].itertuples()


def derived(part, ci="Wald"):
    return pairwise.fit(part, tau2="DL", ci=ci, prediction="HTS", shared="ignore", dependence="independent")


def key_of(row):
    return tuple(getattr(row, name) for name in PAIR)


def same(ours, theirs, size=0.0):
    if theirs is None or np.isnan(float(theirs)):
        assert np.isnan(ours)
    else:
        assert ours == pytest.approx(float(theirs), rel=1e-12, abs=1e-12 * size)


def compare(row, part):
    """One row of a pooling view with the fits to the same contrasts."""
    fit = derived(part)
    common, random = fit.estimates().iloc[0], fit.estimates().iloc[1]
    spread = fit.heterogeneity()
    size = common["std_error"]
    assert (row.k, row.n_studies) == (fit.rows.n, len(fit.studies))
    for name in ("estimate", "std_error", "ci_lower", "ci_upper", "p_value"):
        same(common[name], getattr(row, f"common_{name}"), size)
        same(random[name], getattr(row, f"random_{name}"), size)
    knapp = derived(part, "HK").estimates().iloc[1]
    for name in ("std_error", "ci_lower", "ci_upper", "p_value"):
        same(knapp[name], getattr(row, f"hk_{name}"), size)
    same(random["pi_lower"], row.pi_lower, size)
    same(random["pi_upper"], row.pi_upper, size)
    same(spread["q"].iloc[0], row.Q, 1.0)
    same(spread["p_value"].iloc[0], row.p_Q, 1.0)
    assert spread["df"].iloc[0] == row.df
    if row.k > 1:
        same(spread["tau2"].iloc[1], row.tau2, size**2)
        same(spread["i2"].iloc[1], row.I2, 1.0)


@pytest.mark.slow
def test_pooled_in_sql_and_python(pooled):
    views, contrasts, _ = pooled
    assert len(views["pooled"]) == len(contrasts)
    for row in some(views["pooled"]):
        compare(row, contrasts[key_of(row)])


def test_leave_one_out_in_sql_and_python(pooled):
    views, contrasts, _ = pooled
    for row in some(views["leave_one_out"]):
        part = contrasts[key_of(row)]
        compare(row, part[part["study"] != row.omitted_study])
    assert contrasts
    for key, part in list(contrasts.items())[:2]:
        whole = views["leave_one_out"]
        rows = whole[(whole[PAIR] == list(key)).all(axis=1)].set_index("omitted_study")
        ours = derived(part).leave_one_out()
        for row in ours[ours["model"] == "random"].itertuples():
            if row.study in rows.index:
                same(row.estimate, rows.loc[row.study, "random_estimate"], row.std_error)
                same(row.std_error, rows.loc[row.study, "random_std_error"])


def test_subgroups_in_sql_and_python(pooled):
    views, contrasts, variables = pooled
    of_study = variables.pivot(index="study", columns="variable", values="value")
    tests = {}
    for row in some(views["subgroup"]):
        part = contrasts[key_of(row)]
        level = part["study"].map(of_study[row.variable])
        compare(row, part[level == row.level])
        test = (*key_of(row), row.variable)
        if test not in tests:
            fit = pairwise.fit(
                part.assign(level=level), tau2="DL", ci="Wald", prediction="HTS", shared="ignore", by="level",
                dependence="independent",
            )  # fmt: skip
            found = fit.subgroups()
            tests[test] = found[found["quantity"] == "q"].set_index("model")["value"]
        # A level of one contrast: the view takes its tau2 for 0, Python one tau2 for all levels.
        if np.isfinite(row.q_between) and tests[test]["random"] >= 0 and level.value_counts().min() > 1:
            assert tests[test]["random"] == pytest.approx(row.q_between, rel=1e-10, abs=1e-12)
            assert tests[test]["common"] == pytest.approx(row.q_between_common, rel=1e-10, abs=1e-12)


def test_the_evidence_base_and_its_contrasts_as_a_table_say_the_same():
    with evidence.open("diabetes") as base:
        asked = {"outcome": "hba1c", "measure": "MD", "treatment": "rosi", "versus": "plac"}
        one = pairwise.fit(base, **asked)
        other = pairwise.fit(base.sql("select * from analysis_contrast").df(), **asked)
    numbers = ["estimate", "std_error", "ci_lower", "ci_upper", "pi_lower", "pi_upper", "p_value"]
    assert one.estimates()[numbers].to_numpy() == pytest.approx(
        other.estimates()[numbers].to_numpy(), rel=1e-12, nan_ok=True
    )
