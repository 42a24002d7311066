"""Tables of a report: written once, for the page (great-tables), Word, a workbook and CSV."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from analysis.charts.base.effect import Effect
from analysis.charts.base.intervals import MODELS
from analysis.charts.base.theme import (
    count,
    missing,
    number,
    p_value,
    percent,
    plain,
    positive,
    printed,
    records,
)
from analysis.charts.networks.leagues import caption, cells
from analysis.language.catalog import interval, marked, numerals, tr, trn, within
from analysis.verdict import concluding, from_adhoc
from evidence.names import slug

if TYPE_CHECKING:
    import pandas as pd
    from great_tables import GT


@dataclass(frozen=True)
class Column:
    """One column: key of the rows, heading, alignment, heading over a group of columns."""

    key: str
    label: str
    align: str = "left"
    group: str = ""


@dataclass(frozen=True)
class Table:
    """What a table shows.

    Attributes
    ----------
    name : str
        Stem of its files.
    title : str
        Heading.
    columns : tuple of Column
        What is shown; a column that is empty in every row is left out.
    rows : tuple of dict
        Written cells by column key; ``group`` (optional) puts rows under a common heading.
    note : str
        How to read it; stands beneath.
    data : tuple of dict
        The same content as numbers, for CSV and the workbook; the written cells where there is none.
    part : int
        Which part of a table of several it is, from 2 on; 0 for the first part and for a whole table.
    """

    name: str
    title: str
    columns: tuple[Column, ...]
    rows: tuple[dict[str, Any], ...]
    note: str = ""
    data: tuple[dict[str, Any], ...] = field(default=())
    part: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", slug(self.name))
        # A column in which no row has anything tells nothing.
        full = tuple(c for c in self.columns if any(_written(row.get(c.key)) != "" for row in self.rows))
        if full:
            object.__setattr__(self, "columns", full)

    def great(self) -> GT:
        """Make the great-tables object, to style further or to save."""
        import pandas as pd
        from great_tables import GT, style
        from great_tables.loc import row_groups

        grouped = any("group" in row for row in self.rows)
        keys = [column.key for column in self.columns]
        frame = pd.DataFrame(
            [[_written(row.get(key)) for key in keys] for row in self.rows], columns=keys, dtype=object
        )
        if grouped:
            frame["__group"] = [_written(row.get("group")) for row in self.rows]
        made = GT(frame, groupname_col="__group" if grouped else None)
        made = made.tab_header(title=self.title).cols_label(
            cases={column.key: column.label for column in self.columns}
        )
        for align in ("left", "center", "right"):
            chosen = [column.key for column in self.columns if column.align == align]
            if chosen:
                made = made.cols_align(align=align, columns=chosen)  # type: ignore[arg-type]
        for group in dict.fromkeys(column.group for column in self.columns if column.group):
            members = [column.key for column in self.columns if column.group == group]
            made = made.tab_spanner(label=group, columns=members)
        if self.note:
            made = made.tab_source_note(self.note)
        return made.tab_style(style=style.text(weight="bold"), locations=row_groups()) if grouped else made

    def html(self) -> str:
        """Write the table as HTML without style sheets, its ids made unique by the table's name."""
        raw = self.great().as_raw_html()
        body = raw[raw.index("<table") : raw.index("</table>") + len("</table>")]
        ids = set(re.findall(r'\bid="([^"]+)"', body))

        def scoped(match: re.Match[str]) -> str:
            words = [f"table-{self.name}-{word}" if word in ids else word for word in match[2].split()]
            return f'{match[1]}="{" ".join(words)}"'

        return re.sub(r'\b(id|headers|aria-labelledby|aria-describedby)="([^"]*)"', scoped, body)

    def records(self) -> list[dict[str, Any]]:
        """Rows for CSV and the workbook: numbers where the table has them."""
        if self.data:
            return [dict(row) for row in self.data]
        head = {"group": "group"} if any("group" in row for row in self.rows) else {}
        names = head | {column.key: column.label.replace("\n", " ") for column in self.columns}
        return [{label: row.get(key) for key, label in names.items()} for row in self.rows]


