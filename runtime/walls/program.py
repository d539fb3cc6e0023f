"""The files that Python, TensorFlow and ONNX Runtime themselves read."""

from __future__ import annotations

import functools
import importlib.machinery
import os
import sys
from collections.abc import Iterator
from pathlib import Path

# The system's libraries, and files of the C library's, of TensorFlow's and of CUDA's.
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
    # Not all of /proc: it tells about other processes, and with what they were called.
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
# Parts of Python's own folder, and of an environment's.
_PARTS = ("lib", "lib32", "lib64", "share", "ssl", "etc/fonts", "pyvenv.cfg")
_DEVICES = ("/dev/null", "/dev/zero", "/dev/full")
_GPUS = ("nvidia*", "nvidia-caps/*", "nvhost*", "nvmap")


def reads() -> list[Path]:
    """Files and folders to be read; some may not be there.

    They are those of this process: another one has another folder in /proc.
    """
    return [*_common(), Path("/proc", str(os.getpid()))]


# Asked before processes are forked that build walls, it costs them nothing.
@functools.cache
def devices() -> tuple[Path, ...]:
    """Devices to be read, written and controlled."""
    found = [*map(Path, _DEVICES)]
    # As CUDA itself takes the variable: none.
    if os.environ.get("CUDA_VISIBLE_DEVICES") not in ("", "-1"):
        for pattern in _GPUS:
            found += Path("/dev").glob(pattern)
    return tuple(found)


@functools.cache
def _common() -> tuple[Path, ...]:
    """Those of all processes that are forked from this one."""
    return (*map(Path, _SYSTEM), *_python())


def _python() -> tuple[Path, ...]:
    """Python's files, and those of what it may import."""
    prefixes = {sys.prefix, sys.exec_prefix, sys.base_prefix, sys.base_exec_prefix}
    # Not all of it: an environment may be made in a folder that holds other things.
    found = [Path(prefix, part) for prefix in prefixes for part in _PARTS]
    # A variable cannot mean as much as these; "~" stays for a user without a home.
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
    """The modules in a folder that may hold much else.

    A working copy of the project has its settings and its store beside its packages.
    """
    try:
        entries = list(folder.iterdir())
    except OSError:
        return
    for entry in entries:
        # With or without an __init__.py, which a package may lack.
        is_package = any(entry.glob("*.py"))
        if is_package or entry.suffix in (".py", ".pyc", ".so", ".dist-info", ".pth"):
            yield entry


def _list_folders() -> None:
    """Let Python see all folders of ``sys.path`` once.

    It keeps the names in them, also of those that it may not list behind walls.
    """
    importlib.machinery.PathFinder.find_spec("runtime.walls.no_such_module")
