"""Prior distributions of the heterogeneity tau, with densities, scales and words.

All densities are densities of tau, normalised, whatever quantity the prior was stated for. Turner et al.
(2012, doi:10.1093/ije/dys041) and Rhodes et al. (2015, doi:10.1016/j.jclinepi.2014.08.012) give log-normal
and log-t distributions of tau2; both are read that way here.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from math import exp, inf, isfinite, lgamma, log, pi, sqrt
from typing import ClassVar, Self

import numpy as np
from scipy.special import gammaincc, ndtr, stdtr

from evidence.errors import CallError

Array = np.ndarray


@dataclass(frozen=True)
class Prior:
    """A prior distribution of tau, perhaps cut off at `upper` as JAGS's ``T(, upper)`` does.

    Attributes
    ----------
    upper : float
        Largest tau that the prior allows, in the outcome's unit; infinity unless stated.
    """

    upper: float = inf

    name: ClassVar[str]
    """What the prior is called in text."""
    about: ClassVar[str] = "tau"
    """The quantity whose distribution carries the name: tau or tau2."""
    logarithmic: ClassVar[bool] = False
    """Whether the density vanishes at zero, so that log tau is the natural coordinate."""

    ranges: ClassVar[dict[str, tuple[float, float]]] = {}
    """Parameters without a unit, and the range in which floating-point numbers carry them."""

    @property
    def tail(self) -> float:
        """Power of 1 / tau at which the density falls for large tau; infinity if faster than any."""
        return inf

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            located = field.name in ("mean", "lower")
            if (
                np.isnan(value)
                or (not located and value <= 0)
                or (field.name != "upper" and not isfinite(value))
            ):
                raise CallError(
                    f"prior {self.name}: {field.name} is {value:g}; it must be a finite number"
                    + ("." if located else " above 0.")
                )
            least, most = self.ranges.get(field.name, (-inf, inf))
            if not least <= value <= most:
                raise CallError(
                    f"prior {self.name}: {field.name} is {value:g}; it must be from {least:g} to {most:g}."
                )

    @property
    def parameters(self) -> tuple[float, ...]:
        """The numbers in brackets, in the order they are written."""
        return tuple(getattr(self, f.name) for f in fields(self) if f.name != "upper")

    @property
    def minimum(self) -> float:
        """Smallest tau that the prior allows."""
        return 0.0

    @property
    def reach(self) -> float:
        """A tau beyond which the prior holds next to nothing; where the search for the posterior starts."""
        raise NotImplementedError

    def log_kernel(self, tau: Array) -> Array:
        """Log density of the distribution before it is cut off at `upper`."""
        raise NotImplementedError

    def uncut_probability(self, tau: Array | float) -> Array:
        """Probability of a heterogeneity up to tau, before the distribution is cut off at `upper`."""
        raise NotImplementedError

    def log_density(self, tau: Array) -> Array:
        """Log density of tau.

        Parameters
        ----------
        tau : array
            Heterogeneity standard deviations, in the outcome's unit.

        Returns
        -------
        array
            Minus infinity outside the support.
        """
        tau = np.asarray(tau, dtype=float)
        with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
            kernel = self.log_kernel(tau) - self._log_kept
        return np.where((tau >= self.minimum) & (tau <= self.upper), kernel, -inf)

    def probability(self, tau: Array | float) -> Array:
        """Prior probability of a heterogeneity up to tau."""
        return np.minimum(self.uncut_probability(tau) / exp(self._log_kept), 1.0)

    def rescaled(self, factor: float) -> Self:
        """Change the unit of the outcome so that every tau becomes `factor` times as large."""
        raise NotImplementedError

    def describe(self, unit: str | None = None) -> str:
        """Put the prior into words, with the unit it is stated in.

        Parameters
        ----------
        unit : str, optional
            Unit of tau; None for a dimensionless scale.
        """
        numbers = ", ".join(f"{value:g}" for value in self.parameters)
        cut = f" T(, {self.upper:g})" if isfinite(self.upper) and not isinstance(self, Uniform) else ""
        where = f" {unit}" if unit else ""
        if self.about == "tau2":
            where = f" with tau in {unit}" if unit else ""
        return f"{self.about} ~ {self.name}({numbers}){cut}{where}"

    def __str__(self) -> str:
        return self.describe()

    @property
    def _log_kept(self) -> float:
        return log(float(self.uncut_probability(self.upper))) if isfinite(self.upper) else 0.0


@dataclass(frozen=True)
class Uniform(Prior):
    """Uniform on [lower, upper]; gemtc's and WinBUGS's habit."""

    lower: float = 0.0

    name: ClassVar[str] = "uniform"

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.lower < self.upper < inf:
            raise CallError(f"prior uniform({self.lower:g}, {self.upper:g}): it needs 0 <= lower < upper.")

    @property
    def parameters(self) -> tuple[float, ...]:
        """Lower and upper limit."""
        return (self.lower, self.upper)

    @property
    def minimum(self) -> float:
        """The lower limit."""
        return self.lower

    @property
    def reach(self) -> float:
        """The upper limit."""
        return self.upper

    def log_kernel(self, tau: Array) -> Array:
        """Log density: a constant."""
        return np.full_like(tau, -log(self.upper - self.lower))

    def uncut_probability(self, tau: Array | float) -> Array:
        """Probability up to tau."""
        return np.clip((np.asarray(tau) - self.lower) / (self.upper - self.lower), 0.0, 1.0)

    def rescaled(self, factor: float) -> Self:
        """Change the unit."""
        return replace(self, lower=self.lower * factor, upper=self.upper * factor)


@dataclass(frozen=True)
class HalfNormal(Prior):
    """Absolute value of a normal variable with standard deviation `scale`."""

    scale: float = 1.0

    name: ClassVar[str] = "half-normal"

    @property
    def reach(self) -> float:
        """Nine standard deviations."""
        return min(9.0 * self.scale, self.upper)

    def log_kernel(self, tau: Array) -> Array:
        """Log density before cutting."""
        return 0.5 * log(2.0 / pi) - log(self.scale) - 0.5 * (tau / self.scale) ** 2

    def uncut_probability(self, tau: Array | float) -> Array:
        """Probability up to tau before cutting."""
        return 2.0 * ndtr(np.asarray(tau) / self.scale) - 1.0

    def rescaled(self, factor: float) -> Self:
        """Change the unit."""
        return replace(self, scale=self.scale * factor, upper=self.upper * factor)


@dataclass(frozen=True)
class HalfCauchy(Prior):
    """Absolute value of a Cauchy variable with the given scale (Gelman 2006)."""

    scale: float = 1.0

    name: ClassVar[str] = "half-cauchy"

    @property
    def tail(self) -> float:
        """Like 1 / tau^2, unless cut off."""
        return inf if isfinite(self.upper) else 2.0

    @property
    def reach(self) -> float:
        """Ten scales: the tail beyond is for the data to cut."""
        return min(10.0 * self.scale, self.upper)

    def log_kernel(self, tau: Array) -> Array:
        """Log density before cutting."""
        return log(2.0 / (pi * self.scale)) - np.log1p((tau / self.scale) ** 2)

    def uncut_probability(self, tau: Array | float) -> Array:
        """Probability up to tau before cutting."""
        return np.arctan(np.asarray(tau) / self.scale) * (2.0 / pi)

    def rescaled(self, factor: float) -> Self:
        """Change the unit."""
        return replace(self, scale=self.scale * factor, upper=self.upper * factor)


@dataclass(frozen=True)
class LogNormal(Prior):
    """The logarithm of tau2 is normal with the given mean and standard deviation (Turner et al. 2012)."""

    mean: float = 0.0
    sd: float = 1.0

    ranges: ClassVar[dict[str, tuple[float, float]]] = {"sd": (1e-6, 1e6)}
    name: ClassVar[str] = "log-normal"
    about: ClassVar[str] = "tau2"
    logarithmic: ClassVar[bool] = True

    @property
    def reach(self) -> float:
        """Nine standard deviations above the mean of log tau2."""
        return min(exp(min((self.mean + 9.0 * self.sd) / 2.0, 300.0)), self.upper)

    def log_kernel(self, tau: Array) -> Array:
        """Log density of tau before cutting."""
        z = (2.0 * np.log(tau) - self.mean) / self.sd
        return log(2.0 / (self.sd * sqrt(2.0 * pi))) - np.log(tau) - 0.5 * z**2

    def uncut_probability(self, tau: Array | float) -> Array:
        """Probability up to tau before cutting."""
        with np.errstate(divide="ignore"):
            return ndtr((2.0 * np.log(tau) - self.mean) / self.sd)

    def rescaled(self, factor: float) -> Self:
        """Change the unit."""
        return replace(self, mean=self.mean + 2.0 * log(factor), upper=self.upper * factor)


@dataclass(frozen=True)
class LogT(Prior):
    """The logarithm of tau2 is mean + scale t(df) (Rhodes et al. 2015, with 5 degrees of freedom)."""

    mean: float = 0.0
    scale: float = 1.0
    df: float = 5.0

    ranges: ClassVar[dict[str, tuple[float, float]]] = {"scale": (1e-6, 1e6), "df": (1e-3, 1e6)}
    name: ClassVar[str] = "log-t"
    about: ClassVar[str] = "tau2"
    logarithmic: ClassVar[bool] = True

    @property
    def tail(self) -> float:
        """Like 1 / tau but for powers of its logarithm, unless cut off: it has no moments."""
        return inf if isfinite(self.upper) else 1.0

    @property
    def reach(self) -> float:
        """Nine scales above the centre of log tau2: the tail beyond is for the data to cut."""
        return min(exp(min((self.mean + 9.0 * self.scale) / 2.0, 300.0)), self.upper)

    def log_kernel(self, tau: Array) -> Array:
        """Log density of tau before cutting."""
        z = (2.0 * np.log(tau) - self.mean) / self.scale
        constant = (
            lgamma((self.df + 1) / 2) - lgamma(self.df / 2) - 0.5 * log(self.df * pi) - log(self.scale / 2.0)
        )
        return constant - np.log(tau) - 0.5 * (self.df + 1) * np.log1p(z**2 / self.df)

    def uncut_probability(self, tau: Array | float) -> Array:
        """Probability up to tau before cutting."""
        with np.errstate(divide="ignore"):
            return stdtr(self.df, (2.0 * np.log(tau) - self.mean) / self.scale)

    def rescaled(self, factor: float) -> Self:
        """Change the unit."""
        return replace(self, mean=self.mean + 2.0 * log(factor), upper=self.upper * factor)


@dataclass(frozen=True)
class InverseGamma(Prior):
    """The inverse of tau2 is gamma with the given shape and rate (WinBUGS: ``dgamma`` on precision)."""

    shape: float = 0.001
    rate: float = 0.001

    ranges: ClassVar[dict[str, tuple[float, float]]] = {"shape": (1e-9, 1e6)}
    name: ClassVar[str] = "inverse-gamma"
    about: ClassVar[str] = "tau2"
    logarithmic: ClassVar[bool] = True

    @property
    def tail(self) -> float:
        """Like 1 / tau^(2 shape + 1), unless cut off."""
        return inf if isfinite(self.upper) else 2.0 * self.shape + 1.0

    @property
    def reach(self) -> float:
        """Where the tail has begun; the rest of it is for the data to cut."""
        return min(10.0 * sqrt(self.rate / (self.shape + 1.0)), self.upper)

    def log_kernel(self, tau: Array) -> Array:
        """Log density of tau before cutting."""
        a, b = self.shape, self.rate
        return a * log(b) - lgamma(a) + log(2.0) - (2.0 * a + 1.0) * np.log(tau) - b / tau**2

    def uncut_probability(self, tau: Array | float) -> Array:
        """Probability up to tau before cutting."""
        with np.errstate(divide="ignore"):
            return gammaincc(self.shape, self.rate / np.square(tau))

    def rescaled(self, factor: float) -> Self:
        """Change the unit."""
        return replace(self, rate=self.rate * factor**2, upper=self.upper * factor)


_FORMS: dict[str, tuple[type[Prior], tuple[str, ...], str]] = {
    "uniform": (Uniform, ("lower", "upper"), "uniform(0, 5)"),
    "half-normal": (HalfNormal, ("scale",), "half-normal(1)"),
    "half-cauchy": (HalfCauchy, ("scale",), "half-cauchy(0.5)"),
    "log-normal": (LogNormal, ("mean", "sd"), "log-normal(-2.56, 1.74) of tau2"),
    "log-t": (LogT, ("mean", "scale", "df"), "log-t(-3.44, 2.59, 5) of tau2"),
    "inverse-gamma": (InverseGamma, ("shape", "rate"), "inverse-gamma(0.001, 0.001) of tau2"),
}
_TEXT = re.compile(
    r"^\s*(?:tau2?\s*~\s*)?(?P<name>[a-z][a-z _-]*?)\s*\((?P<numbers>[^()]*)\)"
    r"(?:\s*t\s*\(\s*,\s*(?P<cut>[^()]+)\))?(?:\s+of\s+tau2?)?\s*$"
)


def parse(text: str | Prior) -> Prior:
    """Read a prior of the heterogeneity from text.

    Parameters
    ----------
    text : str or Prior
        ``"uniform(0, 5)"``, ``"half-normal(1)"``, ``"half-cauchy(0.5)"`` are about tau;
        ``"log-normal(-2.56, 1.74)"`` (mean, standard deviation of log tau2), ``"log-t(-3.44, 2.59, 5)"``
        (mean, scale, degrees of freedom of log tau2) and ``"inverse-gamma(0.001, 0.001)"`` (shape, rate)
        are about tau2. A trailing ``T(, 10)`` cuts the distribution of tau off at 10.

    Returns
    -------
    Prior

    Raises
    ------
    CallError
        If the text is not one of these, with the list of what can be written.
    """
    if isinstance(text, Prior):
        return text
    known = "; ".join(example for _, _, example in _FORMS.values())
    match = _TEXT.match(text.lower())
    name = re.sub(r"[ _]", "-", match["name"]) if match else ""
    name = {"halfnormal": "half-normal", "halfcauchy": "half-cauchy", "lognormal": "log-normal"}.get(
        name, name
    )
    if match is None or name not in _FORMS:
        raise CallError(f"{text!r} is not a prior of tau. Write one of: {known}.")
    kind, names, example = _FORMS[name]
    try:
        numbers = [float(number) for number in match["numbers"].split(",")]
        cut = {} if match["cut"] is None else {"upper": float(match["cut"])}
    except ValueError:
        raise CallError(
            f"prior {text!r}: what stands in the brackets must be numbers, as in {example}."
        ) from None
    if len(numbers) != len(names) or (cut and kind is Uniform):
        raise CallError(f"prior {text!r}: {name} takes {', '.join(names)}, as in {example}.")
    return kind(**dict(zip(names, numbers)), **cut)


def piled(prior: Prior, density: Callable[[float], float]) -> float:
    """How the posterior density of tau at the prior's upper limit compares with its maximum.

    Parameters
    ----------
    prior : Prior
    density : callable
        Posterior density of tau.

    Returns
    -------
    float
        Share, 0 to 1; 0 without an upper limit.
    """
    if not isfinite(prior.upper):
        return 0.0
    grid = np.linspace(prior.minimum, prior.upper, 101)
    values = [density(float(tau)) for tau in grid[1:-1]]
    # Just inside, for at the limit itself rounding decides.
    at = density(float(prior.upper) * (1 - 1e-9))
    return at / max(*values, at) if max(*values, at) > 0 else 0.0


def customary(scale: float) -> list[Prior]:
    """List priors of tau in common use, made to the scale of the data, for sensitivity analyses.

    Parameters
    ----------
    scale : float
        Largest effect observed in any study.

    Returns
    -------
    list of Prior
        Uniform up to the scale (gemtc) and five times as far, half-normal and half-Cauchy of two widths,
        and the inverse-gamma(0.001, 0.001) of old WinBUGS programs in units of the scale.
    """
    return [
        Uniform(upper=scale),
        Uniform(upper=5.0 * scale),
        HalfNormal(scale=scale / 2.0),
        HalfNormal(scale=scale / 4.0),
        HalfCauchy(scale=scale / 4.0),
        InverseGamma(shape=0.001, rate=0.001 * scale**2),
    ]
