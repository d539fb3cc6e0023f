"""Reading which version a request means."""

from __future__ import annotations

import re

import falcon

from bundle.errors import ModelNotFound
from runtime.errors import InvalidInput

# As bundle.version numbers versions; 0 is a flat bundle.
_NUMBER = re.compile(r"0|[1-9][0-9]{0,17}")
_MAX = 10**18 - 1


def version_of_path(text: str) -> int:
    """The version that a path names.

    Raises:
        ModelNotFound: it is no number.
    """
    if not _NUMBER.fullmatch(text):
        raise ModelNotFound(
            f"{text[:64]!r} is no version: versions are numbers; what a label points to"
            " stands in GET /models/NAME/labels"
        )
    return int(text)


def version_query(req: falcon.Request) -> int | None:
    """``?version=``; None if it is not there.

    Raises:
        HTTPInvalidParam: it is no number.
    """
    return req.get_param_as_int("version", min_value=0, max_value=_MAX)


def check_version(number: object) -> int:
    """Look at a version's number in JSON.

    Raises:
        InvalidInput: it is none.
    """
    if isinstance(number, bool) or not isinstance(number, int):
        raise InvalidInput("'version' must be a whole number")
    if not 0 <= number <= _MAX:
        raise InvalidInput(f"'version' must be 0 to {_MAX}")
    return number
