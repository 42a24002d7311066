"""One drawing for each chart of the registry, from a bundled review: the function of that name."""

from __future__ import annotations

from typing import Any

import pandas as pd

from analysis import charts
from analysis.charts.base.theme import records
from analysis.charts.gallery.bench import Bench
from evidence.system.frames import rows as rows_of


def draw(name: str, bench: Bench) -> Any:
    """Draw the chart of that name."""
    return globals()[f"_{name}"](bench)


def random_rows(frame: pd.DataFrame) -> pd.DataFrame:
    """Rows of the random-effects model."""
    return frame[frame["model"] == "random"]


def _forest(bench: Bench) -> Any:
    fit = bench.smoking
    rows = bench.db("smoking").rows(
        "select contrast.*, study.label, a.events as events_a, b.events as events_b from contrast "
        "inner join study using (study) "
        "left join measurement_standard as a on a.measurement_id = try_cast(split_part(measurement_ids, ',', "
        "1) as bigint) "
        "left join measurement_standard as b on b.measurement_id = try_cast(split_part(measurement_ids, ',', "
        "2) as bigint) "
        "where contrast.outcome = 'cessation' and contrast.measure = 'OR' order by study.year, study.label"
    )
    weights = fit.weights()
    shares = {
        model: dict(zip(some["contrast_id"], some["weight"], strict=True))
        for model in ("common", "random")
        for some in [weights[weights["model"] == model]]
    }
    studies = [
        row | {f"weight_{model}": share[row["contrast_id"]] for model, share in shares.items()}
        for row in rows
        if row["contrast_id"] in shares["random"]
    ]
    return charts.forest(
        pd.DataFrame(studies),
        fit.estimates(),
        fit.heterogeneity(),
        effect=bench.cessation,
        treatment="ind_counseling",
        versus="no_contact",
    )


def _network_forest(bench: Bench) -> Any:
    estimates = random_rows(bench.network.estimates())
    direct = {
        frozenset((row["treatment_a"], row["treatment_b"])): row["n_studies"]
        for row in rows_of(_edges(bench))
    }
    rows = estimates[(estimates["evidence"] == "network") & (estimates["versus"] == "plac")]
    rows = rows.assign(n_studies=[direct.get(frozenset((t, "plac")), 0) for t in rows["treatment"]])
    return charts.network_forest(
        rows, effect=bench.hba1c, reference="plac", ranking=random_rows(bench.network.ranking())
    )


def _summary_forest(bench: Bench) -> Any:
    estimates = random_rows(bench.network.estimates())
    rows = estimates[(estimates["evidence"] == "network") & (estimates["versus"] == "plac")]
    label = bench.hba1c.label
    rows = rows.assign(label=[label(t) for t in rows["treatment"]]).sort_values("estimate")
    return charts.summary_forest(
        rows, effect=bench.hba1c, sides=("treatment", label("plac")), title="HbA1c: every drug versus placebo"
    )


def _leave_one_out(bench: Bench) -> Any:
    fit = bench.smoking
    return charts.leave_one_out(
        random_rows(fit.leave_one_out()),
        effect=bench.cessation,
        treatment="ind_counseling",
        versus="no_contact",
        pooled=random_rows(fit.estimates()).iloc[0].to_dict(),
        labels=bench.labels("smoking", "study"),
    )


def _cumulative(bench: Bench) -> Any:
    return charts.cumulative(
        random_rows(bench.smoking.cumulative()),
        effect=bench.cessation,
        treatment="ind_counseling",
        versus="no_contact",
        labels=bench.labels("smoking", "study"),
    )


def _node_split(bench: Bench) -> Any:
    rows = random_rows(bench.network.node_splits())
    known = {
        (row["treatment"], row["versus"]): row
        for row in records(random_rows(bench.network.estimates()))
        if row["evidence"] == "network"
    }
    both = [
        row | {"network": whole["estimate"], "network_std_error": whole["std_error"]}
        for row in records(rows)
        if (whole := known.get((row["treatment"], row["versus"])))
    ]
    return charts.node_split(pd.DataFrame(both), effect=bench.hba1c)


def _prior_sensitivity(bench: Bench) -> Any:
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    for row in records(bench.exact.prior_sensitivity()):
        kind, _, pair = row["quantity"].partition(": ")
        if pair in ("rosi versus plac", "sulf versus plac"):
            treatment, _, versus = pair.partition(" versus ")
            about = {"scenario": row["item"], "treatment": treatment, "versus": versus}
            rows.setdefault((row["item"], pair), about)[kind] = row["value"]
    return charts.prior_sensitivity(
        pd.DataFrame(rows.values()), effect=bench.effect("diabetes", "hba1c", "MD", bayesian=True)
    )


