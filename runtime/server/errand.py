"""A call that another thread brings to the front, and whose result it waits for."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar, cast

_Result = TypeVar("_Result")


class Errand(Generic[_Result]):
    """A call of another thread, which waits for the result."""

    def __init__(self, call: Callable[[], _Result]) -> None:
        self._call = call
        self._result: _Result | None = None
        self._error: BaseException | None = None
        self._running = threading.Lock()
        self._running.acquire()

    def run(self) -> None:
        """Make the call."""
        try:
            self._result = self._call()
        except BaseException as ex:
            self._error = ex
        self._running.release()

    def wait(self) -> _Result:
        """Wait for the result, and return it; raise the error of the call."""
        with self._running:
            pass
        if self._error is not None:
            raise self._error
        return cast(_Result, self._result)
