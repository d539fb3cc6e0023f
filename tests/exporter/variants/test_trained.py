"""A network is trained for a moment, and its variants are tried."""

import json
from pathlib import Path

import numpy as np
import pytest

import trainer
from bundle.folder import open_bundle
from bundle.parity import read_parity
from exporter.errors import VariantRefused
from exporter.export import export
from exporter.options import Options
from exporter.sources.source import open_source
from runtime.backends.opening import open_backend
from runtime.backends.options import BackendOptions
from tests.examples import write_bundle

pytestmark = [pytest.mark.tensorflow, pytest.mark.slow]


@pytest.fixture(scope="module")
def in_this_process():
    """Do the child's work in this process; see test_export.py."""

    def run(work, order, *, tell, **_):
        return work(order, tell)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("exporter.export.run_in_child", run)
        yield


@pytest.fixture(scope="module")
def mnist():
    with np.load(Path(trainer.__file__).parent / "data" / "mnist.npz") as arrays:
        return dict(arrays)


def pixels(images):
    return images[..., np.newaxis]


@pytest.fixture(scope="module", params=[4, 32], ids=["narrow", "wide"])
def trained(request, keras, mnist, tmp_path_factory):
    """Write a bundle of a CNN with these filters, and 300 test images as its sample."""
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((28, 28, 1), name="input_1"),
            layers.Rescaling(1 / 255),
            layers.Conv2D(request.param, 3, activation="relu"),
            layers.Conv2D(request.param, 3, activation="relu"),
            layers.MaxPooling2D(2),
            layers.Flatten(),
            layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy")
    # Small batches: so many steps with fewer images.
    model.fit(pixels(mnist["x_train"][:4000]), mnist["y_train"][:4000], 16, verbose=0)
    folder = tmp_path_factory.mktemp("trained") / "digits"
    model.export(folder, verbose=False)
    write_bundle(folder, name="digits", proved=False, labels=tuple("0123456789"))
    (folder / "model.onnx").unlink()
    images, labels = pixels(mnist["x_test"][:300]), mnist["y_test"][:300]
    np.savez(folder / "sample.npz", images=images, labels=labels)
    return folder


@pytest.fixture(scope="module")
def exported(trained, in_this_process):
    """Return the bundle with its ONNX and both variants, and what was refused."""
    try:
        export(open_source(trained), Options(int8=True, fp16=True))
    except VariantRefused as ex:
        return trained, str(ex)
    return trained, ""


def accuracy(folder, mnist, variant):
    """Return the accuracy on test images that the exporter has not seen."""
    options = BackendOptions(provider="cpu", variant=variant)
    opened = open_backend(open_bundle(folder), options)
    assert opened.variant == variant
    images, labels = pixels(mnist["x_test"][300:2300]), mnist["y_test"][300:2300]
    batch = {opened.backend.inputs[0].name: images.astype(np.float32)}
    (scores,) = opened.backend.run(batch).values()
    return (scores.argmax(axis=1) == labels).mean()


def test_int8_is_published_or_refused_as_its_numbers_say(exported, mnist):
    folder, refusal = exported
    fp32 = accuracy(folder, mnist, "fp32")
    assert fp32 > 0.8
    parity = read_parity(folder, "parity.int8.json")
    if refusal:
        assert "is slower than fp32 here" in refusal or "loses" in refusal
        assert parity is None
        assert not (folder / "model.int8.onnx").exists()
        return
    trial = parity.trial
    assert (parity.passed, trial.items) == (True, 200)
    assert all(by["variant"] <= by["fp32"] for by in trial.milliseconds.values())
    # The loss is within 0.5 points on the sample; on 2,000 other images, chance adds at
    # most as much.
    assert fp32 - accuracy(folder, mnist, "int8") < 0.01


def test_fp16_answers_as_fp32_does(exported, mnist):
    folder, _ = exported
    proof = json.loads((folder / "parity.fp16.json").read_bytes())
    assert proof["passed"] is True
    assert proof["max_abs_diff"] < 1e-2
    assert (
        abs(accuracy(folder, mnist, "fp32") - accuracy(folder, mnist, "fp16")) < 0.002
    )
