"""Links from numbers and studies to the rows behind them, and what the page shows when one is followed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from html import escape
from typing import Any

from analysis.charts.base.effect import Effect, normal_interval
from analysis.charts.base.intervals import MODELS
from analysis.charts.base.theme import percent, plain
from analysis.described import ARMS
from analysis.language.catalog import marked, tr
from analysis.plot.reading import arm_names
from evidence.query import EvidenceBase
from evidence.trace import address

# Private-use characters survive great-tables, Word and CSV writers; `as_html` and `as_text` resolve them.
_OPEN, _MIDDLE, _CLOSE = "\ue000", "\ue001", "\ue002"
# A link leads to an anchor of the page, and holds no other.
_LINK = re.compile(f"{_OPEN}(#[A-Za-z0-9._-]+){_MIDDLE}([^{_OPEN}-{_CLOSE}]*){_CLOSE}")
_STRAY = re.compile(f"[{_OPEN}-{_CLOSE}]")


def mark(text: str, href: str) -> str:
    """Write a link within plain text."""
    return f"{_OPEN}{href}{_MIDDLE}{_STRAY.sub('', text)}{_CLOSE}"


def as_html(text: str) -> str:
    """Escape plain text with links for HTML (text that is already HTML: `resolve`)."""
    return resolve(escape(text, quote=False))


def resolve(html: str) -> str:
    """Turn the links in HTML into anchors; whatever else looks like one is text that came with the data."""
    return _STRAY.sub("", _LINK.sub(r'<a href="\1">\2</a>', html))


def as_text(value: Any) -> Any:
    """Leave the words of links and drop where they lead; other values are given back as they are."""
    if not isinstance(value, str):
        return value
    return _STRAY.sub("", _LINK.sub(r"\2", value))


class Links:
    """Anchors of numbers (``#n1``), studies (``#s1``) and facts (``#f1``), in the order of asking."""

    def __init__(self) -> None:
        self._numbers: dict[str, tuple[int, Mapping[str, Any], Effect]] = {}
        self._studies: dict[str, int] = {}
        self._facts: list[dict[str, Any]] = []

    def number(self, estimate: Mapping[str, Any], effect: Effect) -> str:
        """Give the anchor of a row of ``result_estimate`` (`words.estimate_rows`)."""
        key = address(dict(estimate))
        if key not in self._numbers:
            self._numbers[key] = (len(self._numbers) + 1, estimate, effect)
        return f"#n{self._numbers[key][0]}"

    def study(self, study: str) -> str:
        """Give the anchor of a study."""
        return f"#s{self._studies.setdefault(str(study), len(self._studies) + 1)}"

    def fact(self, title: str, text: str, query: str, rows: Iterable[Mapping[str, Any]]) -> str:
        """Give the anchor of something that is said, with the query that it comes from.

        Parameters
        ----------
        title, text : str
            What is asked, and what is said.
        query : str
            SQL that gives the rows.
        rows : iterable of mapping
            What the query gave; empty cells are left out.
        """
        given = [
            {key: _words(value) for key, value in row.items() if plain(value) is not None} for row in rows
        ]
        self._facts.append({"title": title, "text": as_text(text), "query": query, "rows": given})
        return f"#f{len(self._facts)}"

    def panel(self, db: EvidenceBase, labels: Mapping[str, str]) -> dict[str, Any]:
        """Collect what stands behind every number and study that was linked.

        Parameters
        ----------
        db : EvidenceBase
            With the results kept in it.
        labels : mapping of str to str
            Printed names of studies.

        Returns
        -------
        dict
            For JSON: ``numbers``, ``facts`` and ``studies`` by anchor, ``contrasts`` by their id,
            ``readings`` by study. A number has its parts (contrast, weight), heaviest first.
        """
        weights: dict[tuple[str, str, frozenset[str]], list[dict[str, Any]]] = {}
        for row in db.rows("select * from result_weight order by weight desc nulls last, study, contrast_id"):
            pair = frozenset((row["treatment"], row["versus"]))
            weights.setdefault((row["run_id"], row["model"], pair), []).append(row)
        levels = {
            (row["run_id"], row["contrast_id"]): row["level"]
            for row in db.rows("select run_id, contrast_id, level from result_contrast")
        }
        numbers: dict[str, Any] = {}
        contrasts: dict[str, Any] = {}
        for key, (index, estimate, effect) in self._numbers.items():
            pair = frozenset((estimate["treatment"], estimate["versus"]))
            parts = weights.get((estimate["run_id"], estimate["model"], pair), [])
            level = plain(estimate.get("level"))
            if level is not None:
                parts = [p for p in parts if levels.get((p["run_id"], p["contrast_id"])) == str(level)]
            for part in parts:
                if part["contrast_id"] is not None and part["contrast_id"] not in contrasts:
                    contrasts[part["contrast_id"]] = self._contrast(part, effect, labels)
            numbers[f"n{index}"] = {
                "title": _title(estimate, effect),
                "value": effect.estimate_text(
                    estimate["estimate"],
                    estimate["ci_lower"],
                    estimate["ci_upper"],
                    estimate["digits"],
                ),
                "address": key,
                "parts": [
                    [part["contrast_id"], percent(part["weight"], 1), self.study(part["study"])[1:]]
                    for part in parts
                ],
                "note": "" if parts else _unweighted(estimate, effect),
            }
        return {
            "numbers": numbers,
            "facts": {f"f{index}": fact for index, fact in enumerate(self._facts, 1)},
            "contrasts": contrasts,
            "studies": {f"s{index}": labels.get(study, study) for study, index in self._studies.items()},
            "keys": {f"s{index}": study for study, index in self._studies.items()},
        }

    def _contrast(self, row: Mapping[str, Any], effect: Effect, labels: Mapping[str, str]) -> dict[str, Any]:
        lower, upper = normal_interval(row["estimate"], row["std_error"])
        digits = effect.digits([None if lower is None or upper is None else (upper - lower) / 2])
        study = labels.get(row["study"], row["study"])
        experiment = row["experiment"]
        ids = [int(item) for item in str(row["measurement_ids"] or "").split(",") if item.strip()]
        return {
            "study": study if experiment in (None, "main") else f"{study} / {experiment}",
            "effect": effect.estimate_text(row["estimate"], lower, upper, digits),
            "rows": ids,
        }


_WORDS = {
    "se": marked("SD from the standard error"),
    "ci": marked("SD from the confidence interval"),
    "range": marked("SD from the range"),
    "quartiles": marked("SD from the quartiles"),
    "quartiles_range": marked("SD from quartiles and range"),
    "median_range": marked("mean and SD from median and range"),
    "median_quartiles": marked("mean and SD from median and quartiles"),
    "median_quartiles_range": marked("mean and SD from median, quartiles and range"),
    "n_from_arm": marked("n of the arm"),
    "unit_converted": marked("unit converted"),
    "luo2018": marked("mean by Luo et al. 2018"),
    "wan2014": marked("SD by Wan et al. 2014"),
    "sd_reported": marked("SD as reported"),
}
"""What the words of ``derivation`` and ``flags`` of the view ``measurement_derived`` mean."""


def readings(db: EvidenceBase, labels: Mapping[str, str]) -> list[dict[str, Any]]:
    """List every measurement and reported contrast as it was read, and what was made of it.

    Parameters
    ----------
    db : EvidenceBase
    labels : mapping of str to str
        Printed names of studies.

    Returns
    -------
    list of dict
        id (of the measurement; empty for a reported contrast), study, arm, outcome, time, reported, used,
        source, locator, method, extractor, place; all text.
    """
    arms = arm_names(db.kept_rows(ARMS))
    found = [
        {
            "id": row["measurement_id"],
            "study": row["study"],
            "label": labels.get(row["study"], row["study"]),
            "arm": arm if row["experiment"] == "main" else f"{row['experiment']} / {arm}",
            "outcome": row["outcome"],
            "time": _words(row["timepoint"], row["timepoint_unit"]),
            "reported": _statistics(row),
            "used": _used(row),
            "source": row["source"] or "",
            "locator": row["locator"] or "",
            "method": row["method"] or "",
            "extractor": row["extractor"] or "",
            "place": f"{row['source_file']}:{row['source_line']}",
        }
        for row in db.rows(
            """
            select measurement.*, standard.mean as used_mean, standard.sd as used_sd,
                standard.unit as used_unit, standard.derivation, standard.flags
            from measurement
            inner join study using (study)
            left join measurement_standard as standard using (measurement_id)
            order by study.year nulls last, study.label, measurement.study, measurement.outcome,
                measurement.measurement_id
            """
        )
        for arm in [arms.get((row["study"], row["arm"]), row["arm"])]
    ]
    found += [
        {
            "id": None,
            "study": row["study"],
            "label": labels.get(row["study"], row["study"]),
            "arm": tr(
                "{a} versus {b}",
                a=arms.get((row["study"], row["arm_a"]), row["arm_a"]),
                b=arms.get((row["study"], row["arm_b"]), row["arm_b"]),
            ),
            "outcome": row["outcome"],
            "time": _words(row["timepoint"], row["timepoint_unit"]),
            "reported": _words(
                f"{'log ' if row['scale'] == 'log' else ''}{row['measure']}",
                *(
                    f"{name} {row[key]:g}"
                    for name, key in (
                        ("estimate", "estimate"), ("SE", "se"), ("lower", "ci_lower"), ("upper", "ci_upper"),
                        ("O - E", "o_minus_e"), ("V", "variance"),
                    )
                    if row[key] is not None
                ),
            ),
            "used": "",
            "source": row["source"] or "",
            "locator": row["locator"] or "",
            "method": row["method"] or "",
            "extractor": row["extractor"] or "",
            "place": f"{row['source_file']}:{row['source_line']}",
        }
        for row in db.rows("select * from reported_contrast order by study, outcome, reported_contrast_id")
    ]  # fmt: skip
    return found


_REPORTED = (
    ("n", "n"), ("mean", "mean"), ("sd", "SD"), ("se", "SE"), ("median", "median"), ("q1", "Q1"),
    ("q3", "Q3"), ("min", "min"), ("max", "max"), ("ci_lower", "CI from"), ("ci_upper", "CI to"),
    ("events", "events"), ("exposure", "exposure"),
)  # fmt: skip


def _statistics(row: Mapping[str, Any]) -> str:
    listed = ", ".join(f"{label} {row[key]:.10g}" for key, label in _REPORTED if row[key] is not None)
    return f"{listed} ({row['unit']})" if row["unit"] else listed


def _used(row: Mapping[str, Any]) -> str:
    parts = []
    if row["used_mean"] is not None and (row["used_mean"], row["used_sd"]) != (row["mean"], row["sd"]):
        unit = f" {row['used_unit']}" if row["used_unit"] else ""
        parts.append(f"mean {row['used_mean']:.4g}, SD {row['used_sd']:.4g}{unit}")
    said = [*str(row["derivation"] or "").split(","), *str(row["flags"] or "").split(",")]
    parts += [tr(_WORDS[word]) if word in _WORDS else word for word in said if word not in ("", "reported")]
    return "; ".join(parts)


def _words(*parts: Any) -> str:
    return " ".join(
        f"{part:g}" if isinstance(part, float) else str(part) for part in parts if part is not None
    )


def _title(estimate: Mapping[str, Any], effect: Effect) -> str:
    a, b = effect.label(estimate["treatment"]), effect.label(estimate["versus"])
    parts = [
        tr("{a} versus {b}", a=a, b=b),
        effect.title,
        tr(MODELS.get(estimate["model"], str(estimate["model"]))),
    ]
    if estimate["kind"] == "network":
        parts.append(tr(_EVIDENCE.get(estimate["evidence"], str(estimate["evidence"]))))
    if plain(estimate.get("level")) is not None:
        parts.append(f"{estimate['subgroup']}: {estimate['level']}")
    return ", ".join(parts)


_EVIDENCE = {
    "network": marked("network evidence"), "direct": marked("direct evidence"),
    "indirect": marked("indirect evidence"),
}  # fmt: skip


def _unweighted(estimate: Mapping[str, Any], effect: Effect) -> str:
    if estimate["kind"] == "network" and estimate["evidence"] == "network":
        return tr(
            "Weights of studies are kept for the comparisons with the reference. This effect is the "
            "difference of "
            "two of them: {a} and {b}, each versus the reference; follow those.",
            a=effect.label(estimate["treatment"]),
            b=effect.label(estimate["versus"]),
        )
    return tr("The analysis kept no weights for this number.")


def chosen(rows: Iterable[Mapping[str, Any]], **wanted: Any) -> list[dict[str, Any]]:
    """Rows in which every named column has the wanted value (None: is empty)."""
    return [dict(row) for row in rows if all(plain(row.get(key)) == value for key, value in wanted.items())]
