"""Decoding of an image file's bytes into pixels.

Every picture is decoded here, in training and in serving, so that both read a file in
the same way.
"""

from __future__ import annotations

import io
import struct

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.WebPImagePlugin import WebPImageFile

from bundle.containers import Look, look_at
from bundle.containers.look import MAX_PIXELS
from bundle.containers.orientation import UPRIGHT
from bundle.errors import ImageError
from bundle.quick_decoders import decode_plain

__all__ = ["FORMATS", "MAX_PIXELS", "Large", "decode_image", "pixels_of", "shape_of"]

# TFaaS's clients send these formats. Pillow could open about forty more, among them
# PostScript; nobody can attack a decoder that is not there.
_READERS: dict[str, type[ImageFile]] = {
    "PNG": PngImageFile,
    "JPEG": JpegImageFile,
    "BMP": BmpImageFile,
    "GIF": GifImageFile,
    "WEBP": WebPImageFile,
}
FORMATS = tuple(_READERS)

# The endings of pictures' names, in lower case. The first bytes of a file tell its
# format; the ending only tells which files of a folder are meant. Some of these formats
# cannot be read.
PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".ppm", ".tif", ".tiff")

# Pillow's own limit is higher and only warns. ``MAX_PIXELS`` holds for every image
# here.
Image.MAX_IMAGE_PIXELS = None

# TIFF's tag 274 tells how to turn the stored picture so that it is upright.
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
# The other turns exchange height and width.
_KEEP_SIDES = (2, 3, 4)


class Large(Exception):
    """The image has more pixels than the caller would decode."""


def decode_image(
    data: bytes,
    channels: int,
    most_pixels: int = MAX_PIXELS,
    *,
    over_contrast: bool = False,
) -> NDArray[np.uint8]:
    """Decode one image file.

    The bytes tell the format, and never a file name. Transparent pixels lie over black,
    EXIF's orientation is applied, 16 bits become 8, and the first of several frames is
    taken. No other metadata is read, so none can spoil a picture.

    Args:
        data: the file's bytes.
        channels: 1 makes it gray (ITU-R 601 luma), 3 makes it RGB.
        most_pixels: an image of more pixels is not decoded.
        over_contrast: transparent pixels lie over white if the others are dark on
            average, so that dark ink is seen.

    Returns:
        ``(H, W, channels)`` uint8, 0..255.

    Raises:
        ImageError: it is no image, or is cut short, or has another format, or is too
            large, or would take too long to decode.
        Large: it has more than ``most_pixels``.
    """
    image = _open(data, most_pixels)
    gray = channels == 1
    if isinstance(image, np.ndarray):
        if image.shape[2] == channels:
            return image
        if not gray:
            return np.repeat(image, 3, axis=2)
        # Pillow makes it gray, so all files are rounded alike. Its ``frombuffer`` takes
        # half of the time of ``fromarray``.
        size = (image.shape[1], image.shape[0])
        image = Image.frombuffer("RGB", size, image)
    if image.mode.startswith("I;16"):
        pixels = _from_16_bits(image)
        return pixels if gray else np.repeat(pixels, 3, axis=2)
    if "transparency" in image.info or "A" in image.getbands():
        image = image.convert("RGBA")
        level = 255 if over_contrast and _is_dark(image) else 0
        ground = Image.new("RGBA", image.size, (level, level, level, 255))
        image = Image.alpha_composite(ground, image).convert("RGB")
    mode = "L" if gray else "RGB"
    # convert() would copy an image that has the mode already.
    pixels = np.asarray(image if image.mode == mode else image.convert(mode))
    return pixels[:, :, np.newaxis] if gray else pixels


def pixels_of(data: bytes) -> int:
    """Read the number of pixels from an image file's header, without decoding.

    Raises:
        ImageError: see ``decode_image``; damaged pixels are not seen.
    """
    try:
        seen = look_at(data)
    except (ValueError, LookupError, struct.error) as ex:
        raise _unreadable() from ex
    return seen.width * seen.height


