import signal
import socket

import pytest

from bundle.terminal import Failed, WrongInput
from runtime.ray import cluster
from runtime.ray.cluster import connected, require_ray


def test_without_the_extra_one_sentence_says_what_to_install(monkeypatch):
    monkeypatch.setattr(cluster, "PACKAGES", ("json", "no_such_package"))
    with pytest.raises(WrongInput, match=r"--ray needs Ray: .*tfaas-onnx\[cluster\]"):
        require_ray("--ray")


@pytest.mark.parametrize(
    "address",
    ["ray://head:10001", "head", "head:", ":6379", "head:99999", "http://head:6379"],
)
def test_what_is_no_address_is_refused_before_ray_is_asked(address):
    with (
        pytest.raises(WrongInput, match="give the HOST:PORT"),
        connected("--ray", address),
    ):
        pass


@pytest.mark.slow
def test_ray_leaves_the_signals_to_the_command(monkeypatch):
    def connect(*_):
        signal.signal(signal.SIGTERM, signal.SIG_DFL)  # as ray.init does

    monkeypatch.setattr(cluster, "_connect", connect)
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        with connected("--ray"):
            assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN
            connect()  # as ray.shutdown does
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGTERM, before)


@pytest.mark.slow
def test_an_address_where_nobody_listens_fails_at_once():
    # A port that is bound and does not listen refuses each connection.
    with socket.socket(socket.AF_INET6) as silent:
        try:
            silent.bind(("::1", 0))
        except OSError:
            pytest.skip("this machine has no IPv6")
        port = silent.getsockname()[1]
        with (
            pytest.raises(Failed, match=r"reached at \[::1\]:\d+: Connection refused"),
            connected("--ray", f"[::1]:{port}"),
        ):
            pass
