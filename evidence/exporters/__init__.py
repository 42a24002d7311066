"""The formats in which evidence is exported.

A writer is a function ``write(selection, directory)`` that writes files into a directory and returns their
paths; see `evidence.selection.Selection`. It is imported when its format is asked for. The formats of other
analysis programs are written by `analysis.exchange`, from the networks that our own engines fit, so that
other people's engines are given the same numbers.
"""

WRITERS = {
    "csv": "evidence.exporters.tables:write_csv",
    "parquet": "evidence.exporters.tables:write_parquet",
    "xlsx": "evidence.exporters.tables:write_xlsx",
    "json": "evidence.exporters.tables:write_json",
    "sqlite": "evidence.exporters.tables:write_sqlite",
    "duckdb": "evidence.exporters.tables:write_duckdb",
    "review": "evidence.exporters.folder:write_review",
    "ro-crate": "evidence.exporters.crate:write_crate",
    "revman": "evidence.exporters.revman:write_revman",
    "robvis": "evidence.exporters.appraisal:write_robvis",
    "prisma2020": "evidence.exporters.appraisal:write_prisma",
    "ris": "evidence.exporters.references:write_ris",
    "bibtex": "evidence.exporters.references:write_bibtex",
    "references": "evidence.exporters.references:write_references",
    "metafor": "analysis.exchange.pairs:write_metafor",
    "netmeta": "analysis.exchange.contrasts:write_netmeta",
    "gemtc": "analysis.exchange.arms:write_gemtc",
    "multinma": "analysis.exchange.arms:write_multinma",
    "cinema": "analysis.exchange.arms:write_cinema",
    "metainsight": "analysis.exchange.arms:write_metainsight",
    "stata": "analysis.exchange.arms:write_stata",
    "plan-r": "analysis.exchange.plan_r:write_plan_r",
    "plan-stata": "analysis.exchange.plan_stata:write_plan_stata",
    "jags": "analysis.exchange.bugs:write_jags",
    "bugs": "analysis.exchange.bugs:write_bugs",
}
"""Module and function of each format's writer, by name."""

_ANALYSED = (
    "holds what is analysed: one time point of each study and outcome, derived means and SDs, moderators "
    "that the plan asks for; not the statistics as reported, sources, risk of bias by item, searches"
)
LOSSES = {
    "robvis": "holds judgements; not their support, nor those of assessors whose judgement does not count",
    "prisma2020": "holds the boxes of the flow diagram; not the records and decisions behind them",
    **dict.fromkeys(
        ("ris", "bibtex", "references"),
        "holds the records without their duplicates; not which of them were duplicates, nor who decided what",
    ),
    "revman": "holds pairs of arms with derived means and SDs; not the covariance of pairs that share an arm",
    **dict.fromkeys(("plan-r", "plan-stata"), _ANALYSED),
}
"""What a format cannot hold of any review; what else, by name, says `evidence.exporters.ways_back.lost`."""
