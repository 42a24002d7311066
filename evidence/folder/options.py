"""What can be asked of an analysis: one declaration for each option.

All else follows from it: the keys of ``[[protocol.analysis]]`` in review.toml and their checks, the columns
of table ``plan`` (``python -m evidence.folder.options`` writes ``schema/70_plan.sql``), what `analysis.plan`
takes and keeps in a run's specification, and the options of the commands ``pool`` and ``nma``. An option of a
method is declared here, and taken by the function that computes with it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from evidence import facts
from evidence.errors import CallError
from evidence.facts.timepoint import RULES, TimepointRule
from evidence.folder import further
from evidence.names import suggestion
from evidence.system.resources import schema_directory

Kind = Literal["pairwise", "network"]
BOTH: tuple[Kind, ...] = ("pairwise", "network")
PAIRWISE: tuple[Kind, ...] = ("pairwise",)
NETWORK: tuple[Kind, ...] = ("network",)
ALL_OUTCOMES = "all outcomes"
"""In place of a list: the treatments that every outcome of the plan compares."""

_SQL_TYPES: dict[type, str] = {
    str: "text", bool: "boolean", int: "bigint", float: "double", list: "text", dict: "text"
}  # fmt: skip


@dataclass(frozen=True)
class Flag:
    """How an option is given to a command.

    Attributes
    ----------
    help : str
    name : str or None
        Where it is not ``--`` and the option's name; several spellings apart by blanks.
    metavar : str or None
    default : object
        Where it is not the option's.
    required : bool
    only_choices : bool
        Whether nothing but the option's choices can be given; else the function that is called decides.
    alone : str or None
        What it means without a value, where it can stand without.
    each : mapping of str to str
        Of a list: words of it that have a flag of their own each, with its help.
    """

    help: str
    name: str | None = None
    metavar: str | None = None
    default: Any = ...
    required: bool = False
    only_choices: bool = False
    alone: str | None = None
    each: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Option:
    """One option of an analysis.

    Attributes
    ----------
    name : str
        Key in review.toml.
    kinds : tuple of {"pairwise", "network"}
        Analyses that it is an option of.
    comment : str
        What the column of ``plan`` means; without it the option cannot be planned.
    typed : type
        Of its value: str, bool, int, float, list or dict (both JSON in ``plan``).
    default : object
        None where it may be missing.
    choices : tuple of str
        All values that there are.
    also : tuple of type
        Further types that it may be written in.
    words : tuple of str
        Texts that may stand in place of a list.
    wrong : callable, optional
        Given a value, says what is wrong and what would be right; None if nothing is.
    takes, column : str
        Name in Python and in ``plan`` where it is another.
    constraint : str
        Of the column.
    shared : bool
        Whether ``[protocol]`` may give it to all analyses.
    elsewhere : {"refused", "unread"}
        What becomes of it in an analysis of the other kind.
    instead : str
        What to write where it is refused.
    of_fit : bool
        Whether it is an option of `pairwise.fit` or of an engine, which say what they made of it.
    kept : {"always", "where set", "never"}
        When a run's specification, and so its id, has it. A new option is kept where it is set: the ids of
        runs without it stay.
    values : type
        Of a list's or a dict's values: str, float, or object for numbers and texts.
    flag : Flag, optional
        How commands take it; without it they do not.
    flags : mapping of kind to Flag
        The same where it differs between kinds.
    """

    name: str
    kinds: tuple[Kind, ...]
    comment: str = ""
    typed: type = str
    default: Any = None
    choices: tuple[str, ...] = ()
    also: tuple[type, ...] = ()
    words: tuple[str, ...] = ()
    wrong: Callable[[Any], tuple[str, str] | None] = lambda value: None
    takes: str = ""
    column: str = ""
    constraint: str = ""
    shared: bool = False
    elsewhere: Literal["refused", "unread"] = "refused"
    instead: str = ""
    of_fit: bool = False
    kept: Literal["always", "where set", "never"] = "where set"
    values: type = str
    flag: Flag | None = None
    flags: Mapping[Kind, Flag] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "takes", self.takes or self.name)
        object.__setattr__(self, "column", self.column or self.name)

    def fits(self, value: Any) -> bool:
        """Tell whether a value of review.toml has the option's type."""
        if isinstance(value, str) and self.words:
            return value in self.words
        kinds = (self.typed, *self.also, *((int,) if self.typed is float else ()))
        return isinstance(value, kinds) and (bool in kinds or not isinstance(value, bool))

    def refusal(self, value: Any) -> tuple[str, str] | None:
        """Say what is wrong with a value of the right type, and what would be right; None if nothing is."""
        if self.choices and value not in self.choices:
            return f"is {value!r}", suggestion(value, self.choices)
        return self.wrong(value)

    def stored(self, value: Any) -> Any:
        """Make a cell of ``plan`` of a value."""
        if self.typed not in (list, dict):
            return value
        listed = [str(item) for item in value] if isinstance(value, list | tuple) else value
        return json.dumps(listed, ensure_ascii=False) if listed else None

    def loaded(self, cell: Any) -> Any:
        """Read a cell of ``plan``."""
        if self.typed not in (list, dict):
            return cell
        return self.default if cell is None else json.loads(cell)

    def keeps(self, value: Any) -> bool:
        """Tell whether a run's specification has a value."""
        missing = value is None or value == self.default or (self.typed in (list, dict) and not value)
        return self.kept == "always" or (self.kept == "where set" and not missing)

    def flag_of(self, kind: Kind) -> Flag | None:
        """How the command of a kind of analysis takes it."""
        return self.flags.get(kind, self.flag) if kind in self.kinds else None

    @property
    def definition(self) -> str:
        """Definition of its column in ``plan``."""
        given = self.default is not None and self.typed not in (list, dict)
        default = f" not null default {_literal(self.default)}" if given else ""
        constraint = f" {self.constraint}" if self.constraint else ""
        return f"{self.column} {_SQL_TYPES[self.typed]}{default}{constraint}"


