"""The environment variables of a child process: no tokens, and nobody's home."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path

# These variables set languages and clocks, engines and their threads, and imports. PATH
# is not among them, because a child starts no program. The list names what is kept, and
# not what is secret (TFAAS_*, AWS_*), because nobody knows the names of all secrets.
_KEPT = re.compile(
    r"LANG|LANGUAGE|LC_[A-Z]+|TZ|TMPDIR"
    r"|PYTHON(PATH|HOME|HASHSEED|UTF8|WARNINGS|FAULTHANDLER|UNBUFFERED|NOUSERSITE"
    r"|DONTWRITEBYTECODE)"
    r"|LD_LIBRARY_PATH|LD_PRELOAD|GLIBC_TUNABLES|KERAS_BACKEND"
    r"|(TF|XLA|OMP|KMP|GOMP|MKL|OPENBLAS|BLIS|NUMEXPR|ONEDNN|DNNL|ORT|TF2ONNX|MALLOC"
    r"|CUDA|CUDNN|CUBLAS|NVIDIA|NCCL)_[A-Z0-9_]+"
)
# TF_VAR_*, TF_CLI_* and TF_TOKEN_* belong to Terraform.
_SECRET = re.compile(r".*(TOKEN|SECRET|PASS|CREDENTIAL|KEY).*|TF_(VAR|CLI)_.*")


def clean_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables of ``environ`` that a process behind walls needs.

    ``HOME`` becomes the folder of temporary files, if that is set.
    """
    kept = {
        name: value
        for name, value in environ.items()
        if _KEPT.fullmatch(name) and not _SECRET.fullmatch(name)
    }
    if "TMPDIR" in kept:
        kept.update(scratch_environment(kept["TMPDIR"]))
    return kept


def child_environment() -> dict[str, str]:
    """Return the variables of a Python process that this one starts to open models.

    It can import the same modules as this one, and gets no other variables.
    """
    path = os.pathsep.join(filter(None, sys.path))
    return {**clean_environment(os.environ), "PYTHONPATH": path}


def scratch_environment(folder: str | Path) -> dict[str, str]:
    """Return the variables that keep a process's temporary files in a folder.

    ``HOME`` is one of them: libraries keep settings and make folders there.
    """
    return dict.fromkeys(("TMPDIR", "HOME"), str(folder))
