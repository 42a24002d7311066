"""Prior distributions of the heterogeneity tau, with densities, scales and words.

All densities are densities of tau, normalised, whatever quantity the prior was stated for. Turner et al.
(2012, doi:10.1093/ije/dys041) and Rhodes et al. (2015, doi:10.1016/j.jclinepi.2014.08.012) give log-normal
and log-t distributions of tau2; both are read that way here.

A prior is one class: a subclass of `Prior` with a `name` is read from text, integrated, drawn by chains and
exported; what it does not define is refused where it is asked for.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from math import exp, inf, isfinite, lgamma, log, pi, sqrt
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np
from scipy.special import gammaincc, ndtr, stdtr

from evidence.errors import CallError

Array = np.ndarray


class Bugs(NamedTuple):
    """How a program in BUGS's language states a prior.

    Attributes
    ----------
    node, density : str
        What has a distribution (sd, sd.2, log.sd.2, or tau, the precision), and the language's word for it.
    parameters : tuple of float
        As the language takes them: precisions, not standard deviations.
    limits : (float or None, float or None)
        Where the distribution is cut off, below and above.
    follows : tuple of str
        Lines that give sd and tau where the node is another.
    """

    node: str
    density: str
    parameters: tuple[float, ...]
    limits: tuple[float | None, float | None]
    follows: tuple[str, ...]


PRIORS: dict[str, type[Prior]] = {}
"""Every prior, by its name."""


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
    """What the prior is called in text: the class is then one of `PRIORS`."""
    example: ClassVar[str]
    """How the prior is written."""
    about: ClassVar[str] = "tau"
    """The quantity whose distribution carries the name: tau or tau2."""
    logarithmic: ClassVar[bool] = False
    """Whether the density vanishes at zero, so that log tau is the natural coordinate."""

    ranges: ClassVar[dict[str, tuple[float, float]]] = {}
    """Parameters without a unit, and the range in which floating-point numbers carry them."""

    def __init_subclass__(cls) -> None:
        if "name" in cls.__dict__:
            PRIORS[cls.name] = cls

    @classmethod
    def takes(cls) -> tuple[str, ...]:
        """Names of the numbers in brackets, in the order they are written."""
        return tuple(field.name for field in fields(cls) if field.name != "upper")

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
        return tuple(getattr(self, name) for name in self.takes())

    @property
    def cut(self) -> float | None:
        """Where the distribution is cut off; None where it is not."""
        return self.upper if isfinite(self.upper) and "upper" not in self.takes() else None

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

    @classmethod
    def chain_kernel(cls, tau: Any, *parameters: Any) -> Any:
        """Log density less constants in PyTensor, of a symbolic tau and symbolic numbers of `parameters`."""
        raise NotImplementedError(f"the engine mcmc has no density for the prior {cls.name!r}")

    def in_bugs(self) -> Bugs:
        """State the prior as programs in BUGS's language do."""
        raise NotImplementedError(f"there is no text for BUGS and JAGS of the prior {self.name!r}")

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
        cut = "" if self.cut is None else f" T(, {self.cut:g})"
        where = f" {unit}" if unit else ""
        if self.about == "tau2":
            where = f" with tau in {unit}" if unit else ""
        return f"{self.about} ~ {self.name}({numbers}){cut}{where}"

    def __str__(self) -> str:
        return self.describe()

    @property
    def written(self) -> str:
        """The prior as `parse` reads it, with every digit."""
        cut = "" if self.cut is None else f" T(, {self.cut!r})"
        return f"{self.name}({', '.join(repr(float(value)) for value in self.parameters)}){cut}"

    @property
    def _log_kept(self) -> float:
        return log(float(self.uncut_probability(self.upper))) if isfinite(self.upper) else 0.0


_OF_SD = ("tau <- pow(sd, -2)",)


