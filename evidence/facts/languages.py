"""The languages in which a report is written."""

from __future__ import annotations

LANGUAGES = {"en": "English", "de": "Deutsch", "fr": "Français", "es": "Español", "zh": "中文"}
"""Name of each language in itself, by its code (ISO 639-1); the first needs no catalogue."""

DEFAULT = "en"
