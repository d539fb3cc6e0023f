"""Usual forms are read without the parser, which still has the last word on all others.

The parser reads each form that comes as a stream, so ``stream_parts`` tells what a form
means.
"""

import io
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bundle.errors import DomainError
from runtime.http.forms import MAX_PARTS, parts_of, stream_parts
from runtime.http.plain_form import plain_parts

KIND = "multipart/form-data; boundary=B"


def form_of(*heads, boundary=b"B", content=b"x"):
    body = b"".join(
        b"--" + boundary + b"\r\n" + head + b"\r\n\r\n" + content + b"\r\n"
        for head in heads
    )
    return body + b"--" + boundary + b"--\r\n"


def named(name, *rest):
    head = b'Content-Disposition: form-data; name="' + name + b'"'
    return b"".join((head, *rest))


# --- forms of usual clients

CURL = (  # curl 7.88.1
    "multipart/form-data; boundary=------------------------bb6492b46c1e86c5",
    b"--------------------------bb6492b46c1e86c5\r\n"
    b'Content-Disposition: form-data; name="image"; filename="a b.png"\r\n'
    b"Content-Type: image/png\r\n\r\nPNG\r\n"
    b"--------------------------bb6492b46c1e86c5\r\n"
    b'Content-Disposition: form-data; name="model"\r\n\r\nmnist\r\n'
    b"--------------------------bb6492b46c1e86c5--\r\n",
)
REQUESTS = (  # requests 2.34.2
    "multipart/form-data; boundary=c28a87bd1a522122b7b6dbb82fa9ec2c",
    b"--c28a87bd1a522122b7b6dbb82fa9ec2c\r\n"
    b'Content-Disposition: form-data; name="model"\r\n\r\nmnist\r\n'
    b"--c28a87bd1a522122b7b6dbb82fa9ec2c\r\n"
    b'Content-Disposition: form-data; name="image"; filename="a b.png"\r\n\r\nPNG\r\n'
    b"--c28a87bd1a522122b7b6dbb82fa9ec2c--\r\n",
)
BROWSER = (
    "multipart/form-data; boundary=----WebKitFormBoundaryAbC123dEf456GhIj",
    b"------WebKitFormBoundaryAbC123dEf456GhIj\r\n"
    b'Content-Disposition: form-data; name="image"; filename="a b.png"\r\n'
    b"Content-Type: image/png\r\n\r\nPNG\r\n"
    b"------WebKitFormBoundaryAbC123dEf456GhIj\r\n"
    b'Content-Disposition: form-data; name="model"\r\n\r\nmnist\r\n'
    b"------WebKitFormBoundaryAbC123dEf456GhIj--\r\n",
)
TYPE_FIRST = (
    "multipart/form-data; boundary=0f1d8a5d8cbb4f0a9d0a6b6ac5f4b7a1",
    b"--0f1d8a5d8cbb4f0a9d0a6b6ac5f4b7a1\r\n"
    b"Content-Type: image/png\r\n"
    b'Content-Disposition: form-data; name="image"; filename="a b.png"\r\n\r\nPNG\r\n'
    b"--0f1d8a5d8cbb4f0a9d0a6b6ac5f4b7a1\r\n"
    b"Content-Type: text/plain; charset=utf-8\r\n"
    b'Content-Disposition: form-data; name="model"\r\n\r\nmnist\r\n'
    b"--0f1d8a5d8cbb4f0a9d0a6b6ac5f4b7a1--\r\n",
)


@pytest.mark.parametrize(("kind", "body"), [CURL, REQUESTS, BROWSER, TYPE_FIRST])
def test_forms_of_the_usual_clients_need_no_parser(kind, body):
    assert plain_parts(body, kind, MAX_PARTS) == {
        "image": [("a b.png", b"PNG")],
        "model": [("", b"mnist")],
    }


@pytest.mark.parametrize(("kind", "body"), [CURL, REQUESTS, BROWSER, TYPE_FIRST])
def test_a_usual_form_takes_two_calls_of_python(kind, body):
    """The parser takes some fifty; time would say the same, but not each time."""
    calls = []

    def note(frame, event, _):
        if event == "call":
            calls.append(frame.f_code.co_name)

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        parts_of(body, kind)
    finally:
        sys.setprofile(before)
    assert calls == ["parts_of", "plain_parts"]