def characteristics(
    frame: pd.DataFrame,
    further: Iterable[Mapping[str, Any]] = (),
    *,
    n_label: str = "Participants",
    status: str = "included",
) -> list[Table]:
    """Tabulate the characteristics of the studies, a column each, grouped by what they are of.

    Parameters
    ----------
    frame : DataFrame
        Rows of the view ``study_characteristics``; ``linked_label`` where a study's name is to be linked,
        ``doses`` as they are to be printed.
    further : iterable of mapping
        Rows of the table ``characteristic``: the review's own columns.
    n_label : str
        "Animals" or "Participants", in the report's language.
    status : str
        What the studies are: "included", or "listed" where nothing of theirs was measured.

    Returns
    -------
    list of Table
        One, or several of a page's width each that repeat the study: population, interventions and controls,
        outcomes and further columns. Columns in which no study has anything are left out, those in which all
        have the same are said beneath.
    """
    given = records(frame)
    own: dict[str, dict[str, Any]] = {}
    for row in further:
        own.setdefault(str(row["characteristic"]), {})[str(row["study"])] = row["value"]
    columns = [
        *(
            Column(key, n_label if key == "n_participants" else tr(label), align, tr(group))
            for key, label, align, group in _CHARACTERISTICS
        ),
        *(Column(f"own_{name}", _spelled(name), "left", tr(_group_of(name))) for name in own),
    ]
    rows = []
    for row in given:
        cells_ = {column.key: _text(row.get(column.key)) for column in columns}
        cells_ |= {f"own_{name}": _text(values.get(row["study"])) for name, values in own.items()}
        cells_["n_participants"] = count(row.get("n_participants"))
        if row.get("linked_label"):
            cells_["label"] = row["linked_label"]
        rows.append(cells_)
    kept = [column for column in columns if any(row[column.key] for row in rows)]
    may_go = [
        column.key for column in kept if column.key not in ("label", "year", "n_arms", "n_participants")
    ]
    kept_, same = condensed(kept, rows, may_go, tr("study"))
    n = len(given)
    if status == "included":
        title = trn(
            "Characteristics of the included study",
            "Characteristics of the {n} included studies",
            n,
            n=count(n),
        )
    else:
        title = trn(
            "Characteristics of the listed study", "Characteristics of the {n} listed studies", n, n=count(n)
        )
    note = " ".join([*same, tr("An empty cell was not entered in the review folder.")])
    parts = _parts(kept_)
    data = tuple(
        {key: row.get(key) for key, _, _, _ in _CHARACTERISTICS}
        | {name: values.get(row["study"]) for name, values in own.items()}
        for row in given
    )
    return [
        Table(
            "characteristics" if place == 0 else f"characteristics-{place + 1}",
            title if len(parts) == 1 else f"{title}: {_joined(part)}",
            tuple(part),
            tuple(rows),
            note=note if place == len(parts) - 1 else "",
            data=data if place == 0 else (),
            part=place + 1 if place else 0,
        )
        for place, part in enumerate(parts)
    ]


_POPULATION, _INTERVENTION, _CONTROL, _OUTCOMES, _FURTHER = (
    marked("Population"), marked("Interventions"), marked("Controls"), marked("Outcomes"), marked("Further"),
)  # fmt: skip
_CHARACTERISTICS = (
    ("label", marked("Study"), "left", ""), ("year", marked("Year"), "right", ""),
    ("n_participants", marked("Participants"), "right", ""),
    ("design", marked("Design"), "left", _POPULATION), ("country", marked("Country"), "left", _POPULATION),
    ("species", marked("Species"), "left", _POPULATION), ("strain", marked("Strain"), "left", _POPULATION),
    ("sex", marked("Sex"), "left", _POPULATION), ("age", marked("Age"), "left", _POPULATION),
    ("weight", marked("Weight"), "left", _POPULATION), ("model", marked("Model"), "left", _POPULATION),
    ("n_arms", marked("Arms"), "right", _INTERVENTION),
    ("treatments", marked("Treatments"), "left", _INTERVENTION),
    ("doses", marked("Doses"), "left", _INTERVENTION), ("routes", marked("Routes"), "left", _INTERVENTION),
    ("timings", marked("Timing"), "left", _INTERVENTION),
    ("outcomes", marked("Outcomes"), "left", _OUTCOMES),
    ("dois", marked("Publications"), "left", _FURTHER),
)  # fmt: skip
_WORDS_OF = (
    (_CONTROL, ("control", "vehicle", "sham", "placebo", "comparator")),
    (_OUTCOMES, ("outcome", "endpoint", "follow_up", "followup", "basis", "assay")),
    (_POPULATION, ("species", "animal", "strain", "patient", "disease", "induc", "donor_species", "setting")),
    (_INTERVENTION, ("cell", "dose", "route", "passage", "intervention", "treatment", "deliver", "inject")),
)
_KEPT = ("label", "year", "n_arms", "n_participants")
_WIDEST = 10
"""Columns of a table of studies that a page of paper holds in letters that can be read."""


