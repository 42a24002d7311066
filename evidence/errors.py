"""What can be wrong, said to the person with the spreadsheet."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

__all__ = ["CallError", "EvidenceError", "Problem", "RefusedError", "ReviewError"]


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong, where it stands, and what would be right.

    Attributes
    ----------
    message : str
        What is wrong, in the reader's words.
    remedy : str
        What would be right.
    file, line, column, study, arm : optional
        Where it stands: file of the review folder, line in it (the header is line 1), column, study, arm.
    severity : {"error", "warning"}
        An error stops the build; a warning is loaded and reported.
    """

    message: str
    remedy: str = ""
    file: str | None = None
    line: int | None = None
    column: str | None = None
    study: str | None = None
    arm: str | None = None
    severity: str = "error"

    def __str__(self) -> str:
        place = ":".join(str(part) for part in (self.file, self.line) if part is not None)
        where = ", ".join(
            f"{name} {value!r}"
            for name, value in (("study", self.study), ("arm", self.arm), ("column", self.column))
            if value is not None
        )
        head = " ".join(part for part in (place, f"({where})" if where else "") if part)
        text = f"{head}: {self.message}" if head else self.message
        return f"{text} -> {self.remedy}" if self.remedy else text


class EvidenceError(Exception):
    """The data, or what was asked of them, cannot give an answer. Never shown with a traceback.

    Parameters
    ----------
    message : str
        One sentence that says what is wrong and what would be right.
    problems : iterable of Problem, optional
        Every single problem found, in one pass.
    """

    exit_code = 1

    def __init__(self, message: str, problems: Iterable[Problem] = ()) -> None:
        self.message = message
        self.problems = tuple(problems)
        super().__init__(message)

    def __str__(self) -> str:
        return "\n".join([self.message, *(f"  {problem}" for problem in self.problems)])


class ReviewError(EvidenceError):
    """A review folder cannot be built as it stands."""


class RefusedError(EvidenceError):
    """An analysis that must not be computed on these data: says why, and what would work instead."""


class CallError(EvidenceError):
    """The call is wrong: an option, a name, a query."""

    exit_code = 2
