"""What the disagreement of extractors costs: every comparison pooled by each one's readings."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

from evidence.errors import CallError
from evidence.names import suggestion
from evidence.system.progress import counted


def as_read_by(file: str | Path, extractor: str, output: str | Path) -> Path:
    """Copy an evidence base so that one extractor's readings count wherever there are some.

    Cells that this extractor did not read keep the reading that counts otherwise. Everything else, row
    numbers and places included, stays as it is.

    Parameters
    ----------
    file : path
        Evidence base.
    extractor : str
        Whose readings count.
    output : path
        File to write.

    Returns
    -------
    Path

    Raises
    ------
    CallError
        If there is no such extractor.
    """
    from evidence.database import connect
    from evidence.store.definitions import are_ours, own_copy, remember
    from evidence.store.stored import refresh
    from evidence.system.files import replacing

    with replacing(Path(output)) as part:
        if are_ours(Path(file)):
            shutil.copyfile(file, part)
        else:  # Views of other people's files must not run where files can be written.
            own_copy(Path(file), part)
        with connect(part, write=True) as connection:
            known = [
                name
                for (name,) in connection.execute(
                    "select distinct extractor from measurement union select distinct extractor from"
                    " reported_contrast order by 1"
                ).fetchall()
            ]
            if extractor not in known:
                raise CallError(f"There is no extractor {extractor!r}: {suggestion(extractor, known)}.")
            connection.execute(
                """
                create temporary table superseded as
                select reading.measurement_id
                from measurement_reading as reading
                inner join measurement_reading as own
                    on own.final_measurement_id = reading.final_measurement_id and own.extractor = $1
                where reading.extractor <> $1
                """,
                [extractor],
            )
            connection.execute(
                "delete from measurement where measurement_id in (select measurement_id from superseded)"
            )
            connection.execute(
                """
                delete from reported_contrast as other
                where extractor <> $1 and exists (
                    select 1 from reported_contrast as own
                    where own.extractor = $1
                        and own.study = other.study and own.experiment = other.experiment
                        and own.outcome = other.outcome and own.measure = other.measure
                        and own.arm_a = other.arm_a and own.arm_b = other.arm_b
                        and own.timepoint is not distinct from other.timepoint
                        and own.timepoint_unit is not distinct from other.timepoint_unit
                )
                """,
                [extractor],
            )
            connection.execute("drop table superseded")
            refresh(connection)
            connection.execute("checkpoint")
    remember(Path(output))
    return Path(output)


def cost(
    file: str | Path, *, outcome: str | None = None, measure: str | None = None
) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Pool every comparison by each extractor's readings, beside the readings that count.

    Parameters
    ----------
    file : path
        Evidence base.
    outcome, measure : str, optional
        Only this outcome, only this measure.

    Returns
    -------
    columns : list of str
    rows : list of tuple
        One for each comparison and extractor ('final' for the readings that count): k, common and
        random-effects (DerSimonian-Laird) estimate with interval, tau2, and how far the random-effects
        estimate lies from that of the final readings.
    """
    import evidence

    columns = ["outcome", "measure", "treatment_a", "treatment_b", "readings", "k"]
    numbers = ["common_estimate", "random_estimate", "random_ci_lower", "random_ci_upper", "tau2"]
    query = (
        f"select outcome, measure, treatment_a, treatment_b, k, {', '.join(numbers)} from pooled"
        " where coalesce(outcome = $1, true) and coalesce(measure = $2, true)"
    )
    found: dict[tuple[str, ...], dict[str, tuple[Any, ...]]] = {}
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(file)
        if not path.is_file():
            path = evidence.build(file, Path(scratch) / "final.duckdb")
        with evidence.open(path) as db:
            extractors = db.sql(
                "select distinct extractor from measurement where extractor <> 'consensus' order by 1"
            ).fetchall()
        versions = {"final": path}
        steps = counted(extractors, len(extractors), "counting the readings of one extractor after the other")
        for number, (extractor,) in enumerate(steps):
            versions[extractor] = as_read_by(path, extractor, Path(scratch) / f"{number}.duckdb")
        for reader, version in counted(versions.items(), len(versions), "pooling"):
            with evidence.open(version) as db:
                for row in db.sql(query, [outcome, measure]).fetchall():
                    found.setdefault(row[:4], {})[reader] = row[4:]
    rows = []
    for comparison, by_reader in sorted(found.items()):
        final = by_reader.get("final")
        for reader, values in by_reader.items():
            both = final is not None and None not in (final[2], values[2])
            rows.append((*comparison, reader, *values, values[2] - final[2] if both and final else None))
    return [*columns, *numbers, "shift"], rows
