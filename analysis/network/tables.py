"""The tables of a network meta-analysis, whatever engine gives the numbers: the only maker of its frames.

Each function asks a fit for what `analysis.network.protocol` describes and lays it out in rows; what columns
there are says `analysis.results.COLUMNS`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.network import ranking as ranks
from analysis.network.data.deletion import study_numbers
from analysis.network.data.graph import Comparisons, comparisons
from analysis.network.data.network import Array, Network
from analysis.network.protocol import (
    ByStudy,
    Effects,
    NamedEffects,
    QTest,
    Ranks,
    SensitivityRow,
    Shares,
    SplitSummary,
    filled,
)
from analysis.results import frame, text_column
from evidence.names import joined
from evidence.output import significant
from evidence.system.frames import cells
from evidence.system.frames import rows as rows_of
from evidence.system.memory import FEWER, refuse_without_room

if TYPE_CHECKING:
    import pandas as pd

    from analysis.network.funnel import Funnel
    from analysis.network.model.inconsistency import NetHeat
    from analysis.network.result import NetworkFit

ORIENTATION = "row versus column"
"""What every cell of a league table compares; written into every export."""
UNRELATED = "unrelated mean effects"
UNDETERMINED = "driven by the prior: the data do not determine this effect"
"""Note instead of a number in the model of unrelated mean effects."""


# --- parts ----------------------------------------------------------------------------------------------


def _stacked(name: str, parts: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Put frames of one kind below each other."""
    import pandas as pd

    if len(parts) == 1:
        return parts[0]
    return pd.concat(parts, ignore_index=True) if parts else frame(name)


def _names(net: Network) -> Array:
    return np.array(net.treatments, dtype=object)


def _of(fit: NetworkFit, model: str) -> dict[str, str]:
    return {"engine": fit.engine, "model": model}


# --- effects --------------------------------------------------------------------------------------------


def _estimates(
    fit: NetworkFit, model: str, treatment: Array, versus: Array, found: Effects, evidence: str
) -> pd.DataFrame:
    names = text_column(fit.network.treatments)
    columns = filled(found)
    if evidence == "network":
        columns["rests_on"] = fit.sources[model].rests_on(len(names))[treatment, versus]
    return frame(
        "estimates",
        {
            **_of(fit, model),
            "treatment": names.take(treatment),
            "versus": names.take(versus),
            "evidence": evidence,
            "n_studies": fit.studies_comparing[treatment, versus],
            **columns,
        },
    )


def effects(
    fit: NetworkFit, treatment: Array, versus: Array, found: Callable[[str], Effects]
) -> pd.DataFrame:
    """Tabulate effects of pairs from the whole network, model by model: ``estimates``."""
    parts = [_estimates(fit, model, treatment, versus, found(model), "network") for model in fit.models]
    return _stacked("estimates", parts)


def estimates(fit: NetworkFit) -> pd.DataFrame:
    """Tabulate all pairs, then what direct and indirect estimates there are: ``estimates``."""
    parts = [fit.relative_effects(fit.all_pairs())]
    for model in fit.models:
        for evidence, treatment, versus, found in fit.direct_and_indirect(model):
            parts.append(_estimates(fit, model, treatment, versus, found, evidence))
    return _stacked("estimates", [part for part in parts if len(part)])


def coefficients(fit: NetworkFit, found: Mapping[str, NamedEffects]) -> pd.DataFrame:
    """Tabulate coefficients by model: ``estimates`` with the covariate in `subgroup`."""
    parts = [
        frame(
            "estimates",
            {
                **_of(fit, model),
                "treatment": list(one.treatment),
                "versus": fit.network.reference,
                "evidence": "network",
                "subgroup": list(one.subgroup),
                "level": list(one.level),
                **filled(one.effects),
            },
        )
        for model, one in found.items()
    ]
    return _stacked("estimates", parts)


def heterogeneity(fit: NetworkFit) -> pd.DataFrame:
    """Tabulate ``heterogeneity``."""
    return frame(
        "heterogeneity",
        [_of(fit, model) | filled(fit.heterogeneity_of(model)) for model in fit.models],
    )


# --- ranks ----------------------------------------------------------------------------------------------


def _ranked(fit: NetworkFit) -> list[tuple[str, Ranks]]:
    """Ranks by model; none where there is no direction of benefit."""
    if ranks.benefit(fit.network) is None:
        return []
    return [(model, found) for model in fit.models if (found := fit.ranks(model)) is not None]


