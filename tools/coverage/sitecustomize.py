"""Python imports this module first in each process that `make coverage` counts.

coverage's own start reads a variable, and the processes that open models get no
variable that they do not need. They do get the path of modules, and so this folder.
"""

import os
from pathlib import Path

import coverage

_ROOT = Path(__file__).parents[2]

os.environ["COVERAGE_PROCESS_START"] = str(_ROOT / "pyproject.toml")
# The process may have any working folder.
os.environ["COVERAGE_FILE"] = str(_ROOT / ".coverage" / "data")
coverage.process_startup()
