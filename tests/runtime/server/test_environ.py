from runtime.server.environ import environ_of
from tests.runtime.server.fakes import FakeHeaders, FakeScope


def test_a_request_as_pep_3333_has_it():
    scope = FakeScope(
        "PUT",
        "/a b/\u00e4",
        "q=1",
        client="[2001:db8::1]:80",
        headers=FakeHeaders([("content-type", "text/x"), ("x-a", "1"), ("x-a", "2")]),
    )
    environ = environ_of(scope)
    assert environ["REQUEST_METHOD"] == "PUT"
    # Each byte of the path's UTF-8 is one character.
    assert environ["PATH_INFO"] == "/a b/\xc3\xa4"
    assert environ["QUERY_STRING"] == "q=1"
    assert environ["SERVER_PROTOCOL"] == "HTTP/1.1"
    assert (environ["SERVER_NAME"], environ["SERVER_PORT"]) == ("127.0.0.1", "8083")
    assert environ["REMOTE_ADDR"] == "2001:db8::1"
    assert environ["CONTENT_TYPE"] == "text/x"
    assert "HTTP_CONTENT_TYPE" not in environ
    assert environ["HTTP_X_A"] == "1,2"


def test_a_header_cannot_pass_for_the_servers_own_word():
    headers = FakeHeaders([("tfaas.refused", "x"), ("remote-addr", "127.0.0.1")])
    environ = environ_of(FakeScope(headers=headers))
    assert environ["REMOTE_ADDR"] == "192.0.2.1"
    assert "tfaas.refused" not in environ


def test_a_header_with_underscores_cannot_pass_for_one_with_dashes():
    """nginx and waitress drop it too: a proxy replaces only the one with dashes."""
    headers = FakeHeaders(
        [
            ("x-forwarded-for", "198.51.100.7"),
            ("x_forwarded_for", "203.0.113.1"),
            ("content_length", "many"),
            ("transfer_encoding", "chunked"),
        ]
    )
    environ = environ_of(FakeScope(headers=headers))
    assert environ["HTTP_X_FORWARDED_FOR"] == "198.51.100.7"
    assert "CONTENT_LENGTH" not in environ
    assert "HTTP_TRANSFER_ENCODING" not in environ
