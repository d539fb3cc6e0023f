"""The converter runs small real processes in the exporter's place."""

import contextlib
import logging
import os
import signal
import sys
import threading
from pathlib import Path

import psutil
import pytest

from bundle.errors import StoreUnreachable
from bundle.folder import open_bundle
from bundle.parity import read_parity
from bundle.store import ModelStore
from runtime.backends.options import BackendOptions
from runtime.config import Config
from runtime.conversion.conversions import Conversions
from runtime.conversion.converter import Converter
from runtime.conversion.exporter import exporter_for
from runtime.models.opening import open_model
from runtime.models.registry import ModelRegistry
from runtime.telemetry import metrics
from tests.examples import linear_onnx
from tests.frozen import write_frozen_bundle

ROOT = Path(__file__).resolve().parents[3]
PATIENCE = 30

pytestmark = pytest.mark.slow

# This script stands in for `exporter convert --json FOLDER`.
CONVERTS = """
import pathlib, sys
folder = pathlib.Path(sys.argv[1])
data = (folder.parent.parent.parent / "linear.onnx").read_bytes()
(folder / "model.onnx").write_bytes(data)
print('{"outcome": "converted", "reason": ""}')
"""
# This script writes its process id to a pipe, which also says that it is at work.
SLEEPS = """
import os, pathlib, sys, time
folder = pathlib.Path(sys.argv[1])
(folder.parent.parent.parent / "pid").write_text(str(os.getpid()))
time.sleep(600)
"""


def ends(reason, outcome="refused", code=1):
    """Return a script that reports this end; ``reason`` is a Python expression."""
    told = f"{{'outcome': {outcome!r}, 'reason': {reason}}}"
    return f"import json, os, sys; print(json.dumps({told})); sys.exit({code})"


REFUSES = ends("'no'")


class Store:
    """A store, and the converter of its models."""

    def __init__(self, folder):
        (folder / "linear.onnx").write_bytes(linear_onnx())
        with contextlib.suppress(FileExistsError):
            os.mkfifo(folder / "pid")
        self.folder = folder
        self.config = Config(model_dir=folder / "models", keep_versions=0)
        self.store = ModelStore(self.config.model_dir)
        self.registry = ModelRegistry(
            self.store, lambda version: open_model(version, BackendOptions()), limit=10
        )
        self.conversions = Conversions(self.store, self.config)

    def publish(self, name="linear"):
        return self.store.install(
            lambda folder: write_frozen_bundle(
                folder, b"graph", name=name, img_channels=1
            )
        )

    def converter(self, script, seconds=600, max_bytes=1 << 40, **given):
        return Converter(
            self.store,
            self.registry,
            self.conversions,
            seconds,
            max_bytes,
            (sys.executable, "-c", script),
            **given,
        )

    def state(self, version):
        parity = read_parity(version.path)
        bundle = open_bundle(version.path)
        model = self.registry.peek(version.name, version.number)
        return self.conversions.state(version, bundle, parity, model)

    def sleeper(self):
        """Return the process that sleeps, once it has said so."""
        return psutil.Process(int((self.folder / "pid").read_text()))


@pytest.fixture
def place(tmp_path):
    return Store(tmp_path)


def outcomes(name="linear"):
    """Return how often each outcome was counted."""
    return {
        sample.labels["outcome"]: sample.value
        for metric in metrics.CONVERSIONS.collect()
        for sample in metric.samples
        if sample.name == "tfaas_conversions_total" and sample.labels["model"] == name
    }


@pytest.fixture(autouse=True)
def counted():
    metrics.CONVERSIONS.clear()


def test_what_is_converted_is_shared_and_a_store_that_is_down_stops_nothing(
    place, caplog
):
    shared = []

    def share(version):
        shared.append(version.number)
        raise StoreUnreachable("the object store does not answer")

    place.publish()
    place.publish()
    place.converter(CONVERTS, share=share).convert_all()
    assert shared == [2, 1]
    assert outcomes() == {"converted": 2}
    assert "linear version 2 has its ONNX on this machine alone: the obj" in caplog.text


def test_what_is_published_is_converted_and_loaded(place):
    converter = place.converter(CONVERTS)
    old, new = place.publish(), place.publish()
    converter.convert_all()
    for version in (old, new):
        assert place.state(version) == "onnx (unproved)"
    assert place.registry.loaded() == [("linear", 2)], "who serves is warm"
    assert outcomes() == {"converted": 2}
    assert not (place.store.root / ".conversions").exists()


