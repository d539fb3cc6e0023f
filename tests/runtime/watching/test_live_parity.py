"""A fake TensorFlow answers too; the real one does so in tests/end_to_end."""

import gc
import re
import threading
import weakref

import numpy as np
import pytest

from bundle.folder import open_bundle
from bundle.tolerance import HALF, SINGLE
from runtime.backends import TensorSpec
from runtime.backends.opening import Opened
from runtime.errors import BackendError
from runtime.models.model import Model
from runtime.telemetry import metrics
from runtime.watching.live_parity import ROOM, LiveParity
from runtime.watching.parity_of_model import MOST_ITEMS
from tests.examples import write_bundle, write_variant
from tests.runtime.fakes import FailingBackend, FakeBackend

PIXELS = np.zeros((2, 2, 2, 1), np.float32)
ROW = (0.2, 0.3, 0.5)


class Bench:
    """A model in ONNX Runtime, and the TensorFlow that answers too."""

    def __init__(self, folder, name, *, has_tensorflow=True, **variant):
        self.folder = write_bundle(folder / name, name=name)
        if has_tensorflow:
            (self.folder / "saved_model.pb").touch()
        self.name = name
        self.onnx = FakeBackend(ROW, name="onnxruntime")
        self.fallback = FakeBackend(ROW, name="tensorflow")
        self.reference = FakeBackend(ROW, name="tensorflow")
        self.opened = 0
        self.variant = variant

    def open_reference(self, bundle):
        self.opened += 1
        if isinstance(self.reference, Exception):
            raise self.reference
        return self.reference

    def watch(self, on_failure="warn", share=100.0, **kwargs):
        variant = {"variant": "fp32", "is_proved": True, **self.variant}
        self.model = Model(
            open_bundle(self.folder),
            1,
            Opened(self.onnx, **variant),
            (lambda: self.fallback) if self.fallback else None,
        )
        self.onnx.batches.clear()
        self.parity = LiveParity(self.open_reference, share, on_failure, **kwargs)
        self.state = self.parity.begin(self.model)
        return self

    def ask(self, inputs=PIXELS, outputs=None):
        """Answer one request, and compare it; return the state that is told."""
        if outputs is None:
            outputs = np.tile(np.array(self.onnx.row, np.float32), (len(inputs), 1))
        self.parity.offer(self.state, self.model, inputs, outputs)
        self.parity._tasks.join()
        return self.told()

    def told(self):
        return self.state.describe([])

    def counted(self):
        (family,) = metrics.LIVE_PARITY.collect()
        return {
            sample.labels["agreed"]: sample.value
            for sample in family.samples
            if sample.name.endswith("_total") and sample.labels["model"] == self.name
        }


@pytest.fixture
def name(request):
    """Name the model after the test, so that each test has its own counts."""
    return re.sub(r"[^a-z0-9]+", ".", request.node.name.lower())[:100].strip(".")


@pytest.fixture
def bench(tmp_path, name):
    return Bench(tmp_path, name)


def warnings(caplog):
    return [r.getMessage() for r in caplog.records if r.levelname == "WARNING"]


def test_equal_answers_agree(bench, caplog):
    bench.watch()
    assert bench.told()["state"] == "waiting"
    told = bench.ask()
    assert told == {
        "state": "agrees",
        "reason": "",
        "share": 100.0,
        "compared": 1,
        "differing": 0,
        "failed": 0,
        "dropped": 0,
        "max_abs_diff": 0.0,
    }
    assert bench.counted() == {"yes": 1}
    (batch,) = bench.reference.batches
    assert batch["pixels"].tolist() == PIXELS.tolist()
    assert warnings(caplog) == []


def test_a_difference_within_the_tolerance_agrees(bench):
    bench.reference.row = (0.2, 0.3, 0.500009)
    told = bench.watch().ask()
    assert told["state"] == "agrees"
    assert told["max_abs_diff"] == pytest.approx(9e-6, rel=0.01)


