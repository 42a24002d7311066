"""One look for every chart: fonts, colours, text measures, and what makes a figure of a drawing."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, cast

import altair as alt

from analysis.language.catalog import current, number_format, numerals, percent_sign, tr
from evidence import output
from evidence.system import frames
from evidence.system.frames import plain

if TYPE_CHECKING:
    import pandas as pd

FONTS = (
    "Liberation Sans, Arial, Helvetica, 'Noto Sans CJK SC', 'Microsoft YaHei', 'PingFang SC', "
    "'Hiragino Sans', 'Droid Sans Fallback', sans-serif"
)
"""Liberation Sans, Arial and Helvetica share their widths, so that text measured here fits everywhere; the
names after them draw the characters those three lack."""

SIZE = 11
"""Font size of figures in pixels."""

INK = "#1b1f24"
MUTED = "#57606a"
FAINT = "#d0d7de"
STUDY = "#2f6b9a"
RANDOM = "#0b3d66"
COMMON = "#7d8a97"
PREDICTION = "#b4540a"
ALARM = "#b00020"

CATEGORIES = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#4d4d4d", "#a6761d")
"""Okabe and Ito's colours (2008), told apart with every common form of colour vision."""

BLUE_RED = ("#2166ac", "#f7f7f7", "#b2182b")
"""Diverging: blue lowers, red raises (ColorBrewer RdBu, reversed)."""

# Advance widths of Liberation Sans (as of Arial and Helvetica) in thousandths of the font size.
_WIDTHS = {
    character: width
    for width, characters in {
        191: "'", 222: "ijl", 260: "|", 278: " \xa0!,./:;I[\\]ft·", 333: "()-`r²³“”", 334: "{}", 355: '"',
        389: "*",        469: "^", 500: "Jcksvxyz", 556: "#$0123456789?L_abdeghnopqu–†‡", 584: "+<=>~−×±",
        611: "FTZ", 667: "&ABEKPSVXY", 722: "CDHNRUw", 778: "GOQ", 833: "Mm", 889: "%", 944: "W", 1000:
        "—…←→", 1015: "@",
    }.items()
    for character in characters
}  # fmt: skip
_BOLD = 1.075


def text_width(text: str, size: float = SIZE, bold: bool = False) -> float:
    """Width of a line of text in pixels.

    Parameters
    ----------
    text : str
        One line.
    size : float
        Font size in pixels.
    bold : bool
        Bold letters are wider.

    Returns
    -------
    float
        Exact for ASCII in the theme's fonts, a safe guess for other scripts.
    """
    thousandths = 0
    for character in text:
        if character in _WIDTHS:
            thousandths += _WIDTHS[character]
        elif unicodedata.combining(character):
            continue
        else:
            thousandths += 1000 if unicodedata.east_asian_width(character) in "WF" else 620
    return thousandths / 1000 * size * (_BOLD if bold else 1)


def wrap(text: str, width: float, size: float = SIZE, bold: bool = False) -> list[str]:
    """Break text into lines no wider than `width` pixels, between words where it can be done.

    Parameters
    ----------
    text : str
        Text; its own line breaks are kept.
    width : float
        Pixels.
    size, bold
        As in `text_width`.

    Returns
    -------
    list of str
        At least one line; no character is lost but the spaces at the breaks.
    """
    lines = []
    for paragraph in text.split("\n"):
        line = ""
        for word in paragraph.split(" "):
            candidate = f"{line} {word}" if line else word
            if text_width(candidate, size, bold) <= width:
                line = candidate
                continue
            if line:
                lines.append(line)
            line = ""
            for character in word:
                if line and text_width(line + character, size, bold) > width:
                    lines.append(line)
                    line = ""
                line += character
        lines.append(line)
    return lines


def number(value: float | None, digits: int = 2) -> str:
    """Write a number for reading: thousands grouped, a true minus sign, nothing for a missing value.

    Parameters
    ----------
    value : float or None
        The number.
    digits : int
        Digits after the decimal point.

    Returns
    -------
    str
    """
    if missing(value):
        return ""
    text = f"{value:,.{digits}f}"
    if text.startswith("-") and not text.strip("-0.,"):
        text = text[1:]
    return numerals(text.replace("-", "−"))


def positive(value: float | None, digits: int = 2) -> str:
    """Write what cannot be negative: nothing but zero is written as zero.

    >>> from analysis.charts.base.theme import positive
    >>> positive(1222.0099, 0), positive(0.0004), positive(0.0), positive(0.354)
    ('1,222', '<0.01', '0', '0.35')
    """
    if missing(value):
        return ""
    if value == 0:
        return "0"
    least = 10.0**-digits
    return number(value, digits) if value >= least / 2 else f"<{number(least, digits)}"  # type: ignore[operator]