def _literal(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool | int | float) else _quoted(str(value))


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _listed(meanings: Mapping[str, str]) -> str:
    """Keys with what they mean, for a help text."""
    return "; ".join(f"{key}: {meaning}" for key, meaning in meanings.items()) + "."


def _no_rule(value: Any) -> tuple[str, str] | None:
    try:
        TimepointRule.parse(str(value))
    except CallError:
        return f"is {value!r}", RULES
    return None


def _not_above_zero(value: float) -> tuple[str, str] | None:
    return ("must be above 0", "write a positive number") if value <= 0 else None


def _no_seed(value: int) -> tuple[str, str] | None:
    return None if 0 <= value < 2**63 else (f"is {value}", "write a number from 0 to 2^63 - 1")


def _no_analysis(names: list[Any]) -> tuple[str, str] | None:
    return further.wrong_names(names, {**further.PAIRWISE, **further.NETWORK})


def _no_baseline(value: Any) -> tuple[str, str] | None:
    try:
        return None if value == "median" or math.isfinite(float(value)) else (f"is {value}", "write a number")
    except ValueError:
        return f"is {value!r}", "write a number, or median"


MULTIVERSE_KEYS: dict[str, str] = {
    "measures": "effect measures, a list",
    "timepoints": "rules of time, a list",
    "tau2": "estimators of the between-study variance, a list",
    "ci": "intervals of the pooled effect, a list",
    "tau_priors": "priors of the heterogeneity in the outcome's unit, a list",
    "where": "SQL conditions that studies may have to meet, each by a name, a table",
    "leave_out": "variables of studies whose values are left out one by one, a list",
    "without": "choices that are none, a list of their names",
    "most": "most cells, a whole number",
}
"""Keys of ``multiverse`` in review.toml, with what they hold."""


def kind_of_choice(key: str) -> type:
    """Type of what a key of ``multiverse`` holds."""
    return dict if key == "where" else int if key == "most" else list


def _no_choices(value: dict[str, Any]) -> tuple[str, str] | None:
    for key, found in value.items():
        if key not in MULTIVERSE_KEYS:
            return f"names {key!r}", suggestion(key, MULTIVERSE_KEYS)
        kind = kind_of_choice(key)
        texts = found.values() if isinstance(found, dict) else found if isinstance(found, list) else ()
        if (
            not isinstance(found, kind)
            or isinstance(found, bool)
            or not all(isinstance(text, str) for text in texts)
        ):
            return f"has {key} = {found!r}", f"write {MULTIVERSE_KEYS[key]}"
    return None


def _not_a_share(value: float) -> tuple[str, str] | None:
    return None if 0 < value < 1 else (f"is {value}", "write a one-sided p-value between 0 and 1")


def _no_share(value: float) -> tuple[str, str] | None:
    return None if 0 < value < 1 else (f"is {value}", "write a number between 0 and 1")


def _not_counting(value: int) -> tuple[str, str] | None:
    return None if value >= 1 else (f"is {value}", "write a whole number from 1 on")


def _below_zero(value: float) -> tuple[str, str] | None:
    return None if value >= 0 else (f"is {value}", "write 0 or a positive number")


PREDICTORS = ("se", "variance", "n", "1/n", "sqrt(n)", "1/sqrt(n)", "sqrt(1/n1+1/n2)")
"""What Egger's test can regress the effects on."""
_ENGINES = {engine.code: engine.label for engine in facts.engines()}
_SMD = {str(form.form): str(form.form_name) for form in facts.forms("SMD")}
_MEASURES = ", ".join(found.code for found in facts.measures(given=facts.REVIEW))
_OF_NETWORKS = ", ".join(name for name, estimator in facts.estimators().items() if estimator.network)

