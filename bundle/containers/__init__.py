"""The file formats of pictures, read as far as the cost of decoding needs.

Every file is looked through before a decoder sees it. The look gives the picture's
size, its orientation, and the file again without its metadata (colour profiles, texts,
thumbnails, further frames). So metadata cannot change pixels, and nobody can make a
decoder work through a million pieces of metadata.
"""

from __future__ import annotations

from bundle.containers import bmp, gif, jpeg, png, webp
from bundle.containers.look import Look

__all__ = ["Look", "look_at"]


def look_at(data: bytes) -> Look:
    """Look through one file; its first bytes tell the format.

    Raises:
        ImageError: it has one of these formats and would cost too much.
        ValueError, LookupError, struct.error: it has none of them, or is damaged.
    """
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return png.look(data)
    if data.startswith(b"\xff\xd8\xff"):
        return jpeg.look(data)
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return webp.look(data)
    if data.startswith((b"GIF87a", b"GIF89a")):
        return gif.look(data)
    if data.startswith(b"BM"):
        return bmp.look(data)
    raise ValueError("no picture of these formats")
