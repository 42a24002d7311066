"""The conclusions fuzz runs where it is asked for: ``CONCLUSIONS=2000 pytest -m slow -n 2 tests/conclusions``.

It takes about a third of a second of CPU for each of the generated reviews (twins are counted), more than an ordinary
run has; continuous integration asks for 600.
"""

import os
import sys
from pathlib import Path

# The modules beside the tests are imported by name.
sys.path.insert(0, str(Path(__file__).parent))

collect_ignore_glob = [] if os.environ.get("CONCLUSIONS") else ["test_*.py"]
