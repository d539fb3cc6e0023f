"""Loggers as they were, whatever a test's service set up."""

import logging

import pytest


@pytest.fixture(autouse=True)
def loggers():
    ours = [logging.getLogger(name) for name in ("bundle", "runtime")]
    before = [(log.level, list(log.handlers), log.propagate) for log in ours]
    yield
    for log, (level, handlers, propagate) in zip(ours, before, strict=True):
        log.level, log.handlers, log.propagate = level, handlers, propagate
