import itertools
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from prometheus_client import REGISTRY

from bundle.errors import BundleError, ShapeError
from bundle.folder import open_bundle
from bundle.staging import locked
from bundle.store import ModelStore
from runtime.backends import InputRefused, TensorSpec
from runtime.backends.opening import Opened
from runtime.backends.options import BackendOptions
from runtime.errors import BackendError
from runtime.models.fallback import RETRY_SECONDS
from runtime.models.model import Model
from runtime.models.opening import model_of, open_model
from runtime.models.warming import to_input
from tests.examples import WEIGHTS, linear_onnx, write_bundle
from tests.frozen import ANSWER, frozen, pixels, write_frozen_bundle
from tests.runtime.fakes import FailingBackend, FakeBackend

BATCH = {"pixels": np.zeros((1, 2, 2, 1), np.float32)}


@pytest.fixture
def bundle(tmp_path):
    return open_bundle(write_bundle(tmp_path / "linear"))


def test_the_preferred_backend_answers(bundle):
    backend = FakeBackend()
    model = Model(bundle, 1, Opened(backend), lambda: pytest.fail("not needed"))
    outputs, answered = model.run(BATCH)
    assert outputs["scores"].tolist() == [[0, 0, 1]]
    assert answered is backend


def test_the_very_request_that_fails_is_answered_by_the_fallback(bundle):
    fallback = FakeBackend(row=(1, 0, 0))
    model = Model(bundle, 1, Opened(FailingBackend()), lambda: fallback)
    outputs, answered = model.run(BATCH)
    assert outputs["scores"].tolist() == [[1, 0, 0]]
    assert answered is fallback


def test_the_fallback_is_opened_once(bundle):
    opened = []
    model = Model(
        bundle,
        1,
        Opened(FailingBackend()),
        lambda: opened.append(FakeBackend()) or opened[-1],
    )
    model.run(BATCH)
    model.run(BATCH)
    assert len(opened) == 1
    assert len(opened[0].batches) == 2


def test_without_a_fallback_the_failure_is_the_answer(bundle):
    model = Model(bundle, 1, Opened(FailingBackend()), None)
    with pytest.raises(BackendError, match="it broke"):
        model.run(BATCH)


def test_labels_that_are_not_as_many_as_the_classes_are_refused(tmp_path):
    path = write_bundle(tmp_path / "linear", labels=("zero", "one"))
    with pytest.raises(BundleError, match=r"labels.txt names 2 classes .* has 3"):
        Model(open_bundle(path), 1, Opened(FakeBackend()), None)


def test_one_score_tells_between_two_labels(tmp_path):
    path = write_bundle(tmp_path / "linear", labels=("no", "yes"))
    sigmoid = TensorSpec("scores", np.dtype(np.float32), (None, 1))
    Model(open_bundle(path), 1, Opened(FakeBackend(outputs=(sigmoid,))), None)


def test_the_output_that_params_names_is_the_answer(tmp_path):
    path = write_bundle(tmp_path / "linear", params={"output_node": "scores"})
    other = TensorSpec("features", np.dtype(np.float32), (None, 64))
    backend = FakeBackend(outputs=(other, *FakeBackend().outputs))
    assert Model(open_bundle(path), 1, Opened(backend), None).output.name == "scores"


def test_of_several_outputs_a_wrong_name_is_refused(tmp_path):
    path = write_bundle(tmp_path / "linear", params={"output_node": "score"})
    other = TensorSpec("features", np.dtype(np.float32), (None, 3))
    backend = FakeBackend(outputs=(other, *FakeBackend().outputs))
    with pytest.raises(
        BundleError, match="'score' and .* outputs are features, scores"
    ):
        Model(open_bundle(path), 1, Opened(backend), None)


def test_an_image_becomes_a_batch_of_one(bundle):
    model = Model(bundle, 1, Opened(FakeBackend()), None)
    batch = to_input(model, np.full((2, 2, 1), 7, np.uint8))["pixels"]
    assert (batch.shape, batch.dtype) == ((1, 2, 2, 1), np.float32)
    assert (batch == 7).all()


