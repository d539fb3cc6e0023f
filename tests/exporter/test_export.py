import json
from dataclasses import replace

import numpy as np
import pytest

from bundle.errors import BundleError
from bundle.folder import open_bundle
from bundle.manifest import onnx_digest
from exporter.conversion import Order, convert_and_prove
from exporter.destination import destination_of
from exporter.errors import ExportError, ParityFailed, SourceError, VariantRefused
from exporter.export import export
from exporter.options import Options
from exporter.sources.source import find_source, open_source
from runtime.backends.opening import open_backend, open_tensorflow
from runtime.backends.options import BackendOptions
from runtime.backends.proof import check_proof
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


@pytest.fixture(autouse=True)
def in_this_process(monkeypatch):
    """Do the child's work here, to import TensorFlow once for all of these tests.

    The tests in child/test_run.py and end_to_end show that a child does the work.
    """

    def run(work, order, *, tell, **_):
        return work(order, tell)

    monkeypatch.setattr("exporter.export.run_in_child", run)


@pytest.fixture
def folder(saved_model, small_cnn):
    """Write a bundle of three classes, with three pictures as its sample."""
    folder = saved_model(small_cnn)
    write_bundle(folder, name="small", proved=False)
    (folder / "model.onnx").unlink()
    images = np.random.default_rng(0).integers(0, 256, (3, 8, 8, 1), np.uint8)
    np.savez(folder / "sample.npz", images=images, labels=np.arange(3))
    return folder


def files(folder):
    return {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}


def export_folder(folder, **options):
    return export(open_source(folder), **options)


def test_a_bundle_gains_a_proved_model(folder):
    before = files(folder)
    parity = export_folder(folder)
    assert parity.passed
    assert parity.source == "small"
    assert "sample" in {case.inputs for case in parity.cases}
    assert files(folder) - before == {"model.onnx", "parity.json"}
    opened = open_backend(open_bundle(folder), BackendOptions())
    assert (opened.backend.name, opened.is_proved) == ("onnxruntime", True)


def test_parity_json_is_plain_json_of_the_report(folder):
    parity = export_folder(folder)
    stored = json.loads((folder / "parity.json").read_bytes())
    assert stored == json.loads(json.dumps(parity.to_json()))


def test_each_step_is_told(folder):
    steps = []
    export_folder(folder, tell=steps.append)
    assert steps[0] == "loading"
    assert steps[-1] == "publishing"
    assert {"converting", "writing", "proving: sample, batch 7"} < set(steps)


def test_a_saved_model_without_params_is_converted_too(saved_model, small_cnn):
    folder = saved_model(small_cnn)
    assert export_folder(folder).passed
    assert (folder / "model.onnx").is_file()


def test_output_leaves_the_source_alone(folder, tmp_path):
    before = files(folder)
    source = open_source(folder)
    out = tmp_path / "out"
    export(source, destination=destination_of(source, out / "small.onnx"))
    assert files(folder) == before
    assert files(out) == {"small.onnx", "small.parity.json"}


def test_the_opset_is_the_one_asked_for(folder):
    import onnx

    export_folder(folder, options=Options(opset=17))
    opsets = onnx.load(folder / "model.onnx").opset_import
    assert {o.domain: o.version for o in opsets}[""] == 17


# --- models of more than one file


# The real limit is 2 GB; this one is below the size of the model's weights.
SMALL = 4096


@pytest.fixture
def heavy(saved_model, keras):
    """Write a bundle with 3 MB of weights, in two large tensors."""
    model = keras.Sequential(
        [
            keras.Input((24, 24, 1)),
            keras.layers.Rescaling(1 / 255),
            keras.layers.Flatten(),
            keras.layers.Dense(512, activation="relu"),
            keras.layers.Dense(600),
        ]
    )
    folder = saved_model(model)
    write_bundle(folder, proved=False)
    (folder / "model.onnx").unlink()
    return folder


def test_weights_beyond_the_limit_go_into_one_file_beside(heavy):
    import onnx

    folder = heavy
    before = files(folder)
    parity = export_folder(folder, max_inside=SMALL)
    assert files(folder) - before == {"model.onnx", "model.onnx.data", "parity.json"}
    model = onnx.load(folder / "model.onnx", load_external_data=False)
    locations = {
        entry.value
        for tensor in model.graph.initializer
        for entry in tensor.external_data
        if entry.key == "location"
    }
    assert locations == {"model.onnx.data"}
    assert parity.sha256 == onnx_digest(folder / "model.onnx")
    opened = open_backend(open_bundle(folder), BackendOptions(provider="cpu"))
    assert (opened.backend.name, opened.is_proved) == ("onnxruntime", True)


