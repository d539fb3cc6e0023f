"""Several workers of Ray train as one process does, also if one of them is killed.

``make cluster-test`` sets CLUSTER. If it is ``short``, two workers train once on a few
images.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import psutil
import pytest

from bundle.manifest import verify_manifest
from tests.cluster import RayCluster, until
from tests.end_to_end.conftest import ENVIRONMENT, PATIENCE
from tests.end_to_end.keras_file import numbers_in
from trainer.data import EMBEDDED

pytestmark = pytest.mark.cluster

IS_LONG = os.environ.get("CLUSTER", "short") != "short"
long = pytest.mark.skipif(not IS_LONG, reason="make cluster-test runs it")
EPOCHS = 12


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> Callable[[int], Path]:
    """Return a function that writes the first images of MNIST."""
    folder = tmp_path_factory.mktemp("data")

    def write(count: int) -> Path:
        file = folder / f"{count}.npz"
        with np.load(EMBEDDED) as archive:
            rows = {"train": count, "test": max(100, count // 6)}
            parts = {
                f"{part}_{half}": archive[f"{part}_{half}"][:number]
                for part in "xy"
                for half, number in rows.items()
            }
        np.savez(file, **parts)
        return file

    return write


class Trainer:
    """The process of a training, and what it prints."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self.process = process
        self._log = log

    @property
    def text(self) -> str:
        return self._log.read_text()

    @property
    def epochs(self) -> list[int]:
        """The epochs that were told of, in their order."""
        return [int(n) for n in re.findall(r"^epoch (\d+)/", self.text, re.M)]

    def wait_for(self, epoch: int) -> None:
        until(
            lambda: epoch in self.epochs or self.process.poll() is not None,
            f"epoch {epoch}",
            PATIENCE,
        )
        assert self.process.poll() is None, self.text

    def succeed(self) -> str:
        assert self.process.wait(2 * PATIENCE) == 0, self.text
        return self.text


@contextmanager
def training(
    folder: Path, *arguments: object, ray: RayCluster | None = None, workers: int = 2
) -> Iterator[Trainer]:
    """Run ``trainer run`` for the length of a block; it writes the bundle ``m``."""
    folder.mkdir(exist_ok=True)
    options = [str(argument) for argument in arguments]
    environment = ENVIRONMENT
    if ray is not None:
        options += ["--ray-workers", str(workers), "--ray-address", ray.address]
        environment = {**ENVIRONMENT, **ray.environment}
    log = folder / "log"
    with log.open("ab") as stream:
        process = subprocess.Popen(
            [sys.executable, "-m", "trainer", "run", "--fout", "m", *options],
            cwd=folder,
            env=environment,
            stdout=stream,
            stderr=subprocess.STDOUT,
        )
    try:
        yield Trainer(process, log)
    finally:
        process.kill()
        process.wait()


def metrics(folder: Path) -> dict[str, object]:
    found: dict[str, object] = json.loads(
        (folder / "m/report/metrics.json").read_text()
    )
    return found


def workers(cluster: RayCluster) -> dict[int, psutil.Process]:
    """Return the processes that train, by their numbers."""
    found = cluster.processes("ray::RayTrainWorker")
    return {process.pid: process for process in found}


@long
def test_two_workers_write_a_whole_bundle_though_one_is_killed(
    cluster: RayCluster, few: Callable[[int], Path], tmp_path: Path
) -> None:
    data = few(600)
    options = ("--fin", data, "--epochs", 5, "--batch-size", 20, "--no-onnx")
    with training(tmp_path, *options, ray=cluster) as trainer:
        trainer.wait_for(1)
        before = workers(cluster)
        assert len(before) == 2
        before[max(before)].kill()
        text = trainer.succeed()
    assert "(raylet)" not in text
    # The workers went on from the epoch that was told of, and did none of them again.
    assert trainer.epochs == [1, 2, 3, 4, 5]
    assert {path.name for path in tmp_path.iterdir()} == {"log", "m"}
    verify_manifest(tmp_path / "m")
    figures = metrics(tmp_path)
    assert figures["workers"] == 2
    assert str(figures["command"]).endswith("--ray-workers 2")
    history = figures["history"]
    assert isinstance(history, dict)
    assert set(history) == {"accuracy", "loss", "val_accuracy", "val_loss"}
    assert all(len(values) == 5 for values in history.values())