@dataclass(frozen=True)
class Uniform(Prior):
    """Uniform on [lower, upper]; gemtc's and WinBUGS's habit."""

    lower: float = 0.0

    name: ClassVar[str] = "uniform"
    example: ClassVar[str] = "uniform(0, 5)"

    @classmethod
    def takes(cls) -> tuple[str, ...]:
        """Lower and upper limit."""
        return ("lower", "upper")

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.lower < self.upper < inf:
            raise CallError(f"prior uniform({self.lower:g}, {self.upper:g}): it needs 0 <= lower < upper.")

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

    @classmethod
    def chain_kernel(cls, tau: Any, *parameters: Any) -> Any:
        """Log density less constants, in PyTensor."""
        return 0.0 * tau

    def in_bugs(self) -> Bugs:
        """State the prior as BUGS does."""
        return Bugs("sd", "dunif", (self.lower, self.upper), (None, None), _OF_SD)


@dataclass(frozen=True)
class _Scaled(Prior):
    """A distribution of tau with a scale, in the outcome's unit."""

    scale: float = 1.0

    def rescaled(self, factor: float) -> Self:
        """Change the unit."""
        return replace(self, scale=self.scale * factor, upper=self.upper * factor)


@dataclass(frozen=True)
class HalfNormal(_Scaled):
    """Absolute value of a normal variable with standard deviation `scale`."""

    name: ClassVar[str] = "half-normal"
    example: ClassVar[str] = "half-normal(1)"

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

    @classmethod
    def chain_kernel(cls, tau: Any, *parameters: Any) -> Any:
        """Log density less constants, in PyTensor."""
        return -0.5 * (tau / parameters[0]) ** 2

    def in_bugs(self) -> Bugs:
        """State the prior as BUGS does."""
        return Bugs("sd", "dnorm", (0.0, self.scale**-2), (0.0, self.cut), _OF_SD)


@dataclass(frozen=True)
class HalfCauchy(_Scaled):
    """Absolute value of a Cauchy variable with the given scale (Gelman 2006)."""

    name: ClassVar[str] = "half-cauchy"
    example: ClassVar[str] = "half-cauchy(0.5)"

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

    @classmethod
    def chain_kernel(cls, tau: Any, *parameters: Any) -> Any:
        """Log density less constants, in PyTensor."""
        import pytensor.tensor as pt

        return -pt.log1p((tau / parameters[0]) ** 2)

    def in_bugs(self) -> Bugs:
        """State the prior as BUGS does."""
        return Bugs("sd", "dt", (0.0, self.scale**-2, 1.0), (0.0, self.cut), _OF_SD)


@dataclass(frozen=True)
class _Logarithmic(Prior):
    """A distribution of the logarithm of tau2 about a mean."""

    mean: float = 0.0

    about: ClassVar[str] = "tau2"
    logarithmic: ClassVar[bool] = True

    def rescaled(self, factor: float) -> Self:
        """Change the unit."""
        return replace(self, mean=self.mean + 2.0 * log(factor), upper=self.upper * factor)


@dataclass(frozen=True)
class LogNormal(_Logarithmic):
    """The logarithm of tau2 is normal with the given mean and standard deviation (Turner et al. 2012)."""

    sd: float = 1.0

    ranges: ClassVar[dict[str, tuple[float, float]]] = {"sd": (1e-6, 1e6)}
    name: ClassVar[str] = "log-normal"
    example: ClassVar[str] = "log-normal(-2.56, 1.74) of tau2"

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

    @classmethod
    def chain_kernel(cls, tau: Any, *parameters: Any) -> Any:
        """Log density less constants, in PyTensor."""
        import pytensor.tensor as pt

        mean, sd = parameters
        return -pt.log(tau) - 0.5 * ((2.0 * pt.log(tau) - mean) / sd) ** 2

    def in_bugs(self) -> Bugs:
        """State the prior as BUGS does."""
        limit = None if self.cut is None else self.cut**2
        follows = ("sd <- sqrt(sd.2)", "tau <- 1 / sd.2")
        return Bugs("sd.2", "dlnorm", (self.mean, self.sd**-2), (None, limit), follows)


