"""Fingerprints of what a computation is given: equal where every value is, in its order, to the last bit."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import fields, is_dataclass
from functools import cache
from json.encoder import encode_basestring
from pathlib import Path
from typing import Any

from evidence.system.frames import cells


def fingerprint(*values: Any) -> str:
    """Fingerprint of values: 16 hexadecimal digits.

    Parameters
    ----------
    *values
        None, numbers, text, and mappings, sequences, sets, arrays, frames and dataclasses of these. Unlike
        that of `evidence.results.hash_rows`, order counts: sums end in other digits in another order.

    Raises
    ------
    TypeError
        If a value is of another kind: what is not understood is never taken for equal.

    Examples
    --------
    >>> from evidence.system.fingerprint import fingerprint
    >>> fingerprint({"a": 1.0}) == fingerprint({"a": 1.0}), fingerprint([1]) == fingerprint([1.0])
    (True, False)
    """
    return hashlib.sha256("\n".join(_written(values)).encode()).hexdigest()[:16]


def _written(value: Any) -> Iterator[str]:
    if (scalar := _scalar(value)) is not None:
        yield scalar
    elif is_dataclass(value):
        yield f"{type(value).__qualname__}("
        for field in fields(value):
            yield field.name
            yield from _written(getattr(value, field.name))
        yield ")"
    elif isinstance(value, Mapping):
        yield "{"
        for key, item in value.items():
            yield from _written(key)
            yield from _written(item)
        yield "}"
    elif hasattr(value, "columns"):
        yield f"frame {len(value)} ["
        for place, name in enumerate(value.columns):
            yield from _written(name)
            yield from _column(value.iloc[:, place])
        yield "]"
    elif hasattr(value, "dtype"):
        yield f"array {value.dtype} {getattr(value, 'shape', ())}"
        if value.dtype == object:
            yield from _written(value.tolist())
        else:
            yield value.tobytes().hex()
    elif isinstance(value, Set):
        yield from _written(sorted(value, key=repr))
    elif isinstance(value, Sequence):
        yield f"{len(value)} ["
        for item in value:
            yield from _written(item)
        yield "]"
    else:
        raise TypeError(f"There is no fingerprint of {type(value).__qualname__}.")


def _column(column: Any) -> Iterator[str]:
    """Write a column of a frame: what its cells are taken as, and the cells."""
    yield str(column.dtype)
    if (levels := getattr(column.dtype, "categories", None)) is not None:
        yield from _written(list(levels))
    for cell in cells(column):
        if (scalar := _scalar(cell)) is None:
            raise TypeError(f"There is no fingerprint of a cell of {type(cell).__qualname__}.")
        yield scalar


def _scalar(value: Any) -> str | None:
    """Write a single value; None where it is none."""
    if isinstance(value, str):
        return encode_basestring(value)
    if value is None or isinstance(value, bool | int | float):
        # Of a float's subclass (NumPy's) the text has its type in it.
        return repr(float(value)) if isinstance(value, float) else repr(value)
    if type(value).__name__ in ("NAType", "NaTType"):
        return type(value).__name__
    if hasattr(value, "item") and getattr(value, "shape", None) == ():
        return _scalar(value.item())
    return None


@cache
def of_code(*packages: str) -> str:
    """Fingerprint of the Python code and reference tables of folders, file by file.

    A number is taken over from an earlier file only where the code that would compute it is the same: of two
    checkouts that call themselves one version, too.
    """
    found = []
    for package in packages:
        root = Path(package)
        for file in sorted(path for kind in ("*.py", "*.csv") for path in root.rglob(kind)):
            inside = file.relative_to(root)
            if "reviews" not in inside.parts:  # Bundled reviews are data.
                found.append([inside.as_posix(), hashlib.sha256(file.read_bytes()).hexdigest()])
    return fingerprint(found)
