"""TensorFlow runs in a process of its own: its answers, deaths and walls are tested."""

import concurrent.futures
import contextlib
import gc
import json
import logging
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections import deque
from pathlib import Path

import numpy as np
import psutil
import pytest
from prometheus_client import REGISTRY

from bundle.errors import ShapeError
from bundle.folder import open_bundle
from runtime.backends.model_process import _raise, _watch
from runtime.backends.session_config import SessionConfig
from runtime.backends.tensorflow_process import TensorFlowProcesses
from runtime.errors import BackendError
from runtime.process.environment import child_environment
from runtime.process.forkserver import Child, ForkServer
from runtime.publishing.trial import fork_servers
from runtime.walls import standing
from tests.runtime import dying

pytestmark = pytest.mark.tensorflow


@pytest.fixture(scope="module")
def processes():
    return TensorFlowProcesses(
        fork_servers()[1],
        SessionConfig(threads=1),
        seconds=120,
        run_seconds=120,
        max_bytes=8 << 30,
    )


@pytest.fixture(scope="module")
def save(tmp_path_factory):
    """Return a function that writes a bundle of a function, traced in this process."""
    import tensorflow as tf

    def make(function, *specs):
        folder = tmp_path_factory.mktemp("bundle") / "made"
        module = tf.Module()
        module.served = tf.function(function, input_signature=specs)
        signatures = {"serving_default": module.served}
        tf.saved_model.save(module, folder, signatures=signatures)
        params = {"name": "made", "model": "saved_model.pb"}
        (folder / "params.json").write_text(json.dumps(params))
        return open_bundle(folder)

    return make


@pytest.fixture(scope="module")
def numbers():
    import tensorflow as tf

    return tf.TensorSpec([None, 3], tf.float32, name="numbers")


@pytest.fixture(scope="module")
def doubler(save, numbers):
    return save(lambda numbers: {"doubled": 2 * numbers}, numbers)


ONE = {"numbers": np.array([[1, 2, 3]], np.float32)}


def workers():
    """Return the processes in which TensorFlow runs, each alone below its guard."""
    found = []
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):  # the process has ended
            is_one = "runtime.backends.tensorflow_child" in process.cmdline()
            if is_one and process.num_threads() > 1:
                found.append(process)
    return found


def test_it_answers_and_tells_its_tensors(processes, doubler):
    backend = processes.open(doubler)
    assert (backend.name, backend.device) == ("tensorflow", "cpu")
    assert [(i.name, i.dtype, i.shape) for i in backend.inputs] == [
        ("numbers", np.float32, (None, 3))
    ]
    assert backend.run(ONE)["doubled"].tolist() == [[2, 4, 6]]
    with pytest.raises(ShapeError, match="input 'numbers' is missing"):
        backend.run({})


def test_a_process_whose_answers_nobody_waits_for_steps_back(processes, doubler):
    before = {process.pid for process in workers()}
    backend = processes.open(doubler, niceness=3)
    assert backend.run(ONE)["doubled"].tolist() == [[2, 4, 6]]
    (process,) = (one for one in workers() if one.pid not in before)
    # 19 is the lowest priority.
    assert process.nice() == min(19, psutil.Process().nice() + 3)


def test_texts_go_there_and_back(processes, save):
    import tensorflow as tf

    spec = tf.TensorSpec([None], tf.string, name="words")
    backend = processes.open(
        save(lambda words: {"louder": tf.strings.join([words, "!"])}, spec)
    )
    outputs = backend.run({"words": np.array(["hört", "nicht"], object)})
    assert outputs["louder"].tolist() == ["hört!".encode(), b"nicht!"]


