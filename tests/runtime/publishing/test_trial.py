"""Trials run in processes of their own, so a model there can harm nobody."""

import contextlib
import functools
import os
import threading

import pytest

from bundle.errors import BundleError, StoreError
from runtime.backends.options import BackendOptions
from runtime.errors import ProviderError
from runtime.process.environment import child_environment
from runtime.process.forkserver import ForkServer
from runtime.publishing import trial as trial_module
from runtime.publishing.trial import ChildTrial, Opened, try_here
from runtime.walls import standing
from tests.examples import write_bundle
from tests.runtime import dying

pytestmark = pytest.mark.slow

CPU = "onnxruntime/CPUExecutionProvider"


def tried_by(server, seconds=120, max_bytes=8 << 30, **options):
    return ChildTrial(
        (server, server),
        BackendOptions(**{"provider": "cpu", **options}),
        trusted=False,
        seconds=seconds,
        max_bytes=max_bytes,
    )


@pytest.fixture
def own_trial():
    """Return a function that makes a trial with a fork server of its own.

    The server has the environment, and imports the code, that the test has put there.
    """
    with contextlib.ExitStack() as opened:

        def make():
            server = ForkServer([trial_module.__name__], child_environment())
            return tried_by(opened.enter_context(contextlib.closing(server)))

        yield make


@pytest.fixture
def bundle(tmp_path):
    return write_bundle(tmp_path / "linear")


HOSTILE = """
import os, sys
forks = 0
def forked():
    global forks
    forks += 1
    if forks == 2:  # the guard is forked from the server, and the trial from the guard
        with open({code!r}) as code:
            exec(code.read())
if sys.orig_argv[2:4] == ['-m', 'runtime.process.forkserver']:
    os.register_at_fork(after_in_child=forked)
"""


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """Return a fork server, and the file of code that its trials run at their start."""
    folder = tmp_path_factory.mktemp("shared")
    code = folder / "code.py"
    (folder / "sitecustomize.py").write_text(HOSTILE.format(code=str(code)))
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(folder))
        server = ForkServer([trial_module.__name__], child_environment())
    with contextlib.closing(server):
        yield server, code


@pytest.fixture
def trial(shared):
    """Return a function that makes a trial with the shared fork server."""
    server, code = shared
    code.write_text("")
    return functools.partial(tried_by, server)


@pytest.fixture
def hostile(shared, trial):
    """Return a function that puts code into a trial's process, as a model could."""
    _, code = shared
    return code.write_text


def test_a_bundle_is_tried_alike_here_and_there(trial, bundle):
    here = try_here(bundle, BackendOptions(provider="cpu"), trusted=False)
    assert trial()(bundle) == here == Opened("linear", CPU, "", "")


def test_what_is_refused_there_is_refused_with_its_sentence(trial, tmp_path):
    folder = write_bundle(tmp_path / "linear", labels=("one",))
    with pytest.raises(BundleError, match=r"labels\.txt names 1 classes and the model"):
        trial()(folder)


@pytest.mark.parametrize(
    "options", [{"provider": "cuda"}, {"models": {"linear": {"provider": "cuda"}}}]
)
def test_a_demand_that_cannot_be_met_is_the_services(trial, bundle, options):
    import onnxruntime

    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("this onnxruntime is built with CUDA")
    with pytest.raises(ProviderError, match="built without CUDA"):
        trial(**options)(bundle)


def test_of_other_models_much_may_be_set(trial, bundle):
    set_ = {f"model-{n}": {"provider": "cuda"} for n in range(10_000)}
    assert trial(models=set_)(bundle).engine == CPU


def test_a_crash_is_a_sentence(trial, bundle, hostile):
    hostile("os.kill(os.getpid(), 11)")
    with pytest.raises(BundleError, match=r"opening it crashes \(SIGSEGV\)"):
        trial()(bundle)


def test_where_no_process_can_be_started_that_is_no_fault_of_the_bundles(bundle):
    server = ForkServer([dying.__name__], child_environment())
    options = BackendOptions(provider="cpu")
    trial = ChildTrial((server,) * 2, options, trusted=False, seconds=60, max_bytes=1)
    with pytest.raises(BundleError) as told:
        trial(bundle)
    assert str(told.value) == (
        "the bundle cannot be served: opening it fails, and the service's log says why"
    )


def test_an_endless_loop_ends(trial, bundle, hostile):
    hostile("while True: pass")
    with pytest.raises(BundleError, match="takes longer than 1 s"):
        trial(seconds=1)(bundle)


def test_memory_has_an_end(trial, bundle, hostile):
    hostile("much = b'x' * (1 << 29)\nwhile True: pass")
    with pytest.raises(BundleError, match="more than 268435456 bytes of memory"):
        trial(max_bytes=1 << 28)(bundle)


