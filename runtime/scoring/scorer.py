"""The scorer: it brings the items of a chunk to an engine, and gives their scores."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bundle.decode import MAX_PIXELS
from bundle.errors import ImageError
from runtime.scoring.cells import inputs_of_numbers, inputs_of_table
from runtime.scoring.chunks import (
    MOST_BYTES,
    Chunk,
    Files,
    Lines,
    Numbers,
    Objects,
    Pixels,
    Scored,
    Table,
)
from runtime.scoring.csv_file import split
from runtime.scoring.facts import Facts
from runtime.scoring.naming import item_shape
from runtime.scoring.objects import read_objects
from runtime.scoring.tray import Tray

# No picture that is decoded has a larger file: its pixels would be fewer bytes.
_MOST_BYTES = 16 * MAX_PIXELS


class Engine(Protocol):
    """A model here or on a server.

    Each function takes n items and returns their scores ``(n, …)``. It raises one of
    ``runtime.scoring.tray.REFUSALS`` if an item is no input of the model.
    """

    def files(self, tray: Tray, places: Sequence[int], files: Sequence[bytes]) -> None:
        """Answer pictures, each as the bytes of its file."""

    def pixels(
        self, tray: Tray, places: Sequence[int], images: Sequence[NDArray[np.uint8]]
    ) -> None:
        """Answer pictures ``(H, W, C)`` uint8 of the channels that the model takes."""

    def inputs(self, inputs: Mapping[str, NDArray[Any]]) -> NDArray[Any]:
        """Answer ``(n, …)`` of each input's dtype, by the input's name."""


class Scorer:
    """Answers chunks.

    Args:
        engine: the model.
        facts: the facts about it.
    """

    def __init__(self, engine: Engine, facts: Facts) -> None:
        self._engine = engine
        self._facts = facts

    def score(self, chunk: Chunk) -> Scored:
        """Answer a chunk.

        Raises:
            AdminError: the model answers no scores.
            DomainError, ClientError: the engine failed.
        """
        tray = Tray()
        kept: Sequence[Sequence[Any]] = chunk.kept
        match chunk.content:
            case Files(paths):
                self._files(tray, map(_read, paths))
            case Objects(url, keys):
                self._files(tray, read_objects(url, keys, _MOST_BYTES))
            case Pixels(array):
                images = _with_channels(array, self._facts.img_channels)
                self._engine.pixels(tray, range(len(images)), list(images))
            case Numbers(array):
                matrix = array.reshape(len(array), -1)
                item = item_shape(self._facts, array.shape[1:])
                places, inputs, rejected = inputs_of_numbers(matrix, self._facts, item)
                tray.reject(rejected)
                self._inputs(tray, places, inputs)
            case Table():
                rows = len(chunk.items)
                places, inputs, rejected = inputs_of_table(
                    chunk.content, rows, self._facts
                )
                tray.reject(rejected)
                self._inputs(tray, places, inputs)
            case Lines():
                kept = self._lines(tray, chunk.content, chunk.items)
        return tray.take(chunk.items, kept)

    def _files(self, tray: Tray, files: Iterable[bytes | ImageError]) -> None:
        """Answer pictures by their files, not all of which are in the memory at once.

        Args:
            tray: the tray for the answers.
            files: each file, or the reason why it cannot be read.
        """
        waiting: dict[int, bytes] = {}
        size = 0
        for place, file in enumerate(files):
            if isinstance(file, ImageError):
                tray.reject({place: str(file)})
                continue
            if waiting and size + len(file) > MOST_BYTES:
                self._engine.files(tray, list(waiting), list(waiting.values()))
                waiting, size = {}, 0
            waiting[place] = file
            size += len(file)
        self._engine.files(tray, list(waiting), list(waiting.values()))

    def _lines(
        self, tray: Tray, lines: Lines, items: Sequence[str]
    ) -> tuple[list[str], ...]:
        """Answer the rows of a CSV file; return the kept columns of the whole chunk."""
        places, table, columns, rejected = split(lines)
        tray.reject(rejected)
        good, inputs, bad = inputs_of_table(table, len(places), self._facts)
        tray.reject({places[n]: reason for n, reason in bad.items()})
        self._inputs(tray, [places[n] for n in good], inputs)
        kept = tuple([""] * len(items) for _ in columns)
        for whole, column in zip(kept, columns, strict=True):
            for place, value in zip(places, column, strict=True):
                whole[place] = value
        return kept

    def _inputs(
        self,
        tray: Tray,
        places: Sequence[int],
        inputs: Mapping[str, NDArray[Any]],
    ) -> None:
        def answer(numbers: Sequence[int]) -> NDArray[Any]:
            if len(numbers) == len(places):
                return self._engine.inputs(inputs)
            part = slice(numbers[0], numbers[-1] + 1)
            return self._engine.inputs({k: array[part] for k, array in inputs.items()})

        tray.ask(places, answer)


def _read(path: str) -> bytes | ImageError:
    """Read a regular file; a pipe or a device might never end.

    Returns:
        Its bytes, or the reason why it cannot be read.
    """
    try:
        # Without O_NONBLOCK, the opening of a pipe would wait for a writer.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                return _unreadable("it is no file")
            if status.st_size > _MOST_BYTES:
                return _unreadable(f"it has more than {_MOST_BYTES} bytes")
            # Linux gives a regular file whole. A file object would take twice as long.
            return os.read(descriptor, status.st_size)
        finally:
            os.close(descriptor)
    except FileNotFoundError:
        return ImageError("the picture is not there")
    except OSError as ex:
        return _unreadable(str(ex.strerror))
    except ValueError as ex:  # a zero byte is in no name
        return _unreadable(str(ex))


def _unreadable(why: str) -> ImageError:
    return ImageError(f"the picture cannot be read: {why}")


def _with_channels(array: NDArray[np.uint8], channels: int) -> NDArray[np.uint8]:
    """Make ``(n, H, W, C)`` gray or colour, as ``bundle.decode`` does with a file."""
    if array.shape[3] == channels:
        return array
    if channels == 3:
        return np.repeat(array, 3, axis=3)
    gray = [np.asarray(Image.fromarray(image).convert("L")) for image in array]
    return np.stack(gray)[..., np.newaxis]