@pytest.mark.parametrize(
    "content",
    [b"", b"\r\n", b"--B", b"\r\n--", b"\r\n--A", b"\n--B--", b"\r\r\n\r\n", b"\r\n-B"],
)
def test_a_content_may_hold_nearly_a_boundary(content):
    body = form_of(named(b"a"), named(b"b"), content=content)
    expected = {"a": [("", content)], "b": [("", content)]}
    assert plain_parts(body, KIND, MAX_PARTS) == expected


def test_parts_of_one_name_are_kept_in_their_order():
    body = form_of(*[named(b"a", b'; filename="%d"' % n) for n in (2, 1, 3)])
    names = [part.filename for part in plain_parts(body, KIND, MAX_PARTS)["a"]]
    assert names == ["2", "1", "3"]


@pytest.mark.parametrize(
    "head",
    [
        named(b""),
        named(b"%22"),
        named(b"a\\b"),
        named(b"\xc3\xa4"),
        named(b"a; filename*=UTF-8''b"),
        named(b"a", b'; filename="%0A"'),
        named(b"a", b'; filename="C:\\b"'),
        named(b"a", b'; filename="\\"b\\""'),
        named(b"a", b'; filename="\xff"'),
        named(b"a", b"; filename*=UTF-8''b"),
        named(b"a", b"\r\nContent-Type: a; filename*=UTF-8''b"),
        named(b"a", b"\r\nContent-Type: text/plain\r\n folded"),
        named(b"a", b"\r\nContent-Length: 1"),
        named(b"a", b"\nContent-Type: text/plain"),
        b"Content-Disposition: form-data; name=a",
        b"content-disposition: form-data; name=a",
        b'Content-Disposition: attachment; name="a"',
        b"Content-Type: text/plain",
        b"",
    ],
)
def test_an_unusual_head_is_left_to_the_parser(head):
    assert plain_parts(form_of(named(b"a"), head), KIND, MAX_PARTS) is None


@pytest.mark.parametrize(
    "kind",
    [
        None,
        "",
        "multipart/form-data",
        'multipart/form-data; boundary="B"',
        "multipart/form-data; charset=utf-8; boundary=B",
        "multipart/form-data; boundary=B; boundary=C",
        "multipart/form-data; boundary=B/C",
        "multipart/form-data; boundary=B\n",
        "multipart/form-data; boundary=" + "B" * 71,
    ],
)
def test_an_unusual_content_type_is_left_to_the_parser(kind):
    assert plain_parts(form_of(named(b"a")), kind, MAX_PARTS) is None


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"--B--\r\n",
        b"\r\n" + form_of(named(b"a")),
        b"preamble\r\n" + form_of(named(b"a")),
        form_of(named(b"a")).replace(b"\r\n", b"\n"),
        form_of(named(b"a")).removesuffix(b"\r\n--B--\r\n"),
        form_of(named(b"a")).removesuffix(b"--\r\n"),
        form_of(named(b"a")).removesuffix(b"--\r\n") + b" --\r\n",
        form_of(*[named(b"a")] * (MAX_PARTS + 1)),
    ],
)
def test_a_form_without_its_start_or_end_is_left_to_the_parser(body):
    assert plain_parts(body, KIND, MAX_PARTS) is None


def test_as_many_parts_as_a_form_may_have_are_read():
    body = form_of(*[named(b"a")] * MAX_PARTS)
    assert len(plain_parts(body, KIND, MAX_PARTS)["a"]) == MAX_PARTS


# --- any forms

