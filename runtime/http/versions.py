"""Reading the version that a request means."""

from __future__ import annotations

import falcon

from runtime.errors import InvalidInput

_MAX = 10**18 - 1


def version_query(req: falcon.Request) -> int | None:
    """Read ``?version=``; None if it is not there.

    Raises:
        HTTPInvalidParam: the value is no version's number.
    """
    return req.get_param_as_int("version", min_value=0, max_value=_MAX)


def check_version(number: object) -> int:
    """Check a version's number in JSON, and return it.

    Raises:
        InvalidInput: the value is no version's number.
    """
    if isinstance(number, bool) or not isinstance(number, int):
        raise InvalidInput("'version' must be a whole number")
    if not 0 <= number <= _MAX:
        raise InvalidInput(f"'version' must be 0 to {_MAX}")
    return number