@pytest.mark.parametrize("change", ["changed", "missing"])
def test_data_that_was_not_proved_is_not_served(heavy, change):
    export_folder(heavy, max_inside=SMALL)
    data = heavy / "model.onnx.data"
    if change == "changed":
        data.write_bytes(data.read_bytes()[::-1])
    else:
        data.unlink()
    opened = open_backend(open_bundle(heavy), BackendOptions(provider="cpu"))
    assert opened.backend.name == "tensorflow"
    assert "not the one that parity.json proved" in opened.fallback_reason


# --- failures


def lie(monkeypatch):
    """Have the conversion return another model: its weights are doubled."""
    import onnx
    from onnx import numpy_helper

    import exporter.onnx_model.convert

    honest = exporter.onnx_model.convert.convert

    def convert(*arguments):
        model = honest(*arguments)
        for tensor in model.graph.initializer:
            if tensor.data_type == onnx.TensorProto.FLOAT:
                doubled = numpy_helper.to_array(tensor) * 2
                tensor.CopyFrom(numpy_helper.from_array(doubled, tensor.name))
        return model

    monkeypatch.setattr(exporter.onnx_model.convert, "convert", convert)


def test_a_model_that_answers_otherwise_leaves_no_onnx(folder, monkeypatch):
    export_folder(folder)
    lie(monkeypatch)
    with pytest.raises(ParityFailed, match="answers otherwise") as caught:
        export_folder(folder)
    assert caught.value.parity.max_abs_diff > 1e-4
    assert not (folder / "model.onnx").exists()
    assert json.loads((folder / "parity.json").read_bytes())["passed"] is False
    opened = open_backend(open_bundle(folder), BackendOptions())
    assert opened.backend.name == "tensorflow"
    assert "failed its parity check" in opened.fallback_reason


def test_a_model_that_cannot_be_converted_changes_nothing(tmp_path):
    """ONNX Runtime has no operator that makes hashes of texts."""
    import tensorflow as tf

    module = tf.Module()
    module.hash = tf.function(
        lambda x: {"bucket": tf.strings.to_hash_bucket_fast(x, 10)},
        input_signature=[tf.TensorSpec([None], tf.string, name="x")],
    )
    tf.saved_model.save(module, tmp_path, signatures={"serving_default": module.hash})
    before = files(tmp_path)
    with pytest.raises(ExportError, match="StringToHashBucketFast"):
        export_folder(tmp_path)
    assert files(tmp_path) == before


def test_a_file_that_is_no_saved_model_cannot_be_loaded(tmp_path):
    (tmp_path / "saved_model.pb").write_bytes(b"junk")
    with pytest.raises(SourceError, match="^saved_model.pb is damaged: it cannot be"):
        export_folder(tmp_path)


def test_a_link_in_the_place_of_the_model_is_not_followed(
    folder, tmp_path, monkeypatch
):
    """A model that has taken control of the child might have any file published."""
    (tmp_path / "secret").write_text("of the user who converts")
    before = files(folder)

    def run(work, order, *, tell, **_):
        made = work(order, tell)
        order.candidate.unlink()
        order.candidate.symlink_to(tmp_path / "secret")
        return made

    monkeypatch.setattr("exporter.export.run_in_child", run)
    with pytest.raises(ExportError, match="the work left model.onnx, .* no plain file"):
        export_folder(folder)
    assert files(folder) == before


def test_verbose_lets_tf2onnx_speak(folder):
    import logging

    export_folder(folder)
    assert logging.getLogger("tf2onnx").level > logging.INFO
    export_folder(folder, options=Options(verbose=True))
    assert logging.getLogger("tf2onnx").level == logging.INFO


def test_a_bundle_replaced_meanwhile_is_left_as_it_is(folder):
    """The bundle was deleted and uploaded again meanwhile, so it has other weights."""
    before = files(folder)

    def replace_weights(step):
        if step == "writing":
            weights = folder / "variables" / "variables.data-00000-of-00001"
            weights.write_bytes(weights.read_bytes()[::-1])

    with pytest.raises(ExportError, match="was replaced while it was converted"):
        export_folder(folder, tell=replace_weights)
    assert files(folder) == before


