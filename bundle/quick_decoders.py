"""Quick decoders for the plain kinds of PNG and JPEG that most clients send.

libspng (``pyspng``) and libjpeg-turbo (``simplejpeg``) take a fraction of Pillow's
time, because Pillow reads a file's pieces in Python. They give the same pixels as
Pillow, or nothing; Pillow then decodes the file, or tells what is wrong with it. Where
one of them is not installed, Pillow serves alone.
"""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import features

from bundle.containers.look import Look

# Both have wheels for few machines.
try:
    from pyspng import c as _spng
except ImportError:
    _spng = None
try:
    import simplejpeg as _simplejpeg
except ImportError:
    _simplejpeg = None

# Another library than libjpeg-turbo rounds differently. Pillow's wheels have it, and
# some distributions build Pillow with another one.
if not features.check_feature("libjpeg_turbo"):
    _simplejpeg = None

# Most bytes of a PNG's pixels. pyspng holds Python's lock while it decodes, and a
# larger picture gains little: the time then goes into zlib and into the filters.
MAX_PNG_BYTES = 1 << 14

# The place of the pixels in a PNG of one IDAT, without metadata.
_PIXELS = slice(41, -16)
_SPNG_FORMATS: dict[int, Any] = (
    {1: _spng.SPNG_FMT_G8, 3: _spng.SPNG_FMT_RGB8} if _spng else {}
)
_JPEG_COLOURS = {1: "GRAY", 3: "RGB"}


def decoders() -> dict[str, str]:
    """Tell the library that decodes plain files, by the format's name in Pillow."""
    return {
        "PNG": "pyspng" if _spng else "Pillow",
        "JPEG": "simplejpeg" if _simplejpeg else "Pillow",
    }


def decode_plain(seen: Look) -> NDArray[np.uint8] | None:
    """Decode a file of a plain kind, if its quick decoder is sure of Pillow's pixels.

    Args:
        seen: the file, with ``plain_channels``. It is decoded as it is stored: nothing
            is turned here.

    Returns:
        ``(H, W, plain_channels)`` uint8, 0..255; None if Pillow must decode the file,
        because it is damaged, or too large, or no decoder for it is installed.
    """
    try:
        return _png(seen) if seen.format == "PNG" else _jpeg(seen)
    # They raise these errors on broken files.
    except (RuntimeError, ValueError, zlib.error):
        return None


def _png(seen: Look) -> NDArray[np.uint8] | None:
    channels, data = seen.plain_channels, seen.data
    size = seen.height * (seen.width * channels + 1)
    if _spng is None or size > MAX_PNG_BYTES:
        return None
    # pyspng passes over a wrong checksum, and over a stream without an end. So zlib
    # reads the stream, too; both together are still much quicker than Pillow.
    stream = zlib.decompressobj()
    rows = stream.decompress(data[_PIXELS], size + 1)
    if len(rows) != size or not stream.eof:
        return None
    pixels: NDArray[np.uint8]
    pixels = _spng.spng_decode_image_bytes(data, _SPNG_FORMATS[channels])
    return pixels


def _jpeg(seen: Look) -> NDArray[np.uint8] | None:
    if _simplejpeg is None:
        return None
    # ``strict`` refuses all of which libjpeg warns, such as a file that is cut short.
    pixels: NDArray[np.uint8] = _simplejpeg.decode_jpeg(
        seen.data, _JPEG_COLOURS[seen.plain_channels], strict=True
    )
    if pixels.shape != (seen.height, seen.width, seen.plain_channels):
        return None
    return pixels