def _funnel(bench: Bench) -> Any:
    weights = random_rows(bench.smoking.weights())
    labels = bench.labels("smoking", "study")
    return charts.funnel(
        weights.assign(label=[labels[study] for study in weights["study"]]),
        effect=bench.cessation,
        pooled=float(random_rows(bench.smoking.estimates())["estimate"].iloc[0]),
        title="Smoking cessation: Individual counselling versus No contact, funnel plot",
    )


def _comparison_adjusted_funnel(bench: Bench) -> Any:
    order = list(random_rows(bench.network.ranking()).sort_values("sucra", ascending=False)["treatment"])
    rows = bench.network.funnel(order).rename(columns={"direct": "centre"})
    return charts.comparison_adjusted_funnel(rows, effect=bench.hba1c, order=order)


def _edges(bench: Bench) -> pd.DataFrame:
    return bench.db("diabetes").frame(
        "from network_edge where outcome = 'hba1c' and measure = 'MD' order by all"
    )


def _network_diagram(bench: Bench) -> Any:
    db = bench.db("diabetes")
    arms: dict[str, list[str]] = {}
    for row in db.rows(
        "from network_arm where outcome = 'hba1c' and measure = 'MD' and n_study_arms > 2 order by all"
    ):
        arms.setdefault(row["study"], []).append(row["treatment"])
    return charts.network_diagram(
        db.frame("from network_node where outcome = 'hba1c' and measure = 'MD' order by all"),
        _edges(bench),
        labels=bench.labels("diabetes", "treatment"),
        order=list(bench.labels("diabetes", "treatment")),
        multi_arm=list(arms.values()),
        title="HbA1c: network of comparisons",
    )


def _league(bench: Bench) -> Any:
    estimates = random_rows(bench.network.estimates())
    order = list(random_rows(bench.network.ranking()).sort_values("sucra", ascending=False)["treatment"])
    return charts.league(
        estimates[estimates["evidence"] == "network"],
        estimates[estimates["evidence"] == "direct"],
        effect=bench.hba1c,
        order=order,
    )


def _rankogram(bench: Bench) -> Any:
    fit = bench.network
    return charts.rankogram(
        random_rows(fit.rank_probabilities()),
        random_rows(fit.ranking()),
        labels=bench.hba1c.treatments,
        title="HbA1c: rank probabilities",
    )


def _cumulative_ranking(bench: Bench) -> Any:
    fit = bench.network
    return charts.cumulative_ranking(
        random_rows(fit.rank_probabilities()),
        random_rows(fit.ranking()),
        labels=bench.hba1c.treatments,
        title="HbA1c: cumulative ranking",
    )


def _rank_heat_plot(bench: Bench) -> Any:
    db = bench.db("alf")
    return charts.rank_heat_plot(
        db.frame("select * from published_ranking order by outcome, position"),
        labels=bench.labels("alf", "treatment"),
        outcomes=bench.labels("alf", "outcome"),
        title="Ranking that the printed league tables imply (Ma et al. 2023)",
    )


def _net_heat(bench: Bench) -> Any:
    names = bench.labels("diabetes", "treatment")
    frame = bench.network.net_heat("common")
    # "A:B" is a design of two treatments; "A:B_A:B:C" one contrast of a design of more.
    labels = {
        design: " vs ".join(names[part] for part in design.partition("_")[0].split(":"))
        + (f" (of {design.partition('_')[2].count(':') + 1} arms)" if "_" in design else "")
        for design in frame["design"].unique()
    }
    return charts.net_heat(frame, labels=labels, title="HbA1c: net heat plot")


def _contributions(bench: Bench) -> Any:
    names = bench.labels("diabetes", "treatment")
    pairs = [(treatment, "plac") for treatment in names if treatment != "plac"]
    frame = bench.network.contributions(pairs=pairs)

    def spelled(keys: pd.Series) -> dict[str, str]:
        return {key: " vs ".join(names[part] for part in key.split(":")) for key in keys.unique()}

    return charts.contributions(
        frame,
        estimates=spelled(frame["estimate"]),
        sources=spelled(frame["source"]),
        algorithm="random walk (Davies et al. 2022)",
    )


def _leverage(bench: Bench) -> Any:
    frame = random_rows(bench.exact.fit_statistics())
    wide = frame[frame["study"].notna()].pivot_table(index="study", columns="quantity", values="value")
    return charts.leverage(wide.reset_index())


