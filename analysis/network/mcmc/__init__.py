"""Bayesian inference by Markov chains (PyMC)."""

from analysis.network.mcmc.engine import fit
from analysis.network.mcmc.fitted import McmcFit

__all__ = ["McmcFit", "fit"]
