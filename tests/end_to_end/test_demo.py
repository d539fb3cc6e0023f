"""``make demo``, in a folder of its own, and the installing before it."""

import os
import re
import signal
import subprocess
import sys
from urllib.parse import urlsplit

import httpx
import pytest

from tests.end_to_end.conftest import BIN, PATIENCE, ROOT, run


def test_the_demo_goes_the_whole_way_and_leaves_no_server(tmp_path):
    output = run(f"{sys.executable} {ROOT}/tools/demo.py", tmp_path)
    answers = re.findall(r"-> (\d), with probability (0\.\d+)", output)
    assert [digit for digit, _ in answers] == ["1", "4"]
    for path in (
        "demo/mnist/parity.json",
        "demo/mnist.tar.gz",
        "demo/img1.png",
        "demo/img4.png",
        "models/mnist/1/model.onnx",
    ):
        assert (tmp_path / path).is_file()
    url = re.search(r"on (http://\S+)", output).group(1)
    assert urlsplit(url).port != 8083, "a free port"
    with pytest.raises(httpx.ConnectError):
        httpx.get(url)


def script(path, *lines):
    path.write_text("\n".join(["#!/bin/sh", *lines, ""]))
    path.chmod(0o755)


def test_interrupted_demo_stops_its_server(tmp_path):
    # Beside the demo's python lie a trainer that has little to do, the real server, and
    # a curl that never ends.
    commands = tmp_path / "bin"
    commands.mkdir()
    (commands / "python").symlink_to(sys.executable)
    script(commands / "trainer", "mkdir demo/mnist")
    script(commands / "exporter")
    script(commands / "runtime", f'exec {BIN}/runtime "$@"')
    script(commands / "curl", "echo uploading >&2", "exec sleep 600")
    with subprocess.Popen(
        [commands / "python", ROOT / "tools" / "demo.py"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        # A shell that runs the tests in the background has it ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as demo:
        output = ""
        for line in demo.stdout:
            output += line
            if line == "uploading\n":
                break
        # The demo alone: a terminal would send it to the server too.
        demo.send_signal(signal.SIGINT)
        rest, _ = demo.communicate(timeout=PATIENCE)
    assert rest == "interrupted\n"
    assert demo.returncode == 130
    with pytest.raises(httpx.ConnectError):
        httpx.get(re.search(r"on (http://\S+)", output).group(1))


def test_python_that_is_named_and_missing_is_an_error(tmp_path):
    output = run(f"make -C {ROOT} demo PYTHON=nopython VENV={tmp_path}/venv", ".", 2)
    assert "there is no nopython" in output
    assert not (tmp_path / "venv").exists()


def test_default_python_that_is_missing_gives_way_to_python3(tmp_path):
    commands = tmp_path / "bin"
    commands.mkdir()
    script(commands / "python3", "echo python3 was taken", "exit 1")
    done = subprocess.run(
        ["/bin/sh", ROOT / "tools" / "install.sh"],
        env={
            **os.environ,
            "PATH": str(commands),
            "PYTHON": "python3.11",
            "VENV": str(tmp_path / "venv"),
            "EXTRAS": "dev",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "python3 was taken\n"