def count(value: float | None) -> str:
    """Write a count: grouped, with decimals only where it has some (imputed or effective sizes)."""
    if missing(value):
        return ""
    return number(value, 0 if float(value or 0).is_integer() else 1)


def figures(value: float | None) -> str:
    """Three significant figures, grouped and without an exponent where that is readable."""
    if missing(value):
        return ""
    text = output.figures(value)  # type: ignore[arg-type]
    if abs(value) >= 1000 and "e" not in text:  # type: ignore[arg-type]
        text = f"{float(text):,.0f}"
    return numerals(text.replace("-", "−"))


def printed(message: str) -> str:
    """Write the words of an analysis with the signs of print: tau as a letter, squares, plain numbers.

    >>> from analysis.charts.base.theme import printed
    >>> printed("tau ~ uniform(0, 6000); tau2 0.4 - normal(0, 1.2e+05^2)")
    'τ ~ uniform(0, 6,000); τ² 0.4 − normal(0, 120,000²)'
    """
    text = re.sub(r"\btau2\b", "τ²", message)
    text = re.sub(r"\btau\b", "τ", text).replace(" - ", " − ")
    text = re.sub(r"(?<![\w.,])\d+(?:\.\d+)?e[+]\d+", lambda found: f"{float(found[0]):.0f}", text)
    text = re.sub(r"\^2\b", "²", text)
    return re.sub(r"(?<=[( ])\d{4,}(?=[,)²])", lambda found: f"{int(found[0]):,}", text)


def p_value(value: float | None) -> str:
    """Write a p-value: two or three decimals, more where they would round it to 0.05, or that it is smaller.

    >>> from analysis.charts.base.theme import p_value
    >>> p_value(0.0123), p_value(0.0497), p_value(0.0), p_value(0.3)
    ('= 0.012', '= 0.0497', '< 0.001', '= 0.30')
    """
    if missing(value):
        return ""
    text = numerals(output.p_value(value))
    return text if text.startswith("<") else f"= {text}"


def percent(value: float | None, digits: int = 1) -> str:
    """Write a share (0 to 1) as a percentage; what is not all or nothing is not written as if it were.

    >>> from analysis.charts.base.theme import percent
    >>> percent(0.5), percent(0.9998), percent(1.0), percent(0.0001), percent(0.9998, 0)
    ('50.0%', '>99.9%', '100.0%', '<0.1%', '>99%')
    """
    if missing(value):
        return ""
    text, step = f"{100 * value:.{digits}f}", 10.0**-digits  # type: ignore[operator]
    # Sums of weights miss 1 by rounding.
    if value < 1 - 1e-9 and float(text) == 100:  # type: ignore[operator]
        return f">{number(100 - step, digits)}{percent_sign()}"
    if value > 1e-9 and float(text) == 0:  # type: ignore[operator]
        return f"<{number(step, digits)}{percent_sign()}"
    return f"{number(100 * value, digits)}{percent_sign()}"  # type: ignore[operator]


def missing(value: Any) -> bool:
    """Tell whether a cell of a frame is empty: None, NaN or pandas' NA."""
    if value is None:
        return True
    if isinstance(value, str):
        return False
    try:
        return bool(value != value)
    except (TypeError, ValueError):  # pandas.NA refuses to be a truth value
        return True


