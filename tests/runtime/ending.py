"""Processes that answer a request and end before its line is due."""

import logging
import os

from runtime.config import Config
from runtime.telemetry import logs
from runtime.telemetry.answered import Answered


def answer(prefix):
    """Note a request, and return."""
    logs.set_up_logs(Config(log_file=prefix))
    logs.request_log.soon.seconds = 3600
    logs.request_log.note(
        Answered(
            *("last", "", "", None, "", 0, 0.0, logging.INFO, "GET", "GET", "/", "/"),
            *(200, 0.5, (None,) * 4, "127.0.0.1", None, None),
        )
    )


def answer_and_drain(prefix):
    """Note a request, and end as a server that drains."""
    answer(prefix)
    logging.shutdown()
    os._exit(0)
