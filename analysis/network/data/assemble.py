"""From tables to a `Network`: which rows count, what is the reference, and what is refused.

Every study (and experiment) is a unit of randomisation. Its effects are held against one base arm, with the
covariance that they share: solved from the standard errors of the pairwise comparisons, or given.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.network.data.blocks import arm_blocks, number_arms, stack
from analysis.network.data.graph import components
from analysis.network.data.network import Array, Network, unit_label
from evidence import facts
from evidence.errors import CallError, Problem, RefusedError
from evidence.facts.reasons import words
from evidence.system.frames import cells
from evidence.system.frames import rows as rows_of

if TYPE_CHECKING:
    import pandas as pd

ALIASES = {
    "studlab": "study",
    "treat1": "treatment_a",
    "treat2": "treatment_b",
    "treatment1": "treatment_a",
    "treatment2": "treatment_b",
    "te": "estimate",
    "sete": "std_error",
    "se": "std_error",
}
"""Column names of netmeta and others that mean the same."""

EXCLUSION_COLUMNS = ("stage", "study", "experiment", "arm", "source_file", "source_line", "reason", "remedy")
"""Columns of `Network.exclusions`."""


def from_contrasts(
    frame: pd.DataFrame,
    *,
    outcome: str = "outcome",
    measure: str = "MD",
    reference: str | None = None,
    treatments: Sequence[str] | None = None,
    covariance: pd.DataFrame | None = None,
    covariates: pd.DataFrame | None = None,
    **fields: Any,
) -> Network:
    """Build a network from pairwise comparisons within studies.

    Parameters
    ----------
    frame : DataFrame
        One row per comparison: study, treatment_a, treatment_b, estimate (a minus b, log scale for ratios)
        and std_error; the names of netmeta (studlab, treat1, treat2, TE, seTE) and treatment1, treatment2,
        te, se are understood. Optional: experiment, arm_a, arm_b (where one treatment has several arms in a
        study), n_a, n_b, contrast_id, measurement_ids. A study with k arms needs all k (k - 1) / 2
        comparisons, unless `covariance` tells what those given share.
    outcome, measure : str
        Their names.
    reference : str, optional
        Reference treatment; without it, the treatment with the most studies.
    treatments : sequence of str, optional
        Keep these treatments only.
    covariance : DataFrame, optional
        contrast_1, contrast_2, covariance: covariances of comparisons by `contrast_id`.
    covariates : DataFrame, optional
        One row per study (columns study and optionally experiment, then covariates).
    **fields
        Further fields of `Network`: unit, lower_is_better, labels, smallest_important_difference, notes,
        exclusions.

    Returns
    -------
    Network

    Raises
    ------
    CallError
        If a column or a named treatment does not exist.
    RefusedError
        If rows cannot be used, a study contradicts itself, or the network is not connected: every study by
        name.

    References
    ----------
    Rücker G, Schwarzer G (2014). Reduce dimension or reduce weights? Stat Med 33:4353-69.
    doi:10.1002/sim.6236

    Examples
    --------
    >>> import pandas as pd
    >>> from analysis import network
    >>> rows = [
    ...     ("1", "drug", "placebo", -0.5, 0.2),
    ...     ("2", "drug", "rival", -0.1, 0.2),
    ...     ("3", "rival", "placebo", -0.3, 0.3),
    ... ]
    >>> names = ["study", "treatment_a", "treatment_b", "estimate", "std_error"]
    >>> net = network.from_contrasts(pd.DataFrame(rows, columns=names), reference="placebo")
    >>> found = network.fit(net, engine="exact", model="common").estimates()
    >>> print(found[["treatment", "versus", "estimate"]].round(2).to_string(index=False))
    treatment  versus  estimate
         drug placebo     -0.48
        rival placebo     -0.35
        rival    drug      0.12
    """
    named = frame.rename(columns=lambda name: ALIASES.get(str(name).strip().lower(), name))
    contrast = _canonical(named, ("study", "treatment_a", "treatment_b", "estimate", "std_error"), fields)
    return _assemble(
        contrast,
        outcome=outcome,
        measure=measure,
        reference=reference,
        treatments=treatments,
        covariance=covariance,
        covariates=covariates,
        fields=fields,
    )


def from_arms(
    frame: pd.DataFrame,
    *,
    outcome: str = "outcome",
    measure: str = "MD",
    reference: str | None = None,
    treatments: Sequence[str] | None = None,
    covariates: pd.DataFrame | None = None,
    **fields: Any,
) -> Network:
    """Build a network from a statistic of each arm whose differences are the effects.

    Parameters
    ----------
    frame : DataFrame
        One row per arm: study, treatment, y (mean, log odds, log risk, log rate ... as the view
        ``arm_effect`` has it) and v, its variance. Optional: experiment, arm, n, events, exposure, mean, se.
    outcome, measure, reference, treatments, covariates, **fields
        As in `from_contrasts`.

    Returns
    -------
    Network
        With `arms` where counts or means are given.

    Raises
    ------
    CallError, RefusedError
        As `from_contrasts`.

    Examples
    --------
    >>> import pandas as pd
    >>> from analysis import network
    >>> rows = [("1", "drug", 1.0), ("1", "placebo", 2.0), ("2", "drug", 1.5), ("2", "placebo", 2.2)]
    >>> arms = pd.DataFrame(rows, columns=["study", "treatment", "y"]).assign(v=0.04)
    >>> net = network.from_arms(arms, reference="placebo")
    >>> found = network.fit(net, engine="exact", model="common").estimates()
    >>> print(found[["treatment", "versus", "estimate", "std_error"]].round(3).to_string(index=False))
    treatment  versus  estimate  std_error
         drug placebo     -0.85        0.2
    """
    arm = _canonical(frame, ("study", "treatment", "y", "v"), fields)
    if "arm" not in arm:
        arm["arm"] = arm["treatment"]
    problems = [
        Problem(
            "the arm is listed more than once", "one row for each arm", study=row["study"], arm=row["arm"]
        )
        for row in rows_of(arm[arm.duplicated(["study", "experiment", "arm"])])
    ]
    sound = np.isfinite(arm["y"]) & np.isfinite(arm["v"]) & (arm["v"] > 0)
    problems += [
        Problem(
            f"statistic {row['y']:g} with variance {row['v']:g}",
            "a number and a positive variance",
            study=row["study"],
            arm=row["arm"],
        )
        for row in rows_of(arm[~sound])
    ]
    if problems:
        raise RefusedError("These arms cannot be used:", problems)
    single = arm.groupby(["study", "experiment"])["treatment"].transform("nunique") < 2
    left_out = [
        exclusion(*unit, None, **words("treatments", "one_reported"))
        for unit in dict.fromkeys(units_of(arm[single]))
    ]
    compared = arm[~single]
    groups = compared.groupby(["study", "experiment"], sort=False).indices.values()
    first, second = _pairs_within(np.asarray(members) for members in groups)
    a, b = (compared.iloc[side].reset_index(drop=True) for side in (first, second))
    contrast = a[["study", "experiment"]].copy()
    for name, side in (("a", a), ("b", b)):
        contrast[f"treatment_{name}"] = side["treatment"]
        contrast[f"arm_{name}"] = side["arm"]
        contrast[f"n_{name}"] = side["n"] if "n" in arm else np.nan
    contrast["estimate"] = a["y"] - b["y"]
    contrast["std_error"] = np.sqrt(a["v"] + b["v"])
    fields["exclusions"] = with_exclusions(fields.get("exclusions"), left_out)
    net = _assemble(
        contrast,
        outcome=outcome,
        measure=measure,
        reference=reference,
        treatments=treatments,
        covariance=None,
        covariates=covariates,
        fields=fields,
    )
    return replace(net, arms=arm_blocks(net, arm))


def _pairs_within(groups: Iterable[Array]) -> tuple[Array, Array]:
    """Positions of the first and second member of every pair within each group."""
    by_size: dict[int, list[Array]] = {}
    for members in groups:
        by_size.setdefault(len(members), []).append(members)
    first, second = [np.empty(0, dtype=int)], [np.empty(0, dtype=int)]
    for size, found in by_size.items():
        i, j = np.triu_indices(size, 1)
        stacked = np.stack(found)
        first.append(stacked[:, i].ravel())
        second.append(stacked[:, j].ravel())
    return np.concatenate(first), np.concatenate(second)


def _canonical(frame: pd.DataFrame, needed: Sequence[str], fields: Mapping[str, Any]) -> pd.DataFrame:
    """Copy the frame with the project's column names and text where text belongs."""
    unknown = set(fields) - {
        f for f in Network.__dataclass_fields__ if f not in ("treatments", "studies", "blocks")
    }
    if unknown:
        raise CallError(f"A network has no {', '.join(sorted(unknown))}.")
    data = frame.rename(columns=lambda name: str(name).strip()).reset_index(drop=True)
    if missing := [c for c in needed if c not in data]:
        raise CallError(
            f"The table has no column {', '.join(missing)}; it has {', '.join(map(str, frame.columns))}. "
            f"Needed: {', '.join(needed)}."
        )
    if "experiment" not in data:
        data["experiment"] = "main"
    text = ("study", "experiment", "treatment", "treatment_a", "treatment_b", "arm", "arm_a", "arm_b")
    problems = []
    for column in (c for c in text if c in data):
        given = cells(data[column])
        texts = _texts(given)
        if texts != given:
            data[column] = texts
        empty = [r for r, text in enumerate(texts) if text == ""]
        problems += [Problem(f"row {r + 1} names no {column}", "a name", column=column) for r in empty]
    numbers = ("estimate", "std_error", "y", "v", "n", "n_a", "n_b", "events", "exposure", "mean", "se")
    for column in (c for c in numbers if c in data):
        try:
            data[column] = data[column].astype(float)
        except (TypeError, ValueError):
            bad = [v for v in data[column] if not is_number(v)]
            problems.append(Problem(f"{column} holds {bad[0]!r}", "numbers", column=column))
    if problems:
        raise RefusedError("The table cannot be read:", problems)
    return data


