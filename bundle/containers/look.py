"""The result of a look through a file, and the limits on a picture's cost."""

from __future__ import annotations

from typing import NamedTuple

from bundle.errors import ImageError

# A large camera's picture has 16 Mpx. A PNG of 11 kB can hold 89 Mpx of one colour.
MAX_PIXELS = 16 * 1024 * 1024

# Most chunks, segments or blocks that a look walks through, which takes 20 ms. A PNG of
# 32 MiB in chunks of 512 bytes has as many.
MAX_PIECES = 1 << 16


class Look(NamedTuple):
    """One file that was looked through and not yet decoded.

    Attributes:
        format: the format's name in Pillow.
        width: in pixels, before the picture is turned.
        height: in pixels, before the picture is turned.
        data: the file without the parts that its pixels do not need.
        orientation: TIFF's tag 274, 1 to 8; 1 is upright.
        transparent: the one transparent colour of a 16-bit RGB picture, as three
            numbers from 0 to 65535; None if there is none. Pillow would compare only 8
            bits of them.
        plain_channels: 1 or 3 if the file is of a plain kind that
            ``bundle.quick_decoders`` may read, gray or RGB; 0 if not.
    """

    format: str
    width: int
    height: int
    data: bytes
    orientation: int = 1
    transparent: tuple[int, int, int] | None = None
    plain_channels: int = 0


def check_pixels(width: int, height: int) -> None:
    """Check that a picture is not too large.

    Raises:
        ImageError: it has more than ``MAX_PIXELS`` pixels.
    """
    if width * height > MAX_PIXELS:
        raise ImageError(
            f"Invalid image: {width} x {height} pixels are more than {MAX_PIXELS} in"
            " all; send a smaller one"
        )


def too_many(what: str, most: int) -> ImageError:
    """Make the error for a file that has too many pieces of one kind.

    Args:
        what: the name of these pieces, in the plural.
        most: the number of pieces that a file may have.
    """
    return ImageError(
        f"Invalid image: it has more than {most} {what}; open it in an image program"
        " and save it anew"
    )
