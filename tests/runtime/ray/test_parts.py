"""An input is cut into the same parts each time, as large as the cluster is small."""

import pickle
from pathlib import Path

import numpy as np
import pytest

from runtime.ray import parts
from runtime.ray.parts import Cutting, items_of_part
from runtime.scoring.chunks import Chunk, Files, Numbers
from runtime.scoring.pictures import PictureFiles

HERE = Path("/")


class Rows:
    """Some rows of one number each."""

    def __init__(self, total, width=1):
        self.array = np.arange(total * width).reshape(total, width)

    def chunks(self, size, done):
        for first in range(done, len(self.array), size):
            piece = self.array[first : first + size]
            yield Chunk([str(first + n) for n in range(len(piece))], Numbers(piece))


def items_of(part):
    return [item for chunk in part.content for item in pickle.loads(chunk).items]


@pytest.mark.parametrize(
    ("total", "batch", "workers", "items"),
    [
        (10, 256, 4, 256),  # a part is one chunk at least
        (1_000_000, 256, 10, 3328),  # 1,000,000 / 320 is 3125, which is 12.2 chunks
        (10**9, 256, 1, 65_536),
    ],
)
def test_a_part_is_whole_chunks_and_there_are_many_for_each_process(
    total, batch, workers, items
):
    assert items_of_part(total, batch, workers) == items


def test_all_items_are_in_one_part_each_and_in_order():
    made = list(Cutting(Rows(11), 2, 4).parts(HERE))
    assert [part.number for part in made] == [0, 1, 2]
    assert [items_of(part) for part in made] == [
        ["0", "1", "2", "3"],
        ["4", "5", "6", "7"],
        ["8", "9", "10"],
    ]


def test_parts_that_are_done_are_left_out_and_the_others_keep_their_numbers():
    whole = list(Cutting(Rows(11), 2, 4).parts(HERE))
    assert list(Cutting(Rows(11), 2, 4, frozenset({1})).parts(HERE)) == [
        whole[0],
        whole[2],
    ]
    assert list(Cutting(Rows(11), 2, 4, frozenset({0, 1, 2})).parts(HERE)) == []


def test_a_part_of_large_items_ends_earlier(monkeypatch):
    monkeypatch.setattr(parts, "_MOST_BYTES", 10_000)
    made = list(Cutting(Rows(6, width=1000), 1, 4).parts(HERE))
    assert [items_of(part) for part in made] == [["0", "1"], ["2", "3"], ["4", "5"]]


def test_files_are_named_for_processes_that_work_in_another_folder(tmp_path):
    source = PictureFiles(["a.png", "b.png"], ["a.png", "/far/b.png"])
    (part,) = Cutting(source, 8, 8).parts(tmp_path)
    chunk = pickle.loads(part.content[0])
    assert chunk.items == ["a.png", "b.png"]
    assert chunk.content == Files([f"{tmp_path}/a.png", "/far/b.png"])
