"""Exact Bayesian inference for normal likelihoods."""

from analysis.network.exact.engine import ExactFit, fit

__all__ = ["ExactFit", "fit"]
