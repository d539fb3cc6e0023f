"""Behind walls, only some files in a folder of Python's path can be read."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from runtime.walls import standing

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[3]

SCRIPT = """
import sys
from pathlib import Path
from runtime.walls import (Room, enclose)
enclose(Room((), (), 1 << 20), "auto")
import package.inner, spaced.inner, single
print(package.inner.WORD, spaced.inner.WORD, single.WORD)
for name in ("config.json", "models/mine/labels.txt", "notes/token"):
    try:
        Path(sys.argv[1], name).read_text()
        print("read", name)
    except PermissionError:
        print("refused")
"""


@pytest.mark.skipif(not standing().landlock, reason="this kernel has no Landlock")
def test_modules_can_be_imported_and_what_lies_beside_them_is_not_read(tmp_path):
    """A working copy of the project also has its store and its settings there."""
    for name in (
        *("package/__init__.py", "package/inner.py", "spaced/inner.py", "single.py"),
        *("config.json", "models/mine/labels.txt", "notes/token"),
    ):
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"WORD = {name!r}\n")
    done = subprocess.run(
        [sys.executable, "-P", "-c", SCRIPT, str(tmp_path)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(tmp_path)])},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=60,
    )
    words, *others = done.stdout.splitlines()
    assert words == "package/inner.py spaced/inner.py single.py"
    assert others == ["refused"] * 3
