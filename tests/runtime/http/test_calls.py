"""A prediction's own time is mostly that of its Python calls, 0.1 us or more for each.

The ceilings are today's numbers. Lower them when a request takes fewer calls.
"""

import os
from typing import NamedTuple

import numpy as np
import orjson
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


class Asked(NamedTuple):
    """A request, and the calls that it may take.

    Attributes:
        own: the calls of this repository's functions.
        all: the calls of all functions.
    """

    path: str
    body: bytes
    headers: dict[str, str]
    own: int
    all: int


PIXELS = np.array([1, 2, 3, 4], "<f4").tobytes()
HEAD = orjson.dumps(
    {
        "inputs": [
            {
                "name": "pixels",
                "datatype": "FP32",
                "shape": [1, 2, 2, 1],
                "parameters": {"binary_data_size": len(PIXELS)},
            }
        ],
        "parameters": {"binary_data_output": True},
    }
)
IMAGE = form(image=png([[1, 2], [3, 4]]), model="linear")
INFER = "/v2/models/linear/infer"
LENGTH = "Inference-Header-Content-Length"
REQUESTS = {
    "image": Asked("/predict/image", *IMAGE, own=64, all=74),
    "binary": Asked(INFER, HEAD + PIXELS, {LENGTH: str(len(HEAD))}, own=67, all=80),
    "raw": Asked(INFER, PIXELS, {LENGTH: "0"}, own=72, all=85),
}


@pytest.fixture
def ask(tmp_path):
    """Return a function that sends a request, and returns the calls it took."""
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

    def ask(asked):
        environ = create_environ(
            asked.path, method="POST", body=asked.body, headers=asked.headers, **HERE
        )
        heads = []
        calls = calls_of(lambda: app(environ, lambda *head: heads.append(head)))
        assert heads[0][0] == "200 OK"
        return calls

    return ask


@pytest.mark.parametrize("kind", REQUESTS)
def test_a_prediction_takes_few_calls_and_has_its_line_in_the_log(ask, tmp_path, kind):
    asked = REQUESTS[kind]
    # The first requests load the model and fill caches. Work that is done once in a
    # while may fall to one of the others.
    calls = min((ask(asked) for _ in range(8)), key=len)
    own = [call for call in calls if call.startswith(("runtime/", "bundle/"))]
    assert len(own) <= asked.own, listed(own)
    assert len(calls) <= asked.all, listed(calls)
    logs.request_log.flush()
    (path,) = tmp_path.glob("log-*")
    assert path.read_text().count(" runtime.requests: ") == 8
