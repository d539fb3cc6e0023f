import subprocess
import sys
from pathlib import Path

import pytest

import runtime.proto
from runtime.proto.tfaas_pb2 import DataFrame, Hits

FOLDER = Path(runtime.proto.__file__).parent


PROTOS = sorted(path.stem for path in FOLDER.glob("*.proto"))


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", [f"{p}_pb2.{e}" for p in PROTOS for e in ("py", "pyi")]
)
def test_what_is_generated_is_what_make_proto_generates(tmp_path, name):
    root = FOLDER.parents[1]
    # In a process of its own: beside TensorFlow's protobuf, protoc's has crashed.
    protoc = [sys.executable, "-m", "grpc_tools.protoc", f"-I{root}"]
    into = [f"--python_out={tmp_path}", f"--pyi_out={tmp_path}"]
    file = f"runtime/proto/{name.partition('_pb2.')[0]}.proto"
    subprocess.run([*protoc, *into, file], check=True, cwd=root)
    made = (tmp_path / "runtime/proto" / name).read_text()
    assert made == (FOLDER / name).read_text(), "run make proto"


def test_the_other_messages_have_tfaas_numbers():
    """Row, Class and Predictions are seen on the wire; these are written by hand."""
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
