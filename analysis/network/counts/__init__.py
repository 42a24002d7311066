"""Bayesian inference from the counts of arms, by importance sampling."""

from analysis.network.counts.engine import CountsFit, fit

__all__ = ["CountsFit", "fit"]
