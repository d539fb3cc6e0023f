"""Wheel and sdist hold what they should, and the wheel alone is enough for README."""

import json
import os
import pwd
import subprocess
import tarfile
import zipfile
from pathlib import Path

import pytest

from tests.documents import ROOT
from tests.end_to_end.wheel import plain_user
from tools.release.inside import works

PACKAGES = ("bundle", "exporter", "runtime", "tfaas_onnx", "trainer")


@pytest.fixture(scope="module")
def wheel(trained):
    (path,) = (trained / "dist").glob("*.whl")
    with zipfile.ZipFile(path) as archive:
        yield archive


def of_the_clone(*folders):
    """Return the files that git would commit, so no cache and no file of an editor."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    done = subprocess.run(
        [*command, *folders], cwd=ROOT, capture_output=True, text=True, check=True
    )
    names = done.stdout.split("\0")[:-1]
    return {name for name in names if (ROOT / name).is_file()}


def test_every_file_of_the_packages_travels_and_no_other(wheel):
    there = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert there == of_the_clone(*PACKAGES)
    assert {"runtime/programs/operators.txt", "trainer/data/mnist.npz"} < there


def test_the_licences_travel(wheel):
    texts = {
        "LICENSE",
        "LICENSES.md",
        *(text for work in works() for text in work.texts),
    }
    for text in texts:
        (found,) = [
            name for name in wheel.namelist() if name.endswith(f"licenses/{text}")
        ]
        assert wheel.read(found) == (ROOT / text).read_bytes()


def test_the_sdist_holds_the_clone_without_models_and_ci(trained):
    (path,) = (trained / "dist").glob("*.tar.gz")
    with tarfile.open(path) as archive:
        names = [name.partition("/")[2] for name in archive.getnames()]
    expected = {n for n in of_the_clone() if not n.startswith(".ci/")} | {"PKG-INFO"}
    assert set(names) == expected
    assert [name for name in names if name.startswith("models/")] == [
        "models/README.md"
    ]


def test_nothing_of_the_clone_was_there_when_the_transcript_was_typed(trained):
    where = json.loads((trained / "where.json").read_text())
    prefix = where["prefix"]
    assert all(Path(file).is_relative_to(prefix) for file in where["files"])
    # An empty entry is the folder itself; the others are the environment or Python's.
    for entry in where["path"]:
        assert not Path(entry).is_relative_to(ROOT), entry
    left = {"img1.png", "img4.png", "mnist", "mnist.tar.gz", "models", "server.log"}
    assert {name for name in where["folder"] if name[0] != "."} == left


@pytest.mark.skipif(not plain_user()[1], reason="this user may not become nobody")
def test_a_plain_user_typed_the_transcript(trained):
    where = json.loads((trained / "where.json").read_text())
    assert where["user"] == pwd.getpwnam("nobody").pw_uid != os.getuid()
