"""The conclusions fuzz runs where it is asked for: ``CONCLUSIONS=2000 pytest -m slow -n 2 tests/conclusions``.

It takes about half a second of CPU for each question (a quarter of an hour for 2,000 sets and their twins on two
cores), more than an ordinary run has; continuous integration asks for 100.
"""

import os
import sys
from pathlib import Path

# The modules beside the tests are imported by name.
sys.path.insert(0, str(Path(__file__).parent))

collect_ignore_glob = [] if os.environ.get("CONCLUSIONS") else ["test_*.py"]
