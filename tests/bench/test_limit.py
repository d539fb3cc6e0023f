"""The loops without a server print what they did, and it is added up."""

import numpy as np
import pytest
from PIL import Image

from bench.errors import BenchError
from bench.limit import Loop, Pace, pace, together
from bench.models import Model
from bench.wire import Asked
from tests.examples import linear_onnx
from tests.pictures import saved


def test_processes_of_a_loop_are_added_up():
    # 100 / 2 s + 300 / 4 s = 125 images/s; (1 s + 3 s) / 400 images = 10,000 us.
    assert together(["[100, 2.0, 1.0]\n", "[300, 4.0, 3.0]\n"]) == Pace(125.0, 10_000.0)


@pytest.mark.parametrize("line", ["", "killed\n", "[1, 2.0]\n"])
def test_loop_that_prints_no_figures_is_one_sentence(line):
    with pytest.raises(BenchError, match="in place of its figures"):
        together(["[100, 2.0, 1.0]\n", line])


@pytest.mark.slow
def test_loop_is_busy_for_no_longer_than_it_ran(tmp_path, monkeypatch):
    monkeypatch.setattr("bench.limit.RUN", tmp_path)
    onnx = tmp_path / "model.onnx"
    onnx.write_bytes(linear_onnx())
    pixels = np.zeros((1, 2, 2, 1), np.uint8)
    picture = saved(Image.fromarray(pixels[0, :, :, 0]))
    asked = Asked("linear", "x", [picture], pixels, np.zeros((1, 3), np.float32))
    loop = Loop("x", "decode and run", "linear", 1)
    found = pace(loop, Model("linear", onnx, asked), processes=1, seconds=0.5)
    # One thread of one process: a second has at most a second of processor time. The
    # loop never waits, so it gets a good part of it on a busy machine, too.
    busy = found.images_per_second * found.image_us / 1e6
    assert 0.1 < busy < 1.05
