import re
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from bundle.folder import open_bundle
from bundle.spec import ModelSpec
from bundle.store import ModelStore
from runtime.backends import TensorSpec
from runtime.backends.opening import Opened
from runtime.errors import BackendError
from runtime.models.model import Model
from runtime.models.registry import ModelRegistry
from runtime.prediction.shadow import Shadow
from runtime.telemetry.metrics import SHADOW
from tests.examples import write_bundle
from tests.runtime.fakes import FakeBackend

ROOT = Path(__file__).resolve().parents[3]
PIXELS = np.zeros((2, 2, 2, 1), np.float32)


class Rows(FakeBackend):
    """A backend that answers with given rows, and reports each run."""

    def __init__(self, rows):
        rows = np.array(rows, np.float32)
        super().__init__(
            outputs=(TensorSpec("scores", rows.dtype, (None, *rows.shape[1:])),)
        )
        self.rows = rows

    def run(self, inputs):
        self.batches.append(inputs)
        return {"scores": self.rows}


class Bench:
    """A model of two versions: 1 answers, and 2 is the shadow."""

    def __init__(self, folder, name, labels=("zero", "one", "two")):
        self.name = name
        self.store = ModelStore(folder / "models")
        params = {"img_channels": 0, "labels": "labels.txt" if labels else ""}
        for _ in range(2):
            self.store.install(
                lambda f: write_bundle(f, name=name, params=params, labels=labels)
            )
        self.store.set_label(name, "shadow", 2)
        self.store.set_label(name, "stable", 1)
        self.backends = {}
        self.registry = ModelRegistry(self.store, self.open, limit=10)
        self.shadow = Shadow(self.registry, self.store, "shadow")

    def open(self, version):
        backend = self.backends[version.number]
        if isinstance(backend, Exception):
            raise backend
        bundle = open_bundle(version.path)
        return Model(bundle, version.number, Opened(backend), None)

    def offer(self, ours, theirs, inputs_for=lambda model: {"pixels": PIXELS}):
        """Answer with ``ours``, let the shadow answer ``theirs``; return the counts."""
        self.backends = {
            1: Rows(ours),
            2: theirs if isinstance(theirs, BackendError) else Rows(theirs),
        }
        self.registry.drop(self.name)
        model = self.registry.get(ModelSpec(self.name))
        before = self.counted()
        self.shadow.offer(self.name, model, inputs_for, np.array(ours, np.float32))
        self.wait()
        return [word for word, n in self.counted().items() if n > before[word]]

    def wait(self):
        """Wait until the thread has done all its tasks."""
        self.shadow._tasks.put(None)
        if self.shadow._thread.was_started:
            assert self.shadow._thread.join(10)
        else:
            self.shadow._tasks.get()

    def counted(self):
        return {
            agreed: count_of(self.name, "2", agreed)
            for agreed in ("yes", "no", "failed", "dropped")
        }


def count_of(name, shadow_version, agreed):
    # This reads one counter alone, because the registry would read all that exist.
    (family,) = SHADOW.collect()
    wanted = {"version": "1", "shadow_version": shadow_version, "agreed": agreed}
    return sum(
        sample.value
        for sample in family.samples
        if sample.name == "tfaas_shadow_total"
        and sample.labels == {"model": name, **wanted}
    )


@pytest.fixture
def bench(tmp_path, request):
    """Return a bench named after the test, so that each test has its own counts."""
    return Bench(tmp_path, re.sub(r"[^a-z0-9]+", ".", request.node.name.lower())[:100])


def test_the_same_best_class_agrees(bench):
    assert bench.offer([[1, 2, 9]], [[0, 0, 0.1]]) == ["yes"]


def test_another_best_class_is_told_with_both(bench, caplog):
    caplog.set_level("INFO", "runtime.prediction.shadow")
    ours = [[9, 0, 0], [0, 9, 0]]
    assert bench.offer(ours, [[9, 0, 0], [0, 0, 9]]) == ["no"]
    (line,) = [
        r.getMessage() for r in caplog.records if r.name == "runtime.prediction.shadow"
    ]
    assert line == (
        f"{bench.name} version 1 and shadow version 2 disagree: one and not two"
    )


