"""A prediction's own time is mostly that of its Python calls, 0.1 us or more for each.

The ceilings are today's numbers. Lower them when a request takes fewer calls.
"""

import os

import pytest
from falcon.testing import create_environ

from runtime.config import Config
from runtime.http.application import create_app
from runtime.services import create_services
from runtime.telemetry import logs
from runtime.telemetry.logs import set_up_logs
from tests.calls import calls_of, listed
from tests.clients import HERE
from tests.examples import write_bundle
from tests.forms import form, png

BODY, HEADERS = form(image=png([[1, 2], [3, 4]]), model="linear")

# The calls of this repository's functions, and those of all functions.
OWN = 64
ALL = 74


@pytest.fixture
def ask(tmp_path):
    """Return a function that asks for a prediction, and returns the calls it took."""
    prefix = str(tmp_path / "log")
    config = Config(
        model_dir=tmp_path / "models",
        provider="cpu",
        log_file=prefix,
        batching="off",  # on a busy machine the measurement may decide otherwise
    )
    set_up_logs(config)
    write_bundle(tmp_path / "models" / "linear" / "1")
    # The store is asked again and again while a model's folder has just changed.
    os.utime(tmp_path / "models" / "linear", (1e9, 1e9))
    app = create_app(create_services(config), config)

    def ask():
        environ = create_environ(
            "/predict/image", method="POST", body=BODY, headers=HEADERS, **HERE
        )
        heads = []
        calls = calls_of(lambda: app(environ, lambda *head: heads.append(head)))
        assert heads[0][0] == "200 OK"
        return calls

    return ask


def test_a_prediction_takes_few_calls_and_has_its_line_in_the_log(ask, tmp_path):
    # The first requests load the model and fill caches. Work that is done once in a
    # while may fall to one of the others.
    calls = min((ask() for _ in range(8)), key=len)
    own = [call for call in calls if call.startswith(("runtime/", "bundle/"))]
    assert len(own) <= OWN, listed(own)
    assert len(calls) <= ALL, listed(calls)
    logs.request_log.flush()
    (path,) = tmp_path.glob("log-*")
    assert path.read_text().count(" runtime.requests: ") == 8
