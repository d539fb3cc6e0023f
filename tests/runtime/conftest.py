"""The service runs over an empty store; each test restores the loggers."""

import functools
import logging

import pytest

from runtime import services as rooms
from runtime.config import Config
from runtime.http.application import create_app
from runtime.publishing.trial import try_here
from runtime.services import create_services
from runtime.telemetry import logs
from runtime.telemetry.logs import LOGGERS
from tests.clients import LocalClient


@pytest.fixture
def config(tmp_path):
    return Config(
        model_dir=tmp_path / "models",
        provider="cpu",
        max_body_bytes=100_000,
        max_upload_bytes=1_000_000,
    )


def trial_here(servers, options, *, trusted, **limits):
    """Make the trial of uploads in the calling process, in place of ``ChildTrial``."""
    return functools.partial(try_here, options=options, trusted=trusted)


@pytest.fixture(autouse=True)
def tried_here(request, monkeypatch):
    """Let unit tests try uploads in their own process.

    ``test_trial.py`` compares this with a trial in a process of its own. Slow tests,
    and tests with TensorFlow, try uploads as the service does.
    """
    if not any(map(request.node.get_closest_marker, ("slow", "tensorflow"))):
        monkeypatch.setattr(rooms, "ChildTrial", trial_here)


@pytest.fixture
def services(config):
    return create_services(config)


@pytest.fixture
def client(services, config):
    return LocalClient(create_app(services, config))


@pytest.fixture(autouse=True)
def loggers():
    names = (*LOGGERS, "runtime.requests", "runtime.monit", "waitress.queue")
    ours = [logging.getLogger(name) for name in names]
    before = [(log.level, list(log.handlers), log.propagate) for log in ours]
    request_log = logs.request_log
    yield
    logs.request_log = request_log
    for log, (level, handlers, propagate) in zip(ours, before, strict=True):
        for handler in set(log.handlers) - set(handlers):
            handler.close()
        log.handlers, log.propagate = handlers, propagate
        log.setLevel(level)
