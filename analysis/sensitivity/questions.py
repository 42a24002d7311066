"""One table for each way of asking a pairwise question again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from analysis import pairwise
from analysis.pairwise.data.contrasts import each
from analysis.pairwise.model import tau2 as between_studies
from analysis.pairwise.options import prediction_after
from evidence import facts
from evidence.errors import CallError, EvidenceError

if TYPE_CHECKING:
    import pandas as pd

    from evidence.query import EvidenceBase

_COLUMNS = (
    "case", "model", "estimate", "std_error", "ci_lower", "ci_upper", "pi_lower", "pi_upper", "p_value",
    "tau2", "i2", "n_contrasts", "n_studies", "left_out", "refused",
)  # fmt: skip


def effect_measures(
    db: EvidenceBase,
    *,
    outcome: str,
    treatment: str,
    versus: str,
    measures: Sequence[str] = (),
    **options: Any,
) -> pd.DataFrame:
    """Answer one question in several effect measures, in one table.

    Parameters
    ----------
    db : EvidenceBase
    outcome, treatment, versus : str
        The question.
    measures : sequence of str
        Effect measures; without them, all that are computed from arms for the outcome's kind.
    **options
        Of `pairwise.fit`: tau2, ci, timepoint, where, ...

    Returns
    -------
    DataFrame
        case (the measure), model, estimate (log for ratios), std_error, ci_lower, ci_upper, pi_lower,
        pi_upper, p_value, tau2, i2, n_contrasts, n_studies, left_out (studies that another measure uses and
        this one does not, with the reason), refused (why there is no estimate). A measure that was refused
        has one row.
    """
    kind = db.value("select kind from outcome where outcome = ?", [outcome])
    usual = [found.code for found in facts.measures(kind=kind, given=("arms",))]
    questions = {
        measure: {
            "outcome": outcome, "measure": measure, "treatment": treatment, "versus": versus, **options
        }
        for measure in measures or usual
    }  # fmt: skip
    return _table(db, questions)


def what_if(
    db: EvidenceBase,
    conditions: Mapping[str, str] | Sequence[str],
    *,
    where: str | None = None,
    **question: Any,
) -> pd.DataFrame:
    """Answer one question with all studies, and with those that meet each of several SQL conditions.

    Parameters
    ----------
    db : EvidenceBase
    conditions : mapping of str to str, or sequence of str
        Conditions on study and characteristic columns, by a name or named by themselves.
    where : str, optional
        A condition that all of them share.
    **question
        Of `pairwise.fit`.

    Returns
    -------
    DataFrame
        As `effect_measures`; case is the condition's name, first "all studies".
    """
    named = conditions if isinstance(conditions, Mapping) else {text: text for text in conditions}
    if not named:
        raise CallError("Name at least one condition.")
    cases: dict[str, dict[str, Any]] = {"all studies": {**question, "where": where}}
    for name, condition in named.items():
        both = f"({where}) and ({condition})" if where else condition
        cases[name] = {**question, "where": both}
    return _table(db, cases)


def estimators(source: EvidenceBase | pd.DataFrame, **question: Any) -> pd.DataFrame:
    """Answer one question with every estimator of tau2 and every interval, in one table.

    Parameters
    ----------
    source : EvidenceBase or DataFrame
    **question
        Of `pairwise.fit`, without tau2 and ci.

    Returns
    -------
    DataFrame
        As `effect_measures`; case is ``estimator, interval``. The common effect stands once.
    """
    return of_estimators(pairwise.fit(source, **question), question.get("prediction"))


def of_estimators(start: pairwise.PairwiseFit, asked: str | None = None) -> pd.DataFrame:
    """Answer the question of a fit as `estimators` does; `asked` is the prediction interval asked for."""
    fits = {
        f"{tau2}, {ci}": pairwise.PairwiseFit.of(
            start.contrasts,
            replace(
                start.options, tau2=tau2, ci=ci, prediction=prediction_after(asked, ci, start.options.method)
            ),
        )
        for tau2 in between_studies.METHODS
        for ci in ("Wald", "HK", "HK-adhoc")
    }
    rows = [row for name, fit in fits.items() for row in _rows(name, fit, set())]
    common = rows[0] | {"case": "common effect"}
    return _frame([common, *(row for row in rows if row["model"] != "common")])


def _table(source: EvidenceBase | pd.DataFrame, cases: Mapping[str, Mapping[str, Any]]) -> pd.DataFrame:
    """Fit every case; what cannot be fitted says why."""
    fits: dict[str, pairwise.PairwiseFit | EvidenceError] = {}
    for name, question in cases.items():
        try:
            fits[name] = pairwise.fit(source, **question)
        except CallError:
            raise
        except EvidenceError as error:
            fits[name] = error
    everywhere = {
        study for fit in fits.values() if isinstance(fit, pairwise.PairwiseFit) for study in fit.studies
    }
    if fits and all(isinstance(fit, EvidenceError) for fit in fits.values()):
        raise next(fit for fit in fits.values() if isinstance(fit, EvidenceError))
    return _frame([row for name, fit in fits.items() for row in _rows(name, fit, everywhere)])


def _frame(rows: list[dict[str, Any]]) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(rows, columns=list(_COLUMNS))


def _rows(
    name: str, fit: pairwise.PairwiseFit | EvidenceError, everywhere: set[str]
) -> Iterator[dict[str, Any]]:
    if isinstance(fit, EvidenceError):
        yield {"case": name, "refused": str(fit)}
        return
    lost = everywhere - set(fit.studies)
    reasons = {
        str(row.study): row.reason
        for row in each(fit.exclusions())
        if row.study is not None and row.study in lost
    }
    left_out = "; ".join(f"{study}: {reasons.get(study, 'no contrast')}" for study in sorted(lost))
    spread = fit.heterogeneity().set_index("model")
    for row in each(fit.estimates()):
        if isinstance(row.level, str):
            continue
        yield {
            "case": name,
            **{column: getattr(row, column) for column in _COLUMNS[1:9]},
            "tau2": spread["tau2"].get(row.model) if spread.index.is_unique else None,
            "i2": spread["i2"].get(row.model) if spread.index.is_unique else None,
            "n_contrasts": fit.rows.n,
            "n_studies": row.n_studies,
            "left_out": left_out or None,
        }
