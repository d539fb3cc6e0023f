"""The answers to the items of one chunk, as they come."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bundle.errors import ImageError, ShapeError
from runtime.admin.errors import AdminError
from runtime.backends import InputRefused
from runtime.errors import InvalidInput
from runtime.scoring.chunks import Scored

# These tell that an item is no input of the model. All other errors end the run.
REFUSALS = (ImageError, ShapeError, InvalidInput, InputRefused)


class Tray:
    """The answers to some items, by their places in the chunk."""

    def __init__(self) -> None:
        self._places: list[int] = []
        self._scores: list[NDArray[Any]] = []
        self._rejected: dict[int, str] = {}

    def reject(self, rejected: Mapping[int, str]) -> None:
        """Take the reasons why items have no scores, by their places."""
        self._rejected |= rejected

    def ask(
        self, places: Sequence[int], answer: Callable[[Sequence[int]], NDArray[Any]]
    ) -> None:
        """Ask for the scores of some items; those that are refused are rejected.

        Args:
            places: the items' places in the chunk.
            answer: a function that returns ``(n, …)``, the scores of n of these items
                by their numbers among ``places``; it raises one of ``REFUSALS`` if it
                does not take one of them.

        Raises:
            AdminError: the model answers no scores.
            DomainError, ClientError: the function failed otherwise.
        """
        self._ask(places, range(len(places)), answer)

    def _ask(
        self,
        places: Sequence[int],
        numbers: Sequence[int],
        answer: Callable[[Sequence[int]], NDArray[Any]],
    ) -> None:
        if not numbers:
            return
        try:
            scores = answer(numbers)
        except REFUSALS as ex:
            if len(numbers) == 1:
                self.reject({places[numbers[0]]: str(ex)})
                return
            # One of them is to blame, and the others have scores.
            middle = len(numbers) // 2
            self._ask(places, numbers[:middle], answer)
            self._ask(places, numbers[middle:], answer)
            return
        self._add([places[number] for number in numbers], scores)

    def _add(self, places: list[int], scores: NDArray[Any]) -> None:
        if scores.ndim == 1:
            scores = scores[:, np.newaxis]
        if scores.ndim != 2 or scores.dtype.kind not in "fiub":
            raise AdminError(
                f"the model answers {scores.dtype} of the shape {scores.shape[1:]} for"
                " an item, and not its scores"
            )
        if scores.dtype.kind == "f":
            is_good = np.isfinite(scores).all(axis=1)
            if not is_good.all():
                for number in np.flatnonzero(~is_good).tolist():
                    self._rejected[places[number]] = "the model answers NaN or infinity"
                scores = scores[is_good]
                places = [places[n] for n in np.flatnonzero(is_good).tolist()]
        self._places += places
        self._scores.append(scores)

    def take(self, items: Sequence[str], kept: Sequence[Sequence[Any]]) -> Scored:
        """Return all answers, in the order of the items.

        Args:
            items: the names of all items of the chunk.
            kept: the columns that are kept, each with a value for each item.

        Raises:
            AdminError: the model gives items different numbers of scores.
        """
        rejected = [(items[n], self._rejected[n]) for n in sorted(self._rejected)]
        if not self._places:
            return Scored([], tuple([] for _ in kept), None, rejected)
        widths = {scores.shape[1] for scores in self._scores}
        if len(widths) > 1:
            raise AdminError(
                "the model gives items different numbers of scores:"
                f" {', '.join(map(str, sorted(widths)))}"
            )
        scores = np.concatenate(self._scores)
        places = self._places
        if places != sorted(places):
            order = np.argsort(places)
            scores, places = scores[order], sorted(places)
        return Scored(
            [items[n] for n in places],
            tuple([column[n] for n in places] for column in kept),
            scores,
            rejected,
        )
