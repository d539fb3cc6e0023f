"""The gate admits or refuses requests; each environ is one that a server gives."""

import hashlib
import ipaddress

import pytest

from runtime.access.gate import Access, Gate, client_of, gate_of
from runtime.config import Config, ConfigError
from runtime.errors import Forbidden, Unauthorized
from runtime.http.caller import WsgiCaller

# These are the digests of "secret" and of "abc", by sha256sum.
SECRET = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b"
ABC = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
HERE = {"REMOTE_ADDR": "127.0.0.1", "HTTP_HOST": "localhost:8083"}


def check(gate, access, environ):
    gate.check(access, WsgiCaller(environ))


def bearing(token):
    return {"REMOTE_ADDR": "192.0.2.1", "HTTP_AUTHORIZATION": f"Bearer {token}"}


@pytest.mark.parametrize(
    "environ",
    [
        HERE,
        {**HERE, "HTTP_HOST": "127.0.0.1:8083"},
        {**HERE, "HTTP_HOST": "[::1]:8083", "REMOTE_ADDR": "::1"},
        {**HERE, "REMOTE_ADDR": "::ffff:127.0.0.1"},
        {**HERE, "HTTP_HOST": "LOCALHOST"},
        {**HERE, "HTTP_ORIGIN": "http://localhost:8083"},
        {**HERE, "HTTP_SEC_FETCH_SITE": "same-origin"},
    ],
)
def test_without_tokens_this_machine_writes(environ):
    check(Gate(), Access.WRITE, environ)


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {**HERE, "REMOTE_ADDR": "192.0.2.1"},
        {**HERE, "REMOTE_ADDR": "::ffff:192.0.2.1"},
        {**HERE, "REMOTE_ADDR": "localhost"},
        # Anybody may point such a name to 127.0.0.1.
        {**HERE, "HTTP_HOST": "models.example"},
        {**HERE, "HTTP_HOST": "localhost.example"},
        {**HERE, "HTTP_HOST": ""},
        {**HERE, "HTTP_HOST": "localhost:8083,models.example"},
        {**HERE, "HTTP_HOST": "localhost:8083@models.example"},
        {**HERE, "HTTP_HOST": "[::1].models.example"},
        {**HERE, "HTTP_HOST": "[::1"},
        # A proxy on this machine sends these.
        {**HERE, "HTTP_X_FORWARDED_FOR": "127.0.0.1"},
        {**HERE, "HTTP_X_FORWARDED_SERVER": "localhost"},
        {**HERE, "HTTP_FORWARDED": "for=127.0.0.1"},
        {**HERE, "HTTP_X_REAL_IP": "127.0.0.1"},
        {**HERE, "HTTP_VIA": "1.1 proxy"},
        {**HERE, "HTTP_CF_CONNECTING_IP": ""},
        # A page that is open in a browser on this machine sends these.
        {**HERE, "HTTP_ORIGIN": "https://evil.example"},
        {**HERE, "HTTP_ORIGIN": "null"},
        {**HERE, "HTTP_ORIGIN": ""},
        {**HERE, "HTTP_ORIGIN": "localhost:8083"},
        {**HERE, "HTTP_ORIGIN": "chrome-extension://localhost:8083"},
        {**HERE, "HTTP_ORIGIN": "file://localhost:8083"},
        {**HERE, "HTTP_ORIGIN": "http://localhost:8083, http://localhost:8083"},
        {**HERE, "HTTP_ORIGIN": "http://localhost:9999"},
        {**HERE, "HTTP_SEC_FETCH_SITE": "cross-site"},
        # A token does not count in a service without tokens.
        bearing("secret"),
    ],
)
def test_without_tokens_nobody_else_writes(environ):
    with pytest.raises(Forbidden, match="'writeTokens'"):
        check(Gate(), Access.WRITE, environ)
    check(Gate(), Access.READ, environ)


