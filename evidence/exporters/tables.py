"""Every table and view as a CSV or a Parquet file."""

from __future__ import annotations

from pathlib import Path

from evidence.export import Selection


def write_csv(selection: Selection, directory: Path) -> list[Path]:
    """Write one CSV file for each table and view: a header, all digits, an empty cell for a missing value."""
    return _write(selection, directory, "csv", "format csv, header, delimiter ','")


def write_parquet(selection: Selection, directory: Path) -> list[Path]:
    """Write one Parquet file for each table and view."""
    return _write(selection, directory, "parquet", "format parquet, compression zstd")


def _write(selection: Selection, directory: Path, suffix: str, options: str) -> list[Path]:
    """Let DuckDB write each table and view that has rows."""
    files = []
    for kind, folder in (("table", "tables"), ("view", "views")):
        for name in selection.db.names(kind):
            rows = selection.sorted_rows(name)
            if rows is None:
                continue
            file = directory / folder / f"{name}.{suffix}"
            file.parent.mkdir(exist_ok=True)
            quoted = str(file).replace("'", "''")
            selection.db.connection.execute(f"copy {rows} to '{quoted}' ({options}, use_tmp_file false)")
            files.append(file)
    return files
