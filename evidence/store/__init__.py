"""How evidence lies in a DuckDB file: tables, views, their definitions, and rows."""
