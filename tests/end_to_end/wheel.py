"""The wheel is installed into an empty environment, and a plain user types commands."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata
from importlib.util import cache_from_source
from pathlib import Path
from typing import Any

from tests.documents import ROOT
from tools.release.closure import closure, wheel_of

# README's transcript trains, converts and serves.
EXTRAS = {"train", "export"}


class Installed:
    """An environment with the wheel, in a folder that has nothing else.

    Attributes:
        wheel: the wheel that was installed.
        sdist: the sdist from which the wheel was made.
        folder: an empty folder of the plain user.
        user: what ``subprocess`` needs to start a process of the plain user.
        environment: the variables of such a process.
    """

    def __init__(self, place: Path) -> None:
        """Build the wheel, and install it in a folder that the plain user can read."""
        place.chmod(0o755)
        python, self.user = plain_user()
        dist = place / "dist"
        build = [sys.executable, "-m", "build", "--no-isolation", "--outdir", dist]
        done = subprocess.run(
            [*build, ROOT], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        (self.wheel,), (self.sdist,) = dist.glob("*.whl"), dist.glob("*.tar.gz")
        self.folder = self._new(place / "home")
        self.bin = place / "venv" / "bin"
        self.environment = {
            "HOME": str(self.folder),
            "LANG": "C.UTF-8",
            "PATH": f"{self.bin}:/usr/bin:/bin",
            "PYTHONUNBUFFERED": "1",
        }
        self._new(self.bin.parent)
        self.run(python, "-m", "venv", "--without-pip", self.bin.parent)
        self._link()
        # pip looks for no package anywhere: it fails if the wheel needs more.
        self.run(
            *(self.bin / "python", "-m", "pip", "install", "--quiet", "--no-index"),
            *("--disable-pip-version-check", "--no-cache-dir", "--no-compile"),
            f"{self.wheel}[{','.join(sorted(EXTRAS))}]",
        )

    def run(self, *command: Any) -> str:
        """Run a command as the plain user; return its standard output."""
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            **self.user,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def _new(self, folder: Path) -> Path:
        folder.mkdir()
        if self.user:
            os.chown(folder, self.user["user"], self.user["group"])
        return folder

    def _link(self) -> None:
        """Give the environment the packages that the wheel's own metadata names.

        A new download of TensorFlow would take minutes. Each file is a hard link or a
        copy, so nothing leads back to the environment that has the clone.
        """
        (site,) = self.bin.parent.glob("lib/python*/site-packages")
        needed = closure(wheel_of(self.wheel), EXTRAS)
        for package in [*needed.values(), metadata.distribution("pip")]:
            for file in package.files or []:
                if file.parts[0] != ".." and file.suffix != ".pyc":
                    source = Path(str(file.locate()))
                    link(source, site / file)
                    if file.suffix == ".py":
                        # The plain user could not write this for the next process.
                        compiled = Path(cache_from_source(source))
                        link(
                            compiled, site / file.parent / "__pycache__" / compiled.name
                        )
            for script in package.entry_points.select(group="console_scripts"):
                path = self.bin / script.name
                path.write_text(
                    f"#!{self.bin}/python\nimport sys\n"
                    f"from {script.module} import {script.attr}\n"
                    f"sys.exit({script.attr}())\n"
                )
                path.chmod(0o755)


def link(file: Path, target: Path) -> None:
    """Give a file, if it is there, a second name, or copy it to another disk."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(file, target)
    except (FileExistsError, FileNotFoundError):
        # Two packages may have the same file; not every file has been compiled.
        return
    except OSError:
        shutil.copy2(file, target)


def plain_user() -> tuple[Path, dict[str, Any]]:
    """Return a Python, and the words for ``subprocess`` that start it as a plain user.

    root becomes nobody, who may not read a Python in root's home; the system may have
    the same one. Anybody else is a plain user already, and root stays root where no
    such Python is found.
    """
    own = Path(sys.base_prefix, "bin", "python{}.{}".format(*sys.version_info))
    if os.getuid() == 0:
        entry = pwd.getpwnam("nobody")
        nobody = {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
        for python in (own, Path("/usr/bin", own.name)):
            try:
                subprocess.run([python, "-c", ""], cwd="/", check=True, **nobody)
            except (OSError, subprocess.CalledProcessError):
                continue
            return python, nobody
    return own, {}


@contextmanager
def installed() -> Iterator[Installed]:
    """Install the wheel for the length of a block.

    pytest's own folders are closed to other users, so the place is another one.
    """
    with tempfile.TemporaryDirectory(prefix="tfaas-onnx-wheel-") as place:
        yield Installed(Path(place))
