"""The statistics side: pairwise and network meta-analysis, sensitivity, charts and reports.

Reads the views of an evidence base and gives results as tidy rows; it never re-derives what a view gives.
"""