def ranking(fit: NetworkFit) -> pd.DataFrame:
    """Tabulate ``ranking``; one treatment alone has no rank."""
    parts = []
    for model, found in _ranked(fit):
        if len(order := found.order) > 1:
            score = found.sucra[order]
            columns = {
                "treatment": _names(fit.network)[found.treatment[order]],
                "mean_rank": ranks.mean_rank(found.sucra)[order],
                "sucra": score,
                "p_score": score,
                "p_best": found.probability[order, 0],
            }
            parts.append(frame("ranking", _of(fit, model) | columns))
    return _stacked("ranking", parts)


def rank_probabilities(fit: NetworkFit) -> pd.DataFrame:
    """Tabulate ``rank_probabilities``."""
    parts = []
    for model, found in _ranked(fit):
        n, probability = len(found.treatment), found.probability.ravel()
        columns = {
            "treatment": np.repeat(_names(fit.network)[found.treatment], n),
            "rank": np.tile(np.arange(1, n + 1), n),
            "probability": probability,
            "std_error": ranks.sampling_error(probability, found.draws),
        }
        parts.append(frame("rank_probabilities", _of(fit, model) | columns))
    return _stacked("rank_probabilities", parts)


def superiority(fit: NetworkFit, margin: float) -> pd.DataFrame:
    """Tabulate how likely treatments are better than others by a margin: see `NetworkFit.superiority`."""
    import pandas as pd

    sign, names = ranks.benefit(fit.network), _names(fit.network)
    parts = [
        pd.DataFrame(
            {
                "model": model,
                "treatment": names[treatment],
                "versus": names[versus],
                "margin": float(margin),
                "probability": better,
            }
        )
        for model, treatment, versus, better in (fit.better_by(sign, margin) if sign else ())
    ]
    columns = ["model", "treatment", "versus", "margin", "probability"]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns)


# --- the league -----------------------------------------------------------------------------------------


def league(fit: NetworkFit, model: str) -> pd.DataFrame:
    """Make the league table, the best treatment first, as a tidy table.

    Parameters
    ----------
    fit : NetworkFit
    model : {"common", "random"}

    Returns
    -------
    DataFrame
        One row per ordered pair of treatments: model, row, column, row_position, column_position (1 the
        best), orientation, scale, estimate, ci_lower, ci_upper, pi_lower, pi_upper (on the scale that is
        printed: ratios where the analysis was of logarithms), p_value, n_studies.
    """
    import pandas as pd

    ranked = fit.ranking()
    best_first = (ranks.order(ranked, model) if len(ranked) else []) or fit.network.treatments
    found = fit.relative_effects(fit.all_pairs())
    numbers = ["estimate", "ci_lower", "ci_upper", "pi_lower", "pi_upper"]
    one = found[found["model"] == model].rename(columns={"treatment": "row", "versus": "column"})
    # The same comparisons the other way round: signs change and limits change places.
    other = one.rename(
        columns={"row": "column", "column": "row", "ci_lower": "ci_upper", "ci_upper": "ci_lower"}
    )
    other = other.rename(columns={"pi_lower": "pi_upper", "pi_upper": "pi_lower"})
    other[numbers] = -other[numbers].astype(float)
    both = pd.concat([one, other[one.columns]], ignore_index=True)
    if fit.network.scale == "log":
        both[numbers] = np.exp(both[numbers].astype(float))
    position = {name: place for place, name in enumerate(best_first, start=1)}
    both["row_position"], both["column_position"] = both["row"].map(position), both["column"].map(position)
    both["orientation"] = ORIENTATION
    both["scale"] = fit.network.measure
    columns = ["model", "row", "column", "row_position", "column_position", "orientation", "scale"]
    tidy = both.sort_values(["row_position", "column_position"], ignore_index=True)
    return tidy[[*columns, *numbers, "p_value", "n_studies"]]


