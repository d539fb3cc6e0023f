from types import SimpleNamespace

import pytest

from runtime.access.gate import Access, Gate
from runtime.errors import Forbidden
from runtime.grpc.caller import GrpcCaller, address_of


def caller(peer="ipv4:127.0.0.1:4711", metadata=()):
    context = SimpleNamespace(
        peer=lambda: peer, invocation_metadata=lambda: tuple(metadata)
    )
    return GrpcCaller(context)


@pytest.mark.parametrize(
    ("peer", "address"),
    [
        ("ipv4:10.1.2.3:4711", "10.1.2.3"),
        ("ipv6:%5B::1%5D:4711", "::1"),
        ("ipv6:[2001:db8::7]:4711", "2001:db8::7"),
        ("unix:/run/socket", ""),
        ("unix:", ""),
    ],
)
def test_addresses(peer, address):
    assert address_of(peer) == address


def test_metadata_are_headers():
    found = caller(metadata=[("authorization", "Bearer x"), ("x-bin", b"\xff")])
    assert found.header("AUTHORIZATION") == "Bearer x"
    assert found.header("X_BIN") == ""
    assert found.origin is None
    assert found.fetch_site == "none"
    assert list(found.header_names) == ["AUTHORIZATION"]


def test_a_program_on_this_machine_may_write_without_a_token():
    Gate().check(Access.WRITE, caller())


@pytest.mark.parametrize(
    "given",
    [
        {"peer": "ipv4:10.1.2.3:4711"},
        {"peer": "unix:/run/socket"},
        {"metadata": [("x-forwarded-for", "127.0.0.1")]},
        {"metadata": [("via", "1.1 proxy")]},
        {"metadata": [("origin", "https://evil.example")]},
        {"metadata": [("sec-fetch-site", "cross-site")]},
    ],
)
def test_others_may_not(given):
    with pytest.raises(Forbidden, match="writeTokens"):
        Gate().check(Access.WRITE, caller(**given))
