"""Analyses of sensitivity of a run, by their names in plan and commands: rows of the frame sensitivity."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from analysis.results import frame
from evidence import facts
from evidence.errors import CallError, RefusedError
from evidence.folder.further import ALL, BY_NAME, NETWORK, PAIRWISE, wrong_names
from evidence.system.frames import records

if TYPE_CHECKING:
    import pandas as pd

    from analysis.network.result import NetworkFit
    from analysis.pairwise import PairwiseFit
    from analysis.pairwise.regression import MetaRegression
    from analysis.pairwise.sequential import Sequential

FUNNEL = "comparison-adjusted funnel"
"""Begins the method of tests of a network's funnel."""

_STRUCTURE = ("contributions", "paths", "net_heat", "hat")
_EFFECT = ("estimate", "std_error", "ci_lower", "ci_upper", "pi_lower", "pi_upper", "p_value")


def _settled(asked: Mapping[str, Any], known: Mapping[str, str], without: Collection[str]) -> list[str]:
    """Names that were asked for, "all" spelled out but for those `without`, each once, in their order."""
    names = list(asked["sensitivity"] or ())
    if wrong := wrong_names(names, known):
        raise CallError(f"sensitivity {wrong[0]}: {wrong[1]}.")
    return [name for name in known if name in names or (ALL in names and name not in without)]


# --- pairwise ---------------------------------------------------------------------------------------------


def of_pairwise(
    fit: PairwiseFit, asked: Mapping[str, Any], priors: Mapping[str, Any], printed: bool
) -> list[pd.DataFrame]:
    """Carry out what a pairwise run asks for.

    Parameters
    ----------
    fit : PairwiseFit
    asked : mapping
        Options of the run (`evidence.folder.options`).
    priors : mapping
        tau_prior and effect_prior_sd of ``bayes``, where given.
    printed : bool
        Only what is asked for by name; else all that applies where nothing is, and the usual tests of the
        funnel besides.

    Returns
    -------
    list of DataFrame
        Columns of ``sensitivity``.
    """
    from analysis.pairwise.sensitivity import METHODS, Settings, usual_tests

    names = _settled(asked, PAIRWISE, BY_NAME)
    tables_too = fit.contrasts.measure == "OR" or ALL not in asked["sensitivity"]
    named = [name for name in names if tables_too or name not in ("peters", "harbord", "table_tests")]
    settings = Settings(
        asked["predictor"],
        asked["anyway"],
        asked["side"],
        0.025 if asked["selection_step"] is None else asked["selection_step"],
        asked["selection_direction"],
    )
    methods: list[str] | None = None
    if names or printed:
        kept = named if printed else [*named, *usual_tests(fit.contrasts.measure)]
        methods = ["subgroups", *(method for name in kept for method in METHODS.get(name, ()))]
    found = [fit.sensitivity(methods, settings)]
    if "gosh" in names:
        found.append(_gosh(fit, asked))
    if "estimators" in names:
        found.append(_estimators(fit))
    if "bayes" in names:
        found.append(_bayes(fit, priors))
    if asked["cumulative"] is not None:
        found.append(_cumulative(fit, asked["cumulative"]))
    if asked["sequential"]:
        found.append(sequential_of(fit, asked).frame())
    return found


def sequential_of(fit: PairwiseFit, asked: Mapping[str, Any]) -> Sequential:
    """Carry out the sequential analysis that a run asks for.

    Raises
    ------
    CallError
        If no effect worth finding is known.
    """
    if asked["anticipated_effect"] is None:
        raise CallError(
            "A sequential analysis is about an effect worth finding: say it, --anticipated-effect (plan: "
            "anticipated_effect), or give the outcome its smallest_important_difference in outcomes.csv."
        )
    given = {name: asked[name] for name in ("alpha", "power", "diversity") if asked[name] is not None}
    return fit.sequential(asked["anticipated_effect"], **given)


def _rows(
    engine: str, model: str, method: str, item: str, values: Mapping[str, Any], **about: Any
) -> Iterator[dict[str, Any]]:
    """Rows of one item: those of its values that are numbers."""
    for quantity, value in values.items():
        if value is not None and value == value:
            one = {"engine": engine, "model": model, "method": method, "item": item}
            yield one | about | {"quantity": quantity, "value": float(value)}


