"""Pairwise meta-analysis: one treatment against one comparator, read from the evidence or from a table.

>>> from analysis import pairwise
>>> fit = pairwise.fit(db, outcome="hba1c", measure="MD", treatment="metf", versus="plac")  # doctest: +SKIP
>>> fit.estimates()  # doctest: +SKIP
"""

from analysis.pairwise.fitting import PairwiseFit, fit
from analysis.pairwise.options import METHODS, Options

__all__ = ["METHODS", "Options", "PairwiseFit", "fit"]
