"""Commands that analyse: pool, nma, analyse."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from evidence import facts
from evidence.commands.options import FILE, HIGH_RISK, MEASURE, OUTCOME, SAVE, TIMEPOINT, WHERE, example
from evidence.commands.progress import status

if TYPE_CHECKING:
    from evidence.results import Run

_FORMAT = click.option(
    "--format",
    "form",
    type=click.Choice(("table", "json")),
    default="table",
    show_default=True,
    help="A table to read, or all result rows at full precision.",
)


def _listed(meanings: Mapping[str, str]) -> str:
    """Keys with what they mean, for a help text."""
    return "; ".join(f"{key}: {meaning}" for key, meaning in meanings.items()) + "."


_NETWORK_TAU2 = ", ".join(name for name, estimator in facts.estimators().items() if estimator.network)


@click.command(
    epilog=example("evidence pool diabetes --outcome hba1c --measure MD --treatment metf --versus plac")
)
@FILE
@OUTCOME
@MEASURE
@click.option("--treatment", required=True, metavar="TREATMENT", help="Treatment.")
@click.option("--versus", required=True, metavar="TREATMENT", help="What it is compared with.")
@click.option(
    "--tau2",
    default="REML",
    show_default=True,
    metavar="METHOD",
    help=f"Between-study variance: {', '.join(facts.estimators())}, or its value.",
)
@click.option(
    "--ci",
    default="HK",
    show_default=True,
    metavar="METHOD",
    help=f"Interval of the random-effects model: {', '.join(facts.interval_methods('effect'))}.",
)
@click.option("--prediction", metavar="METHOD", help="Prediction interval: HK, HK-PR, HTS, V, S.")
@click.option(
    "--tau2-interval", metavar="METHOD", help="Interval of tau2, I2 and H2: QP (Q-profile, default), PL."
)
@click.option("--by", metavar="COLUMN", help="Variable of studies, arms or effects that makes subgroups.")
@click.option(
    "--separate-tau2/--common-tau2",
    default=True,
    show_default=True,
    help="Whether each subgroup has its own between-study variance or all share one.",
)
@click.option(
    "--moderator",
    "moderators",
    multiple=True,
    metavar="COLUMN",
    help="Regress the effects on this variable of studies, arms or effects; repeat it for several at once.",
)
@click.option(
    "--reference-level",
    "reference_levels",
    multiple=True,
    metavar="COLUMN=LEVEL",
    help="Compare the other levels of a moderator with this one. Default: the one that most studies have.",
)
@click.option(
    "--method",
    metavar="METHOD",
    help="inverse_variance (default), MH, Peto, binomial, CM.AL, UM.FS, multilevel.",
)
@click.option(
    "--shared",
    metavar="METHOD",
    help="Contrasts that share an arm: covariance (default), split, ignore.",
)
@click.option(
    "--dependence",
    metavar="METHOD",
    help="Several effects of one study (arms of one treatment, experiments): "
    f"{', '.join(facts.dependence())} (default: the first).",
)
@TIMEPOINT
@WHERE
@HIGH_RISK
@_FORMAT
@SAVE
def pool(
    file: str, form: str, save: bool, tau2: str, reference_levels: tuple[str, ...], **options: Any
) -> None:
    """Meta-analyse one treatment against one comparator.

    Common-effect and random-effects models are both shown.
    """
    from analysis.plan import run_pairwise
    from evidence.opening import open as open_base

    given = {key: value for key, value in options.items() if value is not None}
    with status() as say, open_base(file) as db:
        say("pooling")
        run = run_pairwise(
            db, tau2=_number(tau2), reference_levels=dict(map(_level, reference_levels)), **given
        )
    _finish(file, run, form, save)


@click.command(
    epilog=example(
        "evidence nma diabetes --outcome hba1c --measure MD --reference plac",
        "evidence nma smoking --outcome cessation --measure OR --engine exact --format json",
    )
)
@FILE
@OUTCOME
@MEASURE
@click.option(
    "--engine",
    type=click.Choice([engine.code for engine in facts.engines()]),
    default=facts.default_engine(),
    show_default=True,
    help=_listed({engine.code: engine.label for engine in facts.engines()}),
)
@click.option("--model", default="both", show_default=True, metavar="MODEL", help="common, random or both.")
@click.option(
    "--tau2", metavar="METHOD", help=f"Between-study variance (frequentist): {_NETWORK_TAU2}, or its value."
)
@click.option("--reference", metavar="TREATMENT", help="Reference treatment. Default: the plan's.")
@click.option(
    "--treatment",
    "treatments",
    multiple=True,
    metavar="TREATMENT",
    help="Only these; repeat it. 'all outcomes': those that every outcome of the plan compares.",
)
@HIGH_RISK
@click.option(
    "--smd",
    type=click.Choice([str(form.form) for form in facts.forms("SMD")]),
    default="d",
    show_default=True,
    help="For SMD: " + _listed({str(form.form): str(form.form_name) for form in facts.forms("SMD")}),
)
@click.option("--tau-prior", metavar="PRIOR", help='Prior of tau (Bayesian), e.g. "uniform(0, 5)".')
@click.option("--effect-prior-sd", type=float, metavar="SD", help="Standard deviation of the effects' prior.")
@click.option(
    "--seed", type=click.IntRange(min=0), default=1, show_default=True, help="For engines that draw."
)
@click.option("--node-split", is_flag=True, help="Set direct against indirect evidence.")
@click.option(
    "--split-method",
    metavar="METHOD",
    help="How the frequentist engine does it: back-calculation (default), SIDDE, or side-splitting, by an "
    "inconsistency parameter where van Valkenhoef's rule lets it. Implies --node-split.",
)
@click.option("--leave-one-out", is_flag=True, help="Refit without each study.")
@click.option("--league", is_flag=True, help="Add the league table, the best treatment first.")
@TIMEPOINT
@WHERE
@_FORMAT
@SAVE
def nma(
    file: str,
    form: str,
    save: bool,
    model: str,
    treatments: tuple[str, ...],
    tau2: str | None,
    **options: Any,
) -> None:
    """Run a network meta-analysis."""
    from analysis.plan import run_network
    from evidence.folder.protocol import ALL_OUTCOMES
    from evidence.opening import open as open_base

    words = {word.strip() for word in model.split(",")}
    both = words in ({"both"}, {"common", "random"})
    with status() as say, open_base(file) as db:
        run = run_network(
            db,
            model="both" if both else model,
            treatments=ALL_OUTCOMES if treatments == (ALL_OUTCOMES,) else list(treatments) or None,
            tau2=None if tau2 is None else _number(tau2),
            progress=say,
            **options,
        )
    _finish(file, run, form, save)


@click.command(
    epilog=example(
        "evidence build diabetes -o diabetes.duckdb",
        "evidence analyse diabetes.duckdb",
        "evidence trace diabetes.duckdb",
    )
)
@FILE
def analyse(file: str) -> None:
    """Run the review's plan and keep every result row in the file.

    The rows go in through a copy and one atomic rename. An analysis that cannot be carried out is named with
    its reason, and the exit code is 1; the others are kept.
    """
    from analysis.plan import try_plan
    from evidence.opening import open as open_base
    from evidence.opening import own_file
    from evidence.results import TABLES, save

    path = own_file(file)
    with status() as say:
        with open_base(path) as db:
            runs, refused = try_plan(db, progress=say)
        say("keeping the results")
        save(path, runs)
    for run in runs:
        rows = sum(len(frame) for name, frame in run.frames.items() if name in TABLES)
        click.echo(f"{run.analysis}: {run.kind}, {run.n_studies} studies, {rows} rows, run {run.run_id}")
    for name, error in refused.items():
        click.echo(f"{name} is not carried out: {error}", err=True)
    if refused:
        sys.exit(1)


def _level(text: str) -> tuple[str, str]:
    """Read a level of a moderator: COLUMN=LEVEL."""
    name, equals, level = text.partition("=")
    if not (name and equals and level):
        raise click.BadParameter(f"{text!r} is not COLUMN=LEVEL.", param_hint="--reference-level")
    return name.strip(), level.strip()


def _number(text: str) -> str | float:
    """Read a number where one is given in place of a method's name."""
    try:
        return float(text)
    except ValueError:
        return text


def _finish(file: str, run: Run, form: str, keep: bool) -> None:
    if keep:
        from evidence.opening import own_file
        from evidence.results import save

        save(own_file(file), [run])
    if form == "json":
        json.dump(run.document(), sys.stdout, ensure_ascii=False, allow_nan=False, indent=1)
        sys.stdout.write("\n")
        return
    from evidence.commands.display import show_run

    show_run(run, sys.stdout)
    if keep:
        click.echo(f"Kept in {Path(file)}: evidence trace {file} {run.run_id}")
