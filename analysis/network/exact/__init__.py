"""Exact Bayesian inference for normal likelihoods."""

from analysis.network.exact.engine import fit
from analysis.network.exact.fitted import ExactFit

__all__ = ["ExactFit", "fit"]
