"""The studies of a comparison: read from a file, a table or the evidence, and put together."""
