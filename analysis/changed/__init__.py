"""What changed between two states of a review, in the report's words: conclusions, numbers, cells.

>>> from analysis import changed
>>> with changed.comparing("smoking", "smoking") as found:
...     print(changed.text(found), end="")
smoking (24 studies, 50 measurements) and smoking (24 studies, 50 measurements): no change.
"""

from __future__ import annotations

from analysis.changed.comparison import Comparison, comparing
from analysis.changed.conclusions import Conclusion, turned
from analysis.changed.kept import keep
from analysis.changed.written import document, markdown, text

__all__ = ["Comparison", "Conclusion", "comparing", "document", "keep", "markdown", "text", "turned"]
