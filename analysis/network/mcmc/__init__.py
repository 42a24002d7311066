"""Bayesian inference by Markov chains (PyMC)."""

from analysis.network.mcmc.engine import McmcFit as McmcFit
from analysis.network.mcmc.engine import fit as fit