def test_of_a_fixed_batch_the_image_fills_all_of_it(bundle):
    spec = TensorSpec("pixels", np.dtype(np.float32), (4, 2, 2, 1))
    model = Model(bundle, 1, Opened(FakeBackend(inputs=(spec,))), None)
    batch = to_input(model, np.full((2, 2, 1), 7, np.uint8))["pixels"]
    assert batch.shape == (4, 2, 2, 1)


def spec(*shape, dtype=np.float32):
    return TensorSpec("x", np.dtype(dtype), shape)


@pytest.mark.parametrize(
    ("tensors", "sentence"),
    [
        ({"inputs": (spec(None, 4),)}, "the input has 2 axes"),
        ({"inputs": (spec(None, 2, 2, 1), spec(None, 1))}, "the model has 2 inputs"),
        ({"inputs": (spec(None, 2, 2, 3),)}, "the model takes 3 channels"),
        ({"inputs": (spec(None, 3, None, None),)}, "takes any number of channels"),
        ({"inputs": (spec(None, 2, 2, 1, dtype=object),)}, "the input is object"),
        ({"outputs": (spec(None, 3, dtype=object),)}, "the output is object"),
        ({"outputs": (spec(),)}, "one number for a whole batch"),
    ],
)
def test_a_model_that_no_image_can_be_answered_by_is_refused(bundle, tensors, sentence):
    with pytest.raises(BundleError, match=sentence):
        Model(bundle, 1, Opened(FakeBackend(**tensors)), None)


def frozen_bundle(path, **params):
    """Return a bundle that claims a frozen graph; the fake stands in for the engine."""
    return open_bundle(write_frozen_bundle(path, b"graph", **params))


@pytest.mark.parametrize(
    ("takes", "channels"),
    [
        (spec(None, 2, 2, 1), 1),
        (spec(1, None, None, 3), 3),
        (spec(None, 2, 2, 2), 0),
        (spec(None, 2, 2, None), 0),
        (spec(None, 4), 0),
        (spec(None, 2, 2, 3, dtype=object), 0),
    ],
)
def test_early_params_are_silent_of_images_and_the_graph_tells(
    tmp_path, takes, channels
):
    model = Model(
        frozen_bundle(tmp_path), 1, Opened(FakeBackend(inputs=(takes,))), None
    )
    assert model.img_channels == channels


def test_params_that_say_no_images_are_believed(tmp_path):
    bundle = frozen_bundle(tmp_path, img_channels=0)
    assert Model(bundle, 1, Opened(FakeBackend()), None).img_channels == 0


def test_of_no_frozen_graph_params_alone_say_whether_it_takes_images(tmp_path):
    path = write_bundle(tmp_path / "linear", params={"img_channels": 0})
    model = Model(open_bundle(path), 1, Opened(FakeBackend()), None)
    assert model.img_channels == 0


def test_a_frozen_graph_answers_labels_as_tfaas_does(bundle, tmp_path):
    model = Model(frozen_bundle(tmp_path), 1, Opened(FakeBackend()), None)
    assert model.answers_labels
    assert not Model(bundle, 1, Opened(FakeBackend()), None).answers_labels


def test_a_frozen_graph_may_have_fewer_labels_than_classes(tmp_path):
    path = write_frozen_bundle(tmp_path / "fewer", b"graph")
    (path / "labels.txt").write_text("zero\none\n")
    model = Model(open_bundle(path), 1, Opened(FakeBackend()), None)
    assert model.bundle.labels == ("zero", "one")
    (path / "labels.txt").write_text("zero\none\ntwo\nthree\n")
    with pytest.raises(BundleError, match=r"labels.txt names 4 classes .* has 3"):
        Model(open_bundle(path), 1, Opened(FakeBackend()), None)