# The manuals of these products name these headers: nginx, Apache, HAProxy, Envoy,
# Traefik, Varnish, IIS, WebLogic, Cloudflare, CloudFront, ALB, Azure, Google, Akamai,
# Fastly, Fly, Netlify, Vercel, DigitalOcean, Imperva, Sucuri, Tailscale and ngrok.
PROXIES_HEADERS = """
Forwarded Via X-Forwarded-For X-Forwarded-Host X-Forwarded-Proto X-Forwarded-Port
X-Forwarded-Server X-Forwarded-Prefix X-Forwarded-Client-Cert X-Forwarded X-Real-IP
X-Client-IP X-Original-URI X-Original-URL X-Original-Forwarded-For X-Original-Host
X-Rewrite-URL X-Scheme X-SSL-Client-Cert X-Envoy-External-Address
X-Envoy-Original-Path X-Varnish Surrogate-Capability Front-End-Https X-ARR-SSL
WL-Proxy-Client-IP Proxy-Client-IP CF-Connecting-IP CF-Connecting-IPv6 CF-Ray
CF-Visitor CDN-Loop True-Client-IP X-Amz-Cf-Id X-Amzn-Trace-Id CloudFront-Viewer-Address
X-Azure-ClientIP X-Azure-SocketIP X-Azure-FDID X-Cloud-Trace-Context
X-AppEngine-Remote-Addr X-AppEngine-User-IP Akamai-Origin-Hop X-Akamai-Edgescape
Fastly-Client-IP Fastly-FF Fly-Client-IP Fly-Forwarded-Port X-Nf-Client-Connection-Ip
X-Vercel-Forwarded-For DO-Connecting-IP Incap-Client-IP X-Sucuri-ClientIP
Tailscale-User-Login X-Cluster-Client-IP X-ProxyUser-Ip X-Remote-IP X-Remote-Addr
X-Originating-IP X-Host X-HTTP-Host-Override Client-IP Remote-Addr X-Source-IP
X-Peer-IP Ali-CDN-Real-IP Cdn-Src-Ip X-Edge-Location Max-Forwards
"""


@pytest.mark.parametrize("header", PROXIES_HEADERS.split())
def test_a_proxy_that_says_anything_of_itself_is_not_this_machines_user(header):
    key = "HTTP_" + header.upper().replace("-", "_")
    with pytest.raises(Forbidden):
        check(Gate(), Access.WRITE, {**HERE, key: "x"})


def test_a_header_that_speaks_of_an_address_is_a_proxys():
    """No product is known to name its client so."""
    with pytest.raises(Forbidden):
        check(Gate(), Access.WRITE, {**HERE, "HTTP_X_CUSTOMER_IP": "x"})


def test_what_clients_themselves_send_is_no_proxys_word():
    """The clients are curl, browsers, requests, and libraries of tracing."""
    headers = """
    Accept Accept-Charset Accept-Encoding Accept-Language Authorization Cache-Control
    Connection Cookie DNT Expect If-Match If-Modified-Since If-None-Match If-Range
    Keep-Alive Pragma Priority Range Referer Save-Data Sec-CH-UA Sec-CH-UA-Mobile
    Sec-CH-UA-Platform Sec-Fetch-Dest Sec-Fetch-Mode Sec-Fetch-User Sec-GPC TE Trailer
    Transfer-Encoding Upgrade Upgrade-Insecure-Requests User-Agent Content-Encoding
    X-Request-Id X-Timeout-Ms X-Requested-With Traceparent Tracestate Baggage B3
    X-B3-TraceId Idempotency-Key
    """
    keys = headers.upper().replace("-", "_").split()
    sent = {f"HTTP_{key}": "x" for key in keys}
    check(Gate(), Access.WRITE, {**sent, **HERE})


@pytest.mark.parametrize("peer", ["127.0.0.1", "::ffff:127.0.0.1"])
def test_a_trusted_proxy_on_this_machine_is_not_its_user(peer):
    """nginx's bare proxy_pass names no client, and its Host is this machine."""
    gate = Gate(trusted=[ipaddress.ip_network("127.0.0.1")])
    with pytest.raises(Forbidden):
        check(gate, Access.WRITE, {**HERE, "REMOTE_ADDR": peer})
    check(gate, Access.WRITE, {**HERE, "REMOTE_ADDR": "127.0.0.2"})


def test_with_tokens_it_is_the_token_that_counts():
    gate = Gate(write=[ABC, SECRET])
    check(gate, Access.WRITE, bearing("secret"))
    check(gate, Access.WRITE, {"HTTP_AUTHORIZATION": "bearer  abc "})
    for environ in (
        HERE,
        {},
        bearing("Secret"),
        bearing(""),
        bearing(SECRET),
        bearing("sécret"),
        {"HTTP_AUTHORIZATION": "Basic secret"},
        {"HTTP_AUTHORIZATION": "secret"},
        {"QUERY_STRING": "token=secret"},
    ):
        with pytest.raises(Unauthorized):
            check(gate, Access.WRITE, environ)
    check(gate, Access.READ, {})


