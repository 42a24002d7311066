"""What a frequentist fit rests on: weights and paths of the evidence, disagreement, small studies."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.network.data.graph import comparisons, design_name
from analysis.network.data.network import Array, Network
from analysis.network.frequentist import contribution
from analysis.network.frequentist.funnel import comparison_adjusted
from analysis.network.model import inconsistency
from analysis.network.model.gls import Gls
from analysis.network.result import NetworkFit, Pair, contrast_ids
from analysis.results import frame
from evidence import facts
from evidence.errors import CallError, RefusedError
from evidence.names import joined
from evidence.system.frames import rows as rows_of

if TYPE_CHECKING:
    import pandas as pd


class EvidenceStructure(NetworkFit):
    """Tables of where each estimate of a network comes from.

    Attributes
    ----------
    gls : Gls
        The network's rows and edges.
    tau2 : float
        Heterogeneity variance of the random-effects model; NaN where it cannot be estimated.
    """

    gls: Gls
    tau2: float

    def between(self, model: str) -> float:
        """Heterogeneity variance that weights the studies of a model; 0 where there is no estimate."""
        return self.tau2 if model == "random" and np.isfinite(self.tau2) else 0.0

    def net_heat(self, model: str | None = None) -> pd.DataFrame:
        """Give the numbers of the net heat plot: see `analysis.network.model.inconsistency.net_heat`."""
        return inconsistency.net_heat(self.network, self.between(self.chosen_model(model or self.models[0])))

    def hat_matrix(self, kind: str = "comparisons", model: str | None = None) -> pd.DataFrame:
        """Give the weights that evidence has in the network estimates.

        Parameters
        ----------
        kind : {"comparisons", "designs", "studies"}
            Columns are direct comparisons, pooled over studies (Davies et al. 2022); contrasts of each design
            against its base arm (Krahn et al. 2013); or all comparisons within studies, as are the rows
            (Rücker 2012).
        model : str, optional

        Returns
        -------
        DataFrame
            Rows are all pairs of treatments (not for studies), labelled treatment:versus.

        Raises
        ------
        CallError
            If the kind is not known.
        """
        import pandas as pd

        net, tau2 = self.network, self.between(self.chosen_model(model))
        pairs = self.all_pairs()
        treatment, versus = self.pair_indices(pairs)
        index = [joined(pair, ":") for pair in pairs]
        if kind == "comparisons":
            hat = contribution.comparison_hat(self.gls, tau2, treatment, versus)
            return pd.DataFrame(hat, index=index, columns=self._edges())
        if kind == "designs":
            pooled = inconsistency.pool_designs(net, tau2)
            columns = [
                (pooled.network.studies[d][0], design_name(net, (t, row[0])))
                for block in pooled.network.blocks
                for d, row in zip(block.study, block.treatment)
                for t in row[1:]
            ]
            hat = inconsistency.design_hat(pooled, treatment, versus)
            return pd.DataFrame(hat, index=index, columns=pd.MultiIndex.from_tuples(columns))
        if kind == "studies":
            rows = comparisons(net)
            labels = pd.MultiIndex.from_tuples(
                [
                    (net.study_label(int(s)), design_name(net, (b, a)))
                    for s, a, b in zip(rows.study, rows.first, rows.second)
                ]
            )
            return pd.DataFrame(contribution.study_hat(net, self.gls, tau2), index=labels, columns=labels)
        raise CallError(f"There is no hat matrix of {kind!r}; there are comparisons, designs and studies.")

    def _edges(self) -> list[str]:
        return [design_name(self.network, (b, a)) for a, b in zip(self.gls.low, self.gls.high)]

    def contributions(
        self, method: str = "random walk", model: str | None = None, pairs: Sequence[Pair] | None = None
    ) -> pd.DataFrame:
        """Divide network estimates among direct comparisons.

        Parameters
        ----------
        method : {"random walk", "shortest path"}
            See `analysis.network.frequentist.contribution.contributions`.
        model : str, optional
        pairs : sequence of (treatment, versus), optional
            All without it.

        Returns
        -------
        DataFrame
            estimate and source (treatment:versus of the network estimate and of the direct comparison),
            share; the shares of an estimate sum to 1.

        Raises
        ------
        CallError
            If the method or a treatment is not known.
        """
        import pandas as pd

        if method not in contribution.METHODS:
            raise CallError(f"There is no method {method!r}; there are {', '.join(contribution.METHODS)}.")
        pairs = self.all_pairs() if pairs is None else pairs
        tau2 = self.between(self.chosen_model(model))
        share = contribution.contributions(
            self.network, self.gls, tau2, *self.pair_indices(pairs), method=method
        )
        estimates, sources = np.array([joined(pair, ":") for pair in pairs]), np.array(self._edges())
        i, j = (index.ravel() for index in np.indices(share.shape))
        return pd.DataFrame({"estimate": estimates[i], "source": sources[j], "share": share.ravel()})

    def path_measures(self, model: str | None = None) -> pd.DataFrame:
        """Describe the paths of evidence behind every network estimate.

        Returns
        -------
        DataFrame
            treatment, versus, mean_path_length, minimal_parallelism (König et al. 2013).
        """
        import pandas as pd

        pairs = self.all_pairs()
        pooled = inconsistency.pool_designs(self.network, self.between(self.chosen_model(model)))
        length, parallelism = contribution.path_measures(pooled, *self.pair_indices(pairs))
        table = pd.DataFrame(pairs, columns=["treatment", "versus"])
        return table.assign(mean_path_length=length, minimal_parallelism=parallelism)

    def weights(self, pairs: Sequence[Pair] | None = None, method: str = "random walk") -> pd.DataFrame:
        """Tabulate what each comparison of each study contributes to network estimates.

        A direct comparison's contribution is divided among its studies by their weights (reduced for
        multi-arm studies).

        Parameters
        ----------
        pairs : sequence of (treatment, versus), optional
            Without it every treatment against the reference.
        method : {"random walk", "shortest path"}

        Returns
        -------
        DataFrame
            Columns of ``weights``: treatment and versus name the network estimate; estimate, std_error and
            contrast_id belong to the study's comparison; the weights of one estimate sum to 1.

        Raises
        ------
        CallError
            If the method or a treatment is not known.
        """
        import pandas as pd

        if method not in contribution.METHODS:
            raise CallError(f"There is no method {method!r}; there are {', '.join(contribution.METHODS)}.")
        net = self.network
        treatment, versus = self.pair_indices(pairs)
        names = np.array(net.treatments, dtype=object)
        rows = comparisons(net)
        self.refuse_long_weights(len(treatment), len(rows.study))
        ids = contrast_ids(net)
        edge = np.searchsorted(
            self.gls.low * len(names) + self.gls.high, rows.first * len(names) + rows.second
        )
        sources = [
            ids.get((*net.studies[s], frozenset((names[a], names[b]))), (None, None))
            for s, a, b in zip(rows.study, rows.first, rows.second)
        ]
        parts = []
        for model in self.models:
            tau2 = self.between(model)
            share = contribution.contributions(net, self.gls, tau2, treatment, versus, method)
            weight = np.clip(contribution.reduced_weights(net, tau2), 0.0, None)
            within = weight / np.bincount(edge, weight)[edge]
            p, r = np.nonzero(share[:, edge] * within)
            parts.append(
                frame(
                    "weights",
                    {
                        "engine": self.engine,
                        "model": model,
                        "treatment": names[treatment[p]],
                        "versus": names[versus[p]],
                        "study": [net.studies[s][0] for s in rows.study[r]],
                        "experiment": [net.studies[s][1] for s in rows.study[r]],
                        "contrast_id": [sources[i][0] for i in r],
                        "estimate": rows.estimate[r],
                        "std_error": np.sqrt(rows.variance[r]),
                        "weight": share[p, edge[r]] * within[r],
                        "measurement_ids": [sources[i][1] for i in r],
                    },
                )
            )
        return pd.concat(parts, ignore_index=True)

    def funnel(self, order: Sequence[str], model: str | None = None) -> pd.DataFrame:
        """Give the points of the comparison-adjusted funnel: see `funnel.comparison_adjusted`."""
        return comparison_adjusted(self.network, self.between(self.chosen_model(model)), order)

    def small_study_effects(
        self,
        order: Sequence[str],
        model: str | None = None,
        predictor: str | None = None,
        anyway: bool = False,
    ) -> pd.DataFrame:
        """Test the comparison-adjusted funnel for asymmetry, by the rules of a pairwise meta-analysis.

        Parameters
        ----------
        order : sequence of str
            All treatments; see `funnel.comparison_adjusted`.
        model : str, optional
        predictor : {"se", "sqrt(1/n1+1/n2)"}, optional
            Of Egger's regression. Without it se, or sqrt(1/n1+1/n2) for a measure whose standard error
            depends on the effect (Pustejovsky and Rodgers 2019).
        anyway : bool
            Carry out what does not hold (below ten comparisons; Begg's test of a measure whose standard error
            depends on the effect), with a note.

        Returns
        -------
        DataFrame
            Columns of ``sensitivity``: Egger's regression and Begg's rank test. They take the comparisons of
            a multi-arm study as independent, and count comparisons that a single study makes, which are their
            own centre; a note says so. A test that does not hold has a row with the quantity ``refused``.

        Raises
        ------
        CallError
            If the order is not one of all treatments, or the predictor is not known.
        RefusedError
            If there are fewer than ten comparisons, all are equally precise, or the predictor needs numbers
            of participants that are not known.
        """
        from analysis.pairwise.small_study import asymmetry as bias

        model = self.chosen_model(model)
        points = self.funnel(order, model)
        lopsided = facts.measure(self.network.measure).effect_in_variance
        chosen = predictor or (bias.OF_ARMS if lopsided else "se")
        if chosen not in ("se", bias.OF_ARMS):
            raise CallError(f"There is no predictor {chosen!r} in a network; there are se, {bias.OF_ARMS}.")
        remarks = []
        if len(points) < bias.LEAST_EFFECTS:
            few = (
                f"tests of asymmetry need at least {bias.LEAST_EFFECTS} comparisons; there are {len(points)}"
            )
            if not anyway:
                raise RefusedError(f"{few[0].upper()}{few[1:]}.")
            remarks.append(few)
        if any(block.k > 2 for block in self.network.blocks):
            remarks.append("comparisons of a multi-arm study are taken as independent")
        if alone := int((points.groupby(["treatment", "versus"]).size() == 1).sum()):
            remarks.append(f"{alone} comparisons of a single study lie on the line by construction")
        depends = (
            f"the standard error of {self.network.measure} depends on the effect: asymmetry without any bias"
        )
        y, v = points["adjusted"].to_numpy(), points["std_error"].to_numpy() ** 2
        size = _arm_sizes(self.network, points) if chosen == bias.OF_ARMS else None
        # The weights, too, must not hold the effect. A centre that is estimated takes a degree of freedom.
        if size is None:
            found = bias.egger(y, v, predictor=chosen).slope
        else:
            strata = points.groupby(["treatment", "versus"]).ngroup().to_numpy()
            found = bias.egger(y, size, predictor=chosen, n=size, strata=strata).slope
            remarks.append("each comparison has an intercept of its own")
        values = {name: getattr(found, name)[0] for name in ("estimate", "std_error", "p_value")}
        said = [depends] if lopsided and chosen == "se" else []
        tests = [("Egger", values, [f"on {chosen}", *said, *remarks])]
        if lopsided and not anyway:
            tests.append(("Begg", {"refused": float("nan")}, [depends]))
        else:
            rank = bias.begg(y, v)
            said = [depends] if lopsided else []
            tests.append(("Begg", {"estimate": rank.tau, "p_value": rank.p_value}, [*said, *remarks]))
        return frame(
            "sensitivity",
            [
                {
                    "engine": self.engine,
                    "model": model,
                    "method": f"comparison-adjusted funnel, {name}",
                    "item": " > ".join(order),
                    "quantity": quantity,
                    "value": value,
                    "note": "; ".join(notes),
                }
                for name, numbers, notes in tests
                for quantity, value in numbers.items()
            ],
        )

    def sensitivity(self) -> pd.DataFrame:
        """Tabulate what the estimates rest on: contributions, paths of evidence, net heat.

        Returns
        -------
        DataFrame
            Columns of ``sensitivity``. Contributions (random walk): item is the network estimate, quantity
            the direct comparison. Paths: mean path length and minimal parallelism. Net heat: item is the
            design, quantity the contribution of, or the change on detaching, the design it names.
        """
        import pandas as pd

        parts = []
        for model in self.models:
            shares = self.contributions(model=model)
            paths = self.path_measures(model)
            heat = self.net_heat(model)
            pair = paths["treatment"] + ":" + paths["versus"]
            found = [
                ("contribution, random walk", shares["estimate"], shares["source"], shares["share"]),
                ("paths", pair, "mean path length", paths["mean_path_length"]),
                ("paths", pair, "minimal parallelism", paths["minimal_parallelism"]),
                ("net heat", heat["design"], "contribution of " + heat["detached"], heat["contribution"]),
                ("net heat", heat["design"], "change on detaching " + heat["detached"], heat["change"]),
            ]
            parts += [
                pd.DataFrame(
                    {"method": method, "item": item, "quantity": quantity, "value": value, "model": model}
                )
                for method, item, quantity, value in found
            ]
        table = pd.concat(parts, ignore_index=True).dropna(subset="value")
        return frame("sensitivity", {str(name): table[name] for name in table} | {"engine": self.engine})


def _arm_sizes(net: Network, points: pd.DataFrame) -> Array:
    """Give 1/n1 + 1/n2 of each comparison within a study, n summed over its arms of one treatment."""
    contrasts = net.contrasts
    sizes: dict[tuple[str, ...], dict[str, float]] = {}
    if contrasts is not None and {"n_a", "n_b"} <= set(contrasts):
        for side in ("a", "b"):
            names = [f"{name}_{side}" for name in ("treatment", "arm", "n")]
            for study, experiment, treatment, arm, n in contrasts[["study", "experiment", *names]].itertuples(
                index=False
            ):
                sizes.setdefault((study, experiment, treatment), {})[arm] = float(n)

    def inverse(row: dict[str, Any], side: str) -> float:
        n = sum(sizes.get((row["study"], row["experiment"], row[side]), {}).values())
        return 1.0 / n if n > 0 else float("nan")

    rows = rows_of(points)
    size = np.array([inverse(row, "treatment") + inverse(row, "versus") for row in rows])
    if unknown := sorted({str(row["study"]) for row, value in zip(rows, size) if not np.isfinite(value)}):
        raise RefusedError(
            f"A test of asymmetry of {net.measure} needs the number of participants of every arm, for its "
            f"standard error depends on the effect; there is none in {', '.join(unknown)}."
        )
    return size
