"""Where things are."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PEERS = ROOT / "bench" / "peers"
RESULTS = ROOT / "bench" / "results.json"

# Environments, models, logs: whatever can be made again.
MADE = ROOT / ".bench"
MODELS = MADE / "models"
RUN = MADE / "run"

# This project's own commands.
BIN = Path(sys.executable).parent