@pytest.mark.tensorflow
def test_a_frozen_graph_answers_an_image(tmp_path):
    """Its params.json has no key for images, and its node has a port."""
    path = write_frozen_bundle(tmp_path, frozen(pixels), outputNode="scores:0")
    model = model_of(open_bundle(path), 1, BackendOptions())
    image = np.array([1, 2, 3, 4], np.uint8).reshape(2, 2, 1)
    outputs, backend = model.run(to_input(model, image))
    assert outputs[model.output.name].tolist() == ANSWER
    assert (backend.name, model.img_channels) == ("tensorflow", 1)


def test_a_model_is_warmed_and_tried_on_its_own_sample(tmp_path):
    """The fake always answers class 2, and every third image is of class 2."""
    path = write_bundle(tmp_path / "linear")
    images = np.zeros((6, 2, 2, 1), np.uint8)
    np.savez(path / "sample.npz", images=images, labels=[0, 1, 2, 0, 1, 2])
    backend = FakeBackend()
    model = Model(open_bundle(path), 1, Opened(backend), None)
    assert (model.tried.images, model.tried.right) == (6, 2)
    # One batch is a black picture, on which every model that takes images is tried.
    assert len(backend.batches) == 7


def test_a_sample_of_another_model_is_refused(tmp_path):
    path = write_bundle(tmp_path / "linear")
    images = np.zeros((6, 2, 2, 3), np.uint8)
    np.savez(path / "sample.npz", images=images, labels=[0, 1, 2, 0, 1, 2])
    with pytest.raises(BundleError, match="sample.npz does not fit this model"):
        Model(open_bundle(path), 1, Opened(FakeBackend()), None)


def test_a_fallback_of_other_tensors_is_none(bundle):
    """The error of model.onnx counts, because the client gave the right names."""
    other = FakeBackend(inputs=(TensorSpec("x", np.dtype(np.float32), (None, 4)),))
    model = Model(bundle, 1, Opened(FailingBackend()), lambda: other)
    with pytest.raises(BackendError, match="it broke"):
        model.run(BATCH)
    assert not other.batches


def test_a_fallback_that_cannot_be_opened_is_tried_again_after_a_while(bundle):
    """Memory may have been short only for a moment."""
    now, tries = [1000.0], []
    fallback = FakeBackend()

    def open_second():
        tries.append(now[0])
        if len(tries) == 1:
            raise BackendError("no memory")
        return fallback

    model = Model(
        bundle, 1, Opened(FailingBackend()), open_second, clock=lambda: now[0]
    )
    for now[0] in (1000.0, 1000.1, 1000 + RETRY_SECONDS - 0.1):
        with pytest.raises(BackendError, match="it broke"):
            model.run(BATCH)
    assert tries == [1000.0]
    now[0] = 1000 + RETRY_SECONDS
    assert model.run(BATCH)[1] is fallback
    assert model.run(BATCH)[1] is fallback
    assert tries == [1000.0, 1000 + RETRY_SECONDS]


def test_when_the_fallback_fails_too_both_are_named(bundle):
    model = Model(bundle, 1, Opened(FailingBackend()), FailingBackend)
    with pytest.raises(BackendError, match="it broke; it broke"):
        model.run(BATCH)


def test_an_input_that_both_engines_refuse_is_no_fault_of_theirs(bundle):
    class Refusing(FakeBackend):
        def run(self, inputs):
            if inputs is not BATCH:
                return super().run(inputs)  # it is warmed up
            raise InputRefused("no such index")

    model = Model(bundle, 1, Opened(Refusing()), Refusing)
    with pytest.raises(InputRefused, match=r"^no such index$"):
        model.run(BATCH)


@pytest.mark.parametrize(
    ("options", "falls_back"),
    [
        (BackendOptions(provider="cpu"), True),
        (BackendOptions(provider="cpu", onnx="require"), False),
    ],
)
def test_only_where_onnx_is_preferred_may_tensorflow_answer(
    tmp_path, monkeypatch, options, falls_back
):
    path = write_bundle(tmp_path / "linear")
    (path / "saved_model.pb").touch()
    (path / "variables").mkdir()
    (path / "variables" / "variables.index").touch()
    fallback = FakeBackend()
    model = model_of(
        open_bundle(path), None, options, open_tensorflow=lambda bundle: fallback
    )
    monkeypatch.setattr(model, "backend", FailingBackend())
    if falls_back:
        assert model.run(BATCH)[1] is fallback
    else:
        with pytest.raises(BackendError, match="it broke"):
            model.run(BATCH)


