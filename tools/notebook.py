"""``make notebook``: run docs/mnist.ipynb, and keep its outputs in the file.

GitHub shows a notebook with the outputs that lie in it. A test runs the same cells, and
compares the words of its outputs with those in the file.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from copy import deepcopy
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode
from traitlets.config import Config

NOTEBOOK = Path(__file__).resolve().parents[1] / "docs" / "mnist.ipynb"
# A training on a busy machine of two cores is slow; a cell that takes longer hangs.
CELL_SECONDS = 240


def main() -> None:
    """Run the notebook, and write it with its new outputs."""
    notebook = executed(read())
    nbformat.write(notebook, NOTEBOOK)
    print(f"wrote {NOTEBOOK.name}, {NOTEBOOK.stat().st_size:,} bytes")


def read() -> NotebookNode:
    """Read the notebook as it lies in the documents."""
    return nbformat.read(NOTEBOOK, as_version=4)


def executed(notebook: NotebookNode) -> NotebookNode:
    """Run all cells, one after the other; return a notebook with their outputs.

    The kernel talks through sockets in a temporary folder, so that notebooks which run
    at the same time do not take each other's ports. It reads no settings of the user,
    and the commands write lines of the same width everywhere.

    Raises:
        nbclient.exceptions.CellExecutionError: a cell ended with an error. The kernel
            has ended then, and so have the servers that the notebook started.
        nbclient.exceptions.CellTimeoutError: a cell took longer than CELL_SECONDS.
    """
    with tempfile.TemporaryDirectory() as folder:
        sockets = {"transport": "ipc", "connection_file": f"{folder}/kernel.json"}
        client = NotebookClient(
            deepcopy(notebook),
            config=Config(KernelManager=sockets),
            kernel_name="python3",
            timeout=CELL_SECONDS,
            record_timing=False,
            coalesce_streams=True,
        )
        # matplotlib lists the machine's fonts once. On a slow machine it says so on
        # standard error, and a list that another environment left may lack its own.
        fonts = f"{folder}/matplotlib"
        settings = {
            "IPYTHONDIR": f"{folder}/ipython",
            "COLUMNS": "80",
            "MPLCONFIGDIR": fonts,
        }
        subprocess.run(
            [sys.executable, "-c", "import matplotlib.font_manager"],
            env={**os.environ, "MPLCONFIGDIR": fonts},
            stderr=subprocess.DEVNULL,
            check=True,
        )
        run = client.execute(cwd=folder, env={**os.environ, **settings})
    # The version of Python, which the kernel adds, would change the file for nothing.
    run.metadata = {"kernelspec": run.metadata.kernelspec}
    return run


if __name__ == "__main__":
    main()