@long
def test_lost_workers_and_drivers_change_no_bit(
    cluster: RayCluster, few: Callable[[int], Path], tmp_path: Path
) -> None:
    """The kill comes right after an epoch, within the two seconds that Ray forgets."""
    data = few(1200)
    options = ("--fin", data, "--epochs", EPOCHS, "--batch-size", 50, "--no-onnx")
    every = list(range(1, EPOCHS + 1))
    with training(tmp_path / "unbroken", *options, ray=cluster) as unbroken:
        unbroken.succeed()
    assert unbroken.epochs == every

    with training(tmp_path / "worker", *options, ray=cluster) as lost:
        lost.wait_for(2)
        before = workers(cluster)
        assert len(before) == 2
        before[max(before)].kill()
        until(lambda: len(workers(cluster).keys() - before) == 2, "new workers", 300)
        lost.succeed()
    # The workers went on from the epoch that was told of, and did none of them again.
    assert lost.epochs == every
    weights = numbers_in(tmp_path / "unbroken" / "m")
    assert numbers_in(tmp_path / "worker" / "m") == weights

    with training(tmp_path / "driver", *options, ray=cluster) as killed:
        killed.wait_for(3)
        killed.process.kill()
        killed.process.wait()
    until(lambda: not workers(cluster), "the end of the workers", 120)
    assert not (tmp_path / "driver" / "m").exists()
    with training(tmp_path / "driver", *options, "--resume", ray=cluster) as resumed:
        text = resumed.succeed()
    (done,) = re.findall(r"^resumed after epoch (\d+)$", text, re.M)
    assert int(done) >= 3
    assert resumed.epochs[-1] == EPOCHS
    assert numbers_in(tmp_path / "driver" / "m") == weights
    assert {path.name for path in (tmp_path / "driver").iterdir()} == {"log", "m"}


@long
def test_three_workers_on_three_nodes_are_as_accurate_as_one_process(
    cluster: RayCluster, few: Callable[[int], Path], tmp_path: Path
) -> None:
    """The margin is three times the deviation of 0.93 over 1,666 test images."""
    data = few(10_000)
    options = ("--fin", data, "--epochs", 2, "--batch-size", 128, "--no-onnx")
    with training(tmp_path / "one", *options) as alone:
        alone.succeed()
    node = cluster.add_node()
    try:
        # Two processors each, so that no node has room for two workers.
        shares = (*options, "--ray-cpus-per-worker", 2)
        with training(tmp_path / "three", *shares, ray=cluster, workers=3) as three:
            three.succeed()
    finally:
        cluster.kill_node(node)
    accuracies = [
        metrics(tmp_path / name)["test_accuracy"] for name in ("one", "three")
    ]
    one, together = map(float, map(str, accuracies))
    assert one > 0.85
    assert abs(together - one) < 3 * (0.93 * 0.07 / 1666) ** 0.5 * 2**0.5


@long
def test_a_table_is_trained_on_too(cluster: RayCluster, tmp_path: Path) -> None:
    generator = np.random.default_rng(1)
    mass, width = generator.normal(size=(2, 400))
    kinds = generator.choice(["up", "down"], 400)
    labels = np.where(mass + (kinds == "up") > width, "signal", "noise")
    rows = zip(mass, width, kinds, labels, strict=True)
    lines = [f"{m:.4f},{w:.4f},{kind},{label}" for m, w, kind, label in rows]
    data = tmp_path / "rows.csv"
    data.write_text("\n".join(["mass,width,kind,label", *lines]) + "\n")
    with training(tmp_path / "t", "--fin", data, ray=cluster) as trainer:
        trainer.succeed()
    assert float(str(metrics(tmp_path / "t")["test_accuracy"])) > 0.8
    files = {path.name for path in (tmp_path / "t" / "m").iterdir()}
    assert files >= {"model.keras", "model.onnx", "parity.json"}


@long
def test_a_worker_that_fails_by_itself_ends_the_training(
    cluster: RayCluster, few: Callable[[int], Path], tmp_path: Path
) -> None:
    """The driver has the file with the function of this layer; the workers have not."""
    (tmp_path / "nets.py").write_text(_FAILING)
    options = ("--fin", few(200), "--arch", tmp_path / "nets.py:build_model")
    with training(tmp_path / "t", *options, ray=cluster) as trainer:
        assert trainer.process.wait(PATIENCE) == 1, trainer.text
    last = trainer.text.splitlines()[-1]
    assert last.startswith("Error: a worker failed: ")
    assert "Traceback" not in trainer.text


_FAILING = """
import keras

def same(x):
    return x

def build_model(input_shape, classes):
    return keras.Sequential([
        keras.Input(input_shape),
        keras.layers.Lambda(lambda x: same(x)),
        keras.layers.Flatten(),
        keras.layers.Dense(classes, activation="softmax"),
    ])
"""
