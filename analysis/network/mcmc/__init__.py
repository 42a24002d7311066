"""Bayesian inference by Markov chains (PyMC)."""

from analysis.network.mcmc.engine import McmcFit, fit

__all__ = ["McmcFit", "fit"]
