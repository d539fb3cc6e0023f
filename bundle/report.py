"""report/: what people read about a training and a conversion; no engine reads it.

The trainer writes the folder. The exporter adds its own figures to the page later, so
manifest.json lists neither these nor the page; see ``bundle.variants.EXPORTED``.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from bundle.errors import BundleError

FOLDER = "report"
METRICS = f"{FOLDER}/metrics.json"
PAGE = f"{FOLDER}/report.html"
PARITY_PLOT = f"{FOLDER}/parity.png"
LATENCY_PLOT = f"{FOLDER}/latency.png"

# The exporter adds these files, or changes them.
CHANGED_BY_EXPORTER = (PAGE, PARITY_PLOT, LATENCY_PLOT)

# The meaning of metrics.json's keys. A reader of a higher number may find other keys.
SCHEMA_VERSION = 1

# Twenty thousand classes take 4 MB, and a confusion matrix of 500 classes 3 MB; see
# ``trainer.report.metrics``.
MAX_BYTES = 1 << 24


def read_metrics(folder: Path) -> dict[str, Any] | None:
    """Read a bundle's ``report/metrics.json``; None if it is not there.

    The bundle may be a stranger's, so a reader must not trust the keys' values.

    Raises:
        BundleError: the file is there and is no JSON object of a usual size.
    """
    try:
        with (folder / METRICS).open("rb") as stream:
            text = stream.read(MAX_BYTES + 1)
        if len(text) > MAX_BYTES:
            raise ValueError
        content = json.loads(text)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError) as ex:
        raise BundleError(f"{METRICS} holds no metrics of a training") from ex
    if not isinstance(content, dict):
        raise BundleError(f"{METRICS} holds no metrics of a training")
    return content
