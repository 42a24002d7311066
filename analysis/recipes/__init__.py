"""Short scripts to read, run and change: each one does a whole task on a bundled review.

Run one with ``python -m analysis.recipes.NAME``.
"""