def test_onnx_that_was_proved_against_other_weights_is_not_served(folder):
    export_folder(folder)
    weights = folder / "variables" / "variables.data-00000-of-00001"
    weights.write_bytes(weights.read_bytes()[::-1])
    with pytest.raises(BundleError, match="proved against another saved_model.pb"):
        check_proof(open_bundle(folder))


# --- signatures


@pytest.fixture
def two_signatures(tmp_path):
    import tensorflow as tf

    module = tf.Module()
    for name, factor in (("double", 2), ("triple", 3)):
        function = tf.function(
            lambda x, factor=factor: {"y": factor * x},
            input_signature=[tf.TensorSpec([None], tf.float32, name="x")],
        )
        setattr(module, name, function)
    signatures = {"double": module.double, "triple": module.triple}
    tf.saved_model.save(module, tmp_path / "net", signatures=signatures)
    return tmp_path / "net"


def run_onnx(path, **inputs):
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(None, inputs), strict=True))


@pytest.mark.parametrize(("signature", "answer"), [("double", 4.0), ("triple", 6.0)])
def test_the_signature_asked_for_is_converted(two_signatures, signature, answer):
    export(open_source(two_signatures, signature=signature))
    two = np.array([2], np.float32)
    answered = run_onnx(two_signatures / "model.onnx", x=two)
    assert answered["y"].tolist() == [answer]


def test_a_signature_that_is_missing_is_answered_with_those_there_are(two_signatures):
    with pytest.raises(
        SourceError,
        match="no signature 'serving_default'; it has double, triple; .*--signature",
    ):
        export_folder(two_signatures)


def test_a_saved_model_of_tensorflow_1(tmp_path):
    """It has no serving_default, because most such models have another name for it."""
    import tensorflow as tf

    v1 = tf.compat.v1
    graph = tf.Graph()
    with graph.as_default(), v1.Session() as session:
        x = v1.placeholder(v1.float32, [None, 2], name="x")
        weights = v1.get_variable("w", initializer=np.array([[1.0], [10.0]], "f4"))
        scores = v1.matmul(x, weights)
        session.run(v1.global_variables_initializer())
        builder = v1.saved_model.Builder(str(tmp_path / "net"))
        predict = v1.saved_model.predict_signature_def({"row": x}, {"score": scores})
        builder.add_meta_graph_and_variables(
            session, ["serve"], signature_def_map={"predict": predict}
        )
        builder.save()
    export(open_source(tmp_path / "net", signature="predict"))
    answered = run_onnx(
        tmp_path / "net" / "model.onnx", row=np.array([[2, 3]], np.float32)
    )
    assert answered["score"].tolist() == [[32.0]]


@pytest.mark.parametrize("has_folder", [True, False])
@pytest.mark.parametrize("has_params", [True, False])
def test_a_saved_model_of_constants_needs_no_variables(
    tmp_path, has_folder, has_params
):
    """Somebody put a frozen graph into a SavedModel for TensorFlow Serving."""
    import tensorflow as tf

    v1 = tf.compat.v1
    folder = tmp_path / "1"
    with tf.Graph().as_default(), v1.Session() as session:
        x = v1.placeholder(v1.float32, [None, 2], name="x")
        y = v1.matmul(x, v1.constant([[1.0], [10.0]]))
        v1.saved_model.simple_save(session, str(folder), {"row": x}, {"score": y})
    assert not list((folder / "variables").iterdir())
    if not has_folder:
        (folder / "variables").rmdir()
    if has_params:
        params = {"name": "net", "model": "saved_model.pb"}
        (folder / "params.json").write_text(json.dumps(params))
    export(open_source(folder))
    answered = run_onnx(folder / "model.onnx", row=np.array([[2, 3]], np.float32))
    assert answered["score"].tolist() == [[32.0]]


# --- frozen graphs


def answers(folder, inputs):
    """Return the answer of each engine for a converted bundle."""
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
    assert export_folder(folder).passed
    assert files(folder) - before == {"model.onnx", "parity.json"}
    takes, gives = nodes[0], nodes[1].removesuffix(":0")
    for answered in answers(folder, {takes: batch}):
        assert {name: row.tolist() for name, row in answered.items()} == {gives: ANSWER}


