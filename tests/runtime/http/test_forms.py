"""Clients of all ages send these forms, and attackers send others."""

import contextlib
import functools
import io
import itertools
import time

import pytest

from bundle.errors import TooLarge
from runtime.errors import InvalidInput
from runtime.http.forms import MAX_PARTS, parts_of, stream_parts

KIND = "multipart/form-data; boundary=B"
END = b"\r\n--B--\r\n"


def part(disposition, content=b"x", *lines):
    head = b"\r\n".join((b"Content-Disposition: form-data; " + disposition, *lines))
    return b"--B\r\n" + head + b"\r\n\r\n" + content


def joined(*parts):
    return b"\r\n".join(parts) + END


def streamed(body, size=7):
    class InPieces(io.BytesIO):
        def read(self, most=-1, /):
            return super().read(min(size, most))

    fields = []
    for field in stream_parts(InPieces(body), KIND):
        content = b"".join(iter(functools.partial(field.stream.read, 99), b""))
        fields.append((field.name, field.filename, content))
    return fields


@pytest.mark.parametrize(
    ("disposition", "filename"),
    [
        (b'name="a"; filename="\xdcbung.png"', "�bung.png"),  # latin-1
        (b'name="a"; filename="\x93\xfa\x96{.png"', "���{.png"),  # Shift-JIS
        (b'name="a"; filename="\xff\xfe\x00"', "��\x00"),
        (b'name="a"; filename="\xc3\x9cbung.png"', "Übung.png"),  # UTF-8
        (b"name=a; filename=\xdcbung.png", ""),  # neither quoted nor a token
        (b"name=\"a\"; filename*=UTF-8''%C3%9Cbung.png", "Übung.png"),
        (b"name=a; filename*=iso-8859-1'de'%DCbung.png", "Übung.png"),
        (b"name=a; filename*=UTF-8''%DC%ED%A0%80.png", "����.png"),
        (b"name=a; filename*=x-unknown''%DC.png", ""),
        (b"name=a; filename*=broken", ""),
        (b'name="a"; filename="say \\"hi\\".png"', 'say "hi".png'),
        (b'name="a"; filename="C:\\\\x\\\\y.png"', "y.png"),
        (b'name="a"; filename="=?utf-8?B?w5w=?="', "=?utf-8?B?w5w=?="),
        (b'name="a"; filename=""', ""),
        (b'filename="b"; name="a"; odd="\xff"', "b"),
    ],
)
def test_a_files_name_in_any_bytes_is_taken(disposition, filename):
    body = joined(part(disposition, b"content", b"Content-Type: \xdc/\xff"))
    assert parts_of(body, KIND) == {"a": [(filename, b"content")]}
    ((name, given, content),) = streamed(body)
    assert (name, given or "", content) == ("a", filename, b"content")


def test_a_part_without_content_is_empty():
    """The parser reads it, because a plain form's head has no such line."""
    body = joined(part(b'name="a"', b"", b"X-Other: y"))
    assert parts_of(body, KIND) == {"a": [("", b"")]}
    assert streamed(body) == [("a", None, b"")]


def test_a_fields_name_in_any_bytes_is_a_text():
    body = joined(part(b'name="\xc3\xa4"'), part(b'name="\xe4"'))
    assert list(parts_of(body, KIND)) == ["ä", "�"]


@pytest.mark.parametrize("boundary", [b"B\xe4", b'"B C"', b"B'()+_,-./:=?"])
def test_a_boundary_in_any_bytes_is_found(boundary):
    quoted = b'"' + boundary.strip(b'"') + b'"'
    kind = (b"multipart/form-data; charset=\xff; boundary=" + quoted).decode("latin-1")
    body = joined(part(b'name="a"')).replace(b"--B", b"--" + boundary.strip(b'"'))
    assert parts_of(body, kind)["a"][0].data == b"x"


@pytest.mark.parametrize(
    ("body", "error", "sentence"),
    [
        (b"", InvalidInput, "ends before its last boundary"),
        (b"--B\r\n", InvalidInput, "ends before its last boundary"),
        (part(b'name="a"'), InvalidInput, "ends before its last boundary"),
        (b"x" + joined(part(b'name="a"')), InvalidInput, "not as RFC 7578 has it"),
        (joined(b"--B\r\nno colon\r\n\r\nx"), InvalidInput, "not as RFC 7578 has it"),
        (joined(b"--B\r\n\r\nx"), InvalidInput, "not as RFC 7578 has it"),
        (
            joined(b"--B\r\nContent-Disposition: attachment; name=a\r\n\r\nx"),
            InvalidInput,
            "not as RFC 7578 has it",
        ),
        (
            joined(part(b"name=a", b"x", b"Content-Length: 9")),
            InvalidInput,
            "not as RFC 7578 has it",
        ),
        (joined(part(b"name*=UTF-8''a")), InvalidInput, "has no name"),
        (joined(part(b"name=a", b"x", b" folded")), InvalidInput, "not as RFC 7578"),
        (joined(part(b"name=a", b"x", b"X: " + b"y" * 5000)), TooLarge, "4096 bytes"),
        (joined(part(b"name=a", b"x", *[b"X: y"] * 9)), TooLarge, "8 header lines"),
    ],
)
def test_what_is_no_form_is_told_in_our_own_words(body, error, sentence):
    for read in (lambda: parts_of(body, KIND), lambda: streamed(body)):
        with pytest.raises(error, match=sentence) as raised:
            read()
        assert "Error" not in str(raised.value)
        assert "segment" not in str(raised.value)


