"""``python -m bench.gpu BUNDLE``: this project on a GPU, beside itself on the CPU.

It serves BUNDLE (an MNIST bundle with sample.npz) and ResNet-50 with drawn weights, in
float32 and float16, once by CUDA and once by the CPU. It compares the answers and loads
both servers. It needs onnxruntime-gpu, wrk and the package onnx, and no TensorFlow. Its
lines go into docs/performance.md by hand, because few machines have a GPU.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import click
import httpx
import numpy as np
from numpy.typing import NDArray

from bench import resnet, wrk
from bench.models import digits, noise, own_environment
from bench.places import ROOT
from bench.wire import Asked, Request, form, scores, v2_tensor
from bundle.decode import decode_image
from runtime.backends.onnx import OnnxBackend, open_onnx
from runtime.backends.options import BackendOptions
from runtime.config import Provider

_CONNECTIONS = (1, 8, 64)
_BATCHES = (1, 8, 32, 128)
_RUNTIME = "from runtime.cli import main; main(prog_name='runtime')"
_ADDRESS = re.compile(r"http://127\.0\.0\.1:\d+")
_START_SECONDS = 120
# So many pictures are compared; a body of 32 photos would be too large.
_COMPARED = 8


@dataclass(frozen=True)
class _Case:
    """A model that is measured, and the pictures that it is asked for."""

    name: str
    bundle: Path
    pictures: Sequence[bytes]
    pixels: NDArray[np.uint8]

    def asked(self, count: int) -> Asked:
        numbers = [number % len(self.pictures) for number in range(count)]
        pictures = [self.pictures[number] for number in numbers]
        none = np.empty((0, 0), np.float32)
        given = "image" if self.name.startswith("resnet") else "input_1"
        return Asked(self.name, given, pictures, self.pixels[numbers], none)


@click.command()
@click.argument("bundle", type=click.Path(path_type=Path, exists=True))
@click.option("--seconds", type=click.IntRange(1), default=4, show_default=True)
@click.option(
    "--provider",
    "providers",
    type=click.Choice(["cuda", "cpu"]),
    multiple=True,
    default=("cuda", "cpu"),
    show_default=True,
)
def main(bundle: Path, seconds: int, providers: Sequence[Provider]) -> None:
    """Measure BUNDLE and ResNet-50 by CUDA and by the CPU of this machine."""
    with tempfile.TemporaryDirectory() as place:
        cases = _cases(bundle.resolve(), Path(place))
        for case in cases:
            _measure_runs(case, providers)
        answers = {
            (case.name, provider): found
            for provider in providers
            for case, found in _serve(cases, provider, seconds, Path(place))
        }
    for case in cases:
        found = [answers[case.name, provider] for provider in providers]
        if len(found) == 2:
            _say(f"{case.name}: served scores differ by {_apart(*found):.2e}")


def _cases(bundle: Path, place: Path) -> list[_Case]:
    pictures = digits(bundle)
    pixels = np.stack([decode_image(picture, 1) for picture in pictures])
    cases = [_Case("mnist", bundle, pictures, pixels)]
    photo = noise()
    colour = decode_image(photo, 3)[np.newaxis]
    for name, dtype in (("resnet", np.float32), ("resnet16", np.float16)):
        resnet.write(place / name, name, dtype)
        cases.append(_Case(name, place / name, [photo], colour))
    return cases


def _measure_runs(case: _Case, providers: Sequence[Provider]) -> None:
    """Time a run of each batch size, and compare the scores of both providers."""
    found = []
    for provider in providers:
        options = BackendOptions(provider=provider)
        backend = open_onnx(case.bundle / "model.onnx", options)
        for batch in _BATCHES:
            pixels = case.asked(batch).pixels
            if provider == "cpu" and batch * pixels[0].size > 10_000_000:
                continue
            took, given = _time(backend, pixels)
            if batch == 32:
                found.append(given)
            _say(
                f"{case.name} on {backend.device}, a run of {batch}:"
                f" {took * 1e3:.3f} ms, {batch / took:,.0f} items/s"
            )
    if len(found) == 2:
        _say(f"{case.name}: scores of one run differ by {_apart(*found):.2e}")


def _time(
    backend: OnnxBackend, pixels: NDArray[np.uint8]
) -> tuple[float, NDArray[np.float32]]:
    """Return the seconds of the median run, and its scores, ``(N, classes)``."""
    (spec,) = backend.inputs
    inputs = {spec.name: pixels.astype(spec.dtype)}
    (given,) = backend.run(inputs).values()
    spent: list[float] = []
    while len(spent) < 200 and sum(spent) < 2:
        begun = time.perf_counter()
        backend.run(inputs)
        spent.append(time.perf_counter() - begun)
    return sorted(spent)[len(spent) // 2], given


def _serve(
    cases: Sequence[_Case], provider: Provider, seconds: int, place: Path
) -> Iterator[tuple[_Case, NDArray[np.float32]]]:
    """Serve the models by one provider, load the server, and give its scores."""
    folder = place / f"serving-{provider}"
    folder.mkdir()
    with _running(provider, folder) as url:
        port = int(url.rpartition(":")[2])
        for case in cases:
            begun = time.perf_counter()
            _push(case, url)
            _say(f"{case.name}: uploaded in {time.perf_counter() - begun:.1f} s")
            image = form("/predict/image")
            reply = _ask(url, image(case.asked(1)))
            engine = reply.headers["X-Model-Backend"]
            several = v2_tensor("/v2/models/{model}/infer")(case.asked(_COMPARED))
            given = scores(_ask(url, several).content)
            for connections in _CONNECTIONS:
                for wire in (image, v2_tensor("/v2/models/{model}/infer")):
                    request = wire(case.asked(1))
                    shares = [(100, request)]
                    wrk.send(port, shares, connections, 1, folder)
                    sent = wrk.send(port, shares, connections, seconds, folder)
                    _say(
                        f"{case.name} by {engine}, {request.protocol},"
                        f" {connections} connections:"
                        f" {(sent.requests - sent.refused) / sent.seconds:,.0f} /s,"
                        f" p50 {sent.p50_ms:.2f} ms, p99 {sent.p99_ms:.2f} ms,"
                        f" {sent.refused + sent.broken} failed"
                    )
            yield case, given
        for line in httpx.get(f"{url}/metrics").text.splitlines():
            if line.startswith("tfaas_batch_items_"):
                _say(line)


@contextmanager
def _running(provider: Provider, folder: Path) -> Iterator[str]:
    """Start `runtime serve` with one provider; give its address."""
    environment = own_environment() | {"TFAAS_MODEL_DIR": str(folder / "models")}
    log = folder / "log"
    command = [sys.executable, "-c", _RUNTIME, "serve", "--port", "0"]
    with log.open("wb") as stream:
        process = subprocess.Popen(
            [*command, "--provider", provider],
            cwd=folder,
            env=environment,
            stdout=stream,
            stderr=subprocess.STDOUT,
        )
    try:
        yield _await(process, log)
    finally:
        process.send_signal(signal.SIGTERM)
        code = process.wait(60)
        _say(f"the service with {provider} ended with {code}; its warnings:")
        for line in log.read_text(errors="replace").splitlines():
            if "INFO" not in line:
                _say(f"  {line[:300]}")


def _await(process: subprocess.Popen[bytes], log: Path) -> str:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        if found := _ADDRESS.search(log.read_text(errors="replace")):
            return found[0]
        time.sleep(0.05)
    raise click.ClickException(f"the service did not start: {log.read_text()[-2000:]}")


def _push(case: _Case, url: str) -> None:
    command = [sys.executable, "-c", _RUNTIME, "models", "push", str(case.bundle)]
    environment = own_environment()
    process = subprocess.run(
        [*command, "--server", url],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
    )
    if process.returncode:
        raise click.ClickException(f"{case.name} is not taken: {process.stderr}")


def _ask(url: str, request: Request) -> httpx.Response:
    return httpx.post(
        url + request.path,
        content=request.body,
        headers={**request.headers},
        timeout=60,
    ).raise_for_status()


def _apart(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """Return the largest difference of two arrays of scores of one size."""
    return float(np.abs(one.ravel() - other.ravel()).max())


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    main()
