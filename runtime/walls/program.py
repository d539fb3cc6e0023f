"""The files that Python, TensorFlow and ONNX Runtime themselves read."""

from __future__ import annotations

import functools
import importlib.machinery
import os
import sys
from collections.abc import Iterator
from pathlib import Path

# These are the system's libraries, and files of the C library, TensorFlow and CUDA.
_SYSTEM = (
    "/lib",
    "/lib32",
    "/lib64",
    "/usr/lib",
    "/usr/lib32",
    "/usr/lib64",
    "/usr/libexec",
    "/usr/share",
    "/usr/local/lib",
    "/usr/local/lib64",
    "/usr/local/share",
    "/nix/store",
    "/gnu/store",
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/nsswitch.conf",
    "/etc/passwd",
    "/etc/group",
    "/etc/localtime",
    "/etc/timezone",
    "/etc/locale.alias",
    "/etc/mime.types",
    "/etc/ssl/openssl.cnf",
    "/etc/alternatives",
    "/etc/fonts",
    "/sys",
    # Only parts of /proc are here, because it tells about other processes.
    "/proc/cpuinfo",
    "/proc/devices",
    "/proc/driver",
    "/proc/filesystems",
    "/proc/loadavg",
    "/proc/meminfo",
    "/proc/modules",
    "/proc/stat",
    "/proc/sys/kernel",
    "/proc/sys/vm",
    "/proc/uptime",
    "/proc/version",
    "/dev/random",
    "/dev/urandom",
)
# These are the parts of Python's own folder, or of an environment.
_PARTS = ("lib", "lib32", "lib64", "share", "ssl", "etc/fonts", "pyvenv.cfg")
_DEVICES = ("/dev/null", "/dev/zero", "/dev/full")
_GPUS = ("nvidia*", "nvidia-caps/*", "nvhost*", "nvmap")


def reads() -> list[Path]:
    """Return the files and folders to be read; some may be missing.

    They belong to this process: another one has another folder in /proc.
    """
    return [*_common(), Path("/proc", str(os.getpid()))]


# The list is made before processes with walls are forked, which then need no time.
@functools.cache
def devices() -> tuple[Path, ...]:
    """Return the devices to be read, written and controlled."""
    found = [*map(Path, _DEVICES)]
    # CUDA itself takes these two values for no GPU.
    if os.environ.get("CUDA_VISIBLE_DEVICES") not in ("", "-1"):
        for pattern in _GPUS:
            found += Path("/dev").glob(pattern)
    return tuple(found)


@functools.cache
def _common() -> tuple[Path, ...]:
    """Return the files that all processes forked from this one read."""
    return (*map(Path, _SYSTEM), *_python())


def _python() -> tuple[Path, ...]:
    """Return Python's files, and those of the modules that it may import."""
    prefixes = {sys.prefix, sys.exec_prefix, sys.base_prefix, sys.base_exec_prefix}
    # Only parts are allowed: the folder of an environment may hold other things.
    found = [Path(prefix, part) for prefix in prefixes for part in _PARTS]
    # A variable must not allow as much as these; "~" stays for a user without a home.
    home = Path(os.path.expanduser("~"))  # noqa: PTH111
    too_much = {Path("/"), home, *home.parents}
    named = os.environ.get("LD_LIBRARY_PATH", "").split(":")
    folders = [Path(folder) for folder in named if folder.startswith("/")]
    found += [folder for folder in folders if folder not in too_much]
    for entry in map(Path, filter(None, sys.path)):
        if any(entry.is_relative_to(folder) for folder in found):
            continue
        if entry.name in ("site-packages", "dist-packages") or entry.is_file():
            found.append(entry)
        else:
            found += _modules(entry)
    _list_folders()
    return tuple(found)


def _modules(folder: Path) -> Iterator[Path]:
    """Give the modules in a folder that may hold many other things.

    A working copy of the project has its settings and its store beside its packages.
    """
    try:
        entries = list(folder.iterdir())
    except OSError:
        return
    for entry in entries:
        # A package may have no __init__.py.
        is_package = any(entry.glob("*.py"))
        if is_package or entry.suffix in (".py", ".pyc", ".so", ".dist-info", ".pth"):
            yield entry


def _list_folders() -> None:
    """Let Python list all folders of ``sys.path`` once.

    Python remembers the names in them, also in folders that it may not list behind
    walls.
    """
    importlib.machinery.PathFinder.find_spec("runtime.walls.no_such_module")