def _group_of(name: str) -> str:
    """Tell what one of the review's own columns is of, by the words in its name."""
    low = name.lower()
    return next((group for group, words in _WORDS_OF if any(word in low for word in words)), _FURTHER)


def _spelled(name: str) -> str:
    """Write the name of a column as a heading."""
    words = name.replace("_", " ").strip()
    return words[:1].upper() + words[1:]


def _parts(columns: Sequence[Column]) -> list[list[Column]]:
    """Spread columns over tables of a page's width, groups whole where they fit, each with the study.

    The first column is the study.
    """
    order = ("", *(tr(group) for group in (_POPULATION, _INTERVENTION, _CONTROL, _OUTCOMES, _FURTHER)))
    columns = sorted(columns, key=lambda column: order.index(column.group))
    if len(columns) <= _WIDEST:
        return [columns]
    study = columns[0]
    parts = [[column for column in columns if not column.group]]
    for group in dict.fromkeys(column.group for column in columns if column.group):
        members = [column for column in columns if column.group == group]
        if any(column.group for column in parts[-1]) and len(parts[-1]) + len(members) > _WIDEST:
            parts.append([study])
        for column in members:
            if len(parts[-1]) == _WIDEST:
                parts.append([study])
            parts[-1].append(column)
    return parts


def _joined(columns: Sequence[Column]) -> str:
    return within(", ".join(dict.fromkeys(column.group for column in columns if column.group)))