def league_matrix(
    league: pd.DataFrame, *, predictive: bool = False, digits: int | None = None
) -> pd.DataFrame:
    """Lay a league table out as a square of text, as it is printed.

    Parameters
    ----------
    league : DataFrame
        From `league`.
    predictive : bool
        Show prediction instead of credible or confidence intervals.
    digits : int, optional
        Decimal places; four significant digits without it.

    Returns
    -------
    DataFrame
        Treatments in rows and columns, the best first, their names on the diagonal; the name of the index
        says what each cell compares.
    """
    import pandas as pd

    lower, upper = ("pi_lower", "pi_upper") if predictive else ("ci_lower", "ci_upper")
    names = league.drop_duplicates("row").sort_values("row_position")["row"].tolist()

    def text(value: float) -> str:
        if not np.isfinite(value):
            return "-"
        return significant(value) if digits is None else f"{value:.{digits}f}"

    cells = {
        (row["row"], row["column"]): f"{text(row['estimate'])} ({text(row[lower])} to {text(row[upper])})"
        for row in rows_of(league)
    }
    table = pd.DataFrame(
        [[cells.get((row, column), row) for column in names] for row in names], index=names, columns=names
    )
    kind = "95 % prediction interval" if predictive else "95 % interval"
    table.index.name = f"{ORIENTATION}: {league['scale'].iloc[0]} ({kind})"
    return table


# --- agreement ------------------------------------------------------------------------------------------


def inconsistency(fit: NetworkFit) -> pd.DataFrame:
    """Tabulate ``inconsistency``: tests of Q, or the model of unrelated mean effects."""
    names = fit.network.treatments
    rows: list[dict[str, Any]] = []
    for model, found in fit.agreement():
        if isinstance(found, QTest):
            rows.append(_of(fit, model) | filled(found))
            continue
        about = _of(fit, model) | {"method": UNRELATED}
        difference = {} if found.dic_difference is None else {"dic_difference": found.dic_difference}
        rows.append({**about, "component": "network", **difference, "note": found.note})
        for a, b, estimate, error in zip(found.first, found.second, found.estimate, found.std_error):
            known = np.isfinite(error)
            numbers = {"direct": estimate, "direct_std_error": error} if known else {"note": UNDETERMINED}
            rows.append({**about, "treatment": names[b], "versus": names[a], **numbers})
    return frame("inconsistency", rows)


def node_splits(fit: NetworkFit, method: str, found: Callable[[str], Iterable[SplitSummary]]) -> pd.DataFrame:
    """Tabulate direct against indirect evidence, model by model: ``inconsistency``."""
    names = fit.network.treatments
    rows = []
    for model in fit.models:
        for split in found(model):
            cells = {"note": None, **filled(split)}
            cells |= {"treatment": names[cells.pop("second")], "versus": names[cells.pop("first")]}
            rows.append({**_of(fit, model), "method": method, **cells})
    return frame("inconsistency", rows)


def net_heat(found: NetHeat) -> pd.DataFrame:
    """Lay the numbers of the net heat plot out.

    Returns
    -------
    DataFrame
        One row per pair of design-specific contrasts: design and detached (a design of two treatments goes by
        their names; of more, each contrast with the base arm has a row of its own, "A:B_A:B:C");
        row_design, column_design (names of the designs); contribution (weight of the column's contrast in the
        network estimate of the row's); q (the row's part in the inconsistency Q); change (that part less what
        is left of it when the column's design is detached: above 0 where the design raises inconsistency;
        missing where detaching changes nothing).
    """
    import pandas as pd

    i, j = (index.ravel() for index in np.indices(found.change.shape))
    return pd.DataFrame(
        {
            "design": [found.contrast[r] for r in i],
            "detached": [found.contrast[r] for r in j],
            "row_design": [found.design[r] for r in i],
            "column_design": [found.design[r] for r in j],
            "contribution": found.contribution[i, j],
            "q": found.q[i],
            "change": found.change[i, j],
        }
    )


# --- study by study -------------------------------------------------------------------------------------


def leave_one_out(fit: NetworkFit, treatment: Array, versus: Array) -> pd.DataFrame:
    """Tabulate ``leave_one_out`` for pairs of treatments."""
    names, studies = _names(fit.network), np.array(study_numbers(fit.network)[1], dtype=object)
    parts: dict[str, list[Array]] = {}
    for model, found in fit.left_out(treatment, versus):
        shape = found.estimate.shape
        columns = filled(found) | {
            "engine": np.full(shape, fit.engine, dtype=object),
            "model": np.broadcast_to(np.array(model, dtype=object).reshape(-1, 1), shape),
            "study": studies[found.study],
            "treatment": np.broadcast_to(names[treatment], shape),
            "versus": np.broadcast_to(names[versus], shape),
        }
        for name, values in columns.items():
            each = values if values.ndim == 2 else np.broadcast_to(values[:, None], shape)
            parts.setdefault(name, []).append(each.ravel())
    return frame("leave_one_out", {name: np.concatenate(values) for name, values in parts.items()})