def test_a_bundle_of_onnx_alone_has_no_fallback(tmp_path, monkeypatch):
    model = model_of(
        open_bundle(write_bundle(tmp_path / "linear")),
        None,
        BackendOptions(provider="cpu"),
    )
    monkeypatch.setattr(model, "backend", FailingBackend())
    with pytest.raises(BackendError, match="it broke"):
        model.run(BATCH)


def test_a_version_is_not_read_while_its_files_are_replaced(tmp_path):
    """The exporter holds the folder between its two renames."""
    store = ModelStore(tmp_path / "models")
    version = store.install(lambda folder: write_bundle(folder) and None)
    opened = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        with locked(version.path):
            future = pool.submit(open_model, version, BackendOptions(provider="cpu"))
            future.add_done_callback(lambda _: opened.set())
            (version.path / "parity.json").unlink()
            write_bundle(version.path, onnx_bytes=linear_onnx(WEIGHTS * 2))
            assert not opened.is_set()
        assert future.result(timeout=10).is_proved


def test_a_version_that_went_away_is_said_to_be_gone(tmp_path):
    store = ModelStore(tmp_path / "models")
    version = store.install(lambda folder: write_bundle(folder) and None)
    store.delete("linear")
    with pytest.raises(BundleError, match="not there any more"):
        open_model(version, BackendOptions(provider="cpu"))


def test_one_score_is_right_by_its_half(tmp_path):
    """The fake always answers 0.7, which is class 1: so are three of four images."""
    path = write_bundle(tmp_path / "linear", labels=("no", "yes"))
    images = np.zeros((4, 2, 2, 1), np.uint8)
    np.savez(path / "sample.npz", images=images, labels=[0, 1, 1, 1])
    sigmoid = TensorSpec("scores", np.dtype(np.float32), (None, 1))
    backend = FakeBackend(row=(0.7,), outputs=(sigmoid,))
    assert Model(open_bundle(path), 1, Opened(backend), None).tried.right == 3


class WithoutBatch(FakeBackend):
    """A backend that answers three scores for any batch."""

    def run(self, inputs):
        return {"scores": np.array([0, 0, 1], np.float32)}


@pytest.mark.parametrize("with_sample", [False, True])
def test_an_answer_without_a_number_is_refused(tmp_path, with_sample):
    path = write_bundle(tmp_path / "linear", params={"labels": ""})
    if with_sample:
        images = np.zeros((2, 2, 2, 1), np.uint8)
        np.savez(path / "sample.npz", images=images, labels=[0, 1])
    classes = TensorSpec("scores", np.dtype(np.float32), (None, None))
    backend = FakeBackend(row=(), outputs=(classes,))
    with pytest.raises(BundleError, match="'scores' is empty"):
        Model(open_bundle(path), 1, Opened(backend), None)


class OfWhite(FakeBackend):
    """A backend that gives no scores unless all pictures are black."""

    def run(self, inputs):
        (batch,) = inputs.values()
        return {"scores": np.zeros((0 if batch.any() else len(batch), 3), "f4")}


def test_a_sample_that_is_answered_with_nothing_is_refused(tmp_path):
    path = write_bundle(tmp_path / "linear")
    white = np.full((1, 2, 2, 1), 255, np.uint8)
    np.savez(path / "sample.npz", images=white, labels=[0])
    with pytest.raises(BundleError, match=r"sample\.npz is empty"):
        Model(open_bundle(path), 1, Opened(OfWhite()), None)


def test_an_output_without_a_batch_axis_is_refused(bundle):
    """Its first score would be taken for the whole answer."""
    backend = WithoutBatch(outputs=(TensorSpec("scores", np.dtype("f4"), (3,)),))
    with pytest.raises(BundleError, match="'scores' has no batch axis"):
        Model(bundle, 1, Opened(backend), None)