def dose(value: Any, unit: Any) -> str:
    """Write a dose: large numbers as powers of ten, as cells are counted.

    >>> from analysis.charts.tables import dose
    >>> dose(30000000.0, "cells"), dose(2.5, "mg/kg"), dose(1.2e6, "cells/kg")
    ('3 × 10⁷ cells', '2.5 mg/kg', '1.2 × 10⁶ cells/kg')
    """
    if missing(value):
        return ""
    if abs(value) >= 1e5:
        digits, power = f"{value:.6e}".split("e")
        mantissa = number(float(digits), 6).rstrip("0").rstrip(".,")
        raised = str(int(power)).translate(str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹"))
        written = f"{mantissa} × 10{raised}" if mantissa != "1" else f"10{raised}"
    else:
        written = numerals(f"{value:.10g}")
    return written if missing(unit) or not unit else f"{written} {unit}"


def condensed(
    columns: Sequence[Column], rows: Sequence[Mapping[str, Any]], keys: Sequence[str], what: str
) -> tuple[tuple[Column, ...], list[str]]:
    """Take the columns out in which every row says the same, and say it once.

    Parameters
    ----------
    columns : sequence of Column
    rows : sequence of mapping
        Written cells.
    keys : sequence of str
        Columns that may be taken out.
    what : str
        What a row is: "study", "reading".

    Returns
    -------
    columns : tuple of Column
        Those that differ, or that must stay.
    notes : list of str
        A sentence for each column that was taken out.
    """
    notes: dict[str, str] = {}
    for column in columns:
        values = {_written(row.get(column.key)) for row in rows}
        if column.key in keys and len(rows) > 1 and len(values) == 1 and values != {""}:
            notes[column.key] = tr(
                "{column} of every {what}: {value}.", column=column.label, what=what, value=values.pop()
            )
    return tuple(column for column in columns if column.key not in notes), list(notes.values())


def summary_of_findings(rows: Iterable[Mapping[str, Any]], *, n_label: str = "Participants") -> Table:
    """Tabulate the main result of every analysis.

    Parameters
    ----------
    rows : iterable of mapping
        outcome, comparison, treatment, versus, n_studies, n_participants, model, effect (an `Effect`),
        estimate, ci_lower, ci_upper, adhoc_lower, adhoc_upper, no_verdict, pi_lower, pi_upper, tau, i2,
        certainty, linked (the effect as it is to be written, with its link).
    n_label : str
        "Animals" or "Participants".

    Returns
    -------
    Table
    """
    written, data = [], []
    for row in rows:
        effect: Effect = row["effect"]
        digits = (
            row["digits"] if "digits" in row else effect.digits([(row["ci_upper"] - row["ci_lower"]) / 2])
        )
        text = effect.estimate_text(row["estimate"], row["ci_lower"], row["ci_upper"], digits)
        written.append(
            {
                "group": effect.title,
                "comparison": row["comparison"],
                "studies": count(row.get("n_studies")),
                "participants": count(row.get("n_participants")),
                "model": row["model"],
                "effect": row.get("linked") or text,
                "prediction": effect.interval_text(row.get("pi_lower"), row.get("pi_upper"), digits),
                "heterogeneity": _spread(row, effect, digits),
                "reading": _reading(effect, row),
                "certainty": row.get("certainty") or "",
            }
        )
        data.append(
            {
                "outcome": effect.outcome, "measure": effect.measure, "comparison": row["comparison"],
                "n_studies": row.get("n_studies"), "n_participants": row.get("n_participants"),
                "model": row["model"], "estimate": effect.shown(row["estimate"]),
                "ci_lower": effect.shown(row["ci_lower"]), "ci_upper": effect.shown(row["ci_upper"]),
                "pi_lower": effect.shown(row.get("pi_lower")), "pi_upper": effect.shown(row.get("pi_upper")),
                "tau": row.get("tau"), "i2": row.get("i2"), "certainty": row.get("certainty"),
            }
        )  # fmt: skip
    columns = (
        Column("comparison", tr("Comparison")),
        Column("studies", tr("Studies"), "right"),
        Column("participants", n_label, "right"),
        Column("model", tr("Model")),
        Column("effect", tr("Effect [95% interval]"), "right"),
        Column("prediction", tr("Prediction interval"), "right"),
        Column("heterogeneity", tr("Heterogeneity")),
        Column("reading", tr("Reading")),
        Column("certainty", tr("Certainty")),
    )
    return Table(
        "summary-of-findings",
        tr("Main result of every analysis"),
        columns,
        tuple(written),
        note=tr(
            "The counts of a network comparison are of the studies that make it directly. Reading: whether "
            "the interval excludes no effect, and whom it favours by the outcome's direction of benefit."
        ),
        data=tuple(data),
    )


def league_table(
    network: pd.DataFrame,
    direct: pd.DataFrame | None,
    *,
    effect: Effect,
    order: Sequence[str],
    name: str = "league",
    links: Mapping[tuple[str, str], str] | None = None,
) -> Table:
    """Write the league table as text.

    Parameters
    ----------
    network, direct, effect, order
        As in `analysis.charts.networks.leagues.cells`.
    name : str
        Stem of its files.
    links : mapping of (treatment, versus) to str, optional
        Cells as they are to be written, with their link, for the lower triangle.

    Returns
    -------
    Table
        Its note says which triangle is what.
    """
    filled = {
        (cell["row"], cell["column"]): cell for cell in cells(network, direct, effect=effect, order=order)
    }
    rows = []
    for i in range(len(order)):
        row = {}
        for j in range(len(order)):
            if i == j:
                row[f"c{j}"] = effect.label(order[i])
                continue
            cell = filled[i, j]
            text = " ".join(cell["text"]).strip()
            linked = (
                (links or {}).get((cell["treatment"], cell["versus"]))
                if cell["triangle"] == "lower"
                else None
            )
            row[f"c{j}"] = linked or text
        rows.append(row)
    return Table(
        name,
        tr("League table: {outcome}", outcome=effect.outcome),
        tuple(Column(f"c{j}", str(j + 1), "center") for j in range(len(order))),
        tuple(rows),
        note=caption(effect, direct=direct is not None, coloured=False, bold=False),
        data=tuple(
            {
                key: cell.get(key)
                for key in (
                    "triangle",
                    "treatment",
                    "versus",
                    "estimate",
                    "ci_lower",
                    "ci_upper",
                    "n_studies",
                    "evidence",
                )
            }
            for cell in filled.values()
        ),
    )


def heterogeneity_and_inconsistency(
    heterogeneity: pd.DataFrame,
    inconsistency: pd.DataFrame | None = None,
    *,
    effect: Effect,
    digits: int,
    name: str,
) -> Table:
    """Tabulate heterogeneity, and whether designs of a network agree.

    Parameters
    ----------
    heterogeneity : DataFrame
        Rows of ``result_heterogeneity``; of a single study, and of a subgroup that holds all studies, none
        is printed.
    inconsistency : DataFrame, optional
        Rows of ``result_inconsistency`` with a test (q or p_value) that is not of a single comparison.
    effect : Effect
        What the studies estimate: tau has its unit.
    digits : int
        Decimals of the effects, which those of tau are.
    name : str
        Stem of its files.

    Returns
    -------
    Table
    """
    every = records(heterogeneity)
    tested = records(inconsistency) if inconsistency is not None else []
    levels = {row.get("level") for row in every if not missing(row.get("level"))}
    rows = [
        _spread_cells(row, digits)
        for row in every
        if missing(row.get("level")) or (len(levels) > 1 and row.get("df") != 0)
    ]
    data = [{"part": "heterogeneity", **row} for row in every]
    data += [{"part": "inconsistency", **row} for row in tested]
    title = tr("Heterogeneity")
    if tested:
        rows = [{"group": title, **row} for row in rows]
        rows += [{"group": tr("Inconsistency"), **_test_cells(row)} for row in tested]
        title = tr("Heterogeneity and inconsistency")
    unit = tr("log scale") if effect.scale == "log" else effect.printed_unit
    columns = (
        Column("what", tr("What")), Column("method", tr("Method")),
        Column("tau", f"τ ({unit})" if unit else "τ", "right"), Column("i2", "I²", "right"),
        Column("q", "Q", "right"), Column("df", "df", "right"), Column("p", "p", "right"),
        Column("note", tr("Note")),
    )  # fmt: skip
    return Table(name, title, columns, tuple(rows), data=tuple(data))


def _spread_cells(row: Mapping[str, Any], digits: int) -> dict[str, Any]:
    """Write the heterogeneity of one model; a common effect has none to estimate."""
    random = row["model"] != "common"
    what = tr(MODELS[row["model"]]) if row["model"] in MODELS else str(row["model"])
    level = row.get("level")
    return {
        "what": what if missing(level) else f"{what}, {level}",
        "method": _text(row.get("method")) if random else "",
        "tau": _tau(row, digits) if random else "",
        "i2": _range(row, "i2", 0),
        "q": number(row.get("q"), 1),
        "df": count(row.get("df")),
        "p": p_value(row.get("p_value")).removeprefix("= "),
    }


def _test_cells(row: Mapping[str, Any]) -> dict[str, Any]:
    """Write one test of a network's consistency."""
    method = tr(_TESTS.get(row["method"], str(row["method"])))
    model = "" if missing(row.get("model")) else tr(MODELS.get(row["model"], str(row["model"])))
    component = _text(row.get("component"))
    return {
        "what": tr(_COMPONENTS[component]) if component in _COMPONENTS else component,
        "method": f"{method}, {model}" if model else method,
        "q": number(row.get("q"), 1),
        "df": count(row.get("df")),
        "p": p_value(row.get("p_value")).removeprefix("= "),
        "note": _text(row.get("note")).replace("tau", "τ"),
    }


_TESTS = {
    "decomposition": marked("decomposition of Q"),
    "design-by-treatment": marked("design-by-treatment interaction"),
}
_COMPONENTS = {
    "total": marked("total"), "within designs": marked("within designs"),
    "between designs": marked("between designs"), "network": marked("whole network"),
}  # fmt: skip


def model_fit(
    frame: pd.DataFrame,
    *,
    effect: Effect,
    digits: int,
    write: Callable[[str], str] = printed,
    name: str,
) -> Table:
    """Tabulate measures of fit, one column for each model.

    Parameters
    ----------
    frame : DataFrame
        Rows of ``result_fit`` that are not of single studies: engine, model, quantity, value, note.
    effect : Effect
        What is estimated: tau is in its unit.
    digits : int
        Decimals of the effects.
    write : callable
        Writes a note for reading.
    name : str
        Stem of its files.

    Returns
    -------
    Table
    """
    given = [row for row in records(frame) if missing(row.get("study"))]
    models = list(dict.fromkeys((row["engine"], row["model"]) for row in given))
    quantities = list(dict.fromkeys(row["quantity"] for row in given))
    value = {(row["engine"], row["model"], row["quantity"]): row["value"] for row in given}
    notes = {row["quantity"]: write(str(row["note"])) for row in given if not missing(row.get("note"))}

    def cell(quantity: str, found: Any) -> str:
        if quantity.startswith("tau"):
            return effect.spread_text(found, digits)
        # Deviances are compared to the nearest tenth; POTH is a share.
        return number(found, {"df": 0, "POTH": 2}.get(quantity, 1))

    rows = [
        {"quantity": tr(_QUANTITIES.get(quantity, quantity)), "note": notes.get(quantity, "")}
        | {f"m{i}": cell(quantity, value.get((*model, quantity))) for i, model in enumerate(models)}
        for quantity in quantities
    ]
    columns = [Column("quantity", tr("Quantity"))]
    columns += [
        Column(f"m{i}", tr(MODELS.get(model, str(model))), "right") for i, (_, model) in enumerate(models)
    ]
    columns.append(Column("note", tr("Note")))
    return Table(name, tr("Model fit"), tuple(columns), tuple(rows), data=tuple(given))


_QUANTITIES = {
    "q": "Q", "Dbar": "D̄", "Dbar (arms)": marked("D̄ (arms)"), "p_WAIC": "p (WAIC)",
    "elpd_loo": marked("elpd, each study left out"),
    "log_marginal_likelihood": marked("log marginal likelihood"),
    "log likelihood (REML)": marked("log likelihood (REML)"), "tau mean": marked("τ, posterior mean"),
    "tau sd": marked("τ, posterior standard deviation"),
}  # fmt: skip


def _written(value: Any) -> str:
    return "" if missing(value) else str(value)


def _text(value: Any) -> str:
    value = plain(value)
    if value is None:
        return ""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _range(row: Mapping[str, Any], key: str, digits: int) -> str:
    if missing(row.get(key)):
        return ""
    lower, upper = (percent(row.get(f"{key}_{end}"), digits) for end in ("lower", "upper"))
    return percent(row[key], digits) + (f" {interval(lower, upper)}" if lower and upper else "")


def _tau(row: Mapping[str, Any], digits: int) -> str:
    if missing(row.get("tau")):
        return ""
    lower, upper = (positive(row.get(f"tau_{end}"), digits) for end in ("lower", "upper"))
    method = row.get("interval_method")
    by = f" ({method})" if lower and not missing(method) and method else ""
    return positive(row["tau"], digits) + (f" {interval(lower, upper)}{by}" if lower and upper else "")


def _spread(row: Mapping[str, Any], effect: Effect, digits: int) -> str:
    parts = []
    if not missing(row.get("tau")):
        parts.append(f"τ = {effect.spread_text(row['tau'], digits)}")
    if not missing(row.get("i2")):
        parts.append(f"I² = {percent(row['i2'], 0)}")
    return "; ".join(parts)


def _reading(effect: Effect, row: Mapping[str, Any]) -> str:
    limits = concluding(row)
    if limits is None:
        return tr("no conclusion is drawn: see the notes of the analysis")
    better = effect.better(row["estimate"])
    if limits[0] <= 0 <= limits[1]:
        said = tr("interval includes no effect")
    elif better is None:
        said = tr("interval excludes no effect")
    else:
        said = tr("favours {name}", name=effect.label(row["treatment"] if better else row["versus"]))
    if not from_adhoc(row):
        return said
    return tr("{said} (interval with the Hartung-Knapp factor kept at 1)", said=said)