def test_parts_have_an_end():
    body = joined(*[part(b"name=a")] * MAX_PARTS)
    assert len(parts_of(body, KIND)["a"]) == MAX_PARTS
    with pytest.raises(TooLarge, match=f"more than {MAX_PARTS} parts"):
        parts_of(joined(*[part(b"name=a")] * (MAX_PARTS + 1)), KIND)


class Endless:
    """A stream that gives a start, and then the same bytes for ever."""

    def __init__(self, start, rest):
        self._pieces = itertools.chain([start], itertools.repeat(rest))

    def read(self, size, /):
        return next(self._pieces)


@pytest.mark.parametrize(
    ("start", "sentence"),
    [
        (b"--C\r\n", "belong to no part"),  # this is before the first part
        (joined(part(b"name=a")), "belong to no part"),  # this is behind the last part
        (part(b"name=a"), "bytes after its content"),  # nobody reads this field
    ],
)
def test_what_nobody_reads_has_an_end(start, sentence):
    with pytest.raises(TooLarge, match=sentence):
        list(stream_parts(Endless(start, b"z" * 60_000), KIND))


@pytest.mark.parametrize(
    "body",
    [
        joined(part(b"name=a", b"\r\n--A" * 200_000)),  # it is almost a boundary
        joined(part(b"name=a", b"\r" * 1_000_000)),
        b"\r\n" * 500_000,
        b"--B\r\n" + b"X: y" * 250_000,
        joined(*[part(b"name=a", b"x", *[b" a"] * 1000)] * 60),
        joined(*[part(b"name=a" + b'; a="' * 800)] * 60),
        joined(*[part(b"name=a" + b'; a="\\' * 800)] * 60),
        joined(*[part(b"name=a" + b"; " * 1800)] * 60),
        joined(*[part(b"filename*=" + b";filename*=" * 350)] * 60),
        joined(*[part(b"name=a;filename*=" + b"'" * 4000)] * 60),
        joined(*[part(b"name=a;" + b" " * 4000)] * 60),
    ],
)
def test_no_form_takes_longer_than_its_bytes_are_worth(body):
    """Each form has a megabyte or so, for which quadratic time would be seconds."""
    start = time.process_time()
    for read in (lambda: parts_of(body, KIND), lambda: streamed(body, 1 << 18)):
        with contextlib.suppress(InvalidInput, TooLarge):
            read()
    assert time.process_time() - start < 0.5


# --- limits, each at its last value


def test_parts_of_one_name_are_kept_in_their_order():
    body = joined(
        part(b'name="a"; filename="1.png"', b"one"),
        part(b'name="b"', b"other"),
        part(b'name="a"', b""),
        part(b'name="a"; filename="3.png"', b"three"),
    )
    assert parts_of(body, KIND) == {
        "a": [("1.png", b"one"), ("", b""), ("3.png", b"three")],
        "b": [("", b"other")],
    }
    assert streamed(body) == [
        ("a", "1.png", b"one"),
        ("b", None, b"other"),
        ("a", None, b""),
        ("a", "3.png", b"three"),
    ]


def test_a_form_that_is_read_whole_has_64_parts_at_most():
    assert len(parts_of(joined(*[part(b"name=a")] * 64), KIND)["a"]) == 64
    with pytest.raises(TooLarge, match="more than 64 parts"):
        parts_of(joined(*[part(b"name=a")] * 65), KIND)


def test_a_heads_lines_and_their_bytes_are_counted():
    """The disposition is one of the lines, and a line's bytes include its name."""
    seven = [b"X-%d: y" % n for n in range(7)]
    assert parts_of(joined(part(b"name=a", b"x", *seven)), KIND)
    with pytest.raises(TooLarge, match="more than 8 header lines"):
        parts_of(joined(part(b"name=a", b"x", *seven, b"X: y")), KIND)
    assert parts_of(joined(part(b"name=a", b"x", b"X: " + b"y" * 4093)), KIND)
    with pytest.raises(TooLarge, match="more than 4096 bytes"):
        parts_of(joined(part(b"name=a", b"x", b"X: " + b"y" * 4094)), KIND)


@pytest.mark.parametrize("fold", [b" ", b"\t"])
def test_a_line_that_continues_another_is_refused(fold):
    with pytest.raises(InvalidInput, match="not as RFC 7578"):
        parts_of(joined(part(b"name=a", b"x", fold + b"folded")), KIND)


