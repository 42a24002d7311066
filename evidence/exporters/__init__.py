"""The formats in which evidence is exported.

A writer is a function ``write(selection, directory)`` that writes files into a directory and returns their
paths; see `evidence.export.Selection`. It is imported when its format is asked for.
"""

WRITERS = {
    "csv": "evidence.exporters.tables:write_csv",
    "parquet": "evidence.exporters.tables:write_parquet",
}
"""Module and function of each format's writer, by name."""
