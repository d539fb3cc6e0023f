"""The parts into which an input is cut; each becomes one file of the output.

A part has a number, and is cut at the same places each time. So a part that is scored
twice, because its process was lost, is written to the same place with the same content.
"""

from __future__ import annotations

import contextlib
import math
import pickle
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from runtime.scoring.chunks import Chunk, Files, Source

# A worker that is lost loses the part that it had in hand. The last parts of a run keep
# all workers busy, if there are many for each.
_EACH = 32
_MOST_ITEMS = 1 << 16
# The chunks of a part go to a worker at once.
_MOST_BYTES = 1 << 26


class Part(NamedTuple):
    """A part of the input.

    Attributes:
        number: its place among the parts, from 0 on.
        content: its chunks, each pickled, for a process of the same code.
    """

    number: int
    content: list[bytes]


def items_of_part(total: int, batch: int, workers: int) -> int:
    """Return the number of items after which a part ends.

    Args:
        total: the number of items of the input.
        batch: the most items of a chunk; parts are whole chunks.
        workers: the number of processes that score.
    """
    wanted = min(_MOST_ITEMS, math.ceil(total / (workers * _EACH)))
    return batch * max(1, math.ceil(wanted / batch))


@dataclass(frozen=True)
class Cutting:
    """The way in which an input is cut into parts.

    Attributes:
        source: the input.
        batch: the most items of a chunk.
        items: the number of items after which a part ends.
        done: the numbers of parts that are left out, because they are scored already.
    """

    source: Source
    batch: int
    items: int
    done: frozenset[int] = frozenset()

    def parts(self, folder: Path) -> Iterator[Part]:
        """Cut the input.

        Args:
            folder: the folder to which paths of the input are relative.

        Raises:
            AdminError: the input is damaged.
        """
        number, count, size = 0, 0, 0
        content: list[bytes] = []
        with contextlib.chdir(folder):
            for chunk in self.source.chunks(self.batch, 0):
                content.append(pickle.dumps(_placed(chunk, folder)))
                count += len(chunk.items)
                size += len(content[-1])
                if count >= self.items or size >= _MOST_BYTES:
                    if number not in self.done:
                        yield Part(number, content)
                    number, count, size, content = number + 1, 0, 0, []
        if content and number not in self.done:
            yield Part(number, content)


def _placed(chunk: Chunk, folder: Path) -> Chunk:
    """Name files so that a process with another working folder finds them."""
    if not isinstance(chunk.content, Files):
        return chunk
    return replace(
        chunk, content=Files([f"{folder / path}" for path in chunk.content.paths])
    )
