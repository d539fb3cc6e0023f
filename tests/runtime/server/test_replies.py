import pytest

from runtime.server.replies import Date, UnsafeHeader, chunk_of, head_of

DATE = "date: Sat, 28 Nov 2026 21:43:45 GMT\r\n"


def test_a_head_has_the_date_the_headers_and_the_length():
    head = head_of(200, [("X-A", "\xe4")], DATE, "", 3)
    assert head == (
        b"HTTP/1.1 200 OK\r\n"
        b"date: Sat, 28 Nov 2026 21:43:45 GMT\r\n"
        b"X-A: \xe4\r\n"
        b"content-length: 3\r\n\r\n"
    )


@pytest.mark.parametrize(
    ("status", "headers", "length"),
    [(200, [("Content-Length", "7")], 3), (204, [], 0), (304, [], 0), (200, [], None)],
)
def test_a_length_that_is_told_or_that_cannot_be_is_not_added(status, headers, length):
    head = head_of(status, headers, DATE, "close", length)
    assert b"content-length: 3" not in head
    assert head.lower().count(b"content-length") == len(headers)
    assert b"connection: close\r\n" in head


def test_a_status_without_a_name():
    assert head_of(599, [], DATE, "", 0).startswith(b"HTTP/1.1 599 \r\n")


@pytest.mark.parametrize("value", ["a\nb", "a\rb", "a\r\nX: b"])
def test_a_line_break_in_a_header_is_refused(value):
    with pytest.raises(UnsafeHeader):
        head_of(200, [("X-A", value)], DATE, "", 0)


def test_a_chunk_and_the_last_one():
    assert chunk_of(b"a" * 26) == b"1a\r\n" + b"a" * 26 + b"\r\n"
    assert chunk_of(b"") == b"0\r\n\r\n"


def test_the_date_is_that_of_rfc_9110():
    day, _, rest = Date().line.removeprefix("date: ").partition(", ")
    assert day in ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
    assert rest.endswith(" GMT\r\n")
