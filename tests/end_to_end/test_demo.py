"""``make demo`` runs in a new folder; the installations of `make` are tested too."""

import os
import re
import signal
import subprocess
import sys
from urllib.parse import urlsplit

import httpx
import numpy as np
import pytest

from tests.end_to_end.conftest import BIN, CLIENT, PATIENCE, ROOT, run


def test_the_demo_goes_the_whole_way_and_leaves_no_server(tmp_path):
    """The real trainer runs; a tenth of MNIST is enough to tell a 1 from a 4.

    ``test_transcript.py`` trains on the whole of MNIST with README's command, which
    also does the conversion.
    """
    with np.load(ROOT / "trainer" / "data" / "mnist.npz") as whole:
        tenth = {name: array[: len(array) // 10] for name, array in whole.items()}
    np.savez(tmp_path / "tenth.npz", **tenth)
    commands = tmp_path / "bin"
    commands.mkdir()
    (commands / "python").symlink_to(sys.executable)
    for name in ("exporter", "runtime"):
        (commands / name).symlink_to(BIN / name)
    script(
        commands / "trainer",
        '[ "$1" = run ] && set -- "$@" --fin=tenth.npz',
        f'exec {BIN}/trainer "$@"',
    )
    output = run(f"{commands}/python {ROOT}/tools/demo.py", tmp_path)
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
        CLIENT.get(url)


def script(path, *lines):
    path.write_text("\n".join(["#!/bin/sh", *lines, ""]))
    path.chmod(0o755)


# Python runs this at its start. It interrupts the demo while the demo starts curl and
# does not have its process yet.
INTERRUPT = """
import os, signal, subprocess
signal.signal(signal.SIGINT, signal.default_int_handler)
execute = subprocess.Popen._execute_child
def execute_and_interrupt(self, args, *more):
    execute(self, args, *more)
    if "curl" in str(args):
        os.kill(os.getpid(), signal.SIGINT)
subprocess.Popen._execute_child = execute_and_interrupt
"""


def test_demo_that_is_interrupted_while_it_starts_a_command_ends_it(tmp_path):
    commands = commands_of_the_demo(tmp_path)
    (tmp_path / "sitecustomize.py").write_text(INTERRUPT)
    done = subprocess.run(
        [commands / "python", ROOT / "tools" / "demo.py"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"},
        stdout=subprocess.PIPE,  # ends with the last process that has it
        stderr=subprocess.STDOUT,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.stdout.endswith("interrupted\n")
    assert done.returncode == 130


def commands_of_the_demo(tmp_path):
    # Three commands lie beside the demo's python: a trainer that has little to do, the
    # real server, and a curl that never ends.
    commands = tmp_path / "bin"
    commands.mkdir()
    (commands / "python").symlink_to(sys.executable)
    script(commands / "trainer", "mkdir demo/mnist")
    script(commands / "exporter")
    script(commands / "runtime", f'exec {BIN}/runtime "$@"')
    script(commands / "curl", "echo uploading >&2", "exec sleep 600")
    return commands


def test_interrupted_demo_stops_its_server(tmp_path):
    commands = commands_of_the_demo(tmp_path)
    with subprocess.Popen(
        [commands / "python", ROOT / "tools" / "demo.py"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        # A shell starts a background job with SIGINT ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as demo:
        output = ""
        for line in demo.stdout:
            output += line
            if line == "uploading\n":
                break
        # Only the demo gets the signal; a terminal would send it to the server too.
        demo.send_signal(signal.SIGINT)
        rest, _ = demo.communicate(timeout=PATIENCE)
    assert rest == "interrupted\n"
    assert demo.returncode == 130
    with pytest.raises(httpx.ConnectError):
        CLIENT.get(re.search(r"on (http://\S+)", output).group(1))


def test_python_that_is_named_and_missing_is_an_error(tmp_path):
    output = run(f"make -C {ROOT} demo PYTHON=nopython VENV={tmp_path}/venv", ".", 2)
    assert "there is no nopython" in output
    assert not (tmp_path / "venv").exists()


# This Python has the right version, and prints what it is asked to do.
PYTHON = ('[ "$1" = -c ] && exit', 'echo "${0##*/} was taken: $1 $2"', "exit 1")


def install(tmp_path, commands, **variables):
    """Run tools/install.sh where only these commands exist."""
    return subprocess.run(
        ["/bin/sh", ROOT / "tools" / "install.sh"],
        env={
            "PATH": str(commands),
            "VENV": str(tmp_path / "venv"),
            "EXTRAS": "dev",
            **variables,
        },
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def commands(tmp_path):
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("curl", "nginx", "promtool", "logrotate"):
        script(folder / name)
    return folder


@pytest.mark.parametrize("there", ["python3.11", "python3.12", "python3.13", "python3"])
def test_the_first_python_that_works_is_taken(tmp_path, commands, there):
    # pyenv's commands may exist by name alone, and the system's Python may be too old.
    for name in ("python3.11", "python3.12", "python3.13", "python3"):
        script(commands / name, "exit 127")
    script(commands / there, *PYTHON)
    assert install(tmp_path, commands).stdout == f"{there} was taken: -m venv\n"


def test_a_python_that_is_named_is_the_one_that_is_taken(tmp_path, commands):
    for name in ("python3.11", "python3.13"):
        script(commands / name, *PYTHON)
    done = install(tmp_path, commands, PYTHON="python3.13")
    assert done.stdout == "python3.13 was taken: -m venv\n"


@pytest.mark.parametrize("named", [{}, {"PYTHON": "python3"}])
def test_a_python_that_is_too_old_is_a_sentence(tmp_path, commands, named):
    script(commands / "python3", "exit 1")
    done = install(tmp_path, commands, **named)
    assert done.returncode == 1
    assert "install.sh: python3 is older than Python 3.11" in done.stderr


def test_a_machine_without_python_gets_one_from_apt(tmp_path, commands):
    script(commands / "id", "echo 0")
    script(
        commands / "apt-get",
        'echo "apt-get $*"',
        f'case "$*" in *python3*) /bin/cp {commands}/new {commands}/python3;; esac',
    )
    script(commands / "new", *PYTHON)
    done = install(tmp_path, commands)
    assert done.stdout.splitlines() == [
        "apt-get update -qq",
        "apt-get install -y -qq --no-install-recommends python3 python3-venv",
        "python3 was taken: -m venv",
    ]


def test_a_machine_without_python_and_apt_is_told_what_to_install(tmp_path, commands):
    script(commands / "id", "echo 0")
    done = install(tmp_path, commands)
    assert (done.returncode, done.stderr) == (
        1,
        "please install: python3 python3-venv\n",
    )


def get_browser(commands, **variables):
    """Run tools/browser.sh where only these commands exist; return what it prints."""
    done = subprocess.run(
        ["/bin/sh", ROOT / "tools" / "browser.sh"],
        cwd=ROOT,
        env={"PATH": str(commands), "VENV": sys.prefix, **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=True,
    )
    return done.stdout


SKIPPED = (
    "browser.sh: there is no chromium; the tests that need a browser are skipped\n"
)


@pytest.mark.parametrize("name", ["chromium", "chromium-browser", "google-chrome"])
def test_a_browser_that_is_there_is_taken(commands, name):
    script(commands / name)
    assert get_browser(commands) == ""


def test_a_machine_without_a_browser_gets_one_from_apt(commands):
    script(commands / "id", "echo 0")
    script(
        commands / "apt-get",
        f'[ "$*" = "update -qq" ] || /bin/cp {commands}/new {commands}/chromium',
        f'echo "$*" >> {commands}/asked',
    )
    script(commands / "new", 'echo "the browser: $1"')
    assert get_browser(commands) == "the browser: --version\n"
    assert (commands / "asked").read_text().splitlines() == [
        "update -qq",
        "install -y -qq --no-install-recommends chromium",
    ]


@pytest.mark.parametrize(
    ("code", "expected"),
    [(0, ""), (1, "browser.sh: playwright does not run; please install libatomic1\n")],
)
def test_a_machine_without_playwrights_library_gets_it_from_apt(
    commands, tmp_path, code, expected
):
    driver = tmp_path / "venv/lib/python3.11/site-packages/playwright/driver"
    driver.mkdir(parents=True)
    script(driver / "node", f"[ -e {commands}/asked ] && exit {code}", "exit 127")
    script(commands / "chromium")
    script(commands / "id", "echo 0")
    script(commands / "apt-get", f'echo "$*" >> {commands}/asked')
    assert get_browser(commands, VENV=str(tmp_path / "venv")) == expected
    assert (commands / "asked").read_text().splitlines() == [
        "update -qq",
        "install -y -qq --no-install-recommends libatomic1",
    ]


@pytest.mark.parametrize(
    "there",
    [
        {"id": "echo 0"},  # there is no apt
        {"id": "echo 0", "apt-get": "exit 100"},
        {"id": "echo 1000", "apt-get": "exit 0"},
        # sudo would ask for a password.
        {"id": "echo 1000", "apt-get": "exit 0", "sudo": "exit 1"},
    ],
)
def test_a_machine_that_can_have_no_browser_skips_its_tests(commands, there):
    for name, line in there.items():
        script(commands / name, line)
    assert get_browser(commands) == SKIPPED
