"""The limit of the cores without a server: a loop that decodes and runs the model.

``python -m bench.limit`` is one process of the measurement. Each process is bound to a
core of its own.
"""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime
from PIL import Image

from bench.errors import BenchError
from bench.models import Model, own_environment
from bench.places import ROOT, RUN
from bundle.decode import FORMATS


@dataclass(frozen=True)
class Loop:
    """One kind of loop.

    Attributes:
        key: its name in results.json; a work's key, if it does the same as that work.
        title: its name in the tables.
        model: the name of the model that runs.
        batch: the number of images in one run.
        decode: decode each image before the run.
    """

    key: str
    title: str
    model: str
    batch: int
    decode: bool = True


LOOPS = (
    Loop("a", "MNIST: decode and run, batch 1", "mnist", 1),
    Loop("b", "MNIST: run alone, batch 1", "mnist", 1, decode=False),
    Loop("c", "MNIST: decode and run, batch 32", "mnist", 32),
    Loop("d", "MobileNetV2: decode and run, batch 1", "mobilenet", 1),
    Loop("d32", "MobileNetV2: decode and run, batch 32", "mobilenet", 32),
)


def images_per_second(
    loop: Loop, model: Model, processes: int, seconds: float
) -> float:
    """Measure how many images a second all processes together decode and run.

    Raises:
        BenchError: a process failed.
    """
    cores = sorted(os.sched_getaffinity(0))
    RUN.mkdir(parents=True, exist_ok=True)
    files = []
    for number, picture in enumerate(model.asked.pictures[: loop.batch]):
        file = RUN / f"limit-{number}"
        file.write_bytes(picture)
        files.append(str(file))
    started = [
        _start(loop, model.onnx, files, seconds, cores[number % len(cores)])
        for number in range(processes)
    ]
    try:
        # No process begins before all are ready.
        if not all(_line(process) == "ready\n" for process in started):
            raise BenchError(f"the loop {loop.title!r} did not begin")
        for process in started:
            assert process.stdin is not None
            process.stdin.write("\n")
            process.stdin.flush()
        return round(sum(float(_line(process) or "nan") for process in started), 1)
    finally:
        for process in started:
            process.kill()
            process.communicate()


def _line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline()


def _start(
    loop: Loop, onnx: Path, files: Sequence[str], seconds: float, core: int
) -> subprocess.Popen[str]:
    job = json.dumps([str(onnx), list(files), loop.batch, loop.decode, seconds, core])
    return subprocess.Popen(
        [sys.executable, "-m", "bench.limit", job],
        cwd=ROOT,
        env=own_environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def _loop(
    onnx: str, files: Sequence[str], batch: int, decode: bool, seconds: float, core: int
) -> None:
    os.sched_setaffinity(0, {core})
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        onnx, options, providers=["CPUExecutionProvider"]
    )
    (given,) = session.get_inputs()
    shape = tuple(given.shape[1:])
    mode = "L" if shape[2] == 1 else "RGB"
    pictures = [Path(file).read_bytes() for file in files]
    pictures = [pictures[i % len(pictures)] for i in range(batch)]

    def pixels() -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
        made = np.empty((batch, *shape), np.float32)
        for row, picture in zip(made, pictures, strict=True):
            image = Image.open(io.BytesIO(picture), formats=FORMATS).convert(mode)
            row[:] = np.asarray(image).reshape(shape)
        return made

    ready = pixels()
    for _ in range(3):
        session.run(None, {given.name: pixels()})
    print("ready", flush=True)
    sys.stdin.readline()
    runs, begin = 0, time.perf_counter()
    while (took := time.perf_counter() - begin) < seconds:
        session.run(None, {given.name: pixels() if decode else ready})
        runs += 1
    print(runs * batch / took, flush=True)


if __name__ == "__main__":
    _loop(*json.loads(sys.argv[1]))
