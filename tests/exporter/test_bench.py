"""Both engines run in processes of their own; no test can say how fast they are."""

import numpy as np
import pytest
from PIL import Image

import exporter.bench
from exporter.bench import BATCH_SIZES, Timing, bench
from exporter.child.run import Limits
from exporter.destination import Destination
from exporter.errors import ExportError, NoOnnx
from exporter.reports.plot import plot
from exporter.sources.source import open_source
from runtime.backends import TensorSpec
from tests.frozen import FILE, frozen, rows, write_frozen_bundle
from tests.runtime.graphs import FLOAT, onnx_of

TIMINGS = tuple(
    Timing(engine, threads, size, 0.5)
    for threads in (1, 2)
    for engine in ("tensorflow", "onnxruntime")
    for size in (1, 2, 4)
)


def test_items_a_second_are_of_the_whole_batch():
    assert Timing("tensorflow", 1, 32, 4.0).items_per_second == 8000


@pytest.mark.parametrize(
    ("dtype", "shape", "made"),
    [
        (np.float32, (None, 2, 2), (3, 2, 2)),
        (np.int64, (None, None), (3, 32)),
        (np.dtype(object), (None,), (3,)),
        (np.float32, (), ()),
    ],
)
def test_a_batch_is_what_the_model_takes(dtype, shape, made):
    batch = exporter.bench._numbers(TensorSpec("x", np.dtype(dtype), shape), 3)
    assert (batch.shape, batch.dtype) == (made, np.dtype(dtype))


@pytest.mark.tensorflow
@pytest.mark.slow
def test_each_engine_is_timed_on_one_thread_and_on_all(tmp_path, monkeypatch):
    folder = write_frozen_bundle(tmp_path, frozen(rows))
    matmul = onnx_of(
        [("MatMul", ["x", "w"], ["scores"], {})],
        [("x", FLOAT, ("batch", 4))],
        [("scores", FLOAT, ("batch", 3))],
        w=np.ones((4, 3), np.float32),
    )
    (folder / "model.onnx").write_bytes(matmul)
    monkeypatch.setattr(exporter.bench, "usable_cores", lambda: 2)
    steps = []
    timings = bench(
        open_source(folder),
        Destination(folder / "model.onnx"),
        limits=Limits(),
        tell=steps.append,
    )
    assert [(t.engine, t.threads) for t in timings if t.batch_size == 1] == [
        ("tensorflow", 1),
        ("onnxruntime", 1),
        ("tensorflow", 2),
        ("onnxruntime", 2),
    ]
    assert {t.batch_size for t in timings} == set(BATCH_SIZES)
    assert all(t.milliseconds > 0 for t in timings)
    assert steps[0] == "tensorflow, threads: 1"
    assert (folder / FILE).is_file()


def test_without_an_onnx_there_is_nothing_to_time(tmp_path):
    (tmp_path / "m.keras").touch()
    with pytest.raises(NoOnnx, match="make it with: exporter convert"):
        bench(
            open_source(tmp_path / "m.keras"),
            Destination(tmp_path / "model.onnx"),
            limits=Limits(),
            tell=lambda step: None,
        )


def test_the_plot_is_a_picture_with_lines_of_both_colours(tmp_path):
    plot(TIMINGS, "mnist", tmp_path / "bench.png")
    picture = np.asarray(Image.open(tmp_path / "bench.png").convert("RGB"))
    colours = {tuple(pixel) for pixel in picture.reshape(-1, 3)}
    # The colours are Okabe and Ito's vermilion and blue.
    assert {(213, 94, 0), (0, 114, 178)} <= colours


def test_a_plot_that_cannot_be_written_is_a_sentence(tmp_path):
    with pytest.raises(ExportError, match="cannot be written: No such file"):
        plot(TIMINGS, "mnist", tmp_path / "none" / "bench.png")
