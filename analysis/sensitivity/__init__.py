"""The same question asked in other ways: other effect measures, other estimators, other studies.

>>> import evidence
>>> from analysis import sensitivity
>>> db = evidence.open("diabetes")
>>> question = {"outcome": "hba1c", "measure": "MD", "treatment": "metf", "versus": "plac"}
>>> cases = sensitivity.what_if(db, {"recent": "year > 2000"}, **question).query("model == 'random'")
>>> print(cases[["case", "estimate", "n_studies"]].round(2).to_string(index=False))
       case  estimate  n_studies
all studies     -1.13          4
     recent     -0.80          2
"""

from analysis.sensitivity.questions import effect_measures, estimators, what_if

__all__ = ["effect_measures", "estimators", "what_if"]
