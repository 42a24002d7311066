"""Pairwise meta-analysis: one treatment against one comparator, read from the evidence or from a table.

>>> import evidence
>>> from analysis import pairwise
>>> db = evidence.open("diabetes")
>>> meta = pairwise.fit(db, outcome="hba1c", measure="MD", treatment="metf", versus="plac")
>>> shown = ["model", "estimate", "ci_lower", "ci_upper", "n_studies"]
>>> print(meta.estimates()[shown].round(2).to_string(index=False))
 model  estimate  ci_lower  ci_upper  n_studies
common     -1.15     -1.31     -1.00          4
random     -1.13     -2.15     -0.11          4
"""

from analysis.pairwise.fitting import PairwiseFit, fit
from analysis.pairwise.options import METHODS, Options

__all__ = ["METHODS", "Options", "PairwiseFit", "fit"]