@pytest.mark.parametrize(
    ("script", "outcome", "reason"),
    [
        (
            "import sys; print('chatter', file=sys.stderr); print('chatter');"
            + ends("'it has texts, as in (in /layer/a)'"),
            "refused",
            "it has texts, as in (in /layer/a)",
        ),
        (
            ends("sys.argv[1] + ' is not writable'", code=2),
            "refused",
            "1 is not writable",
        ),
        (ends("'the work crashed'", "failed"), "failed", "the work crashed"),
        ("raise KeyError(1)", "failed", "its conversion failed, and the service's log"),
        ("", "failed", "its conversion failed, and the service's log"),
        (
            "import os; os.kill(os.getpid(), 11)",
            "failed",
            "its conversion was killed by SIGSEGV",
        ),
        ("import time; time.sleep(600)", "too_slow", "its conversion took longer than"),
        (
            "a = []\nwhile True: a.append(b'x' * (1 << 20))",
            "too_large",
            "its conversion took more than 104857600 bytes of memory",
        ),
        ("while True: print('y' * 1000)", "too_slow", "its conversion took longer"),
        (
            "import sys\nwhile True: sys.stdout.write('y' * 1000)",
            "too_slow",
            "its conversion took longer than 2 s (config.json's 'exportSeconds')",
        ),
    ],
)
def test_what_fails_is_remembered_and_not_tried_again(place, script, outcome, reason):
    # Only the script without an end reaches its time limit, even on a busy machine.
    seconds = 2 if outcome == "too_slow" else PATIENCE
    converter = place.converter(script, seconds=seconds, max_bytes=100 << 20)
    version = place.publish()
    converter.convert_all()
    assert place.state(version).startswith(f"tensorflow: {reason}")
    converter.convert_all()
    assert outcomes() == {outcome: 1}
    assert str(place.folder) not in place.state(version)


@pytest.mark.parametrize(
    "line",
    [
        "Error: no",
        "[]",
        '{"outcome": "refused"}',
        '{"outcome": "refused", "reason": 3}',
        '{"outcome": "refused", "reason": ""}',
        '{"outcome": "done", "reason": "no"}',
        '{"outcome": "converted", "reason": ""}',
        "[" * 60_000,
    ],
)
def test_a_line_that_is_no_outcome_is_a_failure(place, line):
    """A line about a model.onnx that does not exist is a failure too."""
    version = place.publish()
    place.converter(f"print({line!r})").convert_all()
    said = "tensorflow: its conversion failed, and the service's log says why"
    assert place.state(version) == said
    assert outcomes() == {"failed": 1}


def test_a_crash_is_told_to_the_log_alone(place, caplog):
    place.publish()
    place.converter("raise KeyError('why')").convert_all()
    assert "KeyError: 'why'" in caplog.text


def test_one_that_fails_holds_up_no_other(place):
    bad, good = place.publish("a"), place.publish("b")
    script = f"import sys\nif '/a/' in sys.argv[1]: exec({REFUSES!r})\n{CONVERTS}"
    place.converter(script).convert_all()
    assert place.state(bad) == "tensorflow: no"
    assert place.state(good) == "onnx (unproved)"


def test_a_store_that_keeps_no_reason_is_not_tried_for_ever(place, monkeypatch):
    def refuse(version, reason):
        raise OSError(28, "No space left on device")

    place.publish()
    monkeypatch.setattr(place.conversions, "fail", refuse)
    converter = place.converter(REFUSES)
    converter.convert_all()
    converter.convert_all()
    assert outcomes() == {"refused": 1}


def test_what_is_said_of_a_deleted_version_goes_with_the_next_look(place):
    place.publish()
    converter = place.converter(REFUSES)
    converter.convert_all()
    assert (place.store.root / ".conversions").exists()
    place.store.delete_version("linear", 1)
    converter.convert_all()
    assert not (place.store.root / ".conversions").exists()


def test_modules_of_the_working_folder_are_none_of_the_child(place, monkeypatch):
    """The real exporter runs, and says why this model of five bytes has no ONNX."""
    for name in ("exporter", "runtime", "psutil"):
        (place.folder / f"{name}.py").write_text("raise SystemExit('of the folder')")
    monkeypatch.chdir(place.folder)
    monkeypatch.syspath_prepend(ROOT)
    version = place.publish()
    converter = place.converter("")
    converter._command = exporter_for(place.config)
    converter.convert_all()
    said = "tensorflow: tf_model_20180315.pb is damaged: it cannot be read"
    assert place.state(version) == said
    assert outcomes() == {"refused": 1}


