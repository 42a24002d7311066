"""Memory that a computation is about to take: compared with what there is, before it is taken.

An array that does not fit ends, on Linux, in a killed process without a word; the person learns neither why
nor what would have worked. So whatever grows with a product of two numbers (studies and nodes, treatments and
pairs, arms and studies) says how much it needs where it takes it, and is refused here. The bound of a query
(``--memory``, `evidence.checking.gate.MEMORY`) is none of an analysis: it is there for SQL that somebody else
wrote, in a process of its own, and its default of 1 GB would refuse what a laptop computes.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from math import inf
from pathlib import Path

from evidence.errors import RefusedError

FEWER = "Analyse fewer studies or treatments (--where, --treatment)."
"""What works for every network."""

ORDINARY = 64 << 20
"""Bytes up to which nothing is asked: less than importing the libraries takes."""


def refuse_without_room(needed: float, what: str, instead: str) -> None:
    """Refuse work for which there is not enough memory.

    Parameters
    ----------
    needed : float
        Bytes that it takes at its peak.
    what : str
        The work, as the beginning of a sentence: ``The exact engine, with 9,000 effects``.
    instead : str
        What would work, as sentences.

    Raises
    ------
    RefusedError
        With both numbers and the remedy.
    """
    if needed <= ORDINARY:
        return
    there = available()
    if needed > there:
        raise RefusedError(
            f"{what} needs about {in_words(needed)} of memory; there is {in_words(there)}. {instead}"
        )


def in_words(size: float) -> str:
    """Write bytes with two digits: ``7.6 GB``, ``50 MB``."""
    unit, name = next(((u, n) for u, n in ((1e12, "TB"), (1e9, "GB")) if size >= 0.9995 * u), (1e6, "MB"))
    value = size / unit
    return f"{value:.1f} {name}" if value < 9.95 and name != "MB" else f"{value:,.0f} {name}"


def available(root: Path = Path("/")) -> float:
    """Bytes that this process can still take: the least of what machine, container and limits leave.

    Parameters
    ----------
    root : Path
        Where the system's ``proc`` and ``sys`` stand.

    Returns
    -------
    float
        Infinity where the system does not tell.
    """
    return max(0.0, min(_of_the_machine(root), _of_the_process(root), *_of_the_container(root), inf))


def _of_the_machine(root: Path) -> float:
    try:
        lines = (root / "proc/meminfo").read_text().splitlines()
        return next(float(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))
    except (OSError, StopIteration):
        pass
    # No name of what is free outside Linux and Solaris; what there is at all is still a bound.
    for pages in ("SC_AVPHYS_PAGES", "SC_PHYS_PAGES"):
        try:
            return float(os.sysconf(pages)) * os.sysconf("SC_PAGE_SIZE")
        except (AttributeError, ValueError, OSError):
            continue
    return inf


def _of_the_process(root: Path) -> float:
    try:
        import resource

        limit = resource.getrlimit(resource.RLIMIT_AS)[0]
        if limit == resource.RLIM_INFINITY:
            return inf
        taken = int((root / "proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    except (ImportError, OSError):
        return inf
    return float(limit - taken)


def _of_the_container(root: Path) -> Iterator[float]:
    """Give what every control group (version 2 or 1) that this process is in, or above it, leaves."""
    try:
        groups = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        return
    for _, controllers, path in (line.split(":", 2) for line in groups):
        if controllers and "memory" not in controllers.split(","):
            continue
        top = root / "sys/fs/cgroup" / ("memory" if controllers else "")
        limit, usage, cached = (
            ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
            if controllers
            else ("memory.max", "memory.current", "inactive_file")
        )
        place = top / path.lstrip("/")
        for group in (place, *place.parents):
            try:
                most = (group / limit).read_text().strip()
                # What files left in the cache is counted as used, and given back when it is asked for.
                stated = dict(line.split() for line in (group / "memory.stat").read_text().splitlines())
                used = int((group / usage).read_text()) - int(stated.get(cached, 0))
                yield inf if most == "max" else float(int(most) - used)
            except (OSError, ValueError):
                pass  # The root has no limit; a container may not see what is above it.
            if group == top:
                break
