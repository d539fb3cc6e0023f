"""Connections get the pair that holds when they begin."""

import ssl
import subprocess

import pytest

from runtime.access.pair import Pair
from runtime.server.certificate import Certificate, context_of


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    """Make two pairs of a key and a certificate."""
    folder = tmp_path_factory.mktemp("pairs")
    for name in ("one", "two"):
        subprocess.run(
            [
                *("openssl", "req", "-x509", "-newkey", "ec", "-nodes", "-days", "2"),
                *("-pkeyopt", "ec_paramgen_curve:prime256v1", "-subj", f"/CN={name}"),
                *("-keyout", f"{name}.key", "-out", f"{name}.crt"),
            ],
            cwd=folder,
            check=True,
            capture_output=True,
        )
    return {
        name: Pair(
            (folder / f"{name}.key").read_bytes(), (folder / f"{name}.crt").read_bytes()
        )
        for name in ("one", "two")
    }


class Connection:
    """Both ends of a connection in memory."""

    def __init__(self, context, version):
        trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        trusting.check_hostname = False
        trusting.verify_mode = ssl.CERT_NONE
        trusting.maximum_version = version
        trusting.set_alpn_protocols(["http/1.1"])
        there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.server = context.wrap_bio(there, back, server_side=True)
        self.client = trusting.wrap_bio(back, there)

    def shake_hands(self):
        ends = [self.client, self.server]
        while ends:
            for end in [*ends]:
                try:
                    end.do_handshake()
                except ssl.SSLWantReadError:
                    continue
                ends.remove(end)
        return self

    def shown(self):
        return self.client.getpeercert(binary_form=True)


def der(pair):
    return ssl.PEM_cert_to_DER_cert(pair.certificate.decode("ascii"))


@pytest.mark.slow
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_new_pair_is_for_new_connections(pairs, version):
    certificate = Certificate(pairs["one"])
    old = Connection(certificate.context, version).shake_hands()
    begun = Connection(certificate.context, version)
    certificate.take(context_of(pairs["two"]))
    new = begun.shake_hands()
    assert (old.shown(), new.shown()) == (der(pairs["one"]), der(pairs["two"]))
    assert new.client.selected_alpn_protocol() == "http/1.1"
    for connection in (old, new):
        connection.client.write(b"hello")
        assert connection.server.read(5) == b"hello"


@pytest.mark.slow
def test_a_pair_that_does_not_fit_is_an_error(pairs):
    with pytest.raises(ssl.SSLError):
        context_of(Pair(pairs["one"].key, pairs["two"].certificate))