def _contrast_ids(net: Network, found: Comparisons) -> tuple[list[str | None], list[str | None]]:
    """Ids of the contrasts and of the measurements behind each comparison of two treatments in a study."""
    unknown: list[str | None] = [None] * len(found.study)
    table = net.contrasts
    if table is None or "contrast_id" not in table:
        return unknown, unknown
    n = len(net.treatments)
    number = {unit: u for u, unit in enumerate(net.studies)}
    index = {name: t for t, name in enumerate(net.treatments)}
    unit = np.array([number[u] for u in zip(cells(table["study"]), cells(table["experiment"]))])
    ends = [np.array([index[t] for t in cells(table[f"treatment_{side}"])]) for side in "ab"]
    code = (unit * n + np.minimum(*ends)) * n + np.maximum(*ends)
    wanted = (found.study * n + found.first) * n + found.second
    order = np.argsort(code, kind="stable")
    start, end = (np.searchsorted(code[order], wanted, side=side) for side in ("left", "right"))
    several = np.flatnonzero(end - start != 1).tolist()
    joint = []
    for name in ("contrast_id", "measurement_ids"):
        if name not in table:
            joint.append(unknown)
            continue
        texts = [text if isinstance(text, str) and text else None for text in cells(table[name])]
        ids = [texts[i] for i in order[np.minimum(start, len(order) - 1)].tolist()]
        for i in several:
            # Arms of one treatment were put together: each of their contrasts counts.
            ids[i] = ",".join(text for r in order[start[i] : end[i]] if (text := texts[r])) or None
        joint.append(ids)
    return joint[0], joint[1]


def weights(
    fit: NetworkFit, treatment: Array, versus: Array, shares: Callable[[str], Shares]
) -> pd.DataFrame:
    """Tabulate ``weights`` of the comparisons within studies in the estimates of pairs of treatments."""
    net = fit.network
    found = comparisons(net)
    refuse_without_room(
        85 * len(treatment) * len(found.study) * len(fit.models),
        f"The weights of {len(found.study):,} comparisons of studies in {len(treatment):,} effects",
        f"Ask for some effects only, in Python: fit.weights(pairs). {FEWER}",
    )
    ids = _contrast_ids(net, found)
    of_study = [text_column([unit[part] for unit in net.studies]) for part in (0, 1)]
    of_comparison = [text_column(texts) for texts in ids]
    of_treatment = text_column(net.treatments)
    error = np.sqrt(found.variance)
    parts = []
    for model in fit.models:
        share = shares(model)
        p, r = share.pair, share.comparison
        columns = {
            "treatment": of_treatment.take(treatment[p]),
            "versus": of_treatment.take(versus[p]),
            "study": of_study[0].take(found.study[r]),
            "experiment": of_study[1].take(found.study[r]),
            "contrast_id": of_comparison[0].take(r),
            "estimate": found.estimate[r],
            "std_error": error[r],
            "weight": share.weight,
            "measurement_ids": of_comparison[1].take(r),
        }
        parts.append(frame("weights", _of(fit, model) | columns))
    return _stacked("weights", parts)


# --- what estimates rest on -----------------------------------------------------------------------------


def pair_names(pairs: Iterable[tuple[str, str]]) -> list[str]:
    """Name pairs of treatments, treatment:versus."""
    return [joined(pair, ":") for pair in pairs]


def hat_matrix(values: Array, rows: Sequence[Any], columns: Sequence[Any]) -> pd.DataFrame:
    """Label a hat matrix; labels of two parts become two levels."""
    import pandas as pd

    def index(labels: Sequence[Any]) -> pd.Index:
        two = isinstance(labels[0], tuple)
        return pd.MultiIndex.from_tuples(labels) if two else pd.Index(labels)

    return pd.DataFrame(values, index=index(rows), columns=index(columns))


def contributions(estimates: Sequence[str], sources: Sequence[str], share: Array) -> pd.DataFrame:
    """Lay out the shares of direct comparisons in network estimates: estimate, source, share."""
    import pandas as pd

    i, j = (index.ravel() for index in np.indices(share.shape))
    names = np.array(estimates), np.array(sources)
    return pd.DataFrame({"estimate": names[0][i], "source": names[1][j], "share": share.ravel()})


def path_measures(pairs: Sequence[tuple[str, str]], length: Array, parallelism: Array) -> pd.DataFrame:
    """Lay out the paths behind estimates: treatment, versus, mean_path_length, minimal_parallelism."""
    import pandas as pd

    table = pd.DataFrame(pairs, columns=["treatment", "versus"])
    return table.assign(mean_path_length=length, minimal_parallelism=parallelism)


