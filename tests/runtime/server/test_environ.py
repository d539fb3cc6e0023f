import pytest

from runtime.server.environ import (
    _split_again,
    environ_of,
    environ_of_connection,
    path_and_query,
)

CONNECTION = environ_of_connection(
    ("127.0.0.1", 8083), ("192.0.2.1", 4711), is_tls=False
)


def environ(*headers, method="POST", target=b"/quick"):
    return environ_of(CONNECTION, method, target, "1.1", headers)


def test_a_request_as_pep_3333_has_it():
    found = environ(
        (b"Content-Type", b"text/x"),
        (b"X-A", b"1"),
        (b"x-a", b"\xe4"),
        method="PUT",
        target=b"/a%20b/%C3%A4?q=1",
    )
    assert found["REQUEST_METHOD"] == "PUT"
    # Each byte of the path's UTF-8 is one character.
    assert found["PATH_INFO"] == "/a b/\xc3\xa4"
    assert found["QUERY_STRING"] == "q=1"
    assert found["SERVER_PROTOCOL"] == "HTTP/1.1"
    assert (found["SERVER_NAME"], found["SERVER_PORT"]) == ("127.0.0.1", "8083")
    assert (found["REMOTE_ADDR"], found["REMOTE_PORT"]) == ("192.0.2.1", "4711")
    assert found["wsgi.url_scheme"] == "http"
    assert found["CONTENT_TYPE"] == "text/x"
    assert "HTTP_CONTENT_TYPE" not in found
    assert found["HTTP_X_A"] == "1,\xe4"


def test_a_connection_of_either_family():
    found = environ_of_connection(
        ("::1", 8083, 0, 0), ("2001:db8::1", 80, 0, 0), is_tls=True
    )
    assert (found["REMOTE_ADDR"], found["wsgi.url_scheme"]) == ("2001:db8::1", "https")
    found = environ_of_connection(
        ("::", 8083, 0, 0), ("::ffff:192.0.2.1", 80, 0, 0), is_tls=False
    )
    assert found["REMOTE_ADDR"] == "192.0.2.1"
    assert environ_of_connection("", None, is_tls=False)["REMOTE_ADDR"] == ""


def test_a_header_cannot_pass_for_the_servers_own_word():
    found = environ((b"tfaas.refused", b"x"), (b"remote-addr", b"127.0.0.1"))
    assert found["REMOTE_ADDR"] == "192.0.2.1"
    assert "tfaas.refused" not in found


def test_a_header_with_underscores_cannot_pass_for_one_with_dashes():
    """nginx and waitress drop it too: a proxy replaces only the one with dashes."""
    found = environ(
        (b"x-forwarded-for", b"198.51.100.7"),
        (b"x_forwarded_for", b"203.0.113.1"),
        (b"content_length", b"many"),
        (b"transfer_encoding", b"chunked"),
    )
    assert found["HTTP_X_FORWARDED_FOR"] == "198.51.100.7"
    assert "CONTENT_LENGTH" not in found
    assert "HTTP_TRANSFER_ENCODING" not in found


def test_any_number_of_names_is_read():
    names = [b"X-%d" % number for number in range(3000)]
    found = [environ((name, b"1")) for name in names]
    assert all(f"HTTP_X_{n}" in one for n, one in enumerate(found))


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        (b"/a?b?c#d", ("/a", "b?c")),
        (b"//a//b", ("//a//b", "")),
        (b"http://h", ("/", "")),
        (b"http://h:1/a?b", ("/a", "b")),
        (b"*", ("*", "")),
        (b"h:80", ("h:80", "")),
        (b"/%2e%2e/%00", ("/../\x00", "")),
        (b"/%zz%", ("/%zz%", "")),
    ],
)
def test_the_target_of_a_request(target, expected):
    assert path_and_query(target) == expected


@pytest.mark.parametrize("target", [b"/" + b"a" * 100, b"/quick?secret=1"])
def test_long_targets_and_queries_are_not_kept(target):
    before = _split_again.cache_info().currsize
    assert path_and_query(target) == path_and_query(target)
    assert _split_again.cache_info().currsize == before
