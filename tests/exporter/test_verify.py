"""Files that differ from the proved ones are told apart."""

import json
import shutil

import numpy as np
import pytest

from exporter.child.run import Limits
from exporter.destination import beside, destination_of
from exporter.errors import NoOnnx
from exporter.export import export
from exporter.options import Options
from exporter.sources.source import open_source
from exporter.verify import verify
from tests.examples import linear_onnx, write_bundle

pytestmark = pytest.mark.tensorflow


def run_here(work, order, *, tell, **_):
    """Do the child's work in this process; see test_export.py."""
    return work(order, tell)


@pytest.fixture(autouse=True)
def in_this_process(monkeypatch):
    monkeypatch.setattr("exporter.export.run_in_child", run_here)
    monkeypatch.setattr("exporter.verify.run_in_child", run_here)


@pytest.fixture(scope="session")
def converted(keras, tmp_path_factory):
    """Return a converted bundle, which no test may change.

    The model scales and flattens (batch, 2, 2, 1) pixels, and multiplies them by
    weights. The bundle is proved, with model.fp16.onnx beside it.
    """
    model = keras.Sequential(
        [
            keras.Input((2, 2, 1), name="pixels"),
            keras.layers.Rescaling(1 / 255),
            keras.layers.Flatten(),
            keras.layers.Dense(3, use_bias=False),
        ]
    )
    folder = tmp_path_factory.mktemp("converted") / "linear"
    model.export(folder, verbose=False)
    write_bundle(folder, proved=False)
    (folder / "model.onnx").unlink()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("exporter.export.run_in_child", run_here)
        export(open_source(folder), Options(fp16=True))
    return folder


@pytest.fixture
def source(converted, tmp_path):
    """Return a copy of the converted bundle for one test, without the variant."""
    folder = shutil.copytree(converted, tmp_path / "linear")
    (folder / "model.fp16.onnx").unlink()
    (folder / "parity.fp16.json").unlink()
    return open_source(folder)


def contents(folder):
    return {
        p: (p.read_bytes(), p.stat().st_mtime_ns)
        for p in folder.iterdir()
        if p.is_file()
    }


def look(source, destination=None):
    return verify(
        source,
        destination or beside(source),
        limits=Limits(),
        tell=lambda step: None,
    )


def test_what_was_proved_holds_and_nothing_is_written(source):
    before = contents(source.folder)
    verdict = look(source)
    assert verdict.faults == ()
    assert verdict.parity.passed
    assert contents(source.folder) == before


def test_another_model_is_told_by_its_bytes_and_by_its_answers(source):
    """Its output has another name too, so the test renames that output."""
    import onnx

    model = onnx.load_from_string(linear_onnx())
    model.graph.node[1].output[0] = model.graph.output[0].name = "output_0"
    onnx.save(model, beside(source).model)
    faults = look(source).faults
    assert len(faults) == 2
    assert "is not the file that parity.json proved" in faults[0]
    assert "answers otherwise than TensorFlow: largest difference" in faults[1]


def test_other_weights_than_those_it_was_proved_against(source):
    source.graph.write_bytes(source.graph.read_bytes() + b"\x10\x00")
    assert "proved against another saved_model.pb" in look(source).faults[0]


def test_a_proof_that_failed_or_is_not_there(source):
    proof = beside(source).proof
    content = json.loads(proof.read_bytes())
    proof.write_text(json.dumps({**content, "passed": False}))
    assert look(source).faults == (
        "parity.json says that model.onnx failed its parity check",
    )
    proof.write_text("junk")
    assert look(source).faults == ("parity.json is not a parity report",)
    proof.unlink()
    assert "there is no parity.json" in look(source).faults[0]


def test_a_damaged_file_of_the_bundle(source):
    from bundle.manifest import write_manifest

    write_manifest(source.folder)
    (source.folder / "labels.txt").write_text("other\n")
    assert (
        "labels.txt is not the file that manifest.json lists"
        in (look(source).faults[0])
    )


def test_without_an_onnx_there_is_nothing_to_verify(source, tmp_path):
    with pytest.raises(NoOnnx, match="make it with: exporter convert"):
        look(source, destination_of(source, tmp_path / "elsewhere"))
    assert not (tmp_path / "elsewhere").exists()


def test_a_variant_that_is_not_the_one_that_was_proved(converted, tmp_path):
    source = open_source(shutil.copytree(converted, tmp_path / "linear"))
    assert look(source).faults == ()
    (source.folder / "model.fp16.onnx").write_bytes(linear_onnx())
    assert look(source).faults == (
        "model.fp16.onnx, or its data, is not the file that parity.fp16.json proved",
    )


def test_the_worst_batch_comes_with_both_answers(source):
    """The other model's weights are doubled, so its answers are twice as large."""
    import onnx
    from onnx import numpy_helper

    path = beside(source).model
    model = onnx.load(path)
    (weights,) = [w for w in model.graph.initializer if len(w.dims) == 2]
    doubled = numpy_helper.to_array(weights) * 2
    weights.CopyFrom(numpy_helper.from_array(doubled, weights.name))
    onnx.save(model, path)
    verdict = look(source)
    assert set(verdict.worst) == {
        *("input/pixels", "expected/output_0", "answered/output_0")
    }
    expected = verdict.worst["expected/output_0"]
    # Both engines calculate in float32, and add in another order.
    np.testing.assert_allclose(
        verdict.worst["answered/output_0"], 2 * expected, rtol=1e-5, atol=1e-6
    )
    worst = verdict.parity.worst
    assert expected[worst.element] == pytest.approx(worst.expected)
    assert f"in place of {worst.expected:.9g}" in verdict.faults[-1]
