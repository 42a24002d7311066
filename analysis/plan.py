"""Carry out analyses by name, and turn what they return into runs: rows that can be kept, printed and traced.

>>> import evidence
>>> from analysis import plan
>>> with evidence.open("smoking") as db:
...     run = plan.run_network(db, outcome="cessation", measure="OR", model="random")
>>> len(run.frames["estimates"]), len(run.frames["contrasts"])
(18, 28)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from inspect import signature
from math import inf
from typing import TYPE_CHECKING, Any, cast

from analysis import absolute, further
from analysis.prepared import (
    Prepared,
    PreparedNetwork,
    PreparedPairwise,
    engine_options,
    engine_parameters,
    not_installed,
    planned_options,
    prepare,
)
from analysis.results import frame
from evidence import facts
from evidence.errors import CallError, EvidenceError, RefusedError
from evidence.folder.options import Kind, specification
from evidence.results import IMPORTANTLY_BETTER, OVER_ALL, Run, versions
from evidence.system.frames import cells
from evidence.system.frames import rows as rows_of
from evidence.system.progress import heard, listening

if TYPE_CHECKING:
    import pandas as pd

    from analysis.network.data.network import Network
    from analysis.network.exact import ExactFit
    from analysis.network.result import NetworkFit
    from analysis.pairwise import PairwiseFit
    from evidence.query import EvidenceBase

__all__ = [
    "engine_options",
    "engine_parameters",
    "fitted",
    "planned_network",
    "planned_options",
    "planned_pairwise",
    "run_network",
    "run_pairwise",
    "run_plan",
    "run_planned",
    "try_plan",
]

Progress = Callable[[str], None]

MOST_REFITTED = 1_000
"""Most studies left out in turn without being asked for by name, where each takes a fit of its own."""


def run_pairwise(
    db: EvidenceBase,
    *,
    outcome: str,
    measure: str,
    treatment: str,
    versus: str,
    analysis: str | None = None,
    progress: Progress | None = None,
    printed: bool = False,
    **options: Any,
) -> Run:
    """Carry out one pairwise meta-analysis.

    Parameters
    ----------
    db : EvidenceBase
    outcome, measure, treatment, versus
        As in `analysis.pairwise.fit`.
    analysis : str, optional
        Name in the review's plan.
    progress : callable, optional
        Called with a few words before each step.
    printed : bool
        Make only what is printed to be read: no weights, no contrasts, and of the frame sensitivity only the
        tests between subgroups, meta-regression and what is asked for by name. Such a run is not to be kept.
    **options
        Options of a pairwise analysis as `evidence.folder.options` declares them (timepoint, where,
        exclude_high_rob; moderators, reference_levels, permutations and at of a meta-regression; sensitivity,
        names of further analyses, cumulative, and what these are told: all their rows stand in the frame
        sensitivity), and those of `analysis.pairwise.fit`: tau2, ci, prediction, by, shared, method,
        dependence, separate_tau2, tau2_interval.

    Returns
    -------
    Run
        With frames estimates, heterogeneity, leave_one_out, sensitivity, notes, exclusions, weights and
        contrasts (what entered).

    Raises
    ------
    EvidenceError
        As `analysis.pairwise.fit`.
    """
    say = progress or heard()
    asked = {"outcome": outcome, "measure": measure, "treatment": treatment, "versus": versus, **options}
    say("1/4 reading and pooling")
    prepared = prepare(db, "pairwise", asked, analysis=analysis)
    return carry_out(prepared, progress=progress, printed=printed)


def _carry_out_pairwise(prepared: PreparedPairwise, say: Progress, printed: bool) -> Run:
    asked, fit = prepared.asked, prepared.fit
    measure, contrasts = asked["measure"], fit.contrasts
    frames = _pairwise_frames(prepared, say, printed)
    if not printed:
        frames["weights"] = fit.weights()
    if not printed or facts.forms(measure):
        frames["contrasts"] = prepared.contrasts()
    if asked["absolute"] is not None:
        _add_absolute(frames, measure, contrasts.versus, asked["absolute"], prepared.contrasts)
    frames |= _every_defensible(prepared, say)
    return Run(
        kind="pairwise",
        engine="frequentist",
        scale=contrasts.scale,
        specification=specification("pairwise", {**asked, "timepoint": contrasts.timepoint})
        | (dict(prepared.priors) if "bayes" in asked["sensitivity"] else {})
        | asdict(fit.options),
        input_hash=prepared.input_hash,
        frames=frames | _forms_mixed(frames, measure, "g"),
        unit=contrasts.unit,
        lower_is_better=contrasts.lower_is_better,
        treatment=contrasts.treatment,
        versus=contrasts.versus,
        timepoint=contrasts.timepoint,
        subgroup=fit.options.by,
        seed=asked["seed"] if "gosh" in asked["sensitivity"] or asked["permutations"] else None,
        n_studies=len(fit.studies),
        n_arms=_count_arms(contrasts.frame),
        n_treatments=2,
        versions=versions(),
        computed_from=prepared.key,
        **prepared.about,
    )


def _add_absolute(
    frames: dict[str, pd.DataFrame],
    measure: str,
    comparator: str,
    asked: Any,
    contrasts: Callable[[], pd.DataFrame],
) -> None:
    """Add what the effects mean at a baseline of the comparator."""
    rows = absolute.of_estimates(measure, frames["estimates"], comparator, asked, contrasts)
    frames["sensitivity"] = _stacked("sensitivity", [frames["sensitivity"], rows])


def _pairwise_frames(prepared: PreparedPairwise, say: Progress, printed: bool) -> dict[str, pd.DataFrame]:
    import pandas as pd

    fit, asked = prepared.fit, prepared.asked
    say("2/4 analyses of sensitivity")
    sensitivity = further.of_pairwise(fit, asked, prepared.priors, printed)
    exclusions, notes = [prepared.exclusions, fit.exclusions()], [fit.notes()]
    if moderators := asked["moderators"]:
        regression = fit.meta_regression(*moderators, reference_levels=asked["reference_levels"])
        sensitivity += further.of_regression(regression, asked)
        exclusions.append(regression.left_out)
        notes += [_note("info", said) for said in regression.compared()]
        notes += [_note(severity, said) for severity, said in regression.cautions()]
    say(f"3/4 leaving out each of {len(fit.studies):,} studies in turn")
    left_out = frame("leave_one_out", [])
    if fit.left_out_at_once or len(fit.studies) <= MOST_REFITTED:
        left_out = fit.leave_one_out()
    else:
        said = f"No study was left out in turn: each of {len(fit.studies):,} would be a fit of its own."
        notes.append(_note("info", f"{said} In Python, `fit.leave_one_out()` does it."))
    say("4/4 tabulating results")
    return {
        "estimates": fit.estimates(),
        "heterogeneity": fit.heterogeneity(),
        "leave_one_out": left_out,
        "sensitivity": _stacked("sensitivity", sensitivity),
        "notes": _stacked("notes", notes),
        "exclusions": pd.concat(
            [part for part in exclusions if len(part)] or exclusions[:1], ignore_index=True
        ),
    }


def run_network(
    db: EvidenceBase,
    *,
    outcome: str,
    measure: str,
    analysis: str | None = None,
    progress: Progress | None = None,
    printed: bool = False,
    **options: Any,
) -> Run:
    """Carry out one network meta-analysis.

    Parameters
    ----------
    db : EvidenceBase
    outcome, measure
        As in `analysis.network.data.load`.
    analysis : str, optional
        Name in the review's plan.
    progress : callable, optional
        Called with a few words before each step.
    printed : bool
        Make only what is printed to be read: no weights, contrasts, probabilities of ranks or convergence.
        Such a run is not to be kept.
    **options
        Options of a network as `evidence.folder.options` declares them: reference, timepoint, where,
        treatments, smd, exclude_high_rob, covariates (as in `analysis.network.data.load`; of the engines
        that take them), engine, model (as in `analysis.network.fit`), sensitivity (names of further analyses)
        and what these are told, seed, node_split, split_method (as in ``node_splits``), leave_one_out, league
        (each model's league table, which is printed, not kept), chains (an exact fit's posterior drawn by
        Markov chains too; where PyMC is not installed a note says so) and funnel_order; and those of the
        engine (tau2, tau_prior, effect_prior_sd, ...), for which None stands for its default.

    Returns
    -------
    Run
        With every frame that the engine gives.

    Raises
    ------
    CallError
        If an option is not one of the engine's.
    EvidenceError
        As `analysis.network.data.load` and `analysis.network.fit`.
    """
    say = progress or heard()
    say("reading the network")
    asked = {"outcome": outcome, "measure": measure, **options}
    prepared = prepare(db, "network", asked, analysis=analysis)
    return carry_out(prepared, progress=progress, printed=printed)


def carry_out(
    prepared: PreparedPairwise | PreparedNetwork, *, progress: Progress | None = None, printed: bool = False
) -> Run:
    """Carry out an analysis that is read.

    Parameters
    ----------
    prepared : PreparedPairwise or PreparedNetwork
        From `analysis.prepared.prepare`.
    progress, printed
        As in `run_pairwise` and `run_network`.

    Raises
    ------
    EvidenceError
        As `analysis.pairwise.fit` and `analysis.network.fit`.
    """
    say = progress or heard()
    if isinstance(prepared, PreparedNetwork):
        return _carry_out_network(prepared, say, printed)
    return _carry_out_pairwise(prepared, say, printed)


def _every_defensible(prepared: Prepared, say: Progress) -> dict[str, pd.DataFrame]:
    """Carry out every defensible analysis of the question, where asked for."""
    if prepared.every is None:
        return {}
    from analysis.firm.multiverse import multiverse

    db, options = prepared.every
    kind: Kind = "network" if isinstance(prepared, PreparedNetwork) else "pairwise"
    found = multiverse(db, kind, options, progress=say)
    return {"multiverse": found.cells, "multiverse_choice": found.levels}


def _carry_out_network(prepared: PreparedNetwork, say: Progress, printed: bool) -> Run:
    net, chosen = prepared.network, prepared.chosen
    fit = _network_fit(prepared, say)
    asked = dict(prepared.asked)
    engine, measure = asked["engine"], asked["measure"]
    splits = _split_options(fit, asked["split_method"])
    asked["node_split"] = asked["node_split"] or bool(splits)
    with listening(say):
        frames = _network_frames(fit, splits if asked["node_split"] else None, asked, say)
    frames["exclusions"] = prepared.exclusions
    say("analyses of sensitivity")
    with listening(say):
        sensitivity = [frames["sensitivity"], *further.of_network(fit, asked, prepared.roles, printed)]
        frames["thresholds"] = further.thresholds(fit, asked)
    frames["sensitivity"] = _stacked("sensitivity", sensitivity)
    if not printed:
        frames |= {
            "rank_probabilities": fit.rank_probabilities(),
            "weights": fit.weights(),
            "convergence": fit.convergence(),
        }
    if not printed or facts.forms(measure):
        frames["contrasts"] = prepared.contrasts()
    if asked["absolute"] is not None:
        _add_absolute(frames, measure, net.reference, asked["absolute"], prepared.contrasts)
    frames |= _every_defensible(prepared, say)
    frames |= _forms_mixed(frames, measure, asked["smd"])
    if asked["chains"]:
        say("drawing Markov chains")
        with listening(say):
            frames |= _chains(fit, frames["notes"], asked["seed"])
    rule = prepared.timepoint
    return Run(
        kind="network",
        engine=engine,
        scale=net.scale,
        specification=specification("network", asked | {"reference": net.reference, "timepoint": rule})
        # JSON has no infinity, which makes a prior flat.
        | {name: "infinity" if value == inf else value for name, value in chosen.items()},
        input_hash=prepared.input_hash,
        frames=frames,
        unit=net.unit,
        lower_is_better=net.lower_is_better,
        reference=net.reference,
        timepoint=rule,
        seed=chosen.get("seed"),
        n_studies=len({study for study, _ in net.studies}),
        n_arms=net.n_arms,
        n_treatments=len(net.treatments),
        versions=versions(*facts.engine(engine).needs),
        computed_from=prepared.key,
        **prepared.about,
    )


def fitted(
    db: EvidenceBase, kind: Kind, options: Mapping[str, Any], *, progress: Progress | None = None
) -> tuple[PairwiseFit | NetworkFit, dict[str, Any]]:
    """Fit an analysis by name, without what a run adds.

    Parameters
    ----------
    db : EvidenceBase
    kind : {"pairwise", "network"}
    options : mapping
        As `run_pairwise` and `run_network` take them.
    progress : callable, optional
        Called with a few words before each step.

    Returns
    -------
    (fit, asked)
        What was asked, defaults filled in, beside options of the fit.

    Raises
    ------
    EvidenceError
        As `run_pairwise` and `run_network`.
    """
    say = progress or heard()
    given = {name: value for name, value in options.items() if name != "analysis"}
    say("reading the network" if kind == "network" else "reading and pooling")
    prepared = prepare(db, kind, given, whole=True, planned=True)
    fit = _network_fit(prepared, say) if isinstance(prepared, PreparedNetwork) else prepared.fit
    return fit, dict(prepared.asked)


def _network_fit(prepared: PreparedNetwork, say: Progress) -> NetworkFit:
    from analysis import network

    engine = prepared.asked["engine"]
    say(f"fitting the {engine} engine")
    try:
        with listening(say):
            return network.fit(
                prepared.network, engine=engine, model=prepared.asked["model"], **prepared.chosen
            )
    except ModuleNotFoundError as error:
        raise not_installed(engine, error) from None


def _split_options(fit: NetworkFit, method: str | None) -> dict[str, str]:
    """How direct is set against indirect evidence, where it is asked for by name."""
    if method is None:
        return {}
    if "method" not in signature(fit.node_splits).parameters:
        raise CallError(f"The {fit.engine} engine has one way to split: leave --split-method out.")
    return {"method": method}


def run_plan(db: EvidenceBase, *, progress: Progress | None = None) -> list[Run]:
    """Carry out every analysis of the review's plan.

    Parameters
    ----------
    db : EvidenceBase
    progress : callable, optional
        Called with a few words before each step.

    Returns
    -------
    list of Run
        In the plan's order.

    Raises
    ------
    EvidenceError
        If any analysis is refused; its message has the refusals of all of them.

    Examples
    --------
    >>> with evidence.open("diabetes") as db:
    ...     runs = plan.run_plan(db)
    >>> [(run.analysis, run.n_studies) for run in runs]
    [('hba1c-network', 26), ('hba1c-metformin', 4), ('hba1c-rosiglitazone', 6)]
    """
    runs, refused = try_plan(db, progress=progress)
    if refused:
        raise EvidenceError("\n".join(f"{name}: {error}" for name, error in refused.items()))
    return runs


def try_plan(
    db: EvidenceBase, *, progress: Progress | None = None
) -> tuple[list[Run], dict[str, EvidenceError]]:
    """Carry out every analysis of the review's plan that can be carried out.

    Returns
    -------
    runs : list of Run
        In the plan's order.
    refused : dict of str to EvidenceError
        Why the others cannot be, by name.
    """
    say = progress or heard()
    runs: list[Run] = []
    refused: dict[str, EvidenceError] = {}
    rows = db.rows("select * from plan order by position, analysis")
    for number, row in enumerate(rows, 1):
        head = f"{number}/{len(rows)} {row['analysis']}"
        say(head)
        try:
            runs.append(run_planned(db, row, progress=_under(head, say)))
        except EvidenceError as error:
            refused[row["analysis"]] = error
    return runs, refused


def _under(head: str, say: Progress) -> Progress:
    return lambda step: say(f"{head}: {step}")


def run_planned(db: EvidenceBase, row: Mapping[str, Any], *, progress: Progress | None = None) -> Run:
    """Carry out one analysis of the plan.

    Parameters
    ----------
    db : EvidenceBase
    row : mapping
        A row of table ``plan``.
    progress : callable, optional
        Called with a few words before each step.

    Raises
    ------
    EvidenceError
        If it is refused.
    """
    given = planned_options(row)
    if row["kind"] == "pairwise":
        return run_pairwise(db, **given, progress=progress)
    return run_network(db, **given, progress=progress)


def planned_pairwise(db: EvidenceBase, row: Mapping[str, Any]) -> PairwiseFit:
    """Fit a pairwise analysis of the plan, without what a run adds."""
    return cast("PairwiseFit", fitted(db, "pairwise", planned_options(row))[0])


def planned_network(db: EvidenceBase, row: Mapping[str, Any]) -> Network:
    """Read the network of an analysis of the plan."""
    return cast("PreparedNetwork", prepare(db, "network", planned_options(row), whole=True)).network


def _forms_mixed(frames: Mapping[str, pd.DataFrame], measure: str, form: str) -> dict[str, pd.DataFrame]:
    """Add a note that names the studies whose SMD is of whatever form their authors printed."""
    if not facts.forms(measure):
        return {}
    rows = frames["contrasts"]
    reported = rows[rows["reported_contrast_id"].notna()]
    if reported.empty:
        return {}
    which = " or ".join(str(known.form_name) for known in facts.forms(measure))
    said = (
        f"{measure} as reported, {which} as the authors have it: {', '.join(sorted(set(reported['study'])))}."
    )
    if len(reported) < len(rows):
        said = f"{said[:-1]}; the others are {facts.measure(measure, form).form_name}, computed from arms."
    return {"notes": _stacked("notes", [frames["notes"], _note("warning", said)])}


def _network_frames(
    fit: NetworkFit, splits: Mapping[str, str] | None, asked: Mapping[str, Any], say: Progress
) -> dict[str, pd.DataFrame]:
    import pandas as pd

    say("tabulating results")
    inconsistency = fit.inconsistency()
    if splits is not None:
        say("splitting nodes")
        inconsistency = _stacked("inconsistency", [inconsistency, fit.node_splits(**splits)])
    frames = {
        "estimates": fit.estimates(),
        "heterogeneity": fit.heterogeneity(),
        "ranking": fit.ranking(),
        "inconsistency": inconsistency,
        "diagnostics": fit.diagnostics(),
        "fit": fit.fit_statistics(),
        "sensitivity": _importantly_better(fit, asked["margin"]),
        "notes": fit.notes(),
    }
    if asked["league"]:
        frames["league"] = pd.concat([fit.league(model) for model in fit.models], ignore_index=True)
    if asked["leave_one_out"]:
        count = len({study for study, _ in fit.network.studies})
        say(f"leaving out each of {count:,} studies in turn")
        frames["leave_one_out"] = fit.leave_one_out()
    return frames


def _chains(fit: NetworkFit, notes: pd.DataFrame, seed: int) -> dict[str, pd.DataFrame]:
    """Draw the posterior of an exact fit by Markov chains: how they converge, and whether they agree."""
    from analysis import network

    priors = cast("ExactFit", fit).specification
    try:
        drawn = network.fit(
            fit.network,
            engine="mcmc",
            model="random",
            tau_prior=priors.prior,
            effect_prior_sd=priors.effect_sd,
            seed=seed,
        )
    except RefusedError as error:
        return {"notes": _stacked("notes", [notes, _note("warning", f"No chains were drawn: {error}")])}
    exact = fit.relative_effects()
    exact = exact[exact["model"] == "random"].set_index("treatment")
    chains = drawn.relative_effects().set_index("treatment")
    apart = ((chains["estimate"] - exact["estimate"]).abs() / exact["std_error"]).max()
    message = (
        "Markov chains drawn from the same posterior give the same effects against the reference to"
        f" {apart:.2f} posterior standard deviations."
    )
    return {
        "notes": _stacked("notes", [notes, _note("info", message)]),
        "convergence": drawn.convergence(),
    }


def _note(severity: str, message: str) -> pd.DataFrame:
    return frame("notes", [{"severity": severity, "message": message}])


def _importantly_better(fit: NetworkFit, margin: float | None = None) -> pd.DataFrame:
    """Tabulate how likely each treatment is better by a margin, or by the smallest important difference.

    The mean over all others is the P-score for that difference (Mavridis et al. 2020, doi:10.1002/jrsm.1381).
    """
    import pandas as pd

    net = fit.network
    if (margin is None and net.smallest_important_difference is None) or net.lower_is_better is None:
        return frame("sensitivity")
    table = fit.superiority(margin)
    pairs = table.assign(quantity="probability versus " + table["versus"])
    over_all = table.groupby(["model", "treatment"], sort=False, as_index=False)[
        ["margin", "probability"]
    ].mean()
    both = pd.concat([pairs, over_all.assign(quantity=OVER_ALL)], ignore_index=True)
    return frame(
        "sensitivity",
        {
            "engine": fit.engine,
            "model": both["model"],
            "method": IMPORTANTLY_BETTER,
            "item": both["treatment"],
            "quantity": both["quantity"],
            "value": both["probability"],
            "note": [f"difference {margin:.6g} on the analysis scale" for margin in both["margin"]],
        },
    )


def _stacked(name: str, parts: list[pd.DataFrame]) -> pd.DataFrame:
    """Put frames of one kind under each other, without guessing types from empty ones."""
    rows: list[Any] = [row for part in parts for row in rows_of(part)]
    return frame(name, rows)


def _count_arms(contrasts: pd.DataFrame) -> int:
    unit = cells(contrasts["study"]), cells(contrasts["experiment"])
    arms = {arm for side in "ab" for arm in zip(*unit, cells(contrasts[f"arm_{side}"]), strict=True)}
    return len(arms)