def funnel(net: Network, points: Funnel) -> pd.DataFrame:
    """Lay out the comparison-adjusted funnel.

    Returns
    -------
    DataFrame
        study, experiment, treatment, versus, estimate, std_error, centre (the pooled direct estimate),
        adjusted (estimate less centre). All comparisons of a multi-arm study are listed.
    """
    import pandas as pd

    names = _names(net)
    return pd.DataFrame(
        {
            "study": [net.studies[s][0] for s in points.study],
            "experiment": [net.studies[s][1] for s in points.study],
            "treatment": names[points.treatment],
            "versus": names[points.versus],
            "estimate": points.estimate,
            "std_error": points.std_error,
            "centre": points.centre,
            "adjusted": points.adjusted,
        }
    )


def structure(
    fit: NetworkFit, found: Mapping[str, Mapping[str, pd.DataFrame]], how: str = "random walk"
) -> pd.DataFrame:
    """Tabulate what there is of contributions, paths, net heat and hat matrix, by model: ``sensitivity``."""
    import pandas as pd

    parts = [frame("sensitivity")]
    for model, made in found.items():
        for method, item, quantity, value in _structure(made, how):
            one = {"method": method, "item": item, "quantity": quantity, "value": value}
            parts.append(frame("sensitivity", _of(fit, model) | one))
    return pd.concat(parts[1:] or parts, ignore_index=True).dropna(subset="value")


def _structure(made: Mapping[str, pd.DataFrame], how: str) -> Iterator[tuple[str, Any, Any, Any]]:
    """Give method, items, quantities and values of each part."""
    if (shares := made.get("contributions")) is not None:
        yield f"contribution, {how}", shares["estimate"], shares["source"], shares["share"]
    if (paths := made.get("paths")) is not None:
        pair = paths["treatment"] + ":" + paths["versus"]
        yield "paths", pair, "mean path length", paths["mean_path_length"]
        yield "paths", pair, "minimal parallelism", paths["minimal_parallelism"]
    if (heat := made.get("net_heat")) is not None:
        yield "net heat", heat["design"], "contribution of " + heat["detached"], heat["contribution"]
        yield "net heat", heat["design"], "change on detaching " + heat["detached"], heat["change"]
    if (hat := made.get("hat")) is not None:
        rows, columns = list(hat.index), list(hat.columns)
        items = [row for row in rows for _ in columns]
        yield "hat matrix", items, columns * len(rows), hat.to_numpy().ravel()


def sensitivity(fit: NetworkFit, found: Iterable[SensitivityRow]) -> pd.DataFrame:
    """Tabulate ``sensitivity``, finding by finding."""
    return frame("sensitivity", [{"engine": fit.engine} | filled(one) for one in found])


# --- fit and computation --------------------------------------------------------------------------------


def fit_statistics(fit: NetworkFit) -> pd.DataFrame:
    """Tabulate ``fit``."""
    columns: dict[str, list[Any]] = {name: [] for name in ("model", "study", "quantity", "value", "note")}
    for model in fit.models:
        for one in fit.statistics(model):
            values: list[float] = one.value.tolist() if isinstance(one, ByStudy) else [one.value]
            columns["study"] += one.study if isinstance(one, ByStudy) else [one.study]
            columns["value"] += values
            note = None if isinstance(one, ByStudy) else one.note
            columns["model"] += [model] * len(values)
            columns["quantity"] += [one.quantity] * len(values)
            columns["note"] += [note] * len(values)
    used = {name: values for name, values in columns.items() if any(value is not None for value in values)}
    return frame("fit", {"engine": fit.engine, **used} if columns["value"] else ())


def diagnostics(fit: NetworkFit) -> pd.DataFrame:
    """Tabulate ``diagnostics``."""
    return frame(
        "diagnostics", [_of(fit, model) | filled(one) for model in fit.models for one in fit.diagnosed(model)]
    )


def convergence(fit: NetworkFit) -> pd.DataFrame:
    """Tabulate ``convergence``."""
    parts = []
    for model in fit.models:
        for parameter, iteration, point, upper in fit.scale_reduction(model):
            columns = {"iteration": iteration, "psrf": point, "psrf_upper": upper}
            parts.append(frame("convergence", {"model": model, "parameter": parameter, **columns}))
    return _stacked("convergence", parts)


def notes(fit: NetworkFit) -> pd.DataFrame:
    """Tabulate ``notes``."""
    return frame("notes", [{"severity": severity, "message": message} for severity, message in fit.remarks()])
