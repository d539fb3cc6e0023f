"""Settings that cannot be met, what is said of walls, and what variables are left."""

import os

import pytest

from runtime import walls
from runtime.config import Config, ConfigError
from runtime.errors import WallsError
from runtime.services import create_services
from runtime.walls.standing import Standing
from tests.runtime.walls.child import said_by

IS_ROOT = os.geteuid() == 0


@pytest.mark.skipif(not IS_ROOT, reason="root alone gets so far")
@pytest.mark.parametrize(
    ("user", "sentence"),
    [
        ("no-such-user", "no such user; make it with 'useradd --system no-such-user'"),
        ("root", "it must be a user without privileges"),
    ],
)
def test_a_user_that_it_cannot_be_is_told_at_the_start(tmp_path, user, sentence):
    with pytest.raises(ConfigError, match=sentence):
        create_services(Config(model_dir=tmp_path / "models", run_as_user=user))


@pytest.mark.slow
def test_who_is_not_root_becomes_nobody_else():
    script = """
import os
from runtime.config import ConfigError
from runtime import walls
if os.getuid() == 0:
    os.setuid(65534)
try:
    walls.check("auto", "nobody")
except ConfigError as ex:
    print(ex)
"""
    assert "this process is not root's" in said_by(script)


def test_switched_off_nobody_is_asked_for(tmp_path):
    walls.check("off", "no-such-user")


def test_what_is_missing_is_told_and_what_it_means():
    whole, files, calls = Standing(7, True), Standing(7, False), Standing(0, True)
    assert (whole.is_whole, files.is_whole, calls.is_whole) == (True, False, False)
    assert whole.missing == ()
    (clause,) = files.missing
    assert "sockets and programs are not walled off" in clause
    (clause,) = calls.missing
    assert "files are not walled off" in clause


LESS = """
import sys
from tests.runtime.walls.kernels import without
without([sys.argv[1]])
from runtime import walls
print(walls.standing().is_whole)
print(walls.sentence("require", ""))
print(walls.sentence("auto", ""))
try:
    walls.enclose(walls.Room((), (), 1 << 20), "require")
except walls.WallsError as ex:
    open("/dev/null").close()
    print(ex)
"""


@pytest.mark.slow
@pytest.mark.skipif(
    not walls.standing().seccomp, reason="made believe by a filter, see kernels.py"
)
@pytest.mark.parametrize(
    ("lacks", "open_"), [("landlock", "files"), ("seccomp", "sockets and programs")]
)
def test_where_walls_are_demanded_and_missing_nothing_is_opened(lacks, open_):
    whole, required, auto, refused = said_by(LESS, lacks).splitlines()
    assert whole == "False"
    assert required == refused
    assert "are not opened here, for 'walls' is 'require'" in refused
    assert f"so {open_} are not walled off" in refused
    assert auto.startswith("other people's models are opened behind ")
    assert lacks not in auto.lower()


def test_demanded_walls_that_stand_are_no_error():
    if walls.standing().is_whole:
        walls.demand("require")
    else:
        with pytest.raises(WallsError):
            walls.demand("require")
    walls.demand("auto")
    walls.demand("off")


KEPT = {
    "LANG": "C.UTF-8",
    "LC_ALL": "C.UTF-8",
    "TZ": "UTC",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "CUDA_VISIBLE_DEVICES": "0",
    "PYTHONPATH": "/somewhere",
    "LD_LIBRARY_PATH": "/lib",
}
DROPPED = (
    *("PATH", "HOME", "USER", "TFAAS_WRITE_TOKENS", "TFAAS_CONFIG", "AWS_REGION"),
    *("AWS_SECRET_ACCESS_KEY", "GITHUB_TOKEN", "HF_TOKEN", "NVIDIA_API_KEY"),
    *("TF_VAR_DB", "TF_TOKEN_X", "KERAS_HOME", "SSH_AUTH_SOCK", "http_proxy"),
    *("PROMETHEUS_MULTIPROC_DIR", "OTEL_EXPORTER_OTLP_HEADERS", "DATABASE_URL"),
)


def test_only_variables_that_engines_need_are_left():
    dropped = dict.fromkeys(DROPPED, "secret")
    assert walls.clean_environment({**KEPT, **dropped}) == KEPT


def test_home_is_where_temporary_files_go():
    """Libraries make folders there, and it is nobody's."""
    given = {"TMPDIR": "/scratch", "HOME": "/root"}
    assert walls.clean_environment(given) == {"TMPDIR": "/scratch", "HOME": "/scratch"}