def test_a_size_that_is_not_the_models_is_refused_before_it_serves(tmp_path):
    path = write_bundle(tmp_path / "linear", params={"preprocess": {"size": [5, 5]}})
    with pytest.raises(BundleError, match="no image can be answered: .*5 x 5"):
        Model(open_bundle(path), 1, Opened(FakeBackend()), None)


class Counting(FakeBackend):
    """A backend that answers each item with the item's first number, three times."""

    def run(self, inputs):
        self.batches.append(inputs)
        (batch,) = inputs.values()
        numbers = batch.reshape(len(batch), -1)[:, :1].astype(np.float32)
        return {spec.name: np.repeat(numbers, 3, axis=1) for spec in self.outputs}

    @property
    def sizes(self):
        return [len(next(iter(batch.values()))) for batch in self.batches]


def counted(items, name="pixels"):
    """Return items whose first number is their place."""
    batch = np.zeros((items, 2, 2, 1), np.float32)
    batch[:, 0, 0, 0] = np.arange(items)
    return {name: batch}


def asked(model, items):
    """Return the sizes of a request's runs, and the answers."""
    model.backend.batches.clear()
    outputs, _ = model.run(counted(items))
    return model.backend.sizes, outputs["scores"][:, 0].tolist()


def test_a_large_request_is_run_in_pieces_and_answered_in_order(bundle):
    model = Model(bundle, 1, Opened(Counting()), None, max_batch_size=4)
    assert asked(model, 4) == ([4], [0, 1, 2, 3])
    assert asked(model, 9) == ([4, 4, 1], list(range(9)))


def test_without_a_limit_a_request_is_run_whole(bundle):
    model = Model(bundle, 1, Opened(Counting()), None)
    assert asked(model, 9) == ([9], list(range(9)))


def test_huge_items_are_run_in_smaller_pieces(bundle):
    """An item has 4 numbers."""
    opened = Opened(Counting())
    model = Model(bundle, 1, opened, None, max_batch_size=4, max_numbers=11)
    assert asked(model, 5) == ([2, 2, 1], list(range(5)))


def test_a_request_of_a_wrong_shape_is_told_as_it_was_sent(bundle):
    model = Model(bundle, 1, Opened(Counting()), None, max_batch_size=4)
    with pytest.raises(ShapeError, match=r"has shape \(9, 3, 2, 1\)"):
        model.run({"pixels": np.zeros((9, 3, 2, 1), np.float32)})
    with pytest.raises(ShapeError, match="no input 'x'"):
        model.run(counted(9, "x"))


def test_when_a_piece_fails_one_engine_answers_the_whole_request(bundle):
    class FailingOnThird(Counting):
        def run(self, inputs):
            if 8 in inputs["pixels"]:
                raise BackendError("it broke")
            return super().run(inputs)

    fallback = Counting()
    model = Model(
        bundle, 1, Opened(FailingOnThird()), lambda: fallback, max_batch_size=4
    )
    outputs, answered = model.run(counted(9))
    assert outputs["scores"][:, 0].tolist() == list(range(9))
    assert answered is fallback
    assert fallback.sizes == [4, 4, 1]


@pytest.mark.parametrize("limit", [1, 2, 32])
def test_a_model_is_warmed_with_one_item_and_with_a_full_batch(bundle, limit):
    backend = Counting()
    Model(bundle, 1, Opened(backend), None, max_batch_size=limit)
    # The first run is a black picture, on which every model that takes images is tried.
    assert backend.sizes == [1, 1] + [limit] * (limit > 1)


def test_the_full_batch_is_cut_to_what_memory_bears(bundle):
    """An item has 4 numbers."""
    backend = Counting()
    Model(bundle, 1, Opened(backend), None, max_batch_size=32, max_numbers=11)
    assert backend.sizes == [1, 1, 2]


