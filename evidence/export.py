"""Write the evidence, or a subset of it, for other tools, with a data dictionary and provenance."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib import import_module
from pathlib import Path

from evidence.database import STORAGE, STORAGE_VERSION
from evidence.errors import CallError, RefusedError
from evidence.exporters import WRITERS
from evidence.exporters.ways_back import lost
from evidence.names import nearest
from evidence.opening import resolve
from evidence.output import SYNTHETIC
from evidence.results import versions
from evidence.selection import REVIEW_WIDE, Conditions, Selection, select
from evidence.system.files import directory as whole_directory
from evidence.system.progress import tell

__all__ = ["export"]


def export(
    source: str | Path,
    directory: str | Path,
    formats: Sequence[str],
    *,
    where: str | None = None,
    as_of: str | None = None,
    outcomes: str | None = None,
    treatments: str | None = None,
    storage: str | None = None,
) -> list[Path]:
    """Write the evidence, or a subset of it, with a data dictionary and its provenance.

    Parameters
    ----------
    source : str or Path
        An evidence base: a file, a review folder, or a bundled review's name.
    directory : path
        Folder to write; made where it is not there. What an earlier export wrote goes, files of others stay.
    formats : sequence of str
        Keys of `WRITERS`.
    where : str, optional
        Condition on study and characteristic columns, with subqueries on any table or view.
    as_of : str, optional
        A year, month or day: write the evidence as it could have been then. Of a folder or a bundled review.
    outcomes, treatments : str, optional
        Conditions on the columns of the tables ``outcome`` and ``treatment``. Arms of other treatments and
        measurements of other outcomes are left out, and studies of which nothing is left.

    storage : {"v1.2.0", "v1.4.0", "v1.5.0"}, optional
        Format of a DuckDB file: that version of DuckDB and later ones open it. Without it v1.5.0. What an
        older version cannot compute is stored as rows, and said.

    Returns
    -------
    list of Path
        Every file written, in order.

    Raises
    ------
    CallError
        If a format, condition or storage is not known, or the folder cannot be written.
    RefusedError
        If nothing meets the conditions, or none of the formats can hold anything of it.

    Examples
    --------
    >>> from evidence.export import export
    >>> files = export("smoking", "for-others", ["netmeta"], where="year >= 1990")
    >>> sorted({file.suffix for file in files})
    ['.R', '.csv', '.json', '.md']
    """
    writers = {name: _writer(name) for name in formats}
    if storage is not None:
        _check_storage(storage, formats)
    target = Path(directory)
    # The evidence may stand in the folder written to; a review folder may not be it.
    inputs = [Path(source)] if Path(source).is_dir() else []
    with (
        select(resolve(source, as_of), Conditions(where, outcomes, treatments)) as selection,
        whole_directory(target, inputs=inputs) as staged,
    ):
        selection = replace(selection, storage=storage or STORAGE_VERSION)
        files: list[Path] = []
        refused: list[str] = []
        for number, (name, write) in enumerate(writers.items(), 1):
            tell(f"{number}/{len(writers)} writing {name}")
            try:
                files += write(selection, staged)
            except RefusedError as error:
                refused.append(error.message)
                selection.lose(name, f"nothing is written: {error.message}")
            else:
                # The writers have computed the views that are asked.
                selection.lose(name, *lost(selection, name))
        if not files:
            raise RefusedError("\n".join(refused))
        files += _dictionary(selection, staged)
        if selection.synthetic:
            notice = staged / "SIMULATED-DATA.txt"
            notice.write_text(f"{SYNTHETIC}\n", encoding="utf-8")
            files.append(notice)
        provenance = staged / "provenance.json"
        provenance.write_text(_provenance(selection, staged, files), encoding="utf-8")
        return [target / file.relative_to(staged) for file in (*files, provenance)]


def _writer(name: str) -> Callable[[Selection, Path], list[Path]]:
    if name not in WRITERS:
        close = nearest(name, WRITERS)
        hint = f" Did you mean {close!r}?" if close else ""
        raise CallError(f"There is no format {name!r}.{hint} There are: {', '.join(WRITERS)}.")
    module, _, function = WRITERS[name].partition(":")
    return getattr(import_module(module), function)


def _check_storage(storage: str, formats: Sequence[str]) -> None:
    if storage not in STORAGE:
        raise CallError(f"There is no storage {storage!r}; there are: {', '.join(STORAGE)}.")
    if "duckdb" not in formats:
        raise CallError("storage is the format of a DuckDB file: ask for --format duckdb, too.")


def _dictionary(selection: Selection, directory: Path) -> list[Path]:
    """Write what every table, view and column means, as CSV and to read."""
    from evidence.catalog import dictionary
    from evidence.output import write_csv

    catalog = selection.catalog
    rows = dictionary(catalog)
    rows += [
        {
            "object": file,
            "kind": "file",
            "column": column,
            "type": "",
            "meaning": meaning,
            "object_meaning": "",
        }
        for file, columns in selection.described.items()
        for column, meaning in columns.items()
    ]
    table = directory / "dictionary.csv"
    with table.open("w", encoding="utf-8", newline="") as stream:
        write_csv(list(rows[0]), [list(row.values()) for row in rows], stream)
    lines = ["# Data dictionary", ""]
    for entry in catalog.entries.values():
        if not entry.columns:
            continue
        lines += [f"## {entry.name} ({entry.kind})", "", entry.comment.replace("\n", "  \n"), ""]
        lines += ["| column | type | meaning |", "| --- | --- | --- |"]
        for column in entry.columns:
            meaning = column.comment.replace("|", "\\|")
            lines.append(f"| {column.name} | {column.type.lower()} | {meaning} |")
        lines.append("")
    for file, columns in selection.described.items():
        lines += [f"## {file} (file)", "", "| column | meaning |", "| --- | --- |"]
        lines += [f"| {column} | {meaning} |" for column, meaning in columns.items()]
        lines.append("")
    text = directory / "dictionary.md"
    text.write_text("\n".join(lines), encoding="utf-8")
    return [table, text]


def _provenance(selection: Selection, directory: Path, files: Sequence[Path]) -> str:
    """Say where the files come from, without anything that differs between equal exports."""
    db = selection.db
    content = {
        "review": db.rows("select * from review"),
        "build": {
            row["key"]: row["value"] for row in db.rows("select key, value from build_info order by key")
        },
        "loaded_files": db.rows("select file, n_rows, sha256 from loaded_file order by file"),
        "where": selection.conditions.studies,
        "outcomes": selection.conditions.outcomes,
        "treatments": selection.conditions.treatments,
        "studies": list(selection.studies),
        "n_studies": {"selected": len(selection.studies), "in_evidence_base": selection.n_studies},
        "left_out": {
            name: "describes the review as a whole"
            for name in (*REVIEW_WIDE, "result_*")
            if not selection.whole
        },
        "losses": selection.losses,
        "queries": selection.queries,
        "versions": versions(),
        "files": {file.relative_to(directory).as_posix(): selection.digest(file) for file in files},
    }
    return json.dumps(content, ensure_ascii=False, indent=1, default=str) + "\n"