_PREDICTIONS = ", ".join(facts.interval_methods("prediction"))
_OF_TAU2 = ", ".join(f"{name} ({label})" for name, label in facts.interval_methods("tau2").items())

# fmt: off
OPTIONS: dict[str, Option] = {
    option.name: option
    for option in (
        Option("name", BOTH,
            "Name of the analysis. name in review.toml.",
            takes="analysis", column="analysis", constraint="primary key", kept="never"),
        Option("kind", BOTH,
            "pairwise or network. kind in review.toml.",
            choices=BOTH, constraint="not null check (kind in ('pairwise', 'network'))", kept="never"),
        Option("outcome", BOTH,
            "Outcome. Short name from outcomes.csv.",
            constraint="not null references outcome (outcome)", kept="always",
            flag=Flag("Outcome to analyse.", metavar="OUTCOME", required=True)),
        Option("measure", BOTH,
            "Effect measure. One that fits the outcome's kind.",
            constraint="not null references effect_measure (measure)", kept="always",
            flag=Flag(f"Effect measure: {_MEASURES}.", metavar="MEASURE", required=True)),
        Option("treatment", PAIRWISE,
            "Treatment of a pairwise analysis, or a class of them pooled. Short name or class from "
            "treatments.csv.",
            elsewhere="unread", kept="always",
            flag=Flag("Treatment.", metavar="TREATMENT", required=True)),
        Option("versus", PAIRWISE,
            "Its comparator. Short name from treatments.csv.",
            constraint="references treatment (treatment)", elsewhere="unread", kept="always",
            flag=Flag("What it is compared with.", metavar="TREATMENT", required=True)),
        Option("reference", NETWORK,
            "Treatment that a network's results are given against. Short name from treatments.csv.",
            constraint="references treatment (treatment)", shared=True, elsewhere="unread",
            kept="always",
            flag=Flag("Reference treatment. Default: the plan's.", metavar="TREATMENT")),
        Option("treatments", NETWORK,
            'Treatments that take part, as a JSON list, or "all outcomes" for those that every outcome of '
            'the plan compares; empty for all. treatments in review.toml.',
            typed=list, words=(ALL_OUTCOMES,), shared=True, elsewhere="unread", kept="always",
            flag=Flag("Only these; repeat it. 'all outcomes': those that every outcome of the plan "
            "compares.", name="--treatment", metavar="TREATMENT")),
        Option("timepoint", BOTH,
            "Rule that picks one time point per study; a number with its unit of time. first, last, 24 h, "
            "or nearest:24 h. A number without unit is taken in the unit that all time points of the "
            "outcome are typed in.",
            also=(int, float), wrong=_no_rule, constraint="not null default 'last'", shared=True,
            kept="always",
            flag=Flag("first, last, a time with its unit (\"24 h\"), or \"nearest:24 h\". Default: the "
            "plan's rule for the outcome, else last.", metavar="RULE")),
        Option("engine", NETWORK,
            "Engine of a network, see table engine. engine in review.toml.",
            default=facts.default_engine(), choices=tuple(_ENGINES), elsewhere="unread", kept="never",
            flag=Flag(_listed(_ENGINES), only_choices=True)),
        Option("model", NETWORK,
            "common, random or both. model in review.toml.",
            default="both", choices=("common", "random", "both"),
            constraint="check (model in ('common', 'random', 'both'))", elsewhere="unread", kept="always",
            flag=Flag("common, random or both.", metavar="MODEL")),
        Option("tau2", BOTH,
            "Estimator of the between-study variance. REML, DL, PM, ML, HE, HS, SJ or EB.",
            default="REML", choices=tuple(facts.estimators()), of_fit=True,
            flags={
                "pairwise": Flag(f"Between-study variance: {', '.join(facts.estimators())}, or its value.",
                    metavar="METHOD"),
                "network": Flag(f"Between-study variance (frequentist): {_OF_NETWORKS}, or its value.",
                    metavar="METHOD", default=None),
            }),
        Option("ci", PAIRWISE,
            "Interval of the pooled effect. HK for Hartung and Knapp, or Wald.",
            default="HK", elsewhere="unread", of_fit=True,
            flag=Flag("Interval of the random-effects model: "
            f"{', '.join(facts.interval_methods('effect'))}.", metavar="METHOD")),
        Option("prediction", PAIRWISE,
            of_fit=True,
            flag=Flag(f"Prediction interval: {_PREDICTIONS} (default: what goes with interval and method).",
                metavar="METHOD")),
        Option("tau2_interval", PAIRWISE,
            of_fit=True,
            flag=Flag(f"Interval of tau2, I2 and H2: {_OF_TAU2} (default: the first).", metavar="METHOD")),
        Option("method", PAIRWISE,
            "How effects are pooled. inverse_variance where it is empty; MH, Peto and others.",
            of_fit=True, kept="where set",
            flag=Flag(f"{', '.join(facts.pooling_methods())} (default: the first).", metavar="METHOD")),
        Option("shared", PAIRWISE,
            of_fit=True,
            flag=Flag(f"Contrasts that share an arm: {', '.join(facts.SHARED_ARMS)} (default: the first).",
                metavar="METHOD")),
        Option("dependence", PAIRWISE,
            "What is done about several effects of one study (arms of one treatment, experiments). "
            "combine, multilevel, CR2 or independent; empty for the default: CR2 after ci = CR2, else "
            "combine.",
            choices=tuple(facts.dependence()), constraint="references dependence (dependence)",
            elsewhere="unread", of_fit=True,
            flag=Flag("Several effects of one study (arms of one treatment, experiments): "
            f"{', '.join(facts.dependence())} (default: the first).", metavar="METHOD")),
        Option("tau_prior", BOTH,
            "Prior of the between-study standard deviation (Bayesian engines). For example uniform(0, 5), "
            "in the outcome's unit.",
            elsewhere="unread", of_fit=True,
            flag=Flag('Prior of tau (Bayesian), e.g. "uniform(0, 5)".', metavar="PRIOR")),
        Option("effect_prior_sd", BOTH,
            "Standard deviation of the treatment effects' normal prior (Bayesian engines). In the "
            "outcome's unit.",
            typed=float, wrong=_not_above_zero, constraint="check (effect_prior_sd > 0)",
            elsewhere="unread", of_fit=True,
            flag=Flag("Standard deviation of the effects' prior.", metavar="SD")),
        Option("subgroup", PAIRWISE,
            "Variable whose levels are pooled apart. Column of studies.csv, arms.csv, measurements.csv or "
            "contrasts.csv.",
            takes="by", of_fit=True,
            flag=Flag("Variable of studies, arms or effects that makes subgroups.", name="--by --subgroup",
                metavar="COLUMN")),
        Option("separate_tau2", PAIRWISE,
            typed=bool, default=True, of_fit=True,
            flag=Flag("Whether each subgroup has its own between-study variance or all share one.",
                name="--separate-tau2/--common-tau2")),
        Option("moderators", PAIRWISE,
            "Variables of a meta-regression, as a JSON list; empty for none. moderators in review.toml: "
            "columns of studies.csv, arms.csv, measurements.csv or contrasts.csv.",
            typed=list, default=(), kept="always",
            flag=Flag("Meta-regression: regress the effects on this variable of studies, arms or effects, a "
            "number as it is, anything else as categories; repeat it for several at once.",
            name="--moderator --covariate", metavar="COLUMN")),
        Option("reference_levels", PAIRWISE,
            "Level that the others of a moderator are compared with, as a JSON object by variable; the "
            "most frequent where it is not said. reference_levels in review.toml.",
            typed=dict,
            flag=Flag("Compare the other levels of a moderator with this one. Default: the one that most "
            "studies have.", name="--reference-level", metavar="COLUMN=LEVEL")),
        Option("permutations", PAIRWISE,
            "Permutations behind a further test of each coefficient of a meta-regression. Whole number; all "
            "orders where there are no more; no such test where it is empty.",
            typed=int, wrong=_not_counting,
            flag=Flag("Test the coefficients of the meta-regression by this many permutations, too.",
                metavar="N")),
        Option("covariates", NETWORK,
            "Variables of a network meta-regression, as a JSON list; empty for none. covariates in "
            "review.toml: columns of studies.csv, the same in all arms; engines exact and mcmc.",
            typed=list, default=(), instead="write moderators",
            flag=Flag("Network meta-regression on this variable of studies (engines exact, mcmc): a number "
            "about its mean, anything else as categories; repeat it for several.",
            name="--covariate --moderator", metavar="COLUMN")),
        Option("slopes", NETWORK,
            "One slope for all treatments against the reference, or one for each. common or by_treatment; "
            "common where it is empty.",
            choices=("common", "by_treatment"), of_fit=True,
            flag=Flag("One slope for all treatments against the reference (common, the default), or one for "
            "each (by_treatment).", only_choices=True)),
        Option("centre", NETWORK,
            "Values that numeric covariates are centred at, as a JSON object by covariate. Numbers; the mean "
            "where there is none.",
            typed=dict, values=float, of_fit=True,
            flag=Flag("Centre a numeric covariate here: effects are those at this value. Default: its mean.",
                metavar="COLUMN=NUMBER")),
        Option("slope_prior_sd", NETWORK,
            "Standard deviation of the normal prior of slopes, as a JSON object by covariate. Numbers; that "
            "of the effects over the covariate's own where there is none.",
            typed=dict, values=float, of_fit=True,
            flag=Flag("Standard deviation of the prior of a covariate's slopes.", metavar="COLUMN=SD")),
        Option("at", BOTH,
            "Values of the variables of a meta-regression at which effects are given too, as a JSON object. "
            "at in review.toml: a value of each moderator; of numeric covariates in networks (exact).",
            typed=dict, values=object, column="at_values",
            flags={
                "pairwise": Flag("Predict the effect at these values of the moderators, one for each.",
                    metavar="COLUMN=VALUE"),
                "network": Flag("Give the effects at these values of numeric covariates, too (exact).",
                    metavar="COLUMN=NUMBER"),
            }),
        Option("where", BOTH,
            "Condition that studies, or effects, must meet. where in review.toml: SQL on columns of "
            "studies.csv, arms.csv, measurements.csv or contrasts.csv.",
            column="where_sql", shared=True, kept="always",
            flag=Flag("Only what meets this condition on columns of studies, arms or measurements: "
            "\"species = 'rat'\".", metavar="SQL")),
        Option("exclude_high_rob", BOTH,
            "Studies at high risk of bias stay out (view high_risk_study). true or false.",
            typed=bool, default=False, shared=True, kept="always",
            flag=Flag("Leave out studies at high risk of bias (high_risk_study).")),
        Option("smd", NETWORK,
            "Form of the SMD in networks: Cohen's d or Hedges's g. d unless there is a reason.",
            default="d", choices=tuple(_SMD), constraint="check (smd in ('d', 'g'))",
            elsewhere="unread", kept="always",
            flag=Flag("For SMD: " + _listed(_SMD), only_choices=True)),
        Option("node_split", NETWORK,
            "Direct and indirect evidence are compared. true or false.",
            typed=bool, default=False, elsewhere="unread", kept="always",
            flag=Flag("Set direct against indirect evidence.")),
        Option("split_method", NETWORK,
            flag=Flag("How the frequentist engine does it: back-calculation (default), SIDDE, or "
            "side-splitting, by an inconsistency parameter where van Valkenhoef's rule lets it. Implies "
            "--node-split.", metavar="METHOD")),
        Option("leave_one_out", NETWORK,
            "The analysis is repeated without each study. true or false.",
            typed=bool, default=False, elsewhere="unread", kept="always",
            flag=Flag("Refit without each study.")),
        Option("sensitivity", BOTH,
            "Analyses of sensitivity that are kept, as a JSON list; empty for all that apply, of a network "
            f"for none. Pairwise {', '.join(further.PAIRWISE)}; network {', '.join(further.NETWORK)}; or "
            f'"{further.ALL}". Tests of a funnel are kept whatever is named.',
            typed=list, default=(), wrong=_no_analysis,
            flags={
                "pairwise": Flag("All analyses of sensitivity that apply.", each=further.PAIRWISE),
                "network": Flag("All analyses of sensitivity that apply.", each=further.NETWORK),
            }),
        Option("cumulative", PAIRWISE,
            "Variable in whose order the studies are added one by one; precision for the most precise first. "
            "A numeric column of studies.csv, arms.csv, measurements.csv or contrasts.csv, or precision.",
            flag=Flag("Add the studies one by one, in the order of this variable (alone: year), or of "
            "precision.", metavar="[COLUMN]", alone="year")),
        Option("sequential", PAIRWISE,
            "The evidence is held against bounds for looking at it after every year with new studies "
            "(trial sequential analysis). true or false.",
            typed=bool, default=False,
            flag=Flag("Trial sequential analysis: bounds for looking after every year with new studies, and "
            "the information that is required.")),
        Option("anticipated_effect", PAIRWISE,
            "Of a sequential analysis: the effect worth finding. A ratio of ratio measures (0.8), else in "
            "the effect's unit; the outcome's smallest important difference where it is empty.",
            typed=float,
            flag=Flag("Effect worth finding, of --sequential: a ratio, or in the effect's unit. Default: the "
            "outcome's smallest important difference.", metavar="NUMBER")),
        Option("alpha", PAIRWISE,
            "Of a sequential analysis: two-sided error of all looks together. Between 0 and 1; 0.05 where it "
            "is empty.",
            typed=float, wrong=_no_share,
            flag=Flag("Two-sided error of all looks of --sequential together. Default: 0.05.", metavar="P")),
        Option("power", PAIRWISE,
            "Of a sequential analysis: probability of showing the anticipated effect. Between 0 and 1; 0.9 "
            "where it is empty.",
            typed=float, wrong=_no_share,
            flag=Flag("Power of --sequential. Default: 0.9.", metavar="P")),
        Option("diversity", PAIRWISE,
            "Of a sequential analysis: share by which heterogeneity is to enlarge the required information, "
            "1 / (1 - diversity) times. From 0 to below 1; D2 of the studies where it is empty.",
            typed=float, wrong=_below_zero,
            flag=Flag("Diversity D2 of --sequential. Default: that of the studies.", metavar="SHARE")),
        Option("predictor", BOTH,
            "What Egger's test regresses the effects on. "
            f"{', '.join(PREDICTORS)}; empty for se, or sqrt(1/n1+1/n2) where the standard error holds the "
            "effect; in networks one of these two.",
            choices=PREDICTORS,
            flag=Flag(f"Of Egger's test: {', '.join(PREDICTORS)}. Default: se, or sqrt(1/n1+1/n2) for a "
            "measure whose standard error depends on the effect.", metavar="NAME", only_choices=True)),
        Option("anyway", BOTH,
            "Analyses of sensitivity are carried out where they do not hold, with a note that says so: below "
            "ten effects, or of a measure whose standard error depends on the effect. true or false.",
            typed=bool, default=False,
            flag=Flag("Carry out what does not hold, too, with a note: tests of a funnel of fewer than ten "
            "effects, or of a measure whose standard error depends on the effect.")),
        Option("side", PAIRWISE,
            "Side on which trim and fill takes studies to be missing. left or right; by Egger's slope where "
            "it is empty.",
            choices=("left", "right"),
            flag=Flag("Side of trim and fill: left or right. Default: by the sign of Egger's slope.",
                metavar="SIDE", only_choices=True)),
        Option("selection_step", PAIRWISE,
            "One-sided p-value at which the selection model's probability of publication changes. Between 0 "
            "and 1; 0.025 where it is empty.",
            typed=float, wrong=_not_a_share,
            flag=Flag("Step of the selection model, a one-sided p-value. Default: 0.025.", metavar="P")),
        Option("selection_direction", PAIRWISE,
            "Direction of effects that the selection model takes to be favoured. greater or less; that of "
            "the common effect where it is empty.",
            choices=("greater", "less"),
            flag=Flag("Direction that is favoured: greater or less. Default: that of the common effect.",
                metavar="DIRECTION", only_choices=True)),
        Option("subsets", PAIRWISE,
            "Most subsets that gosh fits. Whole number; 1,000,000 where it is empty.",
            typed=int, wrong=_not_counting,
            flag=Flag("Most subsets for --gosh; a sample where there are more. Default: 1000000.",
                metavar="N")),
        Option("contribution_method", NETWORK,
            "How contributions are found. random walk or shortest path; random walk where it is empty.",
            choices=("random walk", "shortest path"),
            flag=Flag("Of --contributions: random walk (default) or shortest path.", metavar="METHOD",
                only_choices=True)),
        Option("margin", NETWORK,
            "By how much a treatment is to be better for the probability of that to be given. On the "
            "analysis scale; the outcome's smallest important difference where it is empty.",
            typed=float, wrong=_below_zero,
            flag=Flag("Give the probability of being better by at least this much, on the analysis scale. "
            "Default: the outcome's smallest important difference.", metavar="NUMBER")),
        Option("decision", NETWORK,
            "Decision that thresholds are of. best, top 2, important, \"A better than B by 0.5\"; best where "
            "it is empty.",
            flag=Flag("Decision that thresholds are of: best, \"top 2\", important, \"A better "
            "than B by 0.5\", the margin on the analysis scale or \"the smallest important difference\". "
            "Default: best.",
            metavar="DECISION")),
        Option("plausible_bias", NETWORK,
            "Bias that a study may well have, which thresholds are held against. On the analysis scale.",
            typed=float, wrong=_below_zero,
            flag=Flag("Bias that a study may well have, on the analysis scale: thresholds within it are "
            "counted.", metavar="NUMBER")),
        Option("refit", NETWORK,
            "How many of the nearest thresholds are found again with tau estimated anew. Whole number; 0 "
            "where it is empty.",
            typed=int, wrong=_below_zero,
            flag=Flag("Find this many of the nearest thresholds again, tau estimated anew.", metavar="N")),
        Option("other_tau_priors", NETWORK,
            "Priors of tau of prior_sensitivity, as a JSON list. As tau_prior.",
            typed=list, default=(),
            flag=Flag("A prior of tau for --prior-sensitivity; repeat it.", name="--other-tau-prior",
                metavar="PRIOR")),
        Option("other_effect_prior_sds", NETWORK,
            "Standard deviations of the effects' prior of prior_sensitivity, as a JSON list. Numbers.",
            typed=list, default=(), values=float,
            flag=Flag("A standard deviation of the effects' prior for --prior-sensitivity; repeat it.",
                name="--other-effect-prior-sd", metavar="SD")),
        Option("likelihood", NETWORK,
            "Likelihood of the engines counts and mcmc. As the engine has them; that of the outcome where it "
            "is empty.",
            of_fit=True,
            flag=Flag("Likelihood (counts, mcmc): normal, binomial or poisson. Default: the outcome's.",
                metavar="NAME")),
        Option("link", NETWORK,
            "Link of the engines counts and mcmc. As the engine has them; that of the measure where it is "
            "empty.",
            of_fit=True, flag=Flag("Link (counts, mcmc). Default: the measure's.", metavar="NAME")),
        Option("class_effects", NETWORK,
            "Effects of treatments of one class are taken as alike: exchangeable about a mean of the class. "
            "true or false; engine mcmc, classes of treatments.csv.",
            typed=bool, default=False,
            flag=Flag("Take the effects of one class (treatments.csv) as exchangeable about the class's mean "
            "(mcmc).")),
        Option("class_sd_prior", NETWORK,
            "Prior of the standard deviation within classes. As tau_prior, which it is where it is empty.",
            of_fit=True,
            flag=Flag("Prior of the standard deviation within classes (mcmc). Default: that of tau.",
                metavar="PRIOR")),
        Option("baseline_sd_prior", NETWORK,
            "Prior of the standard deviation of baselines, which are then exchangeable. As tau_prior; engine "
            "mcmc; baselines of studies are unrelated where it is empty.",
            of_fit=True,
            flag=Flag("Take the baselines of studies as exchangeable, with this prior of their standard "
            "deviation (mcmc).", metavar="PRIOR")),
        Option("draws", NETWORK,
            "Draws of an engine that draws. Whole number; the engine's own where it is empty.",
            typed=int, wrong=_not_counting, of_fit=True,
            flag=Flag("Draws of the engine. Default: its own.", metavar="N")),
        Option("tau", NETWORK,
            "Between-study standard deviation that is taken as known (frequentist, exact). In the outcome's "
            "unit; estimated where it is empty.",
            typed=float, wrong=_below_zero, of_fit=True,
            flag=Flag("Take the between-study standard deviation as known (frequentist, exact).",
                metavar="NUMBER")),
        Option("tune", NETWORK,
            "Draws of each chain that go before and are thrown away (mcmc). Whole number; the engine's own "
            "where it is empty.",
            typed=int, wrong=_not_counting, of_fit=True,
            flag=Flag("Draws of each chain that are thrown away first (mcmc). Default: 1000.", metavar="N")),
        Option("max_draws", NETWORK,
            "Most draws of each chain, where they do not converge before (mcmc). Whole number; the engine's "
            "own where it is empty.",
            typed=int, wrong=_not_counting, of_fit=True,
            flag=Flag("Most draws of each chain, where they do not converge before (mcmc). Default: 8000.",
                metavar="N")),
        Option("criterion", NETWORK,
            "When chains have converged (mcmc). rank-normalised (Vehtari et al. 2021), or psrf (Brooks and "
            "Gelman 1998, up to 1.05); rank-normalised where it is empty.",
            choices=("rank-normalised", "psrf"), of_fit=True,
            flag=Flag("When chains have converged (mcmc): rank-normalised (R-hat up to 1.01, effective sizes "
            "of 400), the default, or psrf (up to 1.05).", metavar="NAME", only_choices=True)),
        Option("absolute", BOTH,
            "Baseline at which effects are given as risks, rates or means, too. A number (risk from 0 to 1, "
            "rate, or mean in the outcome's unit), or median: that of the comparator's arms.",
            also=(int, float), wrong=_no_baseline,
            flag=Flag("Absolute effects: the risk, rate or mean under treatment where the comparator's is "
            "this (alone: the median of its arms), and the difference.", name="--absolute --baseline-risk",
            metavar="[BASELINE]", alone="median")),
        Option("multiverse", BOTH,
            "What the choices of the analysis `multiverse` are, as a JSON object. "
            f"{_listed(MULTIVERSE_KEYS)[:-1]}; without them those of the field.",
            typed=dict, values=object, wrong=_no_choices, shared=True),
        Option("league", NETWORK,
            typed=bool, default=False, kept="never",
            flag=Flag("Add the league table, the best treatment first.")),
        Option("chains", NETWORK,
            "The posterior is drawn by Markov chains too, to show how they converge. true or false; "
            "engine exact.",
            typed=bool, default=False, elsewhere="unread"),
        Option("funnel_order", NETWORK,
            "Order of treatments that gives the comparison-adjusted funnel plot its direction, an earlier "
            "minus a later one (for instance newest first), as a JSON list; empty for that of "
            "treatments.csv, active treatments first. funnel_order in review.toml.",
            typed=list,
            instead="leave funnel_order out; `treatment` and `versus` give the funnel plot its direction",
            flag=Flag("Order of the comparison-adjusted funnel, an earlier treatment minus a later one; "
            "repeat it. Default: that of treatments.csv, active treatments first.", metavar="TREATMENT")),
        Option("seed", BOTH,
            "Seed of anything drawn at random. Whole number.",
            typed=int, default=1, wrong=_no_seed, shared=True, elsewhere="unread", kept="never",
            flags={
                "pairwise": Flag("Of what --gosh and --permutations draw."),
                "network": Flag("For engines that draw."),
            }),
    )
}
# fmt: on
"""Every option, by its key in review.toml, in the order of the columns of ``plan``."""


