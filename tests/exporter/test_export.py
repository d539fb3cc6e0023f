import json

import numpy as np
import pytest

from bundle.errors import BundleError
from bundle.folder import open_bundle
from exporter.errors import ExportError, ParityFailed
from exporter.export import export
from runtime.backends import (
    BackendOptions,
    check_proof,
    open_backend,
    open_tensorflow,
)
from tests.examples import write_bundle
from tests.frozen import (
    ANSWER,
    FILE,
    ROW,
    frozen,
    frozen_variables,
    pixels,
    rows,
    rows_with_default,
    scoped_rows,
    write_frozen_bundle,
)

pytestmark = pytest.mark.tensorflow


@pytest.fixture
def folder(saved_model, small_cnn):
    """A bundle of three classes, with three pictures to try it on."""
    folder = saved_model(small_cnn)
    write_bundle(folder, name="small", proved=False)
    (folder / "model.onnx").unlink()
    images = np.random.default_rng(0).integers(0, 256, (3, 8, 8, 1), np.uint8)
    np.savez(folder / "sample.npz", images=images, labels=np.arange(3))
    return folder


def files(folder):
    return {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}


def test_a_bundle_gains_a_proved_model(folder):
    before = files(folder)
    parity = export(folder)
    assert parity.passed
    assert "sample" in {case.inputs for case in parity.cases}
    assert files(folder) - before == {"model.onnx", "parity.json"}
    opened = open_backend(open_bundle(folder), BackendOptions())
    assert (opened.backend.name, opened.is_proved) == ("onnxruntime", True)


def test_parity_json_is_plain_json_of_the_report(folder):
    parity = export(folder)
    stored = json.loads((folder / "parity.json").read_bytes())
    assert stored == json.loads(json.dumps(parity.to_json()))


def test_a_saved_model_without_params_is_converted_too(saved_model, small_cnn):
    folder = saved_model(small_cnn)
    assert export(folder).passed
    assert (folder / "model.onnx").is_file()


def lie(monkeypatch):
    """Have the conversion give back another model: its weights are doubled."""
    import onnx
    from onnx import numpy_helper

    import exporter.convert

    honest = exporter.convert.convert

    def convert(*given):
        model = honest(*given)
        for tensor in model.graph.initializer:
            if tensor.data_type == onnx.TensorProto.FLOAT:
                doubled = numpy_helper.to_array(tensor) * 2
                tensor.CopyFrom(numpy_helper.from_array(doubled, tensor.name))
        return model

    monkeypatch.setattr(exporter.convert, "convert", convert)


def test_a_model_that_answers_otherwise_leaves_no_onnx(folder, monkeypatch):
    export(folder)
    lie(monkeypatch)
    with pytest.raises(ParityFailed, match="answers otherwise") as caught:
        export(folder)
    assert caught.value.parity.max_abs_diff > 1e-4
    assert not (folder / "model.onnx").exists()
    assert json.loads((folder / "parity.json").read_bytes())["passed"] is False
    opened = open_backend(open_bundle(folder), BackendOptions())
    assert opened.backend.name == "tensorflow"
    assert "failed its parity check" in opened.fallback_reason


def test_a_model_that_cannot_be_converted_changes_nothing(saved_model, keras):
    words = keras.layers.TextVectorization(vocabulary=["yes", "no"])
    folder = saved_model(keras.Sequential([keras.Input((), dtype="string"), words]))
    before = files(folder)
    with pytest.raises(ExportError):
        export(folder)
    assert files(folder) == before


def test_a_file_that_is_no_saved_model_cannot_be_loaded(tmp_path):
    (tmp_path / "saved_model.pb").write_bytes(b"junk")
    with pytest.raises(ExportError, match="^TensorFlow cannot load saved_model.pb$"):
        export(tmp_path)


def test_a_saved_model_without_a_serving_signature_names_those_it_has(tmp_path):
    import tensorflow as tf

    module = tf.Module()
    module.double = tf.function(
        lambda x: 2 * x, input_signature=[tf.TensorSpec([None], tf.float32)]
    )
    tf.saved_model.save(module, tmp_path, signatures={"double": module.double})
    with pytest.raises(ExportError, match="no signature 'serving_default'.* double"):
        export(tmp_path)


def answers(folder, inputs):
    """What each engine answers of a converted bundle."""
    bundle = open_bundle(folder)
    backends = (
        open_backend(bundle, BackendOptions(provider="cpu")).backend,
        open_tensorflow(bundle),
    )
    assert [backend.name for backend in backends] == ["onnxruntime", "tensorflow"]
    assert len({(b.inputs, b.outputs) for b in backends}) == 1
    return [backend.run(inputs) for backend in backends]


