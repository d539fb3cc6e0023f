"""The pieces into which an input is cut, and the sources that cut it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, Protocol, TypeAlias

from numpy.typing import NDArray

# A chunk of numbers or pixels has at most so many bytes, and fewer items for that. So
# many bytes of pictures' files are in the memory at once, and one file at least.
MOST_BYTES = 1 << 24

# A column of a table that came as texts, or as numbers.
Column: TypeAlias = "Sequence[Any] | NDArray[Any]"


class Files(NamedTuple):
    """Files of pictures, by their paths.

    The paths are texts, because a ``Path`` takes long to send to another process.
    """

    paths: list[str]


class Objects(NamedTuple):
    """Pictures in an object store: a URL, and their keys below it."""

    url: str
    keys: list[str]


class Pixels(NamedTuple):
    """Pictures that are decoded: ``(n, H, W, C)`` uint8, with C 1 or 3."""

    array: NDArray[Any]


class Numbers(NamedTuple):
    """Items of numbers: ``(n, …)`` of any numeric dtype."""

    array: NDArray[Any]


class Table(NamedTuple):
    """Rows by their columns, each of n values; a missing one is None or NaN."""

    columns: dict[str, Column]


class Layout(NamedTuple):
    """The layout of a CSV file.

    Attributes:
        delimiter: the character between two values.
        width: the number of values in a row.
        taken: the place in a row of each column that the model takes, by its name.
        kept: the place of each column that is kept.
        texts: the names of the taken columns of texts; spaces around them are none of
            theirs, as for the trainer.
    """

    delimiter: str
    width: int
    taken: Mapping[str, int]
    kept: tuple[int, ...]
    texts: frozenset[str]


class Lines(NamedTuple):
    """Rows of a CSV file, each as its bytes; the scorer splits them."""

    rows: list[bytes]
    layout: Layout


Content: TypeAlias = Files | Objects | Pixels | Numbers | Table | Lines

# The type of a column that is kept, as a Parquet file has it; a single is a float of 32
# bits.
Kind = Literal["text", "int", "float", "single", "bool"]


class Kept(NamedTuple):
    """A column of the input that the output has, too."""

    name: str
    kind: Kind


@dataclass(frozen=True)
class Chunk:
    """A piece of the input.

    Attributes:
        items: the name of each item: its path, or its number from 0 on.
        content: the items.
        kept: the columns that are kept, each of n values; empty where ``content``
            still holds them.
    """

    items: Sequence[str]
    content: Content
    kept: tuple[Sequence[Any], ...] = ()


class Source(Protocol):
    """An input that was looked at, and that can be read in chunks.

    Attributes:
        identity: a text that changes when the input does.
        total: the number of its items.
        kept: the columns that are kept.
    """

    @property
    def identity(self) -> str:
        """See the class; it is computed anew each time."""

    @property
    def total(self) -> int:
        """See the class."""

    @property
    def kept(self) -> tuple[Kept, ...]:
        """See the class."""

    def chunks(self, size: int, done: int) -> Iterator[Chunk]:
        """Read the input in pieces, always cut at the same places.

        Args:
            size: the most items of a chunk.
            done: the number of items that are scored already; they are left out. A run
                with the same ``size`` has scored whole chunks.

        Raises:
            AdminError: the input is damaged.
        """


class Scored(NamedTuple):
    """A chunk that was answered.

    Attributes:
        items: the names of the items that have scores.
        kept: the columns that are kept, of these items.
        scores: ``(len(items), K)`` of the output's dtype; None if no item has scores.
        rejected: the name of each other item, and the reason.
    """

    items: Sequence[str]
    kept: tuple[Sequence[Any], ...]
    scores: NDArray[Any] | None
    rejected: list[tuple[str, str]]