HEADINGS: dict[str, tuple[str, ...]] = {
    "Question": (
        "outcome", "measure", "treatment", "versus", "reference", "treatments", "timepoint", "where",
        "exclude_high_rob", "smd",
    ),
    "Model": (
        "engine", "model", "tau2", "ci", "prediction", "tau2_interval", "method", "shared", "dependence",
        "tau_prior", "effect_prior_sd", "likelihood", "link", "class_effects", "class_sd_prior",
        "baseline_sd_prior", "tau", "draws", "tune", "max_draws", "criterion", "seed",
    ),
    "Subgroups and meta-regression": (
        "subgroup", "separate_tau2", "moderators", "reference_levels", "permutations", "covariates", "slopes",
        "centre", "slope_prior_sd", "at",
    ),
    "Inconsistency": ("node_split", "split_method"),
    "Sensitivity": (
        "sensitivity", "leave_one_out", "cumulative", "sequential", "anticipated_effect", "alpha", "power",
        "diversity", "predictor", "anyway", "side", "selection_step",
        "selection_direction", "subsets", "contribution_method", "funnel_order", "margin", "other_tau_priors",
        "other_effect_prior_sds", "decision", "plausible_bias", "refit", "multiverse",
    ),
    "Absolute effects": ("absolute",),
}  # fmt: skip
"""Options of the commands by what they are about, as their help and docs/cli.md print them."""