def test_a_boundary_has_70_characters_at_most():
    """RFC 2046, section 5.1.1, sets this limit."""
    body = joined(part(b"name=a")).replace(b"--B", b"--" + b"B" * 70)
    kind = "multipart/form-data; boundary="
    assert parts_of(body, kind + "B" * 70)["a"] == [("", b"x")]
    with pytest.raises(InvalidInput, match="longer than 70 characters"):
        parts_of(body, kind + "B" * 71)


@pytest.mark.parametrize(
    ("kind", "sentence"),
    [
        (None, "names no boundary"),
        ("", "names no boundary"),
        ("multipart/form-data", "names no boundary"),
        ('multipart/form-data; boundary=""', "names no boundary"),
        ('multipart/form-data; boundary="B\r\nX: y"', "that no boundary may have"),
    ],
)
def test_a_boundary_that_is_none_is_refused(kind, sentence):
    with pytest.raises(InvalidInput, match=sentence):
        parts_of(joined(part(b"name=a")), kind)
    with pytest.raises(InvalidInput, match=sentence):
        list(stream_parts(io.BytesIO(joined(part(b"name=a"))), kind))


class Pieces:
    """A stream that gives its pieces one by one, and notes the requested sizes."""

    def __init__(self, *pieces):
        self._pieces = [*pieces, b""]
        self.asked = set()

    def read(self, size, /):
        self.asked.add(size)
        return self._pieces.pop(0)


MEBIBYTE = 1 << 20


def test_a_mebibyte_outside_of_all_parts_is_let_through_and_no_more():
    form, half = joined(part(b"name=a")), b"z" * (MEBIBYTE // 2)
    stream = Pieces(form, half, half)
    assert [field.name for field in stream_parts(stream, KIND)] == ["a"]
    assert stream.asked == {1 << 18}, "a quarter of a mebibyte at a time"
    with pytest.raises(TooLarge, match=f"more than {MEBIBYTE} bytes .* no part"):
        list(stream_parts(Pieces(form, half, half, b"z"), KIND))


def test_bytes_outside_are_counted_anew_after_each_part():
    many = [part(b"name=a", b"x" * MEBIBYTE) + b"\r\n"] * 3
    fields = [
        (field.name, sum(map(len, iter(field.stream.read, b""))))
        for field in stream_parts(Pieces(*many, b"--B--\r\n"), KIND)
    ]
    assert fields == [("a", MEBIBYTE)] * 3


def test_a_mebibyte_that_a_fields_reader_leaves_is_passed_over_and_no_more():
    for left, is_taken in ((MEBIBYTE, True), (MEBIBYTE + 1, False)):
        whole = joined(part(b"name=a", b"x" * left), part(b"name=b"))
        cut = MEBIBYTE // 2
        fields = stream_parts(Pieces(whole[:cut], whole[cut:]), KIND)
        assert next(fields).name == "a"
        if is_taken:
            assert next(fields).name == "b"
            continue
        with pytest.raises(TooLarge, match=f"more than {MEBIBYTE} bytes after"):
            next(fields)


def test_a_fields_content_is_read_in_any_pieces():
    fields = stream_parts(Pieces(joined(part(b"name=a", b"0123456789"))), KIND)
    stream = next(fields).stream
    assert [stream.read(4) for _ in range(5)] == [b"0123", b"4567", b"89", b"", b""]
    fields = stream_parts(Pieces(joined(part(b"name=a", b"0123456789"))), KIND)
    stream = next(fields).stream
    assert [stream.read() for _ in range(2)] == [b"0123456789", b""]
    assert list(fields) == []


def test_fields_that_are_streamed_are_as_many_as_an_archive_has_files():
    from bundle.upload import DEFAULT_LIMITS

    body = joined(*[part(b"name=a")] * 65)
    assert len(list(stream_parts(Pieces(body), KIND))) == 65
    body = joined(*[part(b"name=a")] * (DEFAULT_LIMITS.members + 1))
    with pytest.raises(TooLarge, match=f"more than {DEFAULT_LIMITS.members} parts"):
        list(stream_parts(Pieces(body), KIND))


def test_a_mebibyte_before_the_first_part_is_looked_through_and_no_more():
    start = b"--C\r\n"
    most = [start + b"z" * (MEBIBYTE // 2 - len(start)), b"z" * (MEBIBYTE // 2)]
    with pytest.raises(InvalidInput, match="ends before its last boundary"):
        list(stream_parts(Pieces(*most), KIND))
    with pytest.raises(TooLarge, match="belong to no part"):
        list(stream_parts(Pieces(*most, b"z"), KIND))


def test_a_boundary_in_characters_that_no_header_has_is_in_no_body():
    kind = 'multipart/form-data; boundary="B\u20ac"'
    with pytest.raises(InvalidInput, match="the multipart form cannot be read"):
        parts_of(joined(part(b"name=a")), kind)