def _texts(values: Sequence[Any]) -> list[str]:
    """Write cells as text, each that there are many of once."""
    try:
        text = {value: _text(value) for value in set(values)}
    except TypeError:  # not hashable
        return [_text(value) for value in values]
    # Equal cells need not read alike: 1 and True, 2 and 2.0.
    return [value if type(value) is str and text[value] == value else _text(value) for value in values]


def _text(value: Any) -> str:
    if value is None or value != value:
        return ""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value).strip()


def is_number(value: Any) -> bool:
    """Say whether a cell reads as a number."""
    try:
        float(value)
    except (TypeError, ValueError):
        return False
    return True


def exclusion(
    study: str, experiment: str, arm: str | None, stage: str, reason: str, remedy: str
) -> dict[str, Any]:
    """Make a row of `Network.exclusions`."""
    cells = (stage, study, experiment, arm, reason, remedy)
    return dict(zip(("stage", "study", "experiment", "arm", "reason", "remedy"), cells))


def with_exclusions(before: pd.DataFrame | None, rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Append rows to a table of exclusions."""
    import pandas as pd

    new = pd.DataFrame(list(rows), columns=list(EXCLUSION_COLUMNS), dtype=object)
    if before is None or before.empty:
        return new
    return pd.concat([before, new], ignore_index=True) if rows else before


def _assemble(
    contrast: pd.DataFrame,
    *,
    outcome: str,
    measure: str,
    reference: str | None,
    treatments: Sequence[str] | None,
    covariance: pd.DataFrame | None,
    covariates: pd.DataFrame | None,
    fields: Mapping[str, Any],
) -> Network:
    """Check the comparisons, choose reference and base arms, and stack the studies in blocks."""
    for side in ("a", "b"):
        if f"arm_{side}" not in contrast:
            contrast[f"arm_{side}"] = contrast[f"treatment_{side}"]
    contrast, left_out = _filtered(contrast, treatments)
    _refuse_bad_rows(contrast)
    units, names, arm, row = _positions(contrast)
    reference, notes = _reference(arm, names, reference)
    names = (reference, *(name for name in names if name != reference))
    _refuse_disconnected(row, arm, names)
    studies = number_arms([unit_label(unit) for unit in units], names, arm, row, contrast)
    blocks, more_notes = stack(studies, lambda: _covariances(covariance, contrast), measure)
    several = sorted(study for study, n in Counter(study for study, _ in units).items() if n > 1)
    if several:
        told = ", ".join(several)
        notes.append(("warning", f"Several experiments of one study count as independent: {told}."))
    n_by_treatment = {}
    if arm["n"].notna().any():
        n_by_treatment = {str(t): float(n) for t, n in arm.groupby("treatment")["n"].sum(min_count=1).items()}
    given = dict(fields)
    return Network(
        outcome=outcome,
        measure=measure,
        scale=given.pop("scale", None) or facts.measure(measure).scale,
        treatments=names,
        studies=units,
        blocks=blocks,
        labels={name: name for name in names} | given.pop("labels", {}),
        covariates=_aligned(covariates, units),
        contrasts=contrast,
        n_by_treatment=n_by_treatment,
        exclusions=with_exclusions(given.pop("exclusions", None), left_out),
        notes=(*given.pop("notes", ()), *notes, *more_notes),
        **given,
    )


def _filtered(
    contrast: pd.DataFrame, treatments: Sequence[str] | None
) -> tuple[pd.DataFrame, list[dict[str, Any]]]:
    """Keep the comparisons that have numbers and lie between the treatments asked for."""
    left_out = []
    if treatments is not None:
        wanted = [_text(t) for t in treatments]
        every = sorted(set(contrast["treatment_a"]) | set(contrast["treatment_b"]))
        if unknown := [t for t in wanted if t not in every]:
            raise CallError(f"No study has {', '.join(unknown)}; there are {', '.join(every)}.")
        inside = contrast["treatment_a"].isin(wanted) & contrast["treatment_b"].isin(wanted)
        used = set(units_of(contrast[inside]))
        left_out += [
            exclusion(*unit, None, **words("treatments", "fewer_than_two"))
            for unit in dict.fromkeys(units_of(contrast[~inside]))
            if unit not in used
        ]
        contrast = contrast[inside]
    missing = contrast["estimate"].isna() | contrast["std_error"].isna()
    for row in rows_of(contrast[missing]):
        pair = f"{row['treatment_a']} against {row['treatment_b']}"
        why = words("table", "no_effect", detail=pair)
        left_out.append(exclusion(row["study"], row["experiment"], None, **why))
    return contrast[~missing].reset_index(drop=True), left_out


def units_of(rows: pd.DataFrame) -> list[tuple[str, str]]:
    """Name the unit of randomisation of each row."""
    return list(zip(cells(rows["study"]), cells(rows["experiment"])))


def _refuse_bad_rows(contrast: pd.DataFrame) -> None:
    """Refuse numbers that are none, a treatment against itself, and comparisons listed twice."""
    if contrast.empty:
        raise RefusedError("There is no comparison to analyse: no study has an estimate for two treatments.")
    estimate, error, a, b = (contrast[name] for name in ("estimate", "std_error", "arm_a", "arm_b"))
    pair = contrast.assign(low=a.where(a < b, b), high=b.where(a < b, a))
    checks = (
        (~np.isfinite(estimate), "the estimate is {estimate:g}", "a finite number"),
        (
            ~(np.isfinite(error) & (error > 0)),
            "the standard error is {std_error:g}",
            "a positive number; without one the row must be left out",
        ),
        (
            a == b,
            "an arm is compared with itself",
            "two different treatments; name the arms (arm_a, arm_b) where one treatment has several",
        ),
        (
            pair.duplicated(["study", "experiment", "low", "high"]),
            "listed more than once",
            "one row for each pair of arms; different time points or outcomes are different networks",
        ),
    )
    problems = [
        Problem(
            f"{row['arm_a']} against {row['arm_b']}: {message.format(**row)}",
            remedy,
            study=unit_label((row["study"], row["experiment"])),
        )
        for wrong, message, remedy in checks
        if wrong.any()
        for row in rows_of(contrast[wrong])
    ]
    if problems:
        raise RefusedError("Some comparisons cannot be used:", problems)


def _positions(
    contrast: pd.DataFrame,
) -> tuple[tuple[tuple[str, str], ...], tuple[str, ...], pd.DataFrame, pd.DataFrame]:
    """Give numbers to the units of randomisation and list their arms.

    Returns
    -------
    units : tuple of (study, experiment)
        In alphabetical order, so that the order of rows does not matter.
    names : tuple of str
        Treatments in alphabetical order.
    arm : DataFrame
        unit, arm, treatment, n; one row per arm.
    row : DataFrame
        unit, a, b: per comparison, positions in `arm`.
    """
    import pandas as pd

    of_row = units_of(contrast)
    units = tuple(sorted(set(of_row)))
    number = {unit: u for u, unit in enumerate(units)}
    unit = np.array([number[u] for u in of_row])
    both = {
        name: np.concatenate([contrast[f"{name}_{side}"].to_numpy(dtype=object) for side in "ab"])
        for name in ("arm", "treatment")
    }
    n = np.concatenate(
        [contrast.get(f"n_{side}", pd.Series(np.nan, contrast.index)).to_numpy(dtype=float) for side in "ab"]
    )
    both["unit"] = np.concatenate([unit, unit])
    named, _ = pd.factorize(both["arm"], sort=True)
    _, first, code = np.unique(
        both["unit"] * (named.max() + 1) + named, return_index=True, return_inverse=True
    )
    code = code.ravel()
    arm = pd.DataFrame({name: both[name][first] for name in ("unit", "arm", "treatment")})
    # Rows of one arm may lack its size.
    size = np.full(len(arm), np.nan)
    known = np.flatnonzero(np.isfinite(n))[::-1]
    size[code[known]] = n[known]
    arm["n"] = size
    wrong = pd.DataFrame(both)[both["treatment"][first][code] != both["treatment"]]
    if len(wrong):
        problems = []
        for u, name in dict.fromkeys(zip(wrong["unit"].tolist(), cells(wrong["arm"]))):
            seen = sorted(set(both["treatment"][(both["unit"] == u) & (both["arm"] == name)].tolist()))
            told = f"the arm has the treatments {' and '.join(seen)}"
            problems.append(Problem(told, "one treatment", study=unit_label(units[u]), arm=name))
        raise RefusedError("An arm has more than one treatment:", problems)
    a, b = code[: len(contrast)], code[len(contrast) :]
    return units, tuple(sorted(set(arm["treatment"]))), arm, pd.DataFrame({"unit": unit, "a": a, "b": b})


def _reference(
    arm: pd.DataFrame, names: Sequence[str], reference: str | None
) -> tuple[str, list[tuple[str, str]]]:
    """Take the reference asked for, else the treatment that most studies have; ties go to the alphabet."""
    if reference is not None:
        reference = _text(reference)
        if reference not in names:
            raise CallError(f"The reference {reference!r} is in no study; there are {', '.join(names)}.")
        return reference, []
    studies = arm.groupby("treatment")["unit"].nunique()
    chosen = min(names, key=lambda name: (-studies[name], name))
    share = f"{studies[chosen]} of {arm['unit'].nunique()}"
    return chosen, [("info", f"Reference treatment: {chosen}, which most studies have ({share}).")]


def _refuse_disconnected(row: pd.DataFrame, arm: pd.DataFrame, names: Sequence[str]) -> None:
    index = {name: t for t, name in enumerate(names)}
    treatment = np.array([index[name] for name in arm["treatment"]])
    pairs = np.column_stack([treatment[row["a"]], treatment[row["b"]]])
    part = components(len(names), pairs)
    if part.max() == 0:
        return
    parts = [sorted(names[t] for t in np.flatnonzero(part == c).tolist()) for c in range(part.max() + 1)]
    studies = [len(set(row["unit"][part[pairs[:, 0]] == c])) for c in range(len(parts))]
    listed = [
        Problem(f"part {c + 1}: {', '.join(members)} ({n} {'study' if n == 1 else 'studies'})")
        for c, (members, n) in enumerate(zip(parts, studies))
    ]
    raise RefusedError(
        f"The network is not connected: it falls into {len(parts)} parts, and no evidence compares "
        "treatments of different parts. Analyse one part at a time (its treatments only; on the command line "
        "--treatment for each of them), or add a study that connects them.",
        listed,
    )


def _aligned(covariates: pd.DataFrame | None, units: Sequence[tuple[str, str]]) -> pd.DataFrame | None:
    """One row of covariates per unit of randomisation, in their order."""
    import pandas as pd

    if covariates is None:
        return None
    table = covariates.copy()
    keys = ["study", "experiment"] if "experiment" in table else ["study"]
    if "study" not in table:
        raise CallError("The covariates have no column study.")
    for key in keys:
        table[key] = [_text(value) for value in table[key]]
    if table.duplicated(keys).any():
        twice = sorted(set(table.loc[table.duplicated(keys), "study"]))
        raise RefusedError(f"Covariates are listed more than once for {', '.join(twice)}.")
    wanted = pd.DataFrame(list(units), columns=["study", "experiment"])
    return wanted.merge(table, on=keys, how="left", validate="many_to_one").drop(
        columns=["study", "experiment"]
    )


def _covariances(covariance: pd.DataFrame | None, contrast: pd.DataFrame) -> dict[tuple[int, int], float]:
    """Covariances given from outside, by positions of the two comparisons."""
    if covariance is None or "contrast_id" not in contrast:
        return {}
    place = {name: r for r, name in enumerate(contrast["contrast_id"])}
    given: dict[tuple[int, int], float] = {}
    for one, two, value in zip(covariance["contrast_1"], covariance["contrast_2"], covariance["covariance"]):
        if one in place and two in place and np.isfinite(value):
            given[place[one], place[two]] = given[place[two], place[one]] = float(value)
    return given