def test_another_answer_is_warned_of_once_with_its_figures(bench, caplog):
    bench.reference.row = (0.5, 0.3, 0.2)
    told = bench.watch().ask()
    bench.ask()
    assert (told["state"], told["differing"]) == ("differs", 1)
    assert told["max_abs_diff"] == pytest.approx(0.3)
    assert bench.counted() == {"no": 2}
    assert warnings(caplog) == [
        f"{bench.name} version 1: live parity: ONNX Runtime answered otherwise than"
        " TensorFlow: largest difference 0.3, tolerance 1e-05 + 0.0001 x value;"
        " 0 of 2 best classes are the same; ONNX Runtime still answers"
    ]
    assert bench.model.backend is bench.onnx


def test_the_least_probabilities_are_compared_as_logits(bench):
    """The proof does so: 1e-7 and 1e-6 are near, but their logits are not."""
    bench.onnx.row, bench.reference.row = (1e-7, 0.0, 1.0), (1e-6, 0.0, 1.0)
    assert bench.watch().ask()["state"] == "differs"


def test_with_fallback_tensorflow_answers_from_then_on(bench, caplog):
    bench.reference.row = bench.fallback.row = (0.5, 0.3, 0.2)
    bench.watch("fallback")
    told = bench.ask()
    assert (told["state"], told["reason"]) == ("differs", "TensorFlow itself answers")
    assert bench.model.engine == "tensorflow/cpu"
    assert bench.model.fallback_reason.startswith("live parity: ONNX Runtime answered")
    outputs, backend = bench.model.run({"pixels": PIXELS})
    assert backend is bench.fallback
    assert outputs["scores"][0].tolist() == pytest.approx([0.5, 0.3, 0.2])
    (line,) = warnings(caplog)
    assert line.endswith("; TensorFlow answers from now on")
    # Later requests are not compared: TensorFlow would be compared with itself.
    assert bench.ask()["compared"] == 1


def test_the_process_that_answered_too_ends_with_the_fallback(bench):
    bench.reference.row = (0.5, 0.3, 0.2)
    bench.watch("fallback").ask()
    held = weakref.ref(bench.reference)
    bench.reference = None
    gc.collect()
    assert held() is None


def test_the_process_that_answered_too_ends_with_the_model(bench):
    bench.watch().ask()
    held = weakref.ref(bench.reference)
    bench.reference = bench.model = None
    gc.collect()
    assert held() is None


def test_without_a_fallback_onnx_goes_on_and_says_so(bench, caplog):
    bench.reference.row = (0.5, 0.3, 0.2)
    bench.fallback = None
    bench.watch("fallback").ask()
    assert bench.model.backend is bench.onnx
    (line,) = warnings(caplog)
    assert line.endswith("because there is no TensorFlow model that may take its place")


def test_a_tensorflow_that_fails_is_counted_and_told_once(bench, caplog):
    bench.reference = FailingBackend(ROW, name="tensorflow")
    told = bench.watch("fallback").ask()
    bench.ask()
    assert (told["state"], told["failed"]) == ("waiting", 1)
    assert bench.counted() == {"failed": 2}
    assert warnings(caplog) == [f"{bench.name} version 1: live parity failed: it broke"]
    assert bench.model.backend is bench.onnx


def test_a_tensorflow_that_cannot_be_opened_is_not_tried_with_each_request(bench):
    bench.reference = BackendError("there is no memory")
    bench.watch().ask()
    assert bench.ask()["failed"] == 2
    assert bench.opened == 1


def test_tensorflow_is_opened_once(bench):
    bench.watch().ask()
    bench.ask()
    assert bench.opened == 1


def test_requests_are_dropped_where_too_many_wait(bench):
    begun, go_on = threading.Event(), threading.Event()

    class Waiting(FakeBackend):
        def run(self, inputs):
            begun.set()
            assert go_on.wait(60)
            return super().run(inputs)

    bench.reference = Waiting(ROW, name="tensorflow")
    bench.watch()
    rows = np.tile(np.array(ROW, np.float32), (2, 1))
    bench.parity.offer(bench.state, bench.model, PIXELS, rows)
    assert begun.wait(60)
    for _ in range(ROOM + 3):
        bench.parity.offer(bench.state, bench.model, PIXELS, rows)
    go_on.set()
    bench.parity._tasks.join()
    told = bench.told()
    assert (told["dropped"], told["compared"]) == (3, ROOM + 1)


def test_a_large_request_is_compared_in_part(bench):
    bench.watch().ask(np.zeros((100, 2, 2, 1), np.float32))
    (batch,) = bench.reference.batches
    assert len(batch["pixels"]) == 32


