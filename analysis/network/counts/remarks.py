"""What is to be said of a fit of counts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from analysis.network.counts.fitted import CountsFit


def remarks(fit: CountsFit) -> list[tuple[str, str]]:
    """Give the rows of `notes`: likelihood, priors, studies that say nothing, what the prior drives."""
    net, like = fit.network, fit.counts.likelihood
    mean, sd = fit.how.baseline
    found = [*net.notes, ("info", like.describe())]
    found += fit.prior_remarks(f"; every study's baseline ~ normal({mean:.4g}, {sd:.4g}^2) on the link scale")
    if fit.counts.silent:
        silent = ", ".join(net.study_label(s) for s in fit.counts.silent)
        extreme = "no participant" if like.distribution == "poisson" else "no or every participant"
        message = f"Left out, because in every arm {extreme} had the event: {silent}. They say nothing."
        found.append(("warning", message))
    parts = fit.counts.parts(len(net.treatments))
    if parts.any():
        lost = ", ".join(net.treatments[t] for t in np.flatnonzero(parts != parts[0]))
        found.append(("warning", f"Only studies that say nothing link {lost} to {net.reference}."))
    return found