def shape_of(data: bytes) -> tuple[int, int, int]:
    """Read the shape of a picture from its file's header, without decoding.

    Returns:
        ``(H, W, C)`` of the upright picture; C is 1 if its mode holds no colour, and
        else 3.

    Raises:
        ImageError: see ``decode_image``; damaged pixels are not seen.
    """
    try:
        seen = look_at(data)
        channels = seen.plain_channels or (3 if _has_colour(seen) else 1)
    # Pillow's readers raise many kinds of errors on broken headers.
    except (OSError, ValueError, SyntaxError, ArithmeticError, LookupError) as ex:
        raise _unreadable() from ex
    except (MemoryError, TypeError, struct.error) as ex:
        raise _unreadable() from ex
    height, width = seen.height, seen.width
    if seen.orientation in _TURNS and seen.orientation not in _KEEP_SIDES:
        height, width = width, height
    return height, width, channels


def _has_colour(seen: Look) -> bool:
    mode = _READERS[seen.format](io.BytesIO(seen.data)).mode
    return mode not in ("1", "L", "LA") and not mode.startswith("I;16")


def _open(
    data: bytes, most_pixels: int = MAX_PIXELS
) -> Image.Image | NDArray[np.uint8]:
    """Return the picture upright; a plain one is ``(H, W, 1 or 3)`` uint8."""
    try:
        seen = look_at(data)
        if seen.width * seen.height > most_pixels:
            raise Large
        if seen.plain_channels and seen.orientation == UPRIGHT:
            pixels = decode_plain(seen)
            if pixels is not None:
                return pixels
        image: Image.Image = _load(seen)
        if seen.transparent:
            image = _without(seen, image)
        if seen.orientation in _TURNS:
            image = image.transpose(_TURNS[seen.orientation])
    # Pillow's decoders raise many kinds of errors on broken files.
    except (OSError, ValueError, SyntaxError, ArithmeticError, LookupError) as ex:
        raise _unreadable() from ex
    except (MemoryError, TypeError, struct.error) as ex:
        raise _unreadable() from ex
    return image


def _load(seen: Look) -> ImageFile:
    # The reader is called directly, because Image.open tries several readers and warns.
    image = _READERS[seen.format](io.BytesIO(seen.data))
    if image.size != (seen.width, seen.height):
        raise ValueError("its header names two sizes")
    image.load()
    return image


def _without(seen: Look, image: Image.Image) -> Image.Image:
    """Make the one transparent colour of a 16-bit RGB picture black.

    Pillow keeps only the upper bytes, so the lower bytes are decoded here as well.
    """
    lower = _READERS[seen.format](io.BytesIO(seen.data))
    lower.tile = [tile._replace(args="RGB;16L") for tile in lower.tile]
    lower.load()
    pixels, low = np.array(image), np.asarray(lower)  # (H, W, 3)
    is_transparent = np.ones(pixels.shape[:2], bool)
    for channel, value in enumerate(seen.transparent or ()):
        is_transparent &= pixels[:, :, channel] == value >> 8
        is_transparent &= low[:, :, channel] == value & 255
    pixels[is_transparent] = 0
    return Image.fromarray(pixels)


def _is_dark(image: Image.Image) -> bool:
    """Tell whether the visible pixels of an RGBA picture are dark on average."""
    gray = np.asarray(image.convert("L"))
    alpha = np.asarray(image.getchannel("A"))
    visible = int(alpha.sum(dtype=np.uint64))
    light = int(np.multiply(gray, alpha, dtype=np.uint16).sum(dtype=np.uint64))
    return light < 128 * visible


def _unreadable() -> ImageError:
    return ImageError(
        "Invalid image: it is damaged, cut short, or not a"
        f" {', '.join(FORMATS[:-1])} or {FORMATS[-1]} file"
    )


def _from_16_bits(image: Image.Image) -> NDArray[np.uint8]:
    deep = np.asarray(image).astype(np.uint32)  # (H, W), 0..65535
    # 65535 / 257 = 255, so white stays white. A value whose two bytes are the same
    # becomes that byte.
    pixels = ((deep + 128) // 257).astype(np.uint8)
    transparent = image.info.get("transparency")
    if isinstance(transparent, int):
        pixels[deep == transparent] = 0
    return pixels[:, :, np.newaxis]
