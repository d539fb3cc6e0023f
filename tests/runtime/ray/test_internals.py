"""Ray's private parts are as they were; no cluster is needed to see it.

If a test fails after an update, see runtime/ray/internals.py, and then the dependency's
range in pyproject.toml. Ray is imported by the tests, and not with this file, because
that takes seconds.
"""

import inspect

import pytest

from runtime.ray.internals import quiet_driver, serve_address

pytestmark = pytest.mark.slow  # Ray opens a socket when it is imported

# A thread of the driver prints what is lost in this form.
LOST = {"lines": ["A worker died"], "pid": "raylet", "is_err": False}


@pytest.fixture
def worker():
    from ray._private import worker

    return worker


@pytest.fixture
def context():
    from ray.serve import context

    return context


def test_serves_client_has_the_parts_that_are_relied_on(context):
    from ray.serve.config import HTTPOptions

    (only,) = inspect.signature(context._get_global_client).parameters.values()
    assert only.default is True  # it raises if Ray Serve does not run
    client = context.ServeControllerClient
    assert isinstance(inspect.getattr_static(client, "http_config"), property)
    assert {"host", "port"} <= set(HTTPOptions.model_fields)


def test_the_address_is_that_of_the_client(context, monkeypatch):
    from ray.serve.config import HTTPOptions

    class Client:
        http_config = HTTPOptions(host="10.0.0.1", port=8765)

    monkeypatch.setattr(context, "_get_global_client", Client)
    assert serve_address() == ("10.0.0.1", 8765)


def test_the_driver_prints_what_is_lost_on_its_own(worker, capsys):
    """If this fails, Ray has another way to tell, and perhaps a public switch."""
    source = inspect.getsource(worker.listen_error_messages)
    assert "print_to_stdstream(" in source
    assert '"pid": "raylet"' in source
    worker.print_to_stdstream(LOST, ignore_prefix=False)
    assert "A worker died" in capsys.readouterr().out


def test_a_quiet_driver_prints_nothing(worker, capsys):
    with quiet_driver():
        worker.print_to_stdstream(LOST, ignore_prefix=False)
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("before", [True, False])
def test_after_the_block_the_driver_prints_as_before(worker, monkeypatch, before):
    monkeypatch.setattr(worker, "_worker_logs_enabled", before)
    with pytest.raises(KeyError), quiet_driver():
        raise KeyError
    assert worker._worker_logs_enabled is before
