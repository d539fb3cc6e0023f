"""A body of JSON is an object, or is refused with a sentence."""

import pytest

from runtime.errors import InvalidInput
from runtime.wire.json_object import read_object


@pytest.mark.parametrize("kind", [bytes, memoryview])
def test_an_object_is_read(kind):
    assert read_object(kind(b'{"a": [1, null]}')) == {"a": [1, None]}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (b'{"a":\n 1', "it cannot be read at line 2, column 3"),
        (b"", "it cannot be read at line 1, column 1"),
        (b'{"a": NaN}', "the body is not JSON"),
        (b'{"a": ' + b"[" * 1100 + b"]" * 1100 + b"}", "the body is not JSON"),
        (b"[]", "the body must be one JSON object"),
        (b"null", "the body must be one JSON object"),
    ],
)
def test_all_else_is_refused(text, sentence):
    with pytest.raises(InvalidInput, match=sentence):
        read_object(text)
