"""Tables of a report: written once, for the page (great-tables), Word, a workbook and CSV."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from analysis.charts.base.effect import Effect
from analysis.charts.base.theme import count, figures, missing, number, p_value, percent, plain, records
from analysis.charts.leagues import caption, cells
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
        What is shown.
    rows : tuple of dict
        Written cells by column key; ``group`` (optional) puts rows under a common heading.
    note : str
        How to read it; stands beneath.
    data : tuple of dict
        The same content as numbers, for CSV and the workbook; the written cells where there is none.
    """

    name: str
    title: str
    columns: tuple[Column, ...]
    rows: tuple[dict[str, Any], ...]
    note: str = ""
    data: tuple[dict[str, Any], ...] = field(default=())

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", slug(self.name))

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


def characteristics(frame: pd.DataFrame, *, n_label: str = "Participants", status: str = "included") -> Table:
    """Tabulate the characteristics of the studies.

    Parameters
    ----------
    frame : DataFrame
        Rows of the view ``study_characteristics``; ``link`` where a study's name is to be linked.
    n_label : str
        "Animals" or "Participants".
    status : str
        What the studies are: "included", or "listed" where nothing of theirs was measured.

    Returns
    -------
    Table
        Columns in which no study has anything are left out.
    """
    wanted = (
        ("label", "Study", "left"), ("year", "Year", "right"), ("design", "Design", "left"),
        ("country", "Country", "left"), ("species", "Species", "left"), ("strain", "Strain", "left"),
        ("sex", "Sex", "left"), ("age", "Age", "left"), ("weight", "Weight", "left"),
        ("model", "Model", "left"),
        ("n_arms", "Arms", "right"), ("n_participants", n_label, "right"),
        ("treatments", "Treatments", "left"),
        ("doses", "Doses", "left"), ("routes", "Routes", "left"), ("timings", "Timing", "left"),
        ("outcomes", "Outcomes", "left"), ("characteristics", "Further characteristics", "left"),
        ("dois", "Publications", "left"),
    )  # fmt: skip
    given = records(frame)
    kept = [
        item for item in wanted if any(not missing(row.get(item[0])) and row[item[0]] != "" for row in given)
    ]
    rows = []
    for row in given:
        cells_ = {key: _text(row.get(key)) for key, _, _ in kept}
        if "n_participants" in cells_:
            cells_["n_participants"] = count(row["n_participants"])
        if row.get("linked_label"):
            cells_["label"] = row["linked_label"]
        rows.append(cells_)
    columns, same = condensed(
        [Column(*item) for item in kept], rows, ("design", "country", "species"), "study"
    )
    return Table(
        "characteristics",
        f"Characteristics of the {len(given)} {status} studies",
        columns,
        tuple(rows),
        note=" ".join([*same, "An empty cell was not entered in the review folder."]),
        data=tuple({key: row.get(key) for key, _, _ in wanted} for row in given),
    )


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
            notes[column.key] = f"{column.label} of every {what}: {values.pop()}."
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
                "heterogeneity": _spread(row),
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
    columns = [
        Column("comparison", "Comparison"),
        Column("studies", "Studies", "right"),
        Column("participants", n_label, "right"),
        Column("model", "Model"),
        Column("effect", "Effect [95% interval]", "right"),
        Column("prediction", "Prediction interval", "right"),
        Column("heterogeneity", "Heterogeneity"),
        Column("reading", "Reading"),
    ]
    if any(row["certainty"] for row in written):
        columns.append(Column("certainty", "Certainty"))
    return Table(
        "summary-of-findings",
        "Main result of every analysis",
        tuple(columns),
        tuple(written),
        note=f"Studies and {n_label.lower()} of a network comparison are those that make it directly. "
        "Reading: whether the interval excludes no effect, and whom it favours by the outcome's direction of "
        "benefit.",
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
        As in `analysis.charts.leagues.cells`.
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
        f"League table: {effect.outcome}",
        tuple(Column(f"c{j}", str(j + 1), "center") for j in range(len(order))),
        tuple(rows),
        note=caption(effect, direct=direct is not None)
        .replace(" Bold: the interval excludes no effect.", "")
        .replace(" Colour: the evidence behind a network estimate.", ""),
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
    unit: str | None = None,
    name: str,
) -> Table:
    """Tabulate heterogeneity, and whether designs of a network agree.

    Parameters
    ----------
    heterogeneity : DataFrame
        Rows of ``result_heterogeneity``.
    inconsistency : DataFrame, optional
        Rows of ``result_inconsistency`` with a test (q or p_value) that is not of a single comparison.
    unit : str, optional
        Unit of tau.
    name : str
        Stem of its files.

    Returns
    -------
    Table
    """
    rows, data = [], []
    for row in records(heterogeneity):
        which = " ".join(
            str(part) for part in (row.get("subgroup"), row.get("level")) if not missing(part) and part
        )
        data.append({"part": "heterogeneity", **row})
        rows.append(
            {
                "group": "Heterogeneity",
                "what": {"common": "Common effect", "random": "Random effects"}.get(
                    row["model"], row["model"]
                )
                + (f", {which}" if which else ""),
                "method": _text(row.get("method")),
                "tau": _tau(row),
                "i2": _range(row, "i2", 0, share=True),
                "q": number(row.get("q"), 1),
                "df": count(row.get("df")),
                "p": p_value(row.get("p_value")).removeprefix("= "),
            }
        )
    for row in records(inconsistency) if inconsistency is not None else []:
        data.append({"part": "inconsistency", **row})
        rows.append(
            {
                "group": "Inconsistency",
                "what": _text(row.get("component")),
                "method": f"{row['method']}" + (f", {row['model']}" if not missing(row.get("model")) else ""),
                "q": number(row.get("q"), 1),
                "df": count(row.get("df")),
                "p": p_value(row.get("p_value")).removeprefix("= "),
                "note": _text(row.get("note")),
            }
        )
    columns = [
        Column("what", "What"), Column("method", "Method"),
        Column("tau", f"τ ({unit})" if unit else "τ", "right"), Column("i2", "I²", "right"),
        Column("q", "Q", "right"), Column("df", "df", "right"), Column("p", "p", "right"),
    ]  # fmt: skip
    if any(row.get("note") for row in rows):
        columns.append(Column("note", "Note"))
    title = (
        "Heterogeneity and inconsistency"
        if inconsistency is not None and len(inconsistency)
        else "Heterogeneity"
    )
    if inconsistency is None or not len(inconsistency):
        title = "Heterogeneity"
        for row in rows:
            del row["group"]
    else:
        title = "Heterogeneity and inconsistency"
    return Table(name, title, tuple(columns), tuple(rows), data=tuple(data))


