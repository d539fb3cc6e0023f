import hashlib

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto

from bundle.params import Params
from bundle.sample import Sample
from exporter.options import Options
from exporter.variants import make_variants
from runtime.backends.onnx import CUDA, open_onnx
from runtime.backends.options import BackendOptions
from tests.examples import linear_onnx
from tests.forms import png
from tests.runtime.graphs import onnx_of

CPU = BackendOptions(provider="cpu")
HAS_CUDA = CUDA in onnxruntime.get_available_providers()
# The three classes are pixel 0, pixel 1, and pixels 2 and 3 together
# (tests.examples.WEIGHTS).
PIXELS = np.repeat(
    [[200, 0, 0, 0], [0, 200, 0, 0], [0, 0, 100, 100]], 20, axis=0
).astype(np.uint8)
SAMPLE = Sample(PIXELS.reshape(60, 2, 2, 1), np.repeat(np.arange(3), 20))
PARAMS = Params("linear")


@pytest.fixture
def fp32(tmp_path):
    path = tmp_path / "model.onnx"
    path.write_bytes(linear_onnx())
    return path


def wide_onnx(width=2048):
    """Return (n, 256) -> (n, 256), with a width at which 8-bit products pay."""
    generator = np.random.default_rng(2)
    return onnx_of(
        [
            ("MatMul", ["x", "up"], ["wide"], {}),
            ("Relu", ["wide"], ["bent"], {}),
            ("MatMul", ["bent", "down"], ["y"], {}),
        ],
        [("x", TensorProto.FLOAT, ("n", 256))],
        [("y", TensorProto.FLOAT, ("n", 256))],
        up=generator.standard_normal((256, width)).astype(np.float32),
        down=generator.standard_normal((width, 256)).astype(np.float32),
    )


def made(fp32, options, sample=SAMPLE):
    scratch = fp32.parent / "scratch"
    scratch.mkdir()
    reference = open_onnx(fp32, CPU)
    return make_variants(fp32, reference, options, sample, PARAMS, scratch, "f00d")


def test_nothing_is_made_that_nobody_asked_for(fp32):
    assert made(fp32, Options()) == []


@pytest.mark.skipif(HAS_CUDA, reason="speed is judged there")
def test_fp16_is_proved_by_itself_where_there_is_no_cuda(fp32):
    (half,) = made(fp32, Options(fp16=True))
    assert (half.variant, half.path.name) == ("fp16", "model.fp16.onnx")
    assert half.refusal == ""
    parity = half.parity
    assert parity.passed
    assert parity.sha256 == hashlib.sha256(half.path.read_bytes()).hexdigest()
    assert (parity.atol, parity.rtol, parity.saved_model) == (1e-2, 1e-2, "f00d")
    assert (parity.trial.measure, parity.trial.items) == ("accuracy", 60)
    assert (parity.trial.fp32, parity.trial.variant) == (1, 1)
    assert "no CUDA here" in parity.trial.remark


@pytest.mark.skipif(HAS_CUDA, reason="speed is judged there")
def test_fp16_without_a_sample_is_tried_on_random_inputs(fp32):
    (half,) = made(fp32, Options(fp16=True), sample=None)
    assert half.refusal == ""
    assert (half.parity.trial.measure, half.parity.trial.items) == ("R2", 32)


def test_fp16_whose_numbers_are_too_large_is_refused(fp32):
    fp32.write_bytes(linear_onnx(np.full((4, 3), 1000, np.float32)))
    (half,) = made(fp32, Options(fp16=True))
    # (100 + 100) x 1000 is more than 65504, the largest number that binary16 holds.
    assert "model.fp16.onnx was not made: " in half.refusal
    assert "reaches 2e+05, and the largest float16 is 65504" in half.refusal
    assert half.parity is None


def test_int8_is_calibrated_on_some_of_the_sample_and_tried_on_the_others(fp32):
    (small,) = made(fp32, Options(int8=True))
    trial = small.parity.trial
    assert trial.calibrated_on == "20 of the 60 of sample.npz"
    assert (trial.measure, trial.items, trial.fp32) == ("accuracy", 40, 1)
    assert list(trial.milliseconds) == ["1", "32"]


def test_the_verdict_on_int8_is_what_the_numbers_say(fp32):
    """The product is so small that 8 bits cannot pay for quantizing and back."""
    (small,) = made(fp32, Options(int8=True))
    trial = small.parity.trial
    slower = any(by["variant"] > by["fp32"] for by in trial.milliseconds.values())
    assert slower == ("slower" in small.refusal)
    assert small.parity.passed == (small.refusal == "")


def test_int8_of_rows_is_calibrated_on_half_of_the_folders_arrays(fp32, tmp_path):
    fp32.write_bytes(wide_onnx())
    rows = np.random.default_rng(4).standard_normal((96, 256))
    folder = tmp_path / "rows"
    folder.mkdir()
    np.savez(folder / "rows.npz", x=rows)
    (small,) = made(fp32, Options(int8=True, calibration=folder), sample=None)
    trial = small.parity.trial
    assert (trial.measure, trial.items) == ("R2", 64)
    assert trial.calibrated_on == "32 of the 96 rows of rows"
    # 8 bits of a bell curve's +-3 keep far more than half of the variance, but not all.
    assert 0.9 < trial.variant < 1
    assert (trial.drop > 0.5) == ("percentage points" in small.refusal)


def test_a_folder_of_images_is_calibrated_on_and_the_sample_tried(fp32, tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    for i, row in enumerate(PIXELS[::4]):
        (folder / f"{i}.png").write_bytes(png(row.reshape(2, 2)))
    (small,) = made(fp32, Options(int8=True, calibration=folder))
    trial = small.parity.trial
    assert trial.calibrated_on == "the 15 images of photos"
    assert (trial.measure, trial.items) == ("accuracy", 60)


def test_int8_without_anything_to_calibrate_on_says_what_to_give(fp32):
    (small,) = made(fp32, Options(int8=True), sample=None)
    assert "sample.npz nor rows.npz; give --calibration FOLDER" in small.refusal
    assert small.parity is None
    assert not small.path.exists()


def test_calibration_that_does_not_fit_refuses_int8_alone(fp32, tmp_path):
    folder = tmp_path / "empty"
    folder.mkdir()
    half, small = made(fp32, Options(fp16=True, int8=True, calibration=folder))
    assert "holds no image" in small.refusal
    assert (half.variant, small.variant) == ("fp16", "int8")


def test_ranges_that_lose_accuracy_are_refused_with_the_numbers(fp32, tmp_path):
    """Calibration on dark pictures cuts bright ones until they are all equal."""
    folder = tmp_path / "dark"
    folder.mkdir()
    (folder / "dark.png").write_bytes(png(np.full((2, 2), 10, np.uint8)))
    bright = np.array([[200, 100, 0, 0], [100, 200, 0, 0]], np.uint8)
    sample = Sample(bright.reshape(2, 2, 2, 1), np.array([0, 1]))
    (small,) = made(fp32, Options(int8=True, calibration=folder), sample)
    assert "model.int8.onnx loses 50.00 percentage points" in small.refusal
    assert "accuracy 100.00% to 50.00%" in small.refusal
    assert small.parity.passed is False
