"""Carry out analyses by name, and turn what they return into runs: rows that can be kept, printed and traced.

>>> import evidence
>>> from analysis import plan
>>> with evidence.open("smoking") as db:
...     run = plan.run_network(db, outcome="cessation", measure="OR", model="random")
>>> len(run.frames["estimates"]), len(run.frames["contrasts"])
(18, 28)
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from importlib import import_module
from inspect import signature
from math import inf
from typing import TYPE_CHECKING, Any, cast

from analysis import entered
from analysis.results import frame
from evidence import facts
from evidence.errors import CallError, EvidenceError, RefusedError
from evidence.question import Question, time_rule
from evidence.results import CONTENT, IMPORTANTLY_BETTER, OVER_ALL, Run, hash_rows, versions
from evidence.system.frames import rows as rows_of

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
    "run_network",
    "run_pairwise",
    "run_plan",
    "run_planned",
    "try_plan",
]

Progress = Callable[[str], None]

MOST_LEFT_OUT = 20_000
"""Most studies of a pairwise analysis that are left out in turn without being asked for by name."""

# tau2 is estimated anew without each of k studies, from the k - 1 others: of REML, on one core.
_SECONDS_A_PAIR = 1.2e-7


def run_pairwise(
    db: EvidenceBase,
    *,
    outcome: str,
    measure: str,
    treatment: str,
    versus: str,
    timepoint: str | None = None,
    where: str | None = None,
    exclude_high_rob: bool = False,
    moderators: Sequence[str] = (),
    reference_levels: Mapping[str, str] | None = None,
    analysis: str | None = None,
    **options: Any,
) -> Run:
    """Carry out one pairwise meta-analysis.

    Parameters
    ----------
    db : EvidenceBase
    outcome, measure, treatment, versus, timepoint, where, exclude_high_rob
        As in `analysis.pairwise.fit`.
    moderators : sequence of str
        Variables of studies, arms or effects for a meta-regression; its rows stand in the frame sensitivity.
    reference_levels : mapping of str to str, optional
        Level of a moderator that the others are compared with; else the one that most studies have.
    analysis : str, optional
        Name in the review's plan.
    **options
        Further options of `analysis.pairwise.fit`: tau2, ci, prediction, by, shared, method, dependence,
        separate_tau2,
        tau2_interval.

    Returns
    -------
    Run
        With frames estimates, heterogeneity, leave_one_out, weights, sensitivity, notes, contrasts (what
        entered) and exclusions.

    Raises
    ------
    EvidenceError
        As `analysis.pairwise.fit`.
    """
    import pandas as pd

    from analysis import pairwise

    question: dict[str, Any] = {
        "outcome": outcome,
        "measure": measure,
        "treatment": treatment,
        "versus": versus,
    }
    fit = pairwise.fit(
        db, **question, timepoint=timepoint, where=where, exclude_high_rob=exclude_high_rob, **options
    )
    contrasts = fit.contrasts
    sensitivity, exclusions, notes = [fit.sensitivity()], [fit.exclusions()], [fit.notes()]
    if reference_levels and not moderators:
        raise CallError(
            f"A reference level is of a moderator: ask for moderator {', '.join(reference_levels)}."
        )
    if moderators:
        regression = fit.meta_regression(*moderators, reference_levels=reference_levels)
        sensitivity.append(regression.frame())
        exclusions.append(regression.left_out)
        notes += [_note("info", said) for said in regression.compared()]
        notes += [_note(severity, said) for severity, said in regression.cautions()]
    left_out = frame("leave_one_out", [])
    if (k := len(fit.studies)) <= MOST_LEFT_OUT:
        left_out = fit.leave_one_out()
    else:
        minutes = max(1, round(k**2 * _SECONDS_A_PAIR / 60))
        long = f"{minutes} minute{'s' * (minutes > 1)}"
        said = f"No study was left out in turn: with {k:,} it would take some {long}."
        notes.append(_note("info", f"{said} In Python, `fit.leave_one_out()` does it."))
    rule = contrasts.timepoint
    frames = {
        "estimates": fit.estimates(),
        "heterogeneity": fit.heterogeneity(),
        "leave_one_out": left_out,
        "weights": fit.weights(),
        "sensitivity": _stacked("sensitivity", sensitivity),
        "notes": _stacked("notes", notes),
        "contrasts": entered.of_pairwise(db, fit, moderators),
        "exclusions": pd.concat([part for part in exclusions if len(part)] or exclusions[:1]),
    }
    return Run(
        kind="pairwise",
        engine="frequentist",
        outcome=outcome,
        measure=measure,
        scale=contrasts.scale,
        specification=question
        | {"timepoint": rule, "where": where, "exclude_high_rob": exclude_high_rob}
        | {"moderators": list(moderators)}
        | ({"reference_levels": dict(reference_levels)} if reference_levels else {})
        | asdict(fit.options),
        input_hash=_pairwise_hash(fit, [*filter(None, [fit.options.by]), *moderators]),
        frames=frames | _forms_mixed(frames, measure, "g"),
        analysis=analysis,
        unit=contrasts.unit,
        lower_is_better=contrasts.lower_is_better,
        treatment=contrasts.treatment,
        versus=contrasts.versus,
        timepoint=rule,
        subgroup=fit.options.by,
        where=where,
        n_studies=len(fit.studies),
        n_arms=_count_arms(contrasts.frame),
        n_treatments=2,
        synthetic=_synthetic(db),
        content_hash=db.value(CONTENT),
        versions=versions(),
    )


def run_network(
    db: EvidenceBase,
    *,
    outcome: str,
    measure: str,
    engine: str = facts.default_engine(),
    model: str = "both",
    reference: str | None = None,
    timepoint: str | None = None,
    where: str | None = None,
    treatments: list[str] | str | None = None,
    smd: str = "d",
    exclude_high_rob: bool = False,
    seed: int = 1,
    node_split: bool = False,
    split_method: str | None = None,
    leave_one_out: bool = False,
    league: bool = False,
    chains: bool = False,
    funnel_order: Sequence[str] = (),
    analysis: str | None = None,
    progress: Progress | None = None,
    **options: Any,
) -> Run:
    """Carry out one network meta-analysis.

    Parameters
    ----------
    db : EvidenceBase
    outcome, measure, reference, timepoint, where, treatments, smd, exclude_high_rob
        As in `analysis.network.data.load`.
    engine, model
        As in `analysis.network.fit`.
    seed : int
        For an engine that draws.
    node_split, leave_one_out : bool
        Whether to set direct against indirect evidence, and to refit without each study.
    split_method : str, optional
        How the frequentist engine sets direct against indirect evidence: as in its ``node_splits``.
    league : bool
        Whether to add the league table of each model, which is printed, not kept: estimates make it anew.
    chains : bool
        Whether to draw an exact fit's random-effects posterior by Markov chains as well, to show how they
        converge and how far they agree with it. Where PyMC is not installed a note says so.
    funnel_order : sequence of str, optional
        Order of treatments for the comparison-adjusted funnel plot, which draws an earlier minus a later one;
        kept in the specification.
    analysis : str, optional
        Name in the review's plan.
    progress : callable, optional
        Called with a few words before each step.
    **options
        Further options of the engine (tau2, tau_prior, effect_prior_sd, ...); None stands for its default.

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
    from analysis import network

    say = progress or (lambda step: None)
    say("reading the network")
    net = network.load(
        db,
        outcome,
        measure,
        reference=reference,
        timepoint=timepoint,
        where=where,
        treatments=treatments,
        smd=smd,
        exclude_high_rob=exclude_high_rob,
    )
    if leave_one_out:
        _refuse_refits(engine, net)
    chosen = engine_options(engine, {key: value for key, value in options.items() if value is not None})
    if "seed" in engine_parameters(engine):
        chosen["seed"] = seed
    say(f"fitting the {engine} engine")
    try:
        fit = network.fit(net, engine=engine, model=model, **chosen)
    except ModuleNotFoundError as error:
        raise _not_installed(engine, error) from None
    splits = {}
    if split_method is not None:
        if "method" not in signature(fit.node_splits).parameters:
            raise CallError(f"The {engine} engine has one way to split: leave --split-method out.")
        node_split, splits = True, {"method": split_method}
    frames = _network_frames(fit, splits if node_split else None, leave_one_out, league, say)
    frames["contrasts"] = entered.of_network(db, net)
    frames |= _forms_mixed(frames, measure, smd)
    if chains:
        say("drawing Markov chains")
        frames |= _chains(fit, frames["notes"], seed)
    rule = str(time_rule(db, outcome, measure, timepoint)[0])
    return Run(
        kind="network",
        engine=engine,
        outcome=outcome,
        measure=measure,
        scale=net.scale,
        specification={
            "outcome": outcome,
            "measure": measure,
            "model": model,
            "reference": net.reference,
            "timepoint": rule,
            "where": where,
            "treatments": treatments,
            "smd": smd,
            "exclude_high_rob": exclude_high_rob,
            "node_split": node_split,
            "leave_one_out": leave_one_out,
        }
        | ({"split_method": split_method} if splits else {})
        | ({"chains": True} if chains else {})
        | ({"funnel_order": list(funnel_order)} if funnel_order else {})
        # JSON has no infinity, which makes a prior flat.
        | {name: "infinity" if value == inf else value for name, value in chosen.items()},
        input_hash=_network_hash(net),
        frames=frames,
        analysis=analysis,
        unit=net.unit,
        lower_is_better=net.lower_is_better,
        reference=net.reference,
        timepoint=rule,
        where=where,
        seed=chosen.get("seed"),
        n_studies=len({study for study, _ in net.studies}),
        n_arms=net.n_arms,
        n_treatments=len(net.treatments),
        synthetic=_synthetic(db),
        content_hash=db.value(CONTENT),
        versions=versions(*facts.engine(engine).needs),
    )


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
    say = progress or (lambda step: None)
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
    asked = Question.of_plan(row)
    shared = {
        "outcome": asked.outcome,
        "measure": asked.measure,
        "timepoint": asked.timepoint,
        "where": asked.where,
        "exclude_high_rob": asked.exclude_high_rob,
        "analysis": row["analysis"],
    }
    if asked.pairwise:
        return run_pairwise(
            db,
            **shared,
            treatment=str(asked.treatment),
            versus=str(asked.versus),
            tau2=row["tau2"],
            ci=row["ci"],
            dependence=row["dependence"],
            by=row["subgroup"],
            moderators=json.loads(row["moderators"] or "[]"),
            reference_levels=json.loads(row["reference_levels"] or "{}"),
        )
    accepted = engine_parameters(row["engine"])
    return run_network(
        db,
        **shared,
        engine=row["engine"],
        model=row["model"],
        reference=row["reference"],
        treatments=list(asked.treatments) if isinstance(asked.treatments, tuple) else asked.treatments,
        smd=asked.smd,
        seed=row["seed"],
        node_split=row["node_split"],
        leave_one_out=row["leave_one_out"],
        chains=row["chains"],
        funnel_order=json.loads(row["funnel_order"] or "[]"),
        progress=progress,
        # Every row of the plan has an estimator of tau2; only the engines that use one are told.
        **{key: row[key] for key in ("tau2", "tau_prior", "effect_prior_sd") if key in accepted},
    )


