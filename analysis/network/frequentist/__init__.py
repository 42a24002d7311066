"""Generalised least squares with the covariance of multi-arm studies."""

from analysis.network.frequentist.engine import FrequentistFit, fit

__all__ = ["FrequentistFit", "fit"]
