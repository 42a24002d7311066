"""The review folder, declared: which files there are, which columns they have, and what a cell may hold.

The loader, the template of ``evidence new``, the importers and the data dictionary all read this one table.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property

ROLES = ("active", "control", "sham")
KINDS = ("continuous", "binary", "rate", "time_to_event")
SCALES = ("log", "natural")
STAGES = ("title_abstract", "full_text", "listed")
NATURES = ("retraction", "expression_of_concern", "correction", "reinstatement")
DECISIONS = ("include", "exclude", "unclear", "not_retrieved")
OPERATORS = ("=", "<>", "<", "<=", ">", ">=", "between", "is empty", "is true", "is false")


@dataclass(frozen=True)
class Column:
    """One column of a file.

    Attributes
    ----------
    name : str
        Its header.
    type : {"name", "text", "verbatim", "identifier", "number", "integer", "boolean", "date"}
        A *name* identifies something: it is compared letter by letter, and names that merely look alike
        are errors. *Text* describes: a code such as NR becomes its meaning ("not reported"). *Verbatim* text
        is kept as typed. An *identifier* (doi, pmid, url) points outside the review. In all others such a
        code becomes an empty value and a row of ``missing_value``.
    required : bool
        The file must have the column, and no cell of it may be empty.
    default : str, optional
        What an empty cell stands for.
    references : str, optional
        Table whose key the cell must be found in.
    allowed : tuple of str
        The only values it may have, where there is a fixed list.
    above, at_least, at_most, below : float, optional
        Bounds of a number.
    past : bool
        A year or date that cannot lie ahead; next year's is what a journal prints early.
    scope : tuple of str
        Columns within which a name must be told apart from others; without it, the whole file.
    into : str, optional
        Column of the table, where it has another name.
    """

    name: str
    type: str = "text"
    required: bool = False
    default: str | None = None
    references: str | None = None
    allowed: tuple[str, ...] = ()
    above: float | None = None
    at_least: float | None = None
    at_most: float | None = None
    below: float | None = None
    past: bool = False
    scope: tuple[str, ...] = ()
    into: str | None = None

    @property
    def target(self) -> str:
        """Column of the table that the cell goes into."""
        return self.into or self.name


@dataclass(frozen=True)
class File:
    """One file of a review folder.

    Attributes
    ----------
    name : str
        File name.
    table : str
        Table it is loaded into.
    grain : str
        What one row is.
    columns : tuple of Column
        Its columns, in the order of the template.
    key : tuple of str
        Columns in which no two rows may agree; without it, no two rows may agree in all of them.
    numbered : str, optional
        Column of the table that numbers the rows in the order of the file.
    required : bool
        A review folder with evidence must have it; see `needed`.
    further : str, optional
        Table that takes any further column, one row a cell; without it, a further column is an error.
    """

    name: str
    table: str
    grain: str
    columns: tuple[Column, ...]
    key: tuple[str, ...] = ()
    numbered: str | None = None
    required: bool = False
    further: str | None = None

    @cached_property
    def by_name(self) -> dict[str, Column]:
        """Columns by their header."""
        return {column.name: column for column in self.columns}

    @property
    def identity(self) -> tuple[str, ...]:
        """Columns of the table `further` that say which row of `table` a cell belongs to."""
        return (self.numbered,) if self.numbered else self.key


def _name(name: str, references: str | None = None, **options: object) -> Column:
    return Column(name, "name", references=references, **options)  # type: ignore[arg-type]


def _verbatim(name: str, **options: object) -> Column:
    return Column(name, "verbatim", **options)  # type: ignore[arg-type]


def _number(name: str, **options: object) -> Column:
    return Column(name, "number", **options)  # type: ignore[arg-type]


_STUDY = _name("study", "study", required=True)
_EXPERIMENT = _name("experiment", scope=("study",), default="main")
_YEAR = Column("year", "integer", at_least=1800, at_most=2200, past=True)
_TIMEPOINT = (_number("timepoint"), _name("timepoint_unit", "unit"))
_INTERVAL = (
    _number("ci_lower"),
    _number("ci_upper"),
    _number("ci_level", above=0, below=1),
)
_PROVENANCE = (
    _name("unit", "unit"),
    Column("adjusted"),
    _verbatim("source"),
    _verbatim("locator"),
    Column("method"),
    _name("extractor", default="extractor"),
    _verbatim("note"),
)

FILES: tuple[File, ...] = (
    File(
        "units.csv",
        "unit",
        "unit of measurement that the project does not know yet",
        (
            _name("unit", required=True),
            _name("dimension", required=True),
            _number("factor", required=True, above=0),
            _verbatim("label"),
            _verbatim("note"),
            _verbatim("source"),
        ),
        key=("unit",),
    ),
    File(
        "rob_tools.csv",
        "rob_tool",
        "tool for risk of bias that the project does not know yet",
        (_name("tool", required=True), _verbatim("label"), _verbatim("citation"), _verbatim("aliases")),
        key=("tool",),
    ),
    File(
        "rob_answers.csv",
        "rob_answer",
        "judgement that a tool of rob_tools.csv knows, the best first",
        (
            _name("tool", "rob_tool", required=True),
            _name("judgement", required=True, scope=("tool",)),
            _verbatim("label"),
            Column("position", "integer", at_least=1),
            Column("severity", "integer", at_least=1, at_most=4),
            _verbatim("symbol"),
            _verbatim("color"),
            _verbatim("color_blind_safe"),
            _verbatim("codes"),
        ),
        key=("tool", "judgement"),
    ),
    File(
        "rob_items.csv",
        "rob_item",
        "item that a tool of rob_tools.csv judges, in its order",
        (
            _name("tool", "rob_tool", required=True),
            _name("item", required=True, scope=("tool",)),
            Column("position", "integer", at_least=1),
            _verbatim("domain"),
            _verbatim("label"),
            _verbatim("question"),
            _verbatim("answers"),
            Column("optional", "boolean"),
            _verbatim("aliases"),
        ),
        key=("tool", "item"),
    ),
    File(
        "studies.csv",
        "study",
        "study",
        (
            _name("study", required=True),
            _verbatim("label"),
            _YEAR,
            Column("design"),
            Column("species"),
            Column("strain"),
            Column("sex"),
            Column("age"),
            Column("weight"),
            Column("model"),
            Column("country"),
        ),
        key=("study",),
        required=True,
        further="characteristic",
    ),
    File(
        "reports.csv",
        "report",
        "publication of a study",
        (
            _STUDY,
            Column("doi", "identifier"),
            Column("pmid", "identifier"),
            _verbatim("title"),
            _verbatim("authors"),
            _verbatim("journal"),
            _YEAR,
            Column("url", "identifier"),
        ),
        numbered="report_id",
    ),
    File(
        "treatments.csv",
        "treatment",
        "treatment, a node of the network",
        (
            _name("treatment", required=True),
            _verbatim("label"),
            Column("class"),
            _name("role", default="active", allowed=ROLES),
            _verbatim("description"),
        ),
        key=("treatment",),
        required=True,
    ),
    File(
        "outcomes.csv",
        "outcome",
        "outcome",
        (
            _name("outcome", required=True),
            _verbatim("label"),
            _name("kind", required=True, allowed=KINDS),
            _name("unit", "unit"),
            _name("dimension"),
            Column("lower_is_better", "boolean"),
            Column("event_is_bad", "boolean"),
            _number("smallest_important_difference", above=0),
            _number("lower_bound"),
            _number("upper_bound"),
            _number("step", above=0),
            _verbatim("description"),
        ),
        key=("outcome",),
        required=True,
    ),
    File(
        "arms.csv",
        "arm",
        "arm of an experiment",
        (
            _STUDY,
            _EXPERIMENT,
            _name("arm", required=True, scope=("study", "experiment")),
            _name("treatment", "treatment", required=True),
            _name("role", allowed=ROLES),
            _number("n", above=0),
            _number("dose", at_least=0),
            Column("dose_unit"),
            Column("route"),
            Column("timing"),
            _name("shared_control_of", scope=("study",)),
            _verbatim("label"),
        ),
        key=("study", "experiment", "arm"),
        required=True,
        further="arm_characteristic",
    ),
    File(
        "measurements.csv",
        "measurement",
        "arm x outcome x time point x extractor, as reported",
        (
            _STUDY,
            _name("experiment", scope=("study",), default="main"),
            _name("arm", required=True, scope=("study", "experiment")),
            _name("outcome", "outcome", required=True),
            *_TIMEPOINT,
            _number("n", above=0),
            _number("mean"),
            _number("sd", at_least=0),
            _number("se", at_least=0),
            _number("median"),
            _number("q1"),
            _number("q3"),
            _number("min"),
            _number("max"),
            *_INTERVAL,
            _number("events", at_least=0),
            _number("exposure", above=0),
            *_PROVENANCE,
        ),
        key=("study", "experiment", "arm", "outcome", "timepoint", "timepoint_unit", "extractor"),
        numbered="measurement_id",
        further="measurement_characteristic",
    ),
    File(
        "contrasts.csv",
        "reported_contrast",
        "contrast reported without its arms' statistics",
        (
            _STUDY,
            _EXPERIMENT,
            _name("outcome", "outcome", required=True),
            *_TIMEPOINT,
            _name("arm_a", required=True, scope=("study", "experiment")),
            _name("arm_b", required=True, scope=("study", "experiment")),
            _name("measure", "effect_measure", required=True),
            _name("scale", allowed=SCALES),
            _number("estimate"),
            _number("se", above=0),
            _name("se_scale", allowed=SCALES),
            *_INTERVAL,
            _number("o_minus_e"),
            _number("variance", above=0),
            _number("var_base", at_least=0),
            _number("n_a", above=0),
            _number("n_b", above=0),
            *_PROVENANCE,
        ),
        key=(
            "study",
            "experiment",
            "outcome",
            "timepoint",
            "timepoint_unit",
            "arm_a",
            "arm_b",
            "measure",
            "extractor",
        ),
        numbered="reported_contrast_id",
        further="contrast_characteristic",
    ),
    File(
        "risk_of_bias.csv",
        "rob_judgement",
        "study x item x outcome x assessor",
        (
            _STUDY,
            _name("tool", "rob_tool", required=True),
            _name("item", required=True),
            _name("judgement", required=True),
            _verbatim("support"),
            _name("assessor", default="assessor"),
            _name("outcome", "outcome"),
        ),
        key=("study", "tool", "item", "assessor", "outcome"),
        numbered="rob_judgement_id",
    ),
    File(
        "searches.csv",
        "search",
        "search of one database on one day",
        (
            _name("search"),
            _verbatim("database", required=True, into="source"),
            Column("date", "date", past=True),
            _verbatim("query"),
            Column("hits", "integer", at_least=0),
        ),
        key=("search",),
    ),
    File(
        "records.csv",
        "record",
        "record found",
        (
            _name("record", required=True),
            _name("search", "search"),
            Column("doi", "identifier"),
            Column("pmid", "identifier"),
            _verbatim("title"),
            _verbatim("authors"),
            _verbatim("journal"),
            Column("year", "integer", at_least=1000, at_most=2200, past=True),
            Column("type"),
            _verbatim("volume"),
            _verbatim("issue"),
            _verbatim("pages"),
            _verbatim("abstract"),
            _verbatim("keywords"),
            Column("url", "identifier"),
            _name("duplicate_of", "record"),
            _name("study", "study"),
        ),
        key=("record",),
    ),
    File(
        "record_pairs.csv",
        "record_pair",
        "pair of records that a person compared",
        (
            _name("record", "record", required=True),
            _name("other", "record", required=True),
            Column("same", "boolean", required=True),
            _verbatim("evidence"),
        ),
        key=("record", "other"),
    ),
    File(
        "screening.csv",
        "screening",
        "record x stage x reviewer",
        (
            _name("record", "record", required=True),
            _name("stage", required=True, allowed=STAGES),
            _name("reviewer", default="reviewer"),
            _name("decision", required=True, allowed=DECISIONS),
            _verbatim("reason"),
        ),
        key=("record", "stage", "reviewer"),
    ),
    File(
        "retractions.csv",
        "retraction",
        "notice that a publication was retracted, corrected or doubted",
        (
            Column("doi", "identifier"),
            Column("pmid", "identifier"),
            _name("nature", default="retraction", allowed=NATURES),
            Column("date", "date", past=True),
            _verbatim("reason"),
            Column("notice_doi", "identifier"),
            Column("notice_pmid", "identifier"),
            _verbatim("title"),
            _verbatim("source"),
        ),
        key=("doi", "pmid", "nature", "date"),
        numbered="retraction_id",
    ),
    File(
        "flow.csv",
        "flow",
        "box of the PRISMA flow diagram, or one reason in it",
        (
            _name("box", "prisma_box", required=True),
            Column("n", "integer", at_least=0),
            _verbatim("reason"),
        ),
        key=("box", "reason"),
    ),
    File(
        "published_estimates.csv",
        "published_estimate",
        "estimate that a publication printed",
        (
            _verbatim("publication", required=True),
            _verbatim("outcome"),
            _verbatim("treatment", required=True),
            _verbatim("versus"),
            _verbatim("measure"),
            _verbatim("kind", required=True),
            _number("estimate"),
            _number("ci_lower"),
            _number("ci_upper"),
            _number("std_error"),
            Column("significant", "boolean"),
            Column("n_studies", "integer", at_least=0),
            _verbatim("unit"),
            _verbatim("locator"),
            _verbatim("note"),
        ),
        numbered="published_estimate_id",
    ),
    File(
        "published_counts.csv",
        "published_count",
        "count that a publication printed",
        (
            _verbatim("publication", required=True),
            _verbatim("variable", required=True),
            _verbatim("level", required=True),
            _verbatim("statistic", default="count"),
            _number("value"),
            _verbatim("value_text"),
            _number("denominator"),
            _verbatim("unit"),
            _verbatim("locator"),
            _verbatim("note"),
        ),
        numbered="published_count_id",
    ),
    File(
        "claims.csv",
        "claim",
        "sentence of a publication, and the query that tests it",
        (
            _name("claim", required=True),
            _name("kind", allowed=("claim", "check"), default="claim"),
            _verbatim("publication"),
            _verbatim("text", required=True),
            _verbatim("query"),
            _name("operator", allowed=OPERATORS),
            _verbatim("expected"),
            _number("tolerance", at_least=0),
            _verbatim("needs"),
            _verbatim("locator"),
        ),
        key=("claim",),
    ),
)
"""Every file of a review folder, in load order: a file comes after those it refers to."""

FILE: dict[str, File] = {file.name: file for file in FILES}
"""The same by file name."""

_SELECTION = frozenset(
    ("searches.csv", "records.csv", "record_pairs.csv", "screening.csv", "retractions.csv", "flow.csv")
)
"""Files that say how studies were found: a review may have these alone, before it has any study."""


def needed(present: Collection[str]) -> list[File]:
    """Give the files that a review folder must have, in load order.

    Parameters
    ----------
    present : collection of str
        Names of the files that it has with rows, or will have.

    Returns
    -------
    list of File
        None where the folder says only how studies were found.
    """
    found = FILE.keys() & present
    if found and found <= _SELECTION:
        return []
    return [file for file in FILES if file.required]
