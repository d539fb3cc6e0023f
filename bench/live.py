"""A server that runs while it is measured."""

from __future__ import annotations

import ctypes
import http.client
import os
import shlex
import shutil
import signal
import socket
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import grpc
import numpy as np
import psutil

from bench.environment import environment
from bench.errors import BenchError
from bench.models import STORE, Model, own_environment
from bench.places import BIN, PEERS, RUN
from bench.server import Server
from bench.wire import Asked, Request, grpc_scores, scores
from runtime.process.cores import usable_cores

# Probabilities may differ from onnxruntime's by this much.
TOLERANCE = 1e-4
# A server has this many seconds to end by itself.
_GRACE = 10
_PAUSE = 0.02
# The byte and the length before a message of gRPC, which grpcio writes itself.
_PREFIX = 5
# Orphans become children of this process, so that none is lost (<linux/prctl.h>).
_SET_CHILD_SUBREAPER = 36
# A server's processes inherit this variable, which tells them from others.
_MARK = "BENCH_RUN"


@dataclass(frozen=True)
class Live:
    """A running server.

    Attributes:
        port: the port of this machine on which it listens.
        grpc_port: its port for gRPC, if it has one.
        folder: a folder for the requests that wrk sends.
        store: the store that it serves, if it is this project's.
        start_seconds: the time from its start to its first right answer.
        mark: the value that marks its processes.
    """

    port: int
    grpc_port: int
    folder: Path
    store: Path
    start_seconds: float
    mark: str

    def memory_mib(self) -> float:
        """Measure the memory of all its processes; shared memory counts once."""
        total = 0
        for process in _processes(self.mark):
            with suppress(psutil.Error):
                total += process.memory_full_info().pss
        return total / (1 << 20)

    def largest_mib(self) -> float:
        """Measure the resident memory of its largest process."""
        found = [0]
        for process in _processes(self.mark):
            with suppress(psutil.Error):
                found.append(process.memory_info().rss)
        return max(found) / (1 << 20)

    def ask(self, request: Request, method: str = "POST", seconds: float = 60) -> bytes:
        """Send one request, and give the body of the answer.

        Raises:
            BenchError: the status is not 2xx.
            OSError: the server does not listen.
        """
        if request.is_grpc:
            return self._call(request, seconds)
        connection = http.client.HTTPConnection("127.0.0.1", self.port, seconds)
        try:
            connection.request(method, request.path, request.body, {**request.headers})
            response = connection.getresponse()
            content = response.read()
        except http.client.HTTPException as ex:
            raise BenchError(f"{request.path}: {type(ex).__name__}") from ex
        finally:
            connection.close()
        if not 200 <= response.status < 300:
            said = " ".join(content.decode(errors="replace").split())[:200]
            raise BenchError(f"{request.path} answers {response.status}: {said}")
        return content

    def _call(self, request: Request, seconds: float) -> bytes:
        """Send one gRPC request, and give the message of the answer."""
        with grpc.insecure_channel(f"127.0.0.1:{self.grpc_port}") as channel:
            call = channel.unary_unary(request.path)
            try:
                reply: bytes = call(request.body[_PREFIX:], timeout=seconds)
            except grpc.RpcError as ex:
                raise BenchError(f"{request.path}: {ex}") from ex
        return reply

    def check(self, request: Request, asked: Asked) -> None:
        """Send one request, and compare the answer with onnxruntime's.

        Raises:
            BenchError: there is no answer, or it differs from onnxruntime's.
            OSError: the server does not listen.
        """
        reply = self.ask(request)
        compare(grpc_scores(reply) if request.is_grpc else scores(reply), asked)


def compare(given: object, asked: Asked) -> None:
    """Raise BenchError unless an answer equals onnxruntime's.

    Args:
        given: the numbers of the answer, ``(N * classes,)``, of any dtype.
        asked: the request, with onnxruntime's scores, ``(N, classes)`` float32.
    """
    found, wanted = np.asarray(given), asked.scores.ravel()
    if found.shape != wanted.shape:
        raise BenchError(f"it answers {found.size} numbers, and not {wanted.size}")
    difference = float(np.abs(found - wanted).max())
    if not difference <= TOLERANCE:
        raise BenchError(f"its answer is {difference:.1e} off onnxruntime's")