def engine_parameters(engine: str) -> frozenset[str]:
    """Options that an engine takes.

    Raises
    ------
    CallError
        If there is no such engine.
    """
    from analysis.network import ENGINES

    if engine not in ENGINES:
        raise CallError(f"There is no engine {engine!r}; there are {', '.join(ENGINES)}.")
    try:
        module = import_module(f"analysis.network.{engine}")
    except ModuleNotFoundError as error:
        raise _not_installed(engine, error) from None
    return frozenset(signature(module.fit).parameters) - {"net", "model"}


def _not_installed(engine: str, error: ModuleNotFoundError) -> CallError:
    return CallError(f"The {engine} engine needs {error.name}: pip install 'evidence-base[mcmc]'.")


def engine_options(engine: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options, all of which the engine must take.

    Raises
    ------
    CallError
        If it does not.
    """
    accepted = engine_parameters(engine)
    if unknown := [name for name in options if name not in accepted]:
        spelled = ", ".join("--" + name.replace("_", "-") for name in unknown)
        raise CallError(f"The {engine} engine has no option {spelled}; it has {', '.join(sorted(accepted))}.")
    return dict(options)


def _forms_mixed(frames: Mapping[str, pd.DataFrame], measure: str, form: str) -> dict[str, pd.DataFrame]:
    """Add a note that names the studies whose SMD is of whatever form their authors printed."""
    rows = frames["contrasts"]
    reported = rows[rows["reported_contrast_id"].notna()]
    if not facts.forms(measure) or reported.empty:
        return {}
    which = " or ".join(str(known.form_name) for known in facts.forms(measure))
    said = (
        f"{measure} as reported, {which} as the authors have it: {', '.join(sorted(set(reported['study'])))}."
    )
    if len(reported) < len(rows):
        said = f"{said[:-1]}; the others are {facts.measure(measure, form).form_name}, computed from arms."
    return {"notes": _stacked("notes", [frames["notes"], _note("warning", said)])}


def _network_frames(
    fit: NetworkFit, splits: Mapping[str, str] | None, leave_one_out: bool, league: bool, say: Progress
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
        "rank_probabilities": fit.rank_probabilities(),
        "inconsistency": inconsistency,
        "weights": fit.weights(),
        "diagnostics": fit.diagnostics(),
        "convergence": fit.convergence(),
        "fit": fit.fit_statistics(),
        "sensitivity": _importantly_better(fit),
        "notes": fit.notes(),
    }
    if league:
        frames["league"] = pd.concat([fit.league(model) for model in fit.models], ignore_index=True)
    if leave_one_out:
        count = len({study for study, _ in fit.network.studies})
        say(f"leaving out each of {count:,} studies in turn")
        frames["leave_one_out"] = fit.leave_one_out()
    exclusions = fit.network.exclusions
    frames["exclusions"] = pd.DataFrame() if exclusions is None else exclusions
    return frames


def _refuse_refits(engine: str, net: Network) -> None:
    """Refuse to leave out in turn more studies than an engine fits again in an evening."""
    count, most = len({study for study, _ in net.studies}), facts.engine(engine).most_refits
    if most is not None and count > most:
        raise RefusedError(
            f"Leaving out each of {count:,} studies in turn fits the network as many times: the engine "
            f"{engine} does so for up to {most:,}. Leave --leave-one-out out, take the engine exact, which "
            "finds them all from one fit, or call fit.leave_one_out() in Python."
        )


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


def _importantly_better(fit: NetworkFit) -> pd.DataFrame:
    """Tabulate how likely each treatment is better by at least the smallest important difference.

    The mean over all others is the P-score for that difference (Mavridis et al. 2020, doi:10.1002/jrsm.1381).
    """
    import pandas as pd

    net = fit.network
    if net.smallest_important_difference is None or net.lower_is_better is None:
        return frame("sensitivity")
    table = fit.superiority()
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


def _pairwise_hash(fit: PairwiseFit, used: list[str]) -> str:
    """Hash of the contrasts, and of the variables of the studies that were used."""
    contrasts = fit.contrasts
    variables = contrasts.variables[list(dict.fromkeys(used))]
    text = [
        hash_rows(part) for part in (contrasts.frame, contrasts.covariance, variables.reset_index(drop=True))
    ]
    return hashlib.sha256("".join(text).encode()).hexdigest()


def _network_hash(net: Network) -> str:
    """Hash of what an engine sees: the effects of every study, their covariance, and the arms."""
    content = [
        [list(net.treatments), [list(unit) for unit in net.studies]],
        [
            [block.study.tolist(), block.treatment.tolist(), block.y.tolist(), block.S.tolist()]
            for block in net.blocks
        ],
        [
            {key: None if value is None else value.tolist() for key, value in vars(block).items()}
            for block in net.arms or ()
        ],
    ]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _count_arms(contrasts: pd.DataFrame) -> int:
    arms = {
        (row.study, row.experiment, arm) for row in contrasts.itertuples() for arm in (row.arm_a, row.arm_b)
    }
    return len(arms)


def _synthetic(db: EvidenceBase) -> bool:
    return bool(db.kept_rows("select bool_or(synthetic) as said from review")[0]["said"])
