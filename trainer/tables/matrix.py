"""Tables that lie in one array ``x``, with the labels in ``y``."""

from __future__ import annotations

from trainer.errors import DataError

MATRIX = "x"
LABEL = "y"
WEIGHT = "w"


def column_names(count: int, features: list[str] | None, shown: str) -> tuple[str, ...]:
    """Return the names of the columns of ``x``.

    Args:
        count: the number of columns.
        features: their names, if the file has them; else they are x0, x1 and on.
        shown: the file, for an error's sentence.

    Raises:
        DataError: there is another number of names.
    """
    if features is None:
        return tuple(f"{MATRIX}{place}" for place in range(count))
    if len(features) != count:
        raise DataError(
            f"{shown}: 'features' has {len(features)} names and {MATRIX!r} has {count}"
            " columns; the numbers must be equal"
        )
    return tuple(features)
