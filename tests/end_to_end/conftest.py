"""These tests start real processes: the command-line tools, and servers on loopback."""

from __future__ import annotations

import fcntl
import itertools
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from tests.documents import ROOT, transcripts
from tests.end_to_end.wheel import installed

BIN = Path(sys.executable).parent
# This is long enough for a busy machine of two cores. A process that takes longer
# hangs.
PATIENCE = 300

# httpx.get and its like make a new client each time, which reads all authorities of the
# system. This client opens a new connection for each request, as they do.
CLIENT = httpx.Client(
    timeout=PATIENCE,
    limits=httpx.Limits(max_connections=None, max_keepalive_connections=0),
)

ENVIRONMENT = {
    **os.environ,
    "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
    "PYTHONUNBUFFERED": "1",
    # The backend that a test asks for must not change from TensorFlow to ONNX
    # meanwhile.
    "TFAAS_EXPORT_ON_UPLOAD": "off",
}
ENVIRONMENT.pop("TFAAS_CONFIG", None)


def pytest_collection_modifyitems(items):
    """Mark all tests of this folder as slow, because they start processes."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.slow)


def run(
    command: str,
    folder: Path,
    code: int = 0,
    environment: dict[str, str] = ENVIRONMENT,
    **user: Any,
) -> str:
    """Type a command in a folder; return its output, standard error included.

    ``user`` has the words of ``subprocess`` for another user than this one.
    """
    done = subprocess.run(
        ["bash", "-e", "-c", command],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=PATIENCE,
        check=False,
        **user,
    )
    assert done.returncode == code, done.stdout
    return done.stdout


def run_python(
    script: str, folder: Path, *arguments: str
) -> subprocess.CompletedProcess[str]:
    """Run a Python script in a folder; it can import the tests' helpers."""
    return subprocess.run(
        [sys.executable, "-c", script, *arguments],
        cwd=folder,
        env={**ENVIRONMENT, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


class Server:
    """A server's process, and the address at which the server says it listens."""

    def __init__(self, process: subprocess.Popen[str], url: str) -> None:
        self.process = process
        self.url = url

    def kill(self) -> None:
        """Kill the server with SIGKILL, and wait until it is gone."""
        self.process.kill()
        self.process.wait(PATIENCE)

    def workers(self) -> list[psutil.Process]:
        """Return the server's worker processes."""
        children = psutil.Process(self.process.pid).children()
        return [child for child in children if "spawn_main" in str(child.cmdline())]


@contextmanager
def serving(
    command: str,
    folder: Path,
    environment: dict[str, str] = ENVIRONMENT,
    **user: Any,
) -> Iterator[Server]:
    """Run a server for the length of a block.

    A server listens before it prints its address, so it answers as soon as that line
    is read.
    """
    with (
        (folder / "server.log").open("a", buffering=1) as log,
        subprocess.Popen(
            ["bash", "-c", f"exec {command} 2>&1"],
            cwd=folder,
            env=environment,
            stdout=subprocess.PIPE,
            text=True,
            **user,
        ) as process,
    ):
        lines = process.stdout
        assert lines is not None
        # A server that hangs is killed, which also ends its output.
        limit = threading.Timer(PATIENCE, process.kill)
        limit.daemon = True
        limit.start()
        for line in lines:
            log.write(line)
            if found := re.search(r"https?://[^/\s]+", line):
                break
        else:
            pytest.fail((folder / "server.log").read_text())
        limit.cancel()
        # Something must go on reading, or a talkative server stops when the pipe is
        # full.
        reader = threading.Thread(target=lambda: log.writelines(lines))
        reader.start()
        try:
            yield Server(process, found.group())
        finally:
            # The workers hold the server's standard output; they end when the server is
            # gone.
            process.kill()
            reader.join(PATIENCE)


def log_with(folder: Path, text: str) -> str:
    """Return the log of a server that runs, as soon as a text stands in it.

    A server writes its log after it has answered, and `serving` reads it after that.
    """
    for _ in range(100 * PATIENCE):
        log = (folder / "server.log").read_text()
        if text in log:
            return log
        time.sleep(0.01)
    raise AssertionError(f"{text!r} is not in the log:\n{log}")


_ports = itertools.count(8001)


def own_address() -> tuple[str, int]:
    """Return an address and a port of this machine that no other test uses.

    All of 127.0.0.0/8 is this machine, and Linux's numbers of processes have 22 bits.
    """
    return str(IPv4Address("127.64.0.0") + os.getpid() % (1 << 22)), next(_ports)


WAITRESS = "waitress-serve --listen=127.0.0.1:0 runtime.app:app"
RUNTIME = "runtime serve --port 0"


@pytest.fixture(scope="session")
def once(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Return a function that makes a folder for all processes of a test run.

    The first process fills the folder. If that fails, the others do not know it, and
    each of them tries again.
    """
    common = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        common = common.parent

    def make(name: str, fill: Callable[[Path], None]) -> Path:
        folder = common / name
        with (common / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not folder.exists():
                begun = common / f"{name}.begun"
                shutil.rmtree(begun, ignore_errors=True)
                begun.mkdir()
                fill(begun)
                begun.rename(folder)
        return folder

    return make


# This tells where the code of the wheel's environment lies, and who runs it.
WHERE = """
import json, os, sys
import bundle, exporter, keras, runtime, tfaas_onnx, trainer
modules = [bundle, exporter, keras, runtime, tfaas_onnx, trainer]
print(json.dumps({
    "prefix": sys.prefix,
    "files": [os.path.realpath(module.__file__) for module in modules],
    "path": sys.path,
    "user": os.getuid(),
    "writable": os.access(bundle.__file__, os.W_OK),
    "folder": sorted(os.listdir()),
}))
"""


@pytest.fixture(scope="session")
def trained(once: Callable[..., Path]) -> Path:
    """Return a folder with what README's transcript made: all of MNIST, one epoch.

    A plain user types it where nothing but the wheel is installed, so this shows that
    the commands need no file of the clone. The folder also has the logs of the training
    and of the requests, and wheel and sdist.
    """

    def train(folder: Path) -> None:
        shutil.copy(ROOT / "config.json", folder)
        with installed() as wheel:
            who = {"environment": wheel.environment, **wheel.user}
            log = run(readme_block("train"), wheel.folder, **who)
            (folder / "train.log").write_text(log)
            (folder / "ask.log").write_text(ask_as_readme(wheel.folder, **who))
            (folder / "where.json").write_text(wheel.run("python", "-c", WHERE))
            shutil.copytree(wheel.folder / "mnist", folder / "mnist")
            shutil.copytree(wheel.wheel.parent, folder / "dist")

    return once("trained", train)


@pytest.fixture
def work(trained: Path, tmp_path: Path) -> Path:
    """Return a new folder with a copy of the trained bundle and of config.json."""
    shutil.copytree(trained / "mnist", tmp_path / "mnist")
    shutil.copy(trained / "config.json", tmp_path)
    return tmp_path


@pytest.fixture
def store(work: Path) -> Path:
    """Return such a folder, with the bundle as version 1 of its store."""
    shutil.copytree(work / "mnist", work / "models" / "mnist" / "1")
    return work


def ask_as_readme(folder: Path, **who: Any) -> str:
    """Serve and ask as README does, on a free port in place of 8083; return all."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    serve = readme_block("serve").strip().replace("8083", port)
    ask = readme_block("ask").replace("8083", port)
    with serving(serve, folder, **who) as server:
        # The whole replies have their headers, which README's lines do not show.
        output = run(ask.replace("curl http", "curl -sSi http"), folder, **who)
        assert server.process.poll() is None
    return output


def readme_block(name: str) -> str:
    """Return one of README's shell blocks, exactly as it stands there."""
    found = [block.text for block in transcripts("README.md") if block.word == name]
    assert found, f"README has no transcript block {name!r}"
    return found[0]
