"""Exact Bayesian inference for normal likelihoods."""

from analysis.network.exact.engine import ExactFit as ExactFit
from analysis.network.exact.engine import fit as fit
