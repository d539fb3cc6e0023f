"""The peers' folders hold all that is needed to start each peer."""

import ast
import re

import pytest

from bench.environment import pinned
from bench.errors import BenchError
from bench.measure import versions_of
from bench.places import PEERS
from bench.server import BY_NAME, QUICK, SERVERS
from bench.work import WORKS

FOLDERS = sorted(path.name for path in PEERS.iterdir() if path.is_dir())
FOLDERS = [name for name in FOLDERS if name != "__pycache__"]


@pytest.mark.parametrize("folder", FOLDERS)
def test_requirements_are_pinned_and_name_no_index(folder):
    requirements = PEERS / folder / "requirements.txt"
    assert {"onnxruntime", "numpy", "pillow"} <= set(pinned(requirements))
    assert not re.search(r"://|--", requirements.read_text())


def test_all_peers_have_one_engine_and_one_decoder():
    for package in ("onnxruntime", "pillow"):
        found = {pinned(PEERS / name / "requirements.txt")[package] for name in FOLDERS}
        assert len(found) == 1


@pytest.mark.parametrize("line", ["numpy", "numpy>=2", "-e .", "numpy @ file:///x"])
def test_requirement_that_is_not_pinned_is_refused(tmp_path, line):
    path = tmp_path / "requirements.txt"
    path.write_text(f"# of them\nfalcon==4.4.0\n{line}\n")
    with pytest.raises(BenchError, match="does not pin a version"):
        pinned(path)


@pytest.mark.parametrize(
    "path",
    sorted(PEERS.rglob("*.py")),
    ids=lambda path: f"{path.parent.name}/{path.name}",
)
def test_app_compiles(path):
    ast.parse(path.read_text())


@pytest.mark.parametrize("server", SERVERS, ids=lambda server: server.name)
def test_server_can_be_asked_for_the_works(server):
    assert server.is_ours or server.peer in FOLDERS
    # The first request asks for a picture.
    assert "image" in server.protocols
    assert set(server.protocols) <= {work.kind for work in WORKS} - {"mixed"}
    assert "onnxruntime" in versions_of(server)


def test_every_work_is_asked_of_this_project_and_of_a_peer():
    kinds = {work.kind for work in WORKS} - {"mixed"}
    for is_ours in (True, False):
        several = [one.protocols for one in SERVERS if one.is_ours == is_ours]
        assert set().union(*several) == kinds


def test_names_are_unique_and_each_folder_is_used():
    assert len(BY_NAME) == len(SERVERS)
    assert {server.peer for server in SERVERS} - {""} == set(FOLDERS)
    assert set(QUICK) <= set(BY_NAME)
