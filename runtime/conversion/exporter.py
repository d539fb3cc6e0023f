"""The exporter's command, as a process of its own, and the outcome that it prints.

So TensorFlow, and all that a stranger's model does to it, stay out of the service.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Literal

from runtime.config import Config

# -P: modules of the same name in the working folder are not imported.
EXPORTER = (sys.executable, "-P", "-m", "exporter")

# The words that the exporter itself says.
Told = Literal["converted", "refused", "failed"]


def exporter_for(config: Config) -> Sequence[str]:
    """Return the exporter's command for the service's settings."""
    return (
        *EXPORTER,
        "convert",
        # Times beside requests, and after all other work, would say nothing.
        "--no-latency",
        *work_for(config),
    )


def work_for(config: Config) -> Sequence[str]:
    """Return the options for any work of the exporter that a program starts."""
    return (
        "--json",
        # The program that starts the exporter keeps the limits.
        "--no-time-limit",
        # The folder is named, so that the exporter reads no config.json.
        *("--models-dir", str(config.store_folder)),
        *("--walls", config.walls),
        *("--run-as-user", config.run_as_user),
        # Without this the exporter checks an upload's operators once more.
        *(("--trust",) if config.trust_uploads else ()),
    )


def outcome_of(line: str) -> tuple[Told | None, str]:
    """Return the outcome and the reason in a line of ``exporter convert --json``.

    The outcome is None if the line is something else.
    """
    try:
        match json.loads(line):
            case {
                "outcome": "converted" | "refused" | "failed" as outcome,
                "reason": str(reason),
            }:
                return outcome, reason
    except (ValueError, RecursionError):
        pass
    return None, ""