def heading(name: str) -> str:
    """Heading of an option; that of what is printed where it has none."""
    return next((title for title, names in HEADINGS.items() if name in names), OUTPUT)


OUTPUT = "Output"

ALSO_CALLED: dict[Kind, dict[str, str]] = {
    "pairwise": {"by": "subgroup", "covariates": "moderators"},
    "network": {"moderators": "covariates"},
}
"""Other names of keys, by the kind of analysis: those of the commands."""


def options_of(kind: Kind | None = None, *, planned: bool = False) -> Iterator[Option]:
    """Give the options of a kind of analysis, or of all; with `planned`, those that a plan can have."""
    for option in OPTIONS.values():
        if (kind is None or kind in option.kinds) and (option.comment or not planned):
            yield option


def settle(kind: Kind, given: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Part what is given to an analysis into what it asks, defaults filled in, and options of its fit."""
    asked = {
        option.takes: given.get(option.takes, option.default)
        for option in options_of(kind)
        if not option.of_fit
    }
    return asked, {name: value for name, value in given.items() if name not in asked}


def specification(kind: Kind, asked: Mapping[str, Any]) -> dict[str, Any]:
    """Give what a run's specification keeps of what was asked, by its name in Python."""
    return {
        option.takes: list(value) if isinstance(value := asked[option.takes], tuple) else value
        for option in options_of(kind)
        if not option.of_fit and option.keeps(asked[option.takes])
    }


def planned_row(settings: Mapping[str, Any], position: int, origin: str) -> dict[str, Any]:
    """Make a row of ``plan`` of the settings of an analysis, by their keys in review.toml."""
    cells = {
        option.column: option.stored(settings.get(option.name, option.default))
        for option in options_of(planned=True)
    }
    return cells | {"origin": origin, "position": position}


def plan_table() -> str:
    """Write the statements that make table ``plan``."""
    name, *others = options_of(planned=True)
    lines = [
        name.definition,
        "position integer not null",
        *(option.definition for option in others),
        "origin text not null check (origin in ('plan', 'default'))",
    ]
    comments = {
        name.column: name.comment,
        "position": "Order in the plan, from 1. Written by the build.",
        **{option.column: option.comment for option in others},
        "origin": "plan if it was planned, default if it was derived. Written by the build.",
    }
    columns = "".join(f"comment on column plan.{key} is {_quoted(text)};\n" for key, text in comments.items())
    return (
        "-- The protocol's plan: one row per planned analysis, compiled from review.toml.\n"
        "-- Written by `python -m evidence.folder.options` from the options declared there; do not edit.\n\n"
        "create table plan (\n    " + ",\n    ".join(lines) + "\n);\n"
        "comment on table plan is 'Planned analyses. From [[protocol.analysis]] of review.toml; the usual "
        "ones where none are planned.';\n" + columns
    )


def write(path: Path | None = None) -> Path:
    """Write table ``plan``, by default to ``schema/70_plan.sql``."""
    target = path or schema_directory() / "70_plan.sql"
    target.write_text(plan_table(), encoding="utf-8")
    return target


if __name__ == "__main__":
    print(write())