@dataclass(frozen=True)
class LogT(_Logarithmic):
    """The logarithm of tau2 is mean + scale t(df) (Rhodes et al. 2015, with 5 degrees of freedom)."""

    scale: float = 1.0
    df: float = 5.0

    ranges: ClassVar[dict[str, tuple[float, float]]] = {"scale": (1e-6, 1e6), "df": (1e-3, 1e6)}
    name: ClassVar[str] = "log-t"
    example: ClassVar[str] = "log-t(-3.44, 2.59, 5) of tau2"

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

    @classmethod
    def chain_kernel(cls, tau: Any, *parameters: Any) -> Any:
        """Log density less constants, in PyTensor."""
        import pytensor.tensor as pt

        mean, scale, df = parameters
        z = (2.0 * pt.log(tau) - mean) / scale
        return -pt.log(tau) - 0.5 * (df + 1.0) * pt.log1p(z**2 / df)

    def in_bugs(self) -> Bugs:
        """State the prior as BUGS does."""
        limit = None if self.cut is None else 2.0 * float(np.log(self.cut))
        follows = ("sd <- exp(log.sd.2 / 2)", "tau <- exp(-log.sd.2)")
        return Bugs("log.sd.2", "dt", (self.mean, self.scale**-2, self.df), (None, limit), follows)


@dataclass(frozen=True)
class InverseGamma(Prior):
    """The inverse of tau2 is gamma with the given shape and rate (WinBUGS: ``dgamma`` on precision)."""

    shape: float = 0.001
    rate: float = 0.001

    ranges: ClassVar[dict[str, tuple[float, float]]] = {"shape": (1e-9, 1e6)}
    name: ClassVar[str] = "inverse-gamma"
    example: ClassVar[str] = "inverse-gamma(0.001, 0.001) of tau2"
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

    @classmethod
    def chain_kernel(cls, tau: Any, *parameters: Any) -> Any:
        """Log density less constants, in PyTensor."""
        import pytensor.tensor as pt

        shape, rate = parameters
        return -(2.0 * shape + 1.0) * pt.log(tau) - rate / tau**2

    def in_bugs(self) -> Bugs:
        """State the prior as BUGS does."""
        limit = None if self.cut is None else self.cut**-2
        return Bugs("tau", "dgamma", (self.shape, self.rate), (limit, None), ("sd <- pow(tau, -0.5)",))


_TEXT = re.compile(
    r"^\s*(?:tau2?\s*~\s*)?(?P<name>[a-z][a-z _-]*?)\s*\((?P<numbers>[^()]*)\)"
    r"(?:\s*t\s*\(\s*,\s*(?P<cut>[^()]+)\))?(?:\s+of\s+tau2?)?\s*$"
)


def parse(text: str | Prior) -> Prior:
    """Read a prior of the heterogeneity from text.

    Parameters
    ----------
    text : str or Prior
        A prior's name and numbers, as in the `example` of each class of `PRIORS`: ``"half-normal(1)"`` or
        ``"uniform(0, 5)"`` of tau, ``"log-normal(-2.56, 1.74)"`` of tau2. A trailing ``T(, 10)`` cuts the
        distribution of tau off at 10.

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
    known = "; ".join(prior.example for prior in PRIORS.values())
    match = _TEXT.match(text.lower())
    bare = re.sub(r"[ _-]", "", match["name"]) if match else ""
    kind = next((prior for name, prior in PRIORS.items() if name.replace("-", "") == bare), None)
    if match is None or kind is None:
        raise CallError(f"{text!r} is not a prior of tau. Write one of: {known}.")
    names = kind.takes()
    try:
        numbers = [float(number) for number in match["numbers"].split(",")]
        cut = {} if match["cut"] is None else {"upper": float(match["cut"])}
    except ValueError:
        raise CallError(
            f"prior {text!r}: what stands in the brackets must be numbers, as in {kind.example}."
        ) from None
    if len(numbers) != len(names) or (cut.keys() & set(names)):
        raise CallError(f"prior {text!r}: {kind.name} takes {', '.join(names)}, as in {kind.example}.")
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
