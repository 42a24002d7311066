"""Generalised least squares with the covariance of multi-arm studies."""

from analysis.network.frequentist.engine import fit
from analysis.network.frequentist.fitted import FrequentistFit

__all__ = ["FrequentistFit", "fit"]
