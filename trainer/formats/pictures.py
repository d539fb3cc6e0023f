"""Picture files become images of one size, wherever the files are listed.

A folder and a CSV list pictures. Their headers tell the size and the channels that all
get; then each picture is decoded once, on all cores, and kept in memory or on disk. A
file that cannot be read is skipped, and too many of them end the work.
"""

from __future__ import annotations

import math
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from bundle.decode import MAX_PIXELS, decode_image, shape_of
from bundle.errors import ImageError
from runtime.process.cores import usable_cores
from trainer.errors import DataError
from trainer.formats import Form
from trainer.images import Images
from trainer.pixels import bring
from trainer.stored_images import ImageWriter

# More files than this share mean that something else is wrong than a few bad files.
MOST_UNREADABLE = 0.05

# A note names this many files at most.
_NAMED = 10

# No picture of ``MAX_PIXELS`` is a larger file.
_MOST_BYTES = 256 << 20

# The decoding of the largest picture takes about so many bytes at a time.
_COST = 4 * 3 * MAX_PIXELS

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


class Picture(NamedTuple):
    """A picture file of a data set.

    Attributes:
        path: the file.
        name: its name in a sentence, such as its path below the data set's folder.
    """

    path: Path
    name: str


class _Unreadable(NamedTuple):
    """The reason why a picture cannot be read."""

    reason: str


class Album(NamedTuple):
    """The pictures that could be read.

    Attributes:
        images: ``(N, H, W, C)`` uint8, 0..255.
        places: ``(N,)`` int64, the place of each in the list of pictures.
        notes: sentences about pictures that were changed or skipped.
    """

    images: Images
    places: NDArray[np.int64]
    notes: list[str]


def read_pictures(
    source: Path, pictures: Sequence[Picture], form: Form, max_bytes: int
) -> Album:
    """Read all pictures in one form.

    Args:
        source: the data set, for sentences.
        pictures: the files, in order.
        form: the form that they get. Without a size they get their most common one.
            Without channels they are gray if all of them are gray, and else have
            colour.
        max_bytes: pixels of more bytes are kept on disk.

    Raises:
        DataError: more pictures cannot be read than ``MOST_UNREADABLE``, or all are
            too large for one.
        WriteFailed: the disk refuses the pixels.
    """
    bad: dict[int, str] = {}
    shapes: dict[int, tuple[int, int, int]] = {}
    workers = max(1, min(usable_cores(), max_bytes // _COST))
    if form.size is None or form.channels is None:
        for place, shape in enumerate(_in_order(_shape, pictures, workers)):
            if isinstance(shape, _Unreadable):
                bad[place] = shape.reason
            else:
                shapes[place] = shape
        _check(source, pictures, bad)
    size = form.size or _most_common(shapes)
    channels = form.channels or max(shape[2] for shape in shapes.values())
    wanted = (*size, channels)

    def decode(place: int) -> NDArray[np.uint8] | _Unreadable:
        return _decode(pictures[place].path, wanted, form)

    places = [place for place in range(len(pictures)) if place not in bad]
    on_disk = len(places) * math.prod(wanted) > max_bytes
    writer = ImageWriter(len(places), wanted, np.dtype(np.uint8), on_disk=on_disk)
    kept = []
    for place, image in zip(places, _in_order(decode, places, workers), strict=True):
        if isinstance(image, _Unreadable):
            bad[place] = image.reason
        else:
            writer.add(image[np.newaxis])
            kept.append(place)
    _check(source, pictures, bad)
    notes = _notes([shapes[place] for place in kept if place in shapes], wanted, form)
    if bad:
        notes.append(
            _skipped([pictures[place].name for place in sorted(bad)], pictures)
        )
    return Album(writer.finish(), np.array(kept, np.int64), notes)


def _in_order(
    work: Callable[[_Item], _Result], items: Iterable[_Item], workers: int
) -> Iterator[_Result]:
    """Do the work on threads, and give the results in the order of the items.

    Only a few results wait at a time, so that memory stays bounded.
    """
    with ThreadPoolExecutor(workers) as pool:
        waiting: deque[Future[_Result]] = deque()
        for item in items:
            waiting.append(pool.submit(work, item))
            if len(waiting) > 2 * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _content(path: Path) -> bytes | _Unreadable:
    try:
        # A pipe in place of a file would be waited for without an end.
        if path.exists() and not path.is_file():
            return _Unreadable("it is no file")
        if path.stat().st_size > _MOST_BYTES:
            return _Unreadable(f"it has more than {_MOST_BYTES} bytes")
        return path.read_bytes()
    except OSError as ex:
        return _Unreadable(ex.strerror or "the system refuses it")
    # The system's call refuses such a path.
    except ValueError:
        return _Unreadable("its name holds a zero byte")


def _shape(picture: Picture) -> tuple[int, int, int] | _Unreadable:
    """Read ``(H, W, C)`` from a picture's header."""
    content = _content(picture.path)
    if isinstance(content, _Unreadable):
        return content
    try:
        return shape_of(content)
    except ImageError as ex:
        return _reason(ex)


def _decode(
    path: Path, wanted: tuple[int, int, int], form: Form
) -> NDArray[np.uint8] | _Unreadable:
    content = _content(path)
    if isinstance(content, _Unreadable):
        return content
    try:
        # The service decodes so, too: see ``runtime.models.model``.
        over_contrast = form.how.polarity is not None
        image = decode_image(content, wanted[2], over_contrast=over_contrast)
    except ImageError as ex:
        return _reason(ex)
    return bring(image, wanted, form.how)


def _reason(ex: ImageError) -> _Unreadable:
    # The advice after the semicolon is for somebody who sends a picture.
    return _Unreadable(str(ex).removeprefix("Invalid image: ").partition(";")[0])


def _most_common(shapes: dict[int, tuple[int, int, int]]) -> tuple[int, int]:
    counts = Counter(shape[:2] for shape in shapes.values())
    return counts.most_common(1)[0][0]


def _check(source: Path, pictures: Sequence[Picture], bad: dict[int, str]) -> None:
    """Check that few enough pictures cannot be read."""
    count, total = len(bad), len(pictures)
    if count <= MOST_UNREADABLE * total:
        return
    first = min(bad)
    raise DataError(
        f"{source}: {count} of {total} images ({count / total:.1%}) cannot be read, and"
        f" at most {MOST_UNREADABLE:.0%} may be so; the first is"
        f" {pictures[first].name}: {bad[first]};"
        f" replace or remove {'it' if count == 1 else 'them'}"
    )


def _notes(
    shapes: list[tuple[int, int, int]], wanted: tuple[int, int, int], form: Form
) -> list[str]:
    """Say how many pictures were changed."""
    height, width, channels = wanted
    notes = []
    if resized := sum(shape[:2] != (height, width) for shape in shapes):
        reason = "the size that is given" if form.size else "the most common size"
        notes.append(
            f"{resized} of {len(shapes)} images {'is' if resized == 1 else 'are'}"
            f" brought to {height} x {width}, {reason}"
        )
    if gray := sum(shape[2] < channels for shape in shapes):
        notes.append(
            f"{gray} gray {'image is' if gray == 1 else 'images are'} taken as colour"
        )
    return notes


def _skipped(names: list[str], pictures: Sequence[Picture]) -> str:
    several = len(names) > 1
    more = len(names) - _NAMED
    named = ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")
    return (
        f"{len(names)} of {len(pictures)} images cannot be read and"
        f" {'were' if several else 'was'} skipped: {named}"
    )