@pytest.mark.parametrize("place", range(64))
def test_a_digest_that_differs_in_one_digit_is_another(place):
    """Two tokens whose digests begin alike can be found in seconds."""
    other = "0" if SECRET[place] != "0" else "1"
    near = SECRET[:place] + other + SECRET[place + 1 :]
    gate = Gate(write=[near], predict=[near])
    for access in (Access.READ, Access.WRITE):
        with pytest.raises(Unauthorized, match="does not admit"):
            check(gate, access, bearing("secret"))


def test_a_digest_is_no_longer_and_no_shorter():
    for near in ("", SECRET[:-1], SECRET[1:], SECRET + "0", SECRET * 2):
        with pytest.raises(Unauthorized):
            check(Gate(write=[near]), Access.WRITE, bearing("secret"))


def test_tokens_that_predict_do_not_write():
    gate = Gate(write=[ABC], predict=[SECRET])
    check(gate, Access.READ, bearing("secret"))
    check(gate, Access.READ, bearing("abc"))
    check(gate, Access.WRITE, bearing("abc"))
    with pytest.raises(Unauthorized, match="does not admit"):
        check(gate, Access.WRITE, bearing("secret"))
    with pytest.raises(Unauthorized, match="Authorization: Bearer"):
        check(gate, Access.READ, HERE)
    check(gate, Access.OPEN, {})


def test_tokens_that_predict_alone_leave_writes_to_this_machine():
    gate = Gate(predict=[SECRET])
    check(gate, Access.WRITE, HERE)
    with pytest.raises(Forbidden):
        check(gate, Access.WRITE, bearing("secret"))


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        ("192.0.2.1", "198.51.100.7", "192.0.2.1"),  # this peer is no proxy of ours
        ("10.0.0.1", "198.51.100.7", "198.51.100.7"),
        ("10.0.0.1", "1.1.1.1, 198.51.100.7", "198.51.100.7"),  # the first is false
        ("10.0.0.1", "198.51.100.7, 10.0.0.2", "198.51.100.7"),
        ("10.0.0.1", "10.0.0.3,10.0.0.2", "10.0.0.3"),
        ("10.0.0.1", "", "10.0.0.1"),
        # Some proxies add the port, which changes with each connection.
        ("10.0.0.1", "198.51.100.7:4711", "198.51.100.7"),
        ("10.0.0.1", "[2001:db8::7]:4711, 10.0.0.2:80", "2001:db8::7"),
        ("10.0.0.1", "198.51.100.7, unknown", "10.0.0.1"),
        ("10.0.0.1", "198.51.100.7, ", "10.0.0.1"),
        ("::1", "2001:db8::7", "2001:db8::7"),
    ],
)
def test_a_clients_address_is_what_trusted_proxies_say(peer, forwarded, address):
    gate = Gate(trusted=[*map(ipaddress.ip_network, ("10.0.0.0/8", "::1"))])
    environ = {"REMOTE_ADDR": peer, "HTTP_X_FORWARDED_FOR": forwarded}
    assert gate.address_of(WsgiCaller(environ)) == address
    assert Gate().address_of(WsgiCaller(environ)) == peer


def test_a_gate_is_what_config_says(tmp_path):
    file = tmp_path / "tokens"
    file.write_text(SECRET)
    gate = gate_of(
        Config(
            write_tokens=(ABC,),
            predict_tokens_file=str(file),
            trusted_proxies=("10.0.0.0/8",),
        )
    )
    check(gate, Access.WRITE, bearing("abc"))
    check(gate, Access.READ, bearing("secret"))
    with pytest.raises(Unauthorized):
        check(gate, Access.WRITE, bearing("secret"))
    with pytest.raises(Unauthorized):
        check(gate, Access.READ, bearing("another"))
    asked = {"REMOTE_ADDR": "10.0.0.1", "HTTP_X_FORWARDED_FOR": "198.51.100.7"}
    assert gate.address_of(WsgiCaller(asked)) == "198.51.100.7"
    file.write_text(ABC)
    gate = gate_of(Config(write_tokens_file=str(file), predict_tokens=(SECRET,)))
    check(gate, Access.WRITE, bearing("abc"))
    check(gate, Access.READ, bearing("secret"))
    with pytest.raises(Unauthorized):
        check(gate, Access.WRITE, bearing("secret"))