@pytest.mark.parametrize(
    ("ours", "theirs", "agreed"),
    [
        ([[0.7]], [[0.99]], "yes"),
        ([[0.5]], [[0.99]], "yes"),
        ([[0.49]], [[0.5]], "no"),
        ([[0.2], [0.8]], [[0.1], [0.3]], "no"),
    ],
)
def test_one_score_agrees_by_its_half(tmp_path, ours, theirs, agreed):
    bench = Bench(tmp_path, f"half.{agreed}.{len(ours)}", labels=("no", "yes"))
    assert bench.offer(ours, theirs) == [agreed]


@pytest.mark.parametrize(
    ("theirs", "agreed"),
    [
        ([[100.9, -50.4, 0.001]], "yes"),
        ([[102.0, -50.0, 0.0]], "no"),
        ([[100.0, -50.0, float("nan")]], "no"),
    ],
)
def test_without_labels_numbers_agree_within_a_hundredth(tmp_path, theirs, agreed):
    bench = Bench(tmp_path, "numbers", labels=())
    assert bench.offer([[100.0, -50.0, 0.0]], theirs) == [agreed]


def test_one_number_for_a_whole_request_is_compared(tmp_path):
    bench = Bench(tmp_path, "number", labels=())
    assert bench.offer(7.0, 7.01) == ["yes"]
    assert bench.offer(7.0, 8.0) == ["no"]


def test_a_fixed_batch_is_compared_by_the_rows_that_were_asked(bench):
    assert bench.offer([[1, 2, 9]], [[0, 0, 1], [9, 0, 0]]) == ["yes"]


def test_the_shadow_gets_inputs_of_its_own(bench):
    asked = []

    def inputs_for(model):
        asked.append(model.version)
        return {"pixels": PIXELS + model.version}

    bench.offer([[1, 0, 0], [1, 0, 0]], [[1, 0, 0], [1, 0, 0]], inputs_for)
    assert asked == [2]
    assert (bench.backends[2].batches[-1]["pixels"] == 2).all()


def refuse(model):
    raise KeyError("bug")


@pytest.mark.parametrize(
    ("theirs", "inputs_for"),
    [
        (BackendError("broken weights"), lambda model: {"pixels": PIXELS}),
        ([[1, 0, 0]], refuse),
        ([[1, 0, 0]], lambda model: {"pixels": PIXELS}),  # fewer rows than requested
    ],
)
def test_whatever_goes_wrong_is_counted_and_the_next_is_compared(
    bench, theirs, inputs_for
):
    ours = [[1, 0, 0], [1, 0, 0]]
    assert bench.offer(ours, theirs, inputs_for) == ["failed"]
    assert bench.offer(ours, ours) == ["yes"]


def test_a_shadow_that_fails_and_fails_is_said_once(bench, caplog):
    for _ in range(3):
        assert bench.offer([[1, 0, 0]], [[1, 0, 0]], refuse) == ["failed"]
    said = [r for r in caplog.records if r.name == "runtime.prediction.shadow"]
    assert len(said) == 1


def test_one_that_stands_in_for_the_shadow_is_not_taken_for_it(bench):
    """The label moved to a version that cannot be loaded, so the old one goes on."""
    ours = [[1, 0, 0]]
    assert bench.offer(ours, ours) == ["yes"]
    bench.store.install(lambda f: write_bundle(f, name=bench.name) and None)
    bench.backends[3] = BackendError("broken weights")
    bench.store.set_label(bench.name, "shadow", 3)
    model = bench.registry.get(ModelSpec(bench.name))
    bench.shadow.offer(
        bench.name, model, lambda model: {"pixels": PIXELS}, np.array(ours)
    )
    bench.wait()
    assert count_of(bench.name, "3", "failed") == 1


def nothing_was_done(bench):
    return not bench.shadow._thread.was_started and not any(bench.counted().values())


