"""Places of the files that bench reads and makes."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PEERS = ROOT / "bench" / "peers"
RESULTS = ROOT / "bench" / "results.json"

# This folder holds only files that can be made again: environments, models, logs.
MADE = ROOT / ".bench"
MODELS = MADE / "models"
RUN = MADE / "run"

# This project's own commands.
BIN = Path(sys.executable).parent
