"""The versions that answered for names and labels, now and before the last switch."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from bundle.spec import ModelSpec
from bundle.version import Version

# The version that answered before the last switch is kept for so long, so that a
# rollback needs no load. Memory for both was needed at the switch in any case.
LEFT_SECONDS = 300.0


class History:
    """The versions that answered; the caller holds a lock.

    Each is kept for a name and a label; the label None is the default.
    """

    def __init__(self) -> None:
        # The version that answered last.
        self._answered: dict[tuple[str, str | None], Version] = {}
        # The version that answered before the last switch, and the time of the switch.
        self._left: dict[tuple[str, str | None], tuple[Version, float]] = {}

    def last(self, spec: ModelSpec) -> Version | None:
        """Return the version that answered last; None if a number is asked for."""
        if spec.version is not None:
            return None
        return self._answered.get((spec.name, spec.label))

    def note(self, spec: ModelSpec, version: Version, now: float) -> bool:
        """Note that a version answers, and tell whether this is a switch.

        Args:
            spec: the label that was asked for, or the default.
            version: the version that answers.
            now: the time of the answer.
        """
        target = (spec.name, spec.label)
        before = self._answered.get(target)
        self._answered[target] = version
        if before is None or before.number == version.number:
            return False
        self._left[target] = before, now
        return True

    def answering(self, name: str) -> dict[str | None, Version]:
        """Return the versions of a model that answered last, by their labels."""
        return {
            label: version
            for (its_name, label), version in self._answered.items()
            if its_name == name
        }

    def leave(
        self, name: str, outdated: Mapping[str | None, Version], now: float
    ) -> None:
        """Note that versions do not answer any more for the labels they had.

        Args:
            name: the model.
            outdated: the versions by their labels. One that another has replaced
                meanwhile does not count.
            now: the time of the switch.
        """
        for label, version in outdated.items():
            if self._answered.get((name, label)) is version:
                del self._answered[name, label]
                self._left[name, label] = version, now

    def until(self, version: Version) -> float:
        """Return the time until which a version is kept for a rollback."""
        return max(
            (
                since + LEFT_SECONDS
                for (name, _), (left, since) in self._left.items()
                if name == version.name and left == version
            ),
            default=-math.inf,
        )

    def spare(self) -> set[tuple[str, int]]:
        """Return name and number of the versions that are kept for a rollback alone."""
        return _keys(left for left, _ in self._left.values()) - _keys(
            self._answered.values()
        )

    def forget(self, spec: ModelSpec) -> bool:
        """Forget what answered for a label; tell whether anything did."""
        target = (spec.name, spec.label)
        self._left.pop(target, None)
        return self._answered.pop(target, None) is not None

    def drop(self, name: str, number: int | None) -> None:
        """Forget a version, or with None all versions of a model."""
        for target, answered in [*self._answered.items()]:
            if target[0] == name and number in (None, answered.number):
                del self._answered[target]
        for target, (left, _) in [*self._left.items()]:
            if target[0] == name and number in (None, left.number):
                del self._left[target]


def _keys(versions: Iterable[Version]) -> set[tuple[str, int]]:
    return {(version.name, version.number) for version in versions}