def ink_on(color: str) -> str:
    """Colour of letters that can be read on a background: white on dark, the ink on light.

    Parameters
    ----------
    color : str
        ``#rrggbb``.

    Returns
    -------
    str
        Whichever has the higher contrast by the relative luminance of WCAG 2.
    """
    channels = [int(color[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return "#ffffff" if luminance < 0.19 else INK


def records(frame: pd.DataFrame | Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Rows of a frame, or of dictionaries, as plain dictionaries for JSON."""
    if not hasattr(frame, "to_numpy"):
        return [{str(key): plain(value) for key, value in row.items()} for row in frame]
    return frames.records(cast("pd.DataFrame", frame))


def dataset(rows: pd.DataFrame | Iterable[Mapping[str, Any]], name: str) -> alt.InlineData:
    """Put rows into a chart under a name, so that the table a figure draws can be taken out of it again.

    Parameters
    ----------
    rows : DataFrame or iterable of mapping
        The data.
    name : str
        Name within the chart.

    Returns
    -------
    altair.InlineData
        Embedded whole: Altair's limit of 5,000 rows guards frames, and every chart here draws fewer.
    """
    # A tuple: Altair copies lists, row by row, whenever charts are put together.
    return alt.InlineData(values=tuple(records(rows)), name=name)


def _views(chart: Any) -> Iterator[Any]:
    """Walk through the chart and every view in it."""
    yield chart
    for key in ("layer", "hconcat", "vconcat", "concat", "spec"):
        inner = chart[key] if key in chart._kwds else alt.Undefined
        for view in inner if isinstance(inner, list) else [inner]:
            if hasattr(view, "_kwds"):
                yield from _views(view)


def _hoist(chart: Any) -> dict[str, list[dict[str, Any]]]:
    """Move the data of all views to the top, each set once, leaving its name in their place."""
    found: dict[str, list[dict[str, Any]]] = {}
    for view in _views(chart):
        data = view._kwds.get("data", alt.Undefined)
        if isinstance(data, alt.InlineData):
            rows, name = data.values, data._kwds.get("name", alt.Undefined)
            if name is alt.Undefined:
                name = "nothing"
            if found.setdefault(name, rows) != rows:
                raise ValueError(f"two tables of one chart are both called {name!r}")
            view.data = alt.NamedData(name=name)
    return found


def ticks(lower: float, upper: float, most: int = 7) -> list[float]:
    """Round tick values of a linear axis.

    Parameters
    ----------
    lower, upper : float
        Ends of the axis.
    most : int
        Upper limit of their number.

    Returns
    -------
    list of float
        Multiples of 1, 2 or 5 times a power of ten within the axis.
    """
    span = upper - lower
    if not span > 0:
        return [lower]
    power = 10.0 ** math.floor(math.log10(span / most))
    first = last = 0
    for step in (power, 2 * power, 5 * power, 10 * power):
        finer = (first, last)
        first, last = math.ceil(lower / step - 1e-9), math.floor(upper / step + 1e-9)
        if last - first + 1 <= most:
            break
    # Steps of 2 leap to steps of 5: one tick too many reads better than two ticks in all.
    if last - first + 1 < 4 and step > power and finer[1] - finer[0] + 1 <= most + 2:
        first, last = finer
        step = {2.0: 1.0, 5.0: 2.0, 10.0: 5.0}[round(step / power, 6)] * power
    return [float(f"{index * step:.12g}") for index in range(first, last + 1)]


def log_ticks(lower: float, upper: float, most: int = 7) -> list[float]:
    """Round tick values of a logarithmic axis.

    Parameters
    ----------
    lower, upper : float
        Ends of the axis, both above zero.
    most : int
        Upper limit of their number.

    Returns
    -------
    list of float
        1-2-5 steps where they fit, else whole or skipped powers of ten, else (a narrow axis) linear steps; 1
        is among them where the axis holds it.
    """
    low, high = math.floor(math.log10(lower)), math.ceil(math.log10(upper))
    best: list[float] = []
    for multiples, skip in (((1, 2, 5), 1), ((1, 3), 1), ((1,), 1), ((1,), 2), ((1,), 3), ((1,), 6)):
        candidates = [
            float(f"{multiple * 10.0**power:.12g}")
            for power in range(low, high + 1)
            if power % skip == 0
            for multiple in multiples
        ]
        best = [value for value in candidates if lower * (1 - 1e-9) <= value <= upper * (1 + 1e-9)]
        if len(best) <= most:
            break
    return best if len(best) >= 3 else ticks(lower, upper, most)


def decimals(values: Sequence[float]) -> int:
    """Fewest decimals that write all `values` apart exactly (at most 8)."""
    for digits in range(9):
        if all(
            abs(round(value, digits) - value) <= 1e-9 * max(1.0, abs(value)) * 10.0**-digits
            for value in values
        ):
            return digits
    return 8


CONFIG: dict[str, Any] = {
    "font": FONTS,
    "background": "white",
    "padding": 12,
    "view": {"stroke": None},
    "axis": {
        "labelFontSize": SIZE,
        "titleFontSize": SIZE,
        "titleFontWeight": "normal",
        "labelColor": INK,
        "titleColor": INK,
        "domainColor": MUTED,
        "tickColor": MUTED,
        "gridColor": "#eaeef2",
        "labelLimit": 0,
        "titleLimit": 0,
        "titlePadding": 8,
        "labelOverlap": False,
        "labelFlush": False,
    },
    "legend": {
        "labelFontSize": SIZE,
        "titleFontSize": SIZE,
        "labelColor": INK,
        "titleColor": INK,
        "titleFontWeight": "bold",
        "labelLimit": 0,
        "titleLimit": 0,
        "symbolLimit": 0,
    },
    "header": {
        "labelFontSize": SIZE,
        "titleFontSize": SIZE,
        "labelColor": INK,
        "labelLimit": 0,
        "labelFontWeight": "bold",
    },
    "title": {
        "fontSize": 14,
        "fontWeight": "bold",
        "color": INK,
        "anchor": "start",
        "frame": "bounds",
        "offset": 14,
        "subtitleFontSize": SIZE,
        "subtitleColor": MUTED,
        "subtitlePadding": 5,
        "limit": 0,
    },
    "text": {"fontSize": SIZE, "color": INK},
    "range": {"category": list(CATEGORIES)},
    "concat": {"spacing": 24},
    "facet": {"spacing": 16},
}
"""Vega-Lite configuration of every chart."""


@cache
def _config(language: str) -> alt.Config:
    """Give the configuration of charts whose axes are in a language, which is the current one."""
    numbers = number_format()
    return alt.Config.from_dict(CONFIG | ({"locale": numbers} if numbers else {}))


def finish(
    chart: Any,
    *,
    name: str,
    title: str,
    description: str,
    tables: Mapping[str, Sequence[str]],
    caption: str = "",
    width: float = 480,
    cuts: Sequence[float] = (),
) -> Any:
    """Make a figure of a drawing: title, caption, alternative text, theme, tables drawn.

    Parameters
    ----------
    chart : altair chart
        Single, layered, faceted or concatenated.
    name : str
        Which chart of the registry it is.
    title, caption : str
        What is shown, and how to read it (beneath the title); wrapped to `width`.
    description : str
        Alternative text: what a reader who does not see the figure needs to know.
    tables : mapping of str to sequence of str
        Names of the datasets that hold what is drawn, with the columns that mean something to a reader.
    width : float
        Whole width in pixels, for wrapping.
    cuts : sequence of float
        Places between rows, from the first row's top to the last row's bottom, in pixels from the top of the
        drawing: where a figure that is taller than a page of paper may be divided.

    Returns
    -------
    altair chart
        With configuration, so it is a figure of its own; `compose` puts several into one.
    """
    width = max(width, 320)
    heading = alt.Title(
        text=wrap(title, width, 14, bold=True), subtitle=wrap(caption, width) if caption else alt.Undefined
    )
    meta = {
        "evidence": {
            "chart": name,
            "title": title,
            "caption": caption,
            "tables": {table: list(columns) for table, columns in tables.items()},
            **({"cuts": list(cuts)} if cuts else {}),
        }
    }
    data = chart._kwds.get("datasets", alt.Undefined)
    # Set one by one: `properties` would check every row against the schema.
    chart.title = heading
    chart.description = description
    chart.usermeta = meta
    chart.datasets = {**({} if data is alt.Undefined else data), **_hoist(chart)}
    chart.config = _config(current())
    return chart


def compose(
    charts: Sequence[Any],
    *,
    name: str,
    title: str,
    description: str,
    columns: int = 1,
    beside: bool = False,
    caption: str = "",
) -> Any:
    """Put finished charts side by side into one figure.

    Parameters
    ----------
    charts : sequence of altair charts
        Results of `finish`; each keeps its title and its tables.
    name, title, description, caption
        As in `finish`.
    columns : int
        Charts in a row.
    beside : bool
        The first chart stands on the left, all others one below the other on its right.

    Returns
    -------
    altair chart
    """
    tables: dict[str, list[str]] = {}
    datasets: dict[str, Any] = {}
    parts = []
    for index, chart in enumerate(charts, 1):
        part = chart.copy(deep=True)
        for table, shown in part.usermeta["evidence"]["tables"].items():
            tables[f"{table}_{index}"] = shown
        for table, rows in part.datasets.items():
            datasets[f"{table}_{index}"] = rows
        for view in _views(part):
            data = view._kwds.get("data", alt.Undefined)
            if isinstance(data, alt.NamedData):
                data.name = f"{data.name}_{index}"
        part.config = part.usermeta = part.datasets = alt.Undefined
        parts.append(part)
    # Without alignment every part stands by its own edge, text columns and all.
    if beside:
        right = _apart(alt.concat(*parts[1:], columns=1, align="none"))
        whole = _apart(alt.concat(parts[0], right, align="none"))
    else:
        whole = _apart(alt.concat(*parts, columns=columns, align="none"))
    whole.datasets = datasets
    return finish(
        whole, name=name, title=title, description=description, tables=tables, caption=caption, width=900
    )


def _apart(chart: Any) -> Any:
    """Keep scales, and with them the legends, to the part that they belong to."""
    return chart.resolve_scale(**dict.fromkeys(("color", "size", "shape", "strokeWidth"), "independent"))


SYNTHETIC = output.SYNTHETIC
"""The words that every table, chart and page of a simulated review carries."""


def mark_synthetic(chart: Any) -> Any:
    """Say above the title of a finished chart, and in its alternative text, that its data are simulated."""
    marked = chart.copy(deep=True)
    marked.title.text = [tr(SYNTHETIC), *marked.title.text]
    marked.title.color = ALARM
    marked.description = f"{tr(SYNTHETIC)}. {marked.description}"
    return marked
