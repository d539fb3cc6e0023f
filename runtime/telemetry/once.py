"""Warnings that are given once, and not with each request that meets the same fault."""

from __future__ import annotations

from collections.abc import Hashable


class Once:
    """Tells whether a sentence about something is news; safe between threads.

    A fault that stays is told once. It is told again when its sentence changes, and
    when it comes back after it was gone. Faults that come in crowds and differ, each of
    another request, are counted in place of that: ``runtime.telemetry.logs.Seldom``.
    """

    def __init__(self) -> None:
        # Two threads that find one fault at the same moment may both tell it.
        self._told: dict[Hashable, str] = {}

    def is_news(self, sentence: str, about: Hashable = None) -> bool:
        """Whether this was not the last that was told about it; from now on it is.

        Args:
            sentence: says what is wrong.
            about: a key for the thing; one that tells of one thing alone needs none.
        """
        is_news = self._told.get(about) != sentence
        self._told[about] = sentence
        return is_news

    def forget(self, about: Hashable = None) -> None:
        """Take note that nothing is wrong with it any more."""
        self._told.pop(about, None)
