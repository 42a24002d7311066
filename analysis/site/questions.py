"""Questions that reviewers ask, in SQL: ready to be run, and to be changed."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from evidence.query import EvidenceBase


@dataclass(frozen=True)
class Question:
    """A question and the query that answers it.

    Attributes
    ----------
    name : str
        Short name.
    asks : str
        What is asked, as a reviewer would.
    sql : str
    """

    name: str
    asks: str
    sql: str


QUESTIONS = (
    Question(
        "pooled",
        "What is the pooled effect of each comparison, and how certain is it?",
        """
select outcome, measure, treatment_a, treatment_b, n_studies,
    random_estimate, random_ci_lower, random_ci_upper, I2, tau2
from pooled
order by outcome, measure, n_studies desc, treatment_a, treatment_b
""",
    ),
    Question(
        "results",
        "What did the planned analyses find?",
        """
select r.analysis, r.engine, e.model, e.treatment, e.versus, e.estimate, e.ci_lower, e.ci_upper,
    e.p_value, e.n_studies, e.subgroup, e.level, r.measure, r.unit, e.run_id
from result_estimate as e
inner join result_run as r on e.run_id = r.run_id
left join plan on r.analysis = plan.analysis
where e.evidence = 'network' or r.kind = 'pairwise'
order by plan.position, e.model, e.subgroup nulls first, e.level, e.treatment, e.versus
""",
    ),
    Question(
        "contrasts",
        "What did each study find?",
        """
select study, outcome, measure, treatment_a, treatment_b, timepoint, timepoint_unit, n_a, n_b,
    estimate, std_error, contrast_id
from contrast
order by outcome, measure, treatment_a, treatment_b, study
""",
    ),
    Question(
        "weights",
        "Which studies weigh most in the planned analyses?",
        """
select r.analysis, w.model, w.treatment, w.versus, w.study, w.weight, w.estimate, w.std_error,
    w.measurement_ids
from result_weight as w
inner join result_run as r on w.run_id = r.run_id
where w.weight is not null
order by w.weight desc, r.analysis, w.model, w.study
""",
    ),
    Question(
        "one-study",
        "Does one study decide? How far does each comparison move without each study?",
        """
select l.outcome, l.measure, l.treatment_a, l.treatment_b, l.omitted_study,
    p.random_estimate as with_it, l.random_estimate as without_it,
    l.random_estimate - p.random_estimate as moves_by,
    p.random_p_value < 0.05 as significant_with_it, l.random_p_value < 0.05 as significant_without_it
from leave_one_out as l
inner join pooled as p using (outcome, measure, treatment_a, treatment_b)
where l.random_estimate is not null
order by abs(l.random_estimate - p.random_estimate) / p.random_std_error desc, l.omitted_study
""",
    ),
    Question(
        "heterogeneity",
        "Where do studies disagree?",
        """
select outcome, measure, treatment_a, treatment_b, n_studies, Q, df, p_Q, I2, tau2, pi_lower, pi_upper
from pooled
where n_studies > 2
order by p_Q, outcome, measure, treatment_a, treatment_b
""",
    ),
    Question(
        "subgroups",
        "Does the effect differ between subgroups?",
        """
select outcome, measure, treatment_a, treatment_b, variable, level, n_studies,
    random_estimate, random_ci_lower, random_ci_upper, p_between
from subgroup
where p_between is not null
order by p_between, outcome, measure, treatment_a, treatment_b, variable, level
""",
    ),
    Question(
        "newer-half",
        "What if only the newer half of the studies counted?",
        """
select outcome, measure, treatment_a, treatment_b, n_studies,
    random_estimate, random_ci_lower, random_ci_upper, study_ids
from pool_studies((select list(study) from study where year >= (select median(year) from study)))
order by outcome, measure, n_studies desc, treatment_a, treatment_b
""",
    ),
    Question(
        "network",
        "Who was compared with whom?",
        """
select outcome, measure, treatment_a, treatment_b, n_studies, n_arms, n_participants
from network_edge
order by outcome, measure, n_studies desc, treatment_a, treatment_b
""",
    ),
    Question(
        "ranking",
        "Which treatment ranks best?",
        """
select r.analysis, k.*
from result_ranking as k
inner join result_run as r on k.run_id = r.run_id
order by r.analysis, k.model, k.mean_rank
""",
    ),
    Question(
        "inconsistency",
        "Do direct and indirect evidence agree?",
        """
select r.analysis, i.*
from result_inconsistency as i
inner join result_run as r on i.run_id = r.run_id
order by i.p_value nulls last, r.analysis
""",
    ),
    Question(
        "studies",
        "What are the studies like?",
        "select * from study_characteristics order by year nulls last, label",
    ),
    Question(
        "risk-of-bias",
        "How were the studies judged for risk of bias?",
        """
select study, study_label, tool, domain, label, outcome, judgement_label, support, rob_judgement_id
from rob_traffic_light
order by study_label, tool, outcome, position
""",
    ),
    Question(
        "excluded",
        "What could not be used, and why?",
        """
select study, outcome, measure, stage, reason, remedy, source_file, source_line
from exclusion
order by study nulls last, outcome, measure, source_file, source_line
""",
    ),
    Question(
        "pages",
        "From which page was each number read?",
        """
select study, arm, outcome, timepoint, n, mean, sd, events, source, locator, method, extractor,
    source_file, source_line, measurement_id
from measurement
order by study, outcome, measurement_id
""",
    ),
    Question(
        "suspicions",
        "Which numbers look wrong?",
        """
select study, outcome, arm, suspicion, cause, typed, value, likely, remedy, source_file, source_line,
    measurement_id
from suspicion
order by score desc nulls last, study, measurement_id
""",
    ),
)
"""In the order in which a reviewer comes to them."""


def of(db: EvidenceBase) -> list[dict[str, Any]]:
    """List the questions that a review has an answer to.

    Parameters
    ----------
    db : EvidenceBase
        With the results kept in it.

    Returns
    -------
    list of dict
        name, asks and sql, in the order of `QUESTIONS`.
    """
    return [
        asdict(question) | {"sql": question.sql.strip()}
        for question in QUESTIONS
        if db.rows(f"select 1 as found from ({question.sql}) limit 1")
    ]