def test_the_guard_alone_ends_what_takes_too_long():
    command = exporter_for(Config(export_seconds=7200))
    assert "--no-time-limit" in command
    assert not {"--time-limit", "--memory-limit"} & {*command}


def test_no_latency_is_measured_beside_requests():
    assert "--no-latency" in exporter_for(Config())


def test_the_exporter_has_the_services_walls_and_reads_no_settings_of_its_own():
    """Settings in the working folder may belong to somebody else."""
    config = Config(model_dir=Path("elsewhere"), walls="require", run_as_user="models")
    command = " ".join(exporter_for(config))
    for flags in ("--walls require", "--run-as-user models", "--models-dir elsewhere"):
        assert flags in command


def test_the_exporter_runs_any_operator_only_where_uploads_are_trusted():
    assert "--trust" in exporter_for(Config(trust_uploads=True))
    assert "--trust" not in exporter_for(Config())


def aside(call):
    thread = threading.Thread(target=call, daemon=True)
    thread.start()
    return thread


def ended(thread):
    thread.join(PATIENCE)
    return not thread.is_alive()


def test_a_version_that_is_deleted_is_not_converted_on(place):
    version = place.publish()
    thread = aside(place.converter(SLEEPS).convert_all)
    process = place.sleeper()
    assert place.state(version) == "converting"
    place.store.delete_version("linear", 1)
    assert ended(thread)
    assert not process.is_running()
    assert outcomes() == {"gone": 1}
    assert not (place.store.root / ".conversions").exists()


def test_one_that_somebody_ends_is_tried_again_later(place):
    version = place.publish()
    thread = aside(place.converter(SLEEPS).convert_all)
    place.sleeper().terminate()
    assert ended(thread)
    assert place.state(version) == "tensorflow: it is not converted yet"
    place.converter(CONVERTS).convert_all()
    assert place.state(version) == "onnx (unproved)"
    assert outcomes() == {"interrupted": 1, "converted": 1}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_one_that_always_ends_itself_is_not_tried_for_ever(place, number):
    version = place.publish()
    converter = place.converter(f"import os; os.kill(os.getpid(), {number:d})")
    for _ in range(5):
        converter.convert_all()
    assert outcomes() == {"interrupted": 2, "failed": 1}
    said = f"tensorflow: its conversion was killed by {number.name} at each try"
    assert place.state(version) == said


def test_two_services_convert_one_at_a_time(place, monkeypatch):
    """The second service waits for the first, and then has nothing to do."""
    version = place.publish()
    other = Store(place.folder)
    thread = aside(place.converter(SLEEPS).convert_all)
    process = place.sleeper()
    asked = threading.Event()
    alone = other.conversions.alone

    def wait_to_be_alone():
        asked.set()
        return alone()

    monkeypatch.setattr(other.conversions, "alone", wait_to_be_alone)
    waiting = aside(other.converter(CONVERTS).convert_all)
    assert asked.wait(PATIENCE)
    assert other.state(version) == "converting"
    (version.path / "model.onnx").write_bytes(linear_onnx())
    process.terminate()
    assert ended(thread)
    assert ended(waiting)
    assert other.state(version) == "onnx (unproved)"
    assert outcomes() == {"interrupted": 1}


def test_nothing_is_converted_before_the_start(place):
    place.publish()
    converter = place.converter(CONVERTS)
    converter.wake()
    assert not converter._thread.was_started


def test_what_was_there_and_what_comes_is_converted_in_the_background(place, caplog):
    caplog.set_level(logging.INFO)
    done = threading.Event()

    class Told(logging.Handler):
        def emit(self, record):
            if record.getMessage().startswith("converted"):
                done.set()

    first = place.publish("a")
    converter = place.converter(CONVERTS)
    handler = Told()
    logger = logging.getLogger("runtime.conversion.converter")
    logger.addHandler(handler)
    try:
        converter.start()
        assert done.wait(PATIENCE)
        assert place.state(first) == "onnx (unproved)"
        done.clear()
        second = place.publish("b")
        converter.wake()
        assert done.wait(PATIENCE)
        assert place.state(second) == "onnx (unproved)"
    finally:
        logger.removeHandler(handler)


def test_the_child_has_no_gpu_and_no_counters(place, monkeypatch):
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", "/nowhere")
    place.publish()
    script = """
import os, sys
given = os.environ.get("PROMETHEUS_MULTIPROC_DIR"), os.environ["CUDA_VISIBLE_DEVICES"]
"""
    place.converter(script + ends("str(given)")).convert_all()
    version = place.store.current("linear")
    assert place.state(version) == "tensorflow: (None, '-1')"
