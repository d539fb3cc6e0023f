"""Loggers as they were, whatever a test's service set up."""

import logging

import pytest

from runtime.logs import LOGGERS


@pytest.fixture(autouse=True)
def loggers():
    names = (*LOGGERS, "runtime.access", "runtime.monit", "waitress.queue")
    ours = [logging.getLogger(name) for name in names]
    before = [(log.level, list(log.handlers), log.propagate) for log in ours]
    yield
    for log, (level, handlers, propagate) in zip(ours, before, strict=True):
        for handler in set(log.handlers) - set(handlers):
            handler.close()
        log.handlers, log.propagate = handlers, propagate
        log.setLevel(level)