def test_an_input_that_it_does_not_take_harms_no_other(processes, save, numbers):
    import tensorflow as tf

    def refuse(numbers):
        tf.debugging.assert_non_negative(numbers)
        return {"same": numbers}

    backend = processes.open(save(refuse, numbers))
    with pytest.raises(BackendError, match="TensorFlow failed on this input") as raised:
        backend.run({"numbers": -ONE["numbers"]})
    # The log shows the cause.
    assert "InvalidArgumentError" in str(raised.value.__cause__)
    assert backend.run(ONE)["same"].tolist() == [[1, 2, 3]]


def test_where_no_process_can_be_started_that_is_told(doubler):
    server = ForkServer([dying.__name__], child_environment())
    none = TensorFlowProcesses(
        server, SessionConfig(), seconds=60, run_seconds=60, max_bytes=1 << 30
    )
    with pytest.raises(BackendError) as told:
        none.open(doubler)
    assert str(told.value) == (
        "TensorFlow cannot be started here, and the service's log says why"
    )


def test_many_ask_at_once(processes, doubler):
    backend = processes.open(doubler)

    def ask(number):
        inputs = {"numbers": np.full((1, 3), number, np.float32)}
        return backend.run(inputs)["doubled"].tolist() == [[2 * number] * 3]

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        assert all(pool.map(ask, range(400)))


def test_a_process_that_was_killed_is_replaced(processes, doubler, caplog):
    before = workers()
    backend = processes.open(doubler)
    (its,) = set(workers()) - set(before)
    its.send_signal(signal.SIGSEGV)
    its.wait()
    assert backend.run(ONE)["doubled"].tolist() == [[2, 4, 6]]
    # Either the request or the thread that waits for the process sees the death first.
    if caplog.records:
        assert "made: TensorFlow's process was ended by SIGSEGV" in caplog.text


def restarts():
    return REGISTRY.get_sample_value("tfaas_tensorflow_restarts_total")


def test_where_no_other_can_be_started_requests_are_told_at_once(
    processes, save, numbers
):
    before = workers()
    bundle = save(lambda numbers: {"same": numbers}, numbers)
    backend = processes.open(bundle)
    (its,) = set(workers()) - set(before)
    (bundle.path / "saved_model.pb").write_bytes(b"nonsense")
    its.kill()
    its.wait()
    tried = restarts()
    for _ in range(3):
        with pytest.raises(BackendError, match="TensorFlow cannot load"):
            backend.run(ONE)
    assert restarts() == tried + 1


def test_it_ends_with_the_last_who_holds_it(processes, doubler):
    before = workers()
    backend = processes.open(doubler)
    (its,) = set(workers()) - set(before)
    del backend
    gc.collect()
    its.wait(30)


def endless(numbers):
    """Hold memory for ever: the first number says how many numbers."""
    import tensorflow as tf

    held = tf.fill([tf.cast(numbers[0, 0], tf.int32)], numbers[0, 1])
    return {
        "never": tf.while_loop(
            lambda held: tf.reduce_sum(held[:3]) > 0,
            lambda held: [tf.identity(held)],
            [held],
            shape_invariants=[tf.TensorShape([None])],
        )[0]
    }


def test_a_run_without_end_and_one_without_bounds_are_ended(save, numbers):
    processes = TensorFlowProcesses(
        fork_servers()[1],
        SessionConfig(threads=1),
        seconds=120,
        run_seconds=5,
        max_bytes=3 << 28,
    )
    backend = processes.open(save(endless, numbers))
    with pytest.raises(BackendError, match="took more than 805306368 bytes"):
        backend.run({"numbers": np.array([[2e8, 1, 1]], np.float32)})
    with pytest.raises(BackendError, match="took longer than 5 s"):
        backend.run({"numbers": np.array([[4, 1, 1]], np.float32)})
    # Without a positive sum there is no loop.
    fine = {"numbers": np.array([[1, -1, 0]], np.float32)}
    assert backend.run(fine)["never"].tolist() == [-1]


