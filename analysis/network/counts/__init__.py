"""Bayesian inference from the counts of arms, by importance sampling."""

from analysis.network.counts.engine import CountsFit as CountsFit
from analysis.network.counts.engine import fit as fit
