"""Real processes: the command-line tools, and servers on loopback."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import psutil
import pytest

from tests.documents import ROOT, transcripts

BIN = Path(sys.executable).parent
# Long enough for a busy machine of two cores; what takes longer hangs.
PATIENCE = 300

# httpx.get and the like make a client each time, which reads all authorities of the
# system. Each request has a connection of its own, as with these.
CLIENT = httpx.Client(
    timeout=PATIENCE,
    limits=httpx.Limits(max_connections=None, max_keepalive_connections=0),
)

ENVIRONMENT = {
    **os.environ,
    "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
    "PYTHONUNBUFFERED": "1",
    # What a test asks of TensorFlow must not change over beside it.
    "TFAAS_EXPORT_ON_UPLOAD": "off",
}
ENVIRONMENT.pop("TFAAS_CONFIG", None)


def pytest_collection_modifyitems(items):
    """Whatever is here starts processes."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.slow)


def run(command: str, folder: Path, code: int = 0) -> str:
    """Type a command in a folder; what it wrote, standard error included."""
    done = subprocess.run(
        ["bash", "-e", "-c", command],
        cwd=folder,
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == code, done.stdout
    return done.stdout


def run_python(
    script: str, folder: Path, *arguments: str
) -> subprocess.CompletedProcess[str]:
    """Run Python of one's own in a folder, with the tests' helpers at hand."""
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
    """A server's process, and the address it said it listens on."""

    def __init__(self, process: subprocess.Popen[str], url: str) -> None:
        self.process = process
        self.url = url

    def kill(self) -> None:
        """SIGKILL, and wait until it is gone."""
        self.process.kill()
        self.process.wait(PATIENCE)

    def workers(self) -> list[psutil.Process]:
        """Its worker processes."""
        children = psutil.Process(self.process.pid).children()
        return [child for child in children if "spawn_main" in str(child.cmdline())]


@contextmanager
def serving(command: str, folder: Path) -> Iterator[Server]:
    """Run a server for the length of a block.

    It listens before it says so, so its first line with an address is the moment from
    which it answers.
    """
    with (
        (folder / "server.log").open("a") as log,
        subprocess.Popen(
            ["bash", "-c", f"exec {command} 2>&1"],
            cwd=folder,
            env=ENVIRONMENT,
            stdout=subprocess.PIPE,
            text=True,
        ) as process,
    ):
        lines = process.stdout
        assert lines is not None
        # One that hangs is ended, and its output with it.
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
        # Read on, or a talkative server stops when the pipe is full.
        reader = threading.Thread(target=lambda: log.writelines(lines))
        reader.start()
        try:
            yield Server(process, found.group())
        finally:
            # Its workers hold its standard output, and end when they miss it.
            process.kill()
            reader.join(PATIENCE)


WAITRESS = "waitress-serve --listen=127.0.0.1:0 runtime.app:app"
RUNTIME = "runtime serve --port 0"


@pytest.fixture(scope="session")
def once(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Makes a folder that all processes which run tests share: the first one fills it.

    Of what fails the others know nothing, and each tries it again.
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


@pytest.fixture(scope="session")
def trained(once: Callable[..., Path]) -> Path:
    """A folder in which README's training has run: all of MNIST, one epoch."""

    def train(folder: Path) -> None:
        shutil.copy(ROOT / "config.json", folder)
        (folder / "train.log").write_text(run(readme_block("train"), folder))

    return once("trained", train)


@pytest.fixture
def work(trained: Path, tmp_path: Path) -> Path:
    """A folder of one's own, with a copy of the trained bundle and config.json."""
    shutil.copytree(trained / "mnist", tmp_path / "mnist")
    shutil.copy(trained / "config.json", tmp_path)
    return tmp_path


@pytest.fixture
def store(work: Path) -> Path:
    """The same, with the bundle as version 1 of the store."""
    shutil.copytree(work / "mnist", work / "models" / "mnist" / "1")
    return work


def readme_block(name: str) -> str:
    """One of README's shell blocks, as it stands there."""
    found = [block.text for block in transcripts("README.md") if block.word == name]
    assert found, f"README has no transcript block {name!r}"
    return found[0]
