"""Run the audits: views named ``audit_*`` that return a row for everything that is wrong or doubtful."""

from __future__ import annotations

from evidence.checking.suspicions import reading_suspicions
from evidence.errors import Problem
from evidence.query import EvidenceBase
from evidence.system.progress import counted

__all__ = ["run_audits"]


def run_audits(db: EvidenceBase) -> list[Problem]:
    """Collect what the build warned of, and the rows of every audit.

    Parameters
    ----------
    db : EvidenceBase

    Returns
    -------
    list of Problem
        Errors before warnings, then by file and line.
    """
    found = [
        Problem(
            row["message"],
            row["remedy"] or "",
            file=row["source_file"],
            line=row["source_line"],
            column=row["column_name"],
            study=row["study"],
            arm=row["arm"],
            severity="warning",
        )
        for row in db.rows("select * from build_warning where severity = 'warning'")
    ]
    audits = [name for name in db.names() if name.startswith("audit_")]
    found += [
        Problem(
            row["message"],
            row["remedy"] or "",
            file=row["source_file"],
            line=row["source_line"],
            study=row["study"],
            severity=row["severity"],
        )
        for name in counted(audits, len(audits), "auditing")
        for row in db.rows(
            reading_suspicions(db, name, "severity, message, remedy, study, source_file, source_line")
        )
    ]
    return sorted(
        dict.fromkeys(found),
        key=lambda problem: (
            problem.severity != "error",
            problem.file or "",
            problem.line or 0,
            problem.study or "",
            problem.arm or "",
            problem.message,
            problem.remedy,
        ),
    )
