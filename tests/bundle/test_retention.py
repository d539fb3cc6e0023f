from __future__ import annotations

import pytest

from bundle.retention import superfluous


@pytest.mark.parametrize(
    ("numbers", "labelled", "keep", "gone"),
    [
        ([1, 2, 3], set(), 0, []),
        ([1, 2, 3], set(), 2, [1]),
        ([3, 1, 2], set(), 1, [1, 2]),
        ([1, 2, 3], {1, 3}, 1, []),
        ([1, 2, 3, 4], {2}, 1, [1, 3]),
        ([0, 1, 2], set(), 1, [1]),
        ([1], set(), 5, []),
    ],
    ids=["all", "oldest", "unsorted", "labelled", "uncounted", "flat", "few"],
)
def test_the_oldest_versions_without_a_label_go(
    numbers: list[int], labelled: set[int], keep: int, gone: list[int]
) -> None:
    assert superfluous(numbers, labelled, keep) == gone
