"""Generalised least squares with the covariance of multi-arm studies."""

from analysis.network.frequentist.engine import FrequentistFit as FrequentistFit
from analysis.network.frequentist.engine import fit as fit
