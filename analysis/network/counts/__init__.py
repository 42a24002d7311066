"""Bayesian inference from the counts of arms, by importance sampling."""

from analysis.network.counts.engine import fit
from analysis.network.counts.fitted import CountsFit

__all__ = ["CountsFit", "fit"]