def test_onnx_of_another_frozen_graph_is_not_served(tmp_path):
    folder = write_frozen_bundle(tmp_path, frozen(rows))
    export_folder(folder)
    (folder / FILE).write_bytes(frozen_variables())
    with pytest.raises(BundleError, match=f"proved against another {FILE}"):
        check_proof(open_bundle(folder))


def test_onnx_between_other_nodes_than_params_json_names_is_not_served(tmp_path):
    """Its only output would be taken for the output that params.json names."""

    def build(v1):
        rows(v1)
        x = v1.get_default_graph().get_tensor_by_name("x:0")
        v1.add(x, 1.0, name="more")

    folder = write_frozen_bundle(tmp_path, frozen(build))
    export_folder(folder)
    write_frozen_bundle(tmp_path, frozen(build), outputNode="more")
    with pytest.raises(BundleError, match="or other nodes of it"):
        check_proof(open_bundle(folder))


def test_a_frozen_graph_whose_node_is_not_there_cannot_be_loaded(tmp_path):
    folder = write_frozen_bundle(tmp_path, frozen(rows), inputNode="input_1")
    with pytest.raises(ExportError, match=f"{FILE} has no node 'input_1'"):
        export_folder(folder)


def sum_and_halves(v1):
    """Write two inputs and two nodes that answer, one of which has two outputs."""
    a = v1.placeholder(v1.float32, [None, 4], name="a")
    b = v1.placeholder(v1.float32, [None, 4], name="b")
    v1.add(a, b, name="sum")
    v1.split(a * b, 2, axis=1, name="halves")


def test_a_frozen_graph_of_several_inputs_and_outputs(tmp_path):
    path = tmp_path / "net.pb"
    path.write_bytes(frozen(sum_and_halves))
    source = find_source(
        str(path), tmp_path, inputs=["a", "b"], outputs=["sum", "halves:1"]
    )
    export(source)
    one, two = np.array([[1, 2, 3, 4]], "f4"), np.array([[5, 6, 7, 8]], "f4")
    answered = run_onnx(tmp_path / "model.onnx", a=one, b=two)
    assert {name: array.tolist() for name, array in answered.items()} == {
        "sum": [[6, 8, 10, 12]],
        "halves:1": [[21, 32]],
    }


def test_a_frozen_graph_without_flags_is_answered_with_its_nodes(tmp_path):
    path = tmp_path / "net.pb"
    path.write_bytes(frozen(rows))
    with pytest.raises(
        SourceError,
        match="placeholders are x, .*ends are scores; .*--inputs and --outputs",
    ):
        export(open_source(path))


# --- Keras files


@pytest.mark.parametrize("name", ["net.keras", "net.h5", "NET.KERAS"])
@pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5:UserWarning")
def test_a_keras_file_answers_as_keras(tmp_path, small_cnn, name):
    small_cnn.save(tmp_path / name.lower())
    (tmp_path / name.lower()).rename(tmp_path / name)
    parity = export(open_source(tmp_path / name))
    assert parity.source == name
    images = np.random.default_rng(1).uniform(0, 255, (2, 8, 8, 1)).astype("f4")
    expected = np.asarray(small_cnn(images, training=False))
    answered = run_onnx(tmp_path / "model.onnx", input_1=images)["output_0"]
    np.testing.assert_allclose(answered, expected, rtol=1e-4, atol=1e-5)


def test_the_proof_is_of_the_source_as_it_was_before_it_was_read(folder, tmp_path):
    """A digest taken after the load could be of weights that were not converted."""
    source = open_source(folder)
    digest = source.digest()
    weights = folder / "variables" / "variables.data-00000-of-00001"

    def replace_weights(step):
        if step == "writing":
            weights.write_bytes(weights.read_bytes()[::-1])

    order = Order(source, Options(), tmp_path / "model.onnx")
    assert convert_and_prove(order, replace_weights).parity.saved_model == digest
    assert replace(source).digest() != digest


# --- variants


def test_fp16_is_published_beside_model_onnx_with_its_own_proof(folder):
    before = files(folder)
    export_folder(folder, options=Options(fp16=True))
    assert files(folder) - before == {
        *("model.onnx", "parity.json"),
        *("model.fp16.onnx", "parity.fp16.json"),
    }
    opened = open_backend(open_bundle(folder), BackendOptions(variant="fp16"))
    assert (opened.variant, opened.variant_reason) == ("fp16", "")


