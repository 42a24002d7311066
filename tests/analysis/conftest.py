"""What the tests of analyses and reports share."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

_HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def small_review():
    """The module that writes small review folders."""
    return _module(_HERE / "small_review.py")


@pytest.fixture(scope="module")
def browser(tmp_path_factory) -> Iterator[Any]:
    """Headless Chromium, started (`chromium.Browser`)."""
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("no Chromium on this machine")
    started = _module(_HERE.parent / "chromium.py").Browser(program, tmp_path_factory.mktemp("profile"))
    yield started
    started.close()


def _module(file: Path) -> ModuleType:
    """Load a module of the tests, whose folders are no packages."""
    spec = importlib.util.spec_from_file_location(file.stem, file)
    module = importlib.util.module_from_spec(spec)
    sys.modules[file.stem] = module
    spec.loader.exec_module(module)
    return module