def test_the_full_batch_is_cut_to_some_seconds(bundle):
    """An item takes 2 seconds, and the limit is 5."""
    ticks = itertools.count(0, 2)
    backend = Counting()
    model = Model(
        bundle,
        1,
        Opened(backend),
        None,
        max_batch_size=32,
        clock=lambda: float(next(ticks)),
    )
    assert backend.sizes == [1, 1, 2]
    assert asked(model, 9)[0] == [9], "and it is run with what it was asked for"


def test_a_fixed_batch_is_run_at_its_own_size(tmp_path):
    path = write_bundle(tmp_path / "linear")
    pixels = TensorSpec("pixels", np.dtype(np.float32), (4, 2, 2, 1))
    backend = Counting(inputs=(pixels,))
    model = Model(open_bundle(path), 1, Opened(backend), None, max_batch_size=2)
    assert set(backend.sizes) == {4}
    assert asked(model, 4) == ([4], [0, 1, 2, 3])


def test_a_model_that_takes_only_one_item_is_run_with_one_at_a_time(bundle, caplog):
    """tf2onnx makes such a model of a Reshape to (1, 4), but declares a free batch."""

    class Single(Counting):
        def run(self, inputs):
            if len(inputs["pixels"]) > 1:
                raise BackendError("ONNX Runtime failed on this input")
            return super().run(inputs)

    model = Model(bundle, 1, Opened(Single()), None, max_batch_size=8)
    assert "linear does not take 8 items at once" in caplog.text
    assert asked(model, 3) == ([1, 1, 1], [0, 1, 2])


def test_a_model_whose_rows_are_no_items_is_never_cut(tmp_path):
    class Boxes(FakeBackend):
        def run(self, inputs):
            self.batches.append(inputs)
            return {"scores": np.zeros((7, 3), np.float32)}

    path = write_bundle(tmp_path / "linear", params={"img_channels": 0})
    backend = Boxes()
    model = Model(open_bundle(path), 1, Opened(backend), None, max_batch_size=2)
    backend.batches.clear()
    assert model.run(counted(5))[0]["scores"].shape == (7, 3)
    assert len(backend.batches) == 1


def test_a_model_of_free_sizes_that_does_not_take_the_one_tried_is_taken(tmp_path):
    class Large(Counting):
        def run(self, inputs):
            if inputs["pixels"].shape[1] < 64:
                raise BackendError("too small")
            return super().run(inputs)

    path = write_bundle(tmp_path / "linear")
    pixels = TensorSpec("pixels", np.dtype(np.float32), (None, None, None, 1))
    model = Model(
        open_bundle(path), 1, Opened(Large(inputs=(pixels,))), None, max_batch_size=2
    )
    model.run({"pixels": np.zeros((5, 64, 64, 1), np.float32)})
    assert model.backend.sizes == [2, 2, 1]


def test_a_real_model_answers_a_large_request_as_computed_by_hand(tmp_path):
    options = BackendOptions(provider="cpu", max_batch_size=4)
    model = model_of(open_bundle(write_bundle(tmp_path / "linear")), None, options)
    pixels = np.arange(36, dtype=np.float32).reshape(9, 2, 2, 1)
    outputs, _ = model.run({"pixels": pixels})
    assert outputs["scores"].tolist() == [
        [4 * n, 4 * n + 1, 8 * n + 5] for n in range(9)
    ]


def value_of(metric, **labels):
    return REGISTRY.get_sample_value(metric, labels) or 0


def test_the_size_of_each_run_is_counted_and_no_warm_up(tmp_path):
    path = write_bundle(tmp_path / "linear")
    images = np.zeros((6, 2, 2, 1), np.uint8)
    np.savez(path / "sample.npz", images=images, labels=[0, 1, 2, 0, 1, 2])
    of = {"model": "sized"}
    model = Model(
        open_bundle(path), 7, Opened(Counting()), None, name="sized", max_batch_size=4
    )
    assert value_of("tfaas_batch_size_count", **of) == 0
    model.run(counted(9))
    assert value_of("tfaas_batch_size_count", **of) == 3
    assert value_of("tfaas_batch_size_sum", **of) == 9
    assert value_of("tfaas_batch_size_bucket", le="1.0", **of) == 1
    with pytest.raises(ShapeError):
        model.run(counted(9, "x"))
    assert value_of("tfaas_batch_size_count", **of) == 3