def test_arrays_by_name_are_compared_whole(bench):
    bench.watch()
    rows = np.tile(np.array(ROW, np.float32), (2, 1))
    assert bench.ask({"pixels": PIXELS}, {"scores": rows})["state"] == "agrees"
    assert bench.ask({"pixels": PIXELS}, {"scores": rows * 2})["state"] == "differs"


class Named(FakeBackend):
    """A backend of a number and a text for each item."""

    def __init__(self, name):
        takes = (
            TensorSpec("pt", np.dtype(np.float32), (None, 1)),
            TensorSpec("part", np.dtype(object), (None, 1)),
        )
        super().__init__(ROW, name=name, inputs=takes)

    def run(self, inputs):
        self.batches.append(inputs)
        return {"scores": np.tile(np.array(ROW, np.float32), (len(inputs["pt"]), 1))}


def test_rows_of_numbers_and_texts_are_compared_in_part(bench):
    bench.onnx, bench.reference = Named("onnxruntime"), Named("tensorflow")
    bench.folder.joinpath("params.json").write_text('{"name": "linear"}')
    count = MOST_ITEMS + 5
    parts = np.array([["mu"], ["τ"]] * count, object)[:count]
    rows = {"pt": np.ones((count, 1), np.float32), "part": parts}
    answers = np.tile(np.array(ROW, np.float32), (count, 1))
    told = bench.watch().ask(rows, answers)
    assert (told["state"], told["failed"]) == ("agrees", 0)
    (batch,) = bench.reference.batches
    assert batch["part"].tolist() == parts[:MOST_ITEMS].tolist()


def test_models_without_tensorflow_are_not_comparable(tmp_path, name):
    bench = Bench(tmp_path, name, has_tensorflow=False).watch()
    told = bench.told()
    assert told["state"] == "not comparable"
    assert told["reason"] == "the bundle has no TensorFlow model to compare with"
    assert not bench.state.is_on


def test_a_model_that_tensorflow_serves_is_not_comparable(bench):
    bench.onnx = FakeBackend(ROW, name="tensorflow")
    assert bench.watch().told()["reason"] == "TensorFlow itself answers"


def test_int8_is_not_comparable(tmp_path, name):
    bench = Bench(tmp_path, name, variant="int8").watch()
    assert "judged by its trial" in bench.told()["reason"]


def test_the_tolerance_is_that_of_the_proof(tmp_path, name):
    bench = Bench(tmp_path, name, variant="fp16")
    write_variant(bench.folder, "fp16", b"")
    assert bench.watch().state._tolerance == SINGLE
    path = bench.folder / "parity.fp16.json"
    path.write_text(path.read_text().replace("1e-05", "0.01").replace("0.0001", "0.01"))
    assert bench.watch().state._tolerance == HALF


def test_an_onnx_without_a_proof_is_compared_as_float32(bench):
    (bench.folder / "parity.json").unlink()
    assert bench.watch().state._tolerance == SINGLE


def test_a_share_of_zero_is_off(bench):
    told = bench.watch(share=0.0).told()
    assert (told["state"], bench.state.is_on) == ("off", False)


def test_a_failure_in_another_process_counts_here(bench, caplog):
    bench.watch("fallback")
    other = {**bench.state.to_json(), "no": 3, "largest": 0.5, "failed_at": 2e9}
    told = bench.state.describe([other])
    assert (told["state"], told["differing"], told["max_abs_diff"]) == (
        *("differs", 3, 0.5),
    )
    bench.state.follow(bench.model, [0.0])
    assert bench.model.backend is bench.onnx
    bench.state.follow(bench.model, [2e9 * 10])
    assert bench.model.backend is bench.fallback
    (line,) = warnings(caplog)
    assert "it failed in another process of this service" in line


def test_a_failure_before_the_model_was_loaded_does_not_count(bench):
    bench.watch("fallback")
    bench.state.follow(bench.model, [1.0])
    assert bench.model.backend is bench.onnx


def test_with_warn_a_failure_elsewhere_changes_nothing(bench):
    bench.watch("warn")
    bench.state.follow(bench.model, [2e10])
    assert bench.model.backend is bench.onnx
