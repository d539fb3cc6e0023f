"""Children get the variables that engines need, and no secrets."""

import subprocess
import sys

import pytest

from runtime.process.environment import (
    child_environment,
    clean_environment,
    scratch_environment,
)

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
    assert clean_environment({**KEPT, **dropped}) == KEPT


def test_home_is_where_temporary_files_go():
    """Libraries make folders in HOME, and no user's own folder may be used for that."""
    given = {"TMPDIR": "/scratch", "HOME": "/root"}
    assert clean_environment(given) == {"TMPDIR": "/scratch", "HOME": "/scratch"}


def test_temporary_files_and_what_libraries_keep_at_home_go_to_one_folder(tmp_path):
    found = {"TMPDIR": str(tmp_path), "HOME": str(tmp_path)}
    assert scratch_environment(tmp_path) == found


@pytest.mark.slow
def test_a_child_imports_what_its_parent_can_and_has_no_token(monkeypatch, tmp_path):
    (tmp_path / "only_here.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("TFAAS_WRITE_TOKENS", "secret")
    script = "import os, only_here; print('TFAAS_WRITE_TOKENS' in os.environ)"
    done = subprocess.run(
        [sys.executable, "-P", "-c", script],
        env=child_environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "False\n"