@contextmanager
def running(
    server: Server,
    model: Model,
    fill: Callable[[Path], object] | None = None,
) -> Iterator[Live]:
    """Start a server with a model, and end it with all its processes.

    Args:
        server: the server.
        model: the model that it serves, and that the first request asks.
        fill: makes a store for this project's server. By default the server gets a copy
            of the store of both models, because it may change its store.

    Raises:
        BenchError: the server cannot be installed or started, or answers wrongly.
    """
    _adopt_orphans()
    folder = RUN / server.name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    served = folder / "store"
    if server.is_ours:
        (fill or _copy)(served)
    command, variables, (port, grpc_port) = _prepared(server, model, folder, served)
    mark = uuid.uuid4().hex
    request = server.protocols["image"](model.asked.first(1))
    begin = time.perf_counter()
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            command,
            cwd=folder if server.is_ours else PEERS / server.peer,
            env={**variables, _MARK: mark},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            # A Ctrl-C must reach only this process, which then ends the server.
            start_new_session=True,
        )
    try:
        live = Live(port, grpc_port, folder, served, 0, mark)
        _await(server, live, process, request, model.asked.first(1))
        yield replace(live, start_seconds=time.perf_counter() - begin)
    finally:
        _end(process, mark)
        shutil.rmtree(served, ignore_errors=True)


def _prepared(
    server: Server, model: Model, folder: Path, store: Path
) -> tuple[list[str], dict[str, str], tuple[int, int]]:
    ports = _free_ports(3)
    words = {
        "port": ports[0],
        "port2": ports[1],
        "port3": ports[2],
        "cores": usable_cores(),
        "bin": BIN if server.is_ours else environment(server.peer),
        "folder": folder / "own",
    }
    variables = own_environment()
    if server.is_ours:
        variables["TFAAS_MODEL_DIR"] = str(store)
    else:
        variables["PYTHONPATH"] = str(PEERS)
        variables["PYTHONDONTWRITEBYTECODE"] = "1"
        variables["BENCH_MODEL"] = str(model.onnx)
        variables["BENCH_CORES"] = str(usable_cores())
    variables |= {k: v.format(**words) for k, v in server.variables.items()}
    command = shlex.split(server.command.format(**words))
    return command, variables, (ports[0], ports[1])


def _await(
    server: Server,
    live: Live,
    process: subprocess.Popen[bytes],
    request: Request,
    asked: Asked,
) -> None:
    """Wait for the first right answer."""
    deadline = time.monotonic() + server.seconds
    why: Exception = BenchError("it did not listen")
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise BenchError(
                f"{server.name} ended with {process.returncode}: {_last(live.folder)}"
            )
        try:
            live.check(request, asked)
            return
        except (BenchError, OSError) as ex:
            why = ex
        time.sleep(_PAUSE)
    raise BenchError(
        f"{server.name} gave no right answer within {server.seconds} s: {why}"
    )


def _copy(folder: Path) -> None:
    shutil.copytree(STORE, folder)


def _last(folder: Path) -> str:
    lines = (folder / "log").read_text(errors="replace").strip().splitlines()
    return lines[-1].strip()[:300] if lines else "it wrote nothing"


def _end(process: subprocess.Popen[bytes], mark: str) -> None:
    """End a server by SIGTERM, and its remaining processes later by SIGKILL."""
    with suppress(ProcessLookupError):
        process.send_signal(signal.SIGTERM)
    try:
        with suppress(subprocess.TimeoutExpired):
            process.wait(_GRACE)
    finally:
        # Children of a killed process may still start others, so this is repeated.
        while left := _processes(mark):
            for one in left:
                with suppress(psutil.Error):
                    one.kill()
            psutil.wait_procs(left, timeout=1)
        process.wait()
        _bury()


def _bury() -> None:
    """Wait for adopted orphans that have ended, because nobody else does."""
    for child in psutil.Process().children():
        with suppress(psutil.Error, OSError):
            if child.status() == psutil.STATUS_ZOMBIE:
                os.waitpid(child.pid, os.WNOHANG)


def _processes(mark: str) -> list[psutil.Process]:
    return [
        child
        for child in psutil.Process().children(recursive=True)
        if _has(child, mark)
    ]


def _has(process: psutil.Process, mark: str) -> bool:
    try:
        environ: Mapping[str, str] = process.environ()
        return environ.get(_MARK) == mark
    except (psutil.Error, OSError):  # it has ended, or waits to be reaped
        return False


def _adopt_orphans() -> None:
    if ctypes.CDLL(None).prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0):
        raise BenchError(
            f"orphans cannot be adopted: {os.strerror(ctypes.get_errno())}"
        )


def _free_ports(count: int) -> list[int]:
    with_sockets = [socket.socket() for _ in range(count)]
    try:
        for one in with_sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in with_sockets]
    finally:
        for one in with_sockets:
            one.close()
