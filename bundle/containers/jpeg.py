"""A look at JPEG: segments of a marker, a length and data, and scans of coded pixels.

Source: ITU-T T.81, annex B; libjpeg's jdmarker.c for files that decoders let pass.
"""

from __future__ import annotations

import re

from bundle.containers.look import Look, check_pixels, too_many
from bundle.containers.orientation import UPRIGHT, orientation_of
from bundle.errors import ImageError

# Most segments of one picture; the tables of its scans count. A photo has about ten
# segments, and a photo with a depth map in its XMP about two hundred.
MAX_SEGMENTS = 4096
# Most bytes of tables before the first scan, because Pillow reads them in Python. Four
# tables of each kind take 2 kB.
MAX_TABLES = 1 << 16
# Most programs write about ten scans, and a few write twenty or more.
MAX_SCANS = 100
# Most samples of all scans together. Each scan goes over all blocks of its components,
# even when there is nothing to refine, and takes up to 1.3 ns a sample. A usual picture
# of 16 Mpx with three components and ten scans has 200 million samples.
MAX_SAMPLES = 1 << 29

_SOI, _EOI, _SOS = 0xD8, 0xD9, 0xDA
# Frames in Huffman coding: baseline, extended, progressive.
_BASELINE = 0xC0
_FRAMES = frozenset((_BASELINE, 0xC1, 0xC2))
# Libjpeg reads arithmetic coding too, and browsers do not. It is refused because it
# needs almost no bytes: 7 kB of it held 16 Mpx in seven scans, and took 0.8 s.
_OTHER_FRAMES = frozenset(range(0xC0, 0xD0)) - _FRAMES - {0xC4, 0xC8, 0xCC}
# DHT, DAC, DQT, DNL, DRI, DHP, EXP.
_TABLES = frozenset((0xC4, 0xCC, 0xDB, 0xDC, 0xDD, 0xDE, 0xDF)) | _FRAMES
# Among coded pixels, FF is followed by 0, or is part of a marker from RST0 to RST7.
_MARKER = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")
# Gray, and three components that become RGB. Four are CMYK.
_PLAIN_COMPONENTS = (1, 3)
_SIDE = 32  # the widest MCU, of sampling factor 4


def look(data: bytes) -> Look:
    """Look through a JPEG's first picture; see ``bundle.containers.look``.

    JFIF's and Adobe's segments stay, because they tell the meaning of the components.
    """
    pieces: list[bytes] = []
    kept_from = tables = 0
    orientation = 0
    frame = -1
    place = 2
    for _ in range(MAX_SEGMENTS):
        if data[place] != 0xFF:
            place = data.index(b"\xff", place)
        marker = data[place + 1]
        if marker == 0xFF:
            place += 1
            continue
        if marker == _SOS:
            break
        size = data[place + 2] << 8 | data[place + 3]
        end = place + 2 + size
        if marker in _OTHER_FRAMES:
            raise ImageError(
                "Invalid image: it is a JPEG with arithmetic coding, or without losses;"
                " save it as a common one"
            )
        if marker in _TABLES:
            tables += size
            if marker in _FRAMES:
                frame = place
        elif _names_components(marker, size, data, place):
            tables += size
        elif marker >= 0xE0:
            if marker == 0xE1 and not orientation:
                block = data[place + 4 : end]
                if block.startswith(b"Exif\0\0"):
                    orientation = orientation_of(block)
            pieces.append(data[kept_from:place])
            kept_from = end
        else:
            raise ValueError("a marker that has no place in a header")
        place = end
    else:
        raise too_many("segments", MAX_SEGMENTS)
    if tables > MAX_TABLES:
        raise too_many("bytes of tables", MAX_TABLES)
    if frame < 0:
        raise ValueError("no frame before the first scan")
    height = data[frame + 5] << 8 | data[frame + 6]
    width = data[frame + 7] << 8 | data[frame + 8]
    check_pixels(width, height)
    components = data[frame + 9]
    _check_scans(data, place, width, height, components)
    is_plain = (
        data[frame + 1] == _BASELINE
        and components in _PLAIN_COMPONENTS
        # The first scan is the only one if it has all components.
        and data[place + 4] == components
    )
    if pieces:
        data = b"".join((*pieces, data[kept_from:]))
    return Look(
        "JPEG",
        width,
        height,
        data,
        orientation or UPRIGHT,
        plain_channels=components if is_plain else 0,
    )


def _names_components(marker: int, size: int, data: bytes, place: int) -> bool:
    # No decoder reads shorter segments.
    if marker == 0xE0:
        return size >= 16 and data[place + 4 : place + 9] == b"JFIF\0"
    return marker == 0xEE and size >= 14 and data[place + 4 : place + 9] == b"Adobe"


def _check_scans(
    data: bytes, place: int, width: int, height: int, components: int
) -> None:
    # Even a picture of one column is coded in whole MCUs.
    samples = (-(-width // _SIDE) * -(-height // _SIDE)) * _SIDE * _SIDE
    # Each scan begins with this pair of bytes, so there are at most as many scans. Some
    # pairs lie in segments, so the exact number needs a walk.
    scans = data.count(b"\xff\xda", place)
    if scans <= MAX_SCANS and scans * components * samples <= MAX_SAMPLES:
        return
    scans = walked = 0
    for _ in range(MAX_SEGMENTS):
        marker = data[place + 1]
        if marker == _EOI:
            return
        if marker == _SOS:
            scans += 1
            walked += data[place + 4] * samples
            if scans > MAX_SCANS:
                raise too_many("scans", MAX_SCANS)
            if walked > MAX_SAMPLES:
                raise ImageError(
                    f"Invalid image: it has too many scans for {width} x {height}"
                    " pixels; save it anew, and not progressive"
                )
        if marker >= 0xC0 and marker != _SOI:
            place += 2 + (data[place + 2] << 8 | data[place + 3])
        else:
            place += 2
        found = _MARKER.search(data, place)
        if found is None:
            return  # the file is cut short, and the decoder will say so
        place = found.start()
    raise too_many("segments", MAX_SEGMENTS)
