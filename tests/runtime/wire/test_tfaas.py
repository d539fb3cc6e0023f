import subprocess
import sys
from pathlib import Path

import pytest

import runtime
from runtime.wire.tfaas_pb2 import DataFrame, Hits

ROOT = Path(runtime.__file__).parents[1]
PROTOS = sorted(str(path.relative_to(ROOT)) for path in ROOT.glob("runtime/**/*.proto"))


@pytest.mark.slow
@pytest.mark.parametrize("proto", PROTOS)
def test_what_is_generated_is_what_make_proto_generates(tmp_path, proto):
    # protoc needs a process of its own: beside TensorFlow's protobuf it has crashed.
    protoc = [sys.executable, "-m", "grpc_tools.protoc", f"-I{ROOT}"]
    into = [f"--python_out={tmp_path}", f"--pyi_out={tmp_path}"]
    subprocess.run([*protoc, *into, proto], check=True, cwd=ROOT)
    for ending in ("_pb2.py", "_pb2.pyi"):
        name = proto.removesuffix(".proto") + ending
        assert (tmp_path / name).read_text() == (ROOT / name).read_text(), "make proto"


def test_the_other_messages_have_tfaas_numbers():
    """The wire tests cover Row, Class and Predictions; these are written by hand."""
    frame = DataFrame.FromString(b"\x0a\x03\x1a\x01m\x0a\x03\x0a\x01k")
    assert [(r.model, list(r.key)) for r in frame.row] == [("m", []), ("", ["k"])]
    one, half = b"\x00\x00\x80\x3f", b"\x00\x00\x00\x3f"
    detector = (
        b"\x0a\x01d" + b"\x12\x04" + one + b"\x1a\x04" + half + b"\x22\x08" + one + half
    )
    (det,) = Hits.FromString(b"\x0a" + bytes([len(detector)]) + detector).det
    assert (det.name, list(det.x), list(det.y), list(det.z)) == (
        "d",
        [1],
        [0.5],
        [1, 0.5],
    )