def test_a_model_without_the_label_has_no_shadow(bench):
    bench.store.delete_label(bench.name, "shadow")
    assert bench.offer([[1, 0, 0]], [[1, 0, 0]]) == []
    assert nothing_was_done(bench)


def test_the_version_that_answered_is_not_compared_with_itself(bench):
    bench.store.set_label(bench.name, "shadow", 1)
    assert bench.offer([[1, 0, 0]], [[1, 0, 0]]) == []
    assert nothing_was_done(bench)


def test_without_a_label_in_the_config_nothing_is_done(bench):
    bench.shadow = Shadow(bench.registry, bench.store, "")
    assert bench.offer([[1, 0, 0]], [[1, 0, 0]]) == []
    assert nothing_was_done(bench)


def test_a_store_that_cannot_be_read_is_no_error_of_the_request(bench, monkeypatch):
    bench.backends = {1: Rows([[1, 0, 0]])}
    model = bench.registry.get(ModelSpec(bench.name))
    label = bench.store.root / bench.name / ".labels" / "shadow"
    real = Path.open

    def deny(path, *rest, **named):
        if path == label:
            raise PermissionError(13, "Permission denied")
        return real(path, *rest, **named)

    monkeypatch.setattr(Path, "open", deny)
    bench.shadow.offer(bench.name, model, refuse, np.zeros((1, 3)))
    assert nothing_was_done(bench)


def test_what_the_queue_cannot_take_is_dropped_and_nobody_waits(bench):
    bench.shadow = Shadow(bench.registry, bench.store, "shadow", room=2)
    rows = [[1, 0, 0]]
    bench.backends = {1: Rows(rows), 2: Rows(rows)}
    model = bench.registry.get(ModelSpec(bench.name))
    started, go = threading.Event(), threading.Event()

    def held(shadow):
        started.set()
        assert go.wait(10)
        return {"pixels": PIXELS}

    def offer():
        bench.shadow.offer(bench.name, model, held, np.array(rows))

    offer()
    assert started.wait(10)
    for _ in range(5):  # one runs, two wait
        offer()
    assert bench.counted() == {"yes": 0, "no": 0, "failed": 0, "dropped": 3}
    go.set()
    bench.wait()
    assert bench.counted() == {"yes": 3, "no": 0, "failed": 0, "dropped": 3}


@pytest.mark.parametrize("moved", [False, True])
def test_a_label_that_is_moved_or_deleted_meanwhile_is_no_failure(bench, caplog, moved):
    def change(shadow):
        if moved:
            bench.store.set_label(bench.name, "shadow", 1)
        else:
            bench.store.delete_label(bench.name, "shadow")
        return {"pixels": PIXELS}

    rows = [[1, 0, 0]]
    bench.backends = {1: Rows(rows), 2: Rows(rows)}
    model = bench.registry.get(ModelSpec(bench.name))
    started, go = threading.Event(), threading.Event()

    def first(shadow):
        started.set()
        assert go.wait(10)
        return change(shadow)

    for inputs_for in (first, refuse, refuse):
        bench.shadow.offer(bench.name, model, inputs_for, np.array(rows))
    assert started.wait(10)
    go.set()
    bench.wait()
    assert bench.counted() == {"yes": 1, "no": 0, "failed": 0, "dropped": 2}
    assert not [r for r in caplog.records if r.name == "runtime.prediction.shadow"]


HUNG = """
import sys, threading
from pathlib import Path
import numpy as np
from tests.runtime.prediction.test_shadow import Bench, Rows
from bundle.spec import ModelSpec
bench = Bench(Path(sys.argv[1]), "hung")
bench.backends = {1: Rows([[1, 0, 0]]), 2: Rows([[1, 0, 0]])}
model = bench.registry.get(ModelSpec("hung"))
started = threading.Event()
def hang(shadow):
    started.set()
    threading.Event().wait()
for _ in range(20):
    bench.shadow.offer("hung", model, hang, np.zeros((1, 3)))
assert started.wait(10)
print("bye")
"""


@pytest.mark.slow
def test_a_shadow_that_hangs_keeps_no_process_from_ending(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", HUNG, str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "bye\n"), done.stderr
