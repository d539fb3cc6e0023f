"""A twin computes in 16 bits with the same float32 weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.trainer.examples import blank_images
from trainer.data import DataSet
from trainer.errors import ArchitectureError
from trainer.learner import Learner, split_of
from trainer.networks import NETWORKS
from trainer.precision import machine_precision, twin_of
from trainer.settings import Settings
from trainer.train import train

pytestmark = [pytest.mark.tensorflow, pytest.mark.usefixtures("tensorflow")]


@pytest.mark.parametrize("name", ["cnn", "resnet-small"])
def test_a_twin_has_the_weights_and_nearly_the_answers(name: str) -> None:
    model = NETWORKS[name](blank_images((12, 12, 3), 4), 0.25)
    twin = twin_of(model, "mixed")
    for a, b in zip(model.get_weights(), twin.get_weights(), strict=True):
        assert b.dtype == np.float32
        np.testing.assert_array_equal(a, b)
    kinds = {layer.compute_dtype for layer in twin.layers[1:-1]}
    assert kinds == {"bfloat16"}
    # Scores of 16 bits would not sum to 1.
    assert twin.layers[-1].compute_dtype == "float32"
    noise = np.random.default_rng(0).integers(0, 256, (4, 12, 12, 3), np.uint8)
    np.testing.assert_allclose(
        np.asarray(twin(noise)), np.asarray(model(noise)), atol=0.02
    )


def test_float16_of_a_gpu_trains_with_a_scaled_loss(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """This machine has no GPU; its processor computes in float16, too, but slowly."""
    monkeypatch.setattr("trainer.precision._has_gpu", lambda: True)
    images = np.zeros((40, 10, 10, 1), np.uint8)
    numbers = np.arange(40) % 2
    images[numbers == 1] = 255
    data = DataSet(images, numbers, images, numbers, ("black", "white"))
    training = train(data, Settings(8, 8, 1, width=0.25, precision="mixed"))
    assert training.test_accuracy == 1.0
    assert np.isfinite(training.history["loss"]).all()
    twin = twin_of(training.model, "mixed")
    assert {layer.compute_dtype for layer in twin.layers[:-1]} == {"float16"}
    learner = Learner(training.model, data, training.settings, split_of(data, 1))
    # A checkpoint keeps the scale, too.
    assert any("scale" in variable.path for variable in learner.variables)


def test_float32_needs_no_twin() -> None:
    model = NETWORKS["cnn"](blank_images((12, 12, 3), 4), 0.25)
    assert twin_of(model, "float32") is model


def test_a_model_of_a_class_of_its_own_is_refused() -> None:
    import keras

    class Own(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.end = keras.layers.Dense(2)

        def call(self, x: object) -> object:
            return self.end(x)

    model = Own()
    model(np.zeros((1, 3), np.float32))
    with pytest.raises(ArchitectureError, match="give --precision float32"):
        twin_of(model, "mixed")


@pytest.mark.parametrize(
    ("text", "precision"),
    [
        ("flags\t\t: fpu avx2\nflags\t\t: fpu avx2\n", "float32"),
        ("flags\t\t: fpu avx512_bf16 avx2\n", "mixed"),
        ("model name : x\nflags : amx_bf16\n", "mixed"),
        ("Features\t: fp asimd bf16\n", "mixed"),
        ("bugs : bf16\n", "float32"),
        ("", "float32"),
    ],
)
def test_the_processor_says_whether_16_bits_are_faster(
    monkeypatch: pytest.MonkeyPatch, text: str, precision: str
) -> None:
    def read_text(path: Path, *given: str) -> str:
        assert str(path) == "/proc/cpuinfo"
        return text

    monkeypatch.setattr("trainer.precision._has_gpu", lambda: False)
    monkeypatch.setattr(Path, "read_text", read_text)
    assert machine_precision() == precision


def test_a_gpu_computes_faster_in_16_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trainer.precision._has_gpu", lambda: True)
    assert machine_precision() == "mixed"
