"""The exporter checks strangers' files before it runs them, unless told to trust."""

from dataclasses import replace

import pytest
from onnx import helper

from exporter.bench import bench
from exporter.child.run import Limits
from exporter.destination import Destination
from exporter.errors import SourceError
from exporter.sources.reference import open_reference
from exporter.sources.source import Source, open_source
from exporter.sources.trust import check_candidate, check_source
from exporter.verify import verify
from runtime.programs.tensorflow_pb2 import GraphDef
from tests.exporter.sources.test_source import saved_model
from tests.runtime.programs.saved_models import node
from tests.runtime.programs.saved_models import saved_model as written

REFUSED = r"'WriteFile'.*; where you trust who made the model, add --trust$"


@pytest.fixture(params=["bundle", "saved_model", "frozen_graph"])
def source(request, tmp_path):
    """Return each kind of source, with an operator that writes files."""
    bad = node("bad", "WriteFile")
    if request.param == "frozen_graph":
        path = tmp_path / "graph.pb"
        path.write_bytes(GraphDef(node=[bad]).SerializeToString())
        return open_source(path, inputs=["x"], outputs=["y"])
    folder = saved_model(tmp_path / "net")
    (folder / "saved_model.pb").write_bytes(written([bad]).SerializeToString())
    if request.param == "saved_model":
        (folder / "params.json").unlink()
    return open_source(folder)


def test_a_source_is_looked_at_before_it_is_loaded(source):
    with pytest.raises(SourceError, match=REFUSED):
        open_reference(source)
    check_source(replace(source, trusted=True))


def test_a_keras_file_is_looked_at_by_who_reads_it(tmp_path):
    check_source(Source("keras", tmp_path / "net.keras"))


def foreign(folder):
    call = helper.make_node("Open", ["x"], ["y"], domain="com.evil")
    path = folder / "model.onnx"
    model = helper.make_model(helper.make_graph([call], "g", [], []))
    path.write_bytes(model.SerializeToString())
    return path


def test_an_onnx_is_looked_at_before_it_is_run(tmp_path):
    folder = saved_model(tmp_path / "net")
    source, path = open_source(folder), foreign(folder)
    with pytest.raises(SourceError, match="'Open' is of 'com.evil'.* add --trust$"):
        check_candidate(source, path)
    check_candidate(replace(source, trusted=True), path)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "found"), [(verify, "'Open' is of 'com.evil'"), (bench, "'WriteFile'")]
)
def test_verify_and_bench_look_at_what_they_run(tmp_path, command, found):
    """Each child process checks the file that it opens first."""
    folder = saved_model(tmp_path / "net")
    source, path = open_source(folder), foreign(folder)
    bad = written([node("bad", "WriteFile")])
    (folder / "saved_model.pb").write_bytes(bad.SerializeToString())
    with pytest.raises(SourceError, match=f"{found}.* add --trust$"):
        command(source, Destination(path), limits=Limits(), tell=lambda step: None)
