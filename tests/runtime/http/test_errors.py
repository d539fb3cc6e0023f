import pytest

import bundle.errors
import runtime.errors
from bundle.errors import DomainError, StoreError
from runtime.backends import InputRefused
from runtime.config import Config
from runtime.http.application import create_app
from runtime.http.errors import STATUS
from runtime.services import create_services
from tests.clients import LocalClient

# Another room's, and one that is raised itself beside its child.
OTHERS = {InputRefused, StoreError}


def leaves(*modules):
    errors = {
        thing
        for module in modules
        for thing in vars(module).values()
        if isinstance(thing, type) and issubclass(thing, DomainError)
    }
    return {
        error for error in errors if not any(e.__bases__[0] is error for e in errors)
    }


def test_every_error_has_a_status():
    assert leaves(bundle.errors, runtime.errors) | OTHERS == set(STATUS)


@pytest.mark.parametrize("base", ["", "/ml"])
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/v1/models/half"),
        ("GET", "/v1/models/half:predict"),
        ("POST", "/v1/models/half:explain"),
        ("DELETE", "/v1/models/half/metadata"),
        ("GET", "/v1/models/half/versions/one"),
        ("GET", "/v1/config"),
    ],
)
def test_tensorflow_serving_has_one_answer_to_what_it_does_not_know(
    tmp_path, base, method, path
):
    config = Config(model_dir=tmp_path, provider="cpu", base=base)
    client = LocalClient(create_app(create_services(config), config))
    reply = client.simulate_request(method, base + path)
    assert reply.status_code == 400
    assert reply.json == {"error": f"Malformed request: {method} {base}{path}"}
    assert client.simulate_request(method, f"{base}/v3/models").status_code == 404