def test_two_are_tried_at_a_time(trial, bundle, hostile, tmp_path):
    file = tmp_path / "starts"
    hostile(
        f"import time; open({str(file)!r}, 'a').write(f'{{time.monotonic()}}\\n')\n"
        "while True: time.sleep(9)"
    )
    try_ = trial(seconds=1)

    def refused():
        with pytest.raises(BundleError, match="takes longer than 1 s"):
            try_(bundle)

    threads = [threading.Thread(target=refused) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    first, _, third = sorted(map(float, file.read_text().split()))
    assert third - first >= 1


@pytest.mark.parametrize(
    "said",
    [
        "print('tfaas-trial {}', flush=True); os._exit(1)",
        "print('tfaas-trial {}', flush=True); os._exit(0)",
        "print('tfaas-trial [', flush=True); os._exit(0)",
        "print('tfaas-trial [1]', flush=True); os._exit(0)",
        "print('tfaas-trial 1', flush=True); os._exit(0)",
        """print('tfaas-trial {"error": "x"}', flush=True); os._exit(0)""",
        """print('tfaas-trial {"name": "linear", "engine": "onnxruntime/cpu", '
              '"fallback_reason": "", "warm_up": {"any": "JSON"}}', flush=True)
os._exit(0)""",
        """print('tfaas-trial {"engine": [], "fallback_reason": 1}', flush=True)
os._exit(0)""",
    ],
)
def test_what_engines_write_is_no_answer(trial, bundle, hostile, said):
    hostile(said)
    with pytest.raises(BundleError, match="the service's log says why"):
        trial()(bundle)


def test_a_trial_has_no_part_in_the_services_counters(
    own_trial, bundle, tmp_path, monkeypatch
):
    folder = tmp_path / "counters"
    folder.mkdir()
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(folder))
    assert own_trial()(bundle).engine == CPU
    assert not list(folder.iterdir())


NO_PLACE = """
import sys
if sys.orig_argv[2:4] == ['-m', 'runtime.process.forkserver']:
    import tempfile
    tempfile.tempdir = '/nowhere'
"""


def test_no_room_for_temporary_files_is_the_services_fault(
    own_trial, bundle, tmp_path, monkeypatch, caplog
):
    (tmp_path / "sitecustomize.py").write_text(NO_PLACE)
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(StoreError, match="can write no temporary file") as refused:
        own_trial()(bundle)
    assert "/nowhere" not in str(refused.value)
    assert "no temporary file can be written in /nowhere: No such file" in caplog.text


def test_a_folder_that_somebody_made_first_is_in_no_uploads_way(
    own_trial, bundle, tmp_path, monkeypatch
):
    """If its name were known, another user could make it, and no upload would work."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    (tmp_path / f"tfaas-guard-{os.getuid()}").symlink_to("/nowhere")
    assert own_trial()(bundle).engine == CPU


WALLED = """
import errno, os
def tried(attempt):
    try:
        attempt()
        return "done"
    except OSError as ex:
        return errno.errorcode[ex.errno]
def attempts():
    import socket
    from pathlib import Path
    yield lambda: Path({outside!r}).write_text("x")
    yield lambda: Path({secret!r}).read_text()
    yield lambda: socket.socket().close()
    yield lambda: os.posix_spawn("/bin/true", ["true"], {{}})
"""


def test_it_is_tried_behind_walls_without_the_services_variables(
    own_trial, bundle, tmp_path, monkeypatch
):
    """The code stands in the place of a model's own, and tries to break out."""
    monkeypatch.setenv("TFAAS_SECRET", "in the service's environment")
    (tmp_path / "secret").write_text("of another model")
    script = WALLED.format(
        outside=str(tmp_path / "outside"), secret=str(tmp_path / "secret")
    )
    place = tmp_path / "code"
    place.mkdir()
    (place / "sitecustomize.py").write_text(
        script
        + """
import sys
if sys.orig_argv[2:4] == ['-m', 'runtime.process.forkserver']:
    import bundle.errors
    class Told(bundle.errors.BundleError): pass
    import runtime.programs
    def check(*_, **__):
        told = [tried(attempt) for attempt in attempts()]
        raise Told(f"{told} {os.environ.get('TFAAS_SECRET')}")
    runtime.programs.check_programs = check
"""
    )
    monkeypatch.syspath_prepend(str(place))
    with pytest.raises(BundleError) as told:
        own_trial()(bundle)
    files = ["EACCES", "EACCES"] if standing().landlock else ["done", "done"]
    calls = ["EPERM", "EPERM"] if standing().seccomp else ["done", "done"]
    if standing().landlock and not standing().seccomp:
        calls = ["done", "EACCES"]
    assert str(told.value) == f"{[*files, *calls]} None"
    assert (tmp_path / "outside").exists() != bool(standing().landlock)
