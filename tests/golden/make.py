"""Write the golden files anew, all or those of some cases:

python tests/golden/make.py [CASE ...]

Read ``git diff tests/golden`` before you commit them.
"""

import sys
from pathlib import Path

import pytest

if __name__ == "__main__":
    chosen = ["-k", " or ".join(f"[{name}]" for name in sys.argv[1:])] if sys.argv[1:] else []
    place = str(Path(__file__).parent / "test_golden.py")
    sys.exit(pytest.main(["-q", "--update-golden", *chosen, place]))