BOUNDARIES = st.sampled_from(
    [
        b"B",
        b"--",
        b"-" * 24 + b"d74496d6",
        b"B'+._-",
        b"B/C",
        b"B C",
        b"B" * 70,
        b"\xe4",
    ]
)
KINDS = st.sampled_from(
    [
        b"multipart/form-data; boundary=%s",
        b"multipart/form-data;boundary=%s",
        b'multipart/form-data; boundary="%s"',
        b"Multipart/Form-Data; Boundary=%s",
        b"multipart/form-data; boundary=%s; charset=utf-8",
        b"multipart/form-data; boundary=A; boundary=%s",
    ]
)
PIECES = st.sampled_from(
    [
        *(
            b"a",
            b"b",
            b"model",
            b" ",
            b'"',
            b"\\",
            b"%",
            b"%22",
            b"*",
            b";",
            b"=",
            b":",
        ),
        *(b"\r", b"\n", b"\r\n", b"\x00", b"\x7f", b"\xc3\xa4", b"-", b"--", b"'"),
        *(b"; filename=", b"; filename*=UTF-8''c", b"C:\\", b"x" * 99, b"x" * 4000),
    ]
)
NAMES = st.sampled_from([b"a", b"model", b"a b[]", b"1.png"])
ODD_NAMES = st.lists(PIECES, max_size=4).map(b"".join)


@st.composite
def heads(draw, oddness):
    """Draw a part's head, with one odd thing or more if there is any oddness."""
    odd = [draw(st.integers(0, oddness)) for _ in range(4)]
    head = named(draw(ODD_NAMES if odd[0] else NAMES))
    if draw(st.booleans()):
        head += b'; filename="' + draw(ODD_NAMES if odd[1] else NAMES) + b'"'
    lines = [head]
    if draw(st.booleans()):
        kind = draw(ODD_NAMES if odd[2] else st.sampled_from([b"image/png", b"a; b=c"]))
        lines.insert(draw(st.integers(0, 1)), b"Content-Type: " + kind)
    if odd[3]:
        others = [b"content-type: a", b"X-Y: z", b"Content-Length: 1", b" folded", b"z"]
        lines.insert(draw(st.integers(0, 2)), draw(st.sampled_from(others)))
    return b"\r\n".join(lines)


@st.composite
def forms(draw):
    """Draw a form's content type and body; most are usual or nearly so."""
    oddness = draw(st.sampled_from([0, 0, 1]))
    boundary, kind = b"B", b"multipart/form-data; boundary=%s"
    if draw(st.integers(0, 3 + oddness)) > 3:
        boundary, kind = draw(BOUNDARIES), draw(KINDS)
    near = [b"\r\n--" + boundary[:-1], b"--" + boundary, b"--" + boundary + b"--"]
    contents = st.one_of(
        st.binary(max_size=9),
        st.lists(PIECES | st.sampled_from(near), max_size=5).map(b"".join),
    )
    body = b""
    for head, content in draw(
        st.lists(st.tuples(heads(oddness), contents), min_size=1, max_size=4)
    ):
        body += b"--" + boundary + b"\r\n" + head + b"\r\n\r\n" + content + b"\r\n"
    body += b"--" + boundary + b"--" + draw(st.sampled_from([b"\r\n", b""]) | contents)
    if draw(st.integers(0, 9 + oddness)) > 9:
        body = draw(contents) + body
    if draw(st.integers(0, 9 + oddness)) > 9:
        body = body.replace(b"\r\n", b"\n")
    for _ in range(draw(st.sampled_from([0, 0, 1, 2]))):
        start = draw(st.integers(0, len(body)))
        end = start + draw(st.integers(0, 3))
        body = body[:start] + draw(PIECES | st.binary(max_size=2)) + body[end:]
    return (kind % boundary).decode("latin-1"), body


def streamed(body, kind):
    """Read a form with the parser; return None if the parser refuses it."""
    parts = {}
    try:
        for field in stream_parts(io.BytesIO(body), kind):
            content = b"".join(iter(field.stream.read, b""))
            parts.setdefault(field.name, []).append((field.filename or "", content))
    except DomainError:
        return None
    return parts


@settings(max_examples=100, deadline=None)
@given(forms())
def test_no_form_is_read_otherwise_than_by_the_parser(form):
    kind, body = form
    expected = streamed(body, kind)
    assert plain_parts(body, kind, MAX_PARTS) in (None, expected)
    if expected is None:
        with pytest.raises(DomainError):
            parts_of(body, kind)
    else:
        assert parts_of(body, kind) == expected
