"""What the tests of analyses and reports share."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def small_review():
    """The module that writes small review folders."""
    name = "small_review"
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name("small_review.py"))
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module