def _gosh(fit: PairwiseFit, asked: Mapping[str, Any]) -> pd.DataFrame:
    most = 1_000_000 if asked["subsets"] is None else asked["subsets"]
    found = fit.gosh(subsets=most, seed=asked["seed"])
    note = "all subsets of two studies or more" if found.complete else f"a sample, seed {asked['seed']}"
    return frame(
        "sensitivity",
        [
            row
            for item, study, values in found.summary()
            for row in _rows("frequentist", "random", "GOSH", item, values, study=study, note=note)
        ],
    )


def _estimators(fit: PairwiseFit) -> pd.DataFrame:
    from analysis.sensitivity.questions import of_estimators

    quantities = (*_EFFECT, "tau2", "i2")
    return frame(
        "sensitivity",
        [
            made
            for row in records(of_estimators(fit))
            for made in _rows(
                "frequentist",
                row["model"],
                "estimators",
                row["case"],
                {name: row[name] for name in quantities},
            )
        ],
    )


def _bayes(fit: PairwiseFit, priors: Mapping[str, Any]) -> pd.DataFrame:
    posterior = fit.bayes(**priors)
    said = "; ".join(message for _, message in posterior.remarks()) or None
    found: list[dict[str, Any]] = []
    for row in records(posterior.estimates()):
        if (row["treatment"], row["versus"]) == (fit.contrasts.treatment, fit.contrasts.versus):
            effect = {name: row[name] for name in _EFFECT[:-1]}
            found += _rows("exact", row["model"], "Bayesian", "effect", effect, note=said)
    for row in records(posterior.heterogeneity()):
        if row["model"] == "random":
            spread = {name: row[name] for name in ("tau", "tau_lower", "tau_upper", "tau2")}
            found += _rows("exact", "random", "Bayesian", "heterogeneity", spread, note=said)
    return frame("sensitivity", found)


def _cumulative(fit: PairwiseFit, by: str) -> pd.DataFrame:
    quantities = ("estimate", "std_error", "ci_lower", "ci_upper", "tau", "i2", "q")
    return frame(
        "sensitivity",
        [
            made
            for row in records(fit.cumulative(by))
            for made in _rows(
                row["engine"],
                row["model"],
                f"cumulative by {by}",
                row["study"],
                {name: row[name] for name in quantities},
                study=row["study"],
                note=row["note"],
            )
        ],
    )


def of_regression(regression: MetaRegression, asked: Mapping[str, Any]) -> list[pd.DataFrame]:
    """Tabulate a meta-regression, and where asked for its permutation test and its prediction at values."""
    found = [regression.frame()]
    if asked["permutations"] is not None:
        table = regression.permutation_test(asked["permutations"], asked["seed"])
        rows = [
            made
            for row in records(table)
            for made in _rows(
                "frequentist",
                "random",
                "permutation test",
                row["term"],
                {"p_value": row["p_value"], "permutations": row["permutations"]},
                note="all orders" if row["exact"] else f"drawn, seed {asked['seed']}",
            )
        ]
        found.append(frame("sensitivity", rows))
    if asked["at"]:
        values = regression.predict(**asked["at"])
        found.append(
            frame(
                "sensitivity",
                list(_rows("frequentist", "random", "prediction", said_at(asked["at"]), values)),
            )
        )
    return found


def said_at(values: Mapping[str, Any]) -> str:
    """Values of variables, as they name a prediction."""
    return ", ".join(
        f"{name} = {value:g}" if isinstance(value, float) else f"{name} = {value}"
        for name, value in values.items()
    )


def thresholds(fit: NetworkFit, asked: Mapping[str, Any]) -> pd.DataFrame:
    """Find the thresholds of the decision asked for; no rows where no run of thresholds was asked for."""
    if "thresholds" not in asked["sensitivity"]:
        return frame("thresholds", [])
    return fit.thresholds(
        asked["decision"] or "best", refit=asked["refit"] or 0, plausible_bias=asked["plausible_bias"]
    )


# --- network ----------------------------------------------------------------------------------------------


