"""The same question asked in other ways: other effect measures, other estimators, other studies.

>>> from analysis import sensitivity
>>> sensitivity.effect_measures(db, outcome="hba1c", treatment="metf", versus="plac")  # doctest: +SKIP
>>> sensitivity.what_if(
...     db, {"large": "n > 50"}, outcome="hba1c", measure="MD", treatment="metf", versus="plac"
... )  # doctest: +SKIP
"""

from analysis.sensitivity.questions import effect_measures, estimators, what_if

__all__ = ["effect_measures", "estimators", "what_if"]