def test_a_variant_that_is_refused_goes_and_model_onnx_is_published(folder):
    (folder / "sample.npz").unlink()
    (folder / "model.int8.onnx").write_bytes(b"of a training before")
    (folder / "parity.int8.json").write_text("{}")
    with pytest.raises(VariantRefused, match="give --calibration .* was written") as it:
        export_folder(folder, options=Options(int8=True))
    assert it.value.parity.passed
    assert not [name for name in files(folder) if "int8" in name]
    assert open_backend(open_bundle(folder), BackendOptions()).is_proved


def test_a_variant_of_another_training_does_not_serve(folder, keras, small_cnn):
    export_folder(folder, options=Options(fp16=True))
    other = keras.models.clone_model(small_cnn)
    other.layers[-1].bias.assign([1, 2, 3])
    other.export(folder, verbose=False)
    export_folder(folder)
    opened = open_backend(open_bundle(folder), BackendOptions(variant="fp16"))
    assert (opened.variant, opened.is_proved) == ("fp32", True)
    assert "was proved against another saved_model.pb" in opened.variant_reason


def test_an_onnx_of_nchw_pictures_answers_nhwc_ones_alike(folder):
    """The parity check has given both engines the same pictures."""
    (name,) = [spec.name for spec in open_tensorflow(open_bundle(folder)).inputs]
    assert export_folder(folder, options=Options(inputs_as_nchw=(name,))).passed
    import onnx

    model = onnx.load(folder / "model.onnx")
    shape = model.graph.input[0].type.tensor_type.shape.dim
    assert [d.dim_value for d in shape[1:]] == [1, 8, 8]
    images = {name: np.zeros((1, 8, 8, 1), np.float32)}
    answers(folder, images)


def test_the_opset_is_the_one_that_was_asked_for(folder):
    import onnx

    export_folder(folder, options=Options(opset=15))
    assert onnx.load(folder / "model.onnx").opset_import[0].version == 15


# --- ranges


def embedding(tmp_path, keras):
    """Return an embedding with a table of 50 rows."""
    model = keras.Sequential(
        [
            keras.Input((3,), dtype="int32", name="ids"),
            keras.layers.Embedding(50, 4),
            keras.layers.Flatten(),
            keras.layers.Dense(2),
        ]
    )
    model.save(tmp_path / "net.keras")
    return tmp_path / "net.keras"


def test_an_embedding_is_asked_for_every_row(tmp_path, keras):
    parity = export(open_source(embedding(tmp_path, keras)))
    assert {case.inputs for case in parity.cases} == {"random", "lowest", "highest"}


def test_a_range_of_an_input_that_is_not_there_is_refused(tmp_path, keras):
    path = str(embedding(tmp_path, keras))
    source = find_source(path, tmp_path, declared=[("words", 0, 9)])
    with pytest.raises(SourceError, match="no input 'words'.* ids"):
        export(source)


def test_params_json_declares_ranges_and_the_command_line_wins(tmp_path):
    folder = write_bundle(
        tmp_path / "m", params={"ranges": {"pixels": [0, 1], "more": [2, 3]}}
    )
    (folder / "saved_model.pb").touch()
    (folder / "variables").mkdir()
    (folder / "variables" / "variables.index").touch()
    source = find_source(str(folder), tmp_path, declared=[("pixels", -1, 1)])
    assert source.ranges == {"pixels": (-1, 1), "more": (2, 3)}
    assert open_source(folder).ranges == {"pixels": (0, 1), "more": (2, 3)}


# --- cleaning


@pytest.mark.parametrize("how", ["wrong", "broken"])
def test_a_graph_that_cleaning_spoils_is_written_as_it_was(folder, monkeypatch, how):
    import onnx
    from onnx import numpy_helper

    def spoil(model):
        spoilt = onnx.ModelProto()
        spoilt.CopyFrom(model)
        if how == "broken":
            spoilt.graph.node[0].input[0] = "nowhere"
            return spoilt
        for tensor in spoilt.graph.initializer:
            if tensor.data_type == onnx.TensorProto.FLOAT:
                doubled = numpy_helper.to_array(tensor) * 2
                tensor.CopyFrom(numpy_helper.from_array(doubled, tensor.name))
        return spoilt

    monkeypatch.setattr("exporter.onnx_model.convert.clean", spoil)
    assert export_folder(folder).passed
    assert open_backend(open_bundle(folder), BackendOptions()).is_proved