def _posterior_density(bench: Bench) -> Any:
    import numpy as np

    fit = bench.exact
    names = bench.labels("diabetes", "treatment")
    rows = []
    for index, treatment in enumerate(fit.network.treatments[1:], 1):
        effect = fit.effect("random", np.array([index]), np.array([0]))
        lower, upper = (float(end[0]) for end in effect.interval())
        half = (upper - lower) / 2
        for value in np.linspace(lower - 0.8 * half, upper + 0.8 * half, 81):
            rows.append(
                {
                    "parameter": f"{names[treatment]} vs {names['plac']}",
                    "value": float(value),
                    "density": float(effect.density(np.array([value]))[0]),
                    "ci_lower": lower,
                    "ci_upper": upper,
                }
            )
    return charts.posterior_density(
        pd.DataFrame(rows), effect=bench.hba1c, title="HbA1c: posterior of each effect"
    )


def _chains(bench: Bench) -> pd.DataFrame:
    """Independent draws from the exact posterior in the shape of four chains."""
    fit = bench.exact
    names = bench.labels("diabetes", "treatment")
    rows = []
    for chain in range(4):
        effects = fit.draws("random", 400, chain + 1).effects
        for column in (1, 2, 3):
            label = f"{names[fit.network.treatments[column]]} vs {names['plac']}"
            rows += [
                {"parameter": label, "chain": chain + 1, "iteration": i, "value": float(value)}
                for i, value in enumerate(effects[:, column])
            ]
    return pd.DataFrame(rows)


def _trace(bench: Bench) -> Any:
    return charts.trace(_chains(bench), title="Traces (independent draws of the exact posterior)")


def _rank_trace(bench: Bench) -> Any:
    return charts.rank_trace(_chains(bench), title="Rank plots (independent draws of the exact posterior)")


def _psrf(bench: Bench) -> Any:
    from analysis.network.mcmc.convergence import psrf_by_iteration

    rows = []
    draws = _chains(bench)
    for parameter in draws["parameter"].unique():
        chains = draws[draws["parameter"] == parameter].pivot_table(
            index="chain", columns="iteration", values="value"
        )
        for iteration, psrf, upper in zip(*psrf_by_iteration(chains.to_numpy()), strict=True):
            rows.append({"parameter": parameter, "iteration": iteration, "psrf": psrf, "psrf_upper": upper})
    return charts.psrf(pd.DataFrame(rows))


def _bubble(bench: Bench) -> Any:
    studies, line = bench.smoking.meta_regression("year").bubble("year")
    return charts.bubble(studies, line, effect=bench.cessation, covariate="Year of publication")


def _baujat(bench: Bench) -> Any:
    labels = bench.labels("smoking", "study")
    wide = random_rows(bench.smoking.baujat()).pivot_table(index="study", columns="quantity", values="value")
    wide = wide.reset_index()
    return charts.baujat(wide.assign(label=[labels[study] for study in wide["study"]]))


def _gosh(bench: Bench) -> Any:
    found = bench.smoking.gosh(subsets=4000)
    first = found.studies[0]
    frame = found.frame().assign(contains=found.member[:, 0])
    return charts.gosh(frame, effect=bench.cessation, study=bench.labels("smoking", "study")[first])


def _traffic_light(bench: Bench) -> Any:
    db = bench.db("alf-simulated")
    frame = db.frame(
        "select light.* from rob_traffic_light as light inner join study using (study) "
        "where study in (select study from study order by study limit 20) order by study, position"
    )
    chart = charts.traffic_light(
        frame,
        labels=bench.labels("alf-simulated", "study"),
        title="Risk of bias by study (SYRCLE), first 20 studies",
    )
    return charts.mark_synthetic(chart)


def _rob_summary(bench: Bench) -> Any:
    frame = bench.db("alf-simulated").frame("from rob_summary order by all")
    return charts.mark_synthetic(charts.rob_summary(frame))


def _evidence_map(bench: Bench) -> Any:
    frame = bench.db("maternal-diet").frame("from network_node where measure = 'SMD' order by all")
    return charts.evidence_map(
        frame,
        treatments=bench.labels("maternal-diet", "treatment"),
        outcomes=bench.labels("maternal-diet", "outcome"),
    )


def _missing_data_map(bench: Bench) -> Any:
    frame = bench.db("maternal-diet").frame(
        "select distinct study, outcome, case when derivation = 'reported' then 'used' else 'used, "
        "derived' end "
        "as status from measurement_standard order by study, outcome"
    )
    return charts.missing_data_map(
        frame,
        labels=bench.labels("maternal-diet", "study"),
        outcomes=bench.labels("maternal-diet", "outcome"),
    )


def _prisma_flow(bench: Bench) -> Any:
    flow = bench.db("alf-simulated").frame("select * from prisma_flow order by position, reason")
    return charts.mark_synthetic(charts.prisma_flow(flow))