def of_network(
    fit: NetworkFit, asked: Mapping[str, Any], roles: Mapping[str, str], printed: bool
) -> list[pd.DataFrame]:
    """Carry out what a network's run asks for; tests of its funnel besides where the run is kept.

    Roles are those of the treatments, in the order in which the review lists them.

    Raises
    ------
    CallError
        If something is asked for by name that the engine does not have.
    """
    lacking = {name for name in NETWORK if fit.engine not in facts.offering(name)}
    names = _settled(asked, NETWORK, BY_NAME | lacking)
    if unable := [name for name in names if name in lacking]:
        right = facts.offering(unable[0])[0]
        raise CallError(f"The {fit.engine} engine has no {', '.join(unable)}; the engine {right} has.")
    engine: Any = fit
    found = []
    if parts := [name for name in names if name in _STRUCTURE]:
        found.append(engine.sensitivity(parts, asked["contribution_method"] or "random walk"))
    if "prior_sensitivity" in names:
        sds = [float(sd) for sd in asked["other_effect_prior_sds"] or ()]
        found.append(engine.prior_sensitivity(asked["other_tau_priors"] or (), sds))
    if "leave_one_treatment_out" in names:
        found.append(engine.leave_one_treatment_out())
    if asked["covariates"]:
        found.append(_slopes(engine))
        if asked["at"]:
            found.append(_at(engine, asked["at"]))
    if asked["class_effects"]:
        found.append(_classes(engine))
    if "small_study" in names or not printed:
        found.append(_small_study(fit, asked, roles))
    return found


def _slopes(fit: Any) -> pd.DataFrame:
    """Slopes of a network meta-regression: whose effect they change, by what."""
    rows = [
        made
        for row in records(fit.coefficients())
        for made in _rows(
            row["engine"],
            row["model"],
            "meta-regression",
            f"{row['subgroup']}{'' if row['level'] == 'slope' else ': ' + str(row['level'])}",
            {name: row[name] for name in _EFFECT},
            note=f"change of the effect of {row['treatment']} against {row['versus']}",
        )
    ]
    return frame("sensitivity", rows)


def _at(fit: Any, values: Mapping[str, Any]) -> pd.DataFrame:
    if not hasattr(fit, "splits"):
        raise CallError(
            f"The {fit.engine} engine gives no effects at other values: use the engine exact, or centre."
        )
    rows = [
        made
        for row in records(fit.relative_effects(at={name: float(value) for name, value in values.items()}))
        for made in _rows(
            row["engine"],
            row["model"],
            f"effects at {said_at(values)}",
            f"{row['treatment']} versus {row['versus']}",
            {name: row[name] for name in _EFFECT},
        )
    ]
    return frame("sensitivity", rows)


def _classes(fit: Any) -> pd.DataFrame:
    rows = [
        made
        for row in records(fit.class_effects())
        for made in _rows(
            row["engine"],
            row["model"],
            "class effects",
            f"{row['subgroup']}: {row['level']}",
            {name: row[name] for name in _EFFECT},
            note=f"of {row['treatment']} against {row['versus']}",
        )
    ]
    return frame("sensitivity", rows)


def funnel_order(
    treatments: Sequence[str], roles: Mapping[str, str], planned: Sequence[str] | None
) -> list[str]:
    """Order of the treatments of a comparison-adjusted funnel: an earlier minus a later one.

    Parameters
    ----------
    treatments : sequence of str
        Those of the network, as the review lists them.
    roles : mapping of str to str
        Role of each: active, control or sham.
    planned : sequence of str or None
        What the plan puts first; the others follow, active treatments before controls.
    """
    order = sorted(treatments, key=lambda treatment: roles.get(treatment) != "active")
    first = [treatment for treatment in planned or () if treatment in order]
    return [*first, *(treatment for treatment in order if treatment not in first)]


def _small_study(fit: NetworkFit, asked: Mapping[str, Any], listed: Mapping[str, str]) -> pd.DataFrame:
    """Test the comparison-adjusted funnel; why that is refused is a row of its own."""
    there = set(fit.network.treatments)
    if unknown := [name for name in asked["funnel_order"] or () if name not in there]:
        known = ", ".join(fit.network.treatments)
        raise CallError(f"The order of the funnel names {', '.join(unknown)}; the network has {known}.")
    known_first = [name for name in listed if name in there]
    others = [name for name in fit.network.treatments if name not in listed]
    order = funnel_order([*known_first, *others], listed, asked["funnel_order"])
    model = fit.chosen_model(None)
    try:
        return fit.small_study_effects(order, model, predictor=asked["predictor"], anyway=asked["anyway"])
    except RefusedError as error:
        row = {"engine": fit.engine, "model": model, "method": f"{FUNNEL}, Egger", "item": " > ".join(order)}
        return frame("sensitivity", [row | {"quantity": "refused", "note": error.message}])