def test_what_it_runs_writes_nowhere(processes, save, numbers, tmp_path):
    """Nobody checked this model: only the walls stop it."""
    import tensorflow as tf

    marker = tmp_path / "written"

    def write(numbers):
        with tf.control_dependencies([tf.io.write_file(str(marker), "x")]):
            return {"same": tf.identity(numbers)}

    if not standing().landlock:
        pytest.skip("this kernel has no Landlock")
    # The warm-up already runs the operator.
    with pytest.raises(BackendError):
        processes.open(save(write, numbers)).run(ONE)
    assert not marker.exists()
    backend = processes.open(save(lambda numbers: {"same": numbers}, numbers))
    assert backend.run(ONE)["same"].tolist() == [[1, 2, 3]]


def test_not_even_its_temporary_folder_is_filled(processes, save):
    """The folder lives as long as the service, so its files would never be removed."""
    import tensorflow as tf

    if not standing().landlock:
        pytest.skip("this kernel has no Landlock")

    def write_file(names):
        with tf.control_dependencies([tf.io.write_file(names[0], "x")]):
            return tf.identity(names)

    def write(names):
        # The names of the warm-up are shorter.
        is_path = tf.strings.length(names[0]) > 1
        return {"same": tf.cond(is_path, lambda: write_file(names), lambda: names)}

    spec = tf.TensorSpec([None], tf.string, name="names")
    backend = processes.open(save(write, spec))
    folders = list(Path(tempfile.gettempdir()).glob("tfaas-guard*/new"))
    assert folders
    for folder in folders:
        with pytest.raises(BackendError):
            backend.run({"names": np.array([str(folder / "written")], object)})
        assert not (folder / "written").exists()


def test_what_it_writes_fills_no_log(caplog):
    wanted, output, ended = os.pipe(), os.pipe(), os.pipe()
    for end, text in ((output[1], b"tfaas: look at me\n" * 300), (ended[1], b"0")):
        os.write(end, text)
        os.close(end)
    os.close(wanted[0])
    child = Child(wanted[1], os.fdopen(output[0], encoding="utf-8"), ended[0])
    said, code, gone = deque(maxlen=20), [], threading.Event()
    with caplog.at_level(logging.INFO):
        _watch(child, said, code, gone)
    assert len(caplog.records) == 100
    assert (len(said), code, gone.is_set()) == (20, [0], True)


def test_an_error_that_it_tells_has_an_end():
    with pytest.raises(BackendError) as raised:
        _raise({"error": "x" * (1 << 20), "kind": "Exception", "detail": "y" * 9999})
    assert len(str(raised.value)) == len(str(raised.value.__cause__)) == 1000


def test_what_cannot_be_loaded_is_a_sentence(processes, doubler):
    (doubler.path / "saved_model.pb").rename(doubler.path / "kept")
    try:
        (doubler.path / "saved_model.pb").write_bytes(b"nonsense")
        with pytest.raises(BackendError, match="TensorFlow cannot load saved_model.pb"):
            processes.open(doubler)
    finally:
        (doubler.path / "kept").replace(doubler.path / "saved_model.pb")


SCRIPT = """
import pathlib, sys
import numpy as np
from bundle.folder import open_bundle
from runtime.backends.session_config import SessionConfig
from runtime.backends.model_process import (_raise, _watch)
from runtime.backends.tensorflow_process import TensorFlowProcesses
from runtime.publishing.trial import fork_servers
processes = TensorFlowProcesses(
    fork_servers()[1], SessionConfig(), seconds=120, run_seconds=120, max_bytes=8 << 30
)
backend = processes.open(open_bundle(pathlib.Path(sys.argv[1])))
print(backend.run({"numbers": np.ones((1, 3), "f4")})["doubled"].tolist())
print([name for name in sys.modules if name.split(".")[0] in ("tensorflow", "keras")])
"""


def test_whoever_asks_imports_no_tensorflow(doubler):
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", SCRIPT, doubler.path],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.splitlines() == ["[[2.0, 2.0, 2.0]]", "[]"], done.stderr
    assert done.returncode == 0