def model_fit(frame: pd.DataFrame, *, name: str) -> Table:
    """Tabulate measures of fit, one column for each model.

    Parameters
    ----------
    frame : DataFrame
        Rows of ``result_fit`` that are not of single studies: engine, model, quantity, value, note.
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
    notes = {row["quantity"]: row["note"] for row in given if not missing(row.get("note"))}
    rows = [
        {"quantity": {"q": "Q"}.get(quantity, quantity), "note": notes.get(quantity, "")}
        | {
            f"m{i}": number(value.get((*model, quantity)), 0 if quantity == "df" else 2)
            for i, model in enumerate(models)
        }
        for quantity in quantities
    ]
    columns = [Column("quantity", "Quantity")]
    columns += [Column(f"m{i}", f"{engine}, {model}", "right") for i, (engine, model) in enumerate(models)]
    columns.append(Column("note", "Note"))
    return Table(name, "Model fit", tuple(columns), tuple(rows), data=tuple(given))


def _written(value: Any) -> str:
    return "" if missing(value) else str(value)


def _text(value: Any) -> str:
    value = plain(value)
    if value is None:
        return ""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _range(row: Mapping[str, Any], key: str, digits: int, share: bool = False) -> str:
    def write(value: Any) -> str:
        return percent(value, digits) if share else number(value, digits)

    if missing(row.get(key)):
        return ""
    limits = row.get(f"{key}_lower"), row.get(f"{key}_upper")
    return write(row[key]) + ("" if missing(limits[0]) else f" [{write(limits[0])}, {write(limits[1])}]")


def _tau(row: Mapping[str, Any]) -> str:
    if missing(row.get("tau")):
        return ""
    ends = [figures(row.get(f"tau_{end}")) for end in ("lower", "upper")]
    method = row.get("interval_method")
    by = f" ({method})" if ends[0] and not missing(method) and method else ""
    return figures(row["tau"]) + (f" [{', '.join(ends)}]{by}" if ends[0] else "")


def _spread(row: Mapping[str, Any]) -> str:
    parts = []
    if not missing(row.get("tau")):
        parts.append(f"τ = {figures(row['tau'])}")
    if not missing(row.get("i2")):
        parts.append(f"I² = {percent(row['i2'], 0)}")
    return "; ".join(parts)


def _reading(effect: Effect, row: Mapping[str, Any]) -> str:
    limits = concluding(row)
    if limits is None:
        return "no conclusion is drawn: see the notes of the analysis"
    source = " (interval with the Hartung-Knapp factor kept at 1)" if from_adhoc(row) else ""
    if limits[0] <= 0 <= limits[1]:
        return f"interval includes no effect{source}"
    better = effect.better(row["estimate"])
    if better is None:
        return f"interval excludes no effect{source}"
    return f"favours {effect.label(row['treatment'] if better else row['versus'])}{source}"
