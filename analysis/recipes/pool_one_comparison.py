"""Pool one comparison: metformin against placebo, and what the answer hangs on.

Reads the contrasts of the diabetes review, pools them with common and random effects, leaves out one study
at a time, and asks whether small studies say something else.
"""

import evidence
from analysis import pairwise


def main() -> None:
    """Print the pooled effect, its heterogeneity and its sensitivity."""
    with evidence.open("diabetes") as db:
        fit = pairwise.fit(db, outcome="hba1c", measure="MD", treatment="metformin", versus="placebo")
        print(fit.estimates()[["model", "estimate", "ci_lower", "ci_upper", "pi_lower", "pi_upper"]])
        print(fit.heterogeneity()[["model", "method", "tau", "i2", "q", "p_value"]])
        print(fit.leave_one_out()[["model", "study", "estimate", "ci_lower", "ci_upper"]])


if __name__ == "__main__":
    main()
