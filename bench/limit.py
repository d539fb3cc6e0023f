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
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime
from PIL import Image

from bench.errors import BenchError
from bench.models import Model, own_environment
from bench.places import ROOT, RUN

# The limit is that of Pillow, with whatever library this project decodes.
_FORMATS = ("PNG", "JPEG")


@dataclass(frozen=True)
class Loop:
    """One kind of loop.

    Attributes:
        key: its name in results.json; works name their loop by it.
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


@dataclass(frozen=True)
class Pace:
    """The speed of a loop.

    Attributes:
        images_per_second: the images a second of all its processes together.
        image_us: the processor time for one image, user and system, in microseconds.
    """

    images_per_second: float
    image_us: float


LOOPS = (
    Loop("a", "MNIST: decode and run, batch 1", "mnist", 1),
    Loop("b", "MNIST: run alone, batch 1", "mnist", 1, decode=False),
    Loop("b32", "MNIST: run alone, batch 32", "mnist", 32, decode=False),
    Loop("c", "MNIST: decode and run, batch 32", "mnist", 32),
    Loop("d", "MobileNetV2: decode and run, batch 1", "mobilenet", 1),
    Loop("d32", "MobileNetV2: decode and run, batch 32", "mobilenet", 32),
)


def pace(loop: Loop, model: Model, processes: int, seconds: float) -> Pace:
    """Measure how fast all processes together decode and run images.

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
        return together([_line(process) for process in started])
    finally:
        for process in started:
            process.kill()
            process.communicate()


def together(lines: Iterable[str]) -> Pace:
    """Add up what the processes of a loop have printed.

    Args:
        lines: a line of JSON from each process: its images, the seconds that they took,
            and its processor time in seconds.

    Raises:
        BenchError: a process printed something else.
    """
    speed = images = busy = 0.0
    for line in lines:
        try:
            count, took, processor = json.loads(line)
        except ValueError as ex:
            raise BenchError(f"a loop printed {line!r} in place of its figures") from ex
        speed += count / took
        images += count
        busy += processor
    return Pace(round(speed, 1), round(busy / images * 1e6, 1))


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
            image = Image.open(io.BytesIO(picture), formats=_FORMATS).convert(mode)
            row[:] = np.asarray(image).reshape(shape)
        return made

    ready = pixels()
    for _ in range(3):
        session.run(None, {given.name: pixels()})
    print("ready", flush=True)
    sys.stdin.readline()
    runs, begin, processor = 0, time.perf_counter(), time.process_time()
    while (took := time.perf_counter() - begin) < seconds:
        session.run(None, {given.name: pixels() if decode else ready})
        runs += 1
    processor = time.process_time() - processor
    print(json.dumps([runs * batch, took, processor]), flush=True)


if __name__ == "__main__":
    _loop(*json.loads(sys.argv[1]))