def test_a_model_on_trial_counts_nothing(bundle):
    model = Model(bundle, None, Opened(FailingBackend()), FakeBackend, name="on-trial")
    model.run(BATCH)
    assert not any(
        sample.labels.get("model") == "on-trial"
        for metric in REGISTRY.collect()
        for sample in metric.samples
    )


def test_a_request_that_fell_back_is_counted(bundle):
    of = {"model": "fell", "version": "1", "reason": "request"}
    model = Model(bundle, 1, Opened(FailingBackend()), FakeBackend, name="fell")
    assert value_of("tfaas_fallbacks_total", **of) == 0
    model.run(BATCH)
    assert value_of("tfaas_fallbacks_total", **of) == 1


def test_the_bytes_are_those_of_the_engines_files(tmp_path):
    path = write_bundle(tmp_path / "linear", onnx_bytes=b"x" * 1000)
    (path / "model.onnx.data").write_bytes(b"x" * 200)
    (path / "weights.bin").write_bytes(b"x" * 30)
    (path / "saved_model.pb").write_bytes(b"x" * 5)
    (path / "variables").mkdir()
    for name in ("variables.index", "variables.data-00000-of-00001"):
        (path / "variables" / name).write_bytes(b"x" * 60)

    (path / "model.int8.onnx").write_bytes(b"x" * 300)

    def size_in(engine, variant=None):
        opened = Opened(FakeBackend(name=engine), variant=variant)
        return Model(open_bundle(path), 1, opened, None).size_bytes

    assert size_in("onnxruntime", "fp32") == 1230
    assert size_in("onnxruntime", "int8") == 300
    assert size_in("tensorflow") == 125


# -- TensorFlow in the place of ONNX ---------------------------------------------------


def test_a_model_that_gives_way_is_answered_by_tensorflow(bundle):
    onnx = FakeBackend(name="onnxruntime")
    tensorflow = FakeBackend((1, 0, 0), name="tensorflow")
    model = Model(bundle, 1, Opened(onnx), lambda: tensorflow, options=BackendOptions())
    model.give_way("live parity: it differs")
    outputs, answered = model.run(BATCH)
    assert answered is tensorflow
    assert outputs["scores"].tolist() == [[1, 0, 0]]
    assert model.engine == "tensorflow/cpu"
    assert (model.fallback_code, model.fallback_reason) == (
        *("live_parity", "live parity: it differs"),
    )
    assert (model.variant, model.is_proved, model.plan) == (None, None, None)
    assert not model.is_quick(1)


def test_a_model_that_gave_way_has_no_other_engine(bundle):
    broken = FailingBackend(name="tensorflow")
    model = Model(bundle, 1, Opened(FakeBackend()), lambda: broken)
    model.give_way("why")
    with pytest.raises(BackendError, match="^it broke$"):
        model.run(BATCH)
    assert len(broken.batches) == 1


def test_a_model_without_tensorflow_cannot_give_way(bundle):
    onnx = FakeBackend()
    model = Model(bundle, 1, Opened(onnx), None)
    with pytest.raises(BackendError, match="no TensorFlow model"):
        model.give_way("why")
    assert model.backend is onnx
    assert model.fallback_reason == ""


def test_requests_that_wait_for_a_batch_get_the_engine_that_they_asked(bundle):
    onnx = FakeBackend(name="onnxruntime")
    tensorflow = FakeBackend((1, 0, 0), name="tensorflow")
    options = BackendOptions(batching="on")
    model = Model(
        bundle, 1, Opened(onnx), lambda: tensorflow, max_batch_size=4, options=options
    )
    batcher = model._batcher
    assert batcher is not None
    model.give_way("why")
    assert batcher.submit(BATCH, None)["scores"].tolist() == [[0, 0, 1]]
    assert model.run(BATCH)[0]["scores"].tolist() == [[1, 0, 0]]
