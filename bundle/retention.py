"""The retention of versions: a model keeps some, and the older ones go."""

from __future__ import annotations

from collections.abc import Collection, Iterable


def superfluous(
    numbers: Iterable[int], labelled: Collection[int], keep: int
) -> list[int]:
    """List the versions that go when another one is published, the oldest first.

    Args:
        numbers: a model's versions. Version 0, a flat bundle that was put there by
            hand, always stays.
        labelled: the versions to which labels point; they stay, and do not count.
        keep: the number of versions without a label that stay; 0 keeps all.
    """
    free = sorted(n for n in numbers if n and n not in labelled)
    return free[:-keep] if keep else []
