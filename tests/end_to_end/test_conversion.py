"""An interrupted conversion leaves the bundle as it was, and leaves no process."""

import json
import shutil
import signal
import subprocess
import sys
from contextlib import suppress

import psutil
import pytest

from tests.end_to_end.conftest import ENVIRONMENT, PATIENCE, ROOT
from tests.frozen import FILE, frozen, rows, write_frozen_bundle

pytestmark = pytest.mark.tensorflow

# A shell starts a background job with SIGINT ignored, and its children inherit that.
MAIN = (
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler);"
    "from exporter.cli import main; main(prog_name='exporter')"
)
STEPS = ["loading", "converting", "proving: random, batch 2"]


# This parent writes the names of its modules to a file when it ends.
MODULES = (
    "import atexit, json, sys;"
    "atexit.register(lambda: open({!r}, 'w').write(json.dumps(list(sys.modules))));"
)


@pytest.fixture(scope="module")
def converted(tmp_path_factory):
    """Convert a bundle in a folder once.

    modules.json lists the parent's modules, and told.json is what ``--json`` printed.
    """
    place = tmp_path_factory.mktemp("converted")
    folder = write_frozen_bundle(place / "bundle", frozen(rows))
    (place / "tmp").mkdir()
    modules = MODULES.format(str(place / "modules.json"))
    with start(folder, "--json", setup=modules, stdout=subprocess.PIPE) as done:
        said, _ = done.communicate(timeout=PATIENCE)
    assert done.returncode == 0
    (place / "told.json").write_text(said)
    return place


@pytest.fixture
def bundle(converted, tmp_path):
    """Return a copy of the bundle, with the model.onnx of before and its proof."""
    (tmp_path / "tmp").mkdir()
    return shutil.copytree(converted / "bundle", tmp_path / "bundle")


def start(folder, *flags, setup="", stdout=subprocess.DEVNULL):
    return subprocess.Popen(
        [sys.executable, "-c", setup + MAIN, "convert", folder, *flags],
        env={
            **ENVIRONMENT,
            "PYTHONPATH": str(ROOT),
            "TMPDIR": str(folder.parent / "tmp"),
        },
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
    )


def contents(folder):
    return {p.name: (p.read_bytes(), p.stat().st_mtime_ns) for p in folder.iterdir()}


def scratch(folder):
    """Return the files that lie anywhere in the temporary folder."""
    return [p for p in (folder.parent / "tmp").rglob("*") if p.is_file()]


def reach(process, step):
    """Wait until a conversion says that it is at a step; return its child process."""
    for line in process.stderr:
        if line.strip() == step:
            (child,) = psutil.Process(process.pid).children()
            return child
    raise AssertionError(f"it never came to {step}")


def killed(bundle, step, kill):
    """Have a process killed at a step; return the code, the child and what followed.

    The proof lasts a fraction of a second, so the kill may come after its end. Then the
    conversion is done again.
    """
    for _ in range(5):
        before = contents(bundle)
        with start(bundle) as process:
            child = reach(process, step)
            with suppress(psutil.NoSuchProcess):
                kill(process, child)
            said = process.stderr.read()
        if process.returncode and "publishing" not in said:
            assert contents(bundle) == before
            return process.returncode, child, said
    raise AssertionError(f"each conversion ended before it was killed at {step}")


def is_gone(child):
    """Tell whether a child ended; its new parent may not have collected it yet."""
    _, left = psutil.wait_procs([child], PATIENCE)
    return all(p.status() == psutil.STATUS_ZOMBIE for p in left)


@pytest.mark.parametrize("step", STEPS)
def test_kill_9_of_the_child(bundle, step):
    code, _, said = killed(bundle, step, lambda process, child: child.kill())
    assert code == 1
    assert said.splitlines()[-1] == (
        "Error: the work was killed (SIGKILL): somebody ended it, or the machine"
        " ran out of memory; TensorFlow will serve this model"
    )
    assert scratch(bundle) == []


def test_kill_9_of_the_parent(bundle):
    for step in STEPS:
        _, child, _ = killed(bundle, step, lambda process, child: process.kill())
        assert is_gone(child)
    assert scratch(bundle), "what the killed ones left"
    # ``test_kill.py`` shows that a conversion after such kills succeeds.
    with start(bundle) as again:
        reach(again, "loading")
        again.send_signal(signal.SIGINT)
        again.stderr.read()
    assert again.returncode == 130
    assert scratch(bundle) == [], "swept by the next one"


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)]
)
def test_ctrl_c_and_sigterm(bundle, number, code):
    before = contents(bundle)
    with start(bundle) as process:
        child = reach(process, "converting")
        process.send_signal(number)
        process.stderr.read()
    assert process.returncode == code
    assert is_gone(child)
    assert contents(bundle) == before
    assert scratch(bundle) == []


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (["--time-limit", "1"], "took longer than 1 s and was ended (--time-limit)"),
        (["--memory-limit", "0.2"], "more than 0.2 GiB of memory and was ended"),
    ],
)
def test_limits(bundle, flags, sentence):
    before = contents(bundle)
    with start(bundle, *flags) as process:
        said = process.stderr.read()
    assert process.returncode == 1
    assert sentence in said
    assert said.endswith("; TensorFlow will serve this model\n")
    assert contents(bundle) == before


def told(folder, *flags):
    """Return the JSON that ``--json`` prints, and the exit code."""
    with start(folder, "--json", *flags, stdout=subprocess.PIPE) as process:
        said, _ = process.communicate(timeout=PATIENCE)
    return json.loads(said), process.returncode


def test_programs_are_told_how_it_ended(bundle, converted):
    """The real exporter prints one line for each way to end."""
    assert json.loads((converted / "told.json").read_text()) == {
        "outcome": "converted",
        "reason": "",
    }
    assert told(bundle, "--time-limit", "1") == (
        {
            "outcome": "too_slow",
            "reason": "the work took longer than 1 s and was ended (--time-limit)",
        },
        1,
    )
    outcome, code = told(bundle, "--memory-limit", "0.01")
    assert (outcome["outcome"], code) == ("too_large", 1)
    assert "more than 0.01 GiB of memory" in outcome["reason"]
    with start(bundle, "--json", stdout=subprocess.PIPE) as process:
        reach(process, "loading").kill()
        failed = json.loads(process.communicate(timeout=PATIENCE)[0])
    assert (failed["outcome"], process.returncode) == ("failed", 1)
    assert failed["reason"].startswith("the work was killed (SIGKILL)")
    (bundle / FILE).write_bytes(b"no graph")
    outcome, code = told(bundle)
    assert (outcome["outcome"], code) == ("refused", 2)
    assert "TensorFlow will serve" not in outcome["reason"]


def test_a_full_disk(bundle):
    """No file can grow beyond 256 bytes; that holds for the child process too."""
    before = contents(bundle)
    small = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (256, 256));"
    with start(bundle, setup=small) as process:
        said = process.stderr.read()
    assert process.returncode == 1
    assert "cannot be written: File too large; raise the limit on the size of" in said
    assert "; TensorFlow will serve this model\n" in said
    assert contents(bundle) == before
    assert scratch(bundle) == []


def test_the_parent_never_imports_tensorflow(converted):
    modules = set(json.loads((converted / "modules.json").read_text()))
    assert "exporter.cli" in modules
    assert not {"tensorflow", "keras", "tf2onnx"} & modules