@pytest.mark.parametrize(
    ("key", "config"),
    [
        ("writeTokensFile", {"write_tokens_file": "/nosuch/file"}),
        ("predictTokensFile", {"predict_tokens_file": "/nosuch/file"}),
    ],
)
def test_a_file_that_cannot_be_read_is_named_by_its_key(key, config):
    with pytest.raises(ConfigError, match=f"^'{key}': /nosuch/file cannot be read"):
        gate_of(Config(**config))


def test_a_token_in_characters_that_no_header_has_is_refused():
    with pytest.raises(Unauthorized, match="does not admit"):
        check(Gate(write=[SECRET]), Access.WRITE, bearing("\u20ac"))


def test_a_gate_says_what_it_asks_for():
    assert not Gate().asks_for_reads
    assert not Gate(write=[ABC]).asks_for_reads
    assert Gate(predict=[SECRET]).asks_for_reads is True
    assert Gate(write=[ABC]).sentence == "uploads and other writes need a token"
    alone = Gate(predict=[SECRET]).sentence
    assert alone.startswith("uploads and other writes are taken from this machine")
    assert alone.endswith("alone, because no 'writeTokens' are set")


def test_a_gate_says_whether_it_believes_a_proxy():
    assert Gate().trusts_proxies is False
    assert Gate(trusted=[ipaddress.ip_network("192.0.2.0/24")]).trusts_proxies is True


@pytest.mark.parametrize(
    ("address", "client"),
    [
        ("192.0.2.1", "192.0.2.1"),
        # RFC 4291 says that the first 64 bits are the network's.
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::", "2001:db8:1:2::/64"),
        ("::1", "::/64"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("unix:", "unix:"),
        ("", ""),
    ],
)
def test_a_client_of_ipv6_is_its_network(address, client):
    assert client_of(address) == client


@pytest.mark.parametrize(
    ("host", "is_here"),
    [
        ("models.localhost", True),
        ("models.LocalHost:80", True),
        ("localhost:", True),
        ("127.1.2.3", True),
        ("[::1]", True),
        ("xlocalhost", False),
        ("192.0.2.1", False),
        ("[2001:db8::1]:80", False),
        ("localhost:80:80", False),
        ("localhost:http", False),
    ],
)
def test_this_machine_has_the_names_of_rfc_6761(host, is_here):
    if is_here:
        check(Gate(), Access.WRITE, {**HERE, "HTTP_HOST": host})
        return
    with pytest.raises(Forbidden):
        check(Gate(), Access.WRITE, {**HERE, "HTTP_HOST": host})


def test_a_page_of_this_machine_may_come_by_tls():
    check(Gate(), Access.WRITE, {**HERE, "HTTP_ORIGIN": "https://localhost:8083"})


def test_a_token_is_whole_bytes_of_utf8():
    """WSGI gives each byte as a character of latin-1."""
    digest = hashlib.sha256("geheim-ä".encode()).hexdigest()
    sent = "geheim-ä".encode().decode("latin-1")
    check(Gate(write=[digest]), Access.WRITE, bearing(sent))


def test_the_token_may_stand_in_another_header():
    """A proxy in front may keep a bearer token of its own in Authorization."""
    gate = Gate(write=(SECRET,), header="X-TFaaS-Token")
    for token in ("secret", "Bearer secret", "bearer  secret "):
        own = {**bearing("of the proxy"), "HTTP_X_TFAAS_TOKEN": token}
        check(gate, Access.WRITE, own)
    for token in ("", "Bearer", "wrong", "Basic secret", "secret x", "Bearer wrong"):
        own = {**bearing("secret"), "HTTP_X_TFAAS_TOKEN": token}
        with pytest.raises(Unauthorized):
            check(gate, Access.WRITE, own)
    with pytest.raises(Unauthorized, match="send X-TFaaS-Token: Bearer TOKEN"):
        check(gate, Access.WRITE, bearing("secret"))


def test_a_token_in_authorization_needs_its_scheme():
    with pytest.raises(Unauthorized, match="send Authorization: Bearer TOKEN"):
        check(
            Gate(write=(SECRET,)),
            Access.WRITE,
            {"REMOTE_ADDR": "192.0.2.1", "HTTP_AUTHORIZATION": "secret"},
        )


@pytest.mark.parametrize("header", ["Authorization", "authorization"])
def test_another_schemes_words_in_authorization_are_no_token(header):
    gate = Gate(write=(SECRET,), header=header)
    with pytest.raises(Unauthorized):
        check(gate, Access.WRITE, {"HTTP_AUTHORIZATION": "secret"})
