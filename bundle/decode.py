"""An image file's bytes -> pixels.

Every picture comes through here, those that are trained on and those that are asked
about, so that both are read alike.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from bundle.errors import ImageError

# What TFaaS's clients send. Pillow would open some forty more kinds, PostScript among
# them; each decoder that is not needed is one that nobody can attack.
FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP")

# 16 Mpx is a large camera's picture. A PNG of 11 kB can hold 89 Mpx of one colour.
MAX_PIXELS = 16 * 1024 * 1024
# Pillow's own limit is higher, and only warns; ours is asked of every image here.
Image.MAX_IMAGE_PIXELS = None


def decode_image(
    data: bytes, channels: int, on_size: Callable[[int], None] | None = None
) -> NDArray[np.uint8]:
    """Decode one image file.

    The format is told from the bytes, never from a file name. Transparency lies over
    black, EXIF orientation is applied, 16-bit gray is brought to 8 bits, of several
    frames the first is taken.

    Args:
        data: the file's bytes.
        channels: 1 makes it gray (ITU-R 601 luma), 3 makes it RGB.
        on_size: called with the number of its pixels before they are decoded.

    Returns:
        ``(H, W, channels)`` uint8, 0..255.

    Raises:
        ImageError: no image, a truncated one, one of another format or too large.
    """
    image = _open(data, on_size)
    gray = channels == 1
    if image.mode.startswith("I;16"):
        pixels = _from_16_bits(image)
        return pixels if gray else np.repeat(pixels, 3, axis=2)
    if "transparency" in image.info or "A" in image.getbands():
        image = image.convert("RGBA")
        black = Image.new("RGBA", image.size, (0, 0, 0, 255))
        image = Image.alpha_composite(black, image).convert("RGB")
    mode = "L" if gray else "RGB"
    # convert() copies even what has the mode already.
    pixels = np.asarray(image if image.mode == mode else image.convert(mode))
    return pixels[:, :, np.newaxis] if gray else pixels


def is_gray(data: bytes) -> bool:
    """Whether an image file holds no colour, by its mode.

    Raises:
        ImageError: as ``decode_image``.
    """
    image = _open(data)
    return image.mode in ("1", "L", "LA") or image.mode.startswith("I;16")


def _open(data: bytes, on_size: Callable[[int], None] | None = None) -> Image.Image:
    try:
        image = Image.open(io.BytesIO(data), formats=FORMATS)
        width, height = image.size
        if width * height > MAX_PIXELS:
            raise ImageError(
                f"Invalid image: {width} x {height} pixels are more than"
                f" {MAX_PIXELS} in all; send a smaller one"
            )
        if on_size:
            on_size(width * height)
        image.load()
        # A picture that says nothing of itself need not be searched for a rotation.
        if image.info and image.getexif():
            ImageOps.exif_transpose(image, in_place=True)
    # Pillow's decoders raise whatever a broken file makes them trip over.
    except (OSError, ValueError, SyntaxError, ArithmeticError, LookupError) as ex:
        raise _unreadable() from ex
    except (MemoryError, TypeError, struct.error) as ex:
        raise _unreadable() from ex
    return image


def _unreadable() -> ImageError:
    return ImageError(
        "Invalid image: it is damaged, cut short, or not a"
        f" {', '.join(FORMATS[:-1])} or {FORMATS[-1]} file"
    )


def _from_16_bits(image: Image.Image) -> NDArray[np.uint8]:
    deep = np.asarray(image).astype(np.uint32)  # (H, W), 0..65535
    # 65535 / 257 = 255: white stays white, and an 8-bit value written twice stays.
    pixels = ((deep + 128) // 257).astype(np.uint8)
    transparent = image.info.get("transparency")
    if isinstance(transparent, int):
        pixels[deep == transparent] = 0
    return pixels[:, :, np.newaxis]
