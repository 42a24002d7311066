"""The engine is made while the wheel is built."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class Engine(BuildHookInterface):
    """Puts ``engine.js`` and its licences into the package."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Make them."""
        sys.path.insert(0, self.root)
        from make import make

        make(Path(self.root) / "evidence_wasm")
