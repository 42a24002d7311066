"""DuckDB for browsers: ``engine.js`` and ``LICENSES.txt`` beside this file, for `evidence site`."""