@pytest.mark.parametrize(
    ("graph", "nodes", "batch"),
    [
        (lambda: frozen(rows), ("x", "scores"), ROW),
        (lambda: frozen(scoped_rows), ("net/x", "net/scores:0"), ROW),
        (frozen_variables, ("x", "scores"), ROW),
        (lambda: frozen(rows_with_default), ("x", "scores"), ROW),
        (lambda: frozen(pixels), ("x", "scores"), ROW.reshape(1, 2, 2, 1)),
    ],
    ids=["rows", "scope", "variables", "default", "pixels"],
)
def test_a_frozen_graph_becomes_onnx_of_the_same_names_and_answers(
    tmp_path, graph, nodes, batch
):
    folder = write_frozen_bundle(
        tmp_path, graph(), inputNode=nodes[0], outputNode=nodes[1]
    )
    before = files(folder)
    assert export(folder).passed
    assert files(folder) - before == {"model.onnx", "parity.json"}
    takes, gives = nodes[0], nodes[1].removesuffix(":0")
    for answered in answers(folder, {takes: batch}):
        assert {name: row.tolist() for name, row in answered.items()} == {gives: ANSWER}


def test_onnx_of_another_frozen_graph_is_not_served(tmp_path):
    folder = write_frozen_bundle(tmp_path, frozen(rows))
    export(folder)
    (folder / FILE).write_bytes(frozen_variables())
    with pytest.raises(BundleError, match=f"proved against another {FILE}"):
        check_proof(open_bundle(folder))


def test_onnx_between_other_nodes_than_params_json_names_is_not_served(tmp_path):
    """Its one output would be taken for the one that is wanted."""

    def build(v1):
        rows(v1)
        v1.nn.softmax(v1.get_default_graph().get_tensor_by_name("scores:0"), name="p")

    folder = write_frozen_bundle(tmp_path, frozen(build))
    export(folder)
    write_frozen_bundle(tmp_path, frozen(build), outputNode="p")
    opened = open_backend(open_bundle(folder), BackendOptions())
    assert opened.backend.name == "tensorflow"
    assert [spec.name for spec in opened.backend.outputs] == ["p"]
    assert f"proved against another {FILE}" in opened.fallback_reason


def test_a_frozen_graph_without_the_named_node_cannot_be_loaded(tmp_path):
    folder = write_frozen_bundle(tmp_path, frozen(rows), inputNode="input_1")
    with pytest.raises(ExportError, match=f"{FILE} has no node 'input_1'"):
        export(folder)


def test_a_bundle_of_onnx_alone_has_nothing_to_convert(tmp_path):
    with pytest.raises(BundleError, match="nothing to convert"):
        export(write_bundle(tmp_path / "linear"))


def test_a_folder_of_something_else_is_refused(tmp_path):
    with pytest.raises(BundleError, match="neither a bundle nor a SavedModel"):
        export(tmp_path)


def test_a_folder_that_cannot_be_written_is_refused_before_the_work(
    folder, monkeypatch
):
    """root may write anywhere, so the question itself is answered here."""
    monkeypatch.setattr("os.access", lambda path, mode: False)
    monkeypatch.setattr("exporter.export._convert_and_prove", None)
    with pytest.raises(BundleError, match="is not writable"):
        export(folder)


def test_a_full_disk_is_a_sentence_and_leaves_the_bundle(folder, monkeypatch):
    before = files(folder)

    def fail(path, data):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("exporter.export.replace_file", fail)
    with pytest.raises(ExportError, match="cannot be written: No space left"):
        export(folder)
    assert files(folder) == before


def test_what_a_killed_export_left_is_taken_away(folder):
    left = folder / f".model.onnx.{'0' * 32}"
    left.touch()
    export(folder)
    assert not left.exists()


def test_verbose_lets_tf2onnx_speak(folder, capfd):
    export(folder)
    assert "tf2onnx" not in capfd.readouterr().err
    export(folder, verbose=True)
    import logging

    assert logging.getLogger("tf2onnx").level == logging.INFO


def test_a_bundle_replaced_meanwhile_is_left_as_it_is(folder, monkeypatch):
    """Deleted and uploaded again while it was converted: other weights lie there."""
    import exporter.export

    prove = exporter.export._convert_and_prove

    def replace(source, *arguments):
        parity = prove(source, *arguments)
        weights = folder / "variables" / "variables.data-00000-of-00001"
        weights.write_bytes(weights.read_bytes()[::-1])
        return parity

    monkeypatch.setattr("exporter.export._convert_and_prove", replace)
    before = files(folder)
    with pytest.raises(ExportError, match="was replaced while it was converted"):
        export(folder)
    assert files(folder) == before


def test_onnx_that_was_proved_against_other_weights_is_not_served(folder):
    export(folder)
    weights = folder / "variables" / "variables.data-00000-of-00001"
    weights.write_bytes(weights.read_bytes()[::-1])
    with pytest.raises(BundleError, match="proved against another saved_model.pb"):
        check_proof(open_bundle(folder))
