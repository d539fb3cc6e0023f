"""The shape that a request tells for one of its tensors."""

from __future__ import annotations

from collections.abc import Sequence

from bundle.errors import ShapeError
from runtime.errors import InvalidInput

# numpy's own limit is 64, and no model has more than a few axes.
MAX_AXES = 32
# numpy counts an array's bytes in 63 bits, even if one of its sides is 0.
_MAX_COUNT = 1 << 59


def check_shape(what: str, shape: Sequence[int]) -> tuple[int, ...]:
    """Check that there may be an array of a shape, and return the shape.

    Args:
        what: the name of the input in an error.
        shape: its sides, each of which may be any whole number.

    Raises:
        InvalidInput: it has a negative side, or too many axes.
        ShapeError: its product is beyond any array.
    """
    if len(shape) > MAX_AXES:
        raise InvalidInput(f"the shape of {what} has more than {MAX_AXES} axes")
    count = 1
    for side in shape:
        if side < 0:
            raise InvalidInput(
                f"the shape of {what} has a negative number; a request must tell all"
                " sides"
            )
        count *= side or 1
    if count > _MAX_COUNT:
        raise ShapeError(f"the shape of {what} is larger than any array may be")
    return tuple(shape)
