"""Python imports this module first in each process that `make coverage` counts.

coverage's own start reads a variable, and the processes that open models get no
variable that they do not need. They do get the path of modules, and so this folder.
Behind walls they could not write down what was counted: in a counted run, and in no
other, walls leave one more folder open. A process that becomes another user is not
counted behind them.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType
from typing import Any

import coverage

_ROOT = Path(__file__).parents[2]
_DATA = _ROOT / ".coverage"


def _enclose_but_for_data(enclose: Any) -> Any:
    def enclosed(room: Any, policy: str) -> Any:
        # Another user would be given the folder, and nobody else could write there.
        if not room.user:
            room = replace(room, writes=(*room.writes, _DATA))
        return enclose(room, policy)

    return enclosed


class _OpenWalls(MetaPathFinder):
    """Imports ``runtime.walls`` with a way out for the data file."""

    def find_spec(
        self,
        name: str,
        path: Sequence[str] | None,
        target: ModuleType | None = None,
    ) -> ModuleSpec | None:
        """Find the one module; the usual finders find the others."""
        spec = PathFinder.find_spec(name, path) if name == "runtime.walls" else None
        loader: Any = spec and spec.loader
        if loader:
            execute = loader.exec_module

            def exec_module(module: Any) -> None:
                execute(module)
                module.enclose = _enclose_but_for_data(module.enclose)

            loader.exec_module = exec_module
        return spec


os.environ["COVERAGE_PROCESS_START"] = str(_ROOT / "pyproject.toml")
# The process may have any working folder.
os.environ["COVERAGE_FILE"] = str(_DATA / "data")
_DATA.mkdir(exist_ok=True)
sys.meta_path.insert(0, _OpenWalls())
coverage.process_startup()
