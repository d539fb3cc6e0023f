"""The result of a look through a file, and the costs that no picture may exceed."""

from __future__ import annotations

from typing import NamedTuple

from bundle.errors import ImageError

# 16 Mpx is a large camera's picture. A PNG of 11 kB can hold 89 Mpx of one colour.
MAX_PIXELS = 16 * 1024 * 1024

# Chunks, segments or blocks that a look walks through: 20 ms. A PNG of 32 MiB whose
# writer parted it into pieces of 512 bytes has as many.
MAX_PIECES = 1 << 16


class Look(NamedTuple):
    """One file, looked through and not decoded.

    Attributes:
        format: its name in Pillow.
        width: in pixels, before the picture is turned.
        height: in pixels.
        data: the file, left with what its pixels need.
        orientation: TIFF's tag 274, 1 to 8; 1 is upright.
        transparent: the one colour of 16-bit RGB that is transparent, as three numbers
            from 0 to 65535; None if there is none. Pillow compares it with 8 bits.
    """

    format: str
    width: int
    height: int
    data: bytes
    orientation: int = 1
    transparent: tuple[int, int, int] | None = None


def check_pixels(width: int, height: int) -> None:
    """See that a picture is not too large.

    Raises:
        ImageError: it has more than ``MAX_PIXELS``.
    """
    if width * height > MAX_PIXELS:
        raise ImageError(
            f"Invalid image: {width} x {height} pixels are more than {MAX_PIXELS} in"
            " all; send a smaller one"
        )


def too_many(what: str, most: int) -> ImageError:
    """The refusal of a file that is parted too finely, or repeats itself.

    Args:
        what: of what it has too much, in the plural.
        most: how many it may have.
    """
    return ImageError(
        f"Invalid image: it has more than {most} {what}; open it in an image program"
        " and save it anew"
    )
