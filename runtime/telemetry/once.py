"""Warnings that are given once, and not with each request that meets the same fault."""

from __future__ import annotations

from collections.abc import Hashable


class Once:
    """Tells whether a sentence about something is news; several threads may ask.

    A lasting fault is reported once. It is reported again when its sentence changes, or
    when it comes back after it was gone. Many faults that differ, one for each request,
    are counted instead: ``runtime.telemetry.logs.Seldom``.
    """

    def __init__(self) -> None:
        # Two threads that meet the same fault at the same moment may both report it.
        self._told: dict[Hashable, str] = {}

    def is_news(self, sentence: str, about: Hashable = None) -> bool:
        """Tell whether this sentence is new, and remember it as the last one.

        Args:
            sentence: the sentence that says what is wrong.
            about: a key for the thing; not needed where there is one thing alone.
        """
        is_news = self._told.get(about) != sentence
        self._told[about] = sentence
        return is_news

    def forget(self, about: Hashable = None) -> None:
        """Note that the fault is gone."""
        self._told.pop(about, None)
