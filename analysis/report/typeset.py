"""Small typography of the page: where lines may break, where they may not, and tall figures on paper."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from html import escape

_TEXT = re.compile(r">([^<>]+)(?=<)")
_EQUALS = re.compile(r"(?<=[\w²]) (=|&lt;|&gt;) (?=[−\d])")
_INTERVAL = re.compile(r"\[[−\d][^\]\[<>]{0,50},[^\]\[<>]{1,30}\]")
# Not the private-use letters that stand for links, nor character references.
_LONG = re.compile(r"[^\s<>&;\ue000-\uf8ff\u2e80-\u9fff\uac00-\ud7af\uff00-\uffef]{13,}")
_RUN = 16
_WORD = 28

# A page of A4 within its margins in pixels, less the heading of a section; and the scale of print (page.css).
_UPRIGHT, _SIDEWAYS, _PRINTED = (688.0, 900.0), (1016.0, 600.0), 0.86


def lines(html: str) -> str:
    """Keep intervals and values of numbers in one piece, and let long words break at their joints.

    Parameters
    ----------
    html : str
        HTML; only its text is changed.

    Returns
    -------
    str
        With spans of class ``whole``, and ``<wbr>`` after ``_ / . : -`` within words of more than twelve
        letters (and every sixteen letters where there is no joint), so that narrow columns neither cut words
        anywhere nor grow with file names and hashes.
    """
    return _TEXT.sub(lambda match: ">" + _broken(_kept(match[1])), f">{html}<")[1:-1]


_BODY = re.compile(r"<tbody.*?</tbody>", re.DOTALL)
_ROW = re.compile(r"<tr[^>]*>.*?</tr>", re.DOTALL)
_ROLES = {"table": "table", "tr": "row", "td": "cell", "th": "columnheader"}


def labelled(html: str, labels: Sequence[str]) -> str:
    """Write the heading of its column into every cell, for screens on which a row is a list.

    Parameters
    ----------
    html : str
        A table as great-tables writes it.
    labels : sequence of str
        Headings of its columns.

    Returns
    -------
    str
        With ``data-label`` in the cells, and the roles that a table loses when it is laid out otherwise.
    """

    def row(match: re.Match[str]) -> str:
        names = iter(labels)
        return re.sub(
            r"<td(?= [^>]*\bgt_row\b)", lambda _: f'<td data-label="{escape(next(names))}"', match[0]
        )

    html = _BODY.sub(lambda body: _ROW.sub(row, body[0]), html)
    return re.sub(r"<(table|tr|td|th)(?=[ >])", lambda tag: f'{tag[0]} role="{_ROLES[tag[1]]}"', html)


def _kept(text: str) -> str:
    text = _EQUALS.sub("\u00a0\\1\u00a0", text)
    return _INTERVAL.sub(lambda match: f'<span class="whole">{match[0]}</span>', text)


def _broken(html: str) -> str:
    return "".join(
        part if part.startswith("<") else _LONG.sub(lambda match: _joints(match[0]), part)
        for part in re.split(r"(<[^>]*>)", html)
    )


def _joints(word: str) -> str:
    parts = re.split(r"(?<=[^\W_][_/.:-])(?=\w)", word)
    return "<wbr>".join(
        part[start : start + run]
        for part in parts
        # A word of letters alone, such as lipopolysaccharide, is left whole as far as a column can hold it.
        for run in [_WORD if part.isalpha() else _RUN]
        for start in range(0, len(part), run)
        if part
    )


def wide(picture: str) -> bool:
    """Tell whether a figure is printed on paper turned sideways: upright its letters would be too small."""
    size = re.match(r'<svg [^>]*width="([\d.]+)"', picture)
    return size is not None and float(size[1]) > _SIDEWAYS[0]


def sheets(picture: str, name: str, cuts: Sequence[float]) -> str:
    """Lay a figure that is taller than a page out as several, each with its headings and its axis.

    Parameters
    ----------
    picture : str
        SVG of the figure, its ids made unique.
    name : str
        Of the figure.
    cuts : sequence of float
        Places between rows in pixels from the top of the drawing, from the first row's top to the last row's
        bottom; what stands beneath is repeated on every sheet.

    Returns
    -------
    str
        The picture; where it is too tall, within an element that paper does not show, and followed by sheets
        that only paper shows. They point into the picture, so that nothing stands in the page twice.
    """
    size = re.match(r'<svg [^>]*width="([\d.]+)" height="([\d.]+)"', picture)
    place = re.search(
        r'<g fill="none" stroke-miterlimit="10" transform="translate\([\d.]+,([\d.]+)\)">', picture
    )
    if not cuts or size is None or place is None:
        return picture
    width, height, top = float(size[1]), float(size[2]), float(place[1])
    paper_width, paper_height = _SIDEWAYS if wide(picture) else _UPRIGHT
    room = paper_height / min(paper_width / width, _PRINTED)
    rows = [float(y) + top for y in cuts]
    # The rule beneath the headings belongs to them.
    head, foot = rows[0] + 1, rows[-1]
    if height <= room:
        return picture
    fonts = re.search(r' font-family="[^"]*"', picture)
    whole = f"{name}/whole"
    picture = picture.replace(place[0], place[0].replace("<g ", f'<g id="{whole}" ', 1), 1)
    spans = list(_pages(rows, room - head - (height - foot)))
    parts = []
    for number, (start, end) in enumerate(spans, 1):
        bands = [(0.0, head), (max(start, head), end), (foot, height)]
        y = 0.0
        inner = []
        for upper, lower in bands:
            inner.append(
                f'<svg y="{y:g}" width="{width:g}" height="{lower - upper:g}" '
                f'viewBox="0 {upper:g} {width:g} {lower - upper:g}"><use href="#{whole}"/></svg>'
            )
            y += lower - upper
        parts.append(
            f'<svg class="sheet" aria-hidden="true"{fonts[0] if fonts else ""} width="{width:g}" '
            f'height="{y:g}" viewBox="0 0 {width:g} {y:g}">{"".join(inner)}<text x="{width - 12:g}" y="20" '
            f'text-anchor="end" font-size="11" fill="#57606a">sheet {number} of {len(spans)}</text></svg>'
        )
    return f'<div class="scroll-only">{picture}</div>' + "".join(parts)


def _pages(rows: Sequence[float], room: float) -> Iterator[tuple[float, float]]:
    """Spread rows over as few pages as hold them, evenly."""
    pages = max(1, -int(-(rows[-1] - rows[0]) // max(room, rows[1] - rows[0])))
    each = (rows[-1] - rows[0]) / pages
    start = rows[0]
    while start < rows[-1]:
        fitting = [y for y in rows if start < y <= start + each + 1e-6]
        end = fitting[-1] if fitting else next(y for y in rows if y > start)
        # A last row or two do not make a page of their own.
        if rows[-1] - end < min(0.1 * room, room - (end - start)):
            end = rows[-1]
        yield start, end
        start = end
