"""Each row of a batch goes to one worker, and the workers get equal numbers of them."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from trainer.ray.shares import cut, share_of


def test_shares_of_ten_rows_are_these() -> None:
    assert [share_of(10, rank, 3) for rank in range(3)] == [
        slice(0, 4),
        slice(4, 7),
        slice(7, 10),
    ]


@pytest.mark.parametrize("count", [3, 4, 5, 43, 128])
@pytest.mark.parametrize("workers", [1, 2, 3])
def test_each_row_has_one_worker(count: int, workers: int) -> None:
    rows = list(range(count))
    shares = [rows[share_of(count, rank, workers)] for rank in range(workers)]
    assert list(itertools.chain(*shares)) == rows
    sizes = [len(share) for share in shares]
    assert max(sizes) - min(sizes) <= 1
    assert min(sizes) >= 1


def test_all_parts_of_a_batch_are_cut_alike() -> None:
    images, answers, weights = (np.arange(5) * factor for factor in (1, 10, 100))
    x, y, w = cut((images, answers, weights), slice(1, 3))
    assert (x.tolist(), y.tolist(), w.tolist()) == ([1, 2], [10, 20], [100, 200])
    columns, y = cut(({"a": images, "b": weights}, answers), slice(4, 5))
    assert {name: column.tolist() for name, column in columns.items()} == {
        "a": [4],
        "b": [400],
    }
    assert y.tolist() == [40]
